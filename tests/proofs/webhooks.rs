//! The gateway's word in every order: what happened is booked once and ends the same, whichever event comes first, comes twice, or
//! never comes.

mod chargebacks;
mod transfers;

use crate::hand::{Hand, Heard, Life, Step};
use holdfast::faults::Verdict;
use holdfast::sandbox::Told;
use holdfast_tests::json::Look;
use serde_json::{Value, json};

/// Every order of so many things.
fn orders(things: usize) -> Vec<Vec<usize>> {
    let Some(last) = things.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last);
    let inserted = shorter.iter().flat_map(|order| {
        (0..things).map(|place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    });
    inserted.collect()
}

#[test]
fn there_are_as_many_orders_as_there_are() {
    let mut six = orders(6);
    six.sort();
    six.dedup();
    assert_eq!(six.len(), 720);
}

/// An order in which some come a second time, at the end or at once: which, differs from order to order, the same on every run.
fn with_doubles(number: usize, order: &[usize]) -> Vec<usize> {
    let subset = number.wrapping_mul(2_654_435_761) >> 7;
    let doubled = |thing: &usize| subset >> thing & 1 == 1;
    let again: Vec<usize> = order.iter().copied().filter(doubled).collect();
    if number.is_multiple_of(2) {
        return order.iter().copied().chain(again).collect();
    }
    order.iter().flat_map(|thing| std::iter::repeat_n(*thing, if doubled(thing) { 2 } else { 1 })).collect()
}

/// The events of these kinds, in the order of the kinds.
fn of_kinds(events: &[Told], kinds: &[&str]) -> Vec<Told> {
    let find = |kind: &&str| events.iter().find(|event| event.kind == *kind);
    kinds.iter().map(|kind| find(kind).unwrap_or_else(|| panic!("no {kind} was told")).clone()).collect()
}

