//! A wallet that many want at once: nobody waits for it long, and every credit lands in it once.

use crate::bed::{Bed, Fault, bed};
use crate::deal::{later, minor, moment, offer, release, sar, user};
use crate::groups::{overdue, ticked};
use escrow_domain::escrow::Escrow;
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::verify::check_history;
use escrow_store::change::Start;
use escrow_store::group::{Ended, Planned};
use escrow_store::{StoreError, keys};
use std::collections::BTreeSet;

const CREDIT: i64 = 13_500;

/// So many delivered escrows of one seller.
async fn delivered(bed: &Bed, count: usize) -> Vec<Escrow> {
    let mut all = Vec::new();
    for number in 0..count {
        let delivered = offer(&format!("key-{number}")).delivered();
        bed.other().commit(0, &delivered).await.unwrap();
        all.push(delivered);
    }
    all
}

/// All of them released at once, each by an invocation of its own.
async fn released_at_once(bed: &Bed, escrows: &[Escrow]) {
    let mut racers = tokio::task::JoinSet::new();
    for escrow in escrows {
        let (store, id, now) = (bed.other(), escrow.id, moment(later(escrow)));
        racers.spawn(async move {
            let changed = store.change(Start::Load(id), |escrow| release(escrow, now)).await.unwrap();
            assert!(changed.is_committed());
        });
    }
    racers.join_all().await;
}

fn now() -> Timestamp {
    later(&offer("any").delivered()).after(Period::hours(1))
}

/// What the sweep does about credits that wait, until none is left.
async fn swept(bed: &Bed) {
    let shard = keys::due_shard("usr_01hselle");
    loop {
        let entries = bed.store.due(shard, now(), None).await.unwrap().entries;
        let keys: Vec<_> = entries.into_iter().map(|entry| entry.key).collect();
        let loaded = bed.store.load(&keys).await.unwrap();
        let planned: Vec<Planned> =
            loaded.into_iter().filter_map(|loaded| ticked(&loaded.escrow.unwrap(), now())).collect();
        if planned.is_empty() {
            return;
        }
        for ended in bed.store.commit_group(&planned).await {
            assert!(matches!(ended, Ended::Applied), "{ended:?}");
        }
    }
}

