//! Chargebacks. Buyer and seller see that there is one, of how much, and how it ended; what passed between gateway, bank and platform
//! is for operators and the platform.

use super::{amount, time, time_or_null};
use escrow_domain::actions::Standing;
use escrow_domain::chargeback::Chargeback;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::PaymentId;
use escrow_domain::lifecycle::Role;
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub(super) struct ChargebackView {
    payment: String,
    status: &'static str,
    amount: String,
    currency: String,
    opened_at: String,
    ended_at: Option<String>,
    #[serde(flatten)]
    inside: Option<InsideView>,
}

#[derive(Debug, Clone, Serialize)]
struct InsideView {
    gateway: &'static str,
    reference: String,
    reason: Option<String>,
    taken: String,
    given_back: String,
    borne_by: BorneBy,
}

/// Who bears a lost one, in the units in which each is counted.
#[derive(Debug, Clone, Serialize)]
struct BorneBy {
    escrow: String,
    seller: String,
    buyer: String,
}

pub(super) fn chargebacks(escrow: &Escrow, standing: &Standing) -> Vec<ChargebackView> {
    // A party who is an operator elsewhere is none here.
    let inside =
        !standing.is_party && standing.roles.iter().any(|role| matches!(role, Role::Operator | Role::Platform));
    escrow.chargebacks.iter().map(|one| chargeback(escrow, one, inside)).collect()
}

fn chargeback(escrow: &Escrow, one: &Chargeback, inside: bool) -> ChargebackView {
    let unit = escrow.terms.currency;
    let payment = escrow.payments.get(usize::from(one.payment));
    let charged = payment.map_or(unit, |payment| payment.charged(unit).currency);
    // Of a capture that fitted nothing the escrow bears what was charged; of another, its own unit.
    let applied = payment
        .and_then(|payment| payment.captures.get(usize::from(one.capture)))
        .is_some_and(|capture| capture.applied);
    let of_escrow = if applied { unit } else { charged };
    let told = || InsideView {
        gateway: one.gateway.as_str(),
        reference: one.reference.clone(),
        reason: one.reason.clone(),
        taken: amount(one.taken, charged),
        given_back: amount(one.given_back, charged),
        borne_by: BorneBy {
            escrow: amount(one.of_escrow, of_escrow),
            seller: amount(one.of_seller, unit),
            buyer: amount(one.of_buyer, charged),
        },
    };
    ChargebackView {
        payment: PaymentId { escrow: escrow.id, number: one.payment }.to_string(),
        status: one.status.as_str(),
        amount: amount(one.amount, charged),
        currency: charged.to_string(),
        opened_at: time(one.opened_at),
        ended_at: time_or_null(one.ended_at),
        inside: inside.then(told),
    }
}