async fn deliver<'a>(hand: &Hand, events: impl IntoIterator<Item = &'a Told>) {
    for event in events {
        let answer = hand.tell(&event.body).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {:#}", event.kind, answer.body);
        assert_ne!(answer.body["outcome"], "parked", "{}", event.kind);
    }
}

/// Whoever hears it all again writes nothing, and asks the table once at most.
async fn again_costs_a_read(hand: &Hand, events: &[Told]) {
    for event in events {
        let before = hand.system.counters();
        deliver(hand, [event]).await;
        let spent = hand.system.counters().since(before);
        assert!(spent.requests <= 1 && spent.write_units == 0, "{} again: {spent:?}", event.kind);
    }
}

/// The picture without the entries that move no money: a page's end is an entry only where it is news.
async fn money(life: &Life<'_>, around: &crate::hand::Surroundings) -> Value {
    let mut picture = life.picture(around).await;
    let moves = |entry: &Value| entry["postings"].as_array().is_some_and(|postings| !postings.is_empty());
    picture["journal"] = picture.list("/journal").iter().filter(|entry| moves(entry)).cloned().collect();
    picture
}

const PAID: &[&str] =
    &["payment_intent.succeeded", "charge.succeeded", "checkout.session.completed", "checkout.session.expired"];

/// A page that expired at the gateway and was paid all the same, before our own clock has noticed: four events about one payment.
async fn paid_at_the_last_moment(hand: &Hand, lives: usize) -> Vec<(Life<'_>, Vec<Told>)> {
    let mut begun = Vec::new();
    for _ in 0..lives {
        let mut life = hand.life();
        life.step(Step::Checkout).await;
        begun.push(life);
    }
    hand.pass("PT25H");
    // Those of all pages are told at once.
    let expired = hand.take_events().await;
    let mut told = Vec::new();
    for life in begun {
        life.play(0, json!({ "outcome": "paid", "late": true })).await;
        let mut events = hand.take_events().await;
        events.extend(expired.iter().filter(|event| event.body.contains(&life.id)).cloned());
        let events = of_kinds(&events, PAID);
        told.push((life, events));
    }
    told
}

#[tokio::test]
async fn a_payment_is_booked_once_in_every_order_of_its_events() {
    let hand = Hand::start().await;
    let orders = orders(PAID.len());
    let lives = paid_at_the_last_moment(&hand, orders.len() * 2).await;
    for (number, (_, events)) in lives.iter().enumerate() {
        let order = &orders[number / 2];
        let order = if number % 2 == 0 { order.clone() } else { with_doubles(number / 2, order) };
        deliver(&hand, order.iter().map(|event| &events[*event])).await;
    }
    hand.drain(false).await;
    let around = hand.surroundings().await;
    let expected = money(&lives[0].0, &around).await;
    expected.shows(json!({ "escrow": { "status": "held", "held": "150.00" }, "journal": [{ "type": "fund" }] }));
    for (number, (life, events)) in lives.iter().enumerate() {
        assert_eq!(money(life, &around).await, expected, "order {:?}", orders[number / 2]);
        again_costs_a_read(&hand, events).await;
    }
    hand.people.verify().await;
}

#[tokio::test]
async fn a_payment_is_booked_whichever_of_its_events_are_missing() {
    let hand = Hand::start().await;
    let lives = paid_at_the_last_moment(&hand, 1 << PAID.len()).await;
    for (subset, (_, events)) in lives.iter().enumerate() {
        let arrives = events.iter().enumerate().filter(|(event, _)| subset >> event & 1 == 1);
        deliver(&hand, arrives.map(|(_, event)| event)).await;
    }
    // Our own clock notices that the page's time is over, and asks the gateway how it ended.
    hand.recover().await;
    let around = hand.surroundings().await;
    let heard_of_money = |subset: usize| subset & 0b0101 != 0;
    for (subset, (life, _)) in lives.iter().enumerate() {
        let expected = if heard_of_money(subset) {
            json!({ "escrow": { "status": "held" }, "journal": [{ "type": "fund" }], "refunds": [] })
        } else if subset & 0b1000 != 0 {
            // The gateway has said that the page is closed, and said nothing else: it is believed, and the payment told to nobody.
            json!({ "escrow": { "status": "expired" }, "journal": [], "refunds": [] })
        } else {
            json!({ "escrow": { "status": "expired" }, "refunds": [{ "amount": 15_000 }] })
        };
        money(life, &around).await.shows(expected);
    }
    hand.people.verify().await;
}

const REFUNDED: &[&str] = &[
    "payment_intent.succeeded",
    "charge.succeeded",
    "checkout.session.completed",
    "charge.refunded",
    "refund.created",
    "refund.updated",
];

/// A payment that was heard of once and is given back: the gateway has done it, and the function that asked it to has died before it
/// wrote the answer down, or after. Six events are still to come.
async fn given_back(hand: &Hand, answer_is_stored: bool) -> (Life<'_>, Vec<Told>) {
    let mut life = hand.life();
    life.step(Step::Checkout).await;
    life.play(0, json!({ "outcome": "paid" })).await;
    let mut events = hand.take_events().await;
    deliver(hand, &of_kinds(&events, &REFUNDED[..1])).await;
    life.step(Step::Refund).await;
    let messages = hand.system.take_messages().await.unwrap();
    // Load, claim, send; and then the answer is written down.
    let dies = (3, Verdict::KillBefore);
    hand.wire.hear(Heard::listen((!answer_is_stored).then_some(dies)));
    let settled = hand.system.settle(&messages[0]).await;
    let heard = hand.wire.hear(Heard::default());
    assert_eq!((settled.is_none(), heard.has_struck), (!answer_is_stored, !answer_is_stored));
    events.extend(hand.take_events().await);
    (life, of_kinds(&events, REFUNDED))
}

fn is_given_back(picture: &Value) {
    picture.shows(json!({
        "escrow": { "status": "refunded", "refunded": "150.00" },
        "journal": [{ "type": "fund" }, { "type": "refund" }, { "type": "confirm_refund" }],
        "refunds": [{ "status": "succeeded", "amount": 15_000 }],
    }));
}

/// Every order, a part of all for each half of the proof: two tests share the work of two processors.
async fn check_orders_of_a_refund(half: usize) {
    let hand = Hand::start().await;
    let mut lives = Vec::new();
    for (number, order) in orders(REFUNDED.len()).into_iter().enumerate().filter(|(number, _)| number % 2 == half) {
        let (life, events) = given_back(&hand, number % 5 == 0).await;
        let order = if number % 3 == 0 { with_doubles(number, &order) } else { order };
        deliver(&hand, order.iter().map(|event| &events[*event])).await;
        if number % 40 == half {
            again_costs_a_read(&hand, &events).await;
        }
        lives.push((life, order));
    }
    let around = hand.surroundings().await;
    let expected = money(&lives[0].0, &around).await;
    is_given_back(&expected);
    for (life, order) in &lives {
        assert_eq!(money(life, &around).await, expected, "order {order:?}");
    }
    // Nothing is left to do, and nothing changes when there was.
    hand.recover().await;
    let around = hand.surroundings().await;
    for (life, order) in lives.iter().step_by(40) {
        assert_eq!(money(life, &around).await, expected, "order {order:?}, an hour later");
    }
    hand.people.verify().await;
}

#[tokio::test]
async fn a_refund_is_booked_once_in_every_other_order_of_the_events() {
    check_orders_of_a_refund(0).await;
}

#[tokio::test]
async fn a_refund_is_booked_once_in_the_orders_that_are_left() {
    check_orders_of_a_refund(1).await;
}

#[tokio::test]
async fn a_refund_is_booked_whichever_of_its_events_are_missing() {
    let hand = Hand::start().await;
    let mut lives = Vec::new();
    for subset in 0..1_usize << REFUNDED.len() {
        let (life, events) = given_back(&hand, false).await;
        let arrives = events.iter().enumerate().filter(|(event, _)| subset >> event & 1 == 1);
        deliver(&hand, arrives.map(|(_, event)| event)).await;
        lives.push(life);
    }
    // What nobody told is found out by asking: the lease of the dead is over in a minute.
    hand.recover().await;
    let around = hand.surroundings().await;
    let expected = money(&lives[0], &around).await;
    is_given_back(&expected);
    for (subset, life) in lives.iter().enumerate() {
        assert_eq!(money(life, &around).await, expected, "only {subset:b} arrived");
    }
    hand.people.verify().await;
}