/// Every credit stands in the wallet once, every escrow's history is whole, and nothing waits.
async fn everything_landed_once(bed: &Bed, escrows: &[Escrow]) {
    let count = i64::try_from(escrows.len()).unwrap();
    let wallet = bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap();
    assert_eq!(
        (wallet.available, wallet.earned, wallet.lines),
        (minor(count * CREDIT), minor(count * CREDIT), u64::try_from(count).unwrap())
    );
    let mut of = BTreeSet::new();
    for number in 0..wallet.lines {
        let line = bed.store.line(&wallet.owner, sar(), number).await.unwrap().unwrap();
        assert_eq!(line.after, (i64::try_from(number).unwrap() + 1) * CREDIT);
        assert!(of.insert(format!("{:?}", line.of)), "an escrow was credited twice");
    }
    for escrow in escrows {
        let stands = bed.store.escrow(escrow.id).await.unwrap().unwrap();
        assert_eq!(stands.credits, []);
        check_history(&stands, &[]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_releases_into_one_wallet_none_fails_and_every_credit_lands_once() {
    let bed = bed().await;
    let escrows = delivered(&bed, 60).await;
    released_at_once(&bed, &escrows).await;
    swept(&bed).await;
    everything_landed_once(&bed, &escrows).await;
}

#[tokio::test]
async fn a_wallet_that_others_write_all_the_time_is_not_waited_for() {
    let bed = bed().await;
    let escrows = delivered(&bed, 1).await;
    let conflict = Fault::cancelled(&["None", "TransactionConflict", "None"]);
    for _ in 0..4 {
        bed.wire.next("TransactWriteItems", conflict.clone());
    }
    let start = Start::Load(escrows[0].id);
    let now = moment(later(&escrows[0]));
    let released = bed.store.change(start.clone(), |escrow| release(escrow, now)).await.unwrap();
    assert!(released.is_committed() && bed.wire.all_fired());
    let asked = bed.wire.asked();
    assert_eq!(asked[..2], ["GetItem", "GetItem"]);
    assert_eq!(asked[2..], ["TransactWriteItems"; 4].into_iter().chain(["PutItem"]).collect::<Vec<_>>());
    // The seller's money is on its way, and due at once.
    let stands = released.into_escrow();
    assert_eq!(bed.store.escrow(stands.id).await.unwrap().as_ref(), Some(&stands));
    assert_eq!(stands.credits.iter().map(|credit| credit.amount.units()).collect::<Vec<_>>(), [CREDIT]);
    assert_eq!(bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap().lines, 0);
    // Asked again, it has happened.
    assert!(!bed.store.change(start, |escrow| release(escrow, now)).await.unwrap().is_committed());
    swept(&bed).await;
    everything_landed_once(&bed, &escrows).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_never_taken_for_a_wallet_in_demand() {
    let bed = bed().await;
    let escrows = delivered(&bed, 1).await;
    // It may have happened: putting the credit off now would give it twice.
    bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
    bed.wire.always("TransactWriteItems", &Fault::cancelled(&["None", "TransactionConflict", "None"]));
    let now = moment(later(&escrows[0]));
    let released = bed.store.change(Start::Load(escrows[0].id), |escrow| release(escrow, now)).await.unwrap();
    assert_eq!(released.into_escrow().credits, []);
    bed.wire.heal();
    everything_landed_once(&bed, &escrows).await;
    // Nor is one that nobody can tell anything about.
    let other = offer("other").delivered();
    bed.other().commit(0, &other).await.unwrap();
    bed.wire.next("TransactWriteItems", Fault::NotSent);
    bed.wire.always("TransactWriteItems", &Fault::cancelled(&["None", "TransactionConflict", "None"]));
    let error = bed.store.change(Start::Load(other.id), |escrow| release(escrow, now)).await.unwrap_err();
    assert!(matches!(error, escrow_store::ChangeError::Store(StoreError::Unknown { .. })), "{error:?}");
    assert_eq!(bed.store.escrow(other.id).await.unwrap(), Some(other));
}

/// So many released escrows whose credits wait.
async fn waiting(bed: &Bed, count: usize) -> Vec<Escrow> {
    let escrows = delivered(bed, count).await;
    for escrow in &escrows {
        for _ in 0..4 {
            bed.wire.next("TransactWriteItems", Fault::cancelled(&["None", "TransactionConflict", "None"]));
        }
        let now = moment(later(escrow));
        bed.store.change(Start::Load(escrow.id), |escrow| release(escrow, now)).await.unwrap();
    }
    bed.wire.asked();
    escrows
}

#[tokio::test]
async fn forty_nine_credits_that_wait_land_in_one_transaction() {
    let bed = bed().await;
    let escrows = waiting(&bed, 49).await;
    // Its answer is lost: what landed has landed once.
    bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
    swept(&bed).await;
    let asked = bed.wire.asked();
    assert_eq!(
        asked,
        ["Query", "BatchGetItem", "GetItem", "TransactWriteItems", "TransactWriteItems", "Query"],
        "read, decided, and written once; the repetition is answered by its token"
    );
    everything_landed_once(&bed, &escrows).await;
}

#[tokio::test]
async fn a_sweep_that_meets_a_wallet_in_demand_releases_all_the_same() {
    let bed = bed().await;
    let planned = overdue(&bed, 5).await;
    for _ in 0..8 {
        bed.wire.next("TransactWriteItems", Fault::cancelled(&["TransactionConflict"]));
    }
    let ended = bed.store.commit_group(&planned).await;
    assert!(ended.iter().all(|end| matches!(end, Ended::Applied)), "{ended:?}");
    assert!(bed.wire.all_fired());
    assert_eq!(bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap().lines, 0);
    for plan in &planned {
        assert_eq!(bed.store.escrow(plan.change.escrow.id).await.unwrap().unwrap().credits.len(), 1);
    }
    // What lands cannot wait any longer: it stays as it is, and is tried again.
    let stands = bed.store.escrow(planned[0].change.escrow.id).await.unwrap().unwrap();
    let landing = ticked(&stands, planned[0].change.escrow.updated_at.after(Period::minutes(1))).unwrap();
    for _ in 0..8 {
        bed.wire.next("TransactWriteItems", Fault::cancelled(&["TransactionConflict"]));
    }
    let ended = bed.store.commit_group(std::slice::from_ref(&landing)).await;
    assert!(matches!(ended.as_slice(), [Ended::Failed(StoreError::Contended { .. })]), "{ended:?}");
    let ended = bed.store.commit_group(&[landing]).await;
    assert!(matches!(ended.as_slice(), [Ended::Applied]), "{ended:?}");
    assert_eq!(bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap().lines, 1);
}
