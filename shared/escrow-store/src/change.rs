//! The one way to change an escrow: load, decide, commit; and if somebody was faster, decide again on what stands there.
//!
//! A decision is pure and made on the whole escrow, so it can be made as often as needed. A lost race costs no second read: the
//! failed commit has brought the fresh items along.

use crate::error::{StoreError, Unreadable};
use crate::keys;
use crate::patience::pause;
use crate::store::{Member, Outcome, Stands, Store, Together};
use escrow_domain::decide::{self, Change};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::EscrowId;
use escrow_domain::wallet::{Credit, Wallet, WalletLine};

/// How often a decision is made anew because the escrow has moved.
const MOST_ROUNDS: u32 = 5;
/// How often a commit is tried anew because only a wallet has moved: a seller may be credited by many at once.
const MOST_WALLET_ROUNDS: u32 = 24;

/// What a change starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The escrow of this id, to be loaded.
    Load(EscrowId),
    /// This escrow, just loaded.
    From(Box<Escrow>),
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is committed: this stands there now.
    Committed(Box<Escrow>),
    /// There was nothing to write: this stood there when it was decided.
    AlreadyDone(Box<Escrow>),
}

impl Changed {
    /// The escrow as it stands.
    #[must_use]
    pub const fn escrow(&self) -> &Escrow {
        match self {
            Self::Committed(escrow) | Self::AlreadyDone(escrow) => escrow,
        }
    }

    /// The same, owned.
    #[must_use]
    pub fn into_escrow(self) -> Escrow {
        match self {
            Self::Committed(escrow) | Self::AlreadyDone(escrow) => *escrow,
        }
    }

    /// Whether it was committed now.
    #[must_use]
    pub const fn is_committed(&self) -> bool {
        matches!(self, Self::Committed(_))
    }
}

/// A change that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<Why> {
    /// There is no such escrow.
    #[error("there is no such escrow")]
    NotFound,
    /// The decision said no.
    #[error("the decision said no")]
    Undecided {
        /// Why.
        why: Why,
        /// On what it was decided.
        escrow: Box<Escrow>,
    },
    /// The store could not do it; see there whether anything was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Loads an escrow, decides, and commits what was decided, with every credit's wallet and line in the same transaction.
    ///
    /// `decide` may be called several times, each time with a fresher escrow; only its last answer counts.
    ///
    /// # Errors
    /// [`ChangeError::Undecided`] with the reason that `decide` gave; [`StoreError::Contended`] if others were faster too often.
    pub async fn change<Why>(
        &self,
        start: Start,
        mut decide: impl FnMut(&Escrow) -> Result<decide::Outcome, Why>,
    ) -> Result<Changed, ChangeError<Why>> {
        let mut escrow = match start {
            Start::From(escrow) => escrow,
            Start::Load(id) => Box::new(self.escrow(id).await?.ok_or(ChangeError::NotFound)?),
        };
        let mut wallets = Wallets::default();
        for _round in 0..MOST_ROUNDS {
            let change = match decide(&escrow) {
                Ok(decide::Outcome::Changed(change)) => change,
                Ok(decide::Outcome::AlreadyDone) => return Ok(Changed::AlreadyDone(escrow)),
                Err(why) => return Err(ChangeError::Undecided { why, escrow }),
            };
            match self.commit_change(escrow.version, &change, &mut wallets).await? {
                Outcome::Applied => return Ok(Changed::Committed(Box::new(change.escrow))),
                Outcome::Moved(fresh) => escrow = fresh,
                Outcome::Missing => return Err(ChangeError::NotFound),
            }
        }
        Err(StoreError::Contended { attempts: MOST_ROUNDS }.into())
    }

    /// Commits one decided change. If only wallets moved, they are credited anew as they stand; the decision does not depend on
    /// them.
    async fn commit_change(&self, was: u64, change: &Change, wallets: &mut Wallets) -> Result<Outcome, StoreError> {
        if change.credits.is_empty() {
            return self.commit(was, &change.escrow).await;
        }
        for round in 1..=MOST_WALLET_ROUNDS {
            let credited = wallets.credited(self, &change.credits).await?;
            let mut members = vec![Member::Escrow { was, now: &change.escrow }];
            members.extend(credited.members());
            match self.commit_together(&members).await? {
                Together::Applied => return Ok(Outcome::Applied),
                Together::Failed(failed) => {
                    let mut escrow = None;
                    for failure in failed {
                        match (failure.index, failure.stands) {
                            (0, Stands::Escrow(fresh)) => escrow = Some(Outcome::Moved(fresh)),
                            (0, Stands::Nothing) => escrow = Some(Outcome::Missing),
                            (index, stands) => wallets.moved(members.get(index), stands)?,
                        }
                    }
                    if let Some(outcome) = escrow {
                        return Ok(outcome);
                    }
                }
            }
            pause(round).await;
        }
        Err(StoreError::Contended { attempts: MOST_WALLET_ROUNDS })
    }
}

