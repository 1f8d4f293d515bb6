//! What can happen to payments: late, twice, declined, slowly, taken back by a bank.

use super::{given_back_once, ledger, nothing_given_back};
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::json;

#[tokio::test]
async fn a_late_payment_of_an_expired_escrow_goes_back() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        holdfast.advance("PT24H").await;
        deal.stands().await.shows(json!({ "status": "expired" }));
        deal.pay(json!({ "outcome": "paid", "late": true, "duplicates": 2, "shuffle": true })).await;
        deal.stands().await.shows(json!({
            "status": "expired", "held": "0.00", "refunded": "0.00", "payments": [{ "status": "absorbed" }],
        }));
        given_back_once(&deal, 15_000).await;
        assert_eq!(
            ledger(&deal).await,
            [
                "absorb_payment: gateway:stripe +150.00, refunds:stripe -150.00",
                "confirm_refund: refunds:stripe +150.00, gateway:stripe -150.00",
            ]
        );
        holdfast.advance("P40D").await;
        given_back_once(&deal, 15_000).await;
    })
    .await;
}

#[tokio::test]
async fn of_two_payments_of_one_escrow_the_second_goes_back() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        let second = deal.another_checkout().await;
        // Both are paid at the gateway before it tells of either.
        let slowly = json!({ "outcome": "paid", "delay_ms": 100, "duplicates": 1 });
        holdfast.api.post(&deal.page).json(&slowly).send().await.is(200);
        holdfast.api.post(second.text("/url")).json(&slowly).send().await.is(200);
        holdfast.settle().await;
        let stands = deal.stands().await;
        stands.shows(json!({ "status": "held", "held": "150.00" }));
        let mut statuses: Vec<&str> = stands.list("/payments").iter().map(|payment| payment.text("/status")).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, ["absorbed", "paid"]);
        given_back_once(&deal, 15_000).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));
    })
    .await;
}

#[tokio::test]
async fn the_first_attempt_that_pays_closes_the_others() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        let second = deal.another_checkout().await;
        deal.pay_at(second.text("/url"), json!({ "outcome": "paid" })).await;
        deal.stands()
            .await
            .shows(json!({ "status": "held", "payments": [{ "status": "closed" }, { "status": "paid" }] }));
        holdfast.api.post(&deal.page).json(&json!({ "outcome": "paid" })).send().await.is(409);
        nothing_given_back(&deal).await;
    })
    .await;
}

#[tokio::test]
async fn a_second_capture_of_the_same_payment_goes_back() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        let reference = deal.stands().await.text("/payments/0/reference").to_owned();
        let again = format!("/_local/sandbox/stripe/sessions/{reference}/second_capture");
        let capture = holdfast.api.post(&again).json(&json!({})).send().await.is(200).text("/id").to_owned();
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "held", "held": "150.00" }));
        given_back_once(&deal, 15_000).await;
        assert_eq!(deal.refunds_at_gateway().await[0].text("/payment_intent"), capture);
    })
    .await;
}

#[tokio::test]
async fn cancelling_what_nobody_has_paid_closes_the_page() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        let cancelled = deal.does(&holdfast.seller, "cancel", json!({ "reason": "Fully booked." })).await.is(200);
        cancelled.shows(json!({ "status": "cancelled" }));
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "cancelled", "payments": [{ "status": "closed" }] }));
        holdfast.sandbox().await.shows(json!({ "sessions": [{ "status": "expired", "paid": false }] }));
        holdfast.api.post(&deal.page).json(&json!({ "outcome": "paid" })).send().await.is(409);
        // It can arrive all the same.
        deal.pay(json!({ "outcome": "paid", "late": true })).await;
        deal.stands().await.shows(json!({ "status": "cancelled", "held": "0.00" }));
        given_back_once(&deal, 15_000).await;
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_leaves_the_page_open_for_another() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        deal.pay(json!({ "outcome": "declined", "duplicates": 2 })).await;
        deal.stands().await.shows(json!({ "status": "pending", "payments": [{ "status": "open" }] }));
        deal.pay(json!({ "outcome": "paid" })).await;
        deal.stands().await.shows(json!({ "status": "held" }));
        assert_eq!(deal.story().await, "create fund");
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_takes_its_time_is_held_when_it_has_arrived() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        deal.pay(json!({ "outcome": "pending" })).await;
        deal.stands().await.shows(json!({ "status": "pending", "payments": [{ "status": "processing" }] }));
        // The page's time is over, and the money on its way: nothing expires.
        holdfast.advance("P2D").await;
        deal.stands().await.shows(json!({ "status": "pending" }));
        deal.pay(json!({ "outcome": "paid" })).await;
        deal.stands().await.shows(json!({ "status": "held", "held": "150.00", "payments": [{ "status": "paid" }] }));
        nothing_given_back(&deal).await;
    })
    .await;
}

#[tokio::test]
async fn a_page_that_its_buyer_leaves_expires() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        deal.pay(json!({ "outcome": "expired" })).await;
        deal.stands().await.shows(json!({ "payments": [{ "status": "closed" }] }));
        holdfast.advance("PT24H").await;
        deal.stands().await.shows(json!({ "status": "expired" }));
    })
    .await;
}

#[tokio::test]
async fn a_chargeback_freezes_the_escrow_until_it_is_won() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let intent = holdfast.sandbox().await.text("/payment_intents/0/id").to_owned();
        let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
        let dispute = holdfast.api.post(&path).json(&json!({})).send().await.is(200).text("/id").to_owned();
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "delivered", "frozen": [{ "cause": "chargeback" }] }));
        deal.does(&holdfast.buyer, "release", json!({})).await.refuses(409, "frozen");
        holdfast.advance("P10D").await;
        deal.stands().await.shows(json!({ "status": "delivered" }));
        let won = json!({ "status": "won" });
        holdfast.api.post(&format!("/_local/sandbox/stripe/disputes/{dispute}")).json(&won).send().await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "delivered", "frozen": [] }));
        holdfast.advance("P7D").await;
        deal.stands().await.shows(json!({ "status": "released" }));
    })
    .await;
}

#[tokio::test]
async fn a_payment_can_be_looked_up_and_listed_by_its_subject() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({ "subject": { "type": "order", "id": "9001" }, "method": "card" })).await;
        let path = format!("/v1/payments/{}", deal.payment);
        let open = holdfast.buyer.get(&path).send().await.is(200);
        open.shows(
            json!({ "id": deal.payment, "escrow": deal.id, "status": "open", "method": "card", "paid_at": null }),
        );
        deal.pay(json!({ "outcome": "paid" })).await;
        let paid = holdfast.seller.get(&path).send().await.is(200);
        paid.shows(json!({ "status": "paid", "amount": "150.00", "currency": "SAR", "gateway": "stripe" }));
        let list = "/v1/payments?subject_type=order&subject_id=9001";
        holdfast.buyer.get(list).send().await.is(200).shows(json!({ "data": [paid], "next_cursor": null }));
        holdfast.stranger.get(list).send().await.is(200).shows(json!({ "data": [], "next_cursor": null }));
        holdfast.platform.get(list).send().await.is(200).shows(json!({ "data": [{ "id": deal.payment }] }));
    })
    .await;
}
