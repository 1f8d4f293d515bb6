//! A gateway's facts about a top-up. They may come in any order and any number of times.

use super::create::merged;
use super::draft::{Draft, Words};
use super::{GivenBack, TopUp, TopUpAttempt, TopUpChargeback, TopUpFact, TopUpOutcome, TopUpTransition};
use crate::chargeback::ChargebackStatus;
use crate::command::ChargebackTold;
use crate::decide::{Moment, Outcome};
use crate::id::GatewayName;
use crate::journal::Seen;
use crate::lifecycle::Role;
use crate::money::{Minor, Money};
use crate::payment::{Capture, PaymentStatus};
use crate::refusal::{Broken, Misfit, Refusal, Undecided};
use crate::time::Timestamp;
use crate::wallet::LineKind;

/// How a wallet's lines call what a refund by hand takes, and gives back when it fails after all.
const BY_HAND: (LineKind, LineKind) = (LineKind::TopUpRefunded, LineKind::TopUp);
/// How they call what a chargeback takes, and gives back when it is won.
const BY_BANK: (LineKind, LineKind) = (LineKind::Chargeback, LineKind::ChargebackWon);

/// Decides one fact.
///
/// # Errors
/// [`Undecided::Misfit`] if it does not fit what is stored, [`Undecided::Refused`] if it is no gateway's, [`Undecided::Broken`] if an
/// invariant of the money would not hold. In all three nothing has changed.
pub fn decide(top_up: &TopUp, attempt: &TopUpAttempt, now: Moment) -> Result<TopUpOutcome, Undecided> {
    match top_up.journal.seen(&attempt.operation) {
        Seen::Before(_) => return Ok(Outcome::AlreadyDone),
        Seen::Otherwise => return Err(Refusal::KeyReused.into()),
        Seen::New => {}
    }
    // Only what a gateway has signed, or answered, is a fact.
    if attempt.actor.role != Role::Gateway {
        return Err(Refusal::Stranger.into());
    }
    if top_up.gateway()? != attempt.command.gateway() {
        return Err(Misfit::OtherGateway.into());
    }
    match &attempt.command {
        TopUpFact::Paid { capture, money, reference, .. } => {
            paid(top_up, capture, *money, reference.as_deref(), attempt, now)
        }
        TopUpFact::Processing { .. } => merged(top_up, now, |payment| payment.merge_processing()),
        TopUpFact::Closed { .. } => merged(top_up, now, |payment| payment.merge_closed(now.at)),
        TopUpFact::CaptureRefunded { capture, total, told_at, .. } => {
            refunded(top_up, capture, *total, *told_at, attempt, now)
        }
        TopUpFact::ChargebackOpened { chargeback, reason } => {
            let open = |known: &mut TopUpChargeback| {
                if known.reason.is_none() {
                    known.reason = Some(reason.clone());
                }
            };
            charged_back(top_up, chargeback, TopUpTransition::Chargeback, open, attempt, now)
        }
        TopUpFact::ChargebackFunds { chargeback, moved, back } => {
            check_unit(top_up, *moved)?;
            let funds = |known: &mut TopUpChargeback| {
                // Told once each; a lost one whose taking was never told of counts as taken.
                let place = if *back { &mut known.given_back } else { &mut known.taken };
                if place.is_zero() {
                    *place = moved.amount;
                }
            };
            charged_back(top_up, chargeback, TopUpTransition::Chargeback, funds, attempt, now)
        }
        TopUpFact::ChargebackClosed { chargeback, won } => {
            let end = |known: &mut TopUpChargeback| {
                // A loss is final; what was won can still be lost.
                if known.status == ChargebackStatus::Lost || (known.status == ChargebackStatus::Won && *won) {
                    return;
                }
                known.status = if *won { ChargebackStatus::Won } else { ChargebackStatus::Lost };
                known.ended_at = Some(now.at);
                if !*won && known.taken.is_zero() {
                    known.taken = known.amount;
                }
            };
            let transition = if *won { TopUpTransition::WinChargeback } else { TopUpTransition::LoseChargeback };
            charged_back(top_up, chargeback, transition, end, attempt, now)
        }
    }
}

/// Money arrived: also late, or a second time, it is the owner's.
fn paid(
    top_up: &TopUp,
    capture: &str,
    money: Money,
    reference: Option<&str>,
    attempt: &TopUpAttempt,
    now: Moment,
) -> Result<TopUpOutcome, Undecided> {
    let expected = top_up.pay_in();
    if money != expected {
        return Err(Misfit::other_amount(money, expected).into());
    }
    if top_up.payment.capture(capture).is_some() {
        return Ok(Outcome::AlreadyDone);
    }
    let mut draft = Draft::new(top_up, now);
    // Captures are named by a byte.
    u8::try_from(top_up.payment.captures.len()).map_err(|_| Broken("captures without end"))?;
    let payment = &mut draft.top_up.payment;
    let (id, at) = (capture.to_owned(), now.at);
    payment.captures.push(Capture { id, amount: money.amount, at, applied: true, unasked: Minor::ZERO });
    payment.status = PaymentStatus::Paid;
    payment.forget_page();
    if payment.reference.is_none() {
        payment.reference = reference.map(str::to_owned);
    }
    draft.credit(words(TopUpTransition::Credit, attempt, capture, None))?;
    draft.outcome()
}

