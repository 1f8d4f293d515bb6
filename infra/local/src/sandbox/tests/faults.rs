//! Keys, and what goes wrong on the way or at the gateway.

use super::*;
use escrow_domain::time::Period;

#[tokio::test]
async fn a_repeated_call_gets_the_first_answer_and_is_done_once() {
    let bench = Bench::new().await;
    let first = bench.try_post("checkout/sessions", CHECKOUT, Some("pay_1-1")).await.unwrap();
    let again = bench.try_post("checkout/sessions", CHECKOUT, Some("pay_1-1")).await.unwrap();
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["original-request"], first.headers["request-id"]);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!(bench.state().await["sessions"].as_array().unwrap().len(), 1);

    let other = bench.try_post("checkout/sessions", &format!("{CHECKOUT}&locale=en"), Some("pay_1-1")).await.unwrap();
    assert_eq!(other.verdict(), "400 idempotency_error");
    let elsewhere = bench.try_post("refunds", CHECKOUT, Some("pay_1-1")).await.unwrap();
    assert_eq!(elsewhere.verdict(), "400 idempotency_error", "a key belongs to its path");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_of_the_clock() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let form = format!("payment_intent={intent}&amount=100");
    let mut ids = Vec::new();
    for wait in [Period::ZERO, Period::from_millis(86_399_000), Period::seconds(1)] {
        bench.clock.advance(wait);
        ids.push(bench.try_post("refunds", &form, Some("ref_1")).await.unwrap().json()["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2], "this is the danger that a key's life brings");
}

#[tokio::test]
async fn a_request_that_failed_validation_may_be_corrected_under_its_key() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let post = async |form: &str| {
        bench.try_post("refunds", &format!("payment_intent={intent}{form}"), Some("k")).await.unwrap()
    };
    assert_eq!(post("&amount=x").await.status, 400);
    assert_eq!(post("&amount=15001").await.status, 400, "this one had begun, and is kept");
    assert_eq!(post("&amount=15000").await.verdict(), "400 idempotency_error");
    assert_eq!(post("&amount=15001").await.headers["idempotent-replayed"], "true");
    let long = "k".repeat(256);
    assert_eq!(bench.try_post("refunds", "", Some(&long)).await.unwrap().status, 400);
}

#[tokio::test]
async fn a_stored_500_is_replayed_and_another_key_gets_through() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let form = format!("payment_intent={intent}&metadata[refund_id]=ref_1");
    bench.set(r#"{"next": [{"refunds": "500"}]}"#).await;
    for _ in 0..3 {
        assert_eq!(bench.try_post("refunds", &form, Some("a")).await.unwrap().verdict(), "500 api_error");
    }
    assert_eq!(bench.state().await["refunds"], serde_json::json!([]));
    assert_eq!(bench.try_post("refunds", &form, Some("b")).await.unwrap().status, 200);
    assert_eq!(bench.state().await["refund_effects"], serde_json::json!({"ref_1": 1}));
}

#[tokio::test]
async fn a_500_may_also_hide_what_was_done() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    bench.set(r#"{"next": [{"refunds": "500_after"}]}"#).await;
    let form = format!("payment_intent={intent}");
    assert_eq!(bench.try_post("refunds", &form, Some("a")).await.unwrap().status, 500);
    assert_eq!(bench.try_post("refunds", &form, Some("b")).await.unwrap().verdict(), "400 charge_already_refunded");
}

#[tokio::test]
async fn a_lost_answer_leaves_the_work_done_or_not_as_the_switch_says() {
    let bench = Bench::new().await;
    for (fault, done) in [("timeout_before", 0), ("lost_before", 0), ("timeout_after", 1), ("lost_after", 1)] {
        let intent = bench.paid().await;
        let form = format!("payment_intent={intent}&metadata[refund_id]={fault}");
        bench.set(&format!("{{\"next\": [{{\"refunds\": \"{fault}\"}}]}}")).await;
        assert!(bench.try_post("refunds", &form, Some(fault)).await.is_none(), "{fault} answered");
        let effects = bench.state().await["refund_effects"][fault].as_u64().unwrap_or(0);
        assert_eq!(effects, done, "{fault}");
        let again = bench.try_post("refunds", &form, Some(fault)).await.unwrap();
        assert_eq!((again.status, again.headers.contains_key("idempotent-replayed")), (200, done == 1), "{fault}");
        assert_eq!(bench.state().await["refund_effects"][fault], 1, "{fault}");
    }
    for fault in ["timeout_before", "lost_after"] {
        bench.set(&format!("{{\"next\": [{{\"look_ups\": \"{fault}\"}}]}}")).await;
        let request = Request::get(format!("{}/sandbox/stripe/v1/events", bench.url))
            .header("authorization", "Bearer sk_test_x")
            .body(Full::default());
        assert!(bench.send(request.unwrap()).await.is_none(), "{fault}");
    }
    assert_eq!(bench.sandbox.calls_in_flight(), 0);
}

#[tokio::test]
async fn while_a_call_hangs_its_key_is_taken() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let form = format!("payment_intent={intent}");
    bench.set(r#"{"next": [{"refunds": "timeout_before"}]}"#).await;
    let mut changes = bench.sandbox.changes();
    let hanging = bench.try_post("refunds", &form, Some("a"));
    let meanwhile = async {
        // The fault is gone from the list at the moment in which the key is taken.
        changes.wait_for(|_| bench.sandbox.desk().book.switches.next.is_empty()).await.unwrap();
        assert_eq!(bench.sandbox.calls_in_flight(), 1);
        let twin = bench.try_post("refunds", &form, Some("a")).await.unwrap();
        let stranger = bench.try_post("refunds", &format!("{form}&amount=1"), Some("b")).await.unwrap();
        (twin.verdict(), twin.headers["stripe-should-retry"].clone(), stranger.verdict())
    };
    let (hanging, (twin, retry, stranger)) = tokio::join!(hanging, meanwhile);
    assert!(hanging.is_none());
    assert_eq!(
        (twin.as_str(), retry.as_bytes(), stranger.as_str()),
        ("409 idempotency_key_in_use", &b"true"[..], "200")
    );
    assert_eq!(bench.try_post("refunds", &form, Some("a")).await.unwrap().status, 200, "the key is free again");
}

#[tokio::test]
async fn refusals_of_the_moment_are_not_kept() {
    let bench = Bench::new().await;
    bench
        .set(r#"{"next": [{"checkouts": "429"}, {"refunds": "400"}, {"checkouts": "409"}, {"checkouts": "400"}]}"#)
        .await;
    for verdict in ["429 rate_limit", "409 idempotency_key_in_use", "400 sandbox_refused", "400 sandbox_refused"] {
        assert_eq!(bench.try_post("checkout/sessions", CHECKOUT, Some("a")).await.unwrap().verdict(), verdict);
    }
    assert_eq!(bench.state().await["switches"]["next"], serde_json::json!([{"refunds": "400"}]));
    assert_eq!(bench.tell("/_local/sandbox/stripe", r#"{"next": [{"closes": "fail"}]}"#).await.status, 400);
    assert_eq!(bench.tell("/_local/sandbox/stripe", r#"{"next": [{"refunds": "explode"}]}"#).await.status, 400);
    assert_eq!(bench.tell("/_local/sandbox/stripe", r#"{"nxt": []}"#).await.status, 400);
}
