//! Many changes at once: one credit for the seller, and none that blocks another.

use crate::bed::{Bed, Fault, bed, n};
use crate::deal::{later, offer, sar, user};
use escrow_domain::command::{Attempt, Command};
use escrow_domain::decide::{self, Moment, Outcome};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::Operation;
use escrow_domain::journal::Actor;
use escrow_domain::time::{Period, Timestamp};
use escrow_store::change::Start;
use escrow_store::group::{Ended, Planned};
use escrow_store::{StoreError, keys};

/// What the clock decides of an escrow now.
pub(crate) fn ticked(escrow: &Escrow, at: Timestamp) -> Option<Planned> {
    let operation = Operation { name: [0; 8], content: [0; 8] };
    let tick = Attempt { command: Command::Tick, actor: Actor::clock(), operation };
    match decide::decide(escrow, &tick, Moment { at, epoch: 0 }).unwrap() {
        Outcome::Changed(change) => Some(Planned { was: escrow.version, change: *change }),
        Outcome::AlreadyDone => None,
    }
}

/// So many delivered escrows of one seller, each about to be released by the clock.
pub(crate) async fn overdue(bed: &Bed, count: usize) -> Vec<Planned> {
    let mut planned = Vec::new();
    for number in 0..count {
        let delivered = offer(&format!("key-{number}")).delivered();
        bed.other().commit(0, &delivered).await.unwrap();
        let at = later(&delivered).after(Period::days(8));
        planned.push(ticked(&delivered, at).unwrap());
    }
    planned
}

#[tokio::test]
async fn eighty_escrows_of_one_seller_are_credited_in_two_transactions() {
    let bed = bed().await;
    let planned = overdue(&bed, 80).await;
    let ended = bed.store.commit_group(&planned).await;
    assert!(ended.iter().all(|end| matches!(end, Ended::Applied)));
    assert_eq!(bed.wire.asked(), ["GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"]);
    let wallet = bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap();
    assert_eq!((wallet.available.units(), wallet.lines), (80 * 13_500, 80));
}

#[tokio::test]
async fn what_has_moved_or_cannot_be_read_drops_out_and_blocks_nothing() {
    let bed = bed().await;
    let planned = overdue(&bed, 5).await;
    let moved = planned[1].change.escrow.id;
    let start = Start::Load(moved);
    let now = crate::deal::moment(planned[1].change.escrow.updated_at);
    bed.other().change(start, |escrow| crate::deal::release(escrow, now)).await.unwrap();
    bed.tamper(&keys::escrow(planned[3].change.escrow.id), &[("m", None), ("v", Some(n(99)))]).await;
    let ended = bed.store.commit_group(&planned).await;
    let told: Vec<&str> = ended
        .iter()
        .map(|end| match end {
            Ended::Applied => "applied",
            Ended::Moved(_) => "moved",
            Ended::Failed(StoreError::Unreadable(_)) => "unreadable",
            Ended::Refused(_) => "refused",
            Ended::Failed(_) => "failed",
        })
        .collect();
    assert_eq!(told, ["applied", "moved", "applied", "unreadable", "applied"]);
    let wallet = bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap();
    assert_eq!((wallet.available.units(), wallet.lines), (4 * 13_500, 4));
}

#[tokio::test]
async fn a_group_that_fails_without_a_name_is_halved() {
    let bed = bed().await;
    let planned = overdue(&bed, 4).await;
    bed.wire.asked();
    let invalid = Fault::cancelled(&["None", "None", "ValidationError", "None", "None", "None"]);
    // Four, then two, then one fail; nobody knows why until one is left.
    for fault in [invalid.clone(), Fault::Pass, invalid.clone(), invalid, Fault::Pass] {
        bed.wire.next("TransactWriteItems", fault);
    }
    let ended = bed.store.commit_group(&planned).await;
    assert!(bed.wire.all_fired());
    let told: Vec<bool> = ended.iter().map(|end| matches!(end, Ended::Applied)).collect();
    assert_eq!(told, [true, true, false, true]);
    assert!(matches!(ended[2], Ended::Failed(StoreError::Refused(_))), "{:?}", ended[2]);
    let wallet = bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap();
    assert_eq!((wallet.available.units(), wallet.lines), (3 * 13_500, 3));
}

#[tokio::test]
async fn a_group_whose_answer_was_lost_is_credited_once() {
    let bed = bed().await;
    let planned = overdue(&bed, 3).await;
    bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
    let ended = bed.store.commit_group(&planned).await;
    assert!(ended.iter().all(|end| matches!(end, Ended::Applied)), "{ended:?}");
    let again = bed.store.commit_group(&planned).await;
    assert!(again.iter().all(|end| matches!(end, Ended::Moved(_))), "{again:?}");
    assert_eq!(bed.store.wallet(&user("usr_01hselle"), sar()).await.unwrap().available.units(), 3 * 13_500);
}
