//! Jobs, paid in the platform's own coins or by card: coins are bought, spent, and issued on the way into an escrow.

use super::statement;
use holdfast::Options;
use holdfast_tests::json::Look;
use holdfast_tests::stack::{Stack, on};
use serde_json::{Value, json};

/// Ten coins for a riyal.
fn with_coins() -> Options {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_UNITS".to_owned(), "COIN:0:QAR:10".to_owned());
    options
}

async fn job(stack: &Stack, id: &str, changes: Value) -> holdfast_tests::api::Answer {
    let order = json!({
        "kind": "service", "subject": { "type": "job", "id": id }, "buyer": "usr_buyer", "seller": "usr_seller",
        "currency": "COIN", "amount": "500",
    });
    stack.buyer.post("/v1/checkouts").once().json(&holdfast_tests::json::with(order, changes)).send().await
}

#[tokio::test]
async fn jobs_with_coins() {
    on(with_coins(), async |stack| {
        // Nobody pays from an empty wallet.
        job(stack, "job_1", json!({ "funding": "wallet" })).await.refuses(409, "insufficient_funds");

        // A thousand coins cost a hundred riyals; the webhook tells three times, in disorder, before and after.
        let wish = json!({ "currency": "COIN", "amount": "1000", "gateway": "stripe", "pay_in": "QAR" });
        let opened = stack.buyer.post("/v1/wallets/usr_buyer/top-ups").once().json(&wish).send().await.is(201);
        opened.shows(json!({ "top_up": { "status": "open", "pay_in": { "amount": "100.00", "currency": "QAR" } } }));
        let play = json!({ "outcome": "paid", "duplicates": 2, "shuffle": true });
        stack.api.post(opened.text("/checkout/url")).json(&play).send().await.is(200);
        stack.settle().await;
        let top_up = format!("/v1/top-ups/{}", opened.text("/top_up/id"));
        stack.buyer.get(&top_up).send().await.is(200).shows(json!({ "status": "paid" }));
        stack.balance("usr_buyer", "COIN").await.shows(json!({ "available": "1000" }));

        // A job paid from coins is held at once.
        let held = job(stack, "job_1", json!({ "funding": "wallet" })).await.is(201);
        held.shows(json!({ "escrow": { "status": "held", "held": "500" }, "checkout": null }));
        stack.balance("usr_buyer", "COIN").await.shows(json!({ "available": "500" }));

        // Without enough coins the job is paid by card: coins are issued and held in one commit.
        let opened =
            job(stack, "job_2", json!({ "amount": "600", "gateway": "stripe", "pay_in": "QAR" })).await.is(201);
        let page = opened.text("/checkout/url");
        stack.api.post(page).json(&json!({ "outcome": "paid", "duplicates": 2 })).send().await.is(200);
        stack.settle().await;
        let second = format!("/v1/escrows/{}", opened.text("/escrow/id"));
        stack.buyer.get(&second).send().await.is(200).shows(json!({ "status": "held", "held": "600" }));
        let journal = stack.buyer.get(&format!("{second}/events")).send().await.is(200);
        let funded = journal.list("/data").iter().find(|entry| entry["type"] == "fund").unwrap();
        assert_eq!(funded.list("/postings").len(), 4, "{funded:#}");
        // What was for the job never passed through the buyer's wallet.
        stack.balance("usr_buyer", "COIN").await.shows(json!({ "available": "500" }));

        // Done and accepted: coins for the seller. Given back: coins for the buyer.
        let first = format!("/v1/escrows/{}", held.text("/escrow/id"));
        stack.seller.post(&format!("{first}/deliver")).once().json(&json!({})).send().await.is(200);
        stack.buyer.post(&format!("{first}/release")).once().json(&json!({})).send().await.is(200);
        stack.balance("usr_seller", "COIN").await.shows(json!({ "available": "450" }));
        stack.seller.post(&format!("{second}/refund")).once().json(&json!({})).send().await.is(200).shows(json!({
            "status": "refunded", "refunded": "600",
        }));
        stack.balance("usr_buyer", "COIN").await.shows(json!({ "available": "1100" }));
        assert_eq!(statement(&stack.buyer).await, ["top_up 1000 -> 1000", "funding -500 -> 500", "refund 600 -> 1100"]);

        // A page that is declined, or never paid, leaves nothing behind.
        let opened = job(stack, "job_3", json!({ "gateway": "stripe", "pay_in": "QAR" })).await.is(201);
        stack.api.post(opened.text("/checkout/url")).json(&json!({ "outcome": "declined" })).send().await.is(200);
        stack.advance("PT24H").await;
        let third = format!("/v1/escrows/{}", opened.text("/escrow/id"));
        stack.buyer.get(&third).send().await.is(200).shows(json!({ "status": "expired" }));
    })
    .await;
}
