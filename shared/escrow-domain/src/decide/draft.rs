//! A change being made: a copy of the escrow, and for each thing that happens one journal entry. Finishing it checks the money.

use super::deferred::Base;
use super::lapse::{self, Subject};
use crate::chargeback::Chargeback;
use crate::dispute::{Dispute, NewEvidence};
use crate::effect::{Effect, Task};
use crate::escrow::Escrow;
use crate::fees;
use crate::id::{HIGHEST_NUMBER, Operation, UserId};
use crate::journal::{Account, Actor, Entry, JournalPage, Move, Part, Posting};
use crate::lifecycle::Transition;
use crate::milestone::{Bucket, Milestone};
use crate::money::{Minor, Money};
use crate::refusal::{Broken, Undecided};
use crate::time::Timestamp;
use crate::verify;
use crate::wallet::{LineKind, MovedBy, WalletMove};

/// When a decision is made, and in which epoch of the deployment (see [`Effect::epoch`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The one clock's time.
    pub at: Timestamp,
    /// Raised after a restore from backup.
    pub epoch: u32,
}

/// A decided change. All of it commits together, or nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The whole next escrow; its version is one more than that of the escrow it was decided on.
    pub escrow: Escrow,
    /// What it does to wallets.
    pub moves: Vec<WalletMove>,
    /// Evidence that is kept in items of its own.
    pub evidence: Vec<NewEvidence>,
    /// Journal entries that leave the item.
    pub pages: Vec<JournalPage>,
    /// The journal as it was before this change.
    pub(super) base: Base,
}

impl Change {
    /// A change of the escrow alone that moves nothing.
    #[must_use]
    pub(crate) fn alone(mut escrow: Escrow) -> Self {
        let base = Base::of(&escrow);
        let pages = escrow.journal.turn_pages(escrow.id);
        Self { escrow, moves: Vec::new(), evidence: Vec::new(), pages, base }
    }
}

/// The entry being written.
struct Open {
    transition: Transition,
    part: Option<Part>,
    moves: Vec<Move>,
    postings: Vec<Posting>,
    reference: Option<String>,
    note: Option<String>,
}

/// A change in the making.
pub(super) struct Draft {
    pub(super) escrow: Escrow,
    pub(super) now: Moment,
    actor: Actor,
    operation: Operation,
    moves: Vec<WalletMove>,
    pub(super) evidence: Vec<NewEvidence>,
    open: Option<Open>,
    before: Vec<Subject>,
    base: Base,
}

impl Draft {
    pub(super) fn new(escrow: &Escrow, actor: Actor, operation: Operation, now: Moment) -> Self {
        Self {
            escrow: escrow.clone(),
            now,
            actor,
            operation,
            moves: Vec::new(),
            evidence: Vec::new(),
            open: None,
            before: Subject::all(escrow),
            base: Base::of(escrow),
        }
    }

    /// A draft of the same state that is thrown away, to find out what something would come to.
    pub(super) fn trial(&self, transition: Transition) -> Result<Self, Undecided> {
        let mut trial = Self::new(&self.escrow, self.actor.clone(), self.operation, self.now);
        trial.record(transition, None, None, None)?;
        Ok(trial)
    }

    pub(super) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose entries follow, and under which operation. One change of the clock can hold several.
    pub(super) fn act_as(&mut self, actor: Actor, operation: Operation) -> Result<(), Undecided> {
        self.close()?;
        self.actor = actor;
        self.operation = operation;
        Ok(())
    }

    /// The same actor's next entry in this change.
    pub(super) fn and_then(&mut self, happening: &str) -> Result<(), Undecided> {
        self.act_as(self.actor.clone(), self.operation.and(happening))
    }

    /// Begins the entry of this operation.
    pub(super) fn record(
        &mut self,
        transition: Transition,
        part: Option<Part>,
        reference: Option<String>,
        note: Option<String>,
    ) -> Result<(), Undecided> {
        self.close()?;
        self.open = Some(Open { transition, part, moves: Vec::new(), postings: Vec::new(), reference, note });
        Ok(())
    }

