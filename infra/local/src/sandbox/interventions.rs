//! `/_local/sandbox/stripe/…`: what happens at a gateway without anybody having asked for it over the API. The table of these
//! calls stands in `switches.rs`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;

use super::book::{Book, DisputeStatus, RefundStatus};
use super::onboarding::Played;
use super::page::LocalRefusal;
use super::switches::{answer, by_hand, read};
use super::{Sandbox, accounts, amounts, checkout, intents, objects, refunds};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChargeBack {
    amount: Option<i64>,
    #[serde(default = "usual_reason")]
    reason: String,
}

fn usual_reason() -> String {
    "fraudulent".to_owned()
}

/// `POST …/payment_intents/{id}/chargeback`
pub(super) async fn chargeback(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<ChargeBack>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let (intent, charge) = paid(change.book, &id)?;
            if change.book.dispute_about(&charge.id).is_some() {
                return Err(LocalRefusal::conflict(
                    "already_disputed",
                    "There is a dispute about this charge already.",
                ));
            }
            let left = intent.amount - change.book.refunded(&charge.id);
            let amount = asked.amount.unwrap_or(left);
            if amount < 1 || amount > intent.amount {
                return Err(LocalRefusal::invalid("amount must be at least 1, and at most what was paid."));
            }
            let dispute = refunds::charge_back(change, &intent, &charge, amount, &asked.reason);
            Ok(objects::dispute(&dispute))
        })
    });
    answer(done)
}

fn paid(book: &Book, intent: &str) -> Result<(super::book::Intent, super::book::Charge), LocalRefusal> {
    let intent = book.intents.get(intent).ok_or_else(|| LocalRefusal::missing("payment intent"))?;
    let unpaid = || LocalRefusal::conflict("not_paid", "This payment intent has not been paid.");
    let charge = intent.paid_charge().ok_or_else(unpaid)?;
    Ok((intent.clone(), charge.clone()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    status: DisputeStatus,
}

/// `POST …/disputes/{id}`
pub(super) async fn rule(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<Rule>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let dispute = change.book.disputes.get(&id).cloned().ok_or_else(|| LocalRefusal::missing("dispute"))?;
            if !refunds::rule(change, &dispute, asked.status) {
                let detail = format!("The dispute is {}.", dispute.status.word());
                return Err(LocalRefusal::conflict("dispute_final", detail));
            }
            change.book.disputes.get(&id).map(objects::dispute).ok_or_else(|| LocalRefusal::missing("dispute"))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundByHand {
    amount: Option<i64>,
    #[serde(default = "usual_status")]
    status: RefundStatus,
}

const fn usual_status() -> RefundStatus {
    RefundStatus::Succeeded
}

/// `POST …/payment_intents/{id}/refund`
pub(super) async fn refund_by_hand(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<RefundByHand>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let (intent, charge) = paid(change.book, &id)?;
            let refund = refunds::new(change, &intent, &charge, asked.amount);
            let refund = refund.map_err(|refusal| LocalRefusal::conflict("refund_refused", refusal.message))?;
            let refund = super::book::Refund { by_hand: true, status: asked.status, ..refund };
            refunds::tell(change, &intent, &charge, &refund);
            Ok(objects::refund(&refund))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnRefund {
    status: RefundStatus,
}

/// `POST …/refunds/{id}`
pub(super) async fn turn_refund(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<TurnRefund>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let refund = change.book.refunds.get(&id).cloned().ok_or_else(|| LocalRefusal::missing("refund"))?;
            if !refunds::turn(change, &refund, asked.status) {
                let detail =
                    format!("A refund that is {} cannot become {}.", refund.status.word(), asked.status.word());
                return Err(LocalRefusal::conflict("refund_final", detail));
            }
            change.book.refunds.get(&id).map(objects::refund).ok_or_else(|| LocalRefusal::missing("refund"))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondCapture {
    amount: Option<i64>,
}

/// `POST …/sessions/{id}/second_capture`, `POST …/payment_intents/{id}/second_capture`
pub(super) async fn second_capture(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<SecondCapture>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            if asked.amount.is_some_and(|amount| !(1..=amounts::LARGEST).contains(&amount)) {
                return Err(LocalRefusal::invalid("amount is out of what a payment can be."));
            }
            let intent = match (change.book.sessions.get(&id).cloned(), change.book.intents.get(&id).cloned()) {
                (Some(session), _) => checkout::capture_again(change, &session, asked.amount),
                (None, Some(intent)) => intents::capture_again(change, &intent, asked.amount),
                (None, None) => return Err(LocalRefusal::missing("session or payment intent")),
            };
            change.book.intents.get(&intent).map(objects::intent).ok_or_else(|| LocalRefusal::missing("payment intent"))
        })
    });
    answer(done)
}

/// `POST …/accounts/{id}`
pub(super) async fn turn_account(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<Played>(&headers, &body).and_then(|played| {
        by_hand(&sandbox, |change| {
            let account = change.book.accounts.get(&id).cloned().ok_or_else(|| LocalRefusal::missing("account"))?;
            Ok(accounts::shown(&accounts::turn(change, &account, played.outcome, played.currently_due)))
        })
    });
    answer(done)
}
