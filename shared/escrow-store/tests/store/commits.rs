//! Commits of one escrow: conflicts, absences, lost answers, doubt, contention.

use crate::bed::{Fault, bed};
use crate::deal::{changed, deliver, later, moment, offer};
use escrow_store::{Outcome, StoreError, Unreadable, keys};

#[tokio::test]
async fn what_was_committed_is_loaded_as_it_was() {
    let bed = bed().await;
    for escrow in [offer("a").created(), offer("b").opened(), offer("c").held(), offer("d").disputed()] {
        assert_eq!(bed.store.commit(0, &escrow).await.unwrap(), Outcome::Applied);
        assert_eq!(bed.store.escrow(escrow.id).await.unwrap(), Some(escrow));
    }
    assert_eq!(bed.store.escrow(offer("never made").id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_commit_on_an_old_version_moves_nothing_and_brings_what_stands_there() {
    let bed = bed().await;
    let held = offer("a").held();
    bed.store.commit(0, &held).await.unwrap();
    let first = changed(deliver(&held, moment(later(&held)))).escrow;
    assert_eq!(bed.other().commit(held.version, &first).await.unwrap(), Outcome::Applied);
    let mut second = first.clone();
    second.updated_at = later(&first);
    let outcome = bed.store.commit(held.version, &second).await.unwrap();
    assert_eq!(outcome, Outcome::Moved(Box::new(first.clone())));
    assert_eq!(bed.store.escrow(held.id).await.unwrap(), Some(first));
}

#[tokio::test]
async fn creating_twice_brings_the_first() {
    let bed = bed().await;
    let created = offer("a").created();
    bed.store.commit(0, &created).await.unwrap();
    let outcome = bed.other().commit(0, &created).await.unwrap();
    assert_eq!(outcome, Outcome::Moved(Box::new(created)), "equal bytes of another invocation are not one's own write");
}

#[tokio::test]
async fn a_commit_on_what_was_never_created_is_missing() {
    let bed = bed().await;
    let held = offer("a").held();
    assert_eq!(bed.store.commit(held.version - 1, &held).await.unwrap(), Outcome::Missing);
    assert_eq!(bed.store.escrow(held.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_recognised_as_ones_own() {
    for fault in [Fault::LoseAnswer, Fault::Twice] {
        let bed = bed().await;
        let created = offer("a").created();
        bed.wire.next("PutItem", fault.clone());
        assert_eq!(bed.store.commit(0, &created).await.unwrap(), Outcome::Applied, "{fault:?}");
        let opened = offer("a").opened();
        bed.wire.next("PutItem", fault.clone());
        assert_eq!(bed.store.commit(1, &opened).await.unwrap(), Outcome::Applied, "{fault:?}");
        assert!(bed.wire.all_fired());
        assert_eq!(bed.store.escrow(created.id).await.unwrap(), Some(opened));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_not_waited_for() {
    let bed = bed().await;
    bed.wire.next("PutItem", Fault::Hang);
    assert_eq!(bed.store.commit(0, &offer("a").created()).await.unwrap(), Outcome::Applied);
    assert_eq!(bed.wire.asked(), ["PutItem", "PutItem"]);
}

#[tokio::test]
async fn a_write_that_never_arrived_is_sent_again() {
    let bed = bed().await;
    for fault in [
        Fault::NotSent,
        Fault::error(500, "InternalServerError"),
        Fault::error(400, "ThrottlingException"),
        Fault::error(400, "ProvisionedThroughputExceededException"),
        Fault::error(400, "TransactionConflictException"),
    ] {
        bed.wire.next("PutItem", fault);
    }
    assert_eq!(bed.store.commit(0, &offer("a").created()).await.unwrap(), Outcome::Applied);
    assert!(bed.wire.all_fired());
}

#[tokio::test]
async fn a_lost_race_after_a_lost_answer_brings_what_stands_there() {
    let bed = bed().await;
    let held = offer("a").held();
    bed.store.commit(0, &held).await.unwrap();
    let mine = changed(deliver(&held, moment(later(&held)))).escrow;
    // Mine is written, its answer lost; before the repetition another invocation writes on top of it.
    bed.wire.next("PutItem", Fault::LoseAnswer);
    bed.wire.next("PutItem", Fault::error(500, "InternalServerError"));
    bed.wire.next("PutItem", Fault::error(500, "InternalServerError"));
    let other = bed.other();
    let theirs = changed(crate::deal::release(&mine, moment(later(&mine))));
    let race = async {
        loop {
            let written = other.commit(mine.version, &theirs.escrow).await.unwrap();
            if written == Outcome::Applied {
                break;
            }
        }
    };
    let (outcome, ()) = tokio::join!(bed.store.commit(held.version, &mine), race);
    // Whether it was mine cannot be told any more; the journal of what stands there tells that it happened.
    match outcome.unwrap() {
        Outcome::Applied => {}
        Outcome::Moved(escrow) => assert_eq!(*escrow, theirs.escrow),
        Outcome::Missing => panic!("it was there"),
    }
}

#[tokio::test]
async fn a_throttled_table_is_contention_and_nothing_was_written() {
    let bed = bed().await;
    bed.wire.always("PutItem", &Fault::error(400, "ThrottlingException"));
    let error = bed.store.commit(0, &offer("a").created()).await.unwrap_err();
    assert!(matches!(error, StoreError::Contended { attempts: 8 }), "{error:?}");
    assert_eq!(bed.store.escrow(offer("a").id()).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_lost_for_good_is_found_out_by_reading_the_token() {
    let bed = bed().await;
    bed.wire.next("PutItem", Fault::LoseAnswer);
    bed.wire.always("PutItem", &Fault::NotSent);
    assert_eq!(bed.store.commit(0, &offer("a").created()).await.unwrap(), Outcome::Applied);
}

#[tokio::test]
async fn doubt_that_nothing_can_end_is_unknown_and_never_a_failure() {
    let bed = bed().await;
    // Nothing stands there yet, but a request may still be on its way.
    bed.wire.always("PutItem", &Fault::NotSent);
    let error = bed.store.commit(0, &offer("a").created()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    // It stands there, but cannot be read.
    bed.wire.heal();
    bed.wire.next("PutItem", Fault::LoseAnswer);
    bed.wire.always("PutItem", &Fault::NotSent);
    bed.wire.always("GetItem", &Fault::NotSent);
    let error = bed.store.commit(0, &offer("a").created()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
    bed.wire.heal();
    assert!(bed.store.escrow(offer("a").id()).await.unwrap().is_some());
}

#[tokio::test]
async fn one_doubtful_attempt_among_throttled_ones_stays_in_doubt() {
    let bed = bed().await;
    let held = offer("a").held();
    bed.store.commit(0, &held).await.unwrap();
    let delivered = changed(deliver(&held, moment(later(&held)))).escrow;
    bed.wire.next("PutItem", Fault::error(500, "InternalServerError"));
    bed.wire.always("PutItem", &Fault::error(400, "ThrottlingException"));
    let error = bed.store.commit(held.version, &delivered).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_definite_no_is_not_tried_again() {
    let bed = bed().await;
    bed.wire.asked();
    bed.wire.next("PutItem", Fault::error(400, "AccessDeniedException"));
    let error = bed.store.commit(0, &offer("a").created()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert_eq!(bed.wire.asked(), ["PutItem"]);
}

#[tokio::test]
async fn reads_are_patient_and_end_as_unavailable() {
    let bed = bed().await;
    bed.store.commit(0, &offer("a").created()).await.unwrap();
    bed.wire.next("GetItem", Fault::NotSent);
    bed.wire.next("GetItem", Fault::error(400, "ThrottlingException"));
    assert!(bed.store.escrow(offer("a").id()).await.unwrap().is_some());
    bed.wire.always("GetItem", &Fault::NotSent);
    let error = bed.store.escrow(offer("a").id()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn what_could_not_be_read_again_is_not_written() {
    let bed = bed().await;
    let mut broken = offer("a").held();
    broken.milestones[0].money.held = crate::deal::minor(14_999);
    let error = bed.store.commit(0, &broken).await.unwrap_err();
    assert!(matches!(error, StoreError::Unwritable(_)), "{error:?}");
    let mut standing_still = offer("a").held();
    standing_still.version = 3;
    let error = bed.store.commit(3, &standing_still).await.unwrap_err();
    assert!(matches!(error, StoreError::Unwritable(_)), "{error:?}");
    assert_eq!(bed.item(&keys::escrow(broken.id)).await, None);
}

#[tokio::test]
async fn a_lost_race_against_a_newer_release_is_not_decided_on() {
    let bed = bed().await;
    let held = offer("a").held();
    bed.store.commit(0, &held).await.unwrap();
    let delivered = changed(deliver(&held, moment(later(&held)))).escrow;
    let key = keys::escrow(held.id);
    bed.tamper(&key, &[("f", Some(crate::bed::n(3))), ("v", Some(crate::bed::n(9)))]).await;
    let before = bed.item(&key).await;
    let error = bed.store.commit(held.version, &delivered).await.unwrap_err();
    let StoreError::Unreadable(Unreadable::NewerFormat { found: 3, known: 2, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(bed.item(&key).await, before);
}
