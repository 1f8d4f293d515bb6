//! `/_local/sandbox/stripe`: looks into the sandbox, and throws its switches.
//!
//! | Call | Does |
//! |---|---|
//! | `GET …/stripe` | shows everything, and how often each refund and transfer of ours took effect |
//! | `POST …/stripe` `{next?, webhooks?, balance?, payouts?}` | sets the faults of the next API calls, how webhooks travel, and the rest below |
//! | `POST …/payment_intents/{id}/chargeback` `{amount?, reason?, inquiry?, withdraw?}` | the buyer's bank takes the money back; with `inquiry: true` it only asks; with `withdraw: false` the money goes later |
//! | `POST …/disputes/{id}` `{status, funds?: bool}` | the chargeback goes on, or ends: `under_review`, `won`, `lost`; an inquiry: `warning_under_review`, `warning_closed`, `needs_response` (it becomes a chargeback). Unless `funds` is false the money goes the way that goes with it |
//! | `POST …/disputes/{id}/funds` `{funds: "withdrawn" \| "reinstated"}` | the money of a dispute moves by itself |
//! | `POST …/payment_intents/{id}/refund` `{amount?, status?}` | somebody refunds in the gateway's dashboard |
//! | `POST …/refunds/{id}` `{status: "succeeded" \| "failed" \| "canceled"}` | a refund ends, or fails after all |
//! | `POST …/sessions/{id}/second_capture` `{amount?}`, `POST …/payment_intents/{id}/second_capture` `{amount?}` | the same buyer's money is taken once more |
//! | `POST …/accounts/{id}` `{outcome: "complete" \| "pending" \| "incomplete" \| "rejected", currently_due?, payouts_enabled?: bool}` | Stripe changes its mind about a seller; `complete` with `payouts_enabled: false` takes transfers, but its payouts are stopped |
//! | `POST …/accounts/{id}/disconnect` | the seller takes the platform's access away |
//! | `POST …/accounts/{id}/payouts` `{amount?, currency?, status?: "pending" \| "in_transit" \| "paid" \| "failed", failure_code?}` | the account pays out to its bank: all that it has, and at once, unless said otherwise |
//! | `POST …/payouts/{id}` `{status: "in_transit" \| "paid" \| "failed" \| "canceled", failure_code?}` | the payout goes on; what was paid may still fail |
//! | `POST …/transfers/{id}/reversals` `{amount?}` | somebody takes a transfer back in the dashboard |
//! | `POST …/balance` `{currency, amount}` | the platform puts money into its balance, or takes it out (a negative amount) |
//! | `POST …/events` `{body \| type + object, account?, signature?, times?}` | posts any event now, signed or forged |
//! | `POST …/events/{id}/resend` `{times?}` | sends an event again, as the dashboard's button does |
//!
//! `next` is a list like `[{"refunds": "timeout_after"}]`, in the order in which the faults strike; the calls are `checkouts`,
//! `intents`, `closes` (of sessions and of intents), `refunds`, `accounts`, `account_links`, `transfers`, `reversals` and
//! `look_ups`, the faults those of [`super::faults::Fault`]. Setting it replaces what was armed.
//! `webhooks` is `{duplicates, delay_ms, shuffle, drop: [type | "*"]}` for events that no page has caused; `drop` is for all.
//! `balance` is `{available_after_s}`: captured money is pending for so long (0, the default: for no time).
//! `payouts` is `{automatic: "paid" | "failed" | "pending" | null}`: every transfer is followed by a payout of the account.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::book::{BalanceSwitches, PayoutSwitches, Record, WebhookSwitches};
use super::change::{Cause, Change, random_id};
use super::faults::{ArmedFault, Fault, Kind};
use super::objects::API_VERSION;
use super::page::{LocalRefusal, check_travel, with_type};
use super::{Sandbox, state, webhooks};

pub(super) type Answered = Result<Value, LocalRefusal>;

