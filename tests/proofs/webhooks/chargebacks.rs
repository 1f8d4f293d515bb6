//! A part of a payment goes back, and the rest of it is charged back: the events of both, in any order, some twice, some never.

use super::{deliver, of_kinds, orders, with_doubles};
use crate::hand::{Deed, Hand, Heard, Life, Step, Surroundings, Who};
use holdfast::faults::Verdict;
use holdfast::sandbox::Told;
use holdfast_tests::json::Look;
use serde_json::{Value, json};

/// How it ends at the bank, and what is told of it.
#[derive(Clone, Copy)]
struct End {
    status: &'static str,
    kinds: &'static [&'static str],
}

const LOST: End = End {
    status: "lost",
    kinds: &[
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.created",
        "charge.dispute.closed",
    ],
};
const WON: End = End {
    status: "won",
    kinds: &[
        "charge.refunded",
        "refund.updated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.created",
        "charge.dispute.closed",
    ],
};
/// So many of them the gateway's own lists tell as well; how the bank has decided is told by its event only.
const FOUND_OUT: usize = 4;

/// A payment of which a third was released, a third is given back by a function that has died before it wrote the answer down, and
/// what the gateway still has is charged back.
async fn charged_back(hand: &Hand, end: End) -> (Life<'_>, Vec<Told>) {
    let mut life = hand.life();
    life.live(&[
        Step::Checkout,
        Step::Pay,
        Step::Does(Deed::Commands(Who::Buyer, "release", r#"{"amount": "40.00"}"#)),
    ])
    .await;
    life.step(Step::Does(Deed::Commands(Who::Seller, "refund", r#"{"amount": "50.00"}"#))).await;
    let messages = hand.system.take_messages().await.unwrap();
    // Load, claim, send; and then the answer is written down.
    hand.wire.hear(Heard::listen(Some((3, Verdict::KillBefore))));
    assert!(hand.system.settle(&messages[0]).await.is_none(), "it was to die");
    hand.wire.hear(Heard::default());
    life.step(Step::Does(Deed::ChargedBack)).await;
    life.step(Step::Does(Deed::Ends(end.status))).await;
    let events = of_kinds(&hand.take_events().await, end.kinds);
    (life, events)
}

/// Where the money is, without what only tells of it, and without the order in which it was told.
async fn end_of(life: &Life<'_>, around: &Surroundings) -> Value {
    let mut picture = super::money(life, around).await;
    let mut entries = picture.list("/journal").to_vec();
    entries.sort_by_key(Value::to_string);
    picture["journal"] = json!(entries);
    picture
}

async fn in_every_order(end: End) -> Value {
    let hand = Hand::start().await;
    let mut lives = Vec::new();
    // Every sixth order: each event comes first, and last, and before and after each other one.
    for (number, order) in orders(end.kinds.len()).into_iter().enumerate().filter(|(number, _)| number % 6 == 1) {
        let (life, events) = charged_back(&hand, end).await;
        let order = if number % 4 == 1 { with_doubles(number, &order) } else { order };
        deliver(&hand, order.iter().map(|event| &events[*event])).await;
        lives.push((life, order));
    }
    hand.recover().await;
    let around = hand.surroundings().await;
    let expected = end_of(&lives[0].0, &around).await;
    for (life, order) in &lives {
        assert_eq!(end_of(life, &around).await, expected, "order {order:?}");
    }
    hand.people.verify().await;
    expected
}

#[tokio::test]
async fn a_refund_and_a_chargeback_that_is_lost_take_no_money_twice_in_any_order() {
    in_every_order(LOST).await.shows(json!({
        "escrow": {
            "status": "split", "held": "0.00", "released": "40.00", "refunded": "110.00", "frozen": [],
            "chargebacks": [{ "status": "lost", "amount": "100.00", "taken": "100.00", "given_back": "0.00" }],
        },
        "refunds": [{ "status": "succeeded", "amount": 5_000 }],
    }));
}

#[tokio::test]
async fn a_refund_and_a_chargeback_that_is_won_leave_the_rest_where_it_was_in_any_order() {
    in_every_order(WON).await.shows(json!({
        "escrow": {
            "status": "held", "held": "60.00", "released": "40.00", "refunded": "50.00", "frozen": [],
            "chargebacks": [{ "status": "won", "amount": "100.00", "taken": "100.00", "given_back": "100.00" }],
        },
        "refunds": [{ "status": "succeeded", "amount": 5_000 }],
    }));
}

#[tokio::test]
async fn what_was_told_to_nobody_is_found_in_the_gateways_lists() {
    for end in [LOST, WON] {
        let hand = Hand::start().await;
        let mut lives = Vec::new();
        for subset in 0..1_usize << FOUND_OUT {
            let (life, events) = charged_back(&hand, end).await;
            let arrives = |number: usize| number >= FOUND_OUT || subset >> number & 1 == 1;
            deliver(&hand, events.iter().enumerate().filter(|(number, _)| arrives(*number)).map(|(_, event)| event))
                .await;
            lives.push(life);
        }
        // The gateway is left in peace with what it has just begun.
        hand.pass("PT1H");
        let read = hand.system.reconcile().await.unwrap().unwrap();
        assert!(read.report.ok && read.missed > 0, "{read:#?}");
        hand.recover().await;
        let around = hand.surroundings().await;
        let expected = end_of(&lives[lives.len() - 1], &around).await;
        expected.shows(json!({ "escrow": { "frozen": [], "chargebacks": [{ "status": end.status }] } }));
        for (subset, life) in lives.iter().enumerate() {
            assert_eq!(end_of(life, &around).await, expected, "only {subset:b} arrived");
        }
        hand.people.verify().await;
    }
}