/// Somebody gave a capture back at the gateway. Totals are applied as the difference to what is known; the newest counts.
fn refunded(
    top_up: &TopUp,
    capture: &str,
    total: Money,
    told_at: Timestamp,
    attempt: &TopUpAttempt,
    now: Moment,
) -> Result<TopUpOutcome, Undecided> {
    let (index, whole) = known_capture(top_up, capture)?;
    check_unit(top_up, total)?;
    if total.amount > whole {
        return Err(Misfit::other_amount(total, whole.of(total.currency)).into());
    }
    let mut draft = Draft::new(top_up, now);
    let before = top_up.taken(index)?;
    let news = GivenBack { capture: index, total: total.amount, told_at };
    match draft.top_up.refunded.iter_mut().find(|known| known.capture == index) {
        Some(known) if (known.told_at, known.total) >= (told_at, total.amount) => return Ok(Outcome::AlreadyDone),
        Some(known) => *known = news,
        None => draft.top_up.refunded.push(news),
    }
    if draft.top_up.taken(index)? == before {
        return draft.outcome();
    }
    draft.take(index, before, BY_HAND, words(TopUpTransition::AbsorbRefund, attempt, capture, None))?;
    draft.outcome()
}

/// The card's holder disputes a capture at the bank. What the gateway takes is claimed from the wallet at once: nothing of it is held.
fn charged_back(
    top_up: &TopUp,
    told: &ChargebackTold,
    transition: TopUpTransition,
    news: impl FnOnce(&mut TopUpChargeback),
    attempt: &TopUpAttempt,
    now: Moment,
) -> Result<TopUpOutcome, Undecided> {
    let (index, _) = known_capture(top_up, &told.capture)?;
    check_unit(top_up, told.money)?;
    let mut draft = Draft::new(top_up, now);
    let before = top_up.taken(index)?;
    let fresh = TopUpChargeback {
        reference: told.reference.clone(),
        capture: index,
        amount: told.money.amount,
        reason: None,
        status: ChargebackStatus::Open,
        taken: Minor::ZERO,
        given_back: Minor::ZERO,
        opened_at: now.at,
        ended_at: None,
    };
    let chargebacks = &mut draft.top_up.chargebacks;
    let at = chargebacks.iter().position(|known| known.reference == told.reference).unwrap_or(chargebacks.len());
    if at == chargebacks.len() {
        chargebacks.push(fresh);
    }
    let known = chargebacks.get_mut(at).ok_or(Broken("a chargeback that does not exist"))?;
    if known.capture != index {
        return Err(Misfit::RefundUnknown.into());
    }
    news(known);
    if draft.top_up == *top_up {
        return Ok(Outcome::AlreadyDone);
    }
    let note = known_reason(&draft.top_up, at);
    draft.take(index, before, BY_BANK, words(transition, attempt, &told.reference, note))?;
    draft.outcome()
}

fn known_reason(top_up: &TopUp, at: usize) -> Option<String> {
    top_up.chargebacks.get(at).and_then(|known| known.reason.clone())
}

fn known_capture(top_up: &TopUp, capture: &str) -> Result<(u8, Minor), Undecided> {
    let (index, known) = top_up.payment.capture(capture).ok_or(Misfit::RefundUnknown)?;
    Ok((u8::try_from(index).map_err(|_| Broken("captures without end"))?, known.amount))
}

fn check_unit(top_up: &TopUp, money: Money) -> Result<(), Misfit> {
    let unit = top_up.pay_in();
    if money.currency == unit.currency { Ok(()) } else { Err(Misfit::other_amount(money, unit)) }
}

fn words(transition: TopUpTransition, attempt: &TopUpAttempt, reference: &str, note: Option<String>) -> Words {
    let reference = Some(reference.to_owned());
    Words { transition, actor: attempt.actor.clone(), operation: attempt.operation, reference, note }
}

impl TopUpFact {
    /// Which gateway tells it.
    #[must_use]
    pub const fn gateway(&self) -> GatewayName {
        match self {
            Self::Paid { gateway, .. }
            | Self::Processing { gateway, .. }
            | Self::Closed { gateway, .. }
            | Self::CaptureRefunded { gateway, .. } => *gateway,
            Self::ChargebackOpened { chargeback, .. }
            | Self::ChargebackFunds { chargeback, .. }
            | Self::ChargebackClosed { chargeback, .. } => chargeback.gateway,
        }
    }
}
