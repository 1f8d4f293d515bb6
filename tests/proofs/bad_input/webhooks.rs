//! What is posted to the webhook and is not what the gateway said: refused if it is not signed as it must be, and kept for an
//! operator if it is but does not fit. Nothing is booked.

use super::{Table, money_of, parked};
use hmac::{Hmac, KeyInit, Mac};
use holdfast::Options;
use holdfast_tests::api::Call;
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use holdfast_tests::{on, on_holdfast};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "whsec_new";
const OLD_SECRET: &str = "whsec_old";
const PATH: &str = "/v1/webhooks/stripe";

fn rotating() -> Options {
    let mut options = Options::in_memory();
    options.settings.insert("STRIPE_WEBHOOK_SECRET".to_owned(), format!("{SECRET},{OLD_SECRET}"));
    options
}

fn code(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Seconds since 1970, by the system's clock.
async fn seconds(holdfast: &Stack) -> i64 {
    let sandbox = holdfast.sandbox().await;
    let now = sandbox.text("/now").parse::<escrow_domain::time::Timestamp>().unwrap();
    now.as_seconds()
}

/// The genuine event that says that this escrow was paid, which nobody has delivered.
async fn undelivered(holdfast: &Stack) -> (String, Value) {
    holdfast
        .switch_sandbox(json!({ "webhooks": { "duplicates": 0, "delay_ms": 0, "shuffle": false, "drop": ["*"] } }))
        .await;
    let deal = holdfast.paid(json!({})).await;
    deal.stands().await.shows(json!({ "status": "pending" }));
    let key = holdfast.api.bearer("sk_test_sandbox");
    let events = key.get("/sandbox/stripe/v1/events?type=payment_intent.succeeded").send().await.is(200);
    (deal.id, events.list("/data")[0].clone())
}

fn posted(holdfast: &Stack, body: &str, signature: &str) -> Call {
    holdfast.api.post(PATH).raw("application/json", body.to_owned()).header("stripe-signature", signature)
}

#[tokio::test]
async fn notices_that_are_not_signed_as_they_must_be() {
    on(rotating(), async |holdfast| {
        let (escrow, event) = undelivered(holdfast).await;
        let before = money_of(holdfast, &escrow).await;
        let body = event.to_string();
        let now = seconds(holdfast).await;
        let signed = |secret: &str, at: i64| format!("t={at},v1={}", code(secret, at, &body));
        let good = code(SECRET, now, &body);
        let mut table = Table::on(holdfast);
        for (what, signature) in [
            ("forged", signed("whsec_of_somebody_else", now)),
            ("signed with nothing", signed("", now)),
            ("signed with both secrets as one", signed("whsec_new,whsec_old", now)),
            ("stale", signed(SECRET, now - 310)),
            ("of the future", signed(SECRET, now + 330)),
            ("of another time", format!("t={},v1={good}", now + 1)),
            ("of another body", format!("t={now},v1={}", code(SECRET, now, "{}"))),
            ("of another scheme", format!("t={now},v0={good}")),
            ("cut off", format!("t={now},v1={}", &good[..62])),
            ("half a digit", format!("t={now},v1={}", &good[..63])),
            ("empty", format!("t={now},v1=")),
            ("without a code", format!("t={now}")),
            ("without a time", format!("v1={good}")),
            ("a time in words", format!("t=now,v1={good}")),
            ("two times", format!("t=1,t={now},v1={good}")),
            ("nothing", String::new()),
            ("commas", ",,,".to_owned()),
            ("only the code", good.clone()),
        ] {
            table.row(what, posted(holdfast, &body, &signature), 400, "signature_invalid").await;
        }
        let unsigned = holdfast.api.post(PATH).raw("application/json", body.clone());
        table.row("no header", unsigned, 400, "signature_invalid").await;
        let twice = posted(holdfast, &body, &signed(SECRET, now)).header("stripe-signature", &signed(SECRET, now));
        table.row("two headers", twice, 400, "signature_invalid").await;
        let cut = &body[..body.len() - 1];
        table.row("a truncated body", posted(holdfast, cut, &signed(SECRET, now)), 400, "signature_invalid").await;
        let changed = body.replace("15000", "15001");
        assert_ne!(changed, body);
        table.row("a changed body", posted(holdfast, &changed, &signed(SECRET, now)), 400, "signature_invalid").await;
        let large = " ".repeat(1024 * 1024 + 1);
        let signature = format!("t={now},v1={}", code(SECRET, now, &large));
        table.row("more than a megabyte", posted(holdfast, &large, &signature), 413, "body_too_large").await;
        for gateway in ["paypal", "moyasar", "stripes", "..", "Stripe"] {
            let call = holdfast.api.post(&format!("/v1/webhooks/{gateway}")).raw("application/json", body.clone());
            table.row(gateway, call.header("stripe-signature", &signed(SECRET, now)), 404, "not_found").await;
        }
        for (what, body) in [
            ("no JSON", "paid".to_owned()),
            ("a list", "[]".to_owned()),
            ("no event", "{}".to_owned()),
            ("of the live mode", body.replace("\"livemode\":false", "\"livemode\":true")),
        ] {
            let signature = format!("t={now},v1={}", code(SECRET, now, &body));
            table.row(what, posted(holdfast, &body, &signature), 400, "signature_invalid").await;
        }
        table.end();
        assert_eq!(money_of(holdfast, &escrow).await, before);
        assert_eq!(parked(holdfast).await, 0);

        // The very same, signed with the secret that is on its way out, is believed: the table above was not refused for nothing.
        posted(holdfast, &body, &signed(OLD_SECRET, now)).send().await.is(200);
        holdfast.buyer.get(&format!("/v1/escrows/{escrow}")).send().await.is(200).shows(json!({ "status": "held" }));
    })
    .await;
}

/// A signed event in which one thing differs from what the escrow knows: it is taken and kept, and nothing is booked.
async fn check_misfit(what: &str, change: impl Fn(&mut Value)) {
    on(rotating(), async |holdfast| {
        let (escrow, genuine) = undelivered(holdfast).await;
        let before = money_of(holdfast, &escrow).await;
        let mut event = genuine.clone();
        change(&mut event);
        assert_ne!(event, genuine, "{what}: nothing was changed");
        let now = seconds(holdfast).await;
        let post = |event: &Value| {
            let body = event.to_string();
            posted(holdfast, &body, &format!("t={now},v1={}", code(SECRET, now, &body))).send()
        };
        post(&event).await.is(200);
        holdfast.settle().await;
        assert_eq!(money_of(holdfast, &escrow).await, before, "{what}");
        assert_eq!(parked(holdfast).await, 1, "{what}: kept for an operator");
        // The truth still counts.
        let truth = holdfast_tests::json::with(genuine, json!({ "id": "evt_1OfTheTruth" }));
        post(&truth).await.is(200);
        holdfast.settle().await;
        holdfast.buyer.get(&format!("/v1/escrows/{escrow}")).send().await.is(200).shows(json!({ "status": "held" }));
    })
    .await;
}

#[tokio::test]
async fn a_signed_event_with_another_amount_books_nothing() {
    for amount in [15_001, 14_999, 1, 150] {
        check_misfit("amount", |event| {
            event["data"]["object"]["amount"] = json!(amount);
            event["data"]["object"]["amount_received"] = json!(amount);
        })
        .await;
    }
}

#[tokio::test]
async fn a_signed_event_with_another_currency_books_nothing() {
    for currency in ["usd", "jpy", "kwd"] {
        check_misfit("currency", |event| event["data"]["object"]["currency"] = json!(currency)).await;
    }
}

#[tokio::test]
async fn a_signed_event_about_a_payment_that_the_escrow_does_not_have_books_nothing() {
    check_misfit("payment", |event| {
        let payment = event["data"]["object"]["metadata"]["payment_id"].as_str().unwrap().to_owned();
        event["data"]["object"]["metadata"]["payment_id"] = json!(format!("{}05", &payment[..payment.len() - 2]));
    })
    .await;
}

#[tokio::test]
async fn a_signed_event_about_an_escrow_that_is_not_here_is_kept() {
    on(rotating(), async |holdfast| {
        let (escrow, mut event) = undelivered(holdfast).await;
        let elsewhere = "00000000000000000000000000";
        event["data"]["object"]["metadata"] =
            json!({ "escrow_id": format!("esc_{elsewhere}"), "payment_id": format!("pay_{elsewhere}00") });
        let (body, now) = (event.to_string(), seconds(holdfast).await);
        posted(holdfast, &body, &format!("t={now},v1={}", code(SECRET, now, &body))).send().await.is(200);
        assert_eq!(parked(holdfast).await, 1);
        holdfast.buyer.get(&format!("/v1/escrows/{escrow}")).send().await.is(200).shows(json!({ "status": "pending" }));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_about_us_is_taken_and_leaves_nothing() {
    on(rotating(), async |holdfast| {
        let (escrow, event) = undelivered(holdfast).await;
        let before = (money_of(holdfast, &escrow).await, holdfast.write_units().await);
        for changes in [
            json!({ "type": "customer.created" }),
            json!({ "type": "something.new" }),
            json!({ "account": "acct_of_somebody" }),
        ] {
            let changed = holdfast_tests::json::with(event.clone(), changes);
            let (body, now) = (changed.to_string(), seconds(holdfast).await);
            posted(holdfast, &body, &format!("t={now},v1={}", code(SECRET, now, &body))).send().await.is(200);
        }
        assert_eq!((money_of(holdfast, &escrow).await, holdfast.write_units().await), before);
        assert_eq!(parked(holdfast).await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_comes_a_hundred_times_is_booked_once() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        let stands = deal.stands().await;
        let written = holdfast.write_units().await;
        let events = holdfast.sandbox().await.list("/events").to_vec();
        for event in &events {
            let path = format!("/_local/sandbox/stripe/events/{}/resend", event.text("/id"));
            holdfast.api.post(&path).json(&json!({ "times": 25 })).send().await.is(200);
        }
        holdfast.settle().await;
        assert_eq!(deal.stands().await, stands);
        assert_eq!(holdfast.write_units().await, written);
    })
    .await;
}
