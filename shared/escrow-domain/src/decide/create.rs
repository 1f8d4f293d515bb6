//! Creation, and further attempts to pay.

use super::draft::{Change, Draft, Moment, next_number};
use super::funding;
use super::guard::guard;
use crate::command::NewPayment;
use crate::escrow::{Escrow, MOST_MILESTONES, MOST_PAYMENTS, Terms};
use crate::fees::Fee;
use crate::id::{EscrowId, Operation};
use crate::journal::{Actor, Journal, Part};
use crate::lifecycle::Transition;
use crate::milestone::Milestone;
use crate::money::Minor;
use crate::payment::{Payment, PaymentStatus, Source};
use crate::refusal::{Broken, Refusal, Undecided};

/// An escrow to be created, validated at the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEscrow {
    /// Derived from the caller and the idempotency key.
    pub id: EscrowId,
    /// What was agreed; `created_at` is the moment of creation.
    pub terms: Terms,
    /// Title, amount and fee of every milestone.
    pub milestones: Vec<(String, Minor, Fee)>,
    /// The first attempt to pay.
    pub payment: NewPayment,
}

/// The new escrow, with its first payment about to be opened; or held at once, where the buyer's wallet pays.
///
/// # Errors
/// [`Undecided::Broken`] if the edge let through what it must not: buyer equal to seller, no milestone, too many, no amount.
pub fn create(new: &NewEscrow, actor: Actor, operation: Operation, now: Moment) -> Result<Change, Undecided> {
    if new.terms.buyer == new.terms.seller {
        return Err(Broken("a buyer who is the seller").into());
    }
    if new.milestones.is_empty() || new.milestones.len() > MOST_MILESTONES {
        return Err(Broken("no milestone, or too many").into());
    }
    let milestones: Vec<Milestone> =
        new.milestones.iter().map(|(title, amount, fee)| Milestone::unfunded(title.clone(), *amount, *fee)).collect();
    if milestones.iter().any(|milestone| milestone.amount.is_zero() || milestone.fee.seller > milestone.amount) {
        return Err(Broken("a milestone of nothing, or with a fee above it").into());
    }
    let escrow = Escrow {
        id: new.id,
        terms: new.terms.clone(),
        milestones,
        payments: Vec::new(),
        refunds: Vec::new(),
        disputes: Vec::new(),
        chargebacks: Vec::new(),
        credits: Vec::new(),
        freezes: Vec::new(),
        reviews: Vec::new(),
        stopped_since: None,
        alarm_at: None,
        effects: Vec::new(),
        journal: Journal::default(),
        version: 0,
        updated_at: now.at,
    };
    // What everybody is shown of it must be amounts for ever after.
    escrow.totals()?;
    let mut draft = Draft::new(&escrow, actor, operation, now);
    draft.record(Transition::Create, Some(Part::Payment(0)), None, None)?;
    push_payment(&mut draft, 0, &new.payment)?;
    draft.finish()
}

/// Another attempt to pay milestones that still wait.
pub(super) fn add_payment(draft: &mut Draft, payment: &NewPayment) -> Result<(), Undecided> {
    let (role, now) = (draft.actor().role, draft.at());
    for index in &payment.milestones {
        guard(&draft.escrow, Transition::AddPayment, role, *index, now)?;
    }
    if draft.escrow.payments.len() >= MOST_PAYMENTS {
        return Err(Refusal::Full { what: "payments" }.into());
    }
    let number = next_number(draft.escrow.payments.len())?;
    draft.record(Transition::AddPayment, Some(Part::Payment(number)), None, None)?;
    push_payment(draft, number, payment)
}

/// Adds the payment. One from the buyer's wallet is made at once; a gateway's waits for the gateway.
fn push_payment(draft: &mut Draft, number: u16, payment: &NewPayment) -> Result<(), Undecided> {
    let mut amount = Minor::ZERO;
    for (at, index) in payment.milestones.iter().enumerate() {
        if payment.milestones.iter().take(at).any(|earlier| earlier == index) {
            return Err(Broken("a payment that pays a milestone twice").into());
        }
        amount = amount.plus(draft.milestone(*index)?.charged()?)?;
    }
    if amount.is_zero() || payment.pay_in.is_some_and(|charged| charged.amount.is_zero()) {
        return Err(Broken("a payment of nothing").into());
    }
    let unit = draft.escrow.terms.currency;
    if payment.pay_in.is_some_and(|charged| charged.currency == unit || payment.source == Source::Wallet) {
        return Err(Broken("a payment in another unit that is none, or from a wallet").into());
    }
    let created_at = draft.at();
    draft.escrow.payments.push(Payment {
        source: payment.source,
        method: payment.method,
        mode: payment.mode,
        amount,
        pay_in: payment.pay_in,
        milestones: payment.milestones.clone(),
        status: PaymentStatus::Opening,
        request: Some(payment.request.clone()),
        attempt: 0,
        reference: None,
        url: None,
        client_secret: None,
        expires_at: payment.expires_at,
        created_at,
        captures: Vec::new(),
    });
    match payment.source {
        Source::Gateway(_) => Ok(()),
        Source::Wallet => funding::from_wallet(draft, number),
    }
}
