//! The main job and its branches, from the checkout to the last riyal.

mod agreements;
mod disputes;
mod fees;
mod frozen;
mod milestones;
mod payments;
mod payouts;
mod rehearsals;
mod repetition;
mod shares;
mod top_ups;

use holdfast_tests::deal::Deal;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::{Value, json};

/// An entry's postings as `account amount`, a debit with `+`, a credit with `-`, and the escrow's id left out.
fn postings(entry: &Value) -> Vec<String> {
    let line = |posting: &Value| {
        let account = posting.text("/account");
        let account = if account.starts_with("escrow:") { "escrow" } else { account };
        let sign = if posting["direction"] == "debit" { '+' } else { '-' };
        format!("{account} {sign}{}", posting.text("/amount"))
    };
    entry.list("/postings").iter().map(line).collect()
}

/// What the journal did with money: `fund: gateway:stripe +150.00, escrow -150.00`.
async fn ledger(deal: &Deal<'_>) -> Vec<String> {
    let moved = |entry: &Value| match postings(entry).join(", ") {
        nothing if nothing.is_empty() => None,
        postings => Some(format!("{}: {postings}", entry.text("/type"))),
    };
    deal.journal().await.iter().filter_map(moved).collect()
}

/// Stops unless the gateway has given back exactly this, once.
async fn given_back_once(deal: &Deal<'_>, smallest_units: i64) {
    let refunds = deal.refunds_at_gateway().await;
    assert_eq!(refunds.len(), 1, "{refunds:#?}");
    refunds[0].shows(json!({ "status": "succeeded", "amount": smallest_units }));
}

/// Stops unless the gateway has given back nothing.
async fn nothing_given_back(deal: &Deal<'_>) {
    assert_eq!(deal.refunds_at_gateway().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_payment_that_is_told_six_times_in_disorder_is_held_once() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        deal.pay(json!({ "outcome": "paid", "duplicates": 5, "shuffle": true })).await;
        deal.stands().await.shows(json!({
            "status": "held", "held": "150.00", "released": "0.00", "refunded": "0.00",
            "payments": [{ "id": deal.payment, "status": "paid" }], "milestones": [{ "status": "held" }],
        }));
        assert_eq!(deal.story().await, "create fund");
        assert_eq!(ledger(&deal).await, ["fund: gateway:stripe +150.00, escrow -150.00"]);
        assert_eq!(holdfast.balance("usr_seller", "SAR").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_release_by_the_buyer_credits_the_seller_net_of_the_fee() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let released = deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        released.shows(json!({ "status": "released", "held": "0.00", "released": "150.00" }));
        assert_eq!(deal.story().await, "create fund deliver release");
        let last = deal.journal().await.pop().unwrap();
        last.shows(json!({ "actor": { "role": "buyer", "sub": "usr_buyer" }, "milestone": "m1" }));
        assert_eq!(postings(&last), ["escrow +150.00", "wallet:usr_seller -135.00", "fees -15.00"]);

        let wallet = holdfast.seller.get("/v1/wallets/usr_seller").send().await.is(200);
        wallet.shows(json!({ "owner": "usr_seller", "balances": [{
            "currency": "SAR", "available": "135.00", "pending": "0.00", "debt": "0.00", "total_earned": "135.00",
        }] }));
        let statement = holdfast.seller.get("/v1/wallets/usr_seller/transactions").send().await.is(200);
        statement.shows(json!({ "next_cursor": null, "data": [{
            "type": "release", "amount": "135.00", "balance_before": "0.00", "balance_after": "135.00",
            "escrow": deal.id, "event": last["id"],
        }] }));
        nothing_given_back(&deal).await;
    })
    .await;
}

#[tokio::test]
async fn every_entry_of_a_long_story_sums_to_zero() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.disputed(json!({ "fee_payer": "split" })).await;
        deal.does(&holdfast.arbiter, "dispute/rule", json!({ "to_buyer": "150.00", "reason": "Nothing came." }))
            .await
            .is(200);
        holdfast.settle().await;
        for entry in deal.journal().await {
            let amounts = postings(&entry).into_iter().map(|line| line.rsplit(' ').next().unwrap().replace('.', ""));
            let sum: i64 = amounts.map(|amount| amount.parse::<i64>().unwrap()).sum();
            assert_eq!(sum, 0, "{entry:#}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_delivered_is_released_by_itself_at_its_hour_and_not_before() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        holdfast.advance("P6DT23H59M").await;
        deal.stands().await.shows(json!({ "status": "delivered", "held": "150.00" }));
        holdfast.advance("PT1M").await;
        deal.stands().await.shows(json!({ "status": "released", "released": "150.00" }));
        // A day before, both sides are reminded.
        assert_eq!(deal.story().await, "create fund deliver remind auto_release");
        let last = deal.journal().await.pop().unwrap();
        last.shows(json!({ "actor": { "role": "clock", "sub": null } }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));
    })
    .await;
}

