//! What payouts, top-ups and sellers' accounts cost.

use super::{Cost, Table, asks, at_most, heard, measured, next, of_kind, pays, released, told};
use crate::hand::Hand;
use holdfast::Given;
use holdfast_tests::api::Caller;
use holdfast_tests::json::{Look, with};
use serde_json::{Value, json};

const PAYOUTS: &str = "/v1/wallets/usr_seller/payouts";

pub(super) async fn measure(table: &mut Table) {
    table.begin("Wallets and payouts");
    let limit = ("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:100.00".to_owned());
    let hand = Hand::start_with(Given::from([limit])).await;
    for _ in 0..4 {
        released(&hand, json!({})).await;
    }
    accounts(&hand, table).await;
    at_the_gateway(&hand, table).await;
    by_hand(&hand, table).await;
    with_approval(&hand, table).await;
    many_at_once(&hand, table).await;
    top_ups(&hand, table).await;
    hand.people.verify().await;
}

async fn accounts(hand: &Hand, table: &mut Table) {
    let seller = &hand.people.seller;
    let path = "/v1/sellers/usr_seller/onboarding";
    let page = "https://market.example/me";
    let wish = json!({ "gateway": "stripe", "return_url": page, "refresh_url": page });
    let (cost, answer) = asks(hand, seller, path, &hand.key(), wish.clone()).await;
    answer.is(201);
    table.put("onboarding: account opened, page made", cost, at_most(5, 6, 7));
    let (cost, answer) = asks(hand, seller, path, &hand.key(), wish).await;
    let link = answer.is(201).text("/url").to_owned();
    table.put("onboarding: another page", cost, at_most(2, 0, 3));
    let since = next(hand);
    hand.people.api.post(&link).json(&json!({ "outcome": "complete" })).send().await.is(200);
    let events = told(hand, since);
    let cost = heard(hand, of_kind(&events, "account.updated")).await;
    table.put("webhook: account ready", cost, at_most(3, 3, 3));
    let cost = heard(hand, of_kind(&events, "account.updated")).await;
    table.put("webhook: account ready, again", cost, at_most(2, 0, 2));
    let policy = json!({ "currency": "USD", "automatic": true, "gateway": "stripe", "minimum": "50.00" });
    let (cost, answer) = asks(hand, seller, "/v1/sellers/usr_seller/payout-policy", &hand.key(), policy).await;
    answer.is(200);
    table.put("wish to be paid out by itself", cost, at_most(4, 2, 4));
}

/// Asks for a payout; what that cost, and its id.
async fn asked(hand: &Hand, key: &str, amount: &str, gateway: &str) -> (Cost, String) {
    let wish = json!({ "currency": "SAR", "amount": amount, "gateway": gateway });
    let (cost, answer) = asks(hand, &hand.people.seller, PAYOUTS, key, wish).await;
    (cost, answer.is(201).text("/id").to_owned())
}

/// An operator's command on a payout.
async fn decided(hand: &Hand, who: &Caller, payout: &str, command: &str, key: &str, body: Value) -> Cost {
    let path = format!("/v1/payouts/{payout}/{command}");
    let (cost, answer) = asks(hand, who, &path, key, body).await;
    answer.is(200);
    cost
}

async fn at_the_gateway(hand: &Hand, table: &mut Table) {
    let (cost, _) = asked(hand, "first", "50.00", "stripe").await;
    table.put("payout asked for", cost, at_most(3, 8, 4));
    let messages = hand.system.take_messages().await.unwrap();
    let (cost, done) = measured(hand, hand.system.settle(&messages[0])).await;
    assert_eq!(done, Some(true));
    table.put("settle: payout sent and confirmed", cost, at_most(4, 8, 5));
    let whole = table.sum(&["payout asked for", "settle: payout sent and confirmed"]);
    table.put("**a payout**", whole, at_most(7, 16, 9));
    let (cost, _) = asked(hand, "first", "50.00", "stripe").await;
    table.put("payout asked for, again", cost, at_most(3, 0, 3));
    let (cost, done) = measured(hand, hand.system.settle(&messages[0])).await;
    assert_eq!(done, Some(true));
    table.put("settle: nothing left to do", cost, at_most(1, 0, 1));
    let dear = json!({ "currency": "SAR", "amount": "5000.00", "gateway": "stripe" });
    let (cost, answer) = asks(hand, &hand.people.seller, PAYOUTS, &hand.key(), dear).await;
    answer.refuses(409, "insufficient_funds");
    table.put("payout asked for, refused", cost, at_most(3, 0, 3));

    let since = next(hand);
    let sandbox = hand.people.sandbox().await;
    let path = format!("/_local/sandbox/stripe/transfers/{}/reversals", sandbox.text("/transfers/0/id"));
    hand.people.api.post(&path).json(&json!({})).send().await.is(200);
    let events = told(hand, since);
    let cost = heard(hand, of_kind(&events, "transfer.reversed")).await;
    table.put("webhook: a transfer came back → wallet", cost, at_most(3, 8, 3));
    let cost = heard(hand, of_kind(&events, "transfer.reversed")).await;
    table.put("webhook: a transfer came back, again", cost, at_most(1, 0, 1));
}

