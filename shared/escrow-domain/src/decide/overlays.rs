//! Freezes and reviews: overlays that stop outward moves and clocks, and the operator's way out.

use super::chargebacks::pay_off;
use super::draft::Draft;
use super::guard::guard_any;
use super::moves::gateway_of;
use crate::command::Resolution;
use crate::effect::Task;
use crate::escrow::{Escrow, Freeze, FreezeCause, LONGEST_NOTE, Review, ReviewCause};
use crate::journal::{Account, Part};
use crate::lifecycle::{Role, Transition};
use crate::milestone::Bucket;
use crate::payment::{Refund, RefundOf, RefundStatus};
use crate::refusal::{Refusal, Undecided};
use crate::wallet::LineKind;

pub(super) fn add_freeze(draft: &mut Draft, cause: FreezeCause, reason: &str) {
    let since = draft.at();
    draft.escrow.freezes.push(Freeze { cause, reason: bounded(reason), since });
}

pub(super) fn add_review(draft: &mut Draft, cause: ReviewCause, part: u16, note: &str) {
    let since = draft.at();
    draft.escrow.reviews.push(Review { cause, part, note: bounded(note), since });
}

/// A gateway's words may be longer than ours.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(LONGEST_NOTE).collect()
}

pub(super) fn close_review(escrow: &mut Escrow, cause: ReviewCause, part: u16) {
    escrow.reviews.retain(|review| review.cause != cause || review.part != part);
}

pub(super) fn freeze(draft: &mut Draft, reason: &str) -> Result<(), Undecided> {
    guard_any(&draft.escrow, Transition::Freeze, draft.actor().role, draft.at())?;
    check_not_frozen(&draft.escrow)?;
    draft.record(Transition::Freeze, None, None, Some(reason.to_owned()))?;
    add_freeze(draft, FreezeCause::Operator, reason);
    Ok(())
}

/// An operator freezes once; a chargeback's freeze beside it is another.
pub(crate) fn check_not_frozen(escrow: &Escrow) -> Result<(), Refusal> {
    if escrow.freezes.iter().any(|freeze| freeze.cause == FreezeCause::Operator) {
        return Err(Refusal::Frozen { reason: "an operator has frozen it already".to_owned() });
    }
    Ok(())
}

pub(super) fn unfreeze(draft: &mut Draft, reason: &str) -> Result<(), Undecided> {
    guard_any(&draft.escrow, Transition::Unfreeze, draft.actor().role, draft.at())?;
    check_frozen(&draft.escrow)?;
    draft.record(Transition::Unfreeze, None, None, Some(reason.to_owned()))?;
    draft.escrow.freezes.retain(|freeze| freeze.cause != FreezeCause::Operator);
    Ok(())
}

/// An operator ends what an operator began. What a chargeback stops goes on when the bank has decided.
pub(crate) fn check_frozen(escrow: &Escrow) -> Result<(), Refusal> {
    if check_not_frozen(escrow).is_ok() { Err(Refusal::NotFrozen) } else { Ok(()) }
}

/// An operator decides the oldest review.
pub(super) fn resolve(draft: &mut Draft, resolution: Resolution, reason: &str) -> Result<(), Undecided> {
    if draft.actor().role != Role::Operator {
        return Err(Refusal::WrongRole { transition: Transition::Resolve, role: draft.actor().role }.into());
    }
    let review = draft.escrow.reviews.first().cloned().ok_or(Refusal::NothingToResolve)?;
    // A wallet's money can be paid out at once. Whatever else is decided waits at the gateway for the freeze to end.
    if let (Resolution::CreditWallet, Some(freeze)) = (resolution, draft.escrow.freezes.first()) {
        return Err(Refusal::Frozen { reason: freeze.reason.clone() }.into());
    }
    let part = match review.cause {
        ReviewCause::RefundFailed | ReviewCause::RefundInDoubt => Part::Refund(review.part),
        ReviewCause::RefundUnasked | ReviewCause::CloseFailed => Part::Payment(review.part),
    };
    draft.record(Transition::Resolve, Some(part), None, Some(reason.to_owned()))?;
    close_review(&mut draft.escrow, review.cause, review.part);
    match review.cause {
        ReviewCause::RefundFailed => resolve_failed(draft, review.part, resolution),
        ReviewCause::RefundInDoubt => resolve_in_doubt(draft, review.part, resolution),
        ReviewCause::RefundUnasked | ReviewCause::CloseFailed => Ok(()),
    }
}

