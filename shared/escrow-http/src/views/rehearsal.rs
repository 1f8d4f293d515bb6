//! A rehearsal: what a command would do. Nothing was written.

use super::escrow::FeeView;
use super::event::{EventView, PostingView, event, postings};
use super::{amount, milestone_name, time, whole};
use crate::problem::Answer;
use escrow_domain::decide::{Change, Deadline};
use escrow_domain::escrow::Escrow;
use escrow_domain::wallet::WalletMove;
use serde::Serialize;

/// What would happen.
#[derive(Debug, Clone, Serialize)]
pub struct Rehearsal {
    dry_run: bool,
    status: &'static str,
    fees: FeeView,
    postings: Vec<PostingView>,
    wallets: Vec<WalletMoveView>,
    timers: Vec<TimerView>,
    events: Vec<EventView>,
}

/// A deadline: what happens by itself, to which milestone, and when.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TimerView {
    name: &'static str,
    milestone: String,
    at: String,
}

/// What a wallet gets or gives; its type says which.
#[derive(Debug, Clone, Serialize)]
pub struct WalletMoveView {
    owner: String,
    r#type: &'static str,
    amount: String,
    currency: String,
}

/// From the escrow as it is to the escrow as it would be.
///
/// # Errors
/// 500 if its money cannot be summed: corrupt data.
pub fn rehearsal(before: &Escrow, change: &Change) -> Answer<Rehearsal> {
    from(before.journal.len(), &change.escrow, &change.moves)
}

/// The same for an escrow that would be created.
///
/// # Errors
/// As [`rehearsal`].
pub fn rehearsal_of_creation(change: &Change) -> Answer<Rehearsal> {
    from(0, &change.escrow, &change.moves)
}

/// The same where nothing would happen any more: it has.
///
/// # Errors
/// As [`rehearsal`].
pub fn rehearsal_of_nothing(escrow: &Escrow) -> Answer<Rehearsal> {
    from(escrow.journal.len(), escrow, &[])
}

/// What is going to happen to an escrow by itself, the next first.
pub(super) fn timers(escrow: &Escrow) -> Vec<TimerView> {
    escrow.deadlines().iter().map(timer).collect()
}

/// `known` entries have happened already; what comes after them would be new.
fn from(known: usize, after: &Escrow, moves: &[WalletMove]) -> Answer<Rehearsal> {
    let totals = whole(after.totals())?;
    let numbered = (after.journal.paged..).zip(&after.journal.entries);
    let new: Vec<_> =
        numbered.filter(|(number, _)| usize::try_from(*number).is_ok_and(|number| number >= known)).collect();
    Ok(Rehearsal {
        dry_run: true,
        status: after.status().as_str(),
        fees: FeeView { payer: after.terms.fee_payer.as_str(), amount: amount(totals.fee, after.terms.currency) },
        postings: new.iter().flat_map(|(_, entry)| postings(after.id, &entry.postings)).collect(),
        wallets: wallet_moves(moves),
        timers: timers(after),
        events: new.iter().map(|(number, entry)| event(after, *number, entry)).collect(),
    })
}

/// What a change would do to wallets.
#[must_use]
pub fn wallet_moves(moves: &[WalletMove]) -> Vec<WalletMoveView> {
    let view = |moved: &WalletMove| WalletMoveView {
        owner: moved.owner.to_string(),
        r#type: moved.kind.as_str(),
        amount: amount(moved.amount, moved.currency),
        currency: moved.currency.to_string(),
    };
    moves.iter().map(view).collect()
}

fn timer(deadline: &Deadline) -> TimerView {
    TimerView {
        name: deadline.transition.as_str(),
        milestone: milestone_name(deadline.milestone),
        at: time(deadline.at),
    }
}
