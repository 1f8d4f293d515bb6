//! What stands beside an escrow: pages of its journal and evidence, put in the transaction of the change that made them.

use crate::bed::{Fault, bed, n};
use crate::deal::{by, later, moment, offer, user};
use escrow_domain::command::{Attempt, Command};
use escrow_domain::decide::{self, Outcome as Decided};
use escrow_domain::dispute::Evidence;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::Operation;
use escrow_domain::journal::{Actor, Entry};
use escrow_domain::lifecycle::Role;
use escrow_domain::refusal::Undecided;
use escrow_domain::verify::check_history;
use escrow_store::change::Start;
use escrow_store::items::size;
use escrow_store::{StoreError, Unreadable, keys};

/// An operator stops the escrow, and lets it go on: two entries a round.
fn rounds(escrow: &Escrow, round: usize) -> Result<Decided, Undecided> {
    let reason = format!("look {round}");
    let command = match escrow.freezes.is_empty() {
        true => Command::Freeze { reason },
        false => Command::Unfreeze { reason },
    };
    let operation = Operation::of_person("issuer", "usr_operator", "POST", "freeze", &round.to_string(), b"{}");
    let actor = Actor::person(Role::Operator, user("usr_operator"));
    decide::decide(escrow, &Attempt { command, actor, operation }, moment(later(escrow)))
}

#[tokio::test]
async fn old_entries_move_into_pages_with_the_change_that_moves_them_and_the_item_stays_small() {
    let bed = bed().await;
    let held = offer("a").held();
    bed.store.commit(0, &held).await.unwrap();
    let (mut paged, mut largest) = (0, 0);
    for round in 0..120 {
        bed.wire.asked();
        // Every answer that moves entries is lost once.
        bed.wire.next("TransactWriteItems", Fault::LoseAnswer);
        let changed = bed.store.change(Start::Load(held.id), |escrow| rounds(escrow, round)).await.unwrap();
        assert!(changed.is_committed());
        let escrow = changed.into_escrow();
        let asked = bed.wire.asked();
        if escrow.journal.paged > paged {
            paged = escrow.journal.paged;
            assert_eq!(asked, ["GetItem", "TransactWriteItems", "TransactWriteItems"]);
        } else {
            assert_eq!(asked, ["GetItem", "PutItem"], "nothing but the escrow changes");
        }
        bed.wire.heal();
        largest = largest.max(size::of(&bed.item(&keys::escrow(held.id)).await.unwrap()));
    }
    let escrow = bed.store.escrow(held.id).await.unwrap().unwrap();
    assert_eq!((escrow.journal.len(), paged), (122, 96));
    assert!(largest < 10 * 1024, "{largest}");
    // With its pages the history is whole, and each entry is found by its number.
    let mut entries: Vec<Entry> = Vec::new();
    for number in 0..3 {
        let page = bed.store.journal_page(held.id, number).await.unwrap();
        assert_eq!((page.number, usize::try_from(page.first).unwrap()), (number, entries.len()));
        entries.extend(page.entries);
    }
    check_history(&escrow, &entries).unwrap();
    assert_eq!(bed.store.paged_entry(held.id, 40).await.unwrap(), entries[40]);
    // A page that is missing is told.
    let error = bed.store.journal_page(held.id, 3).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(Unreadable::Corrupt { .. })), "{error:?}");
    bed.tamper(&keys::journal_page(held.id, 1), &[("e", Some(n(1)))]).await;
    assert!(bed.store.journal_page(held.id, 1).await.is_err());
}

fn piece(by: Role, what: &str, escrow: &Escrow) -> Evidence {
    Evidence {
        kind: "screenshot".into(),
        uri: format!("https://market.example.com/{what}"),
        sha256: Some("ab".repeat(32)),
        note: None,
        by,
        at: later(escrow),
    }
}

fn adds(escrow: &Escrow, role: Role, what: &str) -> Result<Decided, Undecided> {
    let command = Command::AddEvidence { milestone: None, evidence: vec![piece(role, what, escrow)] };
    decide::decide(escrow, &by(escrow, role, what, command), moment(later(escrow)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_of_both_sides_at_once_is_all_kept_each_under_its_own_number() {
    let bed = bed().await;
    let disputed = offer("a").disputed();
    bed.store.commit(0, &disputed).await.unwrap();
    let mut racers = tokio::task::JoinSet::new();
    for (role, what) in [(Role::Buyer, "b1"), (Role::Seller, "s1"), (Role::Buyer, "b2"), (Role::Seller, "s2")] {
        let (store, id) = (bed.other(), disputed.id);
        racers.spawn(async move {
            let changed = store.change(Start::Load(id), |escrow| adds(escrow, role, what)).await.unwrap();
            assert!(changed.is_committed());
            // Told again, nothing is added.
            assert!(!store.change(Start::Load(id), |escrow| adds(escrow, role, what)).await.unwrap().is_committed());
        });
    }
    racers.join_all().await;
    let escrow = bed.store.escrow(disputed.id).await.unwrap().unwrap();
    let dispute = &escrow.disputes[0];
    assert_eq!((dispute.evidence_of_buyer, dispute.evidence_of_seller), (2, 2));
    let evidence = bed.store.evidence(&escrow, 0, 100).await.unwrap();
    assert_eq!(evidence.iter().map(|piece| piece.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let mut uris: Vec<&str> = evidence.iter().filter_map(|piece| piece.evidence.uri.rsplit('/').next()).collect();
    uris.sort_unstable();
    assert_eq!(uris, ["b1", "b2", "s1", "s2"]);
    // What stands beside it is not taken for an escrow, a list, or something due.
    assert_eq!(bed.entries("due").await, 1);
    bed.tamper(&keys::evidence(escrow.id, 0, 2), &[("u", None)]).await;
    assert!(bed.store.evidence(&escrow, 0, 100).await.is_err());
}

#[tokio::test]
async fn a_piece_that_stands_where_a_new_one_belongs_is_never_written_over() {
    let bed = bed().await;
    let disputed = offer("a").disputed();
    bed.store.commit(0, &disputed).await.unwrap();
    bed.store.change(Start::Load(disputed.id), |escrow| adds(escrow, Role::Buyer, "b1")).await.unwrap();
    // A restored escrow, whose evidence was not restored with it.
    bed.tamper(&keys::escrow(disputed.id), &[("v", Some(n(1)))]).await;
    let mut item = bed.item(&keys::escrow(disputed.id)).await.unwrap();
    let fresh = offer("b").disputed();
    bed.other().commit(0, &fresh).await.unwrap();
    for (name, value) in bed.item(&keys::escrow(fresh.id)).await.unwrap() {
        if name != "pk" {
            item.insert(name, value);
        }
    }
    bed.put(item).await;
    let before = bed.item(&keys::evidence(disputed.id, 0, 0)).await;
    let start = Start::Load(disputed.id);
    let error = bed.store.change(start, |escrow| adds(escrow, Role::Seller, "s1")).await.unwrap_err();
    assert!(format!("{error:?}").contains("Corrupt"), "{error:?}");
    assert_eq!(bed.item(&keys::evidence(disputed.id, 0, 0)).await, before);
}
