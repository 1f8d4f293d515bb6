//! Requests that come twice, that are only rehearsed, or that are about a version that has moved.

use super::{given_back_once, postings};
use holdfast_tests::deal::Deal;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// A command twice under one key: the same status, a header, the escrow as it is now, and nothing written.
async fn check_replay(holdfast: &Stack, deal: &Deal<'_>, command: &str, body: Value) {
    let who = if matches!(command, "deliver" | "refund") { &holdfast.seller } else { &holdfast.buyer };
    let call = || who.post(&deal.path(command)).key(&format!("only-{command}")).json(&body).send();
    let first = call().await;
    assert!(!first.is_replay(), "{command}");
    first.is(200);
    holdfast.settle().await;
    let (stands, written) = (deal.seen_by(who).await, holdfast.write_units().await);
    let second = call().await;
    assert!(second.is_replay(), "{command}");
    assert_eq!(second.is(200), stands, "{command}");
    holdfast.settle().await;
    assert_eq!(holdfast.write_units().await, written, "{command}");
}

#[tokio::test]
async fn every_command_is_carried_out_once_a_key() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        check_replay(holdfast, &deal, "deliver", json!({ "note": "Version 3." })).await;
        check_replay(holdfast, &deal, "request-changes", json!({ "note": "Not yet." })).await;
        check_replay(holdfast, &deal, "dispute", json!({ "reason": "Nothing came." })).await;
        check_replay(holdfast, &deal, "dispute/withdraw", json!({})).await;
        check_replay(holdfast, &deal, "release", json!({})).await;
        let refunded = holdfast.paid(json!({})).await;
        check_replay(holdfast, &refunded, "refund", json!({ "reason": "Ill." })).await;
        given_back_once(&refunded, 15_000).await;
        let cancelled = holdfast.checkout(json!({})).await;
        check_replay(holdfast, &cancelled, "cancel", json!({})).await;
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_its_caller_and_its_path() {
    on_holdfast(async |holdfast| {
        let (one, two) = (holdfast.paid(json!({})).await, holdfast.paid(json!({})).await);
        for deal in [&one, &two] {
            let delivered = holdfast.seller.post(&deal.path("deliver")).key("1").send().await;
            assert!(!delivered.is_replay());
            delivered.is(200);
            let released = holdfast.buyer.post(&deal.path("release")).key("1").send().await;
            assert!(!released.is_replay());
            released.is(200);
        }
    })
    .await;
}

#[tokio::test]
async fn a_checkout_is_opened_once_a_key() {
    on_holdfast(async |holdfast| {
        let order = holdfast_tests::deal::order();
        let call = || holdfast.buyer.post("/v1/checkouts").key("order-9001").json(&order).send();
        let first = call().await;
        assert!(!first.is_replay());
        let first = first.is(201);
        let second = call().await;
        assert!(second.is_replay());
        assert_eq!(second.is(201), first);
        holdfast.sandbox().await.shows(json!({ "sessions": [{}], "calls": { "checkouts": { "done": 1 } } }));
        let another = json!({ "gateway": "stripe" });
        let path = format!("/v1/escrows/{}/checkouts", first.text("/escrow/id"));
        let attempt = || holdfast.buyer.post(&path).key("again").json(&another).send();
        let third = attempt().await.is(201);
        let fourth = attempt().await;
        assert!(fourth.is_replay());
        assert_eq!(fourth.is(201), third);
        assert_ne!(third["checkout"]["url"], first["checkout"]["url"]);
        holdfast.sandbox().await.shows(json!({ "sessions": [{}, {}] }));
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        let call = || holdfast.seller.post(&deal.path("deliver")).key("deliver").json(&json!({})).send();
        call().await.refuses(409, "transition_refused").shows(json!({ "state": "pending" }));
        deal.pay(json!({ "outcome": "paid" })).await;
        let carried_out = call().await;
        assert!(!carried_out.is_replay());
        carried_out.is(200);
    })
    .await;
}

