//! The one file that writes. Every write is conditional: on nothing being there, or on the version, or the very item, that was
//! seen. There is no other way to write, and a lint keeps it so.

use crate::error::StoreError;
use crate::items::{Token, read_number};
use crate::keys::{Item, Key, attribute};
use crate::patience::{Failure, Fault, judge, less_patiently, patiently};
use crate::read::Table;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use std::collections::HashMap;
use std::error::Error;

/// The most items of one transaction. Source: Amazon DynamoDB API Reference, `TransactWriteItems`.
pub(crate) const MOST_TOGETHER: usize = 100;

/// What must stand at the key for a put to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Absent,
    /// The version that was read.
    Version(u64),
}

/// A put about to be tried.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) item: Item,
    pub(crate) condition: Condition,
}

/// How a single put ended.
#[derive(Debug)]
pub(crate) enum Written {
    Applied,
    /// Not written; this stands there, or nothing does.
    Stands(Option<Item>),
}

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum WrittenTogether {
    Applied,
    /// Nothing was written: these members, by index, met something else than they expect.
    Stands(Vec<(usize, Option<Item>)>),
}

impl Condition {
    /// The condition in DynamoDB's words. Every item has a partition key, so its absence is the item's.
    fn expression(self) -> (&'static str, &'static str, Option<HashMap<String, AttributeValue>>) {
        match self {
            Self::Absent => ("attribute_not_exists(#a)", attribute::PK, None),
            Self::Version(version) => {
                let value = AttributeValue::N(version.to_string());
                ("#a = :v", attribute::VERSION, Some(HashMap::from([(":v".to_owned(), value)])))
            }
        }
    }

    /// Whether a put under this condition could still happen while this item stands there: an attempt whose answer was lost may
    /// be on its way. Versions only grow, so what has moved on will never fit again.
    fn could_still_hold(self, standing: Option<&Item>) -> bool {
        match (self, standing) {
            (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (Self::Version(_), None) => false,
            (Self::Version(version), Some(item)) => read_number(item, attribute::VERSION) == Some(version),
        }
    }
}

impl Table {
    /// Puts one item if its condition holds.
    ///
    /// A put that fails its condition on an item with its own token has happened: its first answer was lost.
    #[expect(clippy::disallowed_methods, reason = "this is the file that writes; the put is conditional")]
    pub(crate) async fn put(&self, write: &Write, token: &Token) -> Result<Written, StoreError> {
        let (expression, name, values) = write.condition.expression();
        let result = patiently(&self.meter, judge, || {
            self.client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(write.item.clone()))
                .condition_expression(expression)
                .expression_attribute_names("#a", name)
                .set_expression_attribute_values(values.clone())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
        })
        .await;
        let failure = match result {
            Ok(answer) => {
                self.meter.write(&answer.consumed_capacity);
                return Ok(Written::Applied);
            }
            Err(failure) => failure,
        };
        if let SdkError::ServiceError(service) = &failure.error
            && let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) =
                service.err()
        {
            let standing = failed.item().filter(|item| !item.is_empty());
            let own = standing.is_some_and(|item| token.put(item));
            return Ok(if own { Written::Applied } else { Written::Stands(standing.cloned()) });
        }
        let failure = unwritten(failure, &write.key)?;
        // In doubt: only what stands there can tell.
        match self.get(&write.key).await {
            Ok(Some(item)) if token.put(&item) => Ok(Written::Applied),
            Ok(standing) if !write.condition.could_still_hold(standing.as_ref()) => Ok(Written::Stands(standing)),
            Ok(_) | Err(_) => Err(failure),
        }
    }

    /// Puts several items in one transaction: all of them, or none.
    ///
    /// `most_busy`: how often others may be in its way before it is given up.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that writes; every put of the transaction is conditional"
    )]
    pub(crate) async fn put_together(
        &self,
        writes: &[Write],
        token: &Token,
        most_busy: u32,
    ) -> Result<WrittenTogether, StoreError> {
        let [first, ..] = writes else { return Ok(WrittenTogether::Applied) };
        if writes.len() > MOST_TOGETHER {
            return Err(StoreError::Unwritable(format!("{} items in one transaction", writes.len())));
        }
        let members = writes.iter().map(|write| self.member(write)).collect::<Result<Vec<_>, _>>()?;
        let result = less_patiently(&self.meter, most_busy, judge_together, || {
            self.client
                .transact_write_items()
                .set_transact_items(Some(members.clone()))
                .client_request_token(token.as_request_token())
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
        })
        .await;
        let failure = match result {
            Ok(answer) => {
                self.meter.write(answer.consumed_capacity());
                return Ok(WrittenTogether::Applied);
            }
            Err(failure) => failure,
        };
        let named = named(&failure.error);
        if !named.is_empty() {
            // All or nothing: one member with our token means that all of them were written.
            let own = named.iter().any(|(_, item)| item.as_ref().is_some_and(|item| token.put(item)));
            return Ok(if own { WrittenTogether::Applied } else { WrittenTogether::Stands(named) });
        }
        let failure = unwritten(failure, &first.key)?;
        self.resolve_together(writes, token, failure).await
    }

    /// Finds out about a transaction whose answer was lost.
    async fn resolve_together(
        &self,
        writes: &[Write],
        token: &Token,
        failure: StoreError,
    ) -> Result<WrittenTogether, StoreError> {
        let keys: Vec<Key> = writes.iter().map(|write| write.key.clone()).collect();
        let Ok(items) = self.batch_get(&keys).await else { return Err(failure) };
        if items.iter().any(|item| token.put(item)) {
            return Ok(WrittenTogether::Applied);
        }
        let mut standing: HashMap<Key, Item> =
            items.into_iter().filter_map(|item| Key::of(&item).map(|key| (key, item))).collect();
        let moved: Vec<(usize, Option<Item>)> = writes
            .iter()
            .enumerate()
            .map(|(index, write)| (index, write.condition, standing.remove(&write.key)))
            .filter(|(_, condition, item)| !condition.could_still_hold(item.as_ref()))
            .map(|(index, _, item)| (index, item))
            .collect();
        if moved.is_empty() { Err(failure) } else { Ok(WrittenTogether::Stands(moved)) }
    }

    fn member(&self, write: &Write) -> Result<TransactWriteItem, StoreError> {
        let (expression, name, values) = write.condition.expression();
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(write.item.clone()))
            .condition_expression(expression)
            .expression_attribute_names("#a", name)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| StoreError::Refused(Box::new(error)))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Changes single attributes of an item that must still be the one that was seen. Only for what stands beside an aggregate's
    /// state: an item's place in the due index, and the inbox. Whether it happened; `false` if another item stands there now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that writes; the update is conditional")]
    pub(crate) async fn amend(&self, key: &Key, amendment: &Amendment) -> Result<bool, StoreError> {
        let Amendment { update, condition, names, values } = amendment;
        let result = patiently(&self.meter, judge, || {
            self.client
                .update_item()
                .table_name(&self.name)
                .set_key(Some(key.to_item()))
                .update_expression(update)
                .condition_expression(condition)
                .set_expression_attribute_names(Some(names.clone()))
                .set_expression_attribute_values(Some(values.clone()))
                .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
                .send()
        })
        .await;
        match result {
            Ok(answer) => {
                self.meter.write(&answer.consumed_capacity);
                Ok(true)
            }
            Err(Failure { error: SdkError::ServiceError(service), .. })
                if service.err().is_conditional_check_failed_exception() =>
            {
                Ok(false)
            }
            Err(failure) => Err(unwritten(failure, key)?),
        }
    }
}

