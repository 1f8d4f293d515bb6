//! Two who stop a deal at once: an operator and a card's holder. Each freeze ends by its own cause, and only then does it go on.

use holdfast_tests::deal::Deal;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// The card's holder disputes the payment of the only deal; the path of the dispute at the bank.
async fn charged_back(holdfast: &Stack) -> String {
    let intent = holdfast.sandbox().await.text("/payment_intents/0/id").to_owned();
    let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
    let dispute = holdfast.api.post(&path).json(&json!({})).send().await.is(200).text("/id").to_owned();
    holdfast.settle().await;
    format!("/_local/sandbox/stripe/disputes/{dispute}")
}

/// The bank decides.
async fn bank_says(holdfast: &Stack, dispute: &str, status: &str) {
    holdfast.api.post(dispute).json(&json!({ "status": status })).send().await.is(200);
    holdfast.settle().await;
}

async fn operator_says(holdfast: &Stack, deal: &Deal<'_>, command: &str) -> Value {
    deal.does(&holdfast.operator, command, json!({ "reason": "We are looking into it." })).await.is(200)
}

/// What keeps it frozen, in words: `chargeback operator`.
async fn causes(deal: &Deal<'_>) -> String {
    let stands = deal.stands().await;
    let mut causes: Vec<&str> = stands.list("/frozen").iter().map(|freeze| freeze.text("/cause")).collect();
    causes.sort_unstable();
    causes.join(" ")
}

#[tokio::test]
async fn an_operators_thaw_does_not_end_a_chargebacks_freeze() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        holdfast.advance("P3D").await;
        operator_says(holdfast, &deal, "freeze").await;
        holdfast.advance("P1D").await;
        let dispute = charged_back(holdfast).await;
        assert_eq!(causes(&deal).await, "chargeback operator");
        holdfast.advance("P1D").await;
        operator_says(holdfast, &deal, "unfreeze").await;
        assert_eq!(causes(&deal).await, "chargeback");
        let why = json!({ "reason": "We are looking into it." });
        deal.does(&holdfast.operator, "unfreeze", why).await.refuses(409, "not_frozen");
        for (who, command) in [(&holdfast.buyer, "release"), (&holdfast.seller, "refund")] {
            deal.does(who, command, json!({})).await.refuses(409, "frozen");
        }
        holdfast.advance("P30D").await;
        deal.stands().await.shows(json!({ "status": "delivered", "held": "150.00" }));
        bank_says(holdfast, &dispute, "won").await;
        assert_eq!(causes(&deal).await, "");
        // Of seven days three had passed before the first freeze; none of the thirty-two between counts, and none counts twice.
        holdfast.advance("P3DT23H").await;
        deal.stands().await.shows(json!({ "status": "delivered" }));
        holdfast.advance("PT1H").await;
        deal.stands().await.shows(json!({ "status": "released" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));
    })
    .await;
}

#[tokio::test]
async fn a_chargeback_that_is_won_does_not_end_an_operators_freeze() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let dispute = charged_back(holdfast).await;
        operator_says(holdfast, &deal, "freeze").await;
        bank_says(holdfast, &dispute, "won").await;
        assert_eq!(causes(&deal).await, "operator");
        deal.does(&holdfast.buyer, "release", json!({})).await.refuses(409, "frozen");
        operator_says(holdfast, &deal, "unfreeze").await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200).shows(json!({ "status": "released" }));
    })
    .await;
}

#[tokio::test]
async fn what_is_held_bears_a_chargeback_that_is_lost_while_an_operator_looks() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({ "amount": "50.00" })).await.is(200);
        operator_says(holdfast, &deal, "freeze").await;
        let dispute = charged_back(holdfast).await;
        bank_says(holdfast, &dispute, "lost").await;
        // What was held bears 100.00 of it; the seller got 45.00 of the rest, and gives it back.
        deal.stands().await.shows(json!({
            "held": "0.00", "released": "50.00", "refunded": "100.00", "chargebacks": [{ "status": "lost" }],
        }));
        assert!(!causes(&deal).await.contains("chargeback"));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "0.00", "debt": "0.00" }));
        holdfast.advance("P40D").await;
        assert_eq!(deal.refunds_at_gateway().await, Vec::<Value>::new(), "the bank has given it back already");
    })
    .await;
}
