//! What ends by itself when something else about a milestone changes: what one side has asked for, what one side has offered, and a
//! reminder that would come too soon after its deadline was set.

use crate::escrow::Escrow;
use crate::lifecycle::Stage;
use crate::milestone::{AskFor, Milestone};
use crate::money::Minor;
use crate::policy::REMINDED_FROM;
use crate::time::Timestamp;

/// What of a milestone an ask, an offer and a reminder are about.
pub(super) struct Subject {
    stage: Stage,
    deadline: Option<Timestamp>,
    disputed: Minor,
}

impl Subject {
    fn of(milestone: &Milestone) -> Self {
        Self { stage: milestone.stage(), deadline: milestone.deadline(), disputed: milestone.money.disputed }
    }

    /// Of every milestone.
    pub(super) fn all(escrow: &Escrow) -> Vec<Self> {
        escrow.milestones.iter().map(Self::of).collect()
    }
}

/// A deadline that is set at short notice needs no reminder: whoever set it has just told both sides. Asked before a stop moves anything;
/// `starts` is when deadlines that are set now begin to count.
pub(super) fn needless_reminders(escrow: &mut Escrow, before: &[Subject], starts: Timestamp) {
    for (milestone, before) in escrow.milestones.iter_mut().zip(before) {
        let set = milestone.deadline().filter(|deadline| before.deadline != Some(*deadline));
        if let Some(deadline) = set.filter(|deadline| deadline.since(starts) < REMINDED_FROM) {
            milestone.reminded_for = Some(deadline);
        }
    }
}

/// An ask is about a stage or a deadline, an offer about what is locked. When that is another one, nobody can still agree with it.
pub(super) fn asks_and_offers(escrow: &mut Escrow, before: &[Subject]) {
    for (milestone, before) in escrow.milestones.iter_mut().zip(before) {
        let now = Subject::of(milestone);
        let stands = match milestone.asked.map(|ask| ask.what) {
            None | Some(AskFor::Cancel) => now.stage == before.stage,
            Some(AskFor::Extend(_)) => now.stage == before.stage && now.deadline == before.deadline,
        };
        if !stands {
            milestone.asked = None;
        }
    }
    for dispute in escrow.disputes.iter_mut().filter(|dispute| dispute.is_open()) {
        let index = usize::from(dispute.milestone);
        let was = before.get(index).map(|before| before.disputed);
        if escrow.milestones.get(index).map(|milestone| milestone.money.disputed) != was {
            dispute.proposal = None;
        }
    }
}
