//! What is to be done at gateways, and how a worker does it once: claim, send, store the answer. Claims are commits like any other,
//! but no journal entries.

use crate::decide::{Change, Moment, Outcome};
use crate::effect::{Claim, Effect, Progress, Task};
use crate::escrow::{Escrow, Review, ReviewCause};
use crate::id::{Operation, RefundId};
use crate::journal::{Actor, Entry, Part};
use crate::lifecycle::Transition;
use crate::payment::{PaymentStatus, RefundStatus};
use crate::policy::REFUND_REVIEW_AFTER;
use crate::refusal::{Broken, Undecided};
use crate::stop;
use crate::time::{Period, Timestamp};

/// A claim lasts this long. It outlives the function's time-out with the request's own deadline of 30 seconds.
pub const LEASE: Period = Period::minutes(1);
/// After the last lease, this long must pass before the gateway's "I know of no such thing" is believed.
pub const QUIET: Period = Period::minutes(15);
/// No interval between two tries is longer.
const LONGEST_BACK_OFF: Period = Period::hours(1);
/// The token of a claim that its worker has given up: no worker's own, since theirs are random.
const NOBODY: [u8; 16] = [0; 16];
/// A page that could not be closed is tried so often; after that a payment of it is simply absorbed.
const MOST_CLOSING_TRIES: u8 = 40;

/// One thing that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// An effect to carry out.
    Effect(Effect),
    /// A refund whose end is looked up, by number.
    LookUpRefund(u16),
}

/// What a worker does with an effect that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Claim it, and send with this key.
    Send,
    /// Claim it, and ask the gateway whether it was done; only if not, see [`after_look_up`].
    LookUp,
    /// Nothing: an operator decides, or it is no longer wanted.
    Leave,
}

/// How long the gateway repeats its answer to one key, with a margin; `None` if it knows no keys.
pub type KeyLife = Option<Period>;

impl Escrow {
    /// Everything that is due at a gateway at this moment.
    #[must_use]
    pub fn work(&self, now: Timestamp) -> Vec<Work> {
        let effects = self.effects.iter().filter(|effect| effect.due_at <= now).copied().map(Work::Effect);
        let look_ups = (0_u16..).zip(&self.refunds).filter_map(|(number, refund)| {
            let due = refund.status == RefundStatus::Pending && refund.look_up_at.is_some_and(|at| at <= now);
            due.then_some(Work::LookUpRefund(number))
        });
        effects.chain(look_ups).collect()
    }

    /// The effect of a task, while its result is no fact.
    #[must_use]
    pub fn effect(&self, task: Task) -> Option<&Effect> {
        self.effects.iter().find(|effect| effect.task == task)
    }

    /// Whether a worker should be woken: something can be sent now.
    #[must_use]
    pub fn wants_work(&self, now: Timestamp) -> bool {
        self.work(now).iter().any(|work| match work {
            Work::Effect(effect) => {
                matches!(
                    (effect.progress, effect.task),
                    (Progress::Ready, Task::ClosePayment(_)) | (Progress::Sending(_), _)
                ) || (effect.progress == Progress::Ready && !self.is_stopped())
            }
            Work::LookUpRefund(_) => true,
        })
    }

    /// What to do with an effect.
    #[must_use]
    pub fn plan(&self, effect: &Effect, key_life: KeyLife, now: Moment) -> Plan {
        let outward = matches!(effect.task, Task::Refund(_));
        match effect.progress {
            Progress::InDoubt(_) => Plan::Leave,
            // A promise that was never sent waits for the end of a freeze. One that may have been sent must be found out.
            Progress::Ready if outward && self.is_stopped() => Plan::Leave,
            // Promised before a restore, or sent before by an operator's account: perhaps it is there.
            Progress::Ready if outward && (effect.epoch < now.epoch || effect.look_up_first) => Plan::LookUp,
            Progress::Ready => Plan::Send,
            Progress::Sending(claim) if now.at < claim.lease_until => Plan::Wait(claim.lease_until),
            Progress::Sending(_) if !outward => Plan::Send,
            // The first request may never have arrived: then another would pay in spite of the stop. Looking pays nothing.
            Progress::Sending(_) if self.is_stopped() => Plan::LookUp,
            Progress::Sending(claim) => match key_life {
                Some(life)
                    if !effect.look_up_first && effect.epoch >= now.epoch && now.at < claim.first_sent.after(life) =>
                {
                    Plan::Send
                }
                Some(_) | None => Plan::LookUp,
            },
        }
    }

    /// The key under which a refund's request is known to the gateway.
    #[must_use]
    pub fn refund_key(&self, number: u16, effect: &Effect) -> String {
        let id = RefundId { escrow: self.id, number };
        if effect.key_suffix == 0 { id.to_string() } else { format!("{id}-{}", effect.key_suffix) }
    }

