//! Stops: while a freeze or a review is on, no clock runs. Ending it adds its length to every deadline.

use crate::escrow::Escrow;
use crate::time::{Period, Timestamp};

/// The alarm of a stop repeats this often.
pub(crate) const ALARM_EVERY: Period = Period::days(1);

/// Begins or ends the stop that the overlays ask for. Its length is added to every deadline.
pub(crate) fn keep(escrow: &mut Escrow, now: Timestamp) {
    match (escrow.is_stopped(), escrow.stopped_since) {
        (true, None) => {
            escrow.stopped_since = Some(now);
            escrow.alarm_at = Some(now.after(ALARM_EVERY));
        }
        (false, Some(since)) => {
            let length = now.since(since);
            let later = |deadline: &mut Option<Timestamp>| *deadline = deadline.map(|at| at.after(length));
            for milestone in &mut escrow.milestones {
                if milestone.stage().is_final() {
                    continue;
                }
                later(&mut milestone.deliver_by);
                later(&mut milestone.auto_release_at);
                // The same deadline, only later: whoever was reminded of it is not reminded again.
                later(&mut milestone.reminded_for);
                // Only what the stop took from this window: it may have begun before the payment or the delivery.
                let window = milestone.delivered_at.or(milestone.funded_at).unwrap_or(since);
                milestone.paused = milestone.paused.plus(now.since(since.max(window)));
            }
            for dispute in escrow.disputes.iter_mut().filter(|dispute| dispute.is_open()) {
                dispute.evidence_until = dispute.evidence_until.after(length);
                dispute.rule_by = dispute.rule_by.after(length);
                later(&mut dispute.reminded_for);
            }
            escrow.stopped_since = None;
            escrow.alarm_at = None;
        }
        (true, Some(_)) | (false, None) => {}
    }
}
