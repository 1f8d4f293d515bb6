//! Many decided changes at once, for the sweep: up to forty-nine escrows of one seller in a transaction that writes the seller's wallet
//! once. One that cannot be committed drops out and blocks nothing. Credits that were put off, because many wanted one wallet at once
//! (see [`crate::change`]), land here, folded.

use crate::aggregate::Aggregate;
use crate::error::StoreError;
use crate::member::{Member, Stands};
use crate::patience::pause;
use crate::store::{Store, Together};
use crate::wallets::{Unmoved, WalletRefused, Wallets, strange_at};
use escrow_domain::currency::Currency;
use escrow_domain::decide::Change;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::UserId;
use escrow_domain::wallet::WalletMove;
use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

/// The most escrows of one transaction: with a line each and their seller's wallet they are ninety-nine of DynamoDB's hundred items.
pub const MOST_ESCROWS: usize = 49;
/// The most items of one transaction.
const MOST_ITEMS: usize = crate::write::MOST_TOGETHER;
/// How often a transaction is tried anew because only a wallet has moved, before its credits are put off.
const MOST_WALLET_ROUNDS: u32 = 8;

/// A change, and the version that it was decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The version that was read.
    pub was: u64,
    /// What is to be committed.
    pub change: Change,
}

/// How one of the changes ended.
#[derive(Debug)]
pub enum Ended {
    /// It stands.
    Applied,
    /// Nothing of it was written: this stands there. It must be decided again.
    Moved(Box<Escrow>),
    /// Nothing of it was written: a wallet said no.
    Refused(WalletRefused),
    /// Nothing of it was written, or it is not known: see there.
    Failed(StoreError),
}

/// What a transaction of several changes came to.
enum Attempt {
    Applied,
    /// Nothing was written; these, by their place, met another escrow.
    Named(Vec<(usize, Ended)>),
    /// Nothing was written, or it is not known, and nobody is to blame.
    Unnamed(Unmoved),
    /// Nothing was written: others were faster at a wallet all the time.
    WalletLost,
}

impl Store {
    /// Commits these changes, best those of one seller, in as few transactions as possible, and tells of each how it ended, in their
    /// order. A change that meets another escrow drops out; a group that fails for no named reason is halved, until it is clear
    /// which one cannot be committed.
    pub async fn commit_group(&self, planned: &[Planned]) -> Vec<Ended> {
        let mut ended: Vec<Option<Ended>> = planned.iter().map(|_| None).collect();
        let mut waiting: VecDeque<Vec<usize>> = split(planned).into();
        let mut wallets = Wallets::default();
        let mut planned: Vec<Cow<'_, Planned>> = planned.iter().map(Cow::Borrowed).collect();
        while let Some(group) = waiting.pop_front() {
            let members: Vec<&Planned> =
                group.iter().filter_map(|place| planned.get(*place)).map(Cow::as_ref).collect();
            let mut note = |place: usize, end: Ended| {
                if let Some(slot) = ended.get_mut(place) {
                    *slot = Some(end);
                }
            };
            match self.attempt(&members, &mut wallets).await {
                Attempt::Applied => {
                    wallets.forget();
                    group.iter().for_each(|place| note(*place, Ended::Applied));
                }
                Attempt::Named(named) => {
                    let dropped: Vec<usize> = named.iter().map(|(index, _)| *index).collect();
                    let others = group.iter().enumerate().filter(|(index, _)| !dropped.contains(index));
                    let others: Vec<usize> = others.map(|(_, place)| *place).collect();
                    for (index, end) in named {
                        if let Some(place) = group.get(index) {
                            note(*place, end);
                        }
                    }
                    if !others.is_empty() {
                        waiting.push_front(others);
                    }
                }
                Attempt::WalletLost => {
                    // What gives can wait for its wallet; what only lands what was put off before waits as it is.
                    wallets.forget();
                    let mut others = Vec::new();
                    for place in group {
                        let Some(plan) = planned.get_mut(place) else { continue };
                        match put_off(plan) {
                            Ok(later) => {
                                *plan = Cow::Owned(later);
                                others.push(place);
                            }
                            Err(error) => note(place, Ended::Failed(error)),
                        }
                    }
                    if !others.is_empty() {
                        waiting.push_front(others);
                    }
                }
                Attempt::Unnamed(error) => match group.as_slice() {
                    [place] => note(*place, error.into()),
                    _ => {
                        wallets.forget();
                        let (first, second) = group.split_at(group.len() / 2);
                        waiting.push_front(second.to_vec());
                        waiting.push_front(first.to_vec());
                    }
                },
            }
        }
        // Every change was noted on one of the paths above.
        ended.into_iter().map(|end| end.unwrap_or(Ended::Failed(StoreError::Contended { attempts: 0 }))).collect()
    }

