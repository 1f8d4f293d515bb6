//! `/_local/sandbox/stripe`: looks into the sandbox, and throws its switches.
//!
//! | Call | Does |
//! |---|---|
//! | `GET …/stripe` | shows sessions, intents, refunds (and how often each of ours took effect), disputes, webhooks, calls |
//! | `POST …/stripe` `{next?, webhooks?}` | sets the faults of the next API calls, and how webhooks travel |
//! | `POST …/payment_intents/{id}/chargeback` `{amount?, reason?}` | the buyer's bank takes the money back |
//! | `POST …/disputes/{id}` `{status: "under_review" \| "won" \| "lost"}` | the chargeback goes on, or ends |
//! | `POST …/payment_intents/{id}/refund` `{amount?, status?}` | somebody refunds in the gateway's dashboard |
//! | `POST …/refunds/{id}` `{status: "succeeded" \| "failed" \| "canceled"}` | a refund ends, or fails after all |
//! | `POST …/sessions/{id}/second_capture` `{amount?}`, `POST …/payment_intents/{id}/second_capture` `{amount?}` | the same buyer's money is taken once more |
//! | `POST …/events` `{body \| type + object, account?, signature?, times?}` | posts any event now, signed or forged |
//! | `POST …/events/{id}/resend` `{times?}` | sends an event again, as the dashboard's button does |
//!
//! `next` is a list like `[{"refunds": "timeout_after"}]`, in the order in which the faults strike; the calls are `checkouts`,
//! `closes` (of sessions and of intents), `intents`, `refunds` and `look_ups`, the faults those of [`super::book::Fault`]. Setting it replaces what was armed.
//! `webhooks` is `{duplicates, delay_ms, shuffle, drop: [type | "*"]}` for events that no page has caused; `drop` is for all.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::book::{ArmedFault, Book, DeliveryState, DisputeStatus, Fault, Kind, Record, RefundStatus, WebhookSwitches};
use super::change::{Cause, Change, random_id};
use super::objects::API_VERSION;
use super::page::{LocalRefusal, check_travel, with_type};
use super::{Sandbox, amounts, checkout, intents, objects, refunds, webhooks};

type Answered = Result<Value, LocalRefusal>;

/// What the state says about itself, for whoever looks at it without this source.
const USAGE: &[&str] = &[
    "POST /_local/sandbox/stripe {next: [{checkouts|closes|intents|refunds|look_ups: timeout_before|timeout_after|lost_before|lost_after|400|409|429|500|500_after}]}; refunds also: fail, pending",
    "POST /_local/sandbox/stripe {webhooks: {duplicates, delay_ms, shuffle, drop: [type|*]}}",
    "POST /_local/sandbox/stripe/payment_intents/{id}/chargeback {amount?, reason?}",
    "POST /_local/sandbox/stripe/payment_intents/{id}/refund {amount?, status?}",
    "POST /_local/sandbox/stripe/disputes/{id} {status: under_review|won|lost}",
    "POST /_local/sandbox/stripe/refunds/{id} {status: succeeded|failed|canceled}",
    "POST /_local/sandbox/stripe/sessions/{id}/second_capture {amount?}; also payment_intents/{id}/second_capture",
    "POST /_local/sandbox/stripe/events {body | type + object, id?, account?, livemode?, api_version?, signature: genuine|forged|stale|of_another_body|missing, times?}",
    "POST /_local/sandbox/stripe/events/{id}/resend {times?}",
];

/// So many copies of one raw event, or armed faults, at most.
const MOST_AT_ONCE: usize = 100;

/// A JSON body that says nothing more than it may.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, LocalRefusal> {
    only_here(headers)?;
    // Every field of most switches may be left out, so the body may be as well.
    let body = if body.is_empty() { b"{}" } else { body.as_ref() };
    serde_json::from_slice(body).map_err(|error| LocalRefusal::invalid(error.to_string()))
}

/// A page elsewhere whose name leads here, or a tunnel that was opened for webhooks, must not throw switches.
fn only_here(headers: &HeaderMap) -> Result<(), LocalRefusal> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") { Ok(()) } else { Err(LocalRefusal::missing("path")) }
}

