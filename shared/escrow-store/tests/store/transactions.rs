//! Commits of several: all or none, failures by name, failures without one.

use crate::bed::{Bed, Fault, bed};
use crate::deal::{changed, later, moment, offer, release, sar, user};
use escrow_domain::decide::Change;
use escrow_domain::escrow::Escrow;
use escrow_domain::wallet::{Wallet, WalletLine};
use escrow_store::{Failed, Member, Stands, StoreError, Together, keys};
use std::time::Duration;

/// A race that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A release about to be committed: the escrow, the wallet after it, its line.
struct Release {
    was: u64,
    change: Change,
    wallet: Wallet,
    line: WalletLine,
}

impl Release {
    fn members(&self) -> [Member<'_>; 3] {
        let was = self.wallet.version - 1;
        [
            Member::Escrow { was: self.was, now: &self.change.escrow },
            Member::Wallet { was, now: &self.wallet },
            Member::Line(&self.line),
        ]
    }
}

async fn release_of(bed: &Bed, key: &str) -> Release {
    let delivered = offer(key).delivered();
    bed.other().commit(0, &delivered).await.unwrap();
    plan(bed, &delivered).await
}

async fn plan(bed: &Bed, delivered: &Escrow) -> Release {
    let change = changed(release(delivered, moment(later(delivered))));
    let credit = &change.moves[0];
    let (wallet, line) = bed.other().wallet(&credit.owner, credit.currency).await.unwrap().moved(credit).unwrap();
    Release { was: delivered.version, change, wallet, line: line.unwrap() }
}

#[tokio::test]
async fn a_release_moves_the_escrow_the_wallet_and_its_line_together() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    assert_eq!(bed.store.commit_together(&release.members()).await.unwrap(), Together::Applied);
    assert_eq!(bed.store.escrow(release.change.escrow.id).await.unwrap(), Some(release.change.escrow));
    assert_eq!(bed.store.wallets(&release.wallet.owner).await.unwrap(), std::slice::from_ref(&release.wallet));
    let statement = bed.store.statement(&release.wallet.owner, sar(), 10, None).await.unwrap();
    assert_eq!(statement.items, [Ok(release.line)]);
    assert_eq!(statement.next, None);
}

#[tokio::test]
async fn every_member_that_failed_is_named_and_nothing_was_written() {
    let bed = bed().await;
    let (first, second) = (release_of(&bed, "a").await, release_of(&bed, "b").await);
    assert_eq!(bed.other().commit_together(&first.members()).await.unwrap(), Together::Applied);
    // The wallet has moved, and with it the number of the next line.
    let Together::Failed(failed) = bed.store.commit_together(&second.members()).await.unwrap() else {
        panic!("it was decided on another wallet");
    };
    let expected = [
        Failed { index: 1, stands: Stands::Wallet(Box::new(first.wallet.clone())) },
        Failed { index: 2, stands: Stands::Line(Box::new(first.line.clone())) },
    ];
    assert_eq!(failed, expected);
    let untouched = bed.store.escrow(second.change.escrow.id).await.unwrap().unwrap();
    assert_eq!(untouched.version, second.was);
    // The same escrow released twice: it is named first.
    let Together::Failed(failed) = bed.store.commit_together(&first.members()).await.unwrap() else {
        panic!("it was released before");
    };
    assert_eq!(failed[0], Failed { index: 0, stands: Stands::Escrow(Box::new(first.change.escrow.clone())) });
}

