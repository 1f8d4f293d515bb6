//! Webhooks that never come: what they would have told is found in the gateway's own lists, and booked by the same rules.

use super::{at_gateway, capture, deaf, onboard, paid_out, reconcile};
use crate::hand::{Hand, opened};
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// Time passes until the gateway's statement shows what has just happened; the run then finds so many facts, and the next one none.
async fn found(holdfast: &Stack, missed: u64) {
    holdfast.advance("PT2H").await;
    let done = reconcile(holdfast).await;
    done.shows(json!({ "missed": missed, "held": 0, "unread": [], "report": { "ok": true, "breaks": [] } }));
    reconcile(holdfast).await.shows(json!({ "missed": 0, "report": { "ok": true } }));
}

#[tokio::test]
async fn a_payment_and_a_page_that_ended_are_found() {
    on_holdfast(async |holdfast| {
        deaf(holdfast).await;
        let paid = holdfast.checkout(json!({})).await;
        paid.pay(json!({ "outcome": "paid" })).await;
        let ended = holdfast.checkout(json!({})).await;
        ended.pay(json!({ "outcome": "expired" })).await;
        paid.stands().await.shows(json!({ "status": "pending" }));
        found(holdfast, 2).await;
        paid.stands().await.shows(json!({ "status": "held" }));
        let payment = holdfast.buyer.get(&format!("/v1/payments/{}", ended.payment)).send().await.is(200);
        payment.shows(json!({ "status": "closed" }));
    })
    .await;
}

#[tokio::test]
async fn a_payment_into_a_wallet_is_found() {
    on_holdfast(async |holdfast| {
        deaf(holdfast).await;
        let wish = json!({ "currency": "SAR", "amount": "80.00", "gateway": "stripe" });
        let top_up = holdfast.buyer.post("/v1/wallets/usr_buyer/top-ups").once().json(&wish).send().await.is(201);
        let page = top_up.pointer("/checkout/url").or_else(|| top_up.pointer("/url")).and_then(Value::as_str).unwrap();
        holdfast.api.post(page).json(&json!({ "outcome": "paid" })).send().await.is(200);
        found(holdfast, 1).await;
        holdfast.balance("usr_buyer", "SAR").await.shows(json!({ "available": "80.00" }));
    })
    .await;
}

#[tokio::test]
async fn money_given_back_by_hand_at_the_gateway_is_found() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deaf(holdfast).await;
        let capture = capture(holdfast, &deal).await;
        at_gateway(holdfast, &format!("payment_intents/{capture}/refund"), json!({ "amount": 4_000 })).await;
        found(holdfast, 1).await;
        deal.stands().await.shows(json!({ "milestones": [{ "held": "110.00", "refunded": "40.00" }] }));
        // The next ones are found as well: totals grow.
        at_gateway(holdfast, &format!("payment_intents/{capture}/refund"), json!({ "amount": 1_000 })).await;
        found(holdfast, 1).await;
        deal.stands().await.shows(json!({ "milestones": [{ "held": "100.00", "refunded": "50.00" }] }));
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_failed_after_all_is_found() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded" }));
        deaf(holdfast).await;
        let refund = deal.refunds_at_gateway().await[0].text("/id").to_owned();
        at_gateway(holdfast, &format!("refunds/{refund}"), json!({ "status": "failed" })).await;
        found(holdfast, 1).await;
        deal.stands().await.shows(json!({ "status": "review", "milestones": [{ "held": "150.00" }] }));
    })
    .await;
}

#[tokio::test]
async fn a_chargeback_that_took_the_money_and_gave_it_back_is_found() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deaf(holdfast).await;
        let capture = capture(holdfast, &deal).await;
        let path = format!("payment_intents/{capture}/chargeback");
        let dispute = at_gateway(holdfast, &path, json!({})).await;
        found(holdfast, 1).await;
        // No money leaves, and the ledger knows who has it.
        let stands = deal.stands().await;
        assert_ne!(stands["frozen"], Value::Null, "{stands:#}");
        let chargebacks = |story: &str| story.matches("chargeback").count();
        assert_eq!(chargebacks(&deal.story().await), 1, "{}", deal.story().await);
        let path = format!("disputes/{}", dispute.text("/id"));
        at_gateway(holdfast, &path, json!({ "status": "won", "funds": true })).await;
        found(holdfast, 1).await;
        assert_eq!(chargebacks(&deal.story().await), 2, "{}", deal.story().await);
    })
    .await;
}

#[tokio::test]
async fn a_transfer_that_came_back_is_found_and_so_is_the_rest_of_it() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        onboard(holdfast).await;
        let payout = paid_out(holdfast, "100.00", "stripe").await;
        payout.shows(json!({ "status": "paid" }));
        deaf(holdfast).await;
        let path = format!("transfers/{}/reversals", payout.text("/reference"));
        let shown = async || {
            let path = format!("/v1/payouts/{}", payout.text("/id"));
            holdfast.seller.get(&path).send().await.is(200)
        };
        at_gateway(holdfast, &path, json!({ "amount": 3_000 })).await;
        found(holdfast, 1).await;
        shown().await.shows(json!({ "status": "paid", "returned": "30.00" }));
        at_gateway(holdfast, &path, json!({})).await;
        found(holdfast, 1).await;
        shown().await.shows(json!({ "status": "returned", "returned": "100.00" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00", "total_withdrawn": "0.00" }));
    })
    .await;
}

#[tokio::test]
async fn what_the_lists_have_told_is_known_when_its_webhooks_come_after_all() {
    let hand = Hand::start().await;
    let (id, page) = opened(&hand, json!({})).await;
    hand.people.api.post(&page).json(&json!({ "outcome": "paid" })).send().await.is(200);
    let mut late = hand.take_events().await;
    hand.pass("PT2H");
    let done = hand.system.reconcile().await.unwrap().unwrap();
    assert_eq!((done.missed, done.report.ok), (1, true), "{:?}", done.report);
    // Somebody gives a part back by hand, and the card's holder disputes the rest; nobody hears of it in time.
    let sandbox = hand.people.sandbox().await;
    let capture = sandbox.list("/payment_intents")[0].text("/id").to_owned();
    let path = format!("payment_intents/{capture}");
    at_gateway(&hand.people, &format!("{path}/refund"), json!({ "amount": 5_000 })).await;
    at_gateway(&hand.people, &format!("{path}/chargeback"), json!({ "amount": 10_000 })).await;
    late.extend(hand.take_events().await);
    hand.pass("PT2H");
    let done = hand.system.reconcile().await.unwrap().unwrap();
    assert_eq!((done.missed, done.report.ok), (2, true), "{:?}", done.report);

    let look = async || {
        let escrow = hand.people.operator.get(&format!("/v1/escrows/{id}")).send().await.is(200);
        let path = format!("/v1/escrows/{id}/events?limit=100");
        let postings = hand.people.operator.get(&path).send().await.is(200);
        let moved: Vec<Value> = postings.list("/data").iter().map(|entry| entry["postings"].clone()).collect();
        (escrow["milestones"].clone(), moved.into_iter().filter(|postings| *postings != json!([])).collect::<Vec<_>>())
    };
    let before = look().await;
    for event in late.iter().rev().chain(&late) {
        let answer = hand.tell(&event.body).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {:#}", event.kind, answer.body);
        assert_ne!(answer.body["outcome"], "parked", "{}", event.kind);
    }
    assert_eq!(look().await, before, "webhooks that come late move nothing");
    hand.people.verify().await;
}
