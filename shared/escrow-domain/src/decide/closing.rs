//! Giving up: before payment at once, after it as the rules of consent say.

use super::consent;
use super::draft::{Draft, next_number};
use super::guard::{guard, guard_any, pick};
use crate::effect::Task;
use crate::journal::Part;
use crate::lifecycle::{Role, Stage, Transition};
use crate::milestone::Ended;
use crate::payment::PaymentStatus;
use crate::refusal::{Refusal, Undecided};

/// Gives up what is not wanted any more: a milestone that waits for its payment at once, of a paid one what is held, by the rules of
/// [`consent`]. Without a name it is all that waits where nothing is held, else the only milestone.
pub(super) fn cancel(draft: &mut Draft, milestone: Option<u8>, reason: Option<String>) -> Result<(), Undecided> {
    let (role, now) = (draft.actor().role, draft.at());
    let is_held = draft.escrow.milestones.iter().any(|milestone| !milestone.money.held.is_zero());
    let index = match milestone {
        None if !is_held => None,
        named => Some(pick(&draft.escrow, named)?),
    };
    let is_partys = matches!(role, Role::Buyer | Role::Seller);
    if let Some(index) = index.filter(|_| is_partys)
        && !draft.milestone(index)?.money.held.is_zero()
    {
        return consent::cancel_held(draft, index, reason);
    }
    match index {
        Some(index) => guard(&draft.escrow, Transition::Cancel, role, index, now)?,
        None => guard_any(&draft.escrow, Transition::Cancel, role, now).map(|_| ())?,
    }
    if role == Role::Operator && reason.is_none() {
        return Err(Refusal::ReasonRequired.into());
    }
    draft.record(Transition::Cancel, index.map(Part::Milestone), None, reason)?;
    match index {
        Some(index) => {
            draft.milestone(index)?.ended = Some(Ended::Cancelled);
            close_payments(draft)
        }
        None => end_unpaid(draft, Ended::Cancelled),
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
