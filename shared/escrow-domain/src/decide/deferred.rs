//! Credits that are put off: a wallet that many escrows want at once must not slow them. The change then commits on its escrow alone, and
//! the credit lands a little later, in a commit of the clock's.

use super::draft::{Change, Draft};
use crate::escrow::{DeferredCredit, Escrow};
use crate::id::Operation;
use crate::journal::{Account, Actor, Entry, Posting};
use crate::lifecycle::Transition;
use crate::refusal::{Broken, Undecided};
use crate::verify;
use crate::wallet::{LineKind, WalletMove};

/// The journal as a change found it, from which its own entries can be written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    head: [u8; 32],
    carried: Vec<Posting>,
    paged: u32,
    entries: usize,
}

impl Base {
    pub(super) fn of(escrow: &Escrow) -> Self {
        let journal = &escrow.journal;
        let (carried, paged) = (journal.carried.clone(), journal.paged);
        Self { head: journal.head, carried, paged, entries: journal.len() }
    }
}

impl Change {
    /// Whether some of what it gives to wallets can be put off: see [`Change::deferred`].
    #[must_use]
    pub fn can_be_deferred(&self) -> bool {
        self.moves.iter().any(|moved| self.entry(moved).is_some_and(|entry| is_deferrable(self, moved, entry)))
    }

    /// The same change with its credits put off: they wait in the escrow, due at once, and the ledger has them in transit. What it takes
    /// from wallets it still takes; and what cannot wait in the escrow (money in another unit than its own, and what was put off before) is
    /// still given at once.
    ///
    /// # Errors
    /// [`Undecided::Broken`] if an invariant of the money would not hold.
    pub fn deferred(mut self) -> Result<Self, Undecided> {
        let (put_off, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.moves)
            .into_iter()
            .partition(|moved| self.entry(moved).is_some_and(|entry| is_deferrable(&self, moved, entry)));
        self.moves = kept;
        // The pages that it turned are turned anew: its own entries may be among them.
        let escrow = &mut self.escrow;
        let mut entries: Vec<Entry> =
            std::mem::take(&mut self.pages).into_iter().flat_map(|page| page.entries).collect();
        entries.append(&mut escrow.journal.entries);
        escrow.journal.carried.clone_from(&self.base.carried);
        escrow.journal.paged = self.base.paged;
        for moved in put_off {
            let missing = Broken("a credit without an entry");
            let at = moved.entry.checked_sub(self.base.paged).and_then(|at| usize::try_from(at).ok()).ok_or(missing)?;
            let entry = entries.get_mut(at).ok_or(missing)?;
            for (account, units) in [
                (Account::Wallet(moved.owner.clone()), moved.amount.units()),
                (Account::Credits(moved.owner.clone()), moved.amount.units().saturating_neg()),
            ] {
                let same = |posting: &&mut Posting| posting.account == account && posting.currency == moved.currency;
                match entry.postings.iter_mut().find(same) {
                    Some(posting) => posting.units = posting.units.checked_add(units).ok_or(missing)?,
                    None => entry.postings.push(Posting { account, units, currency: moved.currency }),
                }
            }
            entry.postings.retain(|posting| posting.units != 0);
            let WalletMove { owner, amount, kind, entry, at, .. } = moved;
            escrow.credits.push(DeferredCredit { owner, amount, kind, entry, since: at });
        }
        let mut head = self.base.head;
        let from = self.base.entries.checked_sub(usize::try_from(self.base.paged).unwrap_or(usize::MAX));
        let made = entries.iter().skip(from.ok_or(Broken("a journal shorter than its pages"))?);
        for (entry, operation) in made.zip(escrow.journal.operations.iter().skip(self.base.entries)) {
            entry.check_balanced()?;
            head = crate::journal::link(&head, operation, entry);
        }
        escrow.journal.head = head;
        escrow.journal.entries = entries;
        self.pages = escrow.journal.turn_pages(escrow.id);
        verify::check_money(&self.escrow)?;
        Ok(self)
    }

    /// The entry behind a move of this change.
    fn entry(&self, moved: &WalletMove) -> Option<&Entry> {
        let paged = self.pages.iter().flat_map(|page| &page.entries);
        let at = moved.entry.checked_sub(self.base.paged)?;
        paged.chain(&self.escrow.journal.entries).nth(usize::try_from(at).ok()?)
    }
}

fn is_deferrable(change: &Change, moved: &WalletMove, entry: &Entry) -> bool {
    let is_credit = match moved.kind {
        LineKind::Release | LineKind::Refund => true,
        LineKind::TopUp
        | LineKind::TopUpRefunded
        | LineKind::ChargebackWon
        | LineKind::Funding
        | LineKind::Chargeback
        | LineKind::Payout
        | LineKind::PayoutPaid
        | LineKind::PayoutFailed
        | LineKind::PayoutReturned => false,
    };
    is_credit && moved.currency == change.escrow.terms.currency && entry.transition != Transition::CreditWallet
}

/// The oldest credit that was put off lands.
pub(super) fn land(draft: &mut Draft) -> Result<(), Undecided> {
    if draft.escrow.credits.is_empty() {
        return Ok(());
    }
    let DeferredCredit { owner, amount, kind, entry, since } = draft.escrow.credits.remove(0);
    draft.act_as(Actor::clock(), Operation::of_clock(&format!("credit_wallet {owner} {entry}"), 0, since))?;
    draft.record(Transition::CreditWallet, None, Some(format!("entry {entry}")), None)?;
    draft.book(Account::Credits(owner.clone()), Account::Wallet(owner.clone()), amount)?;
    draft.move_wallet(owner, kind, amount)
}
