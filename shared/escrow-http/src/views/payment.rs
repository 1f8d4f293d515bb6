//! Payments, and the page where a buyer pays.

use super::escrow::{EscrowView, SubjectView, subject};
use super::{MoneyView, amount, milestone_name, time, time_or_null};
use crate::problem::Answer;
use escrow_domain::actions::Standing;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::PaymentId;
use escrow_domain::lifecycle::Role;
use escrow_domain::payment::{Method, Mode, Payment};
use escrow_domain::time::Timestamp;
use serde::Serialize;
use std::fmt;

/// An attempt to pay, inside its escrow.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AttemptView {
    id: String,
    gateway: Option<&'static str>,
    method: Option<&'static str>,
    mode: &'static str,
    milestones: Vec<String>,
    amount: String,
    currency: String,
    pay_in: Option<MoneyView>,
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
    mode: &'static str,
    milestones: Vec<String>,
    amount: String,
    currency: String,
    pay_in: Option<MoneyView>,
    status: &'static str,
    reference: Option<String>,
    created_at: String,
    expires_at: String,
    paid_at: Option<String>,
}

/// Where the buyer pays: on a page of the gateway's, or with a form on the marketplace's own page.
#[derive(Clone, Serialize)]
struct CheckoutView {
    payment_id: String,
    gateway: &'static str,
    url: Option<String>,
    client_secret: Option<String>,
    /// What is charged.
    amount: String,
    currency: String,
    expires_at: String,
}

/// Without the secret: whoever has it can pay, and read what the buyer entered.
impl fmt::Debug for CheckoutView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckoutView({}, {:?})", self.payment_id, self.url)
    }
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
            mode: payment.mode.as_str(),
            milestones: milestones(payment),
            amount: amount(payment.amount, escrow.terms.currency),
            currency: escrow.terms.currency.to_string(),
            pay_in: payment.pay_in.map(MoneyView::new),
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
        mode: payment.mode.as_str(),
        milestones: milestones(payment),
        amount: amount(payment.amount, escrow.terms.currency),
        currency: escrow.terms.currency.to_string(),
        pay_in: payment.pay_in.map(MoneyView::new),
        status: payment.status.as_str(),
        reference: payment.reference.clone(),
        created_at: time(payment.created_at),
        expires_at: time(payment.expires_at),
        paid_at: time_or_null(paid_at(payment)),
    })
}

/// The escrow as whoever has this standing sees it, with the way to pay the payment of that number, while the buyer can.
///
/// # Errors
/// 500 if its money cannot be summed: corrupt data.
pub fn checkout(escrow: &Escrow, number: u16, standing: &Standing, now: Timestamp) -> Answer<CheckoutCreated> {
    Ok(CheckoutCreated { escrow: EscrowView::new(escrow, standing, now)?, checkout: page(escrow, number, standing) })
}

fn page(escrow: &Escrow, number: u16, standing: &Standing) -> Option<CheckoutView> {
    let payment = escrow.payments.get(usize::from(number)).filter(|payment| payment.is_live())?;
    let may_pay = standing.roles.iter().any(|role| matches!(role, Role::Buyer | Role::Platform));
    let (url, client_secret) = match payment.mode {
        Mode::Hosted => (Some(payment.url.clone()?), None),
        // For the buyer alone, and for the marketplace's server that makes the buyer's page.
        Mode::Elements => (None, Some(payment.client_secret.clone().filter(|_| may_pay)?)),
    };
    let charged = payment.charged(escrow.terms.currency);
    Some(CheckoutView {
        payment_id: PaymentId { escrow: escrow.id, number }.to_string(),
        gateway: gateway(payment)?,
        url,
        client_secret,
        amount: charged.to_string(),
        currency: charged.currency.to_string(),
        expires_at: time(payment.expires_at),
    })
}

/// `None`: the buyer's wallet pays.
fn gateway(payment: &Payment) -> Option<&'static str> {
    payment.gateway().map(escrow_domain::id::GatewayName::as_str)
}

fn milestones(payment: &Payment) -> Vec<String> {
    payment.milestones.iter().copied().map(milestone_name).collect()
}

fn paid_at(payment: &Payment) -> Option<Timestamp> {
    payment.captures.iter().map(|capture| capture.at).min()
}
