//! Sheets: what is worked out and could be worked out again, written by one run at a time.

use crate::bed::{Fault, bed, n};
use crate::deal::START;
use escrow_domain::time::Period;
use escrow_store::keys;
use escrow_store::sheets::{Day, Sheet, Text};

#[tokio::test]
async fn of_two_runs_that_meet_one_writes() {
    let bed = bed().await;
    assert_eq!(bed.store.sheet(Sheet::Reconciler).await.unwrap(), None);
    bed.wire.next("PutItem", Fault::LoseAnswer);
    assert!(bed.store.write_sheet(Sheet::Reconciler, 0, "a").await.unwrap());
    assert!(!bed.other().write_sheet(Sheet::Reconciler, 0, "b").await.unwrap());
    assert!(bed.other().write_sheet(Sheet::Reconciler, 1, "c").await.unwrap());
    assert!(!bed.store.write_sheet(Sheet::Reconciler, 1, "d").await.unwrap());
    assert_eq!(bed.store.sheet(Sheet::Reconciler).await.unwrap(), Some(Text { version: 2, text: "c".into() }));
    bed.tamper(&keys::reconciler(), &[("x", Some(n(1)))]).await;
    assert!(bed.store.sheet(Sheet::Reconciler).await.is_err());
}

#[tokio::test]
async fn figures_are_read_day_by_day_as_far_as_they_were_written() {
    let bed = bed().await;
    let first = Day::of(START);
    assert!(first.begins() <= START && START < first.next().begins());
    assert_eq!(Day::of(first.next().begins()), first.next());
    let days: Vec<Day> = std::iter::successors(Some(first), |day| Some(day.next())).take(5).collect();
    for (number, day) in days.iter().enumerate().filter(|(number, _)| *number != 2) {
        bed.store.write_sheet(Sheet::Figures(*day), 0, &format!("day {number}")).await.unwrap();
    }
    let found = bed.store.figures(days[1], days[3]).await.unwrap();
    assert_eq!(found, [(days[1], "day 1".to_owned()), (days[3], "day 3".to_owned())]);
    assert_eq!(bed.store.figures(days[3], days[1]).await.unwrap(), []);
    // However much is asked for, the answer ends.
    let far = Day::of(START.after(Period::days(100_000)));
    assert_eq!(bed.store.figures(first, far).await.unwrap().len(), 4);
}