/// A rehearsal says where the escrow would stand, and writes nothing.
async fn check_rehearsal(holdfast: &Stack, deal: &Deal<'_>, command: &str, body: Value, status: &str) {
    let who = match command {
        "deliver" | "refund" => &holdfast.seller,
        "dispute/rule" => &holdfast.arbiter,
        _ => &holdfast.buyer,
    };
    let (stands, written) = (deal.stands().await, holdfast.write_units().await);
    let rehearsed = who.post(&format!("{}?dry_run=true", deal.path(command))).once().json(&body).send().await.is(200);
    rehearsed.shows(json!({ "dry_run": true, "status": status, "fees": { "payer": "seller", "amount": "15.00" } }));
    holdfast.settle().await;
    assert_eq!(holdfast.write_units().await, written, "{command}");
    assert_eq!(deal.stands().await, stands, "{command}");
}

#[tokio::test]
async fn a_rehearsal_writes_nothing() {
    on_holdfast(async |holdfast| {
        let order = holdfast_tests::deal::order();
        let rehearsed = holdfast.buyer.post("/v1/checkouts?dry_run=true").once().json(&order).send().await.is(200);
        rehearsed.shows(json!({ "dry_run": true, "status": "pending", "fees": { "amount": "15.00" } }));
        holdfast.sandbox().await.shows(json!({ "sessions": [] }));

        let pending = holdfast.checkout(json!({})).await;
        check_rehearsal(holdfast, &pending, "checkouts", json!({ "gateway": "stripe" }), "pending").await;
        check_rehearsal(holdfast, &pending, "cancel", json!({}), "cancelled").await;
        let held = holdfast.paid(json!({})).await;
        check_rehearsal(holdfast, &held, "deliver", json!({}), "delivered").await;
        check_rehearsal(holdfast, &held, "cancel", json!({}), "refunding").await;
        let delivered = holdfast.delivered(json!({})).await;
        check_rehearsal(holdfast, &delivered, "release", json!({}), "released").await;
        check_rehearsal(holdfast, &delivered, "refund", json!({}), "refunding").await;
        check_rehearsal(holdfast, &delivered, "request-changes", json!({}), "held").await;
        check_rehearsal(holdfast, &delivered, "dispute", json!({ "reason": "No." }), "disputed").await;
        let disputed = holdfast.disputed(json!({})).await;
        check_rehearsal(holdfast, &disputed, "dispute/withdraw", json!({}), "delivered").await;
        let ruling = json!({ "to_buyer": "150.00", "reason": "Nothing came." });
        check_rehearsal(holdfast, &disputed, "dispute/rule", ruling, "refunding").await;
        assert_eq!(holdfast.balance("usr_seller", "SAR").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_rehearsed_release_shows_what_would_be_posted() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let path = format!("{}?dry_run=true", deal.path("release"));
        let rehearsed = holdfast.buyer.post(&path).once().send().await.is(200);
        assert_eq!(postings(&rehearsed), ["escrow +150.00", "wallet:usr_seller -135.00", "fees -15.00"]);
        rehearsed.shows(json!({ "events": [{ "type": "release" }], "timers": [] }));
        let deliver = holdfast.paid(json!({})).await;
        let path = format!("{}?dry_run=true", deliver.path("deliver"));
        let rehearsed = holdfast.seller.post(&path).once().send().await.is(200);
        let timers: Vec<&str> = rehearsed.list("/timers").iter().map(|timer| timer.text("/name")).collect();
        assert!(timers.contains(&"auto_release"), "{rehearsed:#}");
    })
    .await;
}

#[tokio::test]
async fn a_command_for_a_version_that_has_moved_is_not_carried_out() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        let seen = deal.stands().await["version"].as_u64().unwrap();
        deal.does(&holdfast.seller, "deliver", json!({})).await.is(200);
        let release = |version| holdfast.buyer.post(&deal.path("release")).key("r").if_match(version).send();
        release(seen).await.refuses(412, "version_mismatch");
        deal.stands().await.shows(json!({ "status": "delivered" }));
        let released = release(seen + 1).await.is(200);
        released.shows(json!({ "status": "released", "version": seen + 2 }));
        // What was done is answered before any rule, also that of the version.
        let again = release(seen + 1).await;
        assert!(again.is_replay());
        again.is(200);
    })
    .await;
}
