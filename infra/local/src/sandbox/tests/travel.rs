//! Webhooks on their way.

use super::*;
use escrow_domain::time::Period;
use sha2::{Digest, Sha256};

/// RFC 2104, written out here so that the sandbox's own signing is checked by other code than itself.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize())
}

#[tokio::test]
async fn every_webhook_is_signed_over_its_raw_bytes_by_the_one_clock() {
    let bench = Bench::new().await;
    bench.clock.advance(Period::days(30));
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "paid"}"#).await;
    bench.sandbox.deliver_due().await;
    let arrived = bench.endpoint.arrived.lock().unwrap().clone();
    assert_eq!(arrived.len(), 3);
    for (headers, body) in arrived {
        let now = bench.clock.now().as_seconds();
        let expected = hmac_sha256(SECRET.as_bytes(), format!("{now}.{body}").as_bytes());
        assert_eq!(headers["stripe-signature"], format!("t={now},v1={expected}"));
        let event: stripe_shared::Event = serde_json::from_str(&body).unwrap();
        assert_eq!(event.created, now);
        assert_eq!(event.api_version.as_deref(), Some(stripe_shared::version::VERSION.as_str()));
    }
}

#[tokio::test]
async fn the_objects_in_events_are_those_of_the_official_sdk() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    bench.post("refunds", &format!("payment_intent={intent}&amount=5000&metadata[refund_id]=ref_1")).await;
    bench.sandbox.deliver_due().await;
    bench.tell(&format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback"), "").await;
    bench.sandbox.deliver_due().await;
    for event in bench.endpoint.bodies() {
        let object = event["data"]["object"].clone();
        let kind = event["type"].as_str().unwrap();
        match object["object"].as_str().unwrap() {
            "charge" => {
                let charge: stripe_shared::Charge = serde_json::from_value(object).unwrap();
                assert_eq!((kind, charge.amount_refunded, charge.refunded), ("charge.refunded", 5_000, false));
                assert_eq!(event["data"]["previous_attributes"]["amount_refunded"], 0);
            }
            "refund" => {
                let refund: stripe_shared::Refund = serde_json::from_value(object).unwrap();
                assert_eq!(refund.metadata.unwrap().get("refund_id").map(String::as_str), Some("ref_1"), "{kind}");
            }
            "dispute" => {
                let dispute: stripe_shared::Dispute = serde_json::from_value(object).unwrap();
                assert_eq!((dispute.amount, dispute.payment_intent.unwrap().id().as_str()), (10_000, intent.as_str()));
            }
            other => panic!("{other} in {kind}"),
        }
    }
    let types = bench.endpoint.types();
    assert_eq!(
        types,
        [
            "charge.refunded",
            "refund.created",
            "refund.updated",
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
        ]
    );
}

#[tokio::test]
async fn what_the_api_caused_names_its_request() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let asked = bench.try_post("refunds", &format!("payment_intent={intent}"), Some("ref_1-1")).await.unwrap();
    bench.sandbox.deliver_due().await;
    for event in bench.endpoint.bodies() {
        assert_eq!(event["request"]["id"], asked.headers["request-id"].to_str().unwrap());
        assert_eq!(event["request"]["idempotency_key"], "ref_1-1");
    }
    bench.endpoint.forget();
    bench.checkout().await;
    bench.clock.advance(Period::days(2));
    bench.sandbox.deliver_due().await;
    assert_eq!(bench.endpoint.bodies()[0]["request"], serde_json::json!({"id": null, "idempotency_key": null}));
}

#[tokio::test]
async fn duplicates_are_the_same_event_again() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "paid", "duplicates": 5}"#).await;
    bench.sandbox.deliver_due().await;
    let arrived = bench.endpoint.arrived.lock().unwrap().clone();
    let mut copies = std::collections::BTreeMap::new();
    for (_, body) in &arrived {
        *copies.entry(body.clone()).or_insert(0) += 1;
    }
    assert_eq!(copies.into_values().collect::<Vec<u32>>(), [6, 6, 6], "the same bytes, six times");
    let types = bench.endpoint.types();
    assert_eq!(types[..4], ["payment_intent.succeeded"; 4], "the original and three with it");
    assert_eq!(
        types[12..],
        [["payment_intent.succeeded"; 2], ["charge.succeeded"; 2], ["checkout.session.completed"; 2]].concat()
    );
}

