//! What to do with an item that is due and cannot be helped now: it moves back in the due index, further each time, and blocks
//! nothing. Only its place in the index changes, never what it holds, and only if it is still what was seen.

use crate::error::StoreError;
use crate::inbox;
use crate::items::{number, read_number};
use crate::keys::{self, Item, Key, KeyKind, attribute};
use crate::store::Store;
use crate::write::Amendment;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::time::{Period, Timestamp};

/// The first time an item is put off by this much; it doubles each time.
const FIRST: Period = Period::minutes(1);
/// Never by more, where money may wait.
const LONGEST: Period = Period::hours(1);
/// Never by more, where only an event waits.
const LONGEST_OF_EVENTS: Period = Period::days(1);
/// An event that has waited for so long is not tried by itself any more: gateways repeat theirs for days, not for months.
const EVENTS_STOP_AFTER: Period = Period::days(30);

/// What an item looked like, whether or not it could be read. An ordinary commit changes all of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    version: Option<AttributeValue>,
    token: Option<AttributeValue>,
    due: Option<AttributeValue>,
    postponed: u32,
    /// When a parked event came; of anything else nothing.
    received: Option<Timestamp>,
    /// Every moment at which something must happen to it, as far as it could be read.
    moments: Vec<Timestamp>,
}

impl Seen {
    pub(crate) fn of(item: &Item) -> Self {
        Self {
            version: item.get(attribute::VERSION).cloned(),
            token: item.get(attribute::TOKEN).cloned(),
            due: item.get(attribute::DUE).cloned(),
            postponed: read_number(item, attribute::POSTPONED).unwrap_or_default(),
            received: Key::of(item)
                .filter(|key| key.kind() == KeyKind::Inbox)
                .and_then(|_| read_number(item, inbox::name::RECEIVED))
                .map(Timestamp::from_millis),
            moments: Vec::new(),
        }
    }

    /// Takes note of when something must happen to it.
    pub(crate) fn with_moments(self, moments: Vec<Timestamp>) -> Self {
        Self { moments, ..self }
    }

    /// How often in a row it has been put off.
    #[must_use]
    pub const fn postponed(&self) -> u32 {
        self.postponed
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Postponed {
    /// It is due again then.
    Until(Timestamp),
    /// It is a parked event that was tried for long enough: it waits for an operator now ([`Store::stopped_events`]).
    Stopped,
    /// It is no longer what was seen, or no longer due: somebody else has dealt with it.
    Moved,
}

impl Store {
    /// Puts an item off: by a minute, then by two, four and so on up to an hour, a parked event up to a day; but never past the next
    /// moment at which something else must happen to it. An ordinary commit of it starts anew.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn postpone(&self, key: &Key, seen: &Seen, now: Timestamp) -> Result<Postponed, StoreError> {
        let Some(due) = &seen.due else { return Ok(Postponed::Moved) };
        let stops = seen.received.is_some_and(|received| now >= received.after(EVENTS_STOP_AFTER));
        let next = seen.moments.iter().copied().filter(|moment| *moment > now).min();
        let later =
            now.after(back_off(seen.postponed, if seen.received.is_some() { LONGEST_OF_EVENTS } else { LONGEST }));
        let until = next.map_or(later, |next| next.min(later));
        let mut amendment = if stops {
            Amendment::of(
                "SET #q = :q, #r = :r REMOVE #d, #t, #n",
                "#t = :t",
                &[
                    ("#q", attribute::DISPUTES),
                    ("#r", attribute::RULE_BY),
                    ("#d", attribute::DUE_SHARD),
                    ("#t", attribute::DUE),
                    ("#n", attribute::POSTPONED),
                ],
                [
                    (":q", AttributeValue::S(keys::STOPPED_EVENTS.to_owned())),
                    (":r", number(now.as_millis())),
                    (":t", due.clone()),
                ],
            )
        } else {
            Amendment::of(
                "SET #t = :until, #n = :times",
                "#t = :t",
                &[("#t", attribute::DUE), ("#n", attribute::POSTPONED)],
                [
                    (":until", number(until.as_millis())),
                    (":times", number(seen.postponed.saturating_add(1))),
                    (":t", due.clone()),
                ],
            )
        };
        amendment.unchanged(attribute::VERSION, seen.version.as_ref());
        amendment.unchanged(attribute::TOKEN, seen.token.as_ref());
        let done = self.table.amend(key, &amendment).await?;
        Ok(match (done, stops) {
            (false, _) => Postponed::Moved,
            (true, true) => Postponed::Stopped,
            (true, false) => Postponed::Until(until),
        })
    }
}

impl Amendment {
    /// Only if this attribute still has this value, or is still missing.
    pub(crate) fn unchanged(&mut self, name: &str, value: Option<&AttributeValue>) {
        self.names.insert(format!("#{name}"), name.to_owned());
        match value {
            Some(value) => {
                self.condition.push_str(&format!(" AND #{name} = :{name}"));
                self.values.insert(format!(":{name}"), value.clone());
            }
            None => self.condition.push_str(&format!(" AND attribute_not_exists(#{name})")),
        }
    }
}

fn back_off(postponed: u32, longest: Period) -> Period {
    let doubled = FIRST.as_millis().saturating_mul(1_i64 << postponed.min(16));
    Period::from_millis(doubled).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_put_off_longer_up_to_an_hour_and_events_up_to_a_day() {
        let times = [0, 1, 2, 5, 6, 40, u32::MAX];
        let minutes = |longest| times.map(|times| back_off(times, longest).as_seconds() / 60);
        assert_eq!(minutes(LONGEST), [1, 2, 4, 32, 60, 60, 60]);
        assert_eq!(minutes(LONGEST_OF_EVENTS), [1, 2, 4, 32, 64, 1_440, 1_440]);
    }
}
