//! Money that a gateway gave back although nobody here had asked for it: somebody did it by hand at the gateway. What is still here of
//! that payment is booked as gone; what is no longer here is an operator's to find.

use super::Outcome;
use super::disputes;
use super::draft::{Draft, next_number};
use super::funding::worth;
use super::overlays::{add_review, close_review};
use crate::dispute::DisputeStatus;
use crate::effect::{Progress, Task};
use crate::escrow::{Escrow, ReviewCause};
use crate::fees;
use crate::id::GatewayName;
use crate::journal::{Account, Part};
use crate::lifecycle::Transition;
use crate::milestone::{Bucket, Milestone};
use crate::money::{Minor, Money};
use crate::payment::{RefundOf, RefundStatus};
use crate::refusal::{Misfit, Undecided};
use crate::time::Timestamp;

/// The gateway tells a total. What our own refunds do not explain was given back by somebody else.
pub(super) fn capture_refunded(
    mut draft: Draft,
    gateway: GatewayName,
    capture: &str,
    total: Money,
    told_at: Timestamp,
) -> Result<Outcome, Undecided> {
    let (number, index) = known_capture(&draft.escrow, gateway, capture)?;
    let payment = draft.payment(number)?.clone();
    let Some(known) = payment.captures.get(usize::from(index)).cloned() else {
        return Err(Misfit::RefundUnknown.into());
    };
    let unit = payment.charged(draft.escrow.terms.currency).currency;
    if total.currency != unit || total.amount > known.amount {
        return Err(Misfit::other_amount(total, known.amount.of(unit)).into());
    }
    let explained = ours(&draft.escrow, number, index, told_at)?.plus(known.unasked)?;
    if total.amount <= explained {
        return Ok(Outcome::AlreadyDone);
    }
    let excess = total.amount.minus(explained)?;
    draft.record(Transition::AbsorbRefund, Some(Part::Payment(number)), Some(capture.to_owned()), None)?;
    let gone = by_hand(&mut draft, gateway, (number, index), told_at, excess)?;
    if gone.is_zero() {
        return Ok(Outcome::Changed(Box::new(draft.finish()?)));
    }
    let unasked = known.unasked.plus(gone)?;
    if let Some(stored) = draft.payment(number)?.captures.get_mut(usize::from(index)) {
        stored.unasked = unasked;
    }
    // In the escrow's unit: what all that went back is worth now, less what it was worth before.
    let whole = worth(&payment, unasked)?.minus(worth(&payment, known.unasked)?)?;
    let mut left = whole;
    let to = if payment.pay_in.is_some() { Account::Exchange } else { Account::Gateway(gateway) };
    if known.applied {
        for milestone in &payment.milestones {
            left = absorb(&mut draft, *milestone, &[Bucket::Held, Bucket::Disputed], &to, left)?;
        }
        if payment.pay_in.is_some() {
            let covered = if left.is_zero() { gone } else { gone.share(whole.minus(left)?, whole)? };
            draft.book_in(Account::Exchange, Account::Gateway(gateway), covered.of(unit))?;
        }
    }
    // Of several milestones it is a guess which one was meant.
    if !left.is_zero() || !known.applied || payment.milestones.len() > 1 {
        let note = format!("the gateway gave back {} {unit} that nobody here asked for", excess.of(unit));
        add_review(&mut draft, ReviewCause::RefundUnasked, number, &note);
    }
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// The capture of that name, as payment's number and index: of a payment that was made at this gateway.
pub(super) fn known_capture(escrow: &Escrow, gateway: GatewayName, capture: &str) -> Result<(u16, u8), Undecided> {
    for (number, payment) in (0_u16..).zip(&escrow.payments) {
        let found = (0_u8..).zip(&payment.captures).find(|(_, known)| known.id == capture);
        match found {
            Some((index, _)) if payment.gateway() == Some(gateway) => return Ok((number, index)),
            Some(_) => return Err(Misfit::OtherGateway.into()),
            None => {}
        }
    }
    Err(Misfit::RefundUnknown.into())
}

/// What our own refunds of a capture explain. One that was never sent explains nothing; one that failed, what was told before.
fn ours(escrow: &Escrow, payment: u16, capture: u8, told_at: Timestamp) -> Result<Minor, Undecided> {
    let mut sum = Minor::ZERO;
    for (number, refund) in (0_u16..).zip(&escrow.refunds) {
        let waits = escrow.effect(Task::Refund(number)).is_some_and(|effect| effect.progress == Progress::Ready);
        let counts = match refund.status {
            RefundStatus::Failed => !is_told_after_failure(escrow, number, told_at),
            RefundStatus::Replaced => false,
            RefundStatus::Promised | RefundStatus::Pending | RefundStatus::Succeeded | RefundStatus::Resolved => true,
        };
        let here = (refund.payment, refund.capture) == (payment, capture) && escrow.refund_gateway(refund).is_some();
        if here && counts && !waits {
            sum = sum.plus(refund.amount)?;
        }
    }
    Ok(sum)
}

/// Whether something was told after a refund had failed, as far as is known here: then it is about something else than that refund.
/// The review that its failure began stands as long as it counts as failed.
fn is_told_after_failure(escrow: &Escrow, refund: u16, told_at: Timestamp) -> bool {
    let mut reviews = escrow.reviews.iter();
    reviews.any(|review| review.cause == ReviewCause::RefundFailed && review.part == refund && told_at > review.since)
}

/// A refund that had failed and waits for an operator was made by hand at the gateway: that is its end. What is left of `excess`.
fn by_hand(
    draft: &mut Draft,
    gateway: GatewayName,
    capture: (u16, u8),
    told_at: Timestamp,
    excess: Minor,
) -> Result<Minor, Undecided> {
    let mut left = excess;
    for number in 0..next_number(draft.escrow.refunds.len())? {
        let refund = draft.refund(number)?.clone();
        let this = (refund.payment, refund.capture) == capture;
        let waits = refund.status == RefundStatus::Failed && is_told_after_failure(&draft.escrow, number, told_at);
        if !this || !waits || refund.amount > left {
            continue;
        }
        left = left.minus(refund.amount)?;
        match refund.of {
            RefundOf::Milestone(index) => {
                draft.undo_refund(index, &refund, Bucket::Held, Bucket::Refunded, Account::Gateway(gateway))?;
            }
            RefundOf::Unapplied => {
                let money = draft.escrow.refund_money(&refund);
                draft.book_in(Account::Unapplied(gateway), Account::Gateway(gateway), money)?;
            }
        }
        draft.refund(number)?.status = RefundStatus::Resolved;
        close_review(&mut draft.escrow, ReviewCause::RefundFailed, number);
    }
    Ok(left)
}

/// Books what is gone, onto `to`, as far as these buckets of a milestone still have it. What is left of `gone`, in the escrow's unit.
pub(super) fn absorb(
    draft: &mut Draft,
    index: u8,
    from: &[Bucket],
    to: &Account,
    gone: Minor,
) -> Result<Minor, Undecided> {
    let there = draft.milestone(index)?.clone();
    // What a failed refund brought back waits for an operator; it is not this fact's to take.
    let failed = draft
        .escrow
        .refunds
        .iter()
        .filter(|refund| refund.of == RefundOf::Milestone(index) && refund.status == RefundStatus::Failed);
    let free = there.money.held.minus(Minor::sum(failed.map(|refund| refund.principal))?)?;
    let free = if from.contains(&Bucket::Held) { free } else { Minor::ZERO };
    let locked = if from.contains(&Bucket::Disputed) { there.money.disputed } else { Minor::ZERO };
    let here = free.plus(locked)?;
    if here.is_zero() || gone.is_zero() {
        return Ok(gone);
    }
    let principal = principal_of(&there, here, gone)?;
    let whole = principal.plus(fee_with(&there, principal)?)?;
    let from_held = principal.min(free);
    draft.shift(index, Bucket::Held, Bucket::Refunded, from_held)?;
    let from_disputed = principal.minus(from_held)?;
    draft.shift(index, Bucket::Disputed, Bucket::Refunded, from_disputed)?;
    if !from_disputed.is_zero() && from_disputed == there.money.disputed {
        disputes::end(draft, index, DisputeStatus::Overruled, Some(from_disputed))?;
    }
    let booked = whole.min(gone);
    draft.book(Account::Escrow, to.clone(), booked)?;
    // The fee is counted in whole units: where no principal makes exactly this much, the platform keeps the fraction.
    draft.book(Account::Escrow, Account::Fees, whole.minus(booked)?)?;
    Ok(gone.minus(booked)?)
}

/// The buyer's fee that goes back with this much of what is still here.
fn fee_with(milestone: &Milestone, principal: Minor) -> Result<Minor, Undecided> {
    let before = milestone.money.refunding.plus(milestone.money.refunded)?;
    let fee = |gone: Minor| fees::returned(milestone.fee.buyer, gone, milestone.amount);
    Ok(fee(before.plus(principal)?)?.minus(fee(before)?)?)
}

/// The least principal that makes `gone` with its share of the fee; all that is here if that is not enough.
fn principal_of(milestone: &Milestone, here: Minor, gone: Minor) -> Result<Minor, Undecided> {
    let one = Minor::new(1)?;
    let (mut low, mut high) = (Minor::ZERO, here);
    while low < high {
        let middle = low.plus(high.minus(low)?.share(one, Minor::new(2)?)?)?;
        if middle.plus(fee_with(milestone, middle)?)? >= gone {
            high = middle;
        } else {
            low = middle.plus(one)?;
        }
    }
    Ok(low)
}
