//! What can be changed by a decision: one item with a version, and a change that says what else it does in the same commit.

use crate::error::Unreadable;
use crate::items;
use crate::keys::{self, Item, Key};
use crate::member::{Member, Stands};
use escrow_domain::decide::Change;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::EscrowId;
use escrow_domain::wallet::WalletMove;
use std::fmt;

mod sealed {
    pub trait Sealed {}
    impl Sealed for escrow_domain::escrow::Escrow {}
}

/// An aggregate: loaded, decided on and committed by [`crate::Store::change_aggregate`], whatever it is.
pub trait Aggregate: sealed::Sealed + Clone + fmt::Debug + PartialEq + Sized {
    /// What names it.
    type Id: Clone;
    /// What a decision on it gives.
    type Change;

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
    /// What a change does to wallets.
    fn moves(change: &Self::Change) -> &[WalletMove];
    /// What else a change puts beside it, for ever.
    fn parts(change: &Self::Change) -> Vec<Member<'_>>;
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

    fn moves(change: &Change) -> &[WalletMove] {
        &change.moves
    }

    fn parts(change: &Change) -> Vec<Member<'_>> {
        let pages = change.pages.iter().map(|page| Member::Page { of: &change.escrow, page });
        pages.chain(change.evidence.iter().map(Member::Evidence)).collect()
    }
}
