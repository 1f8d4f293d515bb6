//! A rehearsal: what a command would do. Nothing was written.

use super::escrow::FeeView;
use super::event::{EventView, PostingView, event, postings};
use super::{amount, milestone_name, time, whole};
use crate::problem::Answer;
use escrow_domain::decide::Deadline;
use escrow_domain::escrow::Escrow;
use serde::Serialize;

/// What would happen.
#[derive(Debug, Clone, Serialize)]
pub struct Rehearsal {
    dry_run: bool,
    status: &'static str,
    fees: FeeView,
    postings: Vec<PostingView>,
    timers: Vec<TimerView>,
    events: Vec<EventView>,
}

#[derive(Debug, Clone, Serialize)]
struct TimerView {
    name: &'static str,
    milestone: String,
    at: String,
}

/// From the escrow as it is to the escrow as it would be.
///
/// # Errors
/// 500 if its money cannot be summed: corrupt data.
pub fn rehearsal(before: &Escrow, after: &Escrow) -> Answer<Rehearsal> {
    from(before.journal.len(), after)
}

/// The same for an escrow that would be created.
///
/// # Errors
/// As [`rehearsal`].
pub fn rehearsal_of_creation(after: &Escrow) -> Answer<Rehearsal> {
    from(0, after)
}

/// `known` entries have happened already; what comes after them would be new.
fn from(known: usize, after: &Escrow) -> Answer<Rehearsal> {
    let totals = whole(after.totals())?;
    let numbered = (after.journal.paged..).zip(&after.journal.entries);
    let new: Vec<_> =
        numbered.filter(|(number, _)| usize::try_from(*number).is_ok_and(|number| number >= known)).collect();
    Ok(Rehearsal {
        dry_run: true,
        status: after.status().as_str(),
        fees: FeeView { payer: after.terms.fee_payer.as_str(), amount: amount(totals.fee, after.terms.currency) },
        postings: new.iter().flat_map(|(_, entry)| postings(after.id, &entry.postings)).collect(),
        timers: after.deadlines().iter().map(timer).collect(),
        events: new.iter().map(|(number, entry)| event(after, *number, entry)).collect(),
    })
}

fn timer(deadline: &Deadline) -> TimerView {
    TimerView {
        name: deadline.transition.as_str(),
        milestone: milestone_name(deadline.milestone),
        at: time(deadline.at),
    }
}
