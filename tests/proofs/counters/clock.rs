//! What becomes due by itself: releases, reminders, payouts by wish, credits that waited, the reconciler.

use super::{Table, asks, at_most, command, measured, opened, paid, pays, released};
use super::{heard, of_kind};
use crate::hand::{Hand, Wire};
use holdfast::Given;
use holdfast::faults::{Call, Verdict};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shards of the index of deadlines: the sweep asks each for its first page.
const SHARDS: u64 = 16;

pub(super) async fn measure(table: &mut Table) {
    table.begin("By the clock");
    sweep(table).await;
    reminder(table).await;
    by_wish(table).await;
    credits_that_wait(table).await;
    reconciliation(table).await;
}

/// The sweep over 120 escrows of three sellers.
async fn sweep(table: &mut Table) {
    const ESCROWS: u64 = 120;
    const SELLERS: u64 = 3;
    let hand = Hand::start().await;
    for number in 0..ESCROWS {
        // A product is delivered the moment it is paid, and due at once.
        let changes = json!({ "kind": "product", "seller": format!("usr_seller_{}", number % SELLERS) });
        let (_, page) = opened(&hand, changes).await;
        heard(&hand, of_kind(&pays(&hand, &page).await, "checkout.session.completed")).await;
    }
    let (cost, done) = measured(&hand, hand.system.sweep()).await;
    assert_eq!(done, Some(true));
    let budget = at_most(ESCROWS / 20 + 2 * SELLERS + SHARDS, 8 * ESCROWS + 4 * SELLERS, 100);
    table.put("sweep: 120 due escrows of 3 sellers", cost, budget);
    let (idle, _) = measured(&hand, hand.system.sweep()).await;
    table.put("sweep: nothing due", idle, at_most(SHARDS, 0, 16));
    hand.people.verify().await;
}

async fn reminder(table: &mut Table) {
    let hand = Hand::start().await;
    let id = paid(&hand, json!({})).await;
    hand.pass("P29DT1H");
    let (cost, done) = measured(&hand, hand.system.sweep()).await;
    assert_eq!(done, Some(true));
    assert_eq!(last_entry(&hand, &id).await, "remind");
    // Its page leads to another; it is read and written by itself.
    table.put("sweep: one reminder", cost, at_most(SHARDS + 3, 4, 19));
    hand.people.verify().await;
}

async fn last_entry(hand: &Hand, id: &str) -> String {
    use holdfast_tests::json::Look;
    let path = format!("/v1/escrows/{id}/events?limit=1");
    hand.people.operator.get(&path).send().await.is(200).text("/data/0/type").to_owned()
}

async fn by_wish(table: &mut Table) {
    let hand = Hand::start().await;
    let wish = json!({ "currency": "SAR", "automatic": true, "gateway": "manual", "minimum": "1.00" });
    let path = "/v1/sellers/usr_seller/payout-policy";
    asks(&hand, &hand.people.seller, path, &hand.key(), wish).await.1.is(200);
    released(&hand, json!({})).await;
    hand.pass("PT1M");
    let (cost, done) = measured(&hand, hand.system.sweep()).await;
    assert_eq!(done, Some(true));
    hand.people.balance("usr_seller", "SAR").await.as_object().expect("a wallet");
    table.put("sweep: one wallet paid out by its owner's wish", cost, at_most(SHARDS + 5, 10, 21));
    hand.people.verify().await;
}

/// A wallet that so many want that credits are put off, and what it takes to land them.
async fn credits_that_wait(table: &mut Table) {
    const CREDITS: u64 = 49;
    const LOST_RACES: usize = 4;
    let wire = Wire::default();
    let (listening, races) = (wire.clone(), Arc::new(AtomicUsize::new(0)));
    let left = Arc::clone(&races);
    let busy = move |call: &Call<'_>| {
        let passes = listening.decide(call);
        let wallet = (call.operation == "TransactWriteItems").then(|| place_of_wallet(call.body)).flatten();
        match wallet {
            Some(member) if left.load(Ordering::SeqCst) > 0 => {
                left.fetch_sub(1, Ordering::SeqCst);
                Verdict::Overtake { member }
            }
            _ => passes,
        }
    };
    let mut hand = Hand::with(Given::new(), busy).await;
    hand.wire = wire;
    released(&hand, json!({})).await;
    for number in 0..CREDITS {
        let id = paid(&hand, json!({})).await;
        races.store(LOST_RACES, Ordering::SeqCst);
        let cost = command(&hand, &hand.people.buyer, &id, "release", &hand.key(), json!({})).await;
        assert_eq!(races.load(Ordering::SeqCst), 0, "the wallet was busy");
        if number == 0 {
            table.put("release, its credit put off after four lost races", cost, at_most(7, 4, 7));
        }
    }
    let before = hand.people.balance("usr_seller", "SAR").await["available"].clone();
    assert_eq!(before, json!("135.00"));
    hand.pass("PT1M");
    let (cost, done) = measured(&hand, hand.system.sweep()).await;
    assert_eq!(done, Some(true));
    assert_eq!(hand.people.balance("usr_seller", "SAR").await["available"], json!("6750.00"));
    table.put("sweep: 49 credits of one seller land", cost, at_most(SHARDS + 6, 8 * CREDITS + 4, 24));
    hand.people.verify().await;
}

/// Which member of a transaction is a wallet, if one is.
fn place_of_wallet(body: &[u8]) -> Option<usize> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["TransactItems"].as_array()?.iter().position(|member| {
        let (pk, sk) = (&member["Put"]["Item"]["pk"]["S"], &member["Put"]["Item"]["sk"]["S"]);
        pk.as_str().is_some_and(|key| key.starts_with("W#")) && sk.as_str().is_some_and(|key| !key.starts_with("L#"))
    })
}

/// The daily run over forty escrows, their wallets and statements.
async fn reconciliation(table: &mut Table) {
    const ESCROWS: u64 = 40;
    let hand = Hand::start().await;
    for number in 0..ESCROWS {
        released(&hand, json!({ "seller": format!("usr_seller_{}", number % 4) })).await;
    }
    hand.pass("P1D");
    let (cost, done) = measured(&hand, hand.system.reconcile()).await;
    let found = done.expect("it lives").expect("it comes to its end");
    assert_eq!((found.missed, found.held, found.unread.len()), (0, 0, 0), "{found:?}");
    // Each payment that the gateway lists is heard again, on its escrow as it stands.
    table.put("reconcile: 40 escrows of 4 sellers", cost, at_most(ESCROWS + 4, 2, 48));
}