fn answer(answered: Answered) -> Response {
    match answered {
        Ok(value) => with_type(StatusCode::OK, format!("{value:#}"), "application/json"),
        Err(refusal) => refusal.into_response(),
    }
}

fn by_hand(sandbox: &Sandbox, work: impl FnOnce(&mut Change<'_>) -> Answered) -> Answered {
    sandbox.change(Cause::default(), None, work)?
}

/// `GET /_local/sandbox/stripe`
pub(super) async fn state(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let looked = only_here(&headers).and_then(|()| {
        let counts = sandbox.desk().counts.clone();
        by_hand(&sandbox, |change| {
            let mut shown = shown(change.book);
            shown["now"] = json!(change.now.to_string());
            shown["calls"] = json!(counts);
            shown["usage"] = json!(USAGE);
            Ok(shown)
        })
    });
    answer(looked)
}

fn shown(book: &Book) -> Value {
    let sessions: Vec<Value> = book
        .sessions
        .values()
        .map(|session| {
            json!({"id": session.id, "status": session.status.word(), "paid": session.paid, "amount": session.amount,
                   "currency": session.currency, "payment_intent": session.intent, "expires_at": session.expires_at,
                   "client_reference_id": session.client_reference_id, "metadata": session.metadata, "url": session.url})
        })
        .collect();
    let intents: Vec<Value> = book
        .intents
        .values()
        .map(|intent| {
            let charge = intent.paid_charge();
            json!({"id": intent.id, "session": intent.session, "status": intent.status.word(), "amount": intent.amount,
                   "currency": intent.currency, "metadata": intent.data.metadata,
                   "charge": charge.map(|charge| &charge.id),
                   "refunded": charge.map_or(0, |charge| book.refunded(&charge.id))})
        })
        .collect();
    let list: Vec<Value> = book
        .refunds
        .values()
        .map(|refund| {
            json!({"id": refund.id, "status": refund.status.word(), "amount": refund.amount, "currency": refund.currency,
                   "payment_intent": refund.intent, "metadata": refund.metadata, "by_hand": refund.by_hand})
        })
        .collect();
    // How often each refund of ours took effect: more than once is the mistake that this sandbox is there to show.
    let mut effects: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    for refund in book.refunds.values().filter(|refund| refund.status.takes_money()) {
        if let Some(ours) = refund.metadata.get("refund_id") {
            let count = effects.entry(ours).or_default();
            *count = count.saturating_add(1);
        }
    }
    let disputes: Vec<Value> = book
        .disputes
        .values()
        .map(|dispute| {
            json!({"id": dispute.id, "status": dispute.status.word(), "amount": dispute.amount,
                   "payment_intent": dispute.intent})
        })
        .collect();
    let events: Vec<Value> = {
        let mut all: Vec<_> = book.events.values().collect();
        all.sort_by_key(|event| event.number);
        all.into_iter().map(|event| json!({"id": event.id, "type": event.kind, "created": event.created})).collect()
    };
    let deliveries: Vec<Value> = book
        .deliveries
        .values()
        .map(|delivery| {
            let kind = book.events.get(&delivery.event).map(|event| &event.kind);
            json!({"event": delivery.event, "type": kind, "attempts": delivery.attempts, "state": delivery.state,
                   "last_status": delivery.status,
                   "due": (delivery.state == DeliveryState::Waiting).then_some(delivery.due)})
        })
        .collect();
    json!({"sessions": sessions, "payment_intents": intents, "refunds": list, "refund_effects": effects,
           "disputes": disputes, "events": events, "webhooks": deliveries, "switches": book.switches})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    next: Option<Vec<ArmedFault>>,
    webhooks: Option<WebhookSwitches>,
}

/// `POST /_local/sandbox/stripe`
pub(super) async fn set(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let done = read::<Set>(&headers, &body).and_then(|asked| {
        if asked.next.as_ref().is_some_and(|next| next.len() > MOST_AT_ONCE) {
            return Err(LocalRefusal::invalid(format!("next holds at most {MOST_AT_ONCE} faults.")));
        }
        if asked.next.iter().flatten().any(|armed| !makes_sense(*armed)) {
            return Err(LocalRefusal::invalid("Only refunds can fail or stay pending."));
        }
        if let Some(travel) = &asked.webhooks {
            check_travel(travel.duplicates, travel.delay_ms)?;
        }
        by_hand(&sandbox, |change| {
            let mut switches = change.book.switches.clone();
            switches.next = asked.next.unwrap_or(switches.next);
            switches.webhooks = asked.webhooks.unwrap_or(switches.webhooks);
            let shown = json!(switches);
            change.put(Record::Switches(switches));
            Ok(shown)
        })
    });
    answer(done)
}

const fn makes_sense(armed: ArmedFault) -> bool {
    let (kind, fault) = armed.parts();
    matches!(kind, Kind::Refunds) || !matches!(fault, Fault::Fail | Fault::Pending)
}

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

/// What is to be said of an event's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Signature {
    /// As Stripe signs.
    #[default]
    Genuine,
    /// By a secret that is not ours.
    Forged,
    /// Genuine, of an hour ago.
    Stale,
    /// Genuine, of another body.
    OfAnotherBody,
    /// None at all.
    Missing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// The bytes as they are.
    body: Option<String>,
    /// Or the event's type and object, in the usual envelope.
    r#type: Option<String>,
    object: Option<Value>,
    id: Option<String>,
    account: Option<String>,
    #[serde(default)]
    livemode: bool,
    api_version: Option<String>,
    #[serde(default)]
    signature: Signature,
    times: Option<usize>,
}

