//! What a payout has to do at its gateway, and how a worker does it once. The protocol is [`crate::effect`]'s; here it is committed on the
//! payout. Claims are commits like any other, but no journal entries.

use super::draft::{Draft, Flow, Words, bounded};
use super::rows::PayoutTransition;
use super::status::{PayoutStatus, WaitCause, Waiting};
use super::{
    GIVEN_UP_AFTER, IN_DOUBT_FOR, PENDING_FOR, Payout, PayoutChange, PayoutOutcome, PayoutUndecided, Transfer,
};
use crate::decide::{Moment, Outcome};
use crate::effect::{Believed, Claim, Effect, KeyLife, Plan, Progress, Way, next_look_up};
use crate::id::Operation;
use crate::journal::Actor;
use crate::refusal::Broken;
use crate::time::{Period, Timestamp};
use crate::wallet::Wallet;
use crate::work::NotFound;

/// A payout whose wallet is on hold is looked at again after this long.
const HOLD_EVERY: Period = Period::hours(1);

/// One thing that is due at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutWork {
    /// To send it, or to find out whether it was sent.
    Send(Effect<Transfer>),
    /// To look up how a transfer ended that the gateway called pending.
    LookUp,
}

impl Payout {
    /// What is due at the gateway at this moment.
    #[must_use]
    pub fn work(&self, now: Timestamp) -> Option<PayoutWork> {
        let effect = self.effect.filter(|effect| match effect.progress {
            Progress::Ready | Progress::Sending(_) => effect.due_at <= now,
            Progress::InDoubt(_) => false,
        });
        let look_up = self.look_up_at.filter(|at| *at <= now).map(|_| PayoutWork::LookUp);
        effect.map(PayoutWork::Send).or(look_up)
    }

    /// What to do with its effect. A wallet on hold stops what was not sent yet; what may have been sent must be found out.
    #[must_use]
    pub fn plan(&self, wallet: &Wallet, key_life: KeyLife, now: Moment) -> Plan {
        let way = if wallet.hold.is_some() { Way::Stopped } else { Way::Free };
        self.effect.map_or(Plan::Leave, |effect| effect.plan(way, key_life, now))
    }

    /// The key under which its request is known to the gateway.
    #[must_use]
    pub fn key(&self, effect: &Effect<Transfer>) -> String {
        effect.key(self.id)
    }

    /// The claim of a worker on a payout that its plan allows to send or to look up.
    ///
    /// # Errors
    /// [`PayoutUndecided::Broken`] if there is nothing to claim or another worker's lease is running: the caller planned on another payout.
    pub fn claim(&self, token: [u8; 16], now: Moment) -> Result<PayoutChange, PayoutUndecided> {
        let mut draft = Draft::new(self, now);
        draft.effect()?.claim(token, now)?;
        draft.payout.status = PayoutStatus::Sending;
        draft.payout.sending_since = self.sending_since.or(Some(now.at));
        // A hold is over once it is claimed; what the gateway said is kept, since it counts how long it has been saying so.
        draft.payout.waiting = self.waiting.clone().filter(|waiting| waiting.cause == WaitCause::Gateway);
        draft.finish()
    }

    /// The claim that this token holds, if it still does.
    #[must_use]
    pub fn claimed_by(&self, token: [u8; 16]) -> Option<(&Effect<Transfer>, Claim)> {
        let effect = self.effect.as_ref()?;
        effect.claimed_by(token).map(|claim| (effect, claim))
    }
}

/// The answer is in doubt: the payout stays claimed, and is tried again later. After a 5xx the gateway is asked first. One of which
/// nobody could find out for [`IN_DOUBT_FOR`] whether it was made is put before an operator.
///
/// # Errors
/// [`PayoutUndecided::Broken`] if an invariant of the money would not hold.
pub fn put_off(
    payout: &Payout,
    token: [u8; 16],
    look_up_first: bool,
    now: Moment,
) -> Result<PayoutOutcome, PayoutUndecided> {
    let Some((effect, _)) = payout.claimed_by(token) else { return Ok(Outcome::AlreadyDone) };
    let too_long = payout.sending_since.is_some_and(|since| now.at >= since.after(IN_DOUBT_FOR));
    if too_long || effect.key_suffix == u8::MAX {
        return doubt(payout, "nobody could find out whether the gateway made this payout", now);
    }
    let mut draft = Draft::new(payout, now);
    draft.effect()?.put_off(look_up_first, now);
    draft.outcome()
}

/// The gateway knows of no such transfer. Believed only after the quiet period; then it may be sent under the key that it now has, unless
/// the wallet is on hold: then it is looked up again later.
///
/// `now` is the moment at which the gateway was **asked**: what it did between that and its answer is not in the answer.
///
/// # Errors
/// [`PayoutUndecided::Broken`] if this token does not hold the claim.
pub fn after_look_up(
    payout: &Payout,
    wallet: &Wallet,
    token: [u8; 16],
    now: Moment,
) -> Result<NotFound<PayoutChange>, PayoutUndecided> {
    let mut draft = Draft::new(payout, now);
    let never_sent = payout.claimed_by(token).is_some_and(|(_, claim)| claim.earlier_lease.is_none());
    if wallet.hold.is_some() && !never_sent {
        draft.effect()?.put_off(true, now);
        return Ok(NotFound::LookAgain(Box::new(draft.finish()?)));
    }
    Ok(match draft.effect()?.not_found(token, now)? {
        Believed::NotYet => NotFound::LookAgain(Box::new(draft.finish()?)),
        Believed::Yes => NotFound::SendAgain(Box::new(draft.finish()?)),
    })
}

