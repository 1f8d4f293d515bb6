//! The due index: what is in it, what leaves it, and how what cannot be helped is put off.

use crate::bed::{Bed, bed, n};
use crate::deal::{START, changed, later, moment, offer, release, user};
use escrow_domain::time::{Period, Timestamp};
use escrow_store::change::Start;
use escrow_store::keys::{self, KeyKind};
use escrow_store::lists::{DueEntry, escrow_of};
use escrow_store::postpone::Postponed;

async fn due(bed: &Bed, now: Timestamp) -> Vec<DueEntry> {
    let shard = keys::due_shard(user("usr_01hselle").as_str());
    bed.store.due(shard, now, None).await.unwrap().entries
}

#[tokio::test]
async fn an_escrow_is_due_when_the_domain_says_so_and_leaves_the_index_when_nothing_will_happen() {
    let bed = bed().await;
    let created = offer("a").created();
    bed.store.commit(0, &created).await.unwrap();
    let at = created.due_at().unwrap();
    assert_eq!(due(&bed, at.before(Period::from_millis(1))).await, []);
    let entry = DueEntry { key: keys::escrow(created.id), due_at: at };
    assert_eq!(due(&bed, at).await, std::slice::from_ref(&entry));
    assert_eq!(escrow_of(&entry), Some(created.id));
    // Every commit moves the entry with the item.
    let delivered = offer("a").delivered();
    bed.store.commit(1, &delivered).await.unwrap();
    assert_eq!(due(&bed, delivered.due_at().unwrap()).await[0].due_at, delivered.due_at().unwrap());
    bed.store.change(Start::Load(created.id), |escrow| release(escrow, moment(later(escrow)))).await.unwrap();
    assert_eq!(bed.entries("due").await, 0, "a released escrow waits for nothing");
}

#[tokio::test]
async fn a_shard_is_read_page_by_page_the_oldest_first() {
    let bed = bed().await;
    for number in 0..5_u32 {
        let at = START.after(Period::seconds(number));
        let escrow = crate::deal::Offer { at, ..offer(&format!("key-{number}")) }.created();
        bed.other().commit(0, &escrow).await.unwrap();
    }
    let everything = due(&bed, START.after(Period::days(400))).await;
    assert_eq!(everything.len(), 5);
    assert!(everything.is_sorted_by_key(|entry| entry.due_at));
    let shard = keys::due_shard("usr_01hselle");
    let rest = bed.store.due(shard, START.after(Period::days(400)), Some(&everything[1])).await.unwrap();
    assert_eq!(rest.entries, everything[2..]);
    let mut elsewhere = 0;
    for other in (0..keys::DUE_SHARDS).filter(|other| *other != shard) {
        elsewhere += bed.store.due(other, START.after(Period::days(400)), None).await.unwrap().entries.len();
    }
    assert_eq!(elsewhere, 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_put_off_further_each_time_and_comes_back() {
    let bed = bed().await;
    let created = offer("a").created();
    bed.store.commit(0, &created).await.unwrap();
    let key = keys::escrow(created.id);
    // Not even a version is left.
    bed.tamper(&key, &[("m", None), ("v", None)]).await;
    let mut now = created.due_at().unwrap();
    for minutes in [1, 2, 4, 8] {
        assert_eq!(due(&bed, now).await.len(), 1);
        let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
        assert!(loaded.escrow.is_err());
        let until = now.after(Period::minutes(minutes));
        assert_eq!(bed.store.postpone(&key, &loaded.seen, now).await.unwrap(), Postponed::Until(until));
        assert_eq!(due(&bed, until.before(Period::from_millis(1))).await, []);
        now = until;
    }
}

#[tokio::test]
async fn what_has_moved_is_not_put_off() {
    let bed = bed().await;
    let created = offer("a").created();
    bed.store.commit(0, &created).await.unwrap();
    let key = keys::escrow(created.id);
    let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
    let delivered = offer("a").delivered();
    bed.other().commit(1, &delivered).await.unwrap();
    let now = created.due_at().unwrap();
    assert_eq!(bed.store.postpone(&key, &loaded.seen, now).await.unwrap(), Postponed::Moved);
    assert_eq!(bed.store.escrow(created.id).await.unwrap(), Some(delivered.clone()));
    // Put off and then changed: the count begins anew, and no trace stays in the escrow.
    let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
    bed.store.postpone(&key, &loaded.seen, now).await.unwrap();
    let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
    assert_eq!((loaded.seen.postponed(), *loaded.escrow.unwrap()), (1, delivered.clone()));
    let released = changed(release(&delivered, moment(later(&delivered)))).escrow;
    bed.store.commit(delivered.version, &released).await.unwrap();
    let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
    assert_eq!((loaded.seen.postponed(), *loaded.escrow.unwrap()), (0, released));
}

#[tokio::test]
async fn keys_of_later_releases_are_told_apart_from_escrows() {
    let bed = bed().await;
    let created = offer("a").created();
    bed.store.commit(0, &created).await.unwrap();
    let mut payout = bed.item(&keys::escrow(created.id)).await.unwrap();
    payout.insert("pk".into(), crate::bed::s("P#1"));
    payout.insert("sk".into(), crate::bed::s("P"));
    payout.insert("t".into(), n(1));
    bed.put(payout).await;
    let entries = due(&bed, created.due_at().unwrap()).await;
    assert_eq!(
        entries.iter().map(|entry| entry.key.kind()).collect::<Vec<_>>(),
        [KeyKind::Other, KeyKind::Escrow(created.id)]
    );
}

#[tokio::test]
async fn an_escrow_that_is_put_off_keeps_its_next_deadline() {
    let bed = bed().await;
    let delivered = offer("a").delivered();
    bed.store.commit(0, &delivered).await.unwrap();
    let key = keys::escrow(delivered.id);
    let mut moments: Vec<Timestamp> = delivered.deadlines().into_iter().map(|deadline| deadline.at).collect();
    moments.sort_unstable();
    // The reminder, and the release a day later.
    let [reminder, release] = moments.as_slice() else { panic!("{moments:?}") };
    // The reminder fails again and again, up to an hour before the release.
    let mut now = *reminder;
    loop {
        let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
        let Postponed::Until(until) = bed.store.postpone(&key, &loaded.seen, now).await.unwrap() else {
            panic!("nobody else is at it")
        };
        assert!(until > now && until <= *release, "the release waits for nobody's reminder");
        now = until;
        if until == *release {
            break;
        }
    }
    assert_eq!(due(&bed, *release).await.len(), 1);
    // Once the last deadline has passed, there is nothing to keep.
    let loaded = bed.store.load(std::slice::from_ref(&key)).await.unwrap().remove(0);
    let until = bed.store.postpone(&key, &loaded.seen, now).await.unwrap();
    assert_eq!(until, Postponed::Until(now.after(Period::hours(1))));
}
