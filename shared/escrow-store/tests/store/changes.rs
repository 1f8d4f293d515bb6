//! Changes: load, decide, commit, and decide again on what stands there when somebody was faster.

use crate::bed::{Bed, Fault, bed};
use crate::deal::{changed, deliver, later, moment, offer, pay, release, sar, user};
use escrow_domain::decide::Outcome;
use escrow_domain::escrow::Escrow;
use escrow_domain::refusal::{Refusal, Undecided};
use escrow_store::StoreError;
use escrow_store::change::{ChangeError, Changed, Start};

fn released(escrow: &Escrow) -> Result<Outcome, Undecided> {
    release(escrow, moment(later(&offer("any").delivered())))
}

async fn stored(bed: &Bed, escrow: &Escrow) {
    bed.other().commit(0, escrow).await.unwrap();
}

#[tokio::test]
async fn a_fact_costs_a_read_and_a_write_and_its_repetition_a_read() {
    let bed = bed().await;
    let opened = offer("a").opened();
    stored(&bed, &opened).await;
    let paid = |escrow: &Escrow| pay(escrow, moment(later(&opened)));
    let first = bed.store.change(Start::Load(opened.id), paid).await.unwrap();
    assert!(first.is_committed());
    assert_eq!(bed.wire.asked(), ["GetItem", "PutItem"]);
    let again = bed.store.change(Start::Load(opened.id), paid).await.unwrap();
    assert_eq!(again, Changed::AlreadyDone(Box::new(first.into_escrow())));
    assert_eq!(bed.wire.asked(), ["GetItem"]);
}

#[tokio::test]
async fn a_release_costs_two_reads_and_a_transaction_and_its_repetition_a_read() {
    let bed = bed().await;
    let delivered = offer("a").delivered();
    stored(&bed, &delivered).await;
    let first = bed.store.change(Start::Load(delivered.id), released).await.unwrap();
    assert!(first.is_committed());
    assert_eq!(bed.wire.asked(), ["GetItem", "GetItem", "TransactWriteItems"]);
    assert_eq!(bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap().available.units(), 13_500);
    bed.wire.asked();
    assert!(!bed.store.change(Start::Load(delivered.id), released).await.unwrap().is_committed());
    assert_eq!(bed.wire.asked(), ["GetItem"]);
}

#[tokio::test]
async fn a_lost_race_is_decided_again_on_what_stands_there_without_another_read() {
    let bed = bed().await;
    let held = offer("a").held();
    stored(&bed, &held).await;
    let delivered = changed(deliver(&held, moment(later(&held)))).escrow;
    bed.other().commit(held.version, &delivered).await.unwrap();
    let mut seen = Vec::new();
    let outcome = bed
        .store
        .change(Start::From(Box::new(held.clone())), |escrow| {
            seen.push(escrow.version);
            deliver(escrow, moment(later(&held)))
        })
        .await
        .unwrap();
    assert_eq!(outcome, Changed::AlreadyDone(Box::new(delivered.clone())));
    assert_eq!(seen, [held.version, delivered.version]);
    assert_eq!(bed.wire.asked(), ["PutItem"]);
}

#[tokio::test]
async fn a_release_that_meets_a_moved_wallet_reads_nothing_again() {
    let bed = bed().await;
    let (mine, theirs) = (offer("a").delivered(), offer("b").delivered());
    stored(&bed, &mine).await;
    stored(&bed, &theirs).await;
    // While my first transaction is refused as throttled, somebody else credits the same wallet.
    bed.other().change(Start::Load(theirs.id), released).await.unwrap();
    let before = bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap();
    bed.wire.asked();
    let stale = Fault::Answer(200, r#"{"ConsumedCapacity":{"TableName":"holdfast","CapacityUnits":0.5}}"#.into());
    // The wallet is read as if it were not there yet: what a moment earlier was true.
    bed.wire.next("GetItem", Fault::Pass);
    bed.wire.next("GetItem", stale);
    let outcome = bed.store.change(Start::Load(mine.id), released).await.unwrap();
    assert!(outcome.is_committed());
    assert_eq!(bed.wire.asked(), ["GetItem", "GetItem", "TransactWriteItems", "TransactWriteItems"]);
    let after = bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap();
    assert_eq!((before.available.units(), after.available.units(), after.lines), (13_500, 27_000, 2));
}

#[tokio::test]
async fn a_refusal_brings_its_reason_and_the_escrow_that_it_was_decided_on() {
    let bed = bed().await;
    let opened = offer("a").opened();
    stored(&bed, &opened).await;
    let error = bed.store.change(Start::Load(opened.id), released).await.unwrap_err();
    let ChangeError::Undecided { why: Undecided::Refused(Refusal::WrongStage { .. }), escrow } = error else {
        panic!("{error:?}");
    };
    assert_eq!(*escrow, opened);
    let error = bed.store.change(Start::Load(offer("never made").id()), released).await.unwrap_err();
    assert!(matches!(error, ChangeError::NotFound), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_lost_too_often_is_contention() {
    let bed = bed().await;
    let held = offer("a").held();
    stored(&bed, &held).await;
    let other = bed.other();
    // Each decision finds the escrow changed before it can be committed.
    let mut rounds = 0;
    let error = bed
        .store
        .change(Start::Load(held.id), |escrow| {
            rounds += 1;
            let mut next = escrow.clone();
            next.version += 1;
            let runtime = tokio::runtime::Handle::current();
            let other = other.clone();
            std::thread::scope(|threads| {
                let moved = threads.spawn(|| runtime.block_on(other.commit(escrow.version, &next)));
                moved.join().unwrap().unwrap();
            });
            deliver(escrow, moment(later(&held)))
        })
        .await;
    assert!(matches!(error, Err(ChangeError::Store(StoreError::Contended { attempts: 5 }))), "{error:?}");
    assert_eq!(rounds, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_releases_at_once_one_is_committed_and_the_others_are_told() {
    let bed = bed().await;
    let delivered = offer("a").delivered();
    stored(&bed, &delivered).await;
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = bed.other();
        racers.spawn(async move { store.change(Start::Load(delivered.id), released).await.unwrap().is_committed() });
    }
    let winners = racers.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
    assert_eq!(bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap().available.units(), 13_500);
}