/// An update of single attributes, in DynamoDB's words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Amendment {
    pub(crate) update: String,
    pub(crate) condition: String,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Amendment {
    pub(crate) fn of<const N: usize>(
        update: &str,
        condition: &str,
        names: &[(&str, &str)],
        values: [(&str, AttributeValue); N],
    ) -> Self {
        Self {
            update: update.to_owned(),
            condition: condition.to_owned(),
            names: names.iter().map(|(short, name)| ((*short).to_owned(), (*name).to_owned())).collect(),
            values: values.into_iter().map(|(short, value)| (short.to_owned(), value)).collect(),
        }
    }
}

/// Sorts a write's failure: `Err` is sure not to have been written, `Ok` is the error to give if nothing can tell.
fn unwritten<E: Error + Send + Sync + 'static>(failure: Failure<E>, key: &Key) -> Result<StoreError, StoreError> {
    match (failure.doubt, failure.fault) {
        (true, _) | (false, Fault::InDoubt) => {
            Ok(StoreError::Unknown { key: key.clone(), source: failure.into_source() })
        }
        (false, Fault::Busy) => Err(StoreError::Contended { attempts: failure.attempts }),
        (false, Fault::Final) => Err(StoreError::Refused(failure.into_source())),
    }
}

type TransactionError = SdkError<TransactWriteItemsError, HttpResponse>;

fn reasons(error: &TransactionError) -> &[CancellationReason] {
    match error {
        SdkError::ServiceError(service) => match service.err() {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons(),
            _ => &[],
        },
        _ => &[],
    }
}

const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// The members that met something else than they expect, with what stands there.
fn named(error: &TransactionError) -> Vec<(usize, Option<Item>)> {
    reasons(error)
        .iter()
        .enumerate()
        .filter(|(_, reason)| reason.code() == Some(CONDITION_FAILED))
        .map(|(index, reason)| (index, reason.item().filter(|item| !item.is_empty()).cloned()))
        .collect()
}

/// What a failed transaction says about the next attempt. Source of the codes: Amazon DynamoDB API Reference,
/// `TransactionCanceledException`.
fn judge_together(error: &TransactionError) -> Fault {
    let codes: Vec<&str> = reasons(error).iter().filter_map(CancellationReason::code).collect();
    if codes.contains(&CONDITION_FAILED) || codes.contains(&"ValidationError") {
        return Fault::Final;
    }
    let passing = ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"];
    if codes.iter().any(|code| passing.contains(code)) { Fault::Busy } else { judge(error) }
}
