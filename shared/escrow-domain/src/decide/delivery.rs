//! Delivery, and the changes that a buyer asks for.

use super::draft::Draft;
use super::guard::{guard, pick};
use crate::journal::Part;
use crate::lifecycle::Transition;
use crate::policy::REVISION_TIME;
use crate::refusal::Undecided;

pub(super) fn deliver(draft: &mut Draft, milestone: Option<u8>, note: Option<String>) -> Result<(), Undecided> {
    let index = pick(&draft.escrow, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::Deliver, role, index, now)?;
    draft.record(Transition::Deliver, Some(Part::Milestone(index)), None, note)?;
    start_inspection(draft, index)
}

/// The work is there: silence is acceptance from now on.
pub(super) fn start_inspection(draft: &mut Draft, index: u8) -> Result<(), Undecided> {
    let (now, from, after) = (draft.at(), draft.clock_starts(), draft.escrow.terms.policy.auto_release_after);
    let milestone = draft.milestone(index)?;
    milestone.delivered_at = Some(now);
    milestone.auto_release_at = Some(from.after(after));
    milestone.deliver_by = None;
    milestone.paused = crate::time::Period::ZERO;
    Ok(())
}

pub(super) fn request_changes(draft: &mut Draft, milestone: Option<u8>, note: Option<String>) -> Result<(), Undecided> {
    let index = pick(&draft.escrow, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::RequestChanges, role, index, now)?;
    draft.record(Transition::RequestChanges, Some(Part::Milestone(index)), None, note)?;
    let revise_by = draft.clock_starts().after(draft.escrow.terms.policy.deliver_within.min(REVISION_TIME));
    let milestone = draft.milestone(index)?;
    milestone.delivered_at = None;
    milestone.auto_release_at = None;
    milestone.deliver_by = Some(revise_by);
    milestone.rounds = milestone.rounds.saturating_add(1);
    Ok(())
}