#[tokio::test]
async fn shuffled_webhooks_come_in_another_order() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "paid", "duplicates": 1, "shuffle": true}"#).await;
    bench.sandbox.deliver_due().await;
    let mut types = bench.endpoint.types();
    types.sort();
    assert_eq!(
        types,
        [["charge.succeeded"; 2], ["checkout.session.completed"; 2], ["payment_intent.succeeded"; 2]].concat()
    );
    let desk = bench.sandbox.desk();
    let planned: Vec<&str> =
        desk.book.deliveries.values().map(|delivery| desk.book.events[&delivery.event].kind.as_str()).collect();
    assert_ne!(&planned[..3], ["payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"]);
}

#[tokio::test]
async fn a_delay_is_waited_for_and_counts_as_work_to_do() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    let before = tokio::time::Instant::now();
    bench.play(&session, r#"{"outcome": "paid", "delay_ms": 30}"#).await;
    assert!(!bench.sandbox.is_quiet());
    bench.sandbox.deliver_due().await;
    assert!(before.elapsed() >= Duration::from_millis(30));
    assert_eq!((bench.endpoint.types().len(), bench.sandbox.is_quiet()), (3, true));
}

#[tokio::test]
async fn a_webhook_that_was_refused_waits_for_the_clock_and_comes_again() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    bench.endpoint.refuse_next(&[503, 200, 400]);
    bench.play(&session, r#"{"outcome": "paid"}"#).await;
    bench.sandbox.deliver_due().await;
    assert!(bench.sandbox.is_quiet(), "retries of later do not count");
    bench.endpoint.forget();
    bench.sandbox.deliver_due().await;
    assert!(bench.endpoint.types().is_empty(), "not yet");
    bench.clock.advance(Period::minutes(1));
    assert_eq!(bench.sandbox.webhooks_due(), 2);
    bench.endpoint.refuse_next(&[500, 500]);
    bench.sandbox.deliver_due().await;
    bench.clock.advance(Period::minutes(4));
    assert!(bench.sandbox.is_quiet(), "the intervals grow");
    bench.clock.advance(Period::minutes(1));
    bench.sandbox.deliver_due().await;
    let mut types = bench.endpoint.types();
    types.sort();
    assert_eq!(types, [["checkout.session.completed"; 2], ["payment_intent.succeeded"; 2]].concat());
    assert_eq!(bench.get("events?delivery_success=true").await.json()["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_session_expires_when_the_clock_passes_its_end() {
    let bench = Bench::new().await;
    let form = format!("{CHECKOUT}&expires_at={}", START.as_seconds() + 3_600);
    let session = bench.post("checkout/sessions", &form).await.json()["id"].as_str().unwrap().to_owned();
    let other = bench.checkout().await;
    bench.clock.advance(Period::from_millis(3_599_999));
    assert!(bench.sandbox.is_quiet());
    assert_eq!(bench.get(&format!("checkout/sessions/{session}")).await.json()["status"], "open");
    bench.clock.advance(Period::from_millis(1));
    assert!(!bench.sandbox.is_quiet());
    bench.sandbox.deliver_due().await;
    assert_eq!(bench.endpoint.types(), ["checkout.session.expired"]);
    assert_eq!(bench.endpoint.bodies()[0]["data"]["object"]["client_reference_id"], "esc_1");
    assert_eq!(bench.play(&session, r#"{"outcome": "paid"}"#).await.status, 409);
    assert_eq!(bench.play(&other, r#"{"outcome": "paid"}"#).await.status, 200);
}

#[tokio::test]
async fn left_to_itself_the_sandbox_delivers_what_comes() {
    let bench = Bench::new().await;
    let sandbox = bench.sandbox.clone();
    let running = tokio::spawn(async move { sandbox.run().await });
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "paid", "shuffle": true}"#).await;
    bench.sandbox.changes().wait_for(|_| bench.sandbox.is_quiet()).await.unwrap();
    assert_eq!(bench.endpoint.types().len(), 3);
    running.abort();
}

#[tokio::test]
async fn at_an_orderly_end_webhooks_wait_for_the_next_start() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let session = before.checkout().await;
    before.sandbox.hold_webhooks();
    before.play(&session, r#"{"outcome": "paid"}"#).await;
    before.sandbox.tend().unwrap();
    assert_eq!(before.sandbox.webhooks_due(), 3);
    before.sandbox.stop();
    let after = Bench::over(Some(&folder.0), clock).await;
    after.sandbox.deliver_due().await;
    assert_eq!((before.endpoint.types().len(), after.endpoint.types().len()), (0, 3));
}
