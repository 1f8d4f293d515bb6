//! What is worked out from everything else and could be worked out again: the figures of a day, how far the reconciler is. No money hangs
//! on it, but two runs that meet must not write over each other: every write is conditional on the version that was read.

use crate::error::{StoreError, Unreadable};
use crate::items::{self, Token};
use crate::keys::{self, Item, Key};
use crate::store::Store;
use crate::write::{Condition, Write, Written};
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::time::Timestamp;
use std::collections::HashMap;

const DAY: i64 = 86_400_000;
/// The most days of one answer.
pub const MOST_DAYS: usize = 400;
/// The attribute that holds the text.
const TEXT: &str = "x";

/// A day in UTC, counted from the first of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(u32);

impl Day {
    /// The day of a moment; a moment before 1970 counts as its first day.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.as_millis().div_euclid(DAY)).unwrap_or_default())
    }

    /// When it begins.
    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp::from_millis(i64::from(self.0).saturating_mul(DAY))
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheet {
    /// The figures of a day.
    Figures(Day),
    /// How far the reconciler is.
    Reconciler,
}

impl Sheet {
    fn key(self) -> Key {
        match self {
            Self::Figures(day) => keys::figures(day.0),
            Self::Reconciler => keys::reconciler(),
        }
    }
}

/// What stands on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Counts the writes.
    pub version: u64,
    /// In the words of whoever wrote it; at most some 390 KB.
    pub text: String,
}

impl Store {
    /// What stands on a sheet; `None` if nobody has written on it.
    ///
    /// # Errors
    /// As for [`Store::escrow`].
    pub async fn sheet(&self, sheet: Sheet) -> Result<Option<Text>, StoreError> {
        let key = sheet.key();
        let item = self.table.get(&key).await?;
        Ok(item.map(|item| read(item, &key)).transpose()?)
    }

    /// The figures of these days, as far as they were written, the oldest first. Days beyond [`MOST_DAYS`] are left out.
    ///
    /// # Errors
    /// As for [`Store::sheet`].
    pub async fn figures(&self, from: Day, to: Day) -> Result<Vec<(Day, String)>, StoreError> {
        let days: Vec<Day> = (from.0..=to.0).take(MOST_DAYS).map(Day).collect();
        let keys: Vec<Key> = days.iter().map(|day| Sheet::Figures(*day).key()).collect();
        let mut found = self.found(&keys).await?;
        let mut figures = Vec::with_capacity(found.len());
        for (day, key) in days.into_iter().zip(&keys) {
            if let Some(item) = found.remove(key) {
                figures.push((day, read(item, key)?.text));
            }
        }
        Ok(figures)
    }

    /// Writes on a sheet, if the version that was read (0: nothing) still stands there. Whether it was written; if not, another run was
    /// faster.
    ///
    /// # Errors
    /// As for [`Store::commit`].
    pub async fn write_sheet(&self, sheet: Sheet, was: u64, text: &str) -> Result<bool, StoreError> {
        let (key, token) = (sheet.key(), Token::random());
        let version = was.checked_add(1).ok_or_else(|| StoreError::Unwritable("a version without end".to_owned()))?;
        let body = HashMap::from([(TEXT.to_owned(), AttributeValue::S(text.to_owned()))]);
        let item = items::enclose(body, &key, Some(version), &token);
        let condition = if was == 0 { Condition::Absent } else { Condition::Version(was) };
        match self.table.put(&Write { key, item, condition }, &token).await? {
            Written::Applied => Ok(true),
            Written::Stands(_) => Ok(false),
        }
    }
}

fn read(item: Item, key: &Key) -> Result<Text, Unreadable> {
    items::versioned(item, key, |item, version| {
        let text = item.get(TEXT).and_then(|value| value.as_s().ok()).ok_or("it has no text")?;
        Ok(Text { version, text: text.clone() })
    })
}
