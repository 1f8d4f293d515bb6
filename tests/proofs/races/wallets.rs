//! Races over one wallet, and over one dispute.

use super::{Racer, was_told};
use crate::hand::{Deed, Hand, Step, Who};
use holdfast_tests::api::Answer;
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Everybody at once, each until they are told for good.
async fn insisting(hand: &Arc<Hand>, racers: Vec<Racer>) -> Vec<(String, Answer)> {
    let mut racing = JoinSet::new();
    for racer in racers {
        let (hand, path) = (Arc::clone(hand), racer.path.clone());
        racing.spawn(async move { (path, racer.insist(hand).await) });
    }
    racing.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payouts_and_deals_that_want_one_wallet_at_once_get_what_fits_and_never_more() {
    let hand = Arc::new(Hand::start().await);
    let mut available = 0;
    for round in 0..6 {
        hand.fill_wallet("SAR", "1000.00").await;
        available += 1_000;
        let racers = (0..16).map(|number| {
            let (path, body) = if (number + round) % 2 == 0 {
                let deal = json!({ "gateway": null, "funding": "wallet", "amount": "150.00" });
                ("/v1/checkouts", with(order(), deal))
            } else {
                let wish = json!({ "currency": "SAR", "amount": "150.00", "gateway": "manual" });
                ("/v1/wallets/usr_buyer/payouts", wish)
            };
            Racer { who: hand.people.buyer.clone(), path: path.to_owned(), key: hand.key(), body }
        });
        let answers = insisting(&hand, racers.collect()).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, answer)| answer.status == 201);
        assert_eq!(won.len(), available / 150, "round {round}: {answers:#?}");
        for (_, answer) in lost {
            assert_eq!((answer.status, &answer.body["code"]), (409, &json!("insufficient_funds")), "{:#}", answer.body);
        }
        let balance = hand.people.balance("usr_buyer", "SAR").await;
        available %= 150;
        balance.shows(json!({ "available": format!("{available}.00") }));
    }
    hand.people.verify().await;
}

/// A dispute with an offer of the seller's, and the time for evidence over.
async fn with_an_offer(hand: &Hand) -> (String, String) {
    let mut life = hand.life();
    life.live(&[
        Step::Checkout,
        Step::Pay,
        Step::Deliver,
        Step::Dispute,
        Step::Later("P2D"),
        Step::Does(Deed::Commands(Who::Seller, "dispute/propose", r#"{"to_buyer": "50.00"}"#)),
    ])
    .await;
    let seen = hand.people.operator.get(&format!("/v1/escrows/{}", life.id)).send().await.is(200);
    let offer = seen.text("/dispute/proposal/id").to_owned();
    (life.id, offer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_would_end_one_dispute_at_once_exactly_one_does() {
    let hand = Arc::new(Hand::start().await);
    let mut winning = BTreeMap::<String, usize>::new();
    for round in 0..24 {
        let (escrow, offer) = with_an_offer(&hand).await;
        let people = &hand.people;
        let mut ways = [
            (&people.buyer, "accept", json!({ "proposal": offer })),
            (&people.arbiter, "rule", json!({ "to_buyer": "120.00", "reason": "Most of it is missing." })),
            (&people.buyer, "withdraw", json!({})),
            (&people.buyer, "accept", json!({ "proposal": offer })),
        ];
        ways.rotate_left(round % 4);
        let racers = ways.map(|(who, command, body): (_, _, Value)| Racer {
            who: who.clone(),
            path: format!("/v1/escrows/{escrow}/dispute/{command}"),
            key: hand.key(),
            body,
        });
        let answers = insisting(&hand, racers.into()).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, answer)| answer.status == 200);
        lost.iter().for_each(|(_, answer)| was_told(answer));
        let [(path, _)] = won.as_slice() else { panic!("round {round}: {answers:#?}") };
        let journal = people.operator.get(&format!("/v1/escrows/{escrow}/events?limit=100")).send().await.is(200);
        let ends = journal.list("/data").iter().map(|entry| entry.text("/type"));
        let ends: Vec<&str> = ends.filter(|entry| matches!(*entry, "accept" | "rule" | "withdraw_dispute")).collect();
        let won = path.rsplit('/').next().unwrap_or_default();
        assert!(ends.len() == 1 && ends[0].starts_with(won), "round {round}: {won} was told, {ends:?} was decided");
        *winning.entry(won.to_owned()).or_default() += 1;
        hand.drain(false).await;
    }
    hand.recover().await;
    hand.people.verify().await;
    assert!(winning.len() >= 2, "a race that the same one always wins is none: {winning:?}");
}
