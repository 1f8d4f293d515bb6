//! The main job and its branches, from the checkout to the last riyal.

use holdfast_tests::deal::Deal;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
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
        assert_eq!(deal.story().await, "create fund deliver auto_release");
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
        deal.does(&holdfast.buyer, "cancel", json!({})).await.refuses(409, "too_late");
        deal.stands().await.shows(json!({ "status": "held" }));
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
        assert_eq!(deal.story().await, "create fund miss_delivery confirm_refund");
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
async fn a_dispute_that_is_withdrawn_gives_the_rest_of_the_time_back() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        holdfast.advance("P5D").await;
        let opened = deal.does(&holdfast.buyer, "dispute", json!({ "reason": "It does not open." })).await.is(200);
        opened.shows(
            json!({ "status": "disputed", "disputed": "150.00", "held": "0.00", "dispute": { "status": "open" } }),
        );
        deal.does(&holdfast.buyer, "release", json!({})).await.refuses(409, "transition_refused");
        // Time stands still for the release.
        holdfast.advance("P10D").await;
        deal.stands().await.shows(json!({ "status": "disputed" }));
        let withdrawn = deal.does(&holdfast.buyer, "dispute/withdraw", json!({})).await.is(200);
        withdrawn.shows(json!({ "status": "delivered", "held": "150.00", "dispute": { "status": "withdrawn" } }));
        holdfast.advance("P1DT23H").await;
        deal.stands().await.shows(json!({ "status": "delivered" }));
        holdfast.advance("PT1H").await;
        deal.stands().await.shows(json!({ "status": "released" }));
        assert_eq!(deal.story().await, "create fund deliver dispute withdraw_dispute auto_release");
    })
    .await;
}

#[tokio::test]
async fn nobody_rules_before_the_time_for_evidence_is_over() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        deal.does(&holdfast.buyer, "dispute", json!({ "reason": "No." })).await.is(200);
        let ruling = json!({ "to_buyer": "0", "reason": "As agreed." });
        let early = deal.does(&holdfast.arbiter, "dispute/rule", ruling.clone()).await.refuses(409, "too_early");
        let until = deal.stands().await.text("/dispute/evidence_until").to_owned();
        early.shows(json!({ "allowed_at": until }));
        holdfast.advance("P2D").await;
        deal.does(&holdfast.arbiter, "dispute/rule", ruling).await.is(200);
    })
    .await;
}

/// An arbiter gives so much to the buyer: where the escrow ends, what the wallet gets, what goes back.
async fn check_ruling(to_buyer: &str, status: &str, wallet: Option<&str>, given_back: Option<i64>) {
    on_holdfast(async |holdfast| {
        let deal = holdfast.disputed(json!({})).await;
        let ruling = json!({ "to_buyer": to_buyer, "reason": "I have seen both." });
        deal.does(&holdfast.arbiter, "dispute/rule", ruling)
            .await
            .is(200)
            .shows(json!({ "dispute": { "status": "ruled" } }));
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": status, "disputed": "0.00", "held": "0.00", "refunding": "0.00" }));
        let balance = holdfast.balance("usr_seller", "SAR").await;
        assert_eq!(balance["available"].as_str(), wallet);
        match given_back {
            Some(units) => given_back_once(&deal, units).await,
            None => nothing_given_back(&deal).await,
        }
    })
    .await;
}

#[tokio::test]
async fn a_ruling_for_the_seller_releases_everything() {
    check_ruling("0", "released", Some("135.00"), None).await;
}

#[tokio::test]
async fn a_ruling_for_the_buyer_gives_everything_back() {
    check_ruling("150.00", "refunded", None, Some(15_000)).await;
}

#[tokio::test]
async fn a_ruling_in_the_middle_divides_the_money_and_the_fee() {
    check_ruling("75.00", "split", Some("67.50"), Some(7_500)).await;
}

#[tokio::test]
async fn of_a_ruling_that_does_not_divide_evenly_nothing_is_lost() {
    check_ruling("50.01", "split", Some("90.00"), Some(5_001)).await;
}

#[tokio::test]
async fn nobody_gets_more_than_is_disputed() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.disputed(json!({})).await;
        let too_much = json!({ "to_buyer": "150.01", "reason": "And some more." });
        deal.does(&holdfast.arbiter, "dispute/rule", too_much).await.refuses(422, "amount_too_large");
        deal.stands().await.shows(json!({ "status": "disputed", "dispute": { "status": "open" } }));
    })
    .await;
}