    /// One transaction, tried again while only wallets move.
    async fn attempt(&self, group: &[&Planned], wallets: &mut Wallets) -> Attempt {
        for round in 1..=MOST_WALLET_ROUNDS {
            match self.attempt_once(group, wallets).await {
                Ok(None) => {}
                Ok(Some(attempt)) => return attempt,
                // Surely not written, because others were in the way all the time: at the wallet, which many want, if there is one.
                Err(Unmoved::Store(StoreError::Contended { .. }))
                    if group.iter().any(|planned| !planned.change.moves.is_empty()) =>
                {
                    return Attempt::WalletLost;
                }
                Err(error) => return Attempt::Unnamed(error),
            }
            pause(round).await;
        }
        Attempt::WalletLost
    }

    /// `None` if only wallets had moved, which are up to date now.
    async fn attempt_once(&self, group: &[&Planned], wallets: &mut Wallets) -> Result<Option<Attempt>, Unmoved> {
        let moves: Vec<&WalletMove> = group.iter().flat_map(|planned| &planned.change.moves).collect();
        let moved = wallets.after(self, moves).await?;
        let escrows = group.iter().map(|planned| Member::Escrow { was: planned.was, now: &planned.change.escrow });
        let parts = group.iter().flat_map(|planned| Escrow::parts(None, &planned.change));
        let members: Vec<Member<'_>> = escrows.chain(moved.members()).chain(parts).collect();
        let failed = match self.commit_together(&members).await? {
            Together::Applied => return Ok(Some(Attempt::Applied)),
            Together::Failed(failed) => failed,
        };
        let (of_escrows, of_others): (Vec<_>, Vec<_>) =
            failed.into_iter().partition(|failure| failure.index < group.len());
        if of_escrows.is_empty() {
            wallets.note(&members, of_others)?;
            return Ok(None);
        }
        let wallets_moved = of_others.into_iter().filter(|failure| matches!(failure.stands, Stands::Wallet(_)));
        wallets.note(&members, wallets_moved.collect())?;
        let named = of_escrows.into_iter().map(|failure| match failure.stands {
            Stands::Escrow(fresh) => (failure.index, Ended::Moved(fresh)),
            other => (failure.index, Ended::Failed(strange_at(members.get(failure.index), other))),
        });
        Ok(Some(Attempt::Named(named.collect())))
    }
}

impl From<Unmoved> for Ended {
    fn from(unmoved: Unmoved) -> Self {
        match unmoved {
            Unmoved::Refused(refused) => refused.for_its_owner().map_or_else(Self::Failed, Self::Refused),
            Unmoved::Store(error) => Self::Failed(error),
        }
    }
}

/// The change with its credits put off.
fn put_off(plan: &Planned) -> Result<Planned, StoreError> {
    if !Escrow::can_wait(&plan.change) {
        return Err(StoreError::Contended { attempts: MOST_WALLET_ROUNDS });
    }
    let change = Escrow::waiting(&plan.change).map_err(StoreError::Unwritable)?;
    Ok(Planned { was: plan.was, change })
}

/// What a group's transaction holds beside its escrows, at most.
#[derive(Default)]
struct Load<'a> {
    /// Lines, pages, pieces of evidence.
    parts: usize,
    wallets: BTreeSet<(&'a UserId, Currency)>,
}

impl<'a> Load<'a> {
    fn add(&mut self, change: &'a Change) {
        self.parts += change.moves.len() + change.pages.len() + change.evidence.len();
        self.wallets.extend(change.moves.iter().map(|moved| (&moved.owner, moved.currency)));
    }

    fn items(&self) -> usize {
        self.parts + self.wallets.len()
    }
}

/// Groups that fit into transactions, in their order.
fn split(planned: &[Planned]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut load = Load::default();
    for (place, plan) in planned.iter().enumerate() {
        load.add(&plan.change);
        match groups.last_mut() {
            Some(group) if group.len() < MOST_ESCROWS && group.len() + 1 + load.items() <= MOST_ITEMS => {
                group.push(place);
            }
            Some(_) | None => {
                groups.push(vec![place]);
                load = Load::default();
                load.add(&plan.change);
            }
        }
    }
    groups
}
