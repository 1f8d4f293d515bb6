//! The one way to change an aggregate: load, decide, commit; and if somebody was faster, decide again on what stands there.
//!
//! A decision is pure and made on the whole aggregate, so it can be made as often as needed. A lost race costs no second read: the
//! failed commit has brought the fresh items along.

use crate::aggregate::Aggregate;
use crate::error::StoreError;
use crate::member::Stands;
use crate::patience::{MOST_ATTEMPTS, pause};
use crate::store::{Outcome, Store, Together};
use crate::wallets::{Unmoved, WalletRefused, Wallets, strange_at};
use escrow_domain::decide;
use escrow_domain::escrow::Escrow;
use escrow_domain::wallet::Wallet;

/// How often a decision is made anew because the aggregate has moved.
const MOST_ROUNDS: u32 = 5;
/// How often a commit is tried anew because only a wallet has moved, where nothing of it can wait: its owner spends or asks, or a fact
/// takes.
const MOST_WALLET_ROUNDS: u32 = 24;
/// After so many lost races for a wallet, credits are put off: the change commits on its escrow alone, and the sweep credits the wallet
/// for many at once. Measured: docs/adr/0012-credits-that-wait.md.
const PATIENT_ROUNDS: u32 = 4;

/// What a change starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start<A: Aggregate = Escrow> {
    /// The aggregate of this id, to be loaded.
    Load(A::Id),
    /// This one, just loaded.
    From(Box<A>),
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<A = Escrow> {
    /// It is committed: this stands there now.
    Committed(Box<A>),
    /// There was nothing to write: this stood there when it was decided.
    AlreadyDone(Box<A>),
}

impl Changed {
    /// The escrow as it stands.
    #[must_use]
    pub const fn escrow(&self) -> &Escrow {
        self.aggregate()
    }

    /// The same, owned.
    #[must_use]
    pub fn into_escrow(self) -> Escrow {
        self.into_aggregate()
    }
}

impl<A> Changed<A> {
    /// The aggregate as it stands.
    #[must_use]
    pub const fn aggregate(&self) -> &A {
        match self {
            Self::Committed(aggregate) | Self::AlreadyDone(aggregate) => aggregate,
        }
    }

