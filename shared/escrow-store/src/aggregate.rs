//! What can be changed by a decision: one item with a version, and a change that says what else it does in the same commit.

use crate::error::Unreadable;
use crate::items;
use crate::keys::{self, Item, Key};
use crate::member::{Member, Stands};
use escrow_domain::decide::Change;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, PayoutId, TopUpId, UserId};
use escrow_domain::payout::{Payout, PayoutChange};
use escrow_domain::seller::Seller;
use escrow_domain::top_up::{TopUp, TopUpChange};
use escrow_domain::wallet::WalletMove;
use std::fmt;

mod sealed {
    pub trait Sealed {}
    impl Sealed for escrow_domain::escrow::Escrow {}
    impl Sealed for escrow_domain::payout::Payout {}
    impl Sealed for escrow_domain::top_up::TopUp {}
    impl Sealed for escrow_domain::seller::Seller {}
}

/// An aggregate: loaded, decided on and committed by [`crate::Store::change_aggregate`], whatever it is.
pub trait Aggregate: sealed::Sealed + Clone + fmt::Debug + PartialEq + Sized {
    /// What names it.
    type Id: Clone;
    /// What a decision on it gives.
    type Change: Clone;

    /// Its name.
    fn id(&self) -> Self::Id;
    /// How many commits made it.
    fn version(&self) -> u64;
    /// Where it stands.
    fn key(id: &Self::Id) -> Key;
    /// Reads it.
    ///
    /// # Errors
    /// [`Unreadable`] if the item breaks what writing promised.
    fn read(item: Item, id: &Self::Id) -> Result<Self, Unreadable>;
    /// It, as a member of a commit.
    fn member(was: u64, now: &Self) -> Member<'_>;
    /// It, out of what a failed commit has found; anything else comes back.
    ///
    /// # Errors
    /// What stands there, if it is no such aggregate.
    fn found(stands: Stands) -> Result<Box<Self>, Stands>;
    /// What a change makes of it.
    fn next(change: &Self::Change) -> &Self;
    /// The same, owned.
    fn into_next(change: Self::Change) -> Self;
    /// Whether some of what a change gives to wallets can be put off.
    fn can_wait(change: &Self::Change) -> bool;
    /// The same change with that put off, so that it needs those wallets no more.
    ///
    /// # Errors
    /// In words, if an invariant of the money would not hold.
    fn waiting(change: &Self::Change) -> Result<Self::Change, String>;
    /// What a change does to wallets.
    fn moves(change: &Self::Change) -> &[WalletMove];
    /// What else a change of `before` puts beside it, for ever.
    fn parts<'a>(before: Option<&Self>, change: &'a Self::Change) -> Vec<Member<'a>>;
}

impl Aggregate for Escrow {
    type Id = EscrowId;
    type Change = Change;

    fn id(&self) -> EscrowId {
        self.id
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn key(id: &EscrowId) -> Key {
        keys::escrow(*id)
    }

    fn read(item: Item, id: &EscrowId) -> Result<Self, Unreadable> {
        items::to_escrow(item, *id)
    }

    fn member(was: u64, now: &Self) -> Member<'_> {
        Member::Escrow { was, now }
    }

    fn found(stands: Stands) -> Result<Box<Self>, Stands> {
        match stands {
            Stands::Escrow(escrow) => Ok(escrow),
            other => Err(other),
        }
    }

    fn next(change: &Change) -> &Self {
        &change.escrow
    }

    fn into_next(change: Change) -> Self {
        change.escrow
    }

    fn can_wait(change: &Change) -> bool {
        change.can_be_deferred()
    }

    fn waiting(change: &Change) -> Result<Change, String> {
        change.clone().deferred().map_err(|error| error.to_string())
    }

    fn moves(change: &Change) -> &[WalletMove] {
        &change.moves
    }

    fn parts<'a>(_before: Option<&Self>, change: &'a Change) -> Vec<Member<'a>> {
        let pages = change.pages.iter().map(|page| Member::Page { of: &change.escrow, page });
        pages.chain(change.evidence.iter().map(Member::Evidence)).collect()
    }
}

impl Aggregate for Payout {
    type Id = PayoutId;
    type Change = PayoutChange;

