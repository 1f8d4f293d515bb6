//! Deals in parts, parts of parts, and the ways to pay that are no page of a gateway's.

use super::given_back_once;
use holdfast_tests::json::{Look, with};
use holdfast_tests::on_holdfast;
use serde_json::{Value, json};

fn in_parts(fund: &[&str]) -> Value {
    let parts = json!([
        { "title": "Design", "amount": "33.33" }, { "title": "Build", "amount": "33.33" }, { "title": "Launch", "amount": "33.34" },
    ]);
    json!({ "kind": "project", "amount": null, "milestones": parts, "fund": fund })
}

#[tokio::test]
async fn milestones_are_paid_one_by_one_and_share_one_fee() {
    on_holdfast(async |holdfast| {
        let quote =
            holdfast.buyer.get("/v1/quote?kind=project&currency=SAR&amount=100.00&fee_payer=buyer").send().await;
        let quote = quote.is(200);
        let changes = with(in_parts(&["m2"]), json!({ "fee_payer": "buyer", "quote": quote.text("/quote") }));
        let deal = holdfast.checkout(changes).await;
        let stands = deal.stands().await;
        stands.shows(json!({
            "amount": "100.00", "charged": "110.00", "fee": { "amount": "10.00" },
            "payments": [{ "amount": "36.66", "milestones": ["m2"], "pay_in": null, "mode": "hosted" }],
        }));
        let fees: Vec<&str> = stands.list("/milestones").iter().map(|milestone| milestone.text("/fee")).collect();
        assert_eq!(fees, ["3.33", "3.33", "3.34"], "the shares make the whole");
        deal.pay(json!({ "outcome": "paid" })).await;
        // The rest, in one payment, without naming it.
        let rest = deal.another_checkout().await;
        rest.shows(json!({ "amount": "73.34", "currency": "SAR", "client_secret": null }));
        deal.pay_at(rest.text("/url"), json!({ "outcome": "paid" })).await;
        deal.stands().await.shows(json!({ "status": "held", "held": "100.00" }));
        // All are paid: there is nothing more to pay.
        let again = json!({ "gateway": "stripe", "milestones": ["m1"] });
        deal.does(&holdfast.buyer, "checkouts", again).await.refuses(409, "transition_refused");
        let unknown = json!({ "gateway": "stripe", "milestones": ["m4"] });
        deal.does(&holdfast.buyer, "checkouts", unknown).await.refuses(422, "milestone_unknown");
    })
    .await;
}

#[tokio::test]
async fn a_command_on_one_milestone_leaves_the_others_alone() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(in_parts(&["m1", "m2", "m3"])).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.refuses(422, "milestone_required");
        deal.does(&holdfast.seller, "deliver", json!({ "milestone": "m1" })).await.is(200);
        deal.does(&holdfast.seller, "refund", json!({ "milestone": "m2", "amount": "13.33" })).await.is(200);
        deal.does(&holdfast.buyer, "dispute", json!({ "milestone": "m1", "reason": "No." })).await.is(200);
        deal.does(&holdfast.buyer, "dispute", json!({ "milestone": "m3", "reason": "No." })).await.is(200);
        holdfast.settle().await;
        let stands = deal.stands().await;
        stands.shows(json!({
            "status": "held", "held": "20.00", "disputed": "66.67", "refunded": "13.33", "disputes": [{ "milestone": "m1" }, { "milestone": "m3" }],
            "milestones": [{ "status": "disputed" }, { "status": "held", "held": "20.00", "refunded": "13.33" }, { "status": "disputed" }],
        }));
        given_back_once(&deal, 1_333).await;
        // Two are open: a command about a dispute names its milestone.
        deal.does(&holdfast.buyer, "dispute/withdraw", json!({})).await.refuses(422, "milestone_required");
        deal.does(&holdfast.buyer, "dispute/withdraw", json!({ "milestone": "m3" })).await.is(200);
        deal.does(&holdfast.buyer, "dispute/withdraw", json!({})).await.is(200);
    })
    .await;
}

