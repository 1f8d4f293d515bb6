//! Refunds whose end is not clear at once, and notices about them that come late.

use holdfast_tests::json::Look;
use holdfast_tests::stack::on_holdfast;
use serde_json::{Value, json};

#[tokio::test]
async fn a_refund_that_never_reached_the_gateway_is_not_sent_during_a_freeze() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.switch_sandbox(json!({ "next": [{ "refunds": "lost_before" }] })).await;
        deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        deal.does(&holdfast.operator, "freeze", json!({ "reason": "suspicion" })).await.is(200);
        // Long enough for every kind of retry: under the same key, after a look, and after the key's life.
        for _ in 0..4 {
            holdfast.advance("PT20M").await;
        }
        holdfast.advance("P2D").await;
        holdfast.advance("PT2H").await;
        assert_eq!(deal.refunds_at_gateway().await, Vec::<Value>::new());
        deal.does(&holdfast.operator, "unfreeze", json!({ "reason": "cleared" })).await.is(200);
        for _ in 0..4 {
            holdfast.advance("PT1H").await;
        }
        deal.stands().await.shows(json!({ "status": "refunded" }));
        assert_eq!(deal.refunds_at_gateway().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_total_of_a_refund_that_failed_later_is_not_taken_for_money_given_back_by_hand() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded" }));
        holdfast.advance("P1D").await;
        let refund = deal.refunds_at_gateway().await[0].text("/id").to_owned();
        let failed = json!({ "status": "failed" });
        holdfast.api.post(&format!("/_local/sandbox/stripe/refunds/{refund}")).json(&failed).send().await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "review", "held": "150.00" }));
        let sandbox = holdfast.sandbox().await;
        let told = sandbox.list("/events").iter().find(|event| event["type"] == "charge.refunded").unwrap();
        let again = format!("/_local/sandbox/stripe/events/{}/resend", told.text("/id"));
        holdfast.advance("PT1H").await;
        holdfast.api.post(&again).json(&json!({})).send().await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "review", "held": "150.00", "refunded": "0.00" }));
        // The operator has it tried again, and this time it arrives.
        let retry = json!({ "resolution": "retry", "reason": "another account" });
        deal.does(&holdfast.operator, "resolve", retry).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded" }));
    })
    .await;
}

#[tokio::test]
async fn what_an_operator_gave_back_at_the_gateway_after_a_refund_failed_ends_its_review() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.switch_sandbox(json!({ "next": [{ "refunds": "fail" }] })).await;
        deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "review" }));
        holdfast.advance("PT1H").await;
        let intent = holdfast.sandbox().await.text("/payment_intents/0/id").to_owned();
        let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/refund");
        holdfast.api.post(&path).json(&json!({})).send().await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded" }));
    })
    .await;
}
