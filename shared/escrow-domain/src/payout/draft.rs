//! A change of a payout being made: a copy of it, one journal entry for each thing that happens, and what it does to the wallet.

use super::rows::{PayoutTransition, permitted};
use super::status::PayoutStatus;
use super::{Payout, PayoutChange, PayoutOutcome, PayoutUndecided, verify};
use crate::decide::{Moment, Outcome};
use crate::escrow::LONGEST_NOTE;
use crate::id::Operation;
use crate::journal::{Account, Actor, Entry, Posting};
use crate::money::Minor;
use crate::refusal::Broken;
use crate::stop::ALARM_EVERY;
use crate::wallet::{LineKind, MovedBy, WalletMove};

pub(super) struct Draft {
    pub(super) payout: Payout,
    pub(super) now: Moment,
    moves: Vec<WalletMove>,
}

/// What an entry says, apart from the money.
pub(super) struct Words {
    /// The gateway's object, or what an operator notes as proof.
    pub(super) reference: Option<String>,
    /// Why.
    pub(super) note: Option<String>,
}

impl Words {
    pub(super) const fn none() -> Self {
        Self { reference: None, note: None }
    }

    pub(super) fn why(reason: &str) -> Self {
        Self { reference: None, note: Some(bounded(reason)) }
    }
}

/// Where the money of an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Nowhere.
    Nothing,
    /// Out of the wallet, on its way.
    Reserved,
    /// Away: it has left.
    Gone,
    /// Back into the wallet: it never left.
    GivenBack,
    /// Back into the wallet, after it had left.
    CameBack(Minor),
}

impl Draft {
    pub(super) fn new(payout: &Payout, now: Moment) -> Self {
        Self { payout: payout.clone(), now, moves: Vec::new() }
    }

    /// Something happens: the table allows it, the status and the money move, the journal has an entry.
    pub(super) fn record(
        &mut self,
        transition: PayoutTransition,
        (actor, operation): (Actor, Operation),
        to: PayoutStatus,
        flow: Flow,
        words: Words,
    ) -> Result<(), PayoutUndecided> {
        // What is asked for has no status before.
        if transition != PayoutTransition::Ask && !permitted(transition, actor.role, self.payout.status)?.contains(&to)
        {
            return Err(Broken("a payout went where its table does not lead").into());
        }
        let entry = u32::try_from(self.payout.journal.len()).map_err(|_| Broken("a journal without end"))?;
        let postings = self.book(flow, entry);
        let Words { reference, note } = words;
        let (at, part, moves) = (self.now.at, None, Vec::new());
        self.payout
            .journal
            .append(operation, Entry { at, transition, actor, part, moves, postings, reference, note })?;
        self.payout.status = to;
        self.payout.alarm_at = to.needs_operator().then_some(at.after(ALARM_EVERY));
        if !to.is_open() {
            self.payout.effect = None;
            self.payout.sending_since = None;
            self.payout.look_up_at = None;
            self.payout.waiting = None;
        }
        self.payout.updated_at = at;
        Ok(())
    }

    /// The postings of a flow, and its move of the wallet.
    fn book(&mut self, flow: Flow, entry: u32) -> Vec<Posting> {
        let (owner, money) = (self.payout.owner.clone(), self.payout.money);
        let wallet = Account::Wallet(owner.clone());
        let (under_way, gone) = accounts(&self.payout);
        let (debit, credit, amount, kind) = match flow {
            Flow::Nothing => return Vec::new(),
            Flow::Reserved => (wallet, under_way, money.amount, LineKind::Payout),
            Flow::Gone => (under_way, gone, money.amount, LineKind::PayoutPaid),
            Flow::GivenBack => (under_way, wallet, money.amount, LineKind::PayoutFailed),
            Flow::CameBack(amount) => (gone, wallet, amount, LineKind::PayoutReturned),
        };
        let (of, at) = (MovedBy::Payout(self.payout.id), self.now.at);
        self.moves.push(WalletMove { owner, currency: money.currency, amount, kind, of, entry, at });
        vec![Posting::debit(debit, amount, money.currency), Posting::credit(credit, amount, money.currency)]
    }

    /// The finished change, its money checked.
    pub(super) fn finish(mut self) -> Result<PayoutChange, PayoutUndecided> {
        self.payout.version = self.payout.version.checked_add(1).ok_or(Broken("a version without end"))?;
        verify::check_money(&self.payout)?;
        Ok(PayoutChange { payout: self.payout, moves: self.moves })
    }

    /// The same, as what an attempt comes to.
    pub(super) fn outcome(self) -> Result<PayoutOutcome, PayoutUndecided> {
        Ok(Outcome::Changed(Box::new(self.finish()?)))
    }
}

/// The accounts of a payout that is under way, and of one that is gone.
pub(super) fn accounts(payout: &Payout) -> (Account, Account) {
    match payout.rail.gateway() {
        Some(gateway) => (Account::Payouts(gateway), Account::Gateway(gateway)),
        None => (Account::PayoutsByHand, Account::PaidByHand),
    }
}

/// A gateway's words may be longer than ours.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(LONGEST_NOTE).collect()
}
