//! Lists: pages of keys from an index, then the items, each read by itself so that a bad one blocks nothing.

use crate::cursor;
use crate::error::{StoreError, Unreadable};
use crate::index::Shape;
use crate::items::{self, number, read_number};
use crate::keys::{self, Item, Key, KeyKind, attribute};
use crate::postpone::Seen;
use crate::read::{Ask, PARTITION};
use crate::schema::{self, Index};
use crate::store::{Store, key_of};
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::currency::Currency;
use escrow_domain::escrow::{Escrow, Subject};
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::WalletLine;
use std::collections::HashMap;

pub use crate::cursor::CursorInvalid;

/// The longest page of a list.
pub const LONGEST_PAGE: u8 = 100;
/// Keys of one page of the due index: some 100 KB.
const DUE_PAGE: i32 = 1_000;

/// A list of escrows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// What a user buys, newest first.
    Buyer(UserId),
    /// What a user sells, newest first.
    Seller(UserId),
    /// Both, newest first.
    Party(UserId),
    /// Everything about one subject, newest first.
    Subject(Subject),
    /// Disputes that wait for a ruling, the most urgent first.
    OpenDisputes,
}

/// An escrow, or another aggregate, of a list; or why it cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<A = Escrow> {
    /// Where it stands.
    pub key: Key,
    /// What was seen there, for [`Store::postpone`].
    pub seen: Seen,
    /// The aggregate.
    pub escrow: Result<Box<A>, Unreadable>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed<T> {
    /// What it holds, in order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<String>,
}

/// A list that could not be given.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The caller's cursor is not one.
    #[error(transparent)]
    Cursor(#[from] CursorInvalid),
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueEntry {
    /// Where it stands.
    pub key: Key,
    /// Since when.
    pub due_at: Timestamp,
}

/// A page of what is due in one shard, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePage {
    /// Its entries.
    pub entries: Vec<DueEntry>,
    /// After which entry the next page starts; `None` on the last.
    pub next: Option<DueEntry>,
}

impl List {
    /// Its name and whose it is, as they stand in its cursors.
    fn names(&self) -> (&'static str, String) {
        match self {
            Self::Buyer(user) => ("buyer", user.to_string()),
            Self::Seller(user) => ("seller", user.to_string()),
            Self::Party(user) => ("party", user.to_string()),
            Self::Subject(subject) => ("subject", keys::subject(&subject.kind, &subject.id)),
            Self::OpenDisputes => ("disputes", String::new()),
        }
    }

    /// The indexes that it is made of, each with the partition.
    fn sources(&self) -> Vec<(Index, String)> {
        match self {
            Self::Buyer(user) => vec![(schema::BUYER, user.to_string())],
            Self::Seller(user) => vec![(schema::SELLER, user.to_string())],
            // Nobody is both in one escrow, so the two have no entry in common.
            Self::Party(user) => vec![(schema::BUYER, user.to_string()), (schema::SELLER, user.to_string())],
            Self::Subject(subject) => vec![(schema::SUBJECT, keys::subject(&subject.kind, &subject.id))],
            Self::OpenDisputes => vec![(schema::DISPUTES, keys::OPEN_DISPUTES.to_owned())],
        }
    }

    const fn is_ascending(&self) -> bool {
        match self {
            Self::Buyer(_) | Self::Seller(_) | Self::Party(_) | Self::Subject(_) => false,
            Self::OpenDisputes => true,
        }
    }
}

impl Store {
    /// A page of a list: at most `limit` escrows (1 to [`LONGEST_PAGE`]), after the cursor that the page before gave.
    ///
    /// # Errors
    /// [`CursorInvalid`] for a cursor that this list did not give; otherwise the store could not be asked.
    pub async fn list(&self, list: &List, limit: u8, cursor: Option<&str>) -> Result<Listed<Loaded>, ListError> {
        let (name, whose) = list.names();
        let (sources, ascending) = (list.sources(), list.is_ascending());
        let (keys, next) = self.page(&Shape { name, whose, kind: "E", sources, ascending }, limit, cursor).await?;
        Ok(Listed { items: self.load(&keys).await?, next })
    }

    /// The escrows at these keys as they are now, in the order of the keys; what does not exist is left out.
    ///
    /// # Errors
    /// If the store could not be asked. An item that cannot be read is no error of the whole.
    pub async fn load(&self, keys: &[Key]) -> Result<Vec<Loaded>, StoreError> {
        let found = self.found(keys).await?;
        for (key, item) in &found {
            // An item that cannot be read is told of below.
            if let KeyKind::Escrow(id) = key.kind()
                && let Err(error) = self.bring_out_evidence(item, id).await
                && !matches!(error, StoreError::Unreadable(_))
            {
                return Err(error);
            }
        }
        let read = |key: &Key, item| match key.kind().escrow() {
            Some(id) => items::to_escrow(item, id),
            None => Err(not_here(key)),
        };
        Ok(in_order(keys, found, read, moments))
    }

