//! Load and commit: what everything above asks for.

use crate::count::Counters;
use crate::error::{StoreError, Unreadable};
use crate::items::{self, Token};
use crate::keys::{self, Item, Key};
use crate::read::{Ask, PARTITION, Table};
use crate::write::{Condition, Write, Written, WrittenTogether};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::currency::Currency;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::wallet::{Wallet, WalletLine};
use std::sync::Arc;

/// A table of escrows. Cheap to clone; clones share their counters.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) table: Arc<Table>,
}

/// One item of a commit, with the version that it was decided on.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// The next state of an escrow.
    Escrow {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a Escrow,
    },
    /// The next state of a wallet.
    Wallet {
        /// The version that was read; 0 for one that must not exist yet.
        was: u64,
        /// What it becomes.
        now: &'a Wallet,
    },
    /// A new line of a statement.
    Line(&'a WalletLine),
}

/// How the commit of one escrow ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It stands.
    Applied,
    /// Nothing was written: another version stands there, this one. Decide again on it; no read is needed.
    Moved(Box<Escrow>),
    /// Nothing was written: there is no such escrow.
    Missing,
}

/// How a commit of several ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Together {
    /// All of it stands.
    Applied,
    /// Nothing was written, because of these members. Never empty.
    Failed(Vec<Failed>),
}

/// A member of a transaction that met something else than it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Which member, by its place in the commit.
    pub index: usize,
    /// What stands there.
    pub stands: Stands,
}

/// What stands at the key of a failed member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// This escrow.
    Escrow(Box<Escrow>),
    /// This wallet.
    Wallet(Wallet),
    /// This line: the number is taken, because the wallet has moved.
    Line(WalletLine),
    /// Nothing.
    Nothing,
    /// Something that cannot be understood.
    Unreadable(Unreadable),
}

impl Store {
    /// A table, spoken with by this client. The client's own retries are replaced by the store's.
    #[must_use]
    pub fn new(client: &Client, table: impl Into<String>) -> Self {
        Self { table: Arc::new(Table::new(client, table.into())) }
    }

    /// What was used since the store was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.table.meter.snapshot()
    }

    /// An escrow as it is now.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if what stands there cannot be understood; otherwise the store could not be asked.
    pub async fn escrow(&self, id: EscrowId) -> Result<Option<Escrow>, StoreError> {
        let item = self.table.get(&keys::escrow(id)).await?;
        Ok(item.map(|item| items::to_escrow(item, id)).transpose()?)
    }

    /// A wallet as it is now; one that was never credited is empty, with version 0.
    ///
    /// # Errors
    /// As for [`Store::escrow`].
    pub async fn wallet(&self, owner: &UserId, currency: Currency) -> Result<Wallet, StoreError> {
        let key = keys::wallet(owner, currency);
        match self.table.get(&key).await? {
            Some(item) => Ok(items::to_wallet(item, &key)?),
            None => Ok(Wallet::empty(owner.clone(), currency)),
        }
    }

    /// All wallets of an owner as they are now, by their unit's code.
    ///
    /// # Errors
    /// As for [`Store::escrow`].
    pub async fn wallets(&self, owner: &UserId) -> Result<Vec<Wallet>, StoreError> {
        /// More units than a user ever has; further pages follow.
        const PAGE: i32 = 100;
        let mut wallets = Vec::new();
        let mut start = None;
        loop {
            let partition = (PARTITION, AttributeValue::S(keys::wallets(owner)));
            let ask = Ask { index: None, partition, up_to: None, ascending: true, limit: PAGE, start };
            let page = self.table.query(&ask).await?;
            for item in page.items {
                let key = key_of(&item)?;
                wallets.push(items::to_wallet(item, &key)?);
            }
            start = page.next;
            if start.is_none() {
                return Ok(wallets);
            }
        }
    }

    /// Commits one escrow, if the version that it was decided on still stands there: `was`, or 0 for nothing.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if it cannot be found out whether it happened; [`StoreError::Contended`] if nothing was written
    /// because DynamoDB throttles; [`StoreError::Unreadable`] if what stands there now cannot be understood.
    pub async fn commit(&self, was: u64, now: &Escrow) -> Result<Outcome, StoreError> {
        let token = Token::random();
        let write = write(Member::Escrow { was, now }, &token)?;
        match self.table.put(&write, &token).await? {
            Written::Applied => Ok(Outcome::Applied),
            Written::Stands(None) => Ok(Outcome::Missing),
            Written::Stands(Some(item)) => Ok(Outcome::Moved(Box::new(items::to_escrow(item, now.id)?))),
        }
    }

    /// Commits several items, at most 100, all or none. Each item may be a member once.
    ///
    /// # Errors
    /// As for [`Store::commit`]; a member that cannot be understood is not an error of the whole, it is named.
    pub async fn commit_together(&self, members: &[Member<'_>]) -> Result<Together, StoreError> {
        let token = Token::random();
        let writes = members.iter().map(|member| write(*member, &token)).collect::<Result<Vec<_>, _>>()?;
        match self.table.put_together(&writes, &token).await? {
            WrittenTogether::Applied => Ok(Together::Applied),
            WrittenTogether::Stands(failed) => {
                let stands = |(index, item): (usize, Option<Item>)| {
                    let stands = match (members.get(index), writes.get(index)) {
                        (Some(member), Some(write)) => what_stands(*member, &write.key, item),
                        (_, _) => Stands::Nothing,
                    };
                    Failed { index, stands }
                };
                Ok(Together::Failed(failed.into_iter().map(stands).collect()))
            }
        }
    }
}

/// The key of an item that a query has brought; every item has one.
pub(crate) fn key_of(item: &Item) -> Result<Key, Unreadable> {
    let nowhere = Key { pk: String::new(), sk: String::new() };
    Key::of(item).ok_or_else(|| Unreadable::Corrupt { key: nowhere, why: "it has no key".to_owned() })
}

fn write(member: Member<'_>, token: &Token) -> Result<Write, StoreError> {
    let version = |was: u64| if was == 0 { Condition::Absent } else { Condition::Version(was) };
    let grows = |was: u64, now: u64| {
        if now > was { Ok(()) } else { Err(StoreError::Unwritable(format!("version {now} after version {was}"))) }
    };
    match member {
        Member::Escrow { was, now } => {
            grows(was, now.version)?;
            Ok(Write { key: keys::escrow(now.id), item: items::from_escrow(now, token)?, condition: version(was) })
        }
        Member::Wallet { was, now } => {
            grows(was, now.version)?;
            let key = keys::wallet(&now.owner, now.currency);
            Ok(Write { key, item: items::from_wallet(now, token)?, condition: version(was) })
        }
        Member::Line(line) => {
            let key = keys::wallet_line(&line.owner, line.currency, line.number);
            Ok(Write { key, item: items::from_line(line, token)?, condition: Condition::Absent })
        }
    }
}

fn what_stands(member: Member<'_>, key: &Key, item: Option<Item>) -> Stands {
    let Some(item) = item else { return Stands::Nothing };
    let read = match member {
        Member::Escrow { now, .. } => items::to_escrow(item, now.id).map(|escrow| Stands::Escrow(Box::new(escrow))),
        Member::Wallet { .. } => items::to_wallet(item, key).map(Stands::Wallet),
        Member::Line(_) => items::to_line(item, key).map(Stands::Line),
    };
    read.unwrap_or_else(Stands::Unreadable)
}
