//! The guards: table, stops, time. The decisions ask them before they move anything; `actions` asks them to tell what is allowed.

use crate::escrow::{Escrow, Review, ReviewCause};
use crate::lifecycle::{Permission, Role, Transition, permission};
use crate::milestone::Milestone;
use crate::payment::RefundOf;
use crate::policy::{MOST_DISPUTES, MOST_ROUNDS};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// The milestone that a command means: the named one, or the only one.
///
/// # Errors
/// [`Refusal::MilestoneRequired`] if there are several and none is named, [`Refusal::MilestoneUnknown`] if there is none of that index.
pub fn pick(escrow: &Escrow, named: Option<u8>) -> Result<u8, Refusal> {
    match named {
        Some(index) if usize::from(index) < escrow.milestones.len() => Ok(index),
        Some(_) => Err(Refusal::MilestoneUnknown),
        None if escrow.milestones.len() == 1 => Ok(0),
        None => Err(Refusal::MilestoneRequired),
    }
}

/// Whether this transition of this milestone is allowed to this role now, amounts aside.
///
/// # Errors
/// The [`Refusal`] that comes first: role, stage, stop, count, time.
pub fn guard(escrow: &Escrow, transition: Transition, role: Role, index: u8, now: Timestamp) -> Result<(), Refusal> {
    let milestone = escrow.milestones.get(usize::from(index)).ok_or(Refusal::MilestoneUnknown)?;
    match permission(transition, role, &milestone.stages()) {
        Permission::Granted(_) => {}
        Permission::WrongActor => return Err(Refusal::WrongRole { transition, role }),
        Permission::WrongStage => return Err(Refusal::WrongStage { transition, stage: milestone.stage() }),
    }
    if moves_money_out(transition) {
        check_not_stopped(escrow)?;
    }
    check_time(escrow, transition, milestone, index, now)
}

