//! The inbox: events that could not be applied yet, or that must be looked at. Parked durably, tried again when due, never dropped.
//!
//! An entry lies in the due index beside the escrows and is put off like them ([`Store::postpone`]). Once it is done it leaves the
//! index, and DynamoDB deletes it a month later.

use crate::error::{StoreError, Unreadable};
use crate::items::{self, Token, number, read_number};
use crate::keys::{self, Item, Key, attribute};
use crate::postpone::Seen;
use crate::store::Store;
use crate::write::{Amendment, Condition, Write, Written};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::id::GatewayName;
use escrow_domain::time::{Period, Timestamp};
use std::collections::HashMap;

/// How long an entry is kept after it is done.
const KEPT: Period = Period::days(30);

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Whose event.
    pub gateway: GatewayName,
    /// The gateway's id of it.
    pub event: String,
    /// What is needed to apply it, in the words of whoever parks it; at most some 390 KB.
    pub payload: Vec<u8>,
    /// Why it could not be applied, in words.
    pub why: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is tried again.
    pub due_at: Timestamp,
}

/// A parked event of a list, or why it cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedEvent {
    /// Where it stands.
    pub key: Key,
    /// What was seen there, for [`Store::postpone`].
    pub seen: Seen,
    /// The event; one that is done is `None`.
    pub event: Result<Option<Parked>, Unreadable>,
}

/// How parking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parking {
    /// It is parked now.
    Parked,
    /// This event was parked before, and may even be done.
    AlreadyThere,
}

mod name {
    /// Payload.
    pub(super) const PAYLOAD: &str = "p";
    /// Why it waits.
    pub(super) const WHY: &str = "y";
    /// When it came, in milliseconds.
    pub(super) const RECEIVED: &str = "a";
    /// When it was done, in milliseconds.
    pub(super) const DONE: &str = "z";
}

impl Store {
    /// Parks an event, if it is not parked yet. After this has returned it is durable.
    ///
    /// # Errors
    /// If it is not surely durable: the gateway must be asked to send it again.
    pub async fn park(&self, parked: &Parked) -> Result<Parking, StoreError> {
        let token = Token::random();
        let key = keys::inbox(parked.gateway, &parked.event);
        let body = HashMap::from([
            (name::PAYLOAD.to_owned(), AttributeValue::B(Blob::new(parked.payload.clone()))),
            (name::WHY.to_owned(), AttributeValue::S(parked.why.clone())),
            (name::RECEIVED.to_owned(), number(parked.received_at.as_millis())),
        ]);
        let mut item = items::enclose(body, &key, None, &token);
        items::put_due(&mut item, &parked.event, parked.due_at.as_millis());
        match self.table.put(&Write { key, item, condition: Condition::Absent }, &token).await? {
            Written::Applied => Ok(Parking::Parked),
            Written::Stands(_) => Ok(Parking::AlreadyThere),
        }
    }

    /// The parked events at these keys, in their order; what does not exist any more is left out.
    ///
    /// # Errors
    /// If the store could not be asked. An entry that cannot be read is no error of the whole.
    pub async fn parked(&self, keys: &[Key]) -> Result<Vec<LoadedEvent>, StoreError> {
        let items = self.table.batch_get(keys).await?;
        let mut found: HashMap<Key, Item> =
            items.into_iter().filter_map(|item| Key::of(&item).map(|key| (key, item))).collect();
        let load =
            |key: &Key, item: Item| LoadedEvent { key: key.clone(), seen: Seen::of(&item), event: read(item, key) };
        Ok(keys.iter().filter_map(|key| found.remove(key).map(|item| load(key, item))).collect())
    }

    /// Notes that a parked event is done. It stays a month for whoever asks, and is never due again. Doing it twice changes nothing.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn finish(&self, key: &Key, now: Timestamp) -> Result<(), StoreError> {
        let names = [
            ("#pk", attribute::PK),
            ("#z", name::DONE),
            ("#ttl", attribute::EXPIRES),
            ("#d", attribute::DUE_SHARD),
            ("#t", attribute::DUE),
            ("#n", attribute::POSTPONED),
        ];
        let values = [(":z", number(now.as_millis())), (":ttl", number(now.after(KEPT).as_seconds()))];
        let amendment = Amendment {
            update: "SET #z = :z, #ttl = :ttl REMOVE #d, #t, #n".to_owned(),
            condition: "attribute_exists(#pk) AND attribute_not_exists(#z)".to_owned(),
            names: names.into_iter().map(|(short, name)| (short.to_owned(), name.to_owned())).collect(),
            values: values.into_iter().map(|(short, value)| (short.to_owned(), value)).collect(),
        };
        self.table.amend(key, &amendment).await?;
        Ok(())
    }
}

pub(crate) fn read(mut item: Item, key: &Key) -> Result<Option<Parked>, Unreadable> {
    let due_at = read_number(&item, attribute::DUE).map(Timestamp::from_millis);
    items::open(&mut item, key)?;
    let corrupt = |why: &str| Unreadable::Corrupt { key: key.clone(), why: why.to_owned() };
    if item.contains_key(name::DONE) {
        return Ok(None);
    }
    let (gateway, event) = key
        .pk
        .strip_prefix("I#")
        .and_then(|rest| rest.split_once('#'))
        .ok_or_else(|| corrupt("its key names no gateway and event"))?;
    let payload = item.get(name::PAYLOAD).and_then(|value| value.as_b().ok());
    let why = item.get(name::WHY).and_then(|value| value.as_s().ok());
    Ok(Some(Parked {
        gateway: gateway.parse().map_err(|_| corrupt("it is of an unknown gateway"))?,
        event: event.to_owned(),
        payload: payload.ok_or_else(|| corrupt("it has no payload"))?.clone().into_inner(),
        why: why.ok_or_else(|| corrupt("it does not say why it waits"))?.clone(),
        received_at: read_number(&item, name::RECEIVED)
            .map(Timestamp::from_millis)
            .ok_or_else(|| corrupt("it does not say when it came"))?,
        due_at: due_at.ok_or_else(|| corrupt("it waits, but for no moment"))?,
    }))
}
