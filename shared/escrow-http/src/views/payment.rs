//! Payments, and the page where a buyer pays.

use super::escrow::{EscrowView, SubjectView, subject};
use super::{amount, time, time_or_null};
use crate::problem::Answer;
use escrow_domain::actions::Standing;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::PaymentId;
use escrow_domain::payment::{Method, Payment, Source};
use escrow_domain::time::Timestamp;
use serde::Serialize;

/// An attempt to pay, inside its escrow.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AttemptView {
    id: String,
    gateway: Option<&'static str>,
    method: Option<&'static str>,
    amount: String,
    currency: String,
    status: &'static str,
    reference: Option<String>,
    paid_at: Option<String>,
}

/// An attempt to pay, by itself.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentView {
    id: String,
    escrow: String,
    subject: SubjectView,
    gateway: Option<&'static str>,
    method: Option<&'static str>,
    amount: String,
    currency: String,
    status: &'static str,
    reference: Option<String>,
    created_at: String,
    expires_at: String,
    paid_at: Option<String>,
}

/// Where the buyer pays.
#[derive(Debug, Clone, Serialize)]
struct CheckoutView {
    payment_id: String,
    gateway: &'static str,
    url: String,
    expires_at: String,
}

/// The answer to a checkout.
#[derive(Debug, Clone, Serialize)]
pub struct CheckoutCreated {
    escrow: EscrowView,
    checkout: Option<CheckoutView>,
}

impl AttemptView {
    pub(super) fn new(escrow: &Escrow, number: u16, payment: &Payment) -> Self {
        Self {
            id: PaymentId { escrow: escrow.id, number }.to_string(),
            gateway: gateway(payment),
            method: payment.method.map(Method::as_str),
            amount: amount(payment.amount, escrow.terms.currency),
            currency: escrow.terms.currency.to_string(),
            status: payment.status.as_str(),
            reference: payment.reference.clone(),
            paid_at: time_or_null(paid_at(payment)),
        }
    }
}

/// The payment of that number; `None` if the escrow has none.
#[must_use]
pub fn payment(escrow: &Escrow, number: u16) -> Option<PaymentView> {
    let payment = escrow.payments.get(usize::from(number))?;
    Some(PaymentView {
        id: PaymentId { escrow: escrow.id, number }.to_string(),
        escrow: escrow.id.to_string(),
        subject: subject(escrow),
        gateway: gateway(payment),
        method: payment.method.map(Method::as_str),
        amount: amount(payment.amount, escrow.terms.currency),
        currency: escrow.terms.currency.to_string(),
        status: payment.status.as_str(),
        reference: payment.reference.clone(),
        created_at: time(payment.created_at),
        expires_at: time(payment.expires_at),
        paid_at: time_or_null(paid_at(payment)),
    })
}

/// The escrow as whoever has this standing sees it, with the page of the payment of that number while the buyer can pay there.
///
/// # Errors
/// 500 if its money cannot be summed: corrupt data.
pub fn checkout(escrow: &Escrow, number: u16, standing: &Standing, now: Timestamp) -> Answer<CheckoutCreated> {
    Ok(CheckoutCreated { escrow: EscrowView::new(escrow, standing, now)?, checkout: page(escrow, number) })
}

fn page(escrow: &Escrow, number: u16) -> Option<CheckoutView> {
    let payment = escrow.payments.get(usize::from(number)).filter(|payment| payment.is_live())?;
    Some(CheckoutView {
        payment_id: PaymentId { escrow: escrow.id, number }.to_string(),
        gateway: gateway(payment)?,
        url: payment.url.clone()?,
        expires_at: time(payment.expires_at),
    })
}

/// `None`: the buyer's wallet pays.
fn gateway(payment: &Payment) -> Option<&'static str> {
    match payment.source {
        Source::Gateway(name) => Some(name.as_str()),
        Source::Wallet => None,
    }
}

fn paid_at(payment: &Payment) -> Option<Timestamp> {
    payment.captures.iter().map(|capture| capture.at).min()
}
