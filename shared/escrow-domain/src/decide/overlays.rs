//! Freezes and reviews: overlays that stop outward moves and clocks, and the operator's way out.

use super::draft::Draft;
use super::guard::guard_any;
use super::moves::gateway_of;
use crate::command::Resolution;
use crate::effect::{Progress, Task};
use crate::escrow::{Escrow, Freeze, FreezeCause, LONGEST_NOTE, Review, ReviewCause};
use crate::journal::{Account, Entry, Part};
use crate::lifecycle::{Role, Transition};
use crate::milestone::Bucket;
use crate::payment::{Refund, RefundOf, RefundStatus};
use crate::refusal::{Broken, Refusal, Undecided};
use crate::wallet::LineKind;

pub(super) fn add_freeze(draft: &mut Draft, cause: FreezeCause, reason: &str) {
    let since = draft.at();
    draft.escrow.freezes.push(Freeze { cause, reason: bounded(reason), since });
}

pub(super) fn add_review(draft: &mut Draft, cause: ReviewCause, part: u16, note: &str) {
    let since = draft.at();
    draft.escrow.reviews.push(Review { cause, part, note: bounded(note), since });
}

/// A card's holder disputes a capture: nothing leaves until that is over. Whether that changes anything.
pub(super) fn chargeback_opened(draft: &mut Draft, reference: &str, reason: &str) -> Result<bool, Undecided> {
    // Facts come in any order: of one that is known to be over the opening comes too late to stop anything.
    if entry_about(&draft.escrow, Transition::Unfreeze, reference).is_some() {
        return Ok(false);
    }
    draft.record(Transition::Freeze, None, Some(reference.to_owned()), Some(reason.to_owned()))?;
    add_freeze(draft, FreezeCause::Chargeback, reason);
    Ok(true)
}

/// That dispute at the bank is over. A lost one stays frozen: an operator decides who bears it. Whether that changes anything.
pub(super) fn chargeback_closed(draft: &mut Draft, reference: &str, won: bool) -> Result<bool, Undecided> {
    if !won {
        return Ok(false);
    }
    let opened = entry_about(&draft.escrow, Transition::Freeze, reference).map(|entry| entry.at);
    let frozen = draft.escrow.freezes.iter().position(|freeze| {
        // Another chargeback's freeze stays. The entry that tells which is which may have moved into a page; then the oldest goes.
        freeze.cause == FreezeCause::Chargeback
            && opened.map_or(draft.escrow.journal.paged > 0, |at| freeze.since == at)
    });
    if opened.is_some() && frozen.is_none() {
        return Ok(false);
    }
    draft.record(Transition::Unfreeze, None, Some(reference.to_owned()), None)?;
    if let Some(at) = frozen {
        draft.escrow.freezes.remove(at);
    }
    Ok(true)
}

/// The gateway's own entry of that kind about that object of its.
fn entry_about<'a>(escrow: &'a Escrow, transition: Transition, reference: &str) -> Option<&'a Entry> {
    escrow.journal.entries.iter().find(|entry| {
        entry.transition == transition
            && entry.actor.role == Role::Gateway
            && entry.reference.as_deref() == Some(reference)
    })
}

/// A gateway's words may be longer than ours.
fn bounded(text: &str) -> String {
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
    if draft.escrow.freezes.is_empty() {
        return Err(Refusal::NotFrozen.into());
    }
    draft.record(Transition::Unfreeze, None, None, Some(reason.to_owned()))?;
    draft.escrow.freezes.clear();
    Ok(())
}