/// The refund failed, its money is held again. Done: the operator gave it back by hand. Retry: another refund is promised. Credit the
/// wallet: the buyer has it there, in the unit in which the refund would have been made.
fn resolve_failed(draft: &mut Draft, number: u16, resolution: Resolution) -> Result<(), Undecided> {
    let refund: Refund = draft.refund(number)?.clone();
    let (gateway, money) = (gateway_of(&draft.escrow, &refund)?, draft.escrow.refund_money(&refund));
    let buyer = draft.escrow.terms.buyer.clone();
    let (to, bucket, status) = match resolution {
        Resolution::Done => (Account::Gateway(gateway), Bucket::Refunded, RefundStatus::Resolved),
        Resolution::CreditWallet => (Account::Wallet(buyer.clone()), Bucket::Refunded, RefundStatus::Replaced),
        Resolution::Retry => (Account::Refunds(gateway), Bucket::Refunding, RefundStatus::Replaced),
    };
    draft.refund(number)?.status = status;
    match refund.of {
        RefundOf::Milestone(index) => draft.undo_refund(index, &refund, Bucket::Held, bucket, to)?,
        RefundOf::Unapplied => draft.book_in(Account::Unapplied(gateway), to, money)?,
    }
    match resolution {
        Resolution::Done => Ok(()),
        Resolution::CreditWallet => draft.move_wallet_in(buyer, LineKind::Refund, money),
        Resolution::Retry => {
            draft.promise_refund(refund.payment, refund.capture, refund.of, refund.principal, refund.amount)
        }
    }
}

/// Nobody could find out whether the gateway made the refund. Done: it did. Retry: it did not, and is asked again under a new key. Credit
/// the wallet: it did not, and the buyer has it there.
///
/// What was not made pays first what the buyer owes of a lost chargeback of the same money.
fn resolve_in_doubt(draft: &mut Draft, number: u16, resolution: Resolution) -> Result<(), Undecided> {
    let now = draft.now;
    let refund = draft.refund(number)?.clone();
    let (gateway, money) = (gateway_of(&draft.escrow, &refund)?, draft.escrow.refund_money(&refund));
    let source = Account::Refunds(gateway);
    match resolution {
        Resolution::Done => {
            draft.book_in(source, Account::Gateway(gateway), money)?;
            arrive(draft, &refund)?;
            over(draft, number, RefundStatus::Resolved)
        }
        Resolution::CreditWallet => {
            let (rest, _) = pay_off(draft, &refund, Bucket::Refunding, &source)?;
            if let Some(rest) = rest {
                let (buyer, money) = (draft.escrow.terms.buyer.clone(), draft.escrow.refund_money(&rest));
                draft.book_in(source, Account::Wallet(buyer.clone()), money)?;
                draft.move_wallet_in(buyer, LineKind::Refund, money)?;
                arrive(draft, &rest)?;
            }
            over(draft, number, RefundStatus::Replaced)
        }
        Resolution::Retry => {
            let known = draft.escrow.effects.iter_mut().find(|effect| effect.task == Task::Refund(number));
            if let Some(effect) = known {
                effect.retry(now)?;
                // Promised anew: its thirty days begin again.
                draft.refund(number)?.promised_at = now.at;
                return Ok(());
            }
            // The gateway has a refund under every key that this one ever had, so another takes its place. The money stays on its way.
            let (rest, _) = pay_off(draft, &refund, Bucket::Refunding, &source)?;
            over(draft, number, RefundStatus::Replaced)?;
            match rest {
                Some(rest) => draft.promise_refund(rest.payment, rest.capture, rest.of, rest.principal, rest.amount),
                None => Ok(()),
            }
        }
    }
}

/// The refund's money is no longer on its way: the buyer has it.
fn arrive(draft: &mut Draft, refund: &Refund) -> Result<(), Undecided> {
    match refund.of {
        RefundOf::Milestone(index) => draft.shift(index, Bucket::Refunding, Bucket::Refunded, refund.principal),
        RefundOf::Unapplied => Ok(()),
    }
}

/// Nothing more is expected of this refund.
fn over(draft: &mut Draft, number: u16, status: RefundStatus) -> Result<(), Undecided> {
    let stored = draft.refund(number)?;
    stored.status = status;
    stored.look_up_at = None;
    draft.done_with(Task::Refund(number));
    Ok(())
}
