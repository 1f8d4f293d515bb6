//! The reads: one item, many items, a page of an index, a page of the table. All counted, all patient.

use crate::count::Meter;
use crate::error::{Source, StoreError};
use crate::items::number;
use crate::keys::{Item, Key, attribute};
use crate::patience::{ATTEMPT_TIMEOUT, Failure, Fault, judge, patiently, pause};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
use std::collections::HashMap;
use std::error::Error;

/// The most keys of one batch. Source: Amazon DynamoDB API Reference, `BatchGetItem`.
const BATCH: usize = 100;
/// How often in a row a batch may come back without a single item before it is given up.
const MOST_EMPTY_BATCHES: u32 = 6;

/// A table and how it is spoken with.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) meter: Meter,
}

/// What to ask an index, or a partition of the table.
pub(crate) struct Ask<'a> {
    /// `None` asks the table itself, consistently; an index can only be read eventually.
    pub(crate) index: Option<&'a str>,
    /// Attribute and value of the partition key.
    pub(crate) partition: (&'a str, AttributeValue),
    /// Only sort keys up to this number.
    pub(crate) up_to: Option<(&'a str, i64)>,
    pub(crate) ascending: bool,
    pub(crate) limit: i32,
    pub(crate) start: Option<Item>,
}

/// Some items, and where the next page starts.
pub(crate) struct Page {
    pub(crate) items: Vec<Item>,
    pub(crate) next: Option<Item>,
}

impl Table {
    /// The client's settings stand, but for its retries and the time of an attempt: those are [`crate::patience`]'s.
    pub(crate) fn new(client: &Client, name: String) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let settings = client.config().to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        Self { client: Client::from_conf(settings.build()), name, meter: Meter::default() }
    }

    /// The item at a key as it is now.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let answer = patiently(&self.meter, judge, || {
            self.client
                .get_item()
                .table_name(&self.name)
                .set_key(Some(key.to_item()))
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
        })
        .await
        .map_err(unread)?;
        self.meter.read(&answer.consumed_capacity);
        Ok(answer.item)
    }

    /// The items at these keys as they are now, in no order; what does not exist is left out.
    pub(crate) async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        // DynamoDB refuses a batch that names a key twice.
        let mut once: Vec<&Key> = keys.iter().collect();
        once.sort_unstable();
        once.dedup();
        let mut found = Vec::with_capacity(once.len());
        for chunk in once.chunks(BATCH) {
            let mut left: Vec<Item> = chunk.iter().map(|key| key.to_item()).collect();
            let mut empty = 0_u32;
            while !left.is_empty() {
                let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(left.clone())).build();
                let wanted = wanted.map_err(|error| StoreError::Refused(Box::new(error)))?;
                let answer = patiently(&self.meter, judge, || {
                    self.client
                        .batch_get_item()
                        .request_items(&self.name, wanted.clone())
                        .return_consumed_capacity(ReturnConsumedCapacity::Total)
                        .send()
                })
                .await
                .map_err(unread)?;
                self.meter.read(answer.consumed_capacity());
                let items = answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
                let unprocessed = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
                left = unprocessed.map(|keys| keys.keys).unwrap_or_default();
                empty = if items.is_empty() { empty.saturating_add(1) } else { 0 };
                found.extend(items);
                if left.is_empty() {
                    break;
                }
                // Unprocessed keys: the answer was full (16 MB) or the table is throttled.
                if empty >= MOST_EMPTY_BATCHES {
                    return Err(StoreError::Contended { attempts: empty });
                }
                pause(empty).await;
            }
        }
        Ok(found)
    }

    /// One page of an index or a partition.
    pub(crate) async fn query(&self, ask: &Ask<'_>) -> Result<Page, StoreError> {
        let mut condition = "#p = :p".to_owned();
        let mut names = HashMap::from([("#p".to_owned(), ask.partition.0.to_owned())]);
        let mut values = HashMap::from([(":p".to_owned(), ask.partition.1.clone())]);
        if let Some((name, most)) = ask.up_to {
            condition.push_str(" AND #s <= :s");
            names.insert("#s".to_owned(), name.to_owned());
            values.insert(":s".to_owned(), number(most));
        }
        let answer = patiently(&self.meter, judge, || {
            self.client
                .query()
                .table_name(&self.name)
                .set_index_name(ask.index.map(str::to_owned))
                .key_condition_expression(&condition)
                .set_expression_attribute_names(Some(names.clone()))
                .set_expression_attribute_values(Some(values.clone()))
                .scan_index_forward(ask.ascending)
                .limit(ask.limit)
                .set_exclusive_start_key(ask.start.clone())
                .consistent_read(ask.index.is_none())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
        })
        .await
        .map_err(unread)?;
        self.meter.read(&answer.consumed_capacity);
        Ok(Page {
            items: answer.items.unwrap_or_default(),
            next: answer.last_evaluated_key.filter(|key| !key.is_empty()),
        })
    }

    /// One page of everything.
    pub(crate) async fn scan(&self, limit: Option<i32>, start: Option<Item>) -> Result<Page, StoreError> {
        let answer = patiently(&self.meter, judge, || {
            self.client
                .scan()
                .table_name(&self.name)
                .set_limit(limit)
                .set_exclusive_start_key(start.clone())
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
        })
        .await
        .map_err(unread)?;
        self.meter.read(&answer.consumed_capacity);
        Ok(Page {
            items: answer.items.unwrap_or_default(),
            next: answer.last_evaluated_key.filter(|key| !key.is_empty()),
        })
    }
}

/// A read that failed has changed nothing, whatever became of it.
fn unread<E: Error + Send + Sync + 'static>(failure: Failure<E>) -> StoreError {
    match failure.fault {
        Fault::Busy => StoreError::Contended { attempts: failure.attempts },
        Fault::InDoubt => StoreError::Unavailable(Source::from(failure.into_source())),
        Fault::Final => StoreError::Refused(failure.into_source()),
    }
}

/// The name of the partition key, for questions to the table itself.
pub(crate) const PARTITION: &str = attribute::PK;