/// What the state says about itself, for whoever looks at it without this source.
const USAGE: &[&str] = &[
    "POST /_local/sandbox/stripe {next: [{checkouts|intents|closes|refunds|accounts|account_links|transfers|reversals|look_ups: timeout_before|timeout_after|lost_before|lost_after|400|409|429|500|500_after}]}; refunds also: fail, pending",
    "POST /_local/sandbox/stripe {webhooks: {duplicates, delay_ms, shuffle, drop: [type|*]}}",
    "POST /_local/sandbox/stripe {balance: {available_after_s}, payouts: {automatic: paid|failed|pending|null}}",
    "POST /_local/sandbox/stripe/payment_intents/{id}/chargeback {amount?, reason?, inquiry?, withdraw?}",
    "POST /_local/sandbox/stripe/payment_intents/{id}/refund {amount?, status?}",
    "POST /_local/sandbox/stripe/disputes/{id} {status: under_review|won|lost|warning_under_review|warning_closed|needs_response, funds?: bool}",
    "POST /_local/sandbox/stripe/disputes/{id}/funds {funds: withdrawn|reinstated}",
    "POST /_local/sandbox/stripe/refunds/{id} {status: succeeded|failed|canceled}",
    "POST /_local/sandbox/stripe/sessions/{id}/second_capture {amount?}; also payment_intents/{id}/second_capture",
    "POST /_local/sandbox/stripe/accounts/{id} {outcome: complete|pending|incomplete|rejected, currently_due?: [field], payouts_enabled?: bool}",
    "POST /_local/sandbox/stripe/accounts/{id}/disconnect",
    "POST /_local/sandbox/stripe/accounts/{id}/payouts {amount?, currency?, status?: pending|in_transit|paid|failed, failure_code?}",
    "POST /_local/sandbox/stripe/payouts/{id} {status: in_transit|paid|failed|canceled, failure_code?}",
    "POST /_local/sandbox/stripe/transfers/{id}/reversals {amount?}",
    "POST /_local/sandbox/stripe/balance {currency, amount}",
    "POST /_local/sandbox/stripe/events {body | type + object, id?, account?, livemode?, api_version?, signature: genuine|forged|stale|of_another_body|missing, times?}",
    "POST /_local/sandbox/stripe/events/{id}/resend {times?}",
];

/// So many copies of one raw event, or armed faults, at most.
const MOST_AT_ONCE: usize = 100;
/// Thirty days.
const LONGEST_PENDING_S: i64 = 30 * 86_400;

/// A JSON body that says nothing more than it may.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, LocalRefusal> {
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

pub(super) fn answer(answered: Answered) -> Response {
    match answered {
        Ok(value) => with_type(StatusCode::OK, format!("{value:#}"), "application/json"),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) fn by_hand(sandbox: &Sandbox, work: impl FnOnce(&mut Change<'_>) -> Answered) -> Answered {
    sandbox.change(Cause::default(), None, work)?
}

/// `GET /_local/sandbox/stripe`
pub(super) async fn state(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let looked = only_here(&headers).and_then(|()| {
        let counts = sandbox.desk().counts.clone();
        by_hand(&sandbox, |change| {
            let mut shown = state::shown(change.book, change.now_s(), &sandbox.shared.settings.public_url);
            shown["now"] = json!(change.now.to_string());
            shown["calls"] = json!(counts);
            shown["usage"] = json!(USAGE);
            Ok(shown)
        })
    });
    answer(looked)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    next: Option<Vec<ArmedFault>>,
    webhooks: Option<WebhookSwitches>,
    balance: Option<BalanceSwitches>,
    payouts: Option<PayoutSwitches>,
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
        let wait = asked.balance.as_ref().map_or(0, |balance| balance.available_after_s);
        if !(0..=LONGEST_PENDING_S).contains(&wait) {
            return Err(LocalRefusal::invalid(format!("available_after_s is from 0 to {LONGEST_PENDING_S}.")));
        }
        by_hand(&sandbox, |change| {
            let mut switches = change.book.switches.clone();
            switches.next = asked.next.unwrap_or(switches.next);
            switches.webhooks = asked.webhooks.unwrap_or(switches.webhooks);
            switches.balance = asked.balance.unwrap_or(switches.balance);
            switches.payouts = asked.payouts.unwrap_or(switches.payouts);
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
