//! The table, written down once: the local stack makes it from here, and a test holds the deployment's template to it.

use crate::keys::attribute;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};

/// One index. Keys only, so that a change of an escrow's state never rewrites it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// The attribute of its partition key.
    pub partition: &'static str,
    /// The attribute of its sort key: always a number, always milliseconds.
    pub sort: &'static str,
}

/// By buyer, newest first.
pub const BUYER: Index = Index { name: "buyer", partition: attribute::BUYER, sort: attribute::CREATED };
/// By seller, newest first.
pub const SELLER: Index = Index { name: "seller", partition: attribute::SELLER, sort: attribute::CREATED };
/// By subject, newest first.
pub const SUBJECT: Index = Index { name: "subject", partition: attribute::SUBJECT, sort: attribute::CREATED };
/// What must happen next, by shard. Sparse: what waits for nothing is not in it.
pub const DUE: Index = Index { name: "due", partition: attribute::DUE_SHARD, sort: attribute::DUE };
/// Open disputes. Sparse.
pub const DISPUTES: Index = Index { name: "disputes", partition: attribute::DISPUTES, sort: attribute::RULE_BY };

/// Every index.
pub const INDEXES: [Index; 5] = [BUYER, SELLER, SUBJECT, DUE, DISPUTES];

/// Every attribute that is a key somewhere, with its type in DynamoDB's letters.
pub const KEY_ATTRIBUTES: [(&str, &str); 10] = [
    (attribute::PK, "S"),
    (attribute::SK, "S"),
    (attribute::BUYER, "S"),
    (attribute::SELLER, "S"),
    (attribute::SUBJECT, "S"),
    (attribute::CREATED, "N"),
    (attribute::DUE_SHARD, "N"),
    (attribute::DUE, "N"),
    (attribute::DISPUTES, "S"),
    (attribute::RULE_BY, "N"),
];

/// The table could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The SDK refused the definition.
    #[error("the table's definition is not complete")]
    Definition(#[from] BuildError),
    /// DynamoDB refused it.
    #[error("DynamoDB did not make the table")]
    Create(#[source] Box<SdkError<CreateTableError>>),
}

/// Makes the table on a local DynamoDB, unless it is there. The deployment makes its own from the template, with backups and
/// deletion protection.
///
/// # Errors
/// [`SchemaError`] if DynamoDB refuses.
pub async fn create_table(client: &Client, table: &str) -> Result<(), SchemaError> {
    let mut request = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in KEY_ATTRIBUTES {
        let kind = ScalarAttributeType::from(kind);
        request = request
            .attribute_definitions(AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()?);
    }
    request = request.key_schema(key(attribute::PK, KeyType::Hash)?).key_schema(key(attribute::SK, KeyType::Range)?);
    for index in INDEXES {
        request = request.global_secondary_indexes(
            GlobalSecondaryIndex::builder()
                .index_name(index.name)
                .key_schema(key(index.partition, KeyType::Hash)?)
                .key_schema(key(index.sort, KeyType::Range)?)
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()?,
        );
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => Ok(()),
        Err(error) => Err(SchemaError::Create(Box::new(error))),
    }
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}