/// The same for a command about the whole escrow: allowed if it is for any of its milestones; that milestone.
///
/// # Errors
/// The [`Refusal`] of the first milestone, if all refuse.
pub(super) fn guard_any(escrow: &Escrow, transition: Transition, role: Role, now: Timestamp) -> Result<u8, Refusal> {
    let mut first = None;
    for index in (0_u8..).take(escrow.milestones.len()) {
        match guard(escrow, transition, role, index, now) {
            Ok(()) => return Ok(index),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or(Refusal::MilestoneUnknown))
}

/// Whether a transition lets money leave, so that freezes and reviews stop it.
const fn moves_money_out(transition: Transition) -> bool {
    match transition {
        Transition::Release
        | Transition::AutoRelease
        | Transition::Refund
        | Transition::Withdraw
        | Transition::AgreeCancel
        | Transition::MissDelivery
        | Transition::Accept
        | Transition::Rule
        | Transition::DefaultDispute
        | Transition::OperatorRelease
        | Transition::OperatorRefund => true,
        Transition::Create
        | Transition::AddPayment
        | Transition::Fund
        | Transition::Expire
        | Transition::Cancel
        | Transition::ClosePayment
        | Transition::AbsorbPayment
        | Transition::Deliver
        | Transition::RequestChanges
        | Transition::Dispute
        | Transition::WithdrawDispute
        | Transition::Propose
        | Transition::ConfirmRefund
        | Transition::FailRefund
        | Transition::AbsorbRefund
        | Transition::LookUp
        | Transition::Resolve
        | Transition::Abandon
        | Transition::Freeze
        | Transition::Unfreeze
        | Transition::Remind
        | Transition::Chargeback
        | Transition::LoseChargeback
        | Transition::CreditWallet
        | Transition::AskCancel
        | Transition::AskExtend
        | Transition::AddEvidence
        | Transition::Extend => false,
    }
}

fn check_not_stopped(escrow: &Escrow) -> Result<(), Refusal> {
    if let Some(freeze) = escrow.freezes.first() {
        return Err(Refusal::Frozen { reason: freeze.reason.clone() });
    }
    if escrow.reviews.is_empty() { Ok(()) } else { Err(Refusal::InReview) }
}

fn before(escrow: &Escrow, deadline: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    match deadline.map(|deadline| escrow.paused_until_now(deadline, now)) {
        Some(ended_at) if now >= ended_at => Err(Refusal::TooLate { ended_at }),
        Some(_) | None => Ok(()),
    }
}

/// Whether the refund of that number gives back money of this milestone.
fn is_of(escrow: &Escrow, refund: u16, milestone: u8) -> bool {
    escrow.refunds.get(usize::from(refund)).is_some_and(|refund| refund.of == RefundOf::Milestone(milestone))
}

fn check_time(
    escrow: &Escrow,
    transition: Transition,
    milestone: &Milestone,
    index: u8,
    now: Timestamp,
) -> Result<(), Refusal> {
    let policy = &escrow.terms.policy;
    match transition {
        Transition::Deliver => before(escrow, milestone.deliver_by, now),
        Transition::RequestChanges if milestone.rounds >= MOST_ROUNDS => Err(Refusal::RoundsUsedUp),
        // From the deadline on it is the clock's to release, however late its tick.
        Transition::RequestChanges => before(escrow, milestone.auto_release_at, now),
        Transition::Withdraw => before(
            escrow,
            milestone.funded_at.map(|funded| funded.after(policy.cancel_window).after(milestone.paused)),
            now,
        ),
        Transition::Dispute => {
            let disputes = escrow.disputes.iter().filter(|dispute| dispute.milestone == index).count();
            if escrow.open_dispute(index).is_some() {
                return Err(Refusal::WrongStage { transition, stage: milestone.stage() });
            }
            if disputes >= usize::from(MOST_DISPUTES) {
                return Err(Refusal::DisputesUsedUp);
            }
            // What a failed refund brought back waits for an operator, who could not decide about money that is locked. The buyer
            // loses nothing: a review stops the window.
            let failed =
                |review: &Review| review.cause == ReviewCause::RefundFailed && is_of(escrow, review.part, index);
            if escrow.reviews.iter().any(failed) {
                return Err(Refusal::InReview);
            }
            before(escrow, milestone.dispute_until(policy.dispute_window), now)
        }
        Transition::Rule => {
            let stage = milestone.stage();
            let dispute = escrow.open_dispute(index).ok_or(Refusal::WrongStage { transition, stage })?;
            let allowed_at = escrow.paused_until_now(dispute.evidence_until, now);
            if now < allowed_at {
                return Err(Refusal::TooEarly { allowed_at });
            }
            before(escrow, Some(dispute.rule_by), now)
        }
        Transition::WithdrawDispute => before(escrow, escrow.open_dispute(index).map(|dispute| dispute.rule_by), now),
        Transition::Create
        | Transition::AddPayment
        | Transition::Fund
        | Transition::Expire
        | Transition::Cancel
        | Transition::ClosePayment
        | Transition::AbsorbPayment
        | Transition::Release
        | Transition::AutoRelease
        | Transition::Refund
        | Transition::AgreeCancel
        | Transition::MissDelivery
        | Transition::Propose
        | Transition::Accept
        | Transition::DefaultDispute
        | Transition::ConfirmRefund
        | Transition::FailRefund
        | Transition::AbsorbRefund
        | Transition::LookUp
        | Transition::Resolve
        | Transition::Abandon
        | Transition::Freeze
        | Transition::Unfreeze
        | Transition::Remind
        | Transition::Chargeback
        | Transition::LoseChargeback
        | Transition::CreditWallet
        | Transition::AskCancel
        | Transition::AskExtend
        | Transition::AddEvidence
        | Transition::Extend
        | Transition::OperatorRelease
        | Transition::OperatorRefund => Ok(()),
    }
}
