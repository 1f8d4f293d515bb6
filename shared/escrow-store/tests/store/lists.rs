//! Lists: order, pages, cursors, and bad items among good ones.

use crate::bed::{Bed, Fault, bed, n};
use crate::deal::{Offer, START, offer, user};
use escrow_domain::escrow::Subject;
use escrow_domain::id::EscrowId;
use escrow_domain::time::Period;
use escrow_store::keys;
use escrow_store::lists::{CursorInvalid, List, ListError};

/// So many escrows, made one after another; the newest last. Every second one is bought by another, who also sells to the buyer.
async fn made(bed: &Bed, count: u32) -> Vec<EscrowId> {
    let mut ids = Vec::new();
    for number in 0..count {
        let at = START.after(Period::seconds(number));
        let (buyer, seller) = if number % 2 == 0 { ("usr_a", "usr_b") } else { ("usr_b", "usr_a") };
        let escrow = Offer { key: format!("key-{number}"), buyer, seller, at }.created();
        bed.other().commit(0, &escrow).await.unwrap();
        ids.push(escrow.id);
    }
    ids
}

/// The ids of a list, page by page.
async fn pages(bed: &Bed, list: &List, limit: u8) -> Vec<Vec<EscrowId>> {
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = bed.store.list(list, limit, cursor.as_deref()).await.unwrap();
        pages.push(page.items.into_iter().map(|loaded| loaded.escrow.unwrap().id).collect());
        cursor = page.next;
        if cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_list_is_newest_first_and_complete_whatever_its_pages() {
    let bed = bed().await;
    let ids = made(&bed, 10).await;
    let newest = |keep: fn(usize) -> bool| -> Vec<EscrowId> {
        ids.iter().enumerate().rev().filter(|(place, _)| keep(*place)).map(|(_, id)| *id).collect()
    };
    let subject = Subject { kind: "job".into(), id: "job_42".into() };
    for (list, expected) in [
        (List::Buyer(user("usr_a")), newest(|place| place % 2 == 0)),
        (List::Seller(user("usr_a")), newest(|place| place % 2 == 1)),
        (List::Party(user("usr_a")), newest(|_| true)),
        (List::Subject(subject), newest(|_| true)),
        (List::Buyer(user("usr_nobody")), Vec::new()),
    ] {
        for limit in [1, 2, 3, 5, 10, 100] {
            let pages = pages(&bed, &list, limit).await;
            assert_eq!(pages.concat(), expected, "{list:?} by {limit}");
            // The last page knows that it is the last.
            let wanted = expected.len().div_ceil(usize::from(limit)).max(1);
            assert_eq!(pages.len(), wanted, "{list:?} by {limit}");
        }
    }
}

#[tokio::test]
async fn what_is_made_between_two_pages_does_not_disturb_them() {
    let bed = bed().await;
    let ids = made(&bed, 4).await;
    let list = List::Party(user("usr_a"));
    let first = bed.store.list(&list, 1, None).await.unwrap();
    let newer = Offer { key: "newer".into(), buyer: "usr_a", seller: "usr_b", at: START.after(Period::days(1)) };
    bed.other().commit(0, &newer.created()).await.unwrap();
    let second = bed.store.list(&list, 10, first.next.as_deref()).await.unwrap();
    let rest: Vec<EscrowId> = second.items.into_iter().map(|loaded| loaded.escrow.unwrap().id).collect();
    assert_eq!(rest, [ids[2], ids[1], ids[0]]);
}

#[tokio::test]
async fn a_cursor_of_another_list_and_a_forged_one_are_refused() {
    let bed = bed().await;
    made(&bed, 4).await;
    let page = bed.store.list(&List::Buyer(user("usr_a")), 1, None).await.unwrap();
    let cursor = page.next.unwrap();
    for (list, cursor, expected) in [
        (List::Buyer(user("usr_b")), cursor.as_str(), CursorInvalid::OtherList),
        (List::Seller(user("usr_a")), cursor.as_str(), CursorInvalid::OtherList),
        (List::Buyer(user("usr_a")), "bm90IGpzb24", CursorInvalid::Malformed),
        (List::Buyer(user("usr_a")), "", CursorInvalid::Malformed),
    ] {
        bed.wire.asked();
        let error = bed.store.list(&list, 1, Some(cursor)).await.unwrap_err();
        assert!(matches!(&error, ListError::Cursor(why) if *why == expected), "{error:?}");
        assert!(bed.wire.asked().is_empty(), "nothing is asked for a cursor that is none");
    }
}

#[tokio::test]
async fn one_bad_item_blocks_nothing() {
    let bed = bed().await;
    let ids = made(&bed, 3).await;
    bed.tamper(&keys::escrow(ids[1]), &[("m", None)]).await;
    let page = bed.store.list(&List::Party(user("usr_a")), 10, None).await.unwrap();
    let read: Vec<bool> = page.items.iter().map(|loaded| loaded.escrow.is_ok()).collect();
    assert_eq!(read, [true, false, true]);
}

#[tokio::test]
async fn keys_that_a_batch_leaves_out_are_asked_for_again() {
    let bed = bed().await;
    let ids = made(&bed, 3).await;
    let keys: Vec<_> = ids.iter().map(|id| keys::escrow(*id)).collect();
    let left: Vec<String> =
        keys.iter().map(|key| format!(r#"{{"pk":{{"S":"{}"}},"sk":{{"S":"E"}}}}"#, key.pk)).collect();
    let left = left.join(",");
    let unprocessed =
        format!(r#"{{"Responses":{{"holdfast":[]}},"UnprocessedKeys":{{"holdfast":{{"Keys":[{left}]}}}}}}"#);
    bed.wire.next("BatchGetItem", Fault::Answer(200, unprocessed));
    let loaded = bed.store.load(&keys).await.unwrap();
    let found: Vec<EscrowId> = loaded.into_iter().map(|loaded| loaded.escrow.unwrap().id).collect();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn only_open_disputes_are_listed_the_most_urgent_first() {
    let bed = bed().await;
    let later = Offer { key: "later".into(), at: START.after(Period::days(3)), ..offer("x") };
    for escrow in [later.disputed(), offer("urgent").disputed(), offer("calm").delivered()] {
        bed.other().commit(0, &escrow).await.unwrap();
    }
    let expected = vec![vec![offer("urgent").id()], vec![later.id()]];
    assert_eq!(pages(&bed, &List::OpenDisputes, 1).await, expected);
    assert_eq!(bed.entries("disputes").await, 2);
}

#[tokio::test]
async fn a_statement_is_newest_first_and_its_cursor_is_its_own() {
    let bed = bed().await;
    for number in 0..3 {
        let delivered = offer(&format!("key-{number}")).delivered();
        bed.other().commit(0, &delivered).await.unwrap();
        let start = escrow_store::change::Start::Load(delivered.id);
        let now = crate::deal::moment(crate::deal::later(&delivered));
        bed.other().change(start, |escrow| crate::deal::release(escrow, now)).await.unwrap();
    }
    let owner = user("usr_01hselle");
    let first = bed.store.statement(&owner, crate::deal::sar(), 2, None).await.unwrap();
    let numbers: Vec<u64> = first.items.into_iter().map(|line| line.unwrap().number).collect();
    assert_eq!(numbers, [2, 1]);
    let cursor = first.next.unwrap();
    let second = bed.store.statement(&owner, crate::deal::sar(), 2, Some(&cursor)).await.unwrap();
    let numbers: Vec<u64> = second.items.into_iter().map(|line| line.unwrap().number).collect();
    assert_eq!((numbers, second.next), (vec![0], None));
    let error = bed.store.statement(&user("usr_other"), crate::deal::sar(), 2, Some(&cursor)).await.unwrap_err();
    assert!(matches!(error, ListError::Cursor(CursorInvalid::OtherList)), "{error:?}");
    // A line that somebody has changed is told as such, and the others are shown.
    bed.tamper(&keys::wallet_line(&owner, crate::deal::sar(), 1), &[("m", Some(n(1)))]).await;
    let lines = bed.store.statement(&owner, crate::deal::sar(), 10, None).await.unwrap().items;
    assert_eq!(lines.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}