/// Wallets as they were last seen: loaded once, and brought up to date by commits that failed on them.
#[derive(Debug, Default)]
pub(crate) struct Wallets(Vec<Wallet>);

/// Wallets after some credits, each with the version before, and the lines that tell of them.
#[derive(Debug, Default)]
pub(crate) struct Credited {
    wallets: Vec<(u64, Wallet)>,
    lines: Vec<WalletLine>,
}

impl Credited {
    pub(crate) fn members(&self) -> impl Iterator<Item = Member<'_>> {
        let wallets = self.wallets.iter().map(|(was, now)| Member::Wallet { was: *was, now });
        wallets.chain(self.lines.iter().map(Member::Line))
    }
}

impl Wallets {
    /// The wallets of these credits after all of them, loaded where they have not been seen.
    pub(crate) async fn credited<'a>(
        &mut self,
        store: &Store,
        credits: impl IntoIterator<Item = &'a Credit>,
    ) -> Result<Credited, StoreError> {
        let mut credited = Credited::default();
        for credit in credits {
            let same = |wallet: &Wallet| wallet.owner == credit.owner && wallet.currency == credit.currency;
            let begun = credited.wallets.iter().position(|(_, wallet)| same(wallet));
            let (was, before) = match begun {
                Some(place) => credited.wallets.swap_remove(place),
                None => {
                    let seen = match self.0.iter().find(|wallet| same(wallet)) {
                        Some(seen) => seen.clone(),
                        None => {
                            let loaded = store.wallet(&credit.owner, credit.currency).await?;
                            self.0.push(loaded.clone());
                            loaded
                        }
                    };
                    (seen.version, seen)
                }
            };
            let (after, line) = before
                .credited(credit)
                .map_err(|error| StoreError::Unwritable(format!("the wallet of {}: {error}", credit.owner)))?;
            credited.wallets.push((was, after));
            credited.lines.push(line);
        }
        Ok(credited)
    }

    /// Takes note of what stands at the key of a wallet or line that failed.
    pub(crate) fn moved(&mut self, member: Option<&Member<'_>>, stands: Stands) -> Result<(), StoreError> {
        match stands {
            Stands::Wallet(fresh) => {
                self.0.retain(|wallet| wallet.owner != fresh.owner || wallet.currency != fresh.currency);
                self.0.push(fresh);
                Ok(())
            }
            // Its number is taken because its wallet has moved: the wallet's own failure tells.
            Stands::Line(_) => Ok(()),
            Stands::Unreadable(unreadable) => Err(unreadable.into()),
            Stands::Nothing | Stands::Escrow(_) => {
                let key = match member {
                    Some(Member::Wallet { now, .. }) => keys::wallet(&now.owner, now.currency),
                    Some(Member::Line(line)) => keys::wallet_line(&line.owner, line.currency, line.number),
                    Some(Member::Escrow { now, .. }) => keys::escrow(now.id),
                    None => keys::Key { pk: String::new(), sk: String::new() },
                };
                Err(Unreadable::Corrupt { key, why: "it was there and is gone, or is something else".to_owned() }
                    .into())
            }
        }
    }

    /// Forgets everything, after a commit.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}