#[tokio::test]
async fn parts_of_a_milestone_make_its_amount_and_its_fee_exactly() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({ "amount": "10.01" })).await;
        for part in ["3.33", "0.01", "3.34"] {
            let told =
                holdfast.buyer.post(&deal.path("release?dry_run=true")).json(&json!({ "amount": part })).send().await;
            let told = told.is(200);
            let done = deal.does(&holdfast.buyer, "release", json!({ "amount": part })).await.is(200);
            // What was rehearsed is what the wallet gets.
            let credited = told.list("/wallets")[0].text("/amount").to_owned();
            let line = holdfast.seller.get("/v1/wallets/usr_seller/transactions?limit=1").send().await.is(200);
            assert_eq!(line.list("/data")[0].text("/amount"), credited);
            done.shows(json!({ "status": "held" }));
        }
        deal.does(&holdfast.buyer, "release", json!({ "amount": "3.34" })).await.refuses(422, "amount_too_large");
        deal.does(&holdfast.seller, "refund", json!({ "amount": "3.33" })).await.is(200);
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "split", "released": "6.68", "refunded": "3.33", "held": "0.00" }));
        given_back_once(&deal, 333).await;
        let fees: i64 = deal
            .journal()
            .await
            .iter()
            .flat_map(|entry| entry.list("/postings").to_vec())
            .filter_map(|posting| {
                (posting["account"] == "fees").then(|| posting.text("/amount").replace('.', "").parse::<i64>().unwrap())
            })
            .sum();
        // Of a fee of 1.00 on 10.01, what belongs to 6.68.
        assert_eq!(fees, 66);
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "6.02" }));
    })
    .await;
}

#[tokio::test]
async fn what_a_wallet_pays_is_held_at_once_and_goes_back_there() {
    on_holdfast(async |holdfast| {
        let earned = holdfast.paid(json!({})).await;
        earned.does(&holdfast.buyer, "release", json!({})).await.is(200);
        // The seller has 135.00 and buys something.
        let order = with(
            holdfast_tests::deal::order(),
            json!({ "buyer": "usr_seller", "seller": "usr_buyer", "gateway": null, "funding": "wallet", "amount": "100.00" }),
        );
        let post = |path: &str| holdfast.seller.post(path);
        let dear = with(order.clone(), json!({ "amount": "135.01" }));
        let refused = post("/v1/checkouts").once().json(&dear).send().await.refuses(409, "insufficient_funds");
        refused.shows(json!({ "available": "135.00", "currency": "SAR" }));
        post("/v1/checkouts?dry_run=true").json(&dear).send().await.refuses(409, "insufficient_funds");
        let told = post("/v1/checkouts?dry_run=true").json(&order).send().await.is(200);
        told.shows(json!({
            "status": "held", "wallets": [{ "owner": "usr_seller", "type": "funding", "amount": "100.00", "currency": "SAR" }],
        }));
        let made = post("/v1/checkouts").key("buys").json(&order).send().await.is(201);
        made.shows(json!({ "checkout": null, "escrow": { "status": "held", "held": "100.00", "payments": [{ "gateway": null, "status": "paid" }] } }));
        let again = post("/v1/checkouts").key("buys").json(&order).send().await;
        assert!(again.is_replay());
        again.is(201);
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "35.00" }));

        // Given back by its seller: in the same commit, without a gateway.
        let path = format!("/v1/escrows/{}/refund", made.text("/escrow/id"));
        holdfast.buyer.post(&path).once().json(&json!({ "amount": "60.00" })).send().await.is(200).shows(json!({
            "status": "held", "held": "40.00", "refunding": "0.00", "refunded": "60.00",
        }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "95.00", "total_earned": "135.00" }));
        // Nobody but the buyer, or the platform for them, spends the buyer's money.
        let other = with(order.clone(), json!({ "buyer": "usr_seller" }));
        holdfast.stranger.post("/v1/checkouts").once().json(&other).send().await.refuses(403, "forbidden");
    })
    .await;
}

