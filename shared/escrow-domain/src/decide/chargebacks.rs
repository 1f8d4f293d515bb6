//! Chargebacks: the holder of a card disputes a capture at the bank. What is told of one may come in any order and any number of times;
//! what is told of one that is not known yet makes it known.
//!
//! While the bank has not decided, nothing leaves. Won: it goes on. Lost: the money is gone, and somebody bears it. First comes what is
//! still here of **this payment**: refunds of it that were never sent, or that failed, are withdrawn, since the buyer has that money now;
//! then what is held, then what is disputed. Then the seller, up to what was received of it. The rest the buyer owes: it was refunded and
//! charged back, or is a fee that was earned.

use super::Outcome;
use super::draft::{Change, Draft, Moment, next_number};
use super::funding::worth;
use super::moves::gateway_of;
use super::overlays::{add_freeze, bounded, close_review};
use super::unasked::{absorb, known_capture};
use crate::chargeback::{Chargeback, ChargebackStatus};
use crate::command::ChargebackTold;
use crate::effect::{Progress, Task};
use crate::escrow::{Escrow, FreezeCause, Review, ReviewCause};
use crate::fees;
use crate::id::{Operation, RefundId};
use crate::journal::{Account, Actor, Part};
use crate::lifecycle::Transition;
use crate::milestone::Bucket;
use crate::money::{Minor, Money};
use crate::payment::{Payment, Refund, RefundOf, RefundStatus};
use crate::refusal::{Broken, Misfit, Undecided};
use crate::wallet::LineKind;

/// Where no reason was told (yet).
const NO_REASON: &str = "a card's holder disputes the payment";

