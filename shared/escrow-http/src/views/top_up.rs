//! Payments into wallets.

use super::{amount, time, whole};
use crate::problem::{Answer, Problem};
use escrow_domain::money::Minor;
use escrow_domain::payment::Source;
use escrow_domain::time::Timestamp;
use escrow_domain::top_up::TopUp;
use serde::Serialize;

/// A payment into a wallet.
#[derive(Debug, Clone, Serialize)]
pub struct TopUpView {
    id: String,
    owner: String,
    currency: String,
    amount: String,
    pay_in: PayInView,
    gateway: &'static str,
    method: Option<&'static str>,
    mode: &'static str,
    status: &'static str,
    reference: Option<String>,
    credited: String,
    created_at: String,
    updated_at: String,
    expires_at: String,
    version: u64,
}

#[derive(Debug, Clone, Serialize)]
struct PayInView {
    currency: String,
    amount: String,
}

/// A top-up, and where to pay.
#[derive(Debug, Clone, Serialize)]
pub struct TopUpCreated {
    top_up: TopUpView,
    checkout: Option<TopUpCheckoutView>,
}

#[derive(Debug, Clone, Serialize)]
struct TopUpCheckoutView {
    top_up_id: String,
    gateway: &'static str,
    url: Option<String>,
    client_secret: Option<String>,
    expires_at: String,
}

/// A payment into a wallet, as it stands now.
///
/// # Errors
/// 500 if it is no payment at a gateway, or its money cannot be summed: corrupt data.
pub fn top_up(top_up: &TopUp, now: Timestamp) -> Answer<TopUpView> {
    let (payment, currency) = (&top_up.payment, top_up.money.currency);
    let pay_in = top_up.pay_in();
    Ok(TopUpView {
        id: top_up.id.to_string(),
        owner: top_up.owner.to_string(),
        currency: currency.to_string(),
        amount: top_up.money.to_string(),
        pay_in: PayInView { currency: pay_in.currency.to_string(), amount: pay_in.to_string() },
        gateway: gateway(top_up)?,
        method: payment.method.map(|method| method.as_str()),
        mode: payment.mode.as_str(),
        status: top_up.status(now).as_str(),
        reference: payment.reference.clone(),
        credited: amount(credited(top_up)?, currency),
        created_at: time(top_up.created_at),
        updated_at: time(top_up.updated_at),
        expires_at: time(payment.expires_at),
        version: top_up.version,
    })
}

/// The same, with where to pay while that is possible.
///
/// # Errors
/// As [`top_up`].
pub fn top_up_created(created: &TopUp, now: Timestamp) -> Answer<TopUpCreated> {
    let payment = &created.payment;
    let can_be_paid = payment.is_live() && (payment.url.is_some() || payment.client_secret.is_some());
    let checkout = TopUpCheckoutView {
        top_up_id: created.id.to_string(),
        gateway: gateway(created)?,
        url: payment.url.clone(),
        client_secret: payment.client_secret.clone(),
        expires_at: time(payment.expires_at),
    };
    Ok(TopUpCreated { top_up: top_up(created, now)?, checkout: can_be_paid.then_some(checkout) })
}

/// Every capture credits the whole of it, once.
fn credited(top_up: &TopUp) -> Answer<Minor> {
    let captures = &top_up.payment.captures;
    whole(captures.iter().try_fold(Minor::ZERO, |sum, _| sum.plus(top_up.money.amount)))
}

fn gateway(top_up: &TopUp) -> Answer<&'static str> {
    match top_up.payment.source {
        Source::Gateway(name) => Ok(name.as_str()),
        Source::Wallet => Err(Problem::internal("a top-up that no gateway was asked for")),
    }
}
