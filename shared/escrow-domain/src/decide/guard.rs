//! The guards: table, stops, time. The decisions ask them before they move anything; `actions` asks them to tell what is allowed.

use super::consent;
use crate::dispute::{Dispute, MOST_EVIDENCE_A_SIDE, MOST_PROPOSALS};
use crate::escrow::{Escrow, MOST_OPERATIONS, Review, ReviewCause};
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
    if is_stopped_by_overlays(transition) {
        check_not_stopped(escrow)?;
    }
    // Evidence and offers have bounds of their own, for each side.
    if matches!(transition, Transition::AskCancel | Transition::AskExtend | Transition::Extend) {
        check_room(escrow)?;
    }
    check_rules(escrow, transition, role, milestone, index, now)
}

/// Whether there is room for what a side can do again and again. What the lifecycle itself bounds needs none: by filling the list nobody
/// takes the other side's delivery, dispute or ruling.
pub(super) fn check_room(escrow: &Escrow) -> Result<(), Refusal> {
    if escrow.journal.of_people() < MOST_OPERATIONS { Ok(()) } else { Err(Refusal::Full { what: "operations" }) }
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

/// Whether freezes and reviews stop a transition: it lets money leave, or it is about a clock that stands still.
const fn is_stopped_by_overlays(transition: Transition) -> bool {
    match transition {
        Transition::Release
        | Transition::AutoRelease
        | Transition::Refund
        | Transition::Withdraw
        | Transition::AskCancel
        | Transition::AgreeCancel
        | Transition::MissDelivery
        | Transition::Accept
        | Transition::Rule
        | Transition::DefaultDispute
        | Transition::AskExtend
        | Transition::Extend
        | Transition::OperatorRelease
        | Transition::OperatorRefund
        | Transition::Remind => true,
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
        | Transition::AddEvidence
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
        | Transition::Chargeback
        | Transition::LoseChargeback
        | Transition::CreditWallet => false,
    }
}

fn check_not_stopped(escrow: &Escrow) -> Result<(), Refusal> {
    if let Some(freeze) = escrow.freezes.first() {
        return Err(Refusal::Frozen { reason: freeze.reason.clone() });
    }
    if escrow.reviews.is_empty() { Ok(()) } else { Err(Refusal::InReview) }
}

/// A window is open until its deadline, which a stop that is on now moves.
pub(super) fn before(escrow: &Escrow, deadline: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    match deadline.map(|deadline| escrow.paused_until_now(deadline, now)) {
        Some(ended_at) if now >= ended_at => Err(Refusal::TooLate { ended_at }),
        Some(_) | None => Ok(()),
    }
}

/// Whether the refund of that number gives back money of this milestone.
fn is_of(escrow: &Escrow, refund: u16, milestone: u8) -> bool {
    escrow.refunds.get(usize::from(refund)).is_some_and(|refund| refund.of == RefundOf::Milestone(milestone))
}

/// What beside stage and stops must hold: time, counts, and what the other side has said.
fn check_rules(
    escrow: &Escrow,
    transition: Transition,
    role: Role,
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
        Transition::AskCancel => consent::check_ask_cancel(escrow, role, milestone, index, now),
        Transition::AgreeCancel => consent::check_agree_cancel(escrow, role, milestone, now),
        Transition::AskExtend | Transition::Extend => consent::check_extend(escrow, milestone, now),
        Transition::Dispute => check_disputable(escrow, milestone, index, now),
        Transition::AddEvidence
        | Transition::Propose
        | Transition::Accept
        | Transition::Rule
        | Transition::WithdrawDispute => {
            let stage = milestone.stage();
            let dispute = escrow.open_dispute(index).ok_or(Refusal::WrongStage { transition, stage })?;
            check_open(escrow, transition, role, dispute, now)
        }
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
        | Transition::MissDelivery
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
        | Transition::OperatorRelease
        | Transition::OperatorRefund => Ok(()),
    }
}

/// Whether another dispute of this milestone may be opened.
fn check_disputable(escrow: &Escrow, milestone: &Milestone, index: u8, now: Timestamp) -> Result<(), Refusal> {
    let disputes = escrow.disputes.iter().filter(|dispute| dispute.milestone == index).count();
    if escrow.open_dispute(index).is_some() {
        return Err(Refusal::WrongStage { transition: Transition::Dispute, stage: milestone.stage() });
    }
    if disputes >= usize::from(MOST_DISPUTES) {
        return Err(Refusal::DisputesUsedUp);
    }
    // What a failed refund brought back waits for an operator, who could not decide about money that is locked. The buyer loses
    // nothing: a review stops the window.
    let failed = |review: &Review| review.cause == ReviewCause::RefundFailed && is_of(escrow, review.part, index);
    if escrow.reviews.iter().any(failed) {
        return Err(Refusal::InReview);
    }
    before(escrow, milestone.dispute_until(escrow.terms.policy.dispute_window), now)
}

/// What may be done about a dispute that is open. At `rule_by` it is the clock's to settle, however late its tick.
fn check_open(
    escrow: &Escrow,
    transition: Transition,
    role: Role,
    dispute: &Dispute,
    now: Timestamp,
) -> Result<(), Refusal> {
    let allowed_at = escrow.paused_until_now(dispute.evidence_until, now);
    if transition == Transition::Rule && now < allowed_at {
        return Err(Refusal::TooEarly { allowed_at });
    }
    before(escrow, Some(dispute.rule_by), now)?;
    let brought = if role == Role::Seller { dispute.evidence_of_seller } else { dispute.evidence_of_buyer };
    if transition == Transition::AddEvidence && brought >= MOST_EVIDENCE_A_SIDE {
        return Err(Refusal::Full { what: "evidence" });
    }
    if transition == Transition::Propose && dispute.proposals >= MOST_PROPOSALS {
        return Err(Refusal::Full { what: "offers" });
    }
    if transition == Transition::Accept {
        let offer = dispute.proposal.ok_or(Refusal::NothingProposed)?;
        if offer.by == role {
            return Err(Refusal::OwnProposal);
        }
    }
    Ok(())
}
