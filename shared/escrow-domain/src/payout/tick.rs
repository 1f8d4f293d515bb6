//! The clock of a payout: the earliest thing that must happen next, and what time alone does.

use super::draft::{Draft, Flow, Words};
use super::rows::PayoutTransition;
use super::status::PayoutStatus;
use super::{LAPSES_AFTER, Payout, PayoutOutcome, PayoutUndecided};
use crate::decide::{Moment, Outcome};
use crate::effect::Progress;
use crate::id::Operation;
use crate::journal::Actor;
use crate::stop::ALARM_EVERY;
use crate::time::Timestamp;

impl Payout {
    /// The moment at which something must happen next: sending, a look-up, an alarm, the lapse of what nobody approves. `None` when
    /// nothing will ever happen by itself again.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let effect = self.effect.filter(|effect| !matches!(effect.progress, Progress::InDoubt(_)));
        let times = [effect.map(|effect| effect.due_at), self.look_up_at, self.alarm_at, self.lapses_at()];
        times.into_iter().flatten().min()
    }

    /// When it goes back into the wallet because nobody approved it.
    #[must_use]
    pub fn lapses_at(&self) -> Option<Timestamp> {
        (self.status == PayoutStatus::Approval).then_some(self.created_at.after(LAPSES_AFTER))
    }
}

/// Does everything that is due by time alone. What is due at the gateway is [`super::work`]'s.
pub(super) fn tick(payout: &Payout, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    let mut draft = Draft::new(payout, now);
    if let Some(at) = payout.lapses_at().filter(|at| *at <= now.at) {
        let words = Words::why("nobody approved it in time");
        draft.payout.reason.clone_from(&words.note);
        let by = (Actor::clock(), Operation::of_clock(PayoutTransition::Lapse.as_str(), 0, at));
        draft.record(PayoutTransition::Lapse, by, PayoutStatus::Rejected, Flow::GivenBack, words)?;
    } else if payout.alarm_at.is_some_and(|at| at <= now.at) {
        draft.payout.alarm_at = Some(now.at.after(ALARM_EVERY));
    } else {
        return Ok(Outcome::AlreadyDone);
    }
    draft.outcome()
}
