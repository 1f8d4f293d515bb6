//! Creation, and what the gateway answers about the page.

use super::draft::{Draft, Words};
use super::{NewTopUp, TopUp, TopUpChange, TopUpOutcome, TopUpTransition};
use crate::checkout::Merged;
use crate::decide::{Moment, Outcome, Page};
use crate::id::Operation;
use crate::journal::{Actor, Journal};
use crate::lifecycle::Role;
use crate::payment::{Payment, PaymentStatus, Source};
use crate::refusal::{Broken, Refusal, Undecided};
use crate::time::Timestamp;

/// The new top-up, with its payment about to be opened.
///
/// # Errors
/// [`Undecided::Refused`] with [`Refusal::Stranger`] if the caller is neither the owner nor the platform; [`Undecided::Broken`] if the
/// edge let through what it must not: nothing to get or to pay, or one unit with two amounts.
pub fn create(new: &NewTopUp, actor: Actor, operation: Operation, now: Moment) -> Result<TopUpChange, Undecided> {
    match actor.role {
        Role::Platform => {}
        Role::Buyer if actor.sub.as_ref() == Some(&new.owner) => {}
        Role::Buyer | Role::Seller | Role::Arbiter | Role::Operator | Role::Gateway | Role::Clock => {
            return Err(Refusal::Stranger.into());
        }
    }
    let same_unit = new.money.currency == new.pay_in.currency;
    if new.money.amount.is_zero() || new.pay_in.amount.is_zero() || (same_unit && new.money != new.pay_in) {
        return Err(Broken("a top-up of nothing, or of another amount than is paid").into());
    }
    let payment = Payment {
        source: Source::Gateway(new.gateway),
        method: new.method,
        mode: new.mode,
        amount: new.money.amount,
        pay_in: (!same_unit).then_some(new.pay_in),
        milestones: Vec::new(),
        status: PaymentStatus::Opening,
        request: Some(new.request.clone()),
        attempt: 0,
        reference: None,
        url: None,
        client_secret: None,
        expires_at: new.expires_at,
        created_at: now.at,
        captures: Vec::new(),
    };
    let top_up = TopUp {
        id: new.id,
        owner: new.owner.clone(),
        money: new.money,
        payment,
        refunded: Vec::new(),
        chargebacks: Vec::new(),
        created_at: now.at,
        updated_at: now.at,
        journal: Journal::default(),
        version: 0,
    };
    let mut draft = Draft::new(&top_up, now);
    draft.note(Words { transition: TopUpTransition::Create, actor, operation, reference: None, note: None })?;
    draft.finish()
}

/// Stores the page that a gateway opened. The webhook may have come first: the answer is merged into what stands there.
///
/// # Errors
/// [`Undecided::Broken`] if an invariant of the money would not hold.
pub fn checkout_opened(
    top_up: &TopUp,
    reference: &str,
    page: &Page<'_>,
    expires_at: Timestamp,
    now: Moment,
) -> Result<TopUpOutcome, Undecided> {
    merged(top_up, now, |payment| payment.merge_opened(reference, page, expires_at))
}

/// The gateway refuses to open the page: nobody can pay it.
///
/// # Errors
/// [`Undecided::Broken`] if an invariant of the money would not hold.
pub fn checkout_refused(top_up: &TopUp, now: Moment) -> Result<TopUpOutcome, Undecided> {
    merged(top_up, now, |payment| payment.merge_refused(now.at))
}

/// The gateway answered with a 5xx, which it would replay for the key's life: the next request needs another key.
///
/// # Errors
/// [`Undecided::Broken`] if an invariant of the money would not hold.
pub fn next_attempt(top_up: &TopUp, failed: u8, now: Moment) -> Result<TopUpOutcome, Undecided> {
    merged(top_up, now, |payment| payment.merge_failed(failed))
}

/// A change of the payment that is no entry.
pub(super) fn merged(
    top_up: &TopUp,
    now: Moment,
    merge: impl FnOnce(&mut Payment) -> Merged,
) -> Result<TopUpOutcome, Undecided> {
    let mut draft = Draft::new(top_up, now);
    match merge(&mut draft.top_up.payment) {
        Merged::Known => Ok(Outcome::AlreadyDone),
        // A page that came too late is left to expire: whatever is paid on it is credited.
        Merged::Stored | Merged::TooLate => draft.outcome(),
    }
}