#[tokio::test]
async fn a_statement_leads_from_balance_to_balance() {
    on_holdfast(async |holdfast| {
        for amount in ["10.00", "20.00", "30.00"] {
            let deal = holdfast.paid(json!({ "amount": amount })).await;
            deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        }
        let path = "/v1/wallets/usr_seller/transactions?currency=SAR&limit=2";
        let first = holdfast.seller.get(path).send().await.is(200);
        first.shows(json!({ "data": [
            { "number": 2, "amount": "27.00", "balance_before": "27.00", "balance_after": "54.00" },
            { "number": 1, "amount": "18.00", "balance_before": "9.00", "balance_after": "27.00" },
        ] }));
        let second = holdfast.seller.get(&format!("{path}&cursor={}", first.text("/next_cursor"))).send().await.is(200);
        second.shows(json!({ "next_cursor": null, "data": [
            { "number": 0, "amount": "9.00", "balance_before": "0.00", "balance_after": "9.00" },
        ] }));
    })
    .await;
}

#[tokio::test]
async fn a_refund_by_the_seller_reaches_the_gateway_once() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        deal.does(&holdfast.seller, "refund", json!({ "reason": "I fell ill." })).await.is(200);
        holdfast.settle().await;
        deal.stands()
            .await
            .shows(json!({ "status": "refunded", "held": "0.00", "refunding": "0.00", "refunded": "150.00" }));
        assert_eq!(deal.story().await, "create fund deliver refund confirm_refund");
        assert_eq!(
            ledger(&deal).await[1..],
            [
                "refund: escrow +150.00, refunds:stripe -150.00",
                "confirm_refund: refunds:stripe +150.00, gateway:stripe -150.00"
            ]
        );
        given_back_once(&deal, 15_000).await;
        holdfast.sandbox().await.shows(json!({ "calls": { "refunds": { "done": 1 } } }));
        assert_eq!(holdfast.balance("usr_seller", "SAR").await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_buyer_withdraws_within_the_window() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.advance("PT23H59M").await;
        deal.does(&holdfast.buyer, "cancel", json!({})).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded", "refunded": "150.00" }));
        assert_eq!(deal.story().await, "create fund withdraw confirm_refund");
        given_back_once(&deal, 15_000).await;
    })
    .await;
}

#[tokio::test]
async fn after_the_window_a_buyer_cannot_withdraw_alone() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.advance("P1D").await;
        // It only asks, and asking again changes nothing.
        let asked = json!({ "status": "held", "milestones": [{ "asked": { "by": "buyer", "for": "cancel" } }] });
        deal.does(&holdfast.buyer, "cancel", json!({})).await.is(200).shows(asked.clone());
        deal.does(&holdfast.buyer, "cancel", json!({})).await;
        deal.stands().await.shows(asked);
        nothing_given_back(&deal).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_never_delivered_goes_back_after_thirty_days() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.advance("P29DT23H").await;
        deal.stands().await.shows(json!({ "status": "held" }));
        holdfast.advance("PT1H").await;
        deal.stands().await.shows(json!({ "status": "refunded", "refunded": "150.00" }));
        assert_eq!(deal.story().await, "create fund remind miss_delivery confirm_refund");
        given_back_once(&deal, 15_000).await;
    })
    .await;
}

#[tokio::test]
async fn changes_can_be_requested_three_times() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        for _round in 0..3 {
            let asked = json!({ "note": "The second chapter is missing." });
            deal.does(&holdfast.buyer, "request-changes", asked).await.is(200).shows(json!({ "status": "held" }));
            deal.does(&holdfast.seller, "deliver", json!({ "note": "Here." })).await.is(200);
        }
        deal.does(&holdfast.buyer, "request-changes", json!({})).await.refuses(409, "rounds_used_up");
        deal.stands().await.shows(json!({ "status": "delivered" }));
    })
    .await;
}