/// Nobody rules: the pinned default decides after thirty days.
async fn check_default(policy: &str, status: &str, wallet: Option<&str>, given_back: Option<i64>) {
    on_holdfast(async |holdfast| {
        let deal = holdfast.disputed(json!({ "policy": { "dispute_default": policy } })).await;
        holdfast.advance("P27DT23H").await;
        deal.stands().await.shows(json!({ "status": "disputed" }));
        holdfast.advance("PT1H").await;
        deal.stands().await.shows(json!({ "status": status, "dispute": { "status": "defaulted" } }));
        let balance = holdfast.balance("usr_seller", "SAR").await;
        assert_eq!(balance["available"].as_str(), wallet);
        match given_back {
            Some(units) => given_back_once(&deal, units).await,
            None => nothing_given_back(&deal).await,
        }
    })
    .await;
}

#[tokio::test]
async fn a_dispute_that_nobody_rules_falls_to_the_buyer() {
    check_default("refund_buyer", "refunded", None, Some(15_000)).await;
}

#[tokio::test]
async fn a_dispute_that_nobody_rules_falls_to_the_seller_if_they_agreed_so() {
    check_default("release_seller", "released", Some("135.00"), None).await;
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

/// Somebody pays the fee: what is charged, what the seller gets, and what a refund gives back.
async fn check_fee(changes: Value, charged: &str, fee: &str, wallet: &str, given_back: i64) {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(changes.clone()).await;
        let stands = deal.stands().await;
        stands.shows(json!({ "charged": charged, "fee": { "amount": fee }, "payments": [{ "amount": charged }] }));
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let balance = holdfast.balance("usr_seller", stands.text("/currency")).await;
        balance.shows(json!({ "available": wallet, "total_earned": wallet }));

        let refunded = holdfast.paid(changes).await;
        refunded.does(&holdfast.seller, "refund", json!({})).await.is(200);
        holdfast.settle().await;
        refunded.stands().await.shows(json!({ "status": "refunded" }));
        given_back_once(&refunded, given_back).await;
    })
    .await;
}

#[tokio::test]
async fn the_seller_pays_the_fee_out_of_the_release() {
    check_fee(json!({ "fee_payer": "seller" }), "150.00", "15.00", "135.00", 15_000).await;
}

#[tokio::test]
async fn the_buyer_pays_the_fee_on_top_and_gets_it_back_with_a_refund() {
    check_fee(json!({ "fee_payer": "buyer" }), "165.00", "15.00", "150.00", 16_500).await;
}

#[tokio::test]
async fn both_pay_half_of_the_fee_and_the_odd_halala_is_the_sellers() {
    check_fee(json!({ "fee_payer": "split", "amount": "150.10" }), "157.60", "15.01", "142.59", 15_760).await;
}

#[tokio::test]
async fn yen_have_no_digits_after_the_point() {
    check_fee(json!({ "currency": "JPY", "amount": "1999" }), "1999", "199", "1800", 1_999).await;
}

#[tokio::test]
async fn dinars_have_three_of_which_the_gateway_wants_the_last_to_be_zero() {
    check_fee(json!({ "currency": "KWD", "amount": "10.55" }), "10.550", "1.055", "9.495", 10_550).await;
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
async fn an_operator_releases_and_refunds_with_a_reason() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.disputed(json!({})).await;
        deal.does(&holdfast.operator, "release", json!({})).await.refuses(422, "reason_required");
        let why = json!({ "reason": "The buyer confirmed by telephone." });
        deal.does(&holdfast.operator, "release", why.clone()).await.is(200).shows(json!({ "status": "released" }));
        let other = holdfast.delivered(json!({})).await;
        other.does(&holdfast.operator, "refund", json!({})).await.refuses(422, "reason_required");
        other.does(&holdfast.operator, "refund", why).await.is(200);
        holdfast.settle().await;
        other.stands().await.shows(json!({ "status": "refunded" }));
        given_back_once(&other, 15_000).await;
    })
    .await;
}

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

#[tokio::test]
async fn a_quote_says_what_a_checkout_pins() {
    on_holdfast(async |holdfast| {
        let path = "/v1/quote?kind=service&currency=SAR&amount=150&fee_payer=buyer";
        let quote = holdfast.stranger.get(path).send().await.is(200);
        quote.shows(json!({
            "kind": "service", "currency": "SAR", "amount": "150.00", "charged": "165.00", "seller_receives": "150.00",
            "fee": { "payer": "buyer", "amount": "15.00" },
        }));
        let name = quote.text("/quote");
        let deal = holdfast.checkout(json!({ "quote": name, "fee_payer": "buyer" })).await;
        deal.stands().await.shows(json!({ "charged": "165.00", "fee": quote["fee"] }));
        let other = holdfast_tests::json::with(
            holdfast_tests::deal::order(),
            json!({ "quote": name, "fee_payer": "buyer", "amount": "151.00" }),
        );
        holdfast.buyer.post("/v1/checkouts").once().json(&other).send().await.refuses(422, "quote_changed");
    })
    .await;
}
