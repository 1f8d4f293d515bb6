//! What one side may not do alone: give up what is held, and move a deadline that the other side relies on. One side asks, the other
//! agrees; the latest ask counts.

use super::draft::Draft;
use super::guard::{before, guard, pick};
use crate::escrow::Escrow;
use crate::journal::Part;
use crate::lifecycle::{Permission, Role, Transition, permission};
use crate::milestone::{Ask, AskFor, Bucket, Milestone};
use crate::policy::LONGEST_EXTENSION;
use crate::refusal::{Refusal, Undecided};
use crate::time::Timestamp;

/// What the other side has asked for.
fn asked_of(role: Role, milestone: &Milestone) -> Option<AskFor> {
    milestone.asked.filter(|ask| ask.by != role).map(|ask| ask.what)
}

/// Whether this side may ask to give up what is held: only where it needs the other side's word, and does not have it yet.
pub(super) fn check_ask_cancel(
    escrow: &Escrow,
    role: Role,
    milestone: &Milestone,
    index: u8,
    now: Timestamp,
) -> Result<(), Refusal> {
    before(escrow, milestone.deadline(), now)?;
    if guard(escrow, Transition::Withdraw, role, index, now).is_ok() {
        return Err(Refusal::NoNeedToAsk { instead: Transition::Withdraw });
    }
    if asked_of(role, milestone) == Some(AskFor::Cancel) {
        return Err(Refusal::NoNeedToAsk { instead: Transition::AgreeCancel });
    }
    Ok(())
}

/// Whether the other side has asked to give up what is held.
pub(super) fn check_agree_cancel(
    escrow: &Escrow,
    role: Role,
    milestone: &Milestone,
    now: Timestamp,
) -> Result<(), Refusal> {
    before(escrow, milestone.deadline(), now)?;
    if asked_of(role, milestone) == Some(AskFor::Cancel) { Ok(()) } else { Err(Refusal::NothingAsked) }
}

/// Whether the running deadline can still be moved, by whomever the table says.
pub(super) fn check_extend(escrow: &Escrow, milestone: &Milestone, now: Timestamp) -> Result<(), Refusal> {
    // From the deadline on it is the clock's, however late its tick.
    before(escrow, milestone.deadline(), now)?;
    if milestone.extended >= LONGEST_EXTENSION { Err(Refusal::ExtensionsUsedUp) } else { Ok(()) }
}

/// A party gives up what is held: alone where the rules let it, else by asking, else by agreeing.
pub(super) fn cancel_held(draft: &mut Draft, index: u8, reason: Option<String>) -> Result<(), Undecided> {
    let (role, at) = (draft.actor().role, draft.at());
    let asked = asked_of(role, draft.milestone(index)?);
    let transition = if guard(&draft.escrow, Transition::Withdraw, role, index, at).is_ok() {
        Transition::Withdraw
    } else if asked == Some(AskFor::Cancel) {
        Transition::AgreeCancel
    } else {
        Transition::AskCancel
    };
    guard(&draft.escrow, transition, role, index, at)?;
    draft.record(transition, Some(Part::Milestone(index)), None, reason)?;
    let milestone = draft.milestone(index)?;
    if transition == Transition::AskCancel {
        milestone.asked = Some(Ask { by: role, what: AskFor::Cancel, at });
        return Ok(());
    }
    let held = milestone.money.held;
    draft.refund_buyer(index, Bucket::Held, held)
}

/// The side that it hurts moves the running deadline, or agrees with what was asked; the other side asks. The table says which is which.
pub(super) fn extend(
    draft: &mut Draft,
    milestone: Option<u8>,
    until: Option<Timestamp>,
    reason: Option<String>,
) -> Result<(), Undecided> {
    let index = pick(&draft.escrow, milestone)?;
    let (role, at) = (draft.actor().role, draft.at());
    let there = draft.milestone(index)?.clone();
    let transition = match permission(Transition::Extend, role, &there.stages()) {
        Permission::Granted(_) => Transition::Extend,
        Permission::WrongStage | Permission::WrongActor => Transition::AskExtend,
    };
    guard(&draft.escrow, transition, role, index, at)?;
    let deadline = there.deadline().ok_or(Refusal::WrongStage { transition, stage: there.stage() })?;
    let until = match (until, asked_of(role, &there)) {
        (Some(until), _) | (None, Some(AskFor::Extend(until))) => until,
        (None, Some(AskFor::Cancel) | None) => return Err(Refusal::UntilRequired.into()),
    };
    let most = deadline.after(LONGEST_EXTENSION).before(there.extended);
    if until <= deadline || until > most {
        return Err(Refusal::UntilOutOfBounds { after: deadline, most }.into());
    }
    draft.record(transition, Some(Part::Milestone(index)), Some(until.to_string()), reason)?;
    let milestone = draft.milestone(index)?;
    if transition == Transition::AskExtend {
        milestone.asked = Some(Ask { by: role, what: AskFor::Extend(until), at });
        return Ok(());
    }
    let clock =
        if milestone.auto_release_at.is_some() { &mut milestone.auto_release_at } else { &mut milestone.deliver_by };
    *clock = Some(until);
    milestone.extended = milestone.extended.plus(until.since(deadline));
    Ok(())
}