    /// The claim of a worker on an effect that its plan allows to send or to look up.
    ///
    /// # Errors
    /// [`Undecided::Broken`] if there is no such effect or another worker's lease is running: the caller planned on another escrow.
    pub fn claim(&self, task: Task, token: [u8; 16], now: Moment) -> Result<Change, Undecided> {
        let mut escrow = self.clone();
        let effect = effect_mut(&mut escrow, task)?;
        let lease_until = now.at.after(LEASE);
        let claim = match effect.progress {
            Progress::Ready => Claim { token, fence: 1, lease_until, first_sent: now.at, earlier_lease: None },
            Progress::Sending(before) if now.at >= before.lease_until => Claim {
                token,
                fence: before.fence.checked_add(1).ok_or(Broken("claims without end"))?,
                lease_until,
                first_sent: before.first_sent,
                earlier_lease: Some(before.lease_until),
            },
            Progress::Sending(_) | Progress::InDoubt(_) => return Err(Broken("a claim on what is claimed").into()),
        };
        effect.progress = Progress::Sending(claim);
        effect.due_at = lease_until;
        effect.tries = effect.tries.saturating_add(1);
        quietly(escrow)
    }

    /// The claim that this token holds, if it still does.
    #[must_use]
    pub fn claimed_by(&self, task: Task, token: [u8; 16]) -> Option<(&Effect, Claim)> {
        let effect = self.effect(task)?;
        match effect.progress {
            Progress::Sending(claim) if claim.token == token => Some((effect, claim)),
            Progress::Sending(_) | Progress::Ready | Progress::InDoubt(_) => None,
        }
    }

    /// Whether a gateway's definite no may be believed: no other request of this effect was ever sent, or the last one was long ago.
    /// A twin of this request may be alive, and may still succeed.
    #[must_use]
    pub fn refusal_is_final(claim: &Claim, now: Timestamp) -> bool {
        claim.earlier_lease.is_none_or(|ended| now >= ended.after(QUIET))
    }
}

/// The answer is in doubt: the effect stays claimed, and is tried again later. After a 5xx the gateway is asked first. A refund of
/// which nobody could find out for thirty days whether it was made is put before an operator.
///
/// # Errors
/// [`Undecided::Broken`] if there is no such effect.
pub fn put_off(
    escrow: &Escrow,
    task: Task,
    token: [u8; 16],
    look_up_first: bool,
    now: Moment,
) -> Result<Outcome, Undecided> {
    if escrow.claimed_by(task, token).is_none() {
        return Ok(Outcome::AlreadyDone);
    }
    let mut next = escrow.clone();
    let effect = effect_mut(&mut next, task)?;
    if let Task::Refund(number) = task
        && let Some(refund) = escrow.refunds.get(usize::from(number))
        && (now.at >= refund.promised_at.after(REFUND_REVIEW_AFTER) || effect.key_suffix == u8::MAX)
    {
        return doubt(escrow, number, "nobody could find out whether the gateway made this refund", now);
    }
    effect.look_up_first = effect.look_up_first || look_up_first;
    effect.due_at = effect.due_at.max(now.at.after(back_off(effect.tries)));
    let given_up = matches!(task, Task::ClosePayment(_)) && effect.tries >= MOST_CLOSING_TRIES;
    if let (true, Task::ClosePayment(number)) = (given_up, task) {
        next.effects.retain(|effect| effect.task != task);
        if let Some(payment) = next.payments.get_mut(usize::from(number)) {
            payment.status = PaymentStatus::Closed;
        }
    }
    Ok(Outcome::Changed(Box::new(quietly(next)?)))
}

/// What a look-up that found nothing allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// Too early to be believed: a request may still be on its way. Commit this, and look again later.
    LookAgain(Box<Change>),
    /// It was not done. Commit this, and send under the key that it now has.
    SendAgain(Box<Change>),
}

