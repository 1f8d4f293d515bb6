//! What operators decide about a payout: whether it may go, what they did by hand, what became of one in doubt.

use super::draft::{Draft, Flow, Words, bounded};
use super::refusal::PayoutRefusal;
use super::rows::{PayoutTransition, permitted};
use super::status::{PayoutStatus, Rail};
use super::{Payout, PayoutAttempt, PayoutCommand, PayoutOutcome, PayoutResolution, PayoutUndecided, Transfer};
use crate::decide::{Moment, Outcome};
use crate::effect::Effect;
use crate::journal::Actor;
use crate::lifecycle::Role;
use crate::refusal::Broken;

pub(super) fn decide(payout: &Payout, attempt: &PayoutAttempt, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    let transition = match &attempt.command {
        PayoutCommand::Approve { .. } => PayoutTransition::Approve,
        PayoutCommand::Reject { .. } => PayoutTransition::Reject,
        PayoutCommand::MarkPaid { .. } => PayoutTransition::MarkPaid,
        PayoutCommand::MarkFailed { .. } => PayoutTransition::MarkFailed,
        PayoutCommand::Resolve { .. } => PayoutTransition::Resolve,
        PayoutCommand::Fact(_) | PayoutCommand::Tick => return Ok(Outcome::AlreadyDone),
    };
    may(payout, transition, &attempt.actor)?;
    let mut draft = Draft::new(payout, now);
    let by = (attempt.actor.clone(), attempt.operation);
    match &attempt.command {
        PayoutCommand::Approve { reason } => {
            let words = Words { reference: None, note: reason.as_deref().map(bounded) };
            match payout.rail {
                Rail::Gateway { .. } => {
                    // A restored backup may know it only as not approved: it is approved again, and perhaps it is there. Looking costs
                    // nothing.
                    draft.payout.effect = Some(Effect { look_up_first: true, ..Effect::promised(Transfer, now) });
                    draft.record(transition, by, PayoutStatus::Ready, Flow::Nothing, words)?;
                }
                Rail::ByHand => draft.record(transition, by, PayoutStatus::Owed, Flow::Nothing, words)?,
            }
        }
        PayoutCommand::Reject { reason } => {
            let words = Words::why(given(reason)?);
            draft.payout.reason.clone_from(&words.note);
            draft.record(transition, by, PayoutStatus::Rejected, Flow::GivenBack, words)?;
        }
        PayoutCommand::MarkPaid { reference } => {
            if reference.trim().is_empty() {
                return Err(PayoutRefusal::ReferenceRequired.into());
            }
            let reference = Some(bounded(reference));
            draft.payout.reference.clone_from(&reference);
            draft.record(transition, by, PayoutStatus::Paid, Flow::Gone, Words { reference, note: None })?;
        }
        PayoutCommand::MarkFailed { reason } => {
            let words = Words::why(given(reason)?);
            draft.payout.reason.clone_from(&words.note);
            if payout.status == PayoutStatus::Paid {
                draft.payout.returned = payout.money.amount;
                let all = Flow::CameBack(payout.money.amount.minus(payout.returned)?);
                draft.record(transition, by, PayoutStatus::Returned, all, words)?;
            } else {
                draft.record(transition, by, PayoutStatus::Failed, Flow::GivenBack, words)?;
            }
        }
        PayoutCommand::Resolve { resolution, reason } => {
            let words = Words::why(given(reason)?);
            match resolution {
                PayoutResolution::Done => draft.record(transition, by, PayoutStatus::Paid, Flow::Gone, words)?,
                PayoutResolution::Failed => {
                    draft.payout.reason.clone_from(&words.note);
                    draft.record(transition, by, PayoutStatus::Failed, Flow::GivenBack, words)?;
                }
                PayoutResolution::Retry => {
                    // One that the gateway has under its present key is done or failed there; another beside it would pay twice.
                    let effect = draft.payout.effect.as_mut().ok_or(PayoutRefusal::WrongStatus {
                        transition: PayoutTransition::Send,
                        status: payout.status,
                    })?;
                    effect.retry(now)?;
                    draft.payout.sending_since = None;
                    draft.record(transition, by, PayoutStatus::Ready, Flow::Nothing, words)?;
                }
            }
        }
        PayoutCommand::Fact(_) | PayoutCommand::Tick => return Err(Broken("not a person's command").into()),
    }
    draft.outcome()
}

/// Whether this person may do this now, apart from what they say.
pub(super) fn may(payout: &Payout, transition: PayoutTransition, actor: &Actor) -> Result<(), PayoutRefusal> {
    match actor.role {
        Role::Gateway | Role::Clock => return Err(PayoutRefusal::Stranger),
        Role::Seller if actor.sub.as_ref() != Some(&payout.owner) => return Err(PayoutRefusal::Stranger),
        Role::Buyer | Role::Seller | Role::Arbiter | Role::Operator | Role::Platform => {}
    }
    let to = permitted(transition, actor.role, payout.status)?;
    if actor.role == Role::Operator && actor.sub.as_ref() == Some(&payout.owner) {
        return Err(PayoutRefusal::OwnPayout);
    }
    // Two pairs of eyes: whoever asked does not also approve.
    let decides = matches!(transition, PayoutTransition::Approve | PayoutTransition::Reject);
    if decides && actor.sub.is_some() && actor.sub == payout.asked_by.sub {
        return Err(PayoutRefusal::OwnPayout);
    }
    // What a gateway has paid comes back by the gateway's word alone.
    let by_hand = payout.rail == Rail::ByHand;
    if to.contains(&PayoutStatus::Returned) && payout.status == PayoutStatus::Paid && !by_hand {
        return Err(PayoutRefusal::WrongStatus { transition, status: payout.status });
    }
    Ok(())
}

fn given(reason: &str) -> Result<&str, PayoutRefusal> {
    if reason.trim().is_empty() { Err(PayoutRefusal::ReasonRequired) } else { Ok(reason) }
}