#[tokio::test]
async fn a_member_that_is_missing_or_unreadable_is_named_too() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    let missing = offer("never made").released();
    let stranger = Member::Escrow { was: 4, now: &missing.escrow };
    let Together::Failed(failed) = bed.store.commit_together(&[release.members()[0], stranger]).await.unwrap() else {
        panic!("one of them is missing");
    };
    assert_eq!(failed, [Failed { index: 1, stands: Stands::Nothing }]);
    let key = keys::escrow(release.change.escrow.id);
    bed.tamper(&key, &[("m", None), ("v", Some(crate::bed::n(7)))]).await;
    let Together::Failed(failed) = bed.store.commit_together(&release.members()).await.unwrap() else {
        panic!("one of them is broken");
    };
    assert!(matches!(failed.as_slice(), [Failed { index: 0, stands: Stands::Unreadable(_) }]), "{failed:?}");
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_is_recognised_as_ones_own() {
    // The repetition is answered by DynamoDB from its request token; past its ten minutes it fails on its own items, and their
    // token tells.
    for fault in [Fault::LoseAnswer, Fault::Twice, Fault::TwiceForgotten] {
        let bed = bed().await;
        let release = release_of(&bed, "a").await;
        bed.wire.next("TransactWriteItems", fault);
        assert_eq!(bed.store.commit_together(&release.members()).await.unwrap(), Together::Applied);
        assert!(bed.wire.all_fired());
        assert_eq!(bed.store.wallet(&release.wallet.owner, sar()).await.unwrap(), release.wallet);
    }
}

#[tokio::test]
async fn an_answer_lost_for_good_is_found_out_by_reading_the_token() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
    bed.wire.always("TransactWriteItems", &Fault::NotSent);
    assert_eq!(bed.store.commit_together(&release.members()).await.unwrap(), Together::Applied);
}

#[tokio::test]
async fn a_line_tells_for_ever_that_its_transaction_has_happened() {
    let bed = bed().await;
    let (mine, theirs) = (release_of(&bed, "a").await, release_of(&bed, "b").await);
    bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
    bed.wire.always("TransactWriteItems", &Fault::NotSent);
    // Others move the wallet on before the doubt is ended; the line stays.
    let other = bed.other();
    let race = async {
        while other.wallet(&user("usr_01hselle"), sar()).await.unwrap().version == 0 {
            tokio::task::yield_now().await;
        }
        let delivered = other.escrow(theirs.change.escrow.id).await.unwrap().unwrap();
        let next = plan(&bed, &delivered).await;
        assert_eq!(other.commit_together(&next.members()).await.unwrap(), Together::Applied);
    };
    let members = mine.members();
    let both = async { tokio::join!(bed.store.commit_together(&members), race) };
    let (outcome, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(outcome.unwrap(), Together::Applied);
}

#[tokio::test]
async fn unnamed_failures_are_tried_again() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    for fault in [
        Fault::cancelled(&["None", "TransactionConflict", "None"]),
        Fault::cancelled(&["ThrottlingError", "None", "None"]),
        Fault::cancelled(&["None", "None", "ProvisionedThroughputExceeded"]),
        Fault::error(400, "TransactionInProgressException"),
        Fault::error(500, "InternalServerError"),
        Fault::error(400, "ThrottlingException"),
    ] {
        bed.wire.next("TransactWriteItems", fault);
    }
    assert_eq!(bed.store.commit_together(&release.members()).await.unwrap(), Together::Applied);
    assert!(bed.wire.all_fired());
}

#[tokio::test]
async fn endless_conflicts_are_contention_and_nothing_was_written() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    bed.wire.always("TransactWriteItems", &Fault::cancelled(&["TransactionConflict", "None", "None"]));
    let error = bed.store.commit_together(&release.members()).await.unwrap_err();
    assert!(matches!(error, StoreError::Contended { .. }), "{error:?}");
    assert_eq!(bed.store.wallet(&release.wallet.owner, sar()).await.unwrap().version, 0);
}

#[tokio::test]
async fn a_transaction_in_doubt_is_unknown_while_it_could_still_happen() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    bed.wire.always("TransactWriteItems", &Fault::NotSent);
    let error = bed.store.commit_together(&release.members()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_transaction_in_doubt_whose_escrow_has_moved_is_over() {
    let bed = bed().await;
    let release = release_of(&bed, "a").await;
    assert_eq!(bed.other().commit_together(&release.members()).await.unwrap(), Together::Applied);
    bed.wire.always("TransactWriteItems", &Fault::NotSent);
    let Together::Failed(failed) = bed.store.commit_together(&release.members()).await.unwrap() else {
        panic!("another invocation has released it");
    };
    assert_eq!(failed[0], Failed { index: 0, stands: Stands::Escrow(Box::new(release.change.escrow.clone())) });
}