    /// Ends the open entry and appends it to the journal.
    fn close(&mut self) -> Result<(), Undecided> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let entry = Entry {
            at: self.now.at,
            transition: open.transition,
            actor: self.actor.clone(),
            part: open.part,
            moves: open.moves,
            postings: open.postings,
            reference: open.reference,
            note: open.note,
        };
        self.escrow.journal.append(self.operation, entry)?;
        Ok(())
    }

    /// The milestone of that index.
    pub(super) fn milestone(&mut self, index: u8) -> Result<&mut Milestone, Undecided> {
        let missing = Undecided::Broken(Broken("a milestone that does not exist"));
        self.escrow.milestones.get_mut(usize::from(index)).ok_or(missing)
    }

    /// The dispute of that number.
    pub(super) fn dispute(&mut self, number: u16) -> Result<&mut Dispute, Undecided> {
        let missing = Undecided::Broken(Broken("a dispute that does not exist"));
        self.escrow.disputes.get_mut(usize::from(number)).ok_or(missing)
    }

    /// The chargeback of that number.
    pub(super) fn chargeback(&mut self, number: u16) -> Result<&mut Chargeback, Undecided> {
        let missing = Undecided::Broken(Broken("a chargeback that does not exist"));
        self.escrow.chargebacks.get_mut(usize::from(number)).ok_or(missing)
    }

    /// Moves money between two buckets of a milestone and notes it in the entry.
    pub(super) fn shift(&mut self, milestone: u8, from: Bucket, to: Bucket, amount: Minor) -> Result<(), Undecided> {
        if amount.is_zero() {
            return Ok(());
        }
        self.milestone(milestone)?.money.shift(from, to, amount)?;
        let open = self.open.as_mut().ok_or(Broken("money moved outside of an entry"))?;
        open.moves.push(Move { milestone, from, to, amount });
        Ok(())
    }

    /// Books one debit and one credit of the same amount, in the escrow's unit.
    pub(super) fn book(&mut self, debit: Account, credit: Account, amount: Minor) -> Result<(), Undecided> {
        self.book_in(debit, credit, amount.of(self.escrow.terms.currency))
    }

    /// Books one debit and one credit of the same amount, in any unit.
    pub(super) fn book_in(&mut self, debit: Account, credit: Account, money: Money) -> Result<(), Undecided> {
        let Money { amount, currency } = money;
        if amount.is_zero() {
            return Ok(());
        }
        let open = self.open.as_mut().ok_or(Broken("money booked outside of an entry"))?;
        for posting in [Posting::debit(debit, amount, currency), Posting::credit(credit, amount, currency)] {
            // One line per account and entry: two debits of the escrow read as one.
            let same = |other: &&mut Posting| other.account == posting.account && other.currency == currency;
            match open.postings.iter_mut().find(same) {
                Some(same) => {
                    same.units = same.units.checked_add(posting.units).ok_or(Broken("a posting left its bounds"))?;
                }
                None => open.postings.push(posting),
            }
        }
        open.postings.retain(|posting| posting.units != 0);
        Ok(())
    }

    /// Gives the seller `amount` of a milestone out of `from`, less the fee, and the platform its fee.
    pub(super) fn pay_seller(&mut self, milestone: u8, from: Bucket, amount: Minor) -> Result<(), Undecided> {
        let before = self.milestone(milestone)?.clone();
        self.shift(milestone, from, Bucket::Released, amount)?;
        let released = before.money.released.plus(amount)?;
        let earned = |fee: Minor| -> Result<Minor, Undecided> {
            let sofar = fees::taken(fee, before.money.released, before.amount)?;
            Ok(fees::taken(fee, released, before.amount)?.minus(sofar)?)
        };
        let (from_seller, from_buyer) = (earned(before.fee.seller)?, earned(before.fee.buyer)?);
        let to_seller = amount.minus(from_seller)?;
        let seller = self.escrow.terms.seller.clone();
        self.book(Account::Escrow, Account::Wallet(seller.clone()), to_seller)?;
        self.book(Account::Escrow, Account::Fees, from_seller.plus(from_buyer)?)?;
        self.move_wallet(seller, LineKind::Release, to_seller)
    }

    /// Changes a wallet in the same commit, in the escrow's unit. The postings are the caller's.
    pub(super) fn move_wallet(&mut self, owner: UserId, kind: LineKind, amount: Minor) -> Result<(), Undecided> {
        self.move_wallet_in(owner, kind, amount.of(self.escrow.terms.currency))
    }

    /// The same in any unit.
    pub(super) fn move_wallet_in(&mut self, owner: UserId, kind: LineKind, money: Money) -> Result<(), Undecided> {
        let Money { amount, currency } = money;
        if amount.is_zero() {
            return Ok(());
        }
        let entry = u32::try_from(self.escrow.journal.len()).map_err(|_| Broken("a journal without end"))?;
        // What one entry does to one wallet for one reason is one line of its statement.
        let same = |other: &&mut WalletMove| {
            (&other.owner, other.currency, other.kind, other.entry) == (&owner, currency, kind, entry)
        };
        if let Some(known) = self.moves.iter_mut().find(same) {
            known.amount = known.amount.plus(amount)?;
            return Ok(());
        }
        self.moves.push(WalletMove {
            owner,
            currency,
            amount,
            kind,
            of: MovedBy::Escrow(self.escrow.id),
            entry,
            at: self.now.at,
        });
        Ok(())
    }

    /// How often it moves a wallet.
    pub(super) const fn moves(&self) -> usize {
        self.moves.len()
    }

    /// Promises to do something at a gateway, as soon as possible.
    pub(super) fn promise(&mut self, task: Task) {
        self.escrow.effects.push(Effect::promised(task, self.now));
    }

    /// Takes an effect away whose result is a fact now.
    pub(super) fn done_with(&mut self, task: Task) {
        self.escrow.effects.retain(|effect| effect.task != task);
    }

    /// The finished change: the entry closed, the version counted, the clocks of stops kept, the money checked.
    pub(super) fn finish(mut self) -> Result<Change, Undecided> {
        self.close()?;
        let starts = self.clock_starts();
        lapse::needless_reminders(&mut self.escrow, &self.before, starts);
        crate::stop::keep(&mut self.escrow, self.now.at);
        lapse::asks_and_offers(&mut self.escrow, &self.before);
        self.escrow.version = self.escrow.version.checked_add(1).ok_or(Broken("a version without end"))?;
        self.escrow.updated_at = self.now.at;
        let pages = self.escrow.journal.turn_pages(self.escrow.id);
        verify::check_money(&self.escrow)?;
        Ok(Change { escrow: self.escrow, moves: self.moves, evidence: self.evidence, pages, base: self.base })
    }

    /// The same for a change that is no entry (a claim, a page's address): nothing but the version is counted.
    pub(super) fn finish_quietly(mut self) -> Result<Change, Undecided> {
        self.escrow.version = self.escrow.version.checked_add(1).ok_or(Broken("a version without end"))?;
        Ok(Change {
            escrow: self.escrow,
            moves: self.moves,
            evidence: self.evidence,
            pages: Vec::new(),
            base: self.base,
        })
    }

    pub(super) const fn at(&self) -> Timestamp {
        self.now.at
    }

    /// From when a deadline that is set now counts. The end of a stop adds the whole of its length to every deadline, so one that
    /// is set during the stop counts from the stop's beginning: what it gives is given in full once the stop is over.
    pub(super) fn clock_starts(&self) -> Timestamp {
        self.escrow.stopped_since.unwrap_or(self.now.at)
    }
}

/// The number of the next part in a list.
pub(super) fn next_number(length: usize) -> Result<u16, Undecided> {
    match u16::try_from(length) {
        Ok(number) if number <= HIGHEST_NUMBER => Ok(number),
        Ok(_) | Err(_) => Err(Broken("a list without end").into()),
    }
}
