//! The inbox: events that could not be applied yet, or that must be looked at. Parked durably, tried again when due, never dropped.
//!
//! An entry lies in the due index beside the escrows and is put off like them ([`Store::postpone`]), but up to a day at a time; after
//! thirty days it is no longer tried by itself, and waits for an operator. Once it is done it leaves every index, and DynamoDB deletes it
//! a month later. What is too large for one item stands in several, put in one transaction.

use crate::error::{StoreError, Unreadable};
use crate::items::{self, Token, number, read_number};
use crate::keys::{self, Item, Key, attribute};
use crate::lists::LONGEST_PAGE;
use crate::patience::MOST_ATTEMPTS;
use crate::postpone::Seen;
use crate::read::Ask;
use crate::schema;
use crate::store::{Store, key_of};
use crate::write::{Amendment, Condition, Write, Written, WrittenTogether};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::id::GatewayName;
use escrow_domain::time::{Period, Timestamp};
use std::collections::HashMap;

/// So many bytes of a payload stand in one item: an item has at most 400 KB (Amazon DynamoDB Developer Guide, *Quotas*).
const PIECE: usize = 350 * 1024;
/// How long an entry is kept after it is done.
const KEPT: Period = Period::days(30);

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Whose event.
    pub gateway: GatewayName,
    /// The gateway's id of it.
    pub event: String,
    /// What is needed to apply it, in the words of whoever parks it; at most some 3 MB.
    pub payload: Vec<u8>,
    /// Why it could not be applied, in words.
    pub why: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is tried again; of one that waits for an operator, since when it does.
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

pub(crate) mod name {
    /// Payload.
    pub(super) const PAYLOAD: &str = "p";
    /// Why it waits.
    pub(super) const WHY: &str = "y";
    /// In how many further items the rest of the payload stands.
    pub(super) const PIECES: &str = "m";
    /// When it came, in milliseconds.
    pub(crate) const RECEIVED: &str = "a";
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
        let (first, rest) = parked.payload.split_at(parked.payload.len().min(PIECE));
        let mut body = HashMap::from([
            (name::PAYLOAD.to_owned(), AttributeValue::B(Blob::new(first))),
            (name::WHY.to_owned(), AttributeValue::S(parked.why.clone())),
            (name::RECEIVED.to_owned(), number(parked.received_at.as_millis())),
        ]);
        let pieces: Vec<&[u8]> = rest.chunks(PIECE).collect();
        if !pieces.is_empty() {
            body.insert(name::PIECES.to_owned(), number(pieces.len()));
        }
        let mut item = items::enclose(body, &key, None, &token);
        items::put_due(&mut item, &parked.event, parked.due_at.as_millis());
        let mut writes = vec![Write { key: key.clone(), item, condition: Condition::Absent }];
        for (number, piece) in (1_u32..).zip(pieces) {
            let key = keys::inbox_piece(&key, number, &token.as_request_token());
            let body = HashMap::from([(name::PAYLOAD.to_owned(), AttributeValue::B(Blob::new(piece)))]);
            let item = items::enclose(body, &key, None, &token);
            writes.push(Write { key, item, condition: Condition::Absent });
        }
        match writes.as_slice() {
            [write] => match self.table.put(write, &token).await? {
                Written::Applied => Ok(Parking::Parked),
                Written::Stands(_) => Ok(Parking::AlreadyThere),
            },
            several => match self.table.put_together(several, &token, MOST_ATTEMPTS).await? {
                WrittenTogether::Applied => Ok(Parking::Parked),
                WrittenTogether::Stands(_) => Ok(Parking::AlreadyThere),
            },
        }
    }

    /// The parked events at these keys, in their order; what does not exist any more is left out.
    ///
    /// # Errors
    /// If the store could not be asked. An entry that cannot be read is no error of the whole.
    pub async fn parked(&self, keys: &[Key]) -> Result<Vec<LoadedEvent>, StoreError> {
        let mut heads = self.found(keys).await?;
        let pieces: Vec<Key> = heads.iter().flat_map(|(key, head)| pieces_of(key, head)).collect();
        let mut pieces = if pieces.is_empty() { HashMap::new() } else { self.found(&pieces).await? };
        let mut load = |key: &Key, head: Item| {
            let rest: Vec<Option<Item>> = pieces_of(key, &head).iter().map(|piece| pieces.remove(piece)).collect();
            LoadedEvent { key: key.clone(), seen: Seen::of(&head), event: read_whole(head, key, rest) }
        };
        Ok(keys.iter().filter_map(|key| heads.remove(key).map(|head| load(key, head))).collect())
    }

    /// The parked events that are no longer tried by themselves and wait for an operator, the longest first; at most a hundred.
    ///
    /// # Errors
    /// As for [`Store::parked`].
    pub async fn stopped_events(&self) -> Result<Vec<LoadedEvent>, StoreError> {
        let ask = Ask {
            index: Some(schema::DISPUTES.name),
            partition: (attribute::DISPUTES, AttributeValue::S(keys::STOPPED_EVENTS.to_owned())),
            up_to: None,
            ascending: true,
            limit: i32::from(LONGEST_PAGE),
            start: None,
        };
        let page = self.table.query(&ask).await?;
        let keys = page.items.iter().map(key_of).collect::<Result<Vec<Key>, _>>()?;
        self.parked(&keys).await
    }

    /// Has a parked event that waits for an operator tried once more, now. Whether it waited.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn resume(&self, key: &Key, now: Timestamp) -> Result<bool, StoreError> {
        let event = gateway_and_event(key).map_or("", |(_, event)| event);
        let amendment = Amendment::of(
            "SET #d = :d, #t = :t REMOVE #q, #r, #n",
            "attribute_exists(#q)",
            &[
                ("#d", attribute::DUE_SHARD),
                ("#t", attribute::DUE),
                ("#q", attribute::DISPUTES),
                ("#r", attribute::RULE_BY),
                ("#n", attribute::POSTPONED),
            ],
            [(":d", number(keys::due_shard(event))), (":t", number(now.as_millis()))],
        );
        self.table.amend(key, &amendment).await
    }

    /// Notes that a parked event is done. It stays a month for whoever asks, and is never due again. Doing it twice changes nothing.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn finish(&self, key: &Key, now: Timestamp) -> Result<(), StoreError> {
        let ttl = number(now.after(KEPT).as_seconds());
        // The pieces first: should this end in between, the event is done again, and they are still there.
        if let Some(head) = self.table.get(key).await? {
            for piece in pieces_of(key, &head) {
                let amendment = Amendment::of(
                    "SET #ttl = :ttl",
                    "attribute_exists(#pk)",
                    &[("#pk", attribute::PK), ("#ttl", attribute::EXPIRES)],
                    [(":ttl", ttl.clone())],
                );
                self.table.amend(&piece, &amendment).await?;
            }
        }
        let amendment = Amendment::of(
            "SET #z = :z, #ttl = :ttl REMOVE #d, #t, #n, #q, #r",
            "attribute_exists(#pk) AND attribute_not_exists(#z)",
            &[
                ("#pk", attribute::PK),
                ("#z", name::DONE),
                ("#ttl", attribute::EXPIRES),
                ("#d", attribute::DUE_SHARD),
                ("#t", attribute::DUE),
                ("#n", attribute::POSTPONED),
                ("#q", attribute::DISPUTES),
                ("#r", attribute::RULE_BY),
            ],
            [(":z", number(now.as_millis())), (":ttl", ttl)],
        );
        self.table.amend(key, &amendment).await?;
        Ok(())
    }
}

