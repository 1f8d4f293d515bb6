//! Load and commit: what everything above asks for.

use crate::aggregate::Aggregate;
use crate::count::Counters;
use crate::error::{StoreError, Unreadable};
use crate::items::{self, Token};
use crate::keys::{self, Item, Key, KeyKind};
use crate::member::{Failed, Member, Stands};
use crate::patience::MOST_ATTEMPTS;
use crate::read::{Ask, PARTITION, Table};
use crate::write::{Written, WrittenTogether};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::currency::Currency;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::wallet::Wallet;
use std::sync::Arc;

/// A table of escrows. Cheap to clone; clones share their counters.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) table: Arc<Table>,
}

/// How the commit of one aggregate ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<A = Escrow> {
    /// It stands.
    Applied,
    /// Nothing was written: another version stands there, this one. Decide again on it; no read is needed.
    Moved(Box<A>),
    /// Nothing was written: there is no such aggregate.
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
        self.aggregate(&id).await
    }

    /// Any aggregate as it is now.
    ///
    /// # Errors
    /// As for [`Store::escrow`].
    pub async fn aggregate<A: Aggregate>(&self, id: &A::Id) -> Result<Option<A>, StoreError> {
        let key = A::key(id);
        let Some(item) = self.table.get(&key).await? else { return Ok(None) };
        if let KeyKind::Escrow(id) = key.kind() {
            self.bring_out_evidence(&item, id).await?;
        }
        Ok(Some(A::read(item, id)?))
    }

    /// Gives the evidence that an item of format 1 holds items of its own, so that it is not lost when the escrow is written again.
    /// Doing it twice changes nothing.
    pub(crate) async fn bring_out_evidence(&self, item: &Item, id: EscrowId) -> Result<(), StoreError> {
        for new in items::evidence_within(item, id)? {
            let token = Token::random();
            match self.table.put(&Member::Evidence(&new).write(&token)?, &token).await {
                // Who may not put this may not write the escrow either: for them it is only read.
                Ok(_) | Err(StoreError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
        self.commit_aggregate(was, now).await
    }

    /// The same for any aggregate.
    ///
    /// # Errors
    /// As for [`Store::commit`].
    pub(crate) async fn commit_aggregate<A: Aggregate>(&self, was: u64, now: &A) -> Result<Outcome<A>, StoreError> {
        let token = Token::random();
        let write = A::member(was, now).write(&token)?;
        match self.table.put(&write, &token).await? {
            Written::Applied => Ok(Outcome::Applied),
            Written::Stands(None) => Ok(Outcome::Missing),
            Written::Stands(Some(item)) => Ok(Outcome::Moved(Box::new(A::read(item, &now.id())?))),
        }
    }

    /// Commits several items, at most 100, all or none. Each item may be a member once.
    ///
    /// # Errors
    /// As for [`Store::commit`]; a member that cannot be understood is not an error of the whole, it is named.
    pub async fn commit_together(&self, members: &[Member<'_>]) -> Result<Together, StoreError> {
        self.commit_together_within(MOST_ATTEMPTS, members).await
    }

    /// The same, given up after others have been in its way so often.
    pub(crate) async fn commit_together_within(
        &self,
        most_busy: u32,
        members: &[Member<'_>],
    ) -> Result<Together, StoreError> {
        let token = Token::random();
        let writes = members.iter().map(|member| member.write(&token)).collect::<Result<Vec<_>, _>>()?;
        match self.table.put_together(&writes, &token, most_busy).await? {
            WrittenTogether::Applied => Ok(Together::Applied),
            WrittenTogether::Stands(failed) => {
                let stands = |(index, item): (usize, Option<Item>)| {
                    let stands = match (members.get(index), writes.get(index)) {
                        (Some(member), Some(write)) => member.stands(&write.key, item),
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
