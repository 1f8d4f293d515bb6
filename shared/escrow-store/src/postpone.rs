//! What to do with an item that is due and cannot be helped now: it moves back in the due index, further each time, and blocks
//! nothing. Only its place in the index changes, never what it holds, and only if it is still what was seen.

use crate::error::StoreError;
use crate::items::{number, read_number};
use crate::keys::{Item, Key, attribute};
use crate::store::Store;
use crate::write::Amendment;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::time::{Period, Timestamp};

/// The first time an item is put off by this much; it doubles each time.
const FIRST: Period = Period::minutes(1);
/// Never by more.
const LONGEST: Period = Period::hours(1);

/// What an item looked like, whether or not it could be read. An ordinary commit changes all of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    version: Option<AttributeValue>,
    token: Option<AttributeValue>,
    due: Option<AttributeValue>,
    postponed: u32,
}

impl Seen {
    pub(crate) fn of(item: &Item) -> Self {
        Self {
            version: item.get(attribute::VERSION).cloned(),
            token: item.get(attribute::TOKEN).cloned(),
            due: item.get(attribute::DUE).cloned(),
            postponed: read_number(item, attribute::POSTPONED).unwrap_or_default(),
        }
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
    /// It is no longer what was seen, or no longer due: somebody else has dealt with it.
    Moved,
}

impl Store {
    /// Puts an item off: by a minute, then by two, four and so on up to an hour. An ordinary commit of it starts anew.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn postpone(&self, key: &Key, seen: &Seen, now: Timestamp) -> Result<Postponed, StoreError> {
        let Some(due) = &seen.due else { return Ok(Postponed::Moved) };
        let until = now.after(back_off(seen.postponed));
        let mut amendment = Amendment {
            update: "SET #t = :until, #n = :times".to_owned(),
            condition: "#t = :t".to_owned(),
            ..Amendment::default()
        };
        amendment.names.insert("#t".to_owned(), attribute::DUE.to_owned());
        amendment.names.insert("#n".to_owned(), attribute::POSTPONED.to_owned());
        amendment.values.insert(":t".to_owned(), due.clone());
        amendment.values.insert(":until".to_owned(), number(until.as_millis()));
        amendment.values.insert(":times".to_owned(), number(seen.postponed.saturating_add(1)));
        amendment.unchanged(attribute::VERSION, seen.version.as_ref());
        amendment.unchanged(attribute::TOKEN, seen.token.as_ref());
        let done = self.table.amend(key, &amendment).await?;
        Ok(if done { Postponed::Until(until) } else { Postponed::Moved })
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

fn back_off(postponed: u32) -> Period {
    let doubled = FIRST.as_millis().saturating_mul(1_i64 << postponed.min(16));
    Period::from_millis(doubled).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_put_off_longer_up_to_an_hour() {
        let minutes = [0, 1, 2, 5, 6, 40, u32::MAX].map(|times| back_off(times).as_seconds() / 60);
        assert_eq!(minutes, [1, 2, 4, 32, 60, 60, 60]);
    }
}
