//! Disputes: withdrawn, ruled, or fallen to their default.

use super::{given_back_once, nothing_given_back};
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::json;

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