/// The gateway says that it knows of no such refund. Believed only after the quiet period; then another key is used.
///
/// `now` is the moment at which the gateway was **asked**: what it did between that and its answer is not in the answer.
///
/// # Errors
/// [`Undecided::Broken`] if this token does not hold the claim.
pub fn after_look_up(escrow: &Escrow, task: Task, token: [u8; 16], now: Moment) -> Result<NotFound, Undecided> {
    let (_, claim) = escrow.claimed_by(task, token).ok_or(Broken("a look-up without a claim"))?;
    let mut next = escrow.clone();
    let effect = effect_mut(&mut next, task)?;
    match claim.earlier_lease {
        Some(ended) if now.at < ended.after(QUIET) => {
            // This claim sent nothing, so it does not count as a request: the quiet period runs from the one before. It is given up
            // with that: whoever still held it would read here that no request was ever sent.
            let waiting = Claim { token: NOBODY, lease_until: ended, earlier_lease: None, ..claim };
            effect.progress = Progress::Sending(waiting);
            effect.due_at = ended.after(QUIET);
            Ok(NotFound::LookAgain(Box::new(quietly(next)?)))
        }
        earlier => {
            let fresh = Claim { first_sent: now.at, ..claim };
            effect.progress = Progress::Sending(fresh);
            effect.look_up_first = false;
            effect.epoch = now.epoch;
            if earlier.is_some() {
                effect.key_suffix = effect.key_suffix.checked_add(1).ok_or(Broken("keys without end"))?;
            }
            Ok(NotFound::SendAgain(Box::new(quietly(next)?)))
        }
    }
}

/// A pending refund is still pending: looked up again later, and put before an operator after thirty days.
///
/// # Errors
/// [`Undecided::Broken`] if there is no such refund.
pub fn still_pending(escrow: &Escrow, number: u16, now: Moment) -> Result<Outcome, Undecided> {
    let mut next = escrow.clone();
    let refund = next.refunds.get_mut(usize::from(number)).ok_or(Broken("a refund that does not exist"))?;
    if refund.status != RefundStatus::Pending {
        return Ok(Outcome::AlreadyDone);
    }
    let in_review =
        escrow.reviews.iter().any(|review| review.cause == ReviewCause::RefundInDoubt && review.part == number);
    if now.at >= refund.promised_at.after(REFUND_REVIEW_AFTER) && !in_review {
        return doubt(escrow, number, "the gateway has called this refund pending for thirty days", now);
    }
    refund.look_ups = refund.look_ups.saturating_add(1);
    let hours = 1_u32.checked_shl(u32::from(refund.look_ups)).unwrap_or(u32::MAX).min(24);
    refund.look_up_at = Some(now.at.after(Period::hours(hours)));
    Ok(Outcome::Changed(Box::new(quietly(next)?)))
}

/// Whether a refund was made cannot be found out: an operator decides. A journal entry, since from here on people act on it.
///
/// # Errors
/// [`Undecided::Broken`] if there is no such refund.
pub fn doubt(escrow: &Escrow, number: u16, why: &str, now: Moment) -> Result<Outcome, Undecided> {
    let mut next = escrow.clone();
    let known = next.reviews.iter().any(|review| review.cause == ReviewCause::RefundInDoubt && review.part == number);
    let refund = next.refunds.get_mut(usize::from(number)).ok_or(Broken("a refund that does not exist"))?;
    if known || !matches!(refund.status, RefundStatus::Promised | RefundStatus::Pending) {
        return Ok(Outcome::AlreadyDone);
    }
    refund.look_up_at = None;
    let since = now.at;
    next.reviews.push(Review { cause: ReviewCause::RefundInDoubt, part: number, note: why.to_owned(), since });
    stop::keep(&mut next, since);
    if let Ok(effect) = effect_mut(&mut next, Task::Refund(number))
        && let Progress::Sending(claim) = effect.progress
    {
        effect.progress = Progress::InDoubt(claim);
    }
    let entry = Entry {
        at: now.at,
        transition: Transition::LookUp,
        actor: Actor::clock(),
        part: Some(Part::Refund(number)),
        moves: Vec::new(),
        postings: Vec::new(),
        reference: None,
        note: Some(why.to_owned()),
    };
    // A second doubt about the same refund, after an operator had it tried again, is another operation: so the version is in it.
    next.journal.append(Operation::of_clock(&format!("doubt at {}", escrow.version), number, now.at), entry)?;
    next.updated_at = now.at;
    Ok(Outcome::Changed(Box::new(quietly(next)?)))
}

fn effect_mut(escrow: &mut Escrow, task: Task) -> Result<&mut Effect, Undecided> {
    let found = escrow.effects.iter_mut().find(|effect| effect.task == task);
    found.ok_or(Undecided::Broken(Broken("an effect that does not exist")))
}

/// 1, 2, 4 … minutes, up to an hour.
fn back_off(tries: u8) -> Period {
    let minutes = 1_u32.checked_shl(u32::from(tries).saturating_sub(1)).unwrap_or(u32::MAX);
    Period::minutes(minutes.min(60)).min(LONGEST_BACK_OFF)
}

fn quietly(mut escrow: Escrow) -> Result<Change, Undecided> {
    escrow.version = escrow.version.checked_add(1).ok_or(Broken("a version without end"))?;
    Ok(Change::alone(escrow))
}
