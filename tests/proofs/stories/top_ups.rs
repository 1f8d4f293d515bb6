//! Money that is paid into a wallet, and coins that are bought.

use holdfast::Options;
use holdfast_tests::api::Answer;
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use holdfast_tests::{on, on_holdfast};
use serde_json::{Value, json};

const TOP_UPS: &str = "/v1/wallets/usr_buyer/top-ups";

async fn ask(stack: &Stack, key: &str, body: Value) -> Answer {
    stack.buyer.post(TOP_UPS).key(key).json(&body).send().await
}

async fn pay(stack: &Stack, opened: &Value, play: Value) {
    stack.api.post(opened.text("/checkout/url")).json(&play).send().await.is(200);
    stack.settle().await;
}

async fn shown(stack: &Stack, opened: &Value) -> Value {
    stack.buyer.get(&format!("/v1/top-ups/{}", opened.text("/top_up/id"))).send().await.is(200)
}

#[tokio::test]
async fn a_top_up_is_credited_once_however_often_it_is_told() {
    on_holdfast(async |holdfast| {
        let body = json!({ "currency": "SAR", "amount": "200.00", "gateway": "stripe" });
        let opened = ask(holdfast, "one", body.clone()).await.is(201);
        opened.shows(json!({ "top_up": { "status": "open", "amount": "200.00", "credited": "0.00" } }));
        let again = ask(holdfast, "one", body).await;
        assert!(again.is_replay());
        assert_eq!(again.is(201)["checkout"], opened["checkout"]);
        let other = json!({ "currency": "SAR", "amount": "201.00", "gateway": "stripe" });
        ask(holdfast, "one", other).await.refuses(422, "idempotency_key_reused");

        pay(holdfast, &opened, json!({ "outcome": "paid", "duplicates": 5, "shuffle": true })).await;
        shown(holdfast, &opened).await.shows(json!({ "status": "paid", "credited": "200.00" }));
        holdfast.balance("usr_buyer", "SAR").await.shows(json!({ "available": "200.00", "total_earned": "0.00" }));
        let lines = holdfast.buyer.get("/v1/wallets/usr_buyer/transactions").send().await.is(200);
        lines.shows(json!({ "data": [{
            "type": "top_up", "amount": "200.00", "top_up": opened["top_up"]["id"], "escrow": null, "event": null,
        }] }));
        let id = opened.text("/top_up/id");
        let all = holdfast.buyer.get(TOP_UPS).send().await.is(200);
        all.shows(json!({ "data": [{ "id": id, "status": "paid" }], "next_cursor": null }));
        holdfast.stranger.get(TOP_UPS).send().await.refuses(404, "not_found");
        holdfast.stranger.get(&format!("/v1/top-ups/{id}")).send().await.refuses(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn only_its_owner_pays_into_a_wallet() {
    on_holdfast(async |holdfast| {
        let body = json!({ "currency": "SAR", "amount": "200.00", "gateway": "stripe" });
        holdfast.stranger.post(TOP_UPS).once().json(&body).send().await.refuses(404, "not_found");
        holdfast.operator.post(TOP_UPS).once().json(&body).send().await.refuses(403, "forbidden");
        holdfast.buyer.post(TOP_UPS).json(&body).send().await.refuses(400, "idempotency_key_missing");
        ask(holdfast, "a", json!({ "currency": "SAR", "amount": "0", "gateway": "stripe" }))
            .await
            .refuses(400, "amount_invalid");
        let fatora = json!({ "currency": "SAR", "amount": "1", "gateway": "fatora" });
        ask(holdfast, "a", fatora).await.refuses(422, "gateway_not_configured");
        let paid_in = json!({ "currency": "SAR", "amount": "10", "gateway": "stripe", "pay_in": "USD" });
        ask(holdfast, "a", paid_in).await.refuses(422, "pay_in_unsupported");
        // A refused request leaves no trace: its key is free.
        ask(holdfast, "a", body).await.is(201);
    })
    .await;
}

#[tokio::test]
async fn coins_are_bought_at_the_rate_of_the_moment() {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_UNITS".to_owned(), "COIN:0:SAR:10,GEM:2".to_owned());
    on(options, async |holdfast| {
        let body = json!({ "currency": "COIN", "amount": "500", "gateway": "stripe", "pay_in": "SAR" });
        let opened = ask(holdfast, "coins", body).await.is(201);
        opened.shows(json!({ "top_up": { "currency": "COIN", "amount": "500", "pay_in": { "currency": "SAR", "amount": "50.00" } } }));
        pay(holdfast, &opened, json!({ "outcome": "paid" })).await;
        holdfast.balance("usr_buyer", "COIN").await.shows(json!({ "available": "500" }));
        assert_eq!(holdfast.balance("usr_buyer", "SAR").await, Value::Null);
        let gems = json!({ "currency": "GEM", "amount": "1", "gateway": "stripe" });
        ask(holdfast, "gems", gems).await.refuses(422, "pay_in_unsupported");
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_comes_late_is_the_owners_too() {
    on_holdfast(async |holdfast| {
        let body = json!({ "currency": "SAR", "amount": "20.00", "gateway": "stripe" });
        let opened = ask(holdfast, "late", body).await.is(201);
        holdfast.advance("P2D").await;
        shown(holdfast, &opened).await.shows(json!({ "status": "expired" }));
        assert_eq!(holdfast.balance("usr_buyer", "SAR").await, Value::Null);
        pay(holdfast, &opened, json!({ "outcome": "paid", "late": true })).await;
        shown(holdfast, &opened).await.shows(json!({ "status": "paid", "credited": "20.00" }));
        holdfast.balance("usr_buyer", "SAR").await.shows(json!({ "available": "20.00" }));
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_down_leaves_a_top_up_that_carries_on() {
    on_holdfast(async |holdfast| {
        holdfast.switch_sandbox(json!({ "next": [{ "checkouts": "500" }] })).await;
        let body = json!({ "currency": "SAR", "amount": "20.00", "gateway": "stripe" });
        ask(holdfast, "again", body.clone()).await.refuses(503, "gateway_unavailable");
        let opened = ask(holdfast, "again", body).await.is(201);
        pay(holdfast, &opened, json!({ "outcome": "paid" })).await;
        holdfast.balance("usr_buyer", "SAR").await.shows(json!({ "available": "20.00" }));
    })
    .await;
}

#[tokio::test]
async fn what_a_card_holder_takes_back_is_claimed_from_the_wallet_and_then_owed() {
    on_holdfast(async |holdfast| {
        let body = json!({ "currency": "SAR", "amount": "200.00", "gateway": "stripe" });
        let opened = ask(holdfast, "taken", body).await.is(201);
        pay(holdfast, &opened, json!({ "outcome": "paid" })).await;
        let wish = json!({ "currency": "SAR", "amount": "150.00", "gateway": "manual" });
        holdfast.buyer.post("/v1/wallets/usr_buyer/payouts").once().json(&wish).send().await.is(201);
        let intents = holdfast.sandbox().await;
        let intent = intents.list("/payment_intents")[0].text("/id").to_owned();
        let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
        let dispute = holdfast.api.post(&path).json(&json!({})).send().await.is(200);
        holdfast.settle().await;
        holdfast
            .balance("usr_buyer", "SAR")
            .await
            .shows(json!({ "available": "0.00", "pending": "150.00", "debt": "150.00" }));
        let path = format!("/_local/sandbox/stripe/disputes/{}", dispute.text("/id"));
        holdfast.api.post(&path).json(&json!({ "status": "won" })).send().await.is(200);
        holdfast.settle().await;
        holdfast
            .balance("usr_buyer", "SAR")
            .await
            .shows(json!({ "available": "50.00", "pending": "150.00", "debt": "0.00" }));
    })
    .await;
}

/// A list of some days shows only what was given back in them. What was given back before is not given to the owner again.
#[tokio::test]
async fn what_a_gateways_list_shows_is_added_to_what_was_given_back_before_it_begins() {
    on_holdfast(async |holdfast| {
        let body = json!({ "currency": "SAR", "amount": "200.00", "gateway": "stripe" });
        let opened = ask(holdfast, "in parts", body).await.is(201);
        pay(holdfast, &opened, json!({ "outcome": "paid" })).await;
        let intents = holdfast.sandbox().await;
        let intent = intents.list("/payment_intents")[0].text("/id").to_owned();
        let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/refund");
        let available = async |amount: &str| {
            holdfast.balance("usr_buyer", "SAR").await.shows(json!({ "available": amount, "debt": "0.00" }));
        };
        holdfast.api.post(&path).json(&json!({ "amount": 6_000 })).send().await.is(200);
        holdfast.settle().await;
        available("140.00").await;
        holdfast.advance("P10D").await;
        holdfast.switch_sandbox(json!({ "webhooks": { "drop": ["*"] } })).await;
        holdfast.api.post(&path).json(&json!({ "amount": 1_000 })).send().await.is(200);
        holdfast.advance("PT2H").await;
        holdfast.api.post("/_local/reconcile").send().await.is(200).shows(json!({ "missed": 1 }));
        available("130.00").await;
        holdfast.api.post("/_local/reconcile").send().await.is(200).shows(json!({ "missed": 0 }));
        available("130.00").await;
    })
    .await;
}