/// An operator decides the oldest review.
pub(super) fn resolve(draft: &mut Draft, resolution: Resolution, reason: &str) -> Result<(), Undecided> {
    if draft.actor().role != Role::Operator {
        return Err(Refusal::WrongRole { transition: Transition::Resolve, role: draft.actor().role }.into());
    }
    let review = draft.escrow.reviews.first().cloned().ok_or(Refusal::NothingToResolve)?;
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

/// The refund failed, its money is held again. Done: the operator gave it back by hand. Retry: another refund is promised.
fn resolve_failed(draft: &mut Draft, number: u16, resolution: Resolution) -> Result<(), Undecided> {
    let refund: Refund = draft.refund(number)?.clone();
    let gateway = gateway_of(draft.payment(refund.payment)?)?;
    match (resolution, refund.of) {
        (Resolution::Done, RefundOf::Milestone(index)) => {
            draft.undo_refund(index, &refund, Bucket::Held, Bucket::Refunded, Account::Gateway(gateway))?;
            draft.refund(number)?.status = RefundStatus::Resolved;
            Ok(())
        }
        (Resolution::Done, RefundOf::Unapplied) => {
            draft.book(Account::Unapplied(gateway), Account::Gateway(gateway), refund.amount)?;
            draft.refund(number)?.status = RefundStatus::Resolved;
            Ok(())
        }
        (Resolution::CreditWallet, RefundOf::Milestone(index)) => {
            let buyer = draft.escrow.terms.buyer.clone();
            draft.undo_refund(index, &refund, Bucket::Held, Bucket::Refunded, Account::Wallet(buyer.clone()))?;
            draft.refund(number)?.status = RefundStatus::Resolved;
            draft.move_wallet(buyer, LineKind::Refund, refund.amount)
        }
        (Resolution::CreditWallet, RefundOf::Unapplied) => {
            let buyer = draft.escrow.terms.buyer.clone();
            draft.book(Account::Unapplied(gateway), Account::Wallet(buyer.clone()), refund.amount)?;
            draft.refund(number)?.status = RefundStatus::Resolved;
            draft.move_wallet(buyer, LineKind::Refund, refund.amount)
        }
        (Resolution::Retry, RefundOf::Milestone(index)) => {
            draft.refund(number)?.status = RefundStatus::Replaced;
            draft.undo_refund(index, &refund, Bucket::Held, Bucket::Refunding, Account::Refunds(gateway))?;
            draft.promise_refund(refund.payment, refund.capture, refund.of, refund.principal, refund.amount)
        }
        (Resolution::Retry, RefundOf::Unapplied) => {
            draft.refund(number)?.status = RefundStatus::Replaced;
            draft.book(Account::Unapplied(gateway), Account::Refunds(gateway), refund.amount)?;
            draft.promise_refund(refund.payment, refund.capture, refund.of, refund.principal, refund.amount)
        }
    }
}

/// Nobody could find out whether the gateway made the refund. Done: it did. Retry: it did not, and is asked again under a new key.
fn resolve_in_doubt(draft: &mut Draft, number: u16, resolution: Resolution) -> Result<(), Undecided> {
    match resolution {
        Resolution::Done | Resolution::CreditWallet => {
            let refund = draft.refund(number)?.clone();
            let gateway = gateway_of(draft.payment(refund.payment)?)?;
            if resolution == Resolution::Done {
                draft.book(Account::Refunds(gateway), Account::Gateway(gateway), refund.amount)?;
            } else {
                let buyer = draft.escrow.terms.buyer.clone();
                draft.book(Account::Refunds(gateway), Account::Wallet(buyer.clone()), refund.amount)?;
                draft.move_wallet(buyer, LineKind::Refund, refund.amount)?;
            }
            if let RefundOf::Milestone(index) = refund.of {
                draft.shift(index, Bucket::Refunding, Bucket::Refunded, refund.principal)?;
            }
            let stored = draft.refund(number)?;
            stored.status = RefundStatus::Resolved;
            stored.look_up_at = None;
            draft.done_with(Task::Refund(number));
            Ok(())
        }
        Resolution::Retry => {
            let (due_at, epoch) = (draft.at(), draft.now.epoch);
            let known = draft.escrow.effects.iter_mut().find(|effect| effect.task == Task::Refund(number));
            if let Some(effect) = known {
                effect.progress = Progress::Ready;
                effect.key_suffix = effect.key_suffix.checked_add(1).ok_or(Broken("keys without end"))?;
                // The operator may err, and looking costs nothing.
                effect.look_up_first = true;
                effect.due_at = due_at;
                effect.epoch = epoch;
                effect.tries = 0;
                // Promised anew: its thirty days begin again.
                draft.refund(number)?.promised_at = due_at;
                return Ok(());
            }
            // The gateway has a refund under every key that this one ever had, so another takes its place. The money stays on its way.
            let refund = draft.refund(number)?.clone();
            draft.refund(number)?.status = RefundStatus::Replaced;
            draft.promise_refund(refund.payment, refund.capture, refund.of, refund.principal, refund.amount)
        }
    }
}