#[tokio::test]
async fn a_product_is_delivered_by_being_paid_and_releases_by_itself() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({ "kind": "product" })).await;
        holdfast.advance("PT1M").await;
        deal.stands().await.shows(json!({ "status": "released" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));
        let inspected = holdfast.paid(json!({ "kind": "product", "policy": { "auto_release_after": "P3D" } })).await;
        inspected.stands().await.shows(json!({ "status": "delivered" }));
        holdfast.advance("P2DT23H").await;
        inspected.stands().await.shows(json!({ "status": "delivered" }));
        holdfast.advance("PT1H").await;
        inspected.stands().await.shows(json!({ "status": "released" }));
    })
    .await;
}

#[tokio::test]
async fn an_operator_releases_and_refunds_with_a_reason() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.disputed(json!({})).await;
        deal.does(&holdfast.operator, "release", json!({})).await.refuses(422, "reason_required");
        let why = json!({ "reason": "The buyer confirmed by telephone." });
        deal.does(&holdfast.operator, "release", why.clone()).await.is(200).shows(json!({ "status": "released" }));
        let other = holdfast.delivered(json!({})).await;
        other.does(&holdfast.operator, "refund", json!({})).await.refuses(422, "reason_required");
        let pending = holdfast.checkout(json!({})).await;
        pending.does(&holdfast.operator, "cancel", json!({})).await.refuses(422, "reason_required");
        pending.does(&holdfast.operator, "cancel", why.clone()).await.is(200).shows(json!({ "status": "cancelled" }));
        other.does(&holdfast.operator, "refund", why).await.is(200);
        holdfast.settle().await;
        other.stands().await.shows(json!({ "status": "refunded" }));
        given_back_once(&other, 15_000).await;
    })
    .await;
}

#[tokio::test]
async fn the_journal_can_be_read_page_by_page() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let (mut types, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("{}?limit=1{cursor}", deal.path("events"));
            let page = holdfast.seller.get(&path).send().await.is(200);
            types.extend(page.list("/data").iter().map(|entry| entry.text("/type").to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(types, ["release", "deliver", "fund", "create"]);
    })
    .await;
}

#[tokio::test]
async fn a_freeze_stops_the_clocks_and_its_length_is_added_to_them() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        holdfast.advance("P3D").await;
        let why = json!({ "reason": "The bank asks questions." });
        let frozen = deal.does(&holdfast.operator, "freeze", why.clone()).await.is(200);
        frozen.shows(json!({ "frozen": [{ "cause": "operator", "reason": "The bank asks questions." }] }));
        holdfast.advance("P10D").await;
        deal.stands().await.shows(json!({ "status": "delivered" }));
        for (who, command) in [(&holdfast.buyer, "release"), (&holdfast.seller, "refund")] {
            deal.does(who, command, json!({})).await.refuses(409, "frozen");
        }
        deal.does(&holdfast.operator, "unfreeze", why).await.is(200).shows(json!({ "frozen": [] }));
        holdfast.advance("P3DT23H").await;
        deal.stands().await.shows(json!({ "status": "delivered" }));
        holdfast.advance("PT1H").await;
        deal.stands().await.shows(json!({ "status": "released" }));
    })
    .await;
}

/// The gateway says that a refund has failed; an operator decides so: where the escrow ends, and how many refunds took effect.
async fn check_review(resolution: &str, status: &str, effects: usize) {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.switch_sandbox(json!({ "next": [{ "refunds": "fail" }] })).await;
        deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "review", "frozen": [{ "cause": "refund_failed" }] }));
        deal.does(&holdfast.buyer, "release", json!({})).await.refuses(409, "in_review");
        let decided = json!({ "resolution": resolution, "reason": "The dashboard says so." });
        deal.does(&holdfast.operator, "resolve", decided).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": status, "frozen": [] }));
        let refunds = deal.refunds_at_gateway().await;
        assert_eq!(refunds.iter().filter(|refund| refund["status"] == "succeeded").count(), effects, "{refunds:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_failed_is_sent_again_when_an_operator_says_so() {
    check_review("retry", "refunded", 1).await;
}

#[tokio::test]
async fn a_refund_that_an_operator_has_seen_elsewhere_is_booked_and_not_sent() {
    check_review("done", "refunded", 0).await;
}
