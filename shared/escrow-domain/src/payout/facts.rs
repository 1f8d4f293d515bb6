//! A gateway's facts about a payout: sent, refused, come back. They may come in any order and any number of times.

use super::draft::{Draft, Flow, Words, bounded};
use super::rows::PayoutTransition;
use super::status::{BankState, PayoutStatus};
use super::{Payout, PayoutAttempt, PayoutFact, PayoutOutcome, PayoutUndecided, TransferOutcome};
use crate::decide::{Moment, Outcome};
use crate::effect::next_look_up;
use crate::id::{GatewayName, Operation};
use crate::journal::Actor;
use crate::money::Money;
use crate::refusal::Misfit;

pub(super) fn apply(
    payout: &Payout,
    fact: &PayoutFact,
    attempt: &PayoutAttempt,
    now: Moment,
) -> Result<PayoutOutcome, PayoutUndecided> {
    let by = (attempt.actor.clone(), attempt.operation);
    match fact {
        PayoutFact::Transfer { gateway, reference, money, outcome } => {
            check(payout, *gateway, *money)?;
            transfer(payout, reference, outcome, by, now)
        }
        PayoutFact::Reversed { gateway, reference, money, total, reason } => {
            check(payout, *gateway, *money)?;
            if total.currency != payout.money.currency || total.amount > payout.money.amount {
                return Err(Misfit::other_amount(*total, payout.money).into());
            }
            reversed(payout, (*gateway, reference), *total, reason.as_deref(), by, now)
        }
        PayoutFact::Bank(told) => bank(payout, told, now),
    }
}

/// It carries our name; it must also be what was promised, where it was promised.
fn check(payout: &Payout, gateway: GatewayName, money: Money) -> Result<(), Misfit> {
    if payout.rail.gateway() != Some(gateway) {
        return Err(Misfit::OtherGateway);
    }
    if money == payout.money { Ok(()) } else { Err(Misfit::other_amount(money, payout.money)) }
}

fn transfer(
    payout: &Payout,
    reference: &str,
    outcome: &TransferOutcome,
    by: (Actor, Operation),
    now: Moment,
) -> Result<PayoutOutcome, PayoutUndecided> {
    use PayoutStatus::{Approval, Failed, Owed, Paid, Ready, Rejected, Returned, Review, Sending};
    let mut draft = Draft::new(payout, now);
    let known = payout.reference.as_deref();
    match (payout.status, outcome) {
        (Ready | Sending | Review, TransferOutcome::Sent) => {
            draft.pay(reference, by)?;
            draft.outcome()
        }
        (Ready | Sending | Review, TransferOutcome::Failed(why)) => {
            let words = Words { reference: Some(reference.to_owned()), note: Some(bounded(why)) };
            draft.payout.reason.clone_from(&words.note);
            draft.record(PayoutTransition::Fail, by, Failed, Flow::GivenBack, words)?;
            draft.outcome()
        }
        (Ready | Sending, TransferOutcome::Pending) if payout.look_up_at.is_none() => {
            draft.payout.status = Sending;
            draft.payout.sending_since = payout.sending_since.or(Some(now.at));
            draft.payout.effect = None;
            draft.payout.waiting = None;
            draft.payout.reference = Some(reference.to_owned());
            draft.payout.look_up_at = Some(next_look_up(0, now.at));
            draft.outcome()
        }
        (Ready | Sending | Review, TransferOutcome::Pending) => Ok(Outcome::AlreadyDone),
        // An operator found out that it was made; now the gateway says as what.
        (Paid | Returned, TransferOutcome::Sent | TransferOutcome::Pending) if known.is_none() => {
            draft.payout.reference = Some(reference.to_owned());
            draft.outcome()
        }
        (Paid | Returned, TransferOutcome::Sent | TransferOutcome::Pending) if known == Some(reference) => {
            Ok(Outcome::AlreadyDone)
        }
        (Paid, TransferOutcome::Failed(why)) if known == Some(reference) => {
            draft.come_back(payout.money, reference, Some(why), by)?;
            draft.outcome()
        }
        // The refusal of a request that was not the one that paid, or one that is known.
        (Paid | Returned | Failed, TransferOutcome::Failed(_)) => Ok(Outcome::AlreadyDone),
        // Money left that should not have, or a second time: never booked silently.
        (Paid | Returned | Failed, TransferOutcome::Sent | TransferOutcome::Pending)
        | (Approval | Owed | Rejected, _) => Err(Misfit::TransferUnexpected.into()),
    }
}

/// The transfer came back, all of it or a part. Totals are applied as the difference to what is known: they come in any order.
fn reversed(
    payout: &Payout,
    (gateway, reference): (GatewayName, &str),
    total: Money,
    reason: Option<&str>,
    by: (Actor, Operation),
    now: Moment,
) -> Result<PayoutOutcome, PayoutUndecided> {
    use PayoutStatus::{Approval, Failed, Owed, Paid, Ready, Rejected, Returned, Review, Sending};
    let mut draft = Draft::new(payout, now);
    match payout.status {
        // It came back before we heard that it had left.
        Ready | Sending | Review => {
            draft.pay(reference, (Actor::gateway(), Operation::of_gateway(gateway, reference, "sent")))?;
        }
        Paid | Returned => match payout.reference.as_deref() {
            None => draft.payout.reference = Some(reference.to_owned()),
            Some(known) if known == reference => {}
            Some(_) => return Err(Misfit::TransferUnexpected.into()),
        },
        Approval | Owed | Failed | Rejected => return Err(Misfit::TransferUnexpected.into()),
    }
    if total.amount <= draft.payout.returned {
        let changed = draft.payout != *payout;
        return if changed { draft.outcome() } else { Ok(Outcome::AlreadyDone) };
    }
    draft.come_back(total, reference, reason, by)?;
    draft.outcome()
}

impl Draft {
    /// It has left.
    fn pay(&mut self, reference: &str, by: (Actor, Operation)) -> Result<(), PayoutUndecided> {
        self.payout.reference = Some(reference.to_owned());
        let words = Words { reference: Some(reference.to_owned()), note: None };
        self.record(PayoutTransition::Pay, by, PayoutStatus::Paid, Flow::Gone, words)
    }

    /// So much of it is back in all.
    fn come_back(
        &mut self,
        total: Money,
        reference: &str,
        reason: Option<&str>,
        by: (Actor, Operation),
    ) -> Result<(), PayoutUndecided> {
        let more = total.amount.minus(self.payout.returned)?;
        let words = Words { reference: Some(reference.to_owned()), note: reason.map(bounded) };
        if words.note.is_some() {
            self.payout.reason.clone_from(&words.note);
        }
        self.payout.returned = total.amount;
        let all = total.amount == self.payout.money.amount;
        let to = if all { PayoutStatus::Returned } else { PayoutStatus::Paid };
        self.record(PayoutTransition::Return, by, to, Flow::CameBack(more), words)
    }
}

/// What the owner is shown of the bank. It moves no money and is no entry.
fn bank(payout: &Payout, told: &BankState, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    if payout.bank.as_ref().is_some_and(|known| !told.is_newer_than(known)) {
        return Ok(Outcome::AlreadyDone);
    }
    let mut draft = Draft::new(payout, now);
    draft.payout.bank = Some(BankState { reason: told.reason.as_deref().map(bounded), ..told.clone() });
    draft.outcome()
}