    /// The same, owned.
    #[must_use]
    pub fn into_aggregate(self) -> A {
        match self {
            Self::Committed(aggregate) | Self::AlreadyDone(aggregate) => *aggregate,
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
pub enum ChangeError<Why, A = Escrow> {
    /// There is no such aggregate.
    #[error("there is nothing of that name")]
    NotFound,
    /// The decision said no.
    #[error("the decision said no")]
    Undecided {
        /// Why.
        why: Why,
        /// On what it was decided.
        escrow: Box<A>,
    },
    /// The decision said yes, and a wallet no: it has not so much, or nothing may leave it.
    #[error("a wallet said no")]
    Wallet {
        /// Which wallet, and why.
        refused: WalletRefused,
        /// On what it was decided.
        escrow: Box<A>,
    },
    /// The store could not do it; see there whether anything was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An aggregate that was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A wallet said no: it has not so much, or nothing may leave it. Nothing of that name was there either.
    #[error(transparent)]
    Wallet(WalletRefused),
    /// The store could not do it; see there whether anything was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Loads an escrow, decides, and commits what was decided, with everything that it does to wallets in the same transaction.
    ///
    /// `decide` may be called several times, each time with a fresher escrow; only its last answer counts.
    ///
    /// # Errors
    /// [`ChangeError::Undecided`] with the reason that `decide` gave; [`StoreError::Contended`] if others were faster too often.
    pub async fn change<Why>(
        &self,
        start: Start,
        decide: impl FnMut(&Escrow) -> Result<decide::Outcome, Why>,
    ) -> Result<Changed, ChangeError<Why>> {
        self.change_aggregate(start, decide).await
    }

    /// The same for any aggregate: an escrow, a payout, a top-up, a seller.
    ///
    /// # Errors
    /// As for [`Store::change`].
    pub async fn change_aggregate<A: Aggregate, Why>(
        &self,
        start: Start<A>,
        decide: impl FnMut(&A) -> Result<decide::Outcome<A::Change>, Why>,
    ) -> Result<Changed<A>, ChangeError<Why, A>> {
        self.change_having_seen(start, Vec::new(), decide).await
    }

    /// The same for a caller who has read wallets that the change moves: they are not read again unless they have moved.
    ///
    /// # Errors
    /// As for [`Store::change`].
    pub async fn change_having_seen<A: Aggregate, Why>(
        &self,
        start: Start<A>,
        seen: Vec<Wallet>,
        mut decide: impl FnMut(&A) -> Result<decide::Outcome<A::Change>, Why>,
    ) -> Result<Changed<A>, ChangeError<Why, A>> {
        let mut stands = match start {
            Start::From(aggregate) => aggregate,
            Start::Load(id) => Box::new(self.aggregate(&id).await?.ok_or(ChangeError::NotFound)?),
        };
        let mut wallets = Wallets::from(seen);
        for _round in 0..MOST_ROUNDS {
            let mut change = match decide(&stands) {
                Ok(decide::Outcome::Changed(change)) => change,
                Ok(decide::Outcome::AlreadyDone) => return Ok(Changed::AlreadyDone(stands)),
                Err(why) => return Err(ChangeError::Undecided { why, escrow: stands }),
            };
            match self.commit_change(Some(&*stands), &mut *change, &mut wallets).await {
                Ok(Outcome::Applied) => return Ok(Changed::Committed(Box::new(A::into_next(*change)))),
                Ok(Outcome::Moved(fresh)) => stands = fresh,
                Ok(Outcome::Missing) => return Err(ChangeError::NotFound),
                Err(Unmoved::Store(error)) => return Err(error.into()),
                Err(Unmoved::Refused(refused)) => {
                    // What has happened before is answered before any balance can refuse it: perhaps a twin of this request has just
                    // taken the money.
                    let fresh = self.aggregate::<A>(&stands.id()).await?.ok_or(ChangeError::NotFound)?;
                    if fresh.version() == stands.version() {
                        return Err(ChangeError::Wallet { refused: refused.for_its_owner()?, escrow: stands });
                    }
                    wallets.forget();
                    stands = Box::new(fresh);
                }
            }
        }
        Err(StoreError::Contended { attempts: MOST_ROUNDS }.into())
    }

    /// Commits the first state of an aggregate, with everything that it does to wallets in the same transaction.
    /// [`Outcome::Moved`] brings what was there before: the same request has come earlier, or another under the same key.
    ///
    /// `seen` are wallets that the decision has read: they are not read again unless they have moved.
    ///
    /// # Errors
    /// [`CreateError::Wallet`] only if nothing of that name is there.
    pub async fn create<A: Aggregate>(&self, change: &A::Change, seen: Vec<Wallet>) -> Result<Outcome<A>, CreateError> {
        match self.commit_change::<A>(None, &mut change.clone(), &mut Wallets::from(seen)).await {
            Ok(outcome) => Ok(outcome),
            Err(Unmoved::Store(error)) => Err(error.into()),
            Err(Unmoved::Refused(refused)) => match self.aggregate::<A>(&A::next(change).id()).await? {
                Some(before) => Ok(Outcome::Moved(Box::new(before))),
                None => Err(CreateError::Wallet(refused.for_its_owner()?)),
            },
        }
    }

    /// Commits one decided change of what stands there, or of nothing. If only wallets moved, they are moved anew as they stand; the
    /// decision does not depend on them. Where a wallet is in demand, `change` becomes the one that does without it.
    async fn commit_change<A: Aggregate>(
        &self,
        before: Option<&A>,
        change: &mut A::Change,
        wallets: &mut Wallets,
    ) -> Result<Outcome<A>, Unmoved> {
        let mut lost = 0_u32;
        loop {
            let can_wait = before.is_some() && A::can_wait(change);
            let most = if can_wait { PATIENT_ROUNDS } else { MOST_WALLET_ROUNDS };
            match self.try_change(before, change, wallets, most.saturating_sub(lost).max(1)).await {
                Ok(Tried::Ended(outcome)) => return Ok(outcome),
                Ok(Tried::WalletsMoved) => lost = lost.saturating_add(1),
                // Surely not written: others were in the way all the time.
                Err(Unmoved::Store(StoreError::Contended { .. })) if can_wait => lost = most,
                Err(error) => return Err(error),
            }
            if lost < most {
                pause(lost).await;
            } else if can_wait {
                *change = A::waiting(change).map_err(StoreError::Unwritable)?;
                lost = 0;
            } else {
                return Err(StoreError::Contended { attempts: lost }.into());
            }
        }
    }

    /// One attempt at it. Of others that are in the way at this very moment (see [`crate::patience`]) it bears `most_busy`.
    async fn try_change<A: Aggregate>(
        &self,
        before: Option<&A>,
        change: &A::Change,
        wallets: &mut Wallets,
        most_busy: u32,
    ) -> Result<Tried<A>, Unmoved> {
        let was = before.map_or(0, A::version);
        let (moves, parts) = (A::moves(change), A::parts(before, change));
        if moves.is_empty() && parts.is_empty() {
            return Ok(Tried::Ended(self.commit_aggregate(was, A::next(change)).await?));
        }
        let moved = wallets.after(self, moves).await?;
        let mut members = vec![A::member(was, A::next(change))];
        members.extend(moved.members());
        members.extend(parts);
        let mut failed = match self.commit_together_within(most_busy.min(MOST_ATTEMPTS), &members).await? {
            Together::Applied => return Ok(Tried::Ended(Outcome::Applied)),
            Together::Failed(failed) => failed,
        };
        // The aggregate is the first member, and failures come in order.
        if failed.first().is_some_and(|failure| failure.index == 0) {
            return match failed.swap_remove(0).stands {
                Stands::Nothing => Ok(Tried::Ended(Outcome::Missing)),
                stands => match A::found(stands) {
                    Ok(fresh) => Ok(Tried::Ended(Outcome::Moved(fresh))),
                    Err(other) => Err(strange_at(members.first(), other).into()),
                },
            };
        }
        wallets.note(&members, failed)?;
        Ok(Tried::WalletsMoved)
    }
}

/// What one attempt at a commit came to.
enum Tried<A> {
    /// It is over.
    Ended(Outcome<A>),
    /// Nothing was written: wallets have moved, and are up to date now.
    WalletsMoved,
}
