//! `/_local/sandbox/stripe/…`: what happens at a gateway without anybody having asked for it over the API. The table of these
//! calls stands in `switches.rs`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::accounts::Played;
use super::book::{Book, Dispute, DisputeStatus, RefundStatus};
use super::disputes::{Funds, Opening};
use super::page::LocalRefusal;
use super::payouts::PayoutStatus;
use super::switches::{answer, by_hand, read};
use super::{Sandbox, accounts, amounts, balance, checkout, disputes, intents, objects, payouts, refunds, transfers};

/// What one adjustment of the balance may be, in the smallest unit.
const MOST_ADJUSTED: i64 = 1_000_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChargeBack {
    amount: Option<i64>,
    #[serde(default = "usual_reason")]
    reason: String,
    #[serde(default)]
    inquiry: bool,
    #[serde(default = "yes")]
    withdraw: bool,
}

fn usual_reason() -> String {
    "fraudulent".to_owned()
}

const fn yes() -> bool {
    true
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
            let open = |dispute: &Dispute| !dispute.status.is_over() || dispute.status == DisputeStatus::Lost;
            if change.book.disputes_about(&charge.id).any(open) {
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
            let opening = Opening { amount, reason: &asked.reason, inquiry: asked.inquiry, withdraw: asked.withdraw };
            let dispute = disputes::open(change, &intent, &charge, &opening);
            Ok(objects::dispute(change.book, &dispute))
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
    #[serde(default = "yes")]
    funds: bool,
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
            let Some(ruled) = disputes::turn(change, &dispute, asked.status, asked.funds) else {
                let detail =
                    format!("A dispute that is {} cannot become {}.", dispute.status.word(), asked.status.word());
                return Err(LocalRefusal::conflict("dispute_final", detail));
            };
            Ok(objects::dispute(change.book, &ruled))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveFunds {
    funds: Funds,
}

/// `POST …/disputes/{id}/funds`
pub(super) async fn move_funds(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<MoveFunds>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let dispute = change.book.disputes.get(&id).cloned().ok_or_else(|| LocalRefusal::missing("dispute"))?;
            let Some(moved) = disputes::move_funds(change, dispute, asked.funds) else {
                return Err(LocalRefusal::conflict("funds_final", "The dispute's money cannot go there, or is there."));
            };
            Ok(objects::dispute(change.book, &moved))
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
            let account = change.book.account(&id).cloned().ok_or_else(|| LocalRefusal::missing("account"))?;
            Ok(accounts::shown(&accounts::turn(change, &account, &played)))
        })
    });
    answer(done)
}

/// `POST …/accounts/{id}/disconnect`
pub(super) async fn disconnect_account(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<Nothing>(&headers, &body).and_then(|Nothing {}| {
        by_hand(&sandbox, |change| {
            let account = change.book.account(&id).cloned().ok_or_else(|| LocalRefusal::missing("account"))?;
            accounts::disconnect(change, account);
            Ok(json!({"account": id, "connected": false}))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayOut {
    amount: Option<i64>,
    currency: Option<String>,
    #[serde(default = "usual_end")]
    status: PayoutStatus,
    failure_code: Option<String>,
}

const fn usual_end() -> PayoutStatus {
    PayoutStatus::Paid
}

/// `POST …/accounts/{id}/payouts`
pub(super) async fn pay_out(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<PayOut>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let account = change.book.accounts.get(&id).ok_or_else(|| LocalRefusal::missing("account"))?;
            let currency = asked.currency.unwrap_or_else(|| account.default_currency.clone());
            let (there, _) = payouts::balance(change.book, change.now_s(), &id, &currency);
            let amount = asked.amount.unwrap_or(there);
            if amount < 1 || amount > there {
                let detail = format!("The account has {} to pay out.", amounts::shown(there, &currency));
                return Err(LocalRefusal::conflict("nothing_to_pay_out", detail));
            }
            let payout = payouts::make(change, &id, (&currency, amount), asked.status, asked.failure_code, false);
            Ok(payouts::shown(&payout))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnPayout {
    status: PayoutStatus,
    failure_code: Option<String>,
}

/// `POST …/payouts/{id}`
pub(super) async fn turn_payout(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<TurnPayout>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let payout = change.book.payouts.get(&id).cloned().ok_or_else(|| LocalRefusal::missing("payout"))?;
            let Some(turned) = payouts::turn(change, &payout, asked.status, asked.failure_code) else {
                let detail =
                    format!("A payout that is {} cannot become {}.", payout.status.word(), asked.status.word());
                return Err(LocalRefusal::conflict("payout_final", detail));
            };
            Ok(payouts::shown(&turned))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TakeBack {
    amount: Option<i64>,
}

/// `POST …/transfers/{id}/reversals`: Stripe asks nobody whether the account still has it.
pub(super) async fn reverse_transfer(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<TakeBack>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let transfer = change.book.transfers.get(&id).cloned().ok_or_else(|| LocalRefusal::missing("transfer"))?;
            let amount = transfers::reversible(&transfer, asked.amount);
            let amount = amount.map_err(|refusal| LocalRefusal::conflict("reversal_refused", refusal.message))?;
            let turned = transfers::take_back(change, transfer, amount, std::collections::BTreeMap::new());
            Ok(transfers::shown(&turned))
        })
    });
    answer(done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adjust {
    currency: String,
    amount: i64,
}

/// `POST …/balance`
pub(super) async fn adjust_balance(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let done = read::<Adjust>(&headers, &body).and_then(|asked| {
        let currency = amounts::currency(&asked.currency, "currency".to_owned());
        let currency = currency.map_err(|refusal| LocalRefusal::invalid(refusal.message))?;
        if asked.amount == 0 || !(-MOST_ADJUSTED..=MOST_ADJUSTED).contains(&asked.amount) {
            return Err(LocalRefusal::invalid(format!(
                "amount is from -{MOST_ADJUSTED} to {MOST_ADJUSTED}, and not 0."
            )));
        }
        by_hand(&sandbox, |change| {
            balance::adjust(change, &currency, asked.amount);
            Ok(balance::balance(change.book, change.now_s()))
        })
    });
    answer(done)
}
