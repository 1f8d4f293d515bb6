//! The marketplaces that Holdfast is for, each with its whole story over HTTP: one proof a marketplace, by its name.

mod bounties;
mod collaborations;
mod contracts;
mod digital_market;
mod jobs_with_coins;

use holdfast_tests::api::Caller;
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// A seller opens an account at the gateway and gives it everything that it asks for.
async fn onboard(stack: &Stack, seller: &Caller) {
    let path = format!("/v1/sellers/{}/onboarding", seller.sub);
    let asked = json!({
        "gateway": "stripe", "return_url": "https://market.example/done", "refresh_url": "https://market.example/again",
    });
    let link = seller.post(&path).once().json(&asked).send().await.is(201);
    stack.api.post(link.text("/url")).json(&json!({ "outcome": "complete" })).send().await.is(200);
    stack.settle().await;
}

/// A buyer pays on the marketplace's own page, with the gateway's form in it.
async fn pay_with_form(stack: &Stack, checkout: &Value, outcome: &str) {
    let page = format!("/sandbox/stripe/pay/{}", checkout.text("/client_secret"));
    stack.api.post(&page).json(&json!({ "outcome": outcome })).send().await.is(200);
    stack.settle().await;
}

/// What the wallet's lines say, oldest first: `release 90.00 -> 90.00`.
async fn statement(who: &Caller) -> Vec<String> {
    let path = format!("/v1/wallets/{}/transactions?limit=100", who.sub);
    let page = who.get(&path).send().await.is(200);
    let line = |line: &Value| {
        let (kind, amount, after) = (line.text("/type"), line.text("/amount"), line.text("/balance_after"));
        format!("{kind} {amount} -> {after}")
    };
    page.list("/data").iter().rev().map(line).collect()
}