/// The gateway said no for now: its words are shown to the owner, and it is sent again later. A no that a twin of the request could
/// outlive is not believed; then it stays in doubt. After [`GIVEN_UP_AFTER`] the money goes back into the wallet.
///
/// `now` is the moment at which the gateway was asked.
///
/// # Errors
/// [`PayoutUndecided::Broken`] if an invariant of the money would not hold.
pub fn refused_for_now(
    payout: &Payout,
    token: [u8; 16],
    why: &str,
    now: Moment,
) -> Result<PayoutOutcome, PayoutUndecided> {
    let Some((effect, claim)) = payout.claimed_by(token) else { return Ok(Outcome::AlreadyDone) };
    if !claim.refusal_is_final(now.at) {
        return put_off(payout, token, true, now);
    }
    let mut draft = Draft::new(payout, now);
    let later = now.at.after(refused_back_off(effect.tries));
    let since = payout.waiting.as_ref().filter(|waiting| waiting.cause == WaitCause::Gateway);
    let since = since.map_or(now.at, |waiting| waiting.since);
    draft.payout.status = PayoutStatus::Ready;
    draft.payout.sending_since = None;
    if now.at >= since.after(GIVEN_UP_AFTER) || effect.key_suffix == u8::MAX {
        let words = Words::why(why);
        draft.payout.reason.clone_from(&words.note);
        let by = (Actor::clock(), Operation::of_clock(PayoutTransition::GiveUp.as_str(), 0, since));
        draft.record(PayoutTransition::GiveUp, by, PayoutStatus::Failed, Flow::GivenBack, words)?;
        return draft.outcome();
    }
    draft.effect()?.not_now(later, now)?;
    draft.payout.waiting = Some(Waiting { cause: WaitCause::Gateway, reason: bounded(why), since });
    draft.outcome()
}

/// The wallet is on hold: nothing is sent, the owner is shown why, and it is looked at again later.
///
/// # Errors
/// [`PayoutUndecided::Broken`] if an invariant of the money would not hold.
pub fn hold_off(payout: &Payout, wallet: &Wallet, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    let (PayoutStatus::Ready, Some(reason)) = (payout.status, &wallet.hold) else { return Ok(Outcome::AlreadyDone) };
    let mut draft = Draft::new(payout, now);
    let effect = draft.effect()?;
    effect.due_at = effect.due_at.max(now.at.after(HOLD_EVERY));
    let since = payout.waiting.as_ref().filter(|waiting| waiting.cause == WaitCause::Hold);
    let since = since.map_or(now.at, |waiting| waiting.since);
    draft.payout.waiting = Some(Waiting { cause: WaitCause::Hold, reason: bounded(reason), since });
    draft.outcome()
}

/// A transfer that the gateway called pending still is: looked up again later, and put before an operator after [`PENDING_FOR`].
///
/// # Errors
/// [`PayoutUndecided::Broken`] if an invariant of the money would not hold.
pub fn still_pending(payout: &Payout, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    if payout.status != PayoutStatus::Sending || payout.look_up_at.is_none() {
        return Ok(Outcome::AlreadyDone);
    }
    if payout.sending_since.is_some_and(|since| now.at >= since.after(PENDING_FOR)) {
        return doubt(payout, "the gateway has called this payout pending for thirty days", now);
    }
    let mut draft = Draft::new(payout, now);
    draft.payout.look_ups = payout.look_ups.saturating_add(1);
    draft.payout.look_up_at = Some(next_look_up(draft.payout.look_ups, now.at));
    draft.outcome()
}

/// Whether it was made cannot be found out: an operator decides.
///
/// # Errors
/// [`PayoutUndecided::Broken`] if an invariant of the money would not hold.
pub fn doubt(payout: &Payout, why: &str, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    if payout.status != PayoutStatus::Sending {
        return Ok(Outcome::AlreadyDone);
    }
    let mut draft = Draft::new(payout, now);
    if let Some(effect) = draft.payout.effect.as_mut() {
        effect.in_doubt();
    }
    draft.payout.look_up_at = None;
    // A second doubt, after an operator had it tried again, is another operation: so the version is in it.
    let operation = Operation::of_clock(&format!("doubt at {}", payout.version), 0, now.at);
    let by = (Actor::clock(), operation);
    draft.record(PayoutTransition::Doubt, by, PayoutStatus::Review, Flow::Nothing, Words::why(why))?;
    draft.outcome()
}

impl Draft {
    fn effect(&mut self) -> Result<&mut Effect<Transfer>, PayoutUndecided> {
        self.payout.effect.as_mut().ok_or(PayoutUndecided::Broken(Broken("a payout with nothing to send")))
    }
}

/// A no for now is mostly about the platform's balance, which changes with the days: 15 minutes, 30, an hour … up to six.
fn refused_back_off(tries: u8) -> Period {
    let times = 1_u32.checked_shl(u32::from(tries).saturating_sub(1)).unwrap_or(u32::MAX).min(24);
    Period::minutes(times.saturating_mul(15))
}