    /// The items at these keys, as they are now.
    pub(crate) async fn found(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        let items = self.table.batch_get(keys).await?;
        Ok(items.into_iter().filter_map(|item| Key::of(&item).map(|key| (key, item))).collect())
    }

    /// One page of what is due in a shard (0 to [`keys::DUE_SHARDS`] − 1) at this moment, the oldest first. Escrows, payouts, wallets that
    /// are paid out by themselves, and parked events lie there together: [`Key::kind`] tells.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn due(&self, shard: u8, now: Timestamp, after: Option<&DueEntry>) -> Result<DuePage, StoreError> {
        let start = after.map(|entry| {
            let mut start = entry.key.to_item();
            start.insert(attribute::DUE_SHARD.to_owned(), number(shard));
            start.insert(attribute::DUE.to_owned(), number(entry.due_at.as_millis()));
            start
        });
        let ask = Ask {
            index: Some(schema::DUE.name),
            partition: (attribute::DUE_SHARD, number(shard)),
            up_to: Some((attribute::DUE, now.as_millis())),
            ascending: true,
            limit: DUE_PAGE,
            start,
        };
        let page = self.table.query(&ask).await?;
        let entries = page.items.iter().map(due_entry).collect::<Result<_, _>>()?;
        let next = page.next.as_ref().map(due_entry).transpose()?;
        Ok(DuePage { entries, next })
    }

    /// A page of a wallet's statement: at most `limit` lines (1 to [`LONGEST_PAGE`]), newest first.
    ///
    /// # Errors
    /// As for [`Store::list`]. A line that cannot be read is no error of the whole.
    pub async fn statement(
        &self,
        owner: &UserId,
        currency: Currency,
        limit: u8,
        cursor: Option<&str>,
    ) -> Result<Listed<Result<WalletLine, Unreadable>>, ListError> {
        let limit = usize::from(limit.clamp(1, LONGEST_PAGE));
        let partition = keys::statement(owner, currency);
        let last = cursor.map(|cursor| cursor::read_number(cursor, STATEMENT, &partition)).transpose()?;
        let ask = Ask {
            index: None,
            partition: (PARTITION, AttributeValue::S(partition.clone())),
            up_to: None,
            ascending: false,
            limit: i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX),
            start: last.map(|number| keys::wallet_line(owner, currency, number).to_item()),
        };
        let page = self.table.query(&ask).await?;
        let mut keys = page.items.iter().map(key_of).collect::<Result<Vec<Key>, _>>().map_err(StoreError::from)?;
        let more = keys.len() > limit || page.next.is_some();
        keys.truncate(limit);
        let last = keys.last().and_then(|key| key.sk.strip_prefix("L#")).and_then(|number| number.parse().ok());
        let next = last.filter(|_| more).map(|number| cursor::write_number(STATEMENT, &partition, number));
        let lines = page.items.into_iter().zip(&keys).map(|(item, key)| items::to_line(item, key)).collect();
        Ok(Listed { items: lines, next })
    }
}

/// The name of a statement in its cursors.
pub(crate) const STATEMENT: &str = "statement";

/// What was found, in the order of the keys, each read by itself.
pub(crate) fn in_order<A>(
    keys: &[Key],
    mut found: HashMap<Key, Item>,
    read: impl Fn(&Key, Item) -> Result<A, Unreadable>,
    moments: impl Fn(&A) -> Vec<Timestamp>,
) -> Vec<Loaded<A>> {
    let load = |key: &Key, item: Item| {
        let seen = Seen::of(&item);
        let escrow = read(key, item).map(Box::new);
        let moments = escrow.as_ref().map(|read| moments(read)).unwrap_or_default();
        Loaded { key: key.clone(), seen: seen.with_moments(moments), escrow }
    };
    keys.iter().filter_map(|key| found.remove(key).map(|item| load(key, item))).collect()
}

/// Every moment at which something must happen to an escrow: the earliest is its `due_at`.
fn moments(escrow: &Escrow) -> Vec<Timestamp> {
    let deadlines = escrow.deadlines().into_iter().map(|deadline| deadline.at);
    let effects = escrow.effects.iter().map(|effect| effect.due_at);
    let look_ups = escrow.refunds.iter().filter_map(|refund| refund.look_up_at);
    deadlines.chain(effects).chain(look_ups).chain(escrow.alarm_at).collect()
}

/// Another kind of item than was asked for.
pub(crate) fn not_here(key: &Key) -> Unreadable {
    Unreadable::Corrupt { key: key.clone(), why: "something else stands there".to_owned() }
}

fn due_entry(item: &Item) -> Result<DueEntry, Unreadable> {
    let key = key_of(item)?;
    match read_number(item, attribute::DUE) {
        Some(due_at) => Ok(DueEntry { key, due_at: Timestamp::from_millis(due_at) }),
        None => Err(Unreadable::Corrupt { key, why: "an entry of the index due without a time".to_owned() }),
    }
}

/// The escrow that a due entry is about, if it is about one.
#[must_use]
pub fn escrow_of(entry: &DueEntry) -> Option<EscrowId> {
    entry.key.kind().escrow()
}