async fn by_hand(hand: &Hand, table: &mut Table) {
    let operator = &hand.people.operator;
    let (cost, payout) = asked(hand, &hand.key(), "50.00", "manual").await;
    table.put("payout by hand asked for", cost, at_most(2, 9, 2));
    let proof = || json!({ "reference": "SWIFT 7731" });
    let cost = decided(hand, operator, &payout, "mark-paid", "proof", proof()).await;
    table.put("payout by hand marked paid", cost, at_most(3, 6, 3));
    let cost = decided(hand, operator, &payout, "mark-paid", "proof", proof()).await;
    table.put("payout by hand marked paid, again", cost, at_most(1, 0, 1));
    let why = json!({ "reason": "No such account." });
    let cost = decided(hand, operator, &payout, "mark-failed", &hand.key(), why).await;
    table.put("payout by hand came back → wallet", cost, at_most(3, 8, 3));
}

async fn with_approval(hand: &Hand, table: &mut Table) {
    let operator = &hand.people.operator;
    let (cost, payout) = asked(hand, &hand.key(), "101.00", "manual").await;
    table.put("payout above the limit asked for", cost, at_most(2, 9, 2));
    let cost = decided(hand, operator, &payout, "approve", &hand.key(), json!({})).await;
    table.put("payout approved", cost, at_most(2, 5, 2));
    let (_, payout) = asked(hand, &hand.key(), "101.00", "manual").await;
    let why = json!({ "reason": "The account is new." });
    let cost = decided(hand, operator, &payout, "reject", &hand.key(), why).await;
    table.put("payout rejected → wallet", cost, at_most(3, 8, 3));
}

async fn many_at_once(hand: &Hand, table: &mut Table) {
    let wish = json!({ "owner": "usr_seller", "currency": "SAR", "amount": "1.00", "gateway": "manual" });
    let batch = json!({ "payouts": vec![wish.clone(); 49].into_iter().chain([with(wish, json!({ "amount": "9000" }))]).collect::<Vec<_>>() });
    let (cost, answer) = asks(hand, &hand.people.operator, "/v1/payouts", "batch", batch.clone()).await;
    assert_eq!(answer.is(200)["data"][49]["problem"]["code"], "insufficient_funds");
    table.put("fifty payouts at once, one refused", cost, at_most(2 * 50, 9 * 50, 2 * 50));
    let (cost, answer) = asks(hand, &hand.people.operator, "/v1/payouts", "batch", batch).await;
    answer.is(200);
    table.put("fifty payouts at once, again", cost, at_most(2 * 50, 0, 2 * 50));
}

async fn top_ups(hand: &Hand, table: &mut Table) {
    let path = "/v1/wallets/usr_seller/top-ups";
    let wish = json!({ "currency": "SAR", "amount": "20.00", "gateway": "stripe" });
    let (cost, answer) = asks(hand, &hand.people.seller, path, "top-up", wish.clone()).await;
    let opened = answer.is(201);
    table.put("top-up: page opened", cost, at_most(2, 9, 3));
    let (cost, answer) = asks(hand, &hand.people.seller, path, "top-up", wish).await;
    answer.is(201);
    table.put("top-up: page opened, again", cost, at_most(1, 0, 1));
    let events = pays(hand, opened.text("/checkout/url")).await;
    let cost = heard(hand, of_kind(&events, "payment_intent.succeeded")).await;
    table.put("webhook: top-up paid → wallet credited", cost, at_most(3, 10, 3));
    let cost = heard(hand, of_kind(&events, "checkout.session.completed")).await;
    table.put("webhook: another event of the same top-up", cost, at_most(1, 0, 1));
}
