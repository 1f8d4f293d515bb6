//! The deployment's template describes the table that the store speaks with.

use escrow_store::keys::attribute;
use escrow_store::schema;
use serde_json::{Value, json};

/// The table's properties in the template: the one resource of its type.
fn table() -> Option<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml");
    let text = std::fs::read_to_string(path).ok()?;
    // As YAML 1.2 has it: the `N` of a number's type is no "no".
    let options = serde_saphyr::options! { strict_booleans: true };
    let template: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let mut tables = resources.values().filter(|resource| resource["Type"] == "AWS::DynamoDB::Table");
    let table = tables.next().unwrap()["Properties"].clone();
    assert!(tables.next().is_none(), "one table");
    Some(table)
}

fn keys(partition: &str, sort: &str) -> Value {
    json!([{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}])
}

#[test]
fn the_template_describes_the_same_table() {
    let Some(table) = table() else { return };
    let attributes = schema::KEY_ATTRIBUTES.map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}));
    assert_eq!(table["AttributeDefinitions"], json!(attributes));
    assert_eq!(table["KeySchema"], keys(attribute::PK, attribute::SK));
    let indexes = schema::INDEXES.map(|index| {
        json!({
            "IndexName": index.name,
            "KeySchema": keys(index.partition, index.sort),
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        })
    });
    assert_eq!(table["GlobalSecondaryIndexes"], json!(indexes));
    assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
}

#[test]
fn money_is_backed_up_and_never_expires() {
    let Some(table) = table() else { return };
    assert_eq!(table["PointInTimeRecoverySpecification"], json!({"PointInTimeRecoveryEnabled": true}));
    assert!(!table["DeletionProtectionEnabled"].is_null());
    let expiry = json!({"AttributeName": attribute::EXPIRES, "Enabled": true});
    assert_eq!(table["TimeToLiveSpecification"], expiry);
}
