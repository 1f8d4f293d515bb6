//! What a happy life costs: bytes at every step, requests and units of every write.

use crate::bed::bed;
use crate::deal::{deliver, later, moment, offer, pay, release};
use escrow_store::change::Start;
use escrow_store::items::size;
use escrow_store::{Counters, keys};

/// A step's name, requests, read units and write units in thousandths, bytes of the escrow's item.
type Step = (&'static str, u64, u64, u64, usize);

#[tokio::test]
async fn a_happy_life_stays_within_two_kilobytes_and_its_budget_of_units() {
    let bed = bed().await;
    let store = &bed.store;
    let mut steps: Vec<Step> = Vec::new();
    let mut before = Counters::default();
    let key = keys::escrow(offer("a").id());
    let mut note = async |name: &'static str| {
        let used = store.counters().since(before);
        before = store.counters();
        let size = size::of(&bed.item(&key).await.unwrap());
        steps.push((name, used.requests, used.read_units, used.write_units, size));
    };

    let created = offer("a").created();
    store.commit(0, &created).await.unwrap();
    note("created").await;
    let opened = offer("a").opened();
    store.commit(created.version, &opened).await.unwrap();
    note("opened").await;
    let id = created.id;
    let held = store.change(Start::Load(id), |escrow| pay(escrow, moment(later(&opened)))).await.unwrap().into_escrow();
    note("held").await;
    store.change(Start::Load(id), |escrow| pay(escrow, moment(later(&held)))).await.unwrap();
    note("paid again").await;
    let delivered =
        store.change(Start::Load(id), |escrow| deliver(escrow, moment(later(&held)))).await.unwrap().into_escrow();
    note("delivered").await;
    store.change(Start::Load(id), |escrow| release(escrow, moment(later(&delivered)))).await.unwrap();
    note("released").await;
    store.change(Start::Load(id), |escrow| release(escrow, moment(later(&delivered)))).await.unwrap();
    note("released again").await;

    for (name, _, _, _, bytes) in &steps {
        assert!(*bytes <= size::HAPPY, "{name}: {bytes} bytes");
    }
    let costs: Vec<(&str, u64, u64, u64)> =
        steps.iter().map(|(name, requests, reads, writes, _)| (*name, *requests, *reads, *writes)).collect();
    // Half of the budget even holds for every step, so that the item costs one unit a write and not two.
    assert_eq!(
        costs,
        [
            // The item, and an entry each in the indexes by buyer, seller, subject and due.
            ("created", 1, 0, 5_000),
            ("opened", 1, 0, 1_000),
            // The item, and its entry in the due index taken out and put in elsewhere.
            ("held", 2, 1_000, 3_000),
            ("paid again", 1, 1_000, 0),
            ("delivered", 2, 1_000, 3_000),
            // The item, a wallet and a line, each twice; the entry in the due index taken out.
            ("released", 3, 2_000, 7_000),
            ("released again", 1, 1_000, 0),
        ]
    );
}