/// A card's holder disputes a capture: nothing leaves until that is over.
pub(super) fn opened(mut draft: Draft, told: &ChargebackTold, reason: &str) -> Result<Outcome, Undecided> {
    if let Some(number) = known(&draft.escrow, told)? {
        // The opening was overtaken by what came after it. Only the reason is new.
        let freeze = place_of_freeze(&draft.escrow, number);
        let stored = draft.chargeback(number)?;
        if stored.reason.is_some() {
            return Ok(Outcome::AlreadyDone);
        }
        stored.reason = Some(bounded(reason));
        if let Some(freeze) = freeze.and_then(|at| draft.escrow.freezes.get_mut(at)) {
            freeze.reason = bounded(reason);
        }
        return Ok(Outcome::Changed(Box::new(draft.finish_quietly()?)));
    }
    let (part, reference) = (next_part(&draft)?, Some(told.reference.clone()));
    draft.record(Transition::Freeze, Some(part), reference, Some(reason.to_owned()))?;
    begin(&mut draft, told, Some(reason), ChargebackStatus::Open)?;
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// The gateway took the disputed money, or gave it back.
pub(super) fn funds_moved(
    mut draft: Draft,
    told: &ChargebackTold,
    moved: Money,
    back: bool,
) -> Result<Outcome, Undecided> {
    if moved.currency != told.money.currency {
        return Err(Misfit::other_amount(moved, told.money).into());
    }
    let known = known(&draft.escrow, told)?;
    let part = known.map_or_else(|| next_part(&draft), |number| Ok(Part::Chargeback(number)))?;
    draft.record(Transition::Chargeback, Some(part), Some(told.reference.clone()), None)?;
    let number = match known {
        Some(number) => number,
        None => begin(&mut draft, told, None, ChargebackStatus::Open)?,
    };
    let (gateway, disputed) = (Account::Gateway(told.gateway), Account::Chargebacks(told.gateway));
    let stored = draft.chargeback(number)?;
    if back {
        stored.given_back = stored.given_back.plus(moved.amount)?;
        draft.book_in(gateway, disputed, moved)?;
    } else {
        stored.taken = stored.taken.plus(moved.amount)?;
        draft.book_in(disputed, gateway, moved)?;
    }
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// The bank has decided. A loss is final here; a win can still be followed by a loss.
pub(super) fn closed(mut draft: Draft, told: &ChargebackTold, won: bool) -> Result<Outcome, Undecided> {
    let known = known(&draft.escrow, told)?;
    let status =
        known.map_or(Ok(ChargebackStatus::Open), |number| draft.chargeback(number).map(|stored| stored.status))?;
    match (status, won) {
        (ChargebackStatus::Lost, _) | (ChargebackStatus::Won, true) => return Ok(Outcome::AlreadyDone),
        (ChargebackStatus::Open, _) | (ChargebackStatus::Won, false) => {}
    }
    let (transition, ended) = if won {
        (Transition::Unfreeze, ChargebackStatus::Won)
    } else {
        (Transition::LoseChargeback, ChargebackStatus::Lost)
    };
    let part = known.map_or_else(|| next_part(&draft), |number| Ok(Part::Chargeback(number)))?;
    draft.record(transition, Some(part), Some(told.reference.clone()), None)?;
    let number = match known {
        Some(number) => {
            if let Some(freeze) = place_of_freeze(&draft.escrow, number) {
                draft.escrow.freezes.remove(freeze);
            }
            number
        }
        None => begin(&mut draft, told, None, ended)?,
    };
    let at = draft.at();
    let stored = draft.chargeback(number)?;
    stored.status = ended;
    stored.ended_at = Some(at);
    if !won {
        bear(&mut draft, number)?;
    }
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// The number of the chargeback that is told of; `None` if it is new.
fn known(escrow: &Escrow, told: &ChargebackTold) -> Result<Option<u16>, Undecided> {
    let (number, index) = known_capture(escrow, told.gateway, &told.capture)?;
    let unit = escrow.payments.get(usize::from(number)).ok_or(Misfit::RefundUnknown)?.charged(escrow.terms.currency);
    let mut all = (0_u16..).zip(&escrow.chargebacks);
    let same = |one: &Chargeback| one.gateway == told.gateway && one.reference == told.reference;
    let Some((at, stored)) = all.find(|(_, one)| same(one)) else {
        if told.money.currency == unit.currency && !told.money.amount.is_zero() {
            return Ok(None);
        }
        return Err(Misfit::other_amount(told.money, unit).into());
    };
    if (stored.payment, stored.capture) != (number, index) {
        return Err(Misfit::RefundUnknown.into());
    }
    let expected = stored.amount.of(unit.currency);
    if told.money == expected { Ok(Some(at)) } else { Err(Misfit::other_amount(told.money, expected).into()) }
}

fn next_part(draft: &Draft) -> Result<Part, Undecided> {
    Ok(Part::Chargeback(next_number(draft.escrow.chargebacks.len())?))
}

/// Makes a chargeback known; its number. One that is open freezes the escrow.
fn begin(
    draft: &mut Draft,
    told: &ChargebackTold,
    reason: Option<&str>,
    status: ChargebackStatus,
) -> Result<u16, Undecided> {
    let (payment, capture) = known_capture(&draft.escrow, told.gateway, &told.capture)?;
    let number = next_number(draft.escrow.chargebacks.len())?;
    let opened_at = draft.at();
    draft.escrow.chargebacks.push(Chargeback {
        reference: told.reference.clone(),
        gateway: told.gateway,
        payment,
        capture,
        amount: told.money.amount,
        reason: reason.map(bounded),
        status,
        taken: Minor::ZERO,
        given_back: Minor::ZERO,
        of_escrow: Minor::ZERO,
        of_seller: Minor::ZERO,
        of_buyer: Minor::ZERO,
        opened_at,
        ended_at: None,
    });
    if status == ChargebackStatus::Open {
        add_freeze(draft, FreezeCause::Chargeback, reason.unwrap_or(NO_REASON));
    }
    Ok(number)
}

/// The freeze of an open chargeback: they stand in the same order as the chargebacks.
fn place_of_freeze(escrow: &Escrow, number: u16) -> Option<usize> {
    let stored = escrow.chargebacks.get(usize::from(number)).filter(|stored| stored.is_open())?;
    let earlier = escrow.chargebacks.iter().take_while(|one| *one != stored).filter(|one| one.is_open()).count();
    let freezes = escrow.freezes.iter().enumerate().filter(|(_, freeze)| freeze.cause == FreezeCause::Chargeback);
    freezes.map(|(at, _)| at).nth(earlier)
}

/// A lost chargeback is borne: by what is still here of the payment, then by the seller, then by the buyer.
fn bear(draft: &mut Draft, number: u16) -> Result<(), Undecided> {
    let lost = draft.chargeback(number)?.clone();
    let payment = draft.payment(lost.payment)?.clone();
    let unit = payment.charged(draft.escrow.terms.currency).currency;
    let capture = payment.captures.get(usize::from(lost.capture)).ok_or(Broken("a chargeback of no capture"))?;
    let account = Account::Chargebacks(lost.gateway);
    let covered = if capture.applied {
        bear_applied(draft, number, &payment)?
    } else {
        let left = take_refunds(draft, &lost, lost.amount)?;
        let covered = lost.amount.minus(left)?;
        draft.chargeback(number)?.of_escrow = covered;
        covered
    };
    let of_buyer = lost.amount.minus(covered)?;
    draft.chargeback(number)?.of_buyer = of_buyer;
    if !of_buyer.is_zero() {
        look_up_first(draft, &lost);
    }
    let buyer = Account::Receivable(draft.escrow.terms.buyer.clone());
    draft.book_in(buyer, account, of_buyer.of(unit))
}

/// Refunds of the capture that may have been sent are looked up before anything is sent again: see [`needless_refund`].
fn look_up_first(draft: &mut Draft, lost: &Chargeback) {
    let Draft { escrow, .. } = draft;
    for effect in &mut escrow.effects {
        let Task::Refund(number) = effect.task else { continue };
        let refund = escrow.refunds.get(usize::from(number));
        if refund.is_some_and(|refund| (refund.payment, refund.capture) == (lost.payment, lost.capture)) {
            effect.look_up_first = true;
        }
    }
}

/// What the milestones and the seller bear of a lost chargeback, in minor units of what was charged.
fn bear_applied(draft: &mut Draft, number: u16, payment: &Payment) -> Result<Minor, Undecided> {
    let lost = draft.chargeback(number)?.clone();
    let charged = payment.charged(draft.escrow.terms.currency);
    // In the escrow's unit: what everything that was taken from this capture is worth now, less what it was worth before.
    let before = gone_before(draft, number, payment)?.min(charged.amount);
    let after = before.plus(lost.amount)?.min(charged.amount);
    let (part, need) = (after.minus(before)?, worth(payment, after)?.minus(worth(payment, before)?)?);
    let to = if payment.pay_in.is_some() { Account::Exchange } else { Account::Chargebacks(lost.gateway) };
    let mut left = take_refunds(draft, &lost, need)?;
    for bucket in [Bucket::Held, Bucket::Disputed] {
        for milestone in &payment.milestones {
            left = absorb(draft, *milestone, &[bucket], &to, left)?;
        }
    }
    let of_escrow = need.minus(left)?;
    let of_seller = left.min(received(draft, lost.payment, payment)?);
    let seller = draft.escrow.terms.seller.clone();
    draft.book(Account::Wallet(seller.clone()), to, of_seller)?;
    draft.move_wallet(seller, LineKind::Chargeback, of_seller)?;
    left = left.minus(of_seller)?;
    let stored = draft.chargeback(number)?;
    stored.of_escrow = of_escrow;
    stored.of_seller = of_seller;
    let covered = match payment.pay_in {
        None => need.minus(left)?,
        Some(_) if left.is_zero() => part,
        // Rounded down: the fraction is the buyer's, who has the money.
        Some(_) => part.share(need.minus(left)?, need)?,
    };
    if payment.pay_in.is_some() {
        draft.book_in(Account::Exchange, Account::Chargebacks(lost.gateway), covered.of(charged.currency))?;
    }
    Ok(covered)
}

/// What was taken from a capture before this chargeback was lost, in minor units of what was charged: by other lost ones, and by the gateway
/// unasked.
fn gone_before(draft: &mut Draft, number: u16, payment: &Payment) -> Result<Minor, Undecided> {
    let this = draft.chargeback(number)?.clone();
    let unasked = payment.captures.get(usize::from(this.capture)).map_or(Minor::ZERO, |capture| capture.unasked);
    let others = (0_u16..).zip(&draft.escrow.chargebacks).filter(|(other, one)| {
        *other != number
            && (one.payment, one.capture) == (this.payment, this.capture)
            && one.status == ChargebackStatus::Lost
    });
    Ok(Minor::sum(others.map(|(_, one)| one.amount))?.plus(unasked)?)
}

/// What the seller has received of a payment, less what earlier chargebacks of it took.
fn received(draft: &Draft, number: u16, payment: &Payment) -> Result<Minor, Undecided> {
    let mut sum = Minor::ZERO;
    for index in &payment.milestones {
        let milestone = draft.escrow.milestones.get(usize::from(*index)).ok_or(Broken("a payment of no milestone"))?;
        let released = milestone.money.released;
        sum = sum.plus(released.minus(fees::taken(milestone.fee.seller, released, milestone.amount)?)?)?;
    }
    let earlier = draft.escrow.chargebacks.iter().filter(|one| one.payment == number);
    Ok(sum.minus(Minor::sum(earlier.map(|one| one.of_seller))?)?)
}

/// Withdraws refunds of the capture that were never sent, or that failed and wait for an operator, as far as they are needed: the buyer
/// has this money already. What is left of `need`.
fn take_refunds(draft: &mut Draft, lost: &Chargeback, need: Minor) -> Result<Minor, Undecided> {
    let mut left = need;
    for number in 0..next_number(draft.escrow.refunds.len())? {
        let refund = draft.refund(number)?.clone();
        let here = (refund.payment, refund.capture) == (lost.payment, lost.capture);
        let failed = refund.status == RefundStatus::Failed;
        if left.is_zero() || !here || !(failed || was_never_sent(draft, number, &refund)) {
            continue;
        }
        let (taken, rest) = divide(&refund, left)?;
        left = left.minus(taken.amount)?;
        let account = Account::Chargebacks(lost.gateway);
        let money = taken.amount.of(draft.escrow.refund_money(&refund).currency);
        match (refund.of, failed) {
            (RefundOf::Milestone(index), true) => {
                draft.undo_refund(index, &taken, Bucket::Held, Bucket::Refunded, account)?;
            }
            (RefundOf::Unapplied, true) => draft.book_in(Account::Unapplied(lost.gateway), account, money)?,
            (RefundOf::Milestone(index), false) => {
                draft.shift(index, Bucket::Refunding, Bucket::Refunded, taken.principal)?;
                draft.book_in(Account::Refunds(lost.gateway), account, money)?;
            }
            (RefundOf::Unapplied, false) => draft.book_in(Account::Refunds(lost.gateway), account, money)?,
        }
        draft.refund(number)?.status = RefundStatus::Replaced;
        draft.done_with(Task::Refund(number));
        if failed {
            still_failed(draft, number, rest)?;
        } else if let Some(rest) = rest {
            draft.promise_refund(rest.payment, rest.capture, rest.of, rest.principal, rest.amount)?;
        }
    }
    Ok(left)
}

/// Whether no request of this refund can ever have been sent. A promise from before a restore may have been, and so may one that an operator
/// has had tried again.
fn was_never_sent(draft: &Draft, number: u16, refund: &Refund) -> bool {
    let effect = draft.escrow.effect(Task::Refund(number));
    refund.status == RefundStatus::Promised
        && effect.is_some_and(|effect| {
            effect.progress == Progress::Ready && !effect.look_up_first && effect.epoch >= draft.now.epoch
        })
}

/// A refund under way when a chargeback of its capture was lost was never made, as its gateway says now: as far as the buyer owes what the
/// chargeback took, it is withdrawn; the rest is promised anew. `None` if it is still wanted.
pub(crate) fn needless_refund(escrow: &Escrow, task: Task, now: Moment) -> Result<Option<Change>, Undecided> {
    let Task::Refund(number) = task else { return Ok(None) };
    let Some(refund) = escrow.refunds.get(usize::from(number)).cloned() else { return Ok(None) };
    let of_capture = |lost: &&Chargeback| (lost.payment, lost.capture) == (refund.payment, refund.capture);
    let owes = escrow.chargebacks.iter().filter(of_capture).any(|lost| !lost.of_buyer.is_zero());
    if !owes || refund.status != RefundStatus::Promised {
        return Ok(None);
    }
    let gateway = gateway_of(escrow, &refund)?;
    let name = RefundId { escrow: escrow.id, number }.to_string();
    let operation = Operation::of_gateway(gateway, &name, "never made");
    let mut draft = Draft::new(escrow, Actor::gateway(), operation, now);
    let note = "it was never made, and a lost chargeback has given the buyer the money";
    draft.record(Transition::FailRefund, Some(Part::Refund(number)), None, Some(note.to_owned()))?;
    let (rest, _) = pay_off(&mut draft, &refund, Bucket::Refunding, &Account::Refunds(gateway))?;
    draft.refund(number)?.status = RefundStatus::Replaced;
    draft.done_with(task);
    if let Some(rest) = rest {
        draft.promise_refund(rest.payment, rest.capture, rest.of, rest.principal, rest.amount)?;
    }
    Ok(Some(draft.finish()?))
}

/// Divides a refund: up to so much of it, and the rest if there is any. The principal is divided alike, the fraction stays with the first.
fn divide(refund: &Refund, most: Minor) -> Result<(Refund, Option<Refund>), Undecided> {
    let amount = refund.amount.min(most);
    let left = refund.amount.minus(amount)?;
    if left.is_zero() {
        return Ok((refund.clone(), None));
    }
    let principal = refund.principal.share(left, refund.amount)?;
    let taken = Refund { amount, principal: refund.principal.minus(principal)?, ..refund.clone() };
    Ok((taken, Some(Refund { amount: left, principal, ..refund.clone() })))
}

/// What is left of a failed refund waits for the operator under a number of its own: the old one is told of by its old amount.
fn still_failed(draft: &mut Draft, number: u16, rest: Option<Refund>) -> Result<(), Undecided> {
    let mut reviews = draft.escrow.reviews.iter();
    let review = reviews.find(|review| review.cause == ReviewCause::RefundFailed && review.part == number).cloned();
    close_review(&mut draft.escrow, ReviewCause::RefundFailed, number);
    let Some(rest) = rest else { return Ok(()) };
    let part =
        draft.push_refund(rest.payment, rest.capture, rest.of, rest.principal, rest.amount, RefundStatus::Failed)?;
    let (note, since) = review.map_or_else(|| (String::new(), draft.at()), |review| (review.note, review.since));
    draft.escrow.reviews.push(Review { cause: ReviewCause::RefundFailed, part, note, since });
    Ok(())
}

/// A refund failed, so that its money is here again. What the buyer owes of a lost chargeback of the same capture is paid with it. What is
/// left of the refund: all of it where nothing is owed. The caller brings the rest back.
///
/// `from` is the bucket in which the refund's money was, `source` the account that has it.
pub(super) fn pay_off(
    draft: &mut Draft,
    refund: &Refund,
    from: Bucket,
    source: &Account,
) -> Result<(Option<Refund>, bool), Undecided> {
    let (payment, capture) = (refund.payment, refund.capture);
    let mut owed = Minor::ZERO;
    for lost in draft.escrow.chargebacks.iter_mut().filter(|lost| (lost.payment, lost.capture) == (payment, capture)) {
        let part = lost.of_buyer.min(refund.amount.minus(owed)?);
        lost.of_buyer = lost.of_buyer.minus(part)?;
        owed = owed.plus(part)?;
    }
    if owed.is_zero() {
        return Ok((Some(refund.clone()), false));
    }
    let (paid, rest) = divide(refund, owed)?;
    if let (RefundOf::Milestone(index), Bucket::Refunding) = (refund.of, from) {
        draft.shift(index, Bucket::Refunding, Bucket::Refunded, paid.principal)?;
    }
    let money = owed.of(draft.escrow.refund_money(refund).currency);
    let buyer = Account::Receivable(draft.escrow.terms.buyer.clone());
    draft.book_in(source.clone(), buyer, money)?;
    Ok((rest, true))
}