/// What a key says of its event. A gateway's name has no `#`, so the first one divides them.
fn gateway_and_event(key: &Key) -> Option<(&str, &str)> {
    key.pk.strip_prefix("I#")?.split_once('#')
}

/// Where the rest of an event's payload stands.
fn pieces_of(key: &Key, head: &Item) -> Vec<Key> {
    let pieces: u32 = read_number(head, name::PIECES).unwrap_or_default();
    let token = Token::of(head).map(|token| token.as_request_token()).unwrap_or_default();
    (1..=pieces).map(|number| keys::inbox_piece(key, number, &token)).collect()
}

fn read_whole(head: Item, key: &Key, rest: Vec<Option<Item>>) -> Result<Option<Parked>, Unreadable> {
    let Some(mut parked) = read(head, key)? else { return Ok(None) };
    for piece in rest {
        let bytes = piece.as_ref().and_then(|item| item.get(name::PAYLOAD)).and_then(|value| value.as_b().ok());
        let missing = || Unreadable::Corrupt { key: key.clone(), why: "a piece of it is missing".to_owned() };
        parked.payload.extend_from_slice(bytes.ok_or_else(missing)?.as_ref());
    }
    Ok(Some(parked))
}

/// Reads an event; of one that stands in several items, the beginning.
pub(crate) fn read(mut item: Item, key: &Key) -> Result<Option<Parked>, Unreadable> {
    let due_at = read_number(&item, attribute::DUE).or_else(|| read_number(&item, attribute::RULE_BY));
    let due_at = due_at.map(Timestamp::from_millis);
    items::open(&mut item, key)?;
    let corrupt = |why: &str| Unreadable::Corrupt { key: key.clone(), why: why.to_owned() };
    if item.contains_key(name::DONE) {
        return Ok(None);
    }
    let (gateway, event) = gateway_and_event(key).ok_or_else(|| corrupt("its key names no gateway and event"))?;
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
