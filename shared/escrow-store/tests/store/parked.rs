//! The inbox: durable, once, due, done.

use crate::bed::{Bed, Fault, bed};
use crate::deal::START;
use escrow_domain::id::GatewayName;
use escrow_domain::time::Period;
use escrow_store::StoreError;
use escrow_store::inbox::{Parked, Parking};
use escrow_store::keys::{self, Key, KeyKind};
use escrow_store::postpone::Postponed;

fn event() -> Parked {
    Parked {
        gateway: GatewayName::Stripe,
        event: "evt_1".into(),
        payload: br#"{"id":"evt_1"}"#.to_vec(),
        why: "no such escrow".into(),
        received_at: START,
        due_at: START.after(Period::minutes(1)),
    }
}

#[tokio::test]
async fn an_event_is_parked_once_comes_back_when_due_and_ends_when_done() {
    let bed = bed().await;
    bed.wire.next("PutItem", Fault::LoseAnswer);
    assert_eq!(bed.store.park(&event()).await.unwrap(), Parking::Parked);
    assert_eq!(bed.other().park(&event()).await.unwrap(), Parking::AlreadyThere);
    let key = keys::inbox(GatewayName::Stripe, "evt_1");
    let shard = keys::due_shard("evt_1");
    let now = START.after(Period::minutes(1));
    let entries = bed.store.due(shard, now, None).await.unwrap().entries;
    assert_eq!(entries.iter().map(|entry| entry.key.kind()).collect::<Vec<_>>(), [KeyKind::Inbox]);
    let loaded = bed.store.parked(std::slice::from_ref(&key)).await.unwrap().remove(0);
    assert_eq!(loaded.event, Ok(Some(event())));
    let until = now.after(Period::minutes(1));
    assert_eq!(bed.store.postpone(&key, &loaded.seen, now).await.unwrap(), Postponed::Until(until));
    assert_eq!(bed.store.parked(std::slice::from_ref(&key)).await.unwrap()[0].seen.postponed(), 1);
    // While it waits, nothing may delete it.
    assert!(!bed.item(&key).await.unwrap().contains_key("ttl"));

    bed.store.finish(&key, until).await.unwrap();
    bed.store.finish(&key, until.after(Period::days(1))).await.unwrap();
    assert_eq!(bed.entries("due").await, 0);
    assert_eq!(bed.store.parked(std::slice::from_ref(&key)).await.unwrap()[0].event, Ok(None));
    let expires = bed.item(&key).await.unwrap()["ttl"].clone();
    assert_eq!(expires, crate::bed::n(until.after(Period::days(30)).as_seconds()));
    // The same event again is known, though it is done.
    assert_eq!(bed.store.park(&event()).await.unwrap(), Parking::AlreadyThere);
}

#[tokio::test]
async fn an_event_that_may_not_be_durable_is_an_error() {
    let bed = bed().await;
    bed.wire.always("PutItem", &Fault::NotSent);
    let error = bed.store.park(&event()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    bed.wire.heal();
    let large = Parked { payload: vec![b'x'; 36 * 1024 * 1024], ..event() };
    let error = bed.store.park(&large).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Refused(_) | StoreError::Unwritable(_) | StoreError::Unknown { .. }),
        "{error:?}"
    );
    assert!(bed.item(&keys::inbox(GatewayName::Stripe, "evt_1")).await.is_none());
}

/// A payload that no two pieces have in common.
fn large(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect()
}

/// The keys of everything.
async fn scanned(bed: &Bed) -> Vec<Key> {
    let (mut keys, mut position) = (Vec::new(), None);
    loop {
        let page = bed.store.scan(None, position.as_ref()).await.unwrap();
        keys.extend(page.items.into_iter().map(|item| item.key));
        position = page.next;
        if position.is_none() {
            return keys;
        }
    }
}

