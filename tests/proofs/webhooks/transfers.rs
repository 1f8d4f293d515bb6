//! A transfer whose answer was lost, and which comes back in two parts: told in any order, some of it twice.

use super::{deliver, of_kinds, orders, with_doubles};
use crate::hand::{Hand, Heard};
use holdfast::faults::Verdict;
use holdfast::sandbox::Told;
use holdfast_tests::json::Look;
use serde_json::json;

async fn onboarded(hand: &Hand) {
    let body = json!({
        "gateway": "stripe", "return_url": "https://shop.example/me", "refresh_url": "https://shop.example/again",
    });
    let who = &hand.people.buyer;
    let linked = hand.ask(who, "/v1/sellers/usr_buyer/onboarding", &hand.key(), &body).await.unwrap().is(201);
    hand.people.api.post(linked.text("/url")).json(&json!({ "outcome": "complete" })).send().await.is(200);
    hand.drain(false).await;
    let balance = json!({ "currency": "sar", "amount": 10_000_000 });
    hand.people.api.post("/_local/sandbox/stripe/balance").json(&balance).send().await.is(200);
}

/// A payout that was sent by a function that has died before it wrote the answer down, and what the gateway has told since.
async fn sent_and_sent_back(hand: &Hand) -> (String, Vec<Told>) {
    let wish = json!({ "currency": "SAR", "amount": "30.00", "gateway": "stripe" });
    let path = "/v1/wallets/usr_buyer/payouts";
    let asked = hand.ask(&hand.people.buyer, path, &hand.key(), &wish).await.unwrap().is(201);
    let id = asked.text("/id").to_owned();
    let messages = hand.system.take_messages().await.unwrap();
    // The answer to the transfer is the last thing that it hears.
    let died = dies_after_the_transfer(hand, &messages[0]).await;
    assert!(died, "the transfer was never sent");
    let state = hand.people.sandbox().await;
    let ours = |transfer: &&serde_json::Value| transfer["metadata"]["payout_id"] == id.as_str();
    let transfer = state.list("/transfers").iter().find(ours);
    let transfer = transfer.unwrap_or_else(|| panic!("no transfer: {state:#}")).text("/id").to_owned();
    let mut events = of_kinds(&hand.take_events().await, &["transfer.created"]);
    for amount in [1_000, 500] {
        let back = format!("/_local/sandbox/stripe/transfers/{transfer}/reversals");
        hand.people.api.post(&back).json(&json!({ "amount": amount })).send().await.is(200);
        events.extend(of_kinds(&hand.take_events().await, &["transfer.reversed"]));
    }
    (id, events)
}

async fn dies_after_the_transfer(hand: &Hand, message: &str) -> bool {
    // Load, wallet, claim, send: the call of that number is the transfer, and its answer is never read.
    hand.wire.hear(Heard::listen(Some((3, Verdict::KillAfter))));
    let died = hand.system.settle(&message.to_owned()).await.is_none();
    let heard = hand.wire.hear(Heard::default());
    let calls: Vec<&str> = heard.made.iter().map(|call| call.operation.as_str()).collect();
    assert!(calls.last().is_some_and(|call| *call == "POST /v1/transfers"), "it died elsewhere: {calls:?}");
    died && heard.made.last().is_some_and(|call| call.operation.contains("/v1/transfers"))
}

#[tokio::test]
async fn a_transfer_that_comes_back_in_parts_is_credited_once_in_every_order() {
    let hand = Hand::start().await;
    onboarded(&hand).await;
    hand.fill_wallet("SAR", "1000.00").await;
    let mut payouts = Vec::new();
    let orders = orders(3);
    for number in 0..orders.len() * 2 {
        let order = &orders[number / 2];
        let order = if number % 2 == 0 { order.clone() } else { with_doubles(number, order) };
        let (id, events) = sent_and_sent_back(&hand).await;
        deliver(&hand, order.iter().map(|event| &events[*event])).await;
        payouts.push((id, order));
    }
    hand.recover().await;
    for (id, order) in &payouts {
        let payout = hand.people.operator.get(&format!("/v1/payouts/{id}")).send().await.is(200);
        assert_eq!(
            (&payout["status"], &payout["returned"]),
            (&json!("paid"), &json!("15.00")),
            "order {order:?}: {payout:#}"
        );
    }
    // Twelve times thirty left, and half of it is back.
    let balance = hand.people.balance("usr_buyer", "SAR").await;
    balance.shows(json!({ "available": "820.00", "pending": "0.00", "debt": "0.00" }));
    hand.people.verify().await;
    let sandbox = hand.people.sandbox().await;
    assert!(sandbox["transfer_effects"].as_object().unwrap().values().all(|times| times == 1));
}
