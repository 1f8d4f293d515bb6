//! The inbox: durable, once, due, done.

use crate::bed::{Fault, bed};
use crate::deal::START;
use escrow_domain::id::GatewayName;
use escrow_domain::time::Period;
use escrow_store::StoreError;
use escrow_store::inbox::{Parked, Parking};
use escrow_store::keys::{self, KeyKind};
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
    let large = Parked { payload: vec![b'x'; 400 * 1_024], ..event() };
    let error = bed.store.park(&large).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
}