#[tokio::test]
async fn what_is_too_large_for_one_item_stands_in_several_and_comes_back_whole() {
    for fault in [Fault::Pass, Fault::LoseAnswer, Fault::TwiceForgotten] {
        let bed = bed().await;
        let parked = Parked { payload: large(1024 * 1024), ..event() };
        bed.wire.next("TransactWriteItems", fault);
        assert_eq!(bed.store.park(&parked).await.unwrap(), Parking::Parked);
        let small = Parked { event: "evt_2".into(), ..event() };
        bed.store.park(&small).await.unwrap();
        assert_eq!(bed.other().park(&parked).await.unwrap(), Parking::AlreadyThere);
        let keys = ["evt_2", "evt_1"].map(|event| keys::inbox(GatewayName::Stripe, event));
        let loaded = bed.store.parked(&keys).await.unwrap();
        let events: Vec<_> = loaded.into_iter().map(|loaded| loaded.event.unwrap().unwrap()).collect();
        assert_eq!(events, [small, parked]);
        // Three items and the small one; only the two events are due.
        let items = scanned(&bed).await;
        let pieces = items.iter().filter(|key| key.kind() == KeyKind::Beside).count();
        assert_eq!((items.len(), pieces, bed.entries("due").await), (4, 2, 2));
        // Done, all of it may go.
        bed.store.finish(&keys[1], START).await.unwrap();
        for key in items.iter().filter(|key| key.pk == keys[1].pk) {
            assert!(bed.item(key).await.unwrap().contains_key("ttl"), "{key}");
        }
    }
}

#[tokio::test]
async fn a_piece_that_is_missing_is_told_and_never_passed_over() {
    let bed = bed().await;
    let parked = Parked { payload: large(500 * 1024), ..event() };
    bed.store.park(&parked).await.unwrap();
    let piece = scanned(&bed).await.into_iter().find(|key| key.kind() == KeyKind::Beside).unwrap();
    bed.tamper(&piece, &[("p", None)]).await;
    let loaded = bed.store.parked(&[keys::inbox(GatewayName::Stripe, "evt_1")]).await.unwrap();
    assert!(loaded[0].event.is_err());
}

#[tokio::test]
async fn an_event_is_tried_for_a_month_ever_more_seldom_and_then_waits_for_an_operator() {
    let bed = bed().await;
    bed.store.park(&event()).await.unwrap();
    let key = keys::inbox(GatewayName::Stripe, "evt_1");
    let mut now = START.after(Period::minutes(1));
    let mut tries = 0;
    let stopped = loop {
        let loaded = bed.store.parked(std::slice::from_ref(&key)).await.unwrap().remove(0);
        match bed.store.postpone(&key, &loaded.seen, now).await.unwrap() {
            Postponed::Until(until) => {
                assert!(until <= now.after(Period::days(1)));
                now = until;
                tries += 1;
            }
            Postponed::Stopped => break now,
            Postponed::Moved => panic!("nobody else is at it"),
        }
    };
    assert!((30..45).contains(&tries), "{tries}");
    assert!(stopped >= START.after(Period::days(30)) && stopped < START.after(Period::days(31)));
    assert_eq!(bed.entries("due").await, 0);
    let waiting = bed.store.stopped_events().await.unwrap();
    let expected = Parked { due_at: stopped, ..event() };
    assert_eq!(waiting.into_iter().map(|loaded| loaded.event).collect::<Vec<_>>(), [Ok(Some(expected))]);
    // It is no dispute.
    let disputes = escrow_store::lists::List::OpenDisputes;
    assert!(bed.store.list(&disputes, 10, None).await.unwrap().items.is_empty());
    // An operator has it tried once more; then it waits again, or is done.
    assert!(bed.store.resume(&key, stopped).await.unwrap());
    assert!(!bed.store.resume(&key, stopped).await.unwrap(), "it waits no more");
    let shard = keys::due_shard("evt_1");
    assert_eq!(bed.store.due(shard, stopped, None).await.unwrap().entries.len(), 1);
    let loaded = bed.store.parked(std::slice::from_ref(&key)).await.unwrap().remove(0);
    assert_eq!(bed.store.postpone(&key, &loaded.seen, stopped).await.unwrap(), Postponed::Stopped);
    bed.store.finish(&key, stopped).await.unwrap();
    assert!(bed.store.stopped_events().await.unwrap().is_empty());
}