#[tokio::test]
async fn the_next_milestone_is_paid_from_the_wallet() {
    on_holdfast(async |holdfast| {
        let earned = holdfast.paid(json!({})).await;
        earned.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let order = with(
            with(holdfast_tests::deal::order(), in_parts(&["m1"])),
            json!({ "buyer": "usr_seller", "seller": "usr_buyer" }),
        );
        let opened = holdfast.seller.post("/v1/checkouts").once().json(&order).send().await.is(201);
        let path = format!("/v1/escrows/{}/checkouts", opened.text("/escrow/id"));
        let pay = |milestone: &str| json!({ "funding": "wallet", "milestones": [milestone] });
        let told = holdfast.seller.post(&format!("{path}?dry_run=true")).json(&pay("m2")).send().await.is(200);
        told.shows(json!({ "wallets": [{ "type": "funding", "amount": "33.33" }], "events": [{ "type": "add_payment" }, { "type": "fund" }] }));
        let paid = holdfast.seller.post(&path).key("m2").json(&pay("m2")).send().await.is(201);
        paid.shows(json!({ "checkout": null, "escrow": { "status": "pending", "held": "33.33" } }));
        let again = holdfast.seller.post(&path).key("m2").json(&pay("m2")).send().await;
        assert!(again.is_replay());
        holdfast.seller.post(&path).once().json(&pay("m2")).send().await.refuses(409, "transition_refused");
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "101.67" }));
    })
    .await;
}

#[tokio::test]
async fn a_form_on_the_marketplaces_page_needs_a_secret_that_only_its_buyer_gets() {
    on_holdfast(async |holdfast| {
        let order = with(holdfast_tests::deal::order(), json!({ "mode": "elements", "success_url": null }));
        let open = || holdfast.buyer.post("/v1/checkouts").key("form").json(&order).send();
        let opened = open().await.is(201);
        let secret = opened.text("/checkout/client_secret").to_owned();
        opened.shows(json!({ "checkout": { "url": null, "amount": "150.00" }, "escrow": { "payments": [{ "mode": "elements" }] } }));
        assert!(opened.text("/escrow/payments/0/reference").starts_with("pi_"));
        let again = open().await;
        assert!(again.is_replay());
        assert_eq!(again.is(201).text("/checkout/client_secret"), secret);
        // Nowhere else: not in the escrow, not in its payments, not in its journal.
        let id = opened.text("/escrow/id").to_owned();
        let payment = opened.text("/checkout/payment_id").to_owned();
        for path in [format!("/v1/escrows/{id}"), format!("/v1/payments/{payment}"), format!("/v1/escrows/{id}/events")] {
            for who in [&holdfast.seller, &holdfast.operator, &holdfast.buyer] {
                let shown = who.get(&path).send().await.is(200).to_string();
                assert!(!shown.contains("secret"), "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_long_journal_is_read_page_by_page_and_knows_its_oldest_operations() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        let more =
            || holdfast.buyer.post(&deal.path("checkouts")).key("second").json(&json!({ "gateway": "stripe" })).send();
        let second = more().await.is(201);
        deal.pay(json!({ "outcome": "paid" })).await;
        for _ in 0..30 {
            deal.does(&holdfast.operator, "freeze", json!({ "reason": "The bank asks." })).await.is(200);
            deal.does(&holdfast.operator, "unfreeze", json!({ "reason": "It is content." })).await.is(200);
        }
        let mut path = deal.path("events?limit=13");
        let (mut ids, mut types) = (Vec::new(), Vec::new());
        loop {
            let page = holdfast.seller.get(&path).send().await.is(200);
            for entry in page.list("/data") {
                ids.push(entry.text("/id").to_owned());
                types.push(entry.text("/type").to_owned());
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("{}&cursor={cursor}", deal.path("events?limit=13"));
        }
        assert!(ids.len() >= 63, "{}", ids.len());
        assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, none twice, none left out");
        assert_eq!(types.last().map(String::as_str), Some("create"));
        assert_eq!(types.iter().filter(|one| *one == "freeze").count(), 30);
        // What was done first is still known, and answered as it was.
        let again = more().await;
        assert!(again.is_replay());
        again.is(201).shows(json!({ "escrow": { "id": deal.id } }));
        assert_eq!(second.text("/escrow/id"), deal.id);
        holdfast.api.get("/_local/verify").send().await.is(200).shows(json!({ "ok": true }));
    })
    .await;
}
