//! A gateway's facts: money that arrived, pages that closed, refunds that moved. They may come in any order and any number of times.

use super::closing::close_payment;
use super::draft::{Draft, Moment};
use super::{Outcome, chargebacks, funding, overlays, unasked};
use crate::checkout::Merged;
use crate::command::{Attempt, Command, Fact, RefundOutcome};
use crate::effect::Task;
use crate::escrow::{Escrow, ReviewCause};
use crate::id::{GatewayName, Operation};
use crate::journal::{Account, Actor, Part};
use crate::lifecycle::{Permission, Role, Transition, permission};
use crate::milestone::Bucket;
use crate::money::{Minor, Money};
use crate::payment::{Capture, Payment, PaymentStatus, RefundOf, RefundStatus};
use crate::refusal::{Misfit, Undecided};
use crate::time::{Period, Timestamp};

/// A pending refund is looked up for the first time after this; later look-ups are further and further apart.
const FIRST_LOOK_UP: Period = Period::hours(1);

pub(super) fn apply(escrow: &Escrow, fact: &Fact, attempt: &Attempt, now: Moment) -> Result<Outcome, Undecided> {
    let mut draft = Draft::new(escrow, attempt.actor.clone(), attempt.operation, now);
    match fact {
        Fact::Paid { payment, gateway, capture, money, reference } => {
            return paid(draft, *payment, *gateway, capture, *money, reference.as_deref());
        }
        Fact::Processing { payment, gateway } => {
            return match known_payment(&mut draft, *payment, *gateway)?.merge_processing() {
                Merged::Known => Ok(Outcome::AlreadyDone),
                Merged::Stored | Merged::TooLate => quietly(draft),
            };
        }
        Fact::Closed { payment, gateway } => {
            let at = draft.at();
            let number = *payment;
            let payment = known_payment(&mut draft, number, *gateway)?;
            if payment.merge_closed(at) == Merged::Known {
                return Ok(Outcome::AlreadyDone);
            }
            let reference = payment.reference.clone();
            draft.record(Transition::ClosePayment, Some(Part::Payment(number)), reference, None)?;
            draft.done_with(Task::ClosePayment(number));
        }
        Fact::Refund { refund, gateway, reference, money, outcome } => {
            return refund_moved(draft, *refund, *gateway, reference, *money, outcome);
        }
        Fact::CaptureRefunded { gateway, capture, total, told_at } => {
            return unasked::capture_refunded(draft, *gateway, capture, *total, *told_at);
        }
        Fact::ChargebackOpened { chargeback, reason } => {
            return chargebacks::opened(draft, chargeback, reason);
        }
        Fact::ChargebackFunds { chargeback, moved, back } => {
            return chargebacks::funds_moved(draft, chargeback, *moved, *back);
        }
        Fact::ChargebackClosed { chargeback, won } => {
            return chargebacks::closed(draft, chargeback, *won);
        }
    }
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// An attempt whose operation is in the journal: nothing is booked again. Only that a page is closed may be told once more after its
/// address arrived late and closing it was promised: then the promise is kept.
pub(super) fn known(escrow: &Escrow, attempt: &Attempt, now: Moment) -> Result<Outcome, Undecided> {
    let Command::Fact(Fact::Closed { payment: number, gateway }) = &attempt.command else {
        return Ok(Outcome::AlreadyDone);
    };
    if escrow.effect(Task::ClosePayment(*number)).is_none() {
        return Ok(Outcome::AlreadyDone);
    }
    let mut draft = quiet_draft(escrow, now);
    draft.done_with(Task::ClosePayment(*number));
    let payment = known_payment(&mut draft, *number, *gateway)?;
    if payment.status == PaymentStatus::Closing {
        payment.status = PaymentStatus::Closed;
    }
    quietly(draft)
}

fn quietly(draft: Draft) -> Result<Outcome, Undecided> {
    Ok(Outcome::Changed(Box::new(draft.finish_quietly()?)))
}

/// The payment of that number, if it was made at this gateway: another's word about it is no fact.
fn known_payment(draft: &mut Draft, number: u16, gateway: GatewayName) -> Result<&mut Payment, Undecided> {
    let payment = asked_payment(draft, number)?;
    if payment.gateway() == Some(gateway) { Ok(payment) } else { Err(Misfit::OtherGateway.into()) }
}

/// The payment of that number that a gateway was asked to open.
fn asked_payment(draft: &mut Draft, number: u16) -> Result<&mut Payment, Undecided> {
    if usize::from(number) >= draft.escrow.payments.len() {
        return Err(Misfit::PaymentUnknown.into());
    }
    let payment = draft.payment(number)?;
    if payment.gateway().is_some() { Ok(payment) } else { Err(Misfit::OtherGateway.into()) }
}

/// Money arrived. It funds the milestones that it was asked for, if they all still wait; else it is absorbed, and goes back.
fn paid(
    mut draft: Draft,
    number: u16,
    gateway: GatewayName,
    capture: &str,
    money: Money,
    reference: Option<&str>,
) -> Result<Outcome, Undecided> {
    let (at, currency) = (draft.at(), draft.escrow.terms.currency);
    let payment = known_payment(&mut draft, number, gateway)?.clone();
    let expected = payment.charged(currency);
    if money != expected {
        return Err(Misfit::other_amount(money, expected).into());
    }
    if draft.escrow.payments.iter().any(|payment| payment.capture(capture).is_some()) {
        return Ok(Outcome::AlreadyDone);
    }
    let waits = |index: &u8| {
        draft.escrow.milestones.get(usize::from(*index)).is_some_and(|milestone| {
            matches!(permission(Transition::Fund, Role::Gateway, &milestone.stages()), Permission::Granted(_))
        })
    };
    let fits = payment.captures.is_empty() && payment.milestones.iter().all(waits);
    let transition = if fits { Transition::Fund } else { Transition::AbsorbPayment };
    draft.record(transition, Some(Part::Payment(number)), Some(capture.to_owned()), None)?;
    let stored = draft.payment(number)?;
    let index = u8::try_from(stored.captures.len()).map_err(|_| crate::refusal::Broken("captures without end"))?;
    stored.captures.push(Capture {
        id: capture.to_owned(),
        amount: money.amount,
        at,
        applied: fits,
        unasked: Minor::ZERO,
    });
    if stored.reference.is_none() {
        stored.reference = reference.map(str::to_owned);
    }
    stored.forget_page();
    if fits {
        stored.status = PaymentStatus::Paid;
        funding::from_gateway(&mut draft, &payment, gateway)?;
    } else {
        if stored.status != PaymentStatus::Paid {
            stored.status = PaymentStatus::Absorbed;
        }
        draft.book_in(Account::Gateway(gateway), Account::Unapplied(gateway), money)?;
        draft.book_in(Account::Unapplied(gateway), Account::Refunds(gateway), money)?;
        draft.promise_refund(number, index, RefundOf::Unapplied, Minor::ZERO, money.amount)?;
    }
    draft.done_with(Task::ClosePayment(number));
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

fn refund_moved(
    mut draft: Draft,
    number: u16,
    gateway: GatewayName,
    reference: &str,
    money: Money,
    outcome: &RefundOutcome,
) -> Result<Outcome, Undecided> {
    if usize::from(number) >= draft.escrow.refunds.len() {
        return Err(Misfit::RefundUnknown.into());
    }
    let at = draft.at();
    let refund = draft.refund(number)?.clone();
    if draft.escrow.refund_gateway(&refund) != Some(gateway) {
        return Err(Misfit::OtherGateway.into());
    }
    // It carries our name, but it is not what was promised: perhaps from before a restore, when that name meant another refund.
    let expected = draft.escrow.refund_money(&refund);
    if money != expected {
        return Err(Misfit::other_amount(money, expected).into());
    }
    let part = Some(Part::Refund(number));
    match (refund.status, outcome) {
        (RefundStatus::Promised, RefundOutcome::Pending) => {
            let stored = draft.refund(number)?;
            stored.status = RefundStatus::Pending;
            stored.reference = Some(reference.to_owned());
            stored.look_up_at = Some(at.after(FIRST_LOOK_UP));
            draft.done_with(Task::Refund(number));
            return quietly(draft);
        }
        (RefundStatus::Promised | RefundStatus::Pending, RefundOutcome::Succeeded) => {
            draft.record(Transition::ConfirmRefund, part, Some(reference.to_owned()), None)?;
            draft.book_in(Account::Refunds(gateway), Account::Gateway(gateway), money)?;
            if let RefundOf::Milestone(index) = refund.of {
                draft.shift(index, Bucket::Refunding, Bucket::Refunded, refund.principal)?;
            }
            let stored = draft.refund(number)?;
            stored.status = RefundStatus::Succeeded;
            stored.reference = Some(reference.to_owned());
            stored.look_up_at = None;
            draft.done_with(Task::Refund(number));
            overlays::close_review(&mut draft.escrow, ReviewCause::RefundInDoubt, number);
        }
        (RefundStatus::Promised | RefundStatus::Pending | RefundStatus::Succeeded, RefundOutcome::Failed(why)) => {
            draft.record(Transition::FailRefund, part, Some(reference.to_owned()), Some(why.clone()))?;
            let (from, source) = if refund.status == RefundStatus::Succeeded {
                (Bucket::Refunded, Account::Gateway(gateway))
            } else {
                (Bucket::Refunding, Account::Refunds(gateway))
            };
            let (rest, owed) = chargebacks::pay_off(&mut draft, &refund, from, &source)?;
            if let Some(rest) = &rest {
                let money = rest.amount.of(money.currency);
                match rest.of {
                    RefundOf::Milestone(index) => draft.undo_refund(index, rest, from, Bucket::Held, source)?,
                    RefundOf::Unapplied => draft.book_in(source, Account::Unapplied(gateway), money)?,
                }
            }
            let stored = draft.refund(number)?;
            stored.status = if owed { RefundStatus::Replaced } else { RefundStatus::Failed };
            stored.reference = Some(reference.to_owned());
            stored.look_up_at = None;
            draft.done_with(Task::Refund(number));
            overlays::close_review(&mut draft.escrow, ReviewCause::RefundInDoubt, number);
            // What is left waits for an operator: under a number of its own where a part of it is settled.
            let waits = match rest {
                Some(rest) if owed => {
                    let (payment, capture, of) = (rest.payment, rest.capture, rest.of);
                    Some(draft.push_refund(payment, capture, of, rest.principal, rest.amount, RefundStatus::Failed)?)
                }
                Some(_) => Some(number),
                None => None,
            };
            if let Some(number) = waits {
                overlays::add_review(&mut draft, ReviewCause::RefundFailed, number, why);
            }
        }
        (RefundStatus::Pending, RefundOutcome::Pending)
        | (RefundStatus::Succeeded, RefundOutcome::Pending | RefundOutcome::Succeeded)
        | (RefundStatus::Failed | RefundStatus::Resolved | RefundStatus::Replaced, _) => {
            return Ok(Outcome::AlreadyDone);
        }
    }
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// What the buyer needs to pay: one of the two.
#[derive(Clone, Copy, Default)]
pub struct Page<'a> {
    /// The gateway's page.
    pub url: Option<&'a str>,
    /// The key to the gateway's form on the marketplace's own page.
    pub client_secret: Option<&'a str>,
}

/// Stores the page that a gateway opened. The webhook may have come first, or the escrow may have been given up meanwhile: the
/// answer is merged into what stands there.
///
/// # Errors
/// [`Undecided::Misfit`] if there is no such payment.
pub fn checkout_opened(
    escrow: &Escrow,
    number: u16,
    reference: &str,
    page: &Page<'_>,
    expires_at: Timestamp,
    now: Moment,
) -> Result<Outcome, Undecided> {
    let mut draft = quiet_draft(escrow, now);
    let payment = asked_payment(&mut draft, number)?;
    match payment.merge_opened(reference, page, expires_at) {
        Merged::Known => return Ok(Outcome::AlreadyDone),
        Merged::Stored => {}
        Merged::TooLate => close_payment(&mut draft, number)?,
    }
    quietly(draft)
}

/// The gateway refuses to open the page: nobody can pay it, and the escrow may expire.
///
/// # Errors
/// [`Undecided::Misfit`] if there is no such payment.
pub fn checkout_refused(escrow: &Escrow, number: u16, now: Moment) -> Result<Outcome, Undecided> {
    let mut draft = quiet_draft(escrow, now);
    match asked_payment(&mut draft, number)?.merge_refused(now.at) {
        Merged::Known => Ok(Outcome::AlreadyDone),
        Merged::Stored | Merged::TooLate => quietly(draft),
    }
}

/// The gateway answered with a 5xx, which it would replay for the key's life: the next request of this payment needs another key.
///
/// # Errors
/// [`Undecided::Misfit`] if there is no such payment.
pub fn next_attempt(escrow: &Escrow, number: u16, failed: u8, now: Moment) -> Result<Outcome, Undecided> {
    let mut draft = quiet_draft(escrow, now);
    match asked_payment(&mut draft, number)?.merge_failed(failed) {
        Merged::Known => Ok(Outcome::AlreadyDone),
        Merged::Stored | Merged::TooLate => quietly(draft),
    }
}

/// A draft of a change that is no entry.
pub(super) fn quiet_draft(escrow: &Escrow, now: Moment) -> Draft {
    Draft::new(escrow, Actor::gateway(), Operation { name: [0; 8], content: [0; 8] }, now)
}
