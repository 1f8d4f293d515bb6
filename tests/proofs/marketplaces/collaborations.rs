//! Collaborations: a company pays, an influencer works, the wallet is credited, the bank gets it. Payouts at first by hand.

use super::statement;
use holdfast::Options;
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::on;
use serde_json::json;

/// Nothing below ten riyals is paid out; above four hundred and fifty a second person looks at it.
fn with_limits() -> Options {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_PAYOUT_MINIMUM".to_owned(), "SAR:10.00".to_owned());
    options.settings.insert("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:450.00".to_owned());
    options
}

#[tokio::test]
async fn collaborations() {
    on(with_limits(), async |stack| {
        let about = json!({ "subject": { "type": "collaboration", "id": "col_9" }, "amount": "1000.00" });
        let deal = stack.checkout(about.clone()).await;
        deal.stands().await.shows(json!({ "status": "pending" }));
        deal.pay(json!({ "outcome": "paid" })).await;
        deal.stands().await.shows(json!({ "status": "held" }));
        deal.does(&stack.seller, "deliver", json!({ "note": "Three posts are online." })).await.is(200);
        // The company marks it complete: the wallet has it.
        deal.does(&stack.buyer, "release", json!({})).await.is(200).shows(json!({ "status": "released" }));
        stack.balance("usr_seller", "SAR").await.shows(json!({
            "available": "900.00", "pending": "0.00", "total_earned": "900.00", "total_withdrawn": "0.00",
        }));
        let then = stack.now().await;
        stack.advance("PT1H").await;

        // Too little, too much, and what is right; a payout by hand is owed until somebody has made it.
        let payouts = "/v1/wallets/usr_seller/payouts";
        let wish = json!({ "currency": "SAR", "amount": "400.00", "gateway": "manual" });
        let ask = async |changes| stack.seller.post(payouts).once().json(&with(wish.clone(), changes)).send().await;
        let least = ask(json!({ "amount": "0.01" })).await.refuses(409, "below_minimum");
        assert!(least.text("/detail").contains("at least"), "{least:#}");
        ask(json!({ "amount": "900.01" })).await.refuses(409, "insufficient_funds");
        let owed = ask(json!({})).await.is(201);
        owed.shows(json!({ "status": "owed", "amount": "400.00" }));
        stack.balance("usr_seller", "SAR").await.shows(json!({ "available": "500.00", "pending": "400.00" }));

        // An operator's queue; it fails once, with a reason that the influencer reads, then it is made.
        let queue = stack.operator.get("/v1/payouts?status=owed").send().await.is(200);
        queue.shows(json!({ "data": [{ "id": owed["id"] }] }));
        let path = format!("/v1/payouts/{}", owed.text("/id"));
        let failed = json!({ "reason": "The bank does not know this account." });
        stack.operator.post(&format!("{path}/mark-failed")).once().json(&failed).send().await.is(200);
        stack.seller.get(&path).send().await.is(200).shows(json!({
            "status": "failed", "reason": "The bank does not know this account.",
        }));
        let owed = ask(json!({})).await.is(201);
        let path = format!("/v1/payouts/{}/mark-paid", owed.text("/id"));
        stack.seller.post(&path).once().json(&json!({ "reference": "mine" })).send().await.is(403);
        let paid = json!({ "reference": "BANK-2026-11-21-7" });
        stack.operator.post(&path).once().json(&paid).send().await.is(200).shows(json!({ "status": "paid" }));
        stack.balance("usr_seller", "SAR").await.shows(json!({
            "available": "500.00", "pending": "0.00", "total_earned": "900.00", "total_withdrawn": "400.00",
        }));
        assert_eq!(
            statement(&stack.seller).await,
            [
                "release 900.00 -> 900.00",
                "payout -400.00 -> 500.00",
                "payout_failed 400.00 -> 900.00",
                "payout -400.00 -> 500.00",
            ]
        );
        // The balance as it was, and the statement as the accountant wants it.
        let was = stack.seller.get(&format!("/v1/wallets/usr_seller?at={then}")).send().await.is(200);
        was.shows(json!({ "balances": [{ "currency": "SAR", "available": "900.00" }] }));
        let csv = stack.seller.get("/v1/wallets/usr_seller/transactions?format=csv").send().await;
        assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));

        // A second collaboration is refunded by the influencer, a third is given up by both.
        let second =
            stack.paid(with(about.clone(), json!({ "subject": { "type": "collaboration", "id": "col_10" } }))).await;
        second.does(&stack.seller, "refund", json!({ "reason": "No time." })).await.is(200);
        stack.settle().await;
        second.stands().await.shows(json!({ "status": "refunded", "refunded": "1000.00" }));
        let third = stack.paid(about).await;
        stack.advance("P2D").await;
        third.does(&stack.seller, "cancel", json!({ "reason": "The product is late." })).await.is(200).shows(json!({
            "status": "held", "milestones": [{ "asked": { "by": "seller", "for": "cancel" } }],
        }));
        third.does(&stack.buyer, "cancel", json!({})).await.is(200).shows(json!({ "status": "refunding" }));
        stack.settle().await;
        third.stands().await.shows(json!({ "status": "refunded" }));
        let history = stack.buyer.get("/v1/payments?subject_type=collaboration&subject_id=col_9").send().await.is(200);
        assert_eq!(history.list("/data").len(), 2, "{history:#}");
    })
    .await;
}