    fn id(&self) -> PayoutId {
        self.id
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn key(id: &PayoutId) -> Key {
        keys::payout(*id)
    }

    fn read(item: Item, id: &PayoutId) -> Result<Self, Unreadable> {
        items::to_payout(item, *id)
    }

    fn member(was: u64, now: &Self) -> Member<'_> {
        Member::Payout { was, now }
    }

    fn found(stands: Stands) -> Result<Box<Self>, Stands> {
        match stands {
            Stands::Payout(payout) => Ok(payout),
            other => Err(other),
        }
    }

    fn next(change: &PayoutChange) -> &Self {
        &change.payout
    }

    fn into_next(change: PayoutChange) -> Self {
        change.payout
    }

    fn can_wait(_change: &PayoutChange) -> bool {
        false
    }

    fn waiting(change: &PayoutChange) -> Result<PayoutChange, String> {
        Ok(change.clone())
    }

    fn moves(change: &PayoutChange) -> &[WalletMove] {
        &change.moves
    }

    fn parts<'a>(_before: Option<&Self>, _change: &'a PayoutChange) -> Vec<Member<'a>> {
        Vec::new()
    }
}

impl Aggregate for TopUp {
    type Id = TopUpId;
    type Change = TopUpChange;

    fn id(&self) -> TopUpId {
        self.id
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn key(id: &TopUpId) -> Key {
        keys::top_up(*id)
    }

    fn read(item: Item, id: &TopUpId) -> Result<Self, Unreadable> {
        items::to_top_up(item, *id)
    }

    fn member(was: u64, now: &Self) -> Member<'_> {
        Member::TopUp { was, now }
    }

    fn found(stands: Stands) -> Result<Box<Self>, Stands> {
        match stands {
            Stands::TopUp(top_up) => Ok(top_up),
            other => Err(other),
        }
    }

    fn next(change: &TopUpChange) -> &Self {
        &change.top_up
    }

    fn into_next(change: TopUpChange) -> Self {
        change.top_up
    }

    fn can_wait(_change: &TopUpChange) -> bool {
        false
    }

    fn waiting(change: &TopUpChange) -> Result<TopUpChange, String> {
        Ok(change.clone())
    }

    fn moves(change: &TopUpChange) -> &[WalletMove] {
        &change.moves
    }

    fn parts<'a>(_before: Option<&Self>, _change: &'a TopUpChange) -> Vec<Member<'a>> {
        Vec::new()
    }
}

/// A seller's change is the next seller: no money stands there.
impl Aggregate for Seller {
    type Id = UserId;
    type Change = Self;

    fn id(&self) -> UserId {
        self.owner.clone()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn key(id: &UserId) -> Key {
        keys::seller(id)
    }

    fn read(item: Item, id: &UserId) -> Result<Self, Unreadable> {
        items::to_seller(item, &keys::seller(id))
    }

    fn member(was: u64, now: &Self) -> Member<'_> {
        Member::Seller { was, now }
    }

    fn found(stands: Stands) -> Result<Box<Self>, Stands> {
        match stands {
            Stands::Seller(seller) => Ok(seller),
            other => Err(other),
        }
    }

    fn next(change: &Self) -> &Self {
        change
    }

    fn into_next(change: Self) -> Self {
        change
    }

    fn can_wait(_change: &Self) -> bool {
        false
    }

    fn waiting(change: &Self) -> Result<Self, String> {
        Ok(change.clone())
    }

    fn moves(_change: &Self) -> &[WalletMove] {
        &[]
    }

    /// Every account that is new leads to its seller from now on.
    fn parts<'a>(before: Option<&Self>, change: &'a Self) -> Vec<Member<'a>> {
        let known = |gateway, account: &str| {
            let before = before.and_then(|before| before.account(gateway));
            before.is_some_and(|before| before.account.as_deref() == Some(account))
        };
        let accounts =
            change.accounts.iter().filter_map(|account| Some((account.gateway, account.account.as_deref()?)));
        accounts
            .filter(|(gateway, account)| !known(*gateway, account))
            .map(|(gateway, account)| Member::Account { gateway, account, owner: &change.owner })
            .collect()
    }
}
