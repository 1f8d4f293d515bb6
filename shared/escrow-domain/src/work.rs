//! What an escrow has to do at gateways, and how a worker does it once: claim, send, store the answer. Claims are commits like any
//! other, but no journal entries. The protocol itself is [`crate::effect`]'s; here it is committed on the escrow.

use crate::decide::{Change, Moment, Outcome, needless_refund};
use crate::effect::{Believed, Claim, Effect, Progress, Task, Way, next_look_up};
use crate::escrow::{Escrow, Review, ReviewCause};
use crate::id::{Operation, RefundId};
use crate::journal::{Actor, Entry, Part};
use crate::lifecycle::Transition;
use crate::payment::{PaymentStatus, RefundStatus};
use crate::policy::REFUND_REVIEW_AFTER;
use crate::refusal::{Broken, Undecided};
use crate::stop;
use crate::time::Timestamp;

pub use crate::effect::{KeyLife, LEASE, Plan, QUIET};

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
        let way = match effect.task {
            Task::ClosePayment(_) => Way::Harmless,
            Task::Refund(_) if self.is_stopped() => Way::Stopped,
            Task::Refund(_) => Way::Free,
        };
        effect.plan(way, key_life, now)
    }

    /// The key under which a refund's request is known to the gateway.
    #[must_use]
    pub fn refund_key(&self, number: u16, effect: &Effect) -> String {
        effect.key(RefundId { escrow: self.id, number })
    }

    /// The claim of a worker on an effect that its plan allows to send or to look up.
    ///
    /// # Errors
    /// [`Undecided::Broken`] if there is no such effect or another worker's lease is running: the caller planned on another escrow.
    pub fn claim(&self, task: Task, token: [u8; 16], now: Moment) -> Result<Change, Undecided> {
        let mut escrow = self.clone();
        effect_mut(&mut escrow, task)?.claim(token, now)?;
        quietly(escrow)
    }

    /// The claim that this token holds, if it still does.
    #[must_use]
    pub fn claimed_by(&self, task: Task, token: [u8; 16]) -> Option<(&Effect, Claim)> {
        let effect = self.effect(task)?;
        effect.claimed_by(token).map(|claim| (effect, claim))
    }

    /// Whether a gateway's definite no may be believed: no other request of this effect was ever sent, or the last one was long ago.
    /// A twin of this request may be alive, and may still succeed.
    #[must_use]
    pub fn refusal_is_final(claim: &Claim, now: Timestamp) -> bool {
        claim.refusal_is_final(now)
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
    effect.put_off(look_up_first, now);
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
pub enum NotFound<C = Change> {
    /// Too early to be believed: a request may still be on its way. Commit this, and look again later, if it is still wanted then.
    LookAgain(Box<C>),
    /// It was not done. Commit this, and send under the key that it now has.
    SendAgain(Box<C>),
}

/// The gateway says that it knows of no such refund. Believed only after the quiet period; then another key is used.
///
/// `now` is the moment at which the gateway was **asked**: what it did between that and its answer is not in the answer.
///
/// # Errors
/// [`Undecided::Broken`] if this token does not hold the claim.
pub fn after_look_up(escrow: &Escrow, task: Task, token: [u8; 16], now: Moment) -> Result<NotFound, Undecided> {
    let mut next = escrow.clone();
    Ok(match effect_mut(&mut next, task)?.not_found(token, now)? {
        Believed::NotYet => NotFound::LookAgain(Box::new(quietly(next)?)),
        // A lost chargeback has given the buyer this money meanwhile.
        Believed::Yes => match needless_refund(escrow, task, now)? {
            Some(withdrawn) => NotFound::LookAgain(Box::new(withdrawn)),
            None => NotFound::SendAgain(Box::new(quietly(next)?)),
        },
    })
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
    refund.look_up_at = Some(next_look_up(refund.look_ups, now.at));
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
    if let Ok(effect) = effect_mut(&mut next, Task::Refund(number)) {
        effect.in_doubt();
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

fn quietly(mut escrow: Escrow) -> Result<Change, Undecided> {
    escrow.version = escrow.version.checked_add(1).ok_or(Broken("a version without end"))?;
    Ok(Change::alone(escrow))
}
