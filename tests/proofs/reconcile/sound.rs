//! A sound table, whatever has happened in it: no break, no hold; and what it costs to find that out.

use super::{at_gateway, capture, onboard, paid_out, reconcile};
use crate::hand::{Hand, opened};
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// One of everything.
async fn busy(holdfast: &Stack) {
    onboard(holdfast).await;
    let fee = json!({ "fee_payer": "split" });
    holdfast.paid(json!({})).await.does(&holdfast.buyer, "release", json!({})).await.is(200);
    holdfast.paid(fee.clone()).await.does(&holdfast.seller, "refund", json!({ "amount": "20.00" })).await.is(200);
    let disputed = holdfast.disputed(fee).await;
    let ruling = json!({ "to_buyer": "50.00", "reason": "A third was done." });
    disputed.does(&holdfast.arbiter, "dispute/rule", ruling).await.is(200);
    let twice = holdfast.checkout(json!({})).await;
    let other = twice.another_checkout().await;
    twice.pay(json!({ "outcome": "paid", "duplicates": 3, "shuffle": true })).await;
    twice.pay_at(other.text("/url"), json!({ "outcome": "paid", "late": true })).await;
    let wish = json!({ "currency": "SAR", "amount": "300.00", "gateway": "stripe" });
    let top_up = holdfast.buyer.post("/v1/wallets/usr_buyer/top-ups").once().json(&wish).send().await.is(201);
    let page = top_up.pointer("/checkout/url").or_else(|| top_up.pointer("/url")).and_then(Value::as_str).unwrap();
    holdfast.api.post(page).json(&json!({ "outcome": "paid" })).send().await.is(200);
    holdfast.settle().await;
    paid_out(holdfast, "40.00", "stripe").await;
    paid_out(holdfast, "10.00", "manual").await;
    let charged = holdfast.paid(json!({})).await;
    let capture = capture(holdfast, &charged).await;
    let dispute = at_gateway(holdfast, &format!("payment_intents/{capture}/chargeback"), json!({})).await;
    let path = format!("disputes/{}", dispute.text("/id"));
    at_gateway(holdfast, &path, json!({ "status": "lost" })).await;
    holdfast.settle().await;
}

#[tokio::test]
async fn a_sound_table_has_no_break_on_any_day() {
    on_holdfast(async |holdfast| {
        busy(holdfast).await;
        for wait in ["PT0S", "PT40M", "PT2H", "P1D", "P2D", "P1D", "P30D"] {
            if wait != "PT0S" {
                holdfast.advance(wait).await;
            }
            let done = reconcile(holdfast).await;
            done.shows(
                json!({ "missed": 0, "held": 0, "freed": 0, "unread": [], "report": { "ok": true, "breaks": [] } }),
            );
        }
    })
    .await;
}

/// A refund may take a week. It stands in the gateway's statement where it began, and is booked here when it has arrived.
#[tokio::test]
async fn what_the_statement_of_these_days_does_not_show_is_looked_up_before_it_is_a_break() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.switch_sandbox(json!({ "next": [{ "refunds": "pending" }] })).await;
        deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.advance("P7D").await;
        deal.stands().await.shows(json!({ "status": "refunding" }));
        let refund = deal.refunds_at_gateway().await[0].text("/id").to_owned();
        at_gateway(holdfast, &format!("refunds/{refund}"), json!({ "status": "succeeded" })).await;
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded" }));
        for _day in 0..5 {
            holdfast.advance("P1D").await;
            let done = reconcile(holdfast).await;
            done.shows(json!({ "missed": 0, "held": 0, "unread": [], "report": { "ok": true, "breaks": [] } }));
        }
    })
    .await;
}

#[tokio::test]
async fn a_gateway_whose_lists_cannot_be_read_is_named_and_proves_nothing() {
    on_holdfast(async |holdfast| {
        holdfast.paid(json!({})).await;
        holdfast.advance("PT3H").await;
        holdfast.switch_sandbox(json!({ "next": [{ "look_ups": "500" }] })).await;
        reconcile(holdfast).await.shows(json!({ "unread": ["stripe"], "held": 0, "report": { "ok": true } }));
        holdfast.switch_sandbox(json!({ "next": [] })).await;
        reconcile(holdfast).await.shows(json!({ "unread": [] }));
    })
    .await;
}

/// The table is read once, and nothing is read for each of what lies in it. Measured here, written down in docs/OPERATING.md.
#[tokio::test]
async fn a_run_costs_a_handful_of_requests_and_not_one_for_each_escrow_or_wallet() {
    let hand = Hand::start().await;
    for number in 0..25 {
        let (id, page) = opened(&hand, json!({ "seller": format!("usr_seller_{number}") })).await;
        hand.people.api.post(&page).json(&json!({ "outcome": "paid" })).send().await.is(200);
        hand.drain(false).await;
        let path = format!("/v1/escrows/{id}/release");
        hand.ask(&hand.people.buyer, &path, &hand.key(), &json!({})).await.unwrap().is(200);
    }
    let run = async || {
        let before = hand.system.counters();
        let done = hand.system.reconcile().await.unwrap().unwrap();
        let report = done.report;
        assert!(report.ok, "{report:?}");
        assert_eq!((report.escrows, report.wallets, report.lines), (25, 25, 25));
        hand.system.counters().since(before).requests
    };
    // As long as the gateway's lists of these days show them, a read for each payment; else one page, and the day's figures.
    hand.pass("PT2H");
    assert_eq!(run().await, 25 + 3);
    hand.pass("P5D");
    assert_eq!(run().await, 3);
}

#[tokio::test]
async fn a_run_that_runs_out_of_time_says_so_and_proves_nothing() {
    let hand = Hand::start().await;
    let ended = hand.system.reconcile_within(std::time::Duration::ZERO).await.unwrap().unwrap_err();
    assert!(ended.starts_with("time is up after 0 items: "), "{ended}");
}

/// One seller is paid again and again, and is paid out, while the table is read over and over: no look at it takes what moves for broken.
#[tokio::test]
async fn a_table_that_people_use_meanwhile_is_sound() {
    on_holdfast(async |holdfast| {
        holdfast.paid(json!({})).await.does(&holdfast.buyer, "release", json!({})).await.is(200);
        // So that much of it is old enough to be compared.
        holdfast.advance("PT2H").await;
        let trade = async {
            for _deal in 0..20 {
                holdfast.paid(json!({})).await.does(&holdfast.buyer, "release", json!({})).await.is(200);
                let wish = json!({ "currency": "SAR", "amount": "10.00", "gateway": "manual" });
                holdfast.seller.post("/v1/wallets/usr_seller/payouts").once().json(&wish).send().await.is(201);
            }
        };
        let looks = async {
            for _look in 0..40 {
                let done = reconcile(holdfast).await;
                done.shows(json!({ "missed": 0, "held": 0, "unread": [], "report": { "ok": true, "breaks": [] } }));
            }
        };
        tokio::join!(trade, looks);
    })
    .await;
}