/// `POST …/events`: posts now, waits for the endpoint, and says what it answered.
pub(super) async fn send_raw(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> Response {
    let asked = match read::<Raw>(&headers, &body) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    let now = sandbox.shared.clock.now();
    let text = match (&asked.body, &asked.r#type, &asked.object) {
        (Some(body), None, None) => body.clone(),
        (None, Some(kind), Some(object)) => {
            let mut event = json!({
                "id": asked.id.clone().unwrap_or_else(|| random_id("evt_1", 23)), "object": "event",
                "api_version": asked.api_version.as_deref().unwrap_or(API_VERSION), "created": now.as_seconds(),
                "data": {"object": object}, "livemode": asked.livemode, "pending_webhooks": 1,
                "request": {"id": null, "idempotency_key": null}, "type": kind,
            });
            if let Some(account) = &asked.account {
                event["account"] = json!(account);
            }
            format!("{event:#}")
        }
        _ => return LocalRefusal::invalid("Either body, or type and object.").into_response(),
    };
    let secret = &sandbox.shared.settings.webhook_secret;
    let hour_ago = now.before(escrow_domain::time::Period::hours(1));
    let signature = match asked.signature {
        Signature::Genuine => Some(webhooks::signature(secret, now, &text)),
        Signature::Forged => Some(webhooks::signature("whsec_of_somebody_else", now, &text)),
        Signature::Stale => Some(webhooks::signature(secret, hour_ago, &text)),
        Signature::OfAnotherBody => Some(webhooks::signature(secret, now, &format!("{text} "))),
        Signature::Missing => None,
    };
    let mut statuses = Vec::new();
    for _ in 0..asked.times.unwrap_or(1).min(MOST_AT_ONCE) {
        let status = sandbox.post(text.clone(), signature.as_deref()).await;
        statuses.push(status.map(|status| status.as_u16()));
    }
    answer(Ok(json!({"statuses": statuses, "body": text})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resend {
    times: Option<usize>,
}

/// `POST …/events/{id}/resend`
pub(super) async fn resend(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = read::<Resend>(&headers, &body).and_then(|asked| {
        by_hand(&sandbox, |change| {
            let kind = change.book.events.get(&id).map(|event| event.kind.clone());
            let kind = kind.ok_or_else(|| LocalRefusal::missing("event"))?;
            let times = asked.times.unwrap_or(1).min(MOST_AT_ONCE);
            for _ in 0..times {
                change.send_again(&id, &kind);
            }
            Ok(json!({"event": id, "type": kind, "copies": times}))
        })
    });
    answer(done)
}
