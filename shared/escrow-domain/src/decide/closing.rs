//! Giving up before payment, and giving money back after it.

use super::draft::{Draft, next_number};
use super::guard::{guard, guard_any, pick};
use super::moves::{operators_bucket, part_of};
use crate::effect::Task;
use crate::journal::Part;
use crate::lifecycle::{Role, Stage, Transition};
use crate::milestone::{Bucket, Ended};
use crate::money::Minor;
use crate::payment::PaymentStatus;
use crate::refusal::{Refusal, Undecided};

/// Unpaid: cancelled. Paid and within the window: the buyer's money back.
pub(super) fn cancel(draft: &mut Draft, milestone: Option<u8>, reason: Option<String>) -> Result<(), Undecided> {
    let (role, now) = (draft.actor().role, draft.at());
    let paid = draft.escrow.milestones.iter().any(|milestone| !milestone.money.held.is_zero());
    if role != Role::Buyer || !paid {
        guard_any(&draft.escrow, Transition::Cancel, role, now)?;
        if role == Role::Operator && reason.is_none() {
            return Err(Refusal::ReasonRequired.into());
        }
        draft.record(Transition::Cancel, None, None, reason)?;
        end_unpaid(draft, Ended::Cancelled)
    } else {
        let index = pick(&draft.escrow, milestone)?;
        guard(&draft.escrow, Transition::Withdraw, role, index, now)?;
        draft.record(Transition::Withdraw, Some(Part::Milestone(index)), None, reason)?;
        let held = draft.milestone(index)?.money.held;
        draft.refund_buyer(index, Bucket::Held, held)
    }
}

/// Ends every milestone that still waits for its payment, and closes what could still pay it.
pub(super) fn end_unpaid(draft: &mut Draft, how: Ended) -> Result<(), Undecided> {
    for milestone in &mut draft.escrow.milestones {
        if milestone.stage() == Stage::Pending {
            milestone.ended = Some(how);
        }
    }
    close_payments(draft)
}

/// Closes every payment that could still be paid for a milestone that no longer waits: the gateway is told where it knows a
/// page. A page whose address never arrived here cannot be named; if it is paid after all, the payment is absorbed.
pub(super) fn close_payments(draft: &mut Draft) -> Result<(), Undecided> {
    for number in 0..next_number(draft.escrow.payments.len())? {
        let payment = draft.payment(number)?.clone();
        let waits = |index: &u8| {
            let milestone = draft.escrow.milestones.get(usize::from(*index));
            milestone.is_some_and(|milestone| milestone.stage() == Stage::Pending)
        };
        if payment.is_live() && !payment.milestones.iter().all(waits) {
            close_payment(draft, number)?;
        }
    }
    Ok(())
}

/// Nobody shall pay this any more.
pub(super) fn close_payment(draft: &mut Draft, number: u16) -> Result<(), Undecided> {
    let payment = draft.payment(number)?;
    payment.url = None;
    payment.client_secret = None;
    payment.request = None;
    if payment.reference.is_some() {
        payment.status = PaymentStatus::Closing;
        draft.promise(Task::ClosePayment(number));
    } else {
        payment.status = PaymentStatus::Closed;
    }
    Ok(())
}

pub(super) fn refund(
    draft: &mut Draft,
    milestone: Option<u8>,
    amount: Option<Minor>,
    reason: Option<String>,
) -> Result<(), Undecided> {
    let index = pick(&draft.escrow, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    if role != Role::Operator {
        guard(&draft.escrow, Transition::Refund, role, index, now)?;
        draft.record(Transition::Refund, Some(Part::Milestone(index)), None, reason)?;
        let part = part_of(draft, index, Bucket::Held, amount)?;
        return draft.refund_buyer(index, Bucket::Held, part);
    }
    guard(&draft.escrow, Transition::OperatorRefund, role, index, now)?;
    let reason = reason.ok_or(Refusal::ReasonRequired)?;
    draft.record(Transition::OperatorRefund, Some(Part::Milestone(index)), None, Some(reason))?;
    let from = operators_bucket(draft, index)?;
    let part = part_of(draft, index, from, amount)?;
    super::disputes::overrule(draft, index, from, Minor::ZERO, part)?;
    draft.refund_buyer(index, from, part)
}
