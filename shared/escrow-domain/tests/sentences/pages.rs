//! The journal's pages: the oldest entries leave the item in the commit that makes them leave, and nothing is decided from them.

use crate::fixture::{Deal, Offer, chargeback_closed, deliver, held, minor, refund, release, sar};
use escrow_domain::command::{Command, Fact, RefundOutcome};
use escrow_domain::escrow::MOST_OPERATIONS;
use escrow_domain::id::GatewayName;
use escrow_domain::journal::{Account, ENTRIES_OF_A_PAGE, MOST_ENTRIES_HERE, Posting};
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::Refusal;
use escrow_domain::verify;

/// An escrow with a long history: refunds of a halala, each of them confirmed.
fn long(refunds: u16) -> Deal {
    let mut deal = held();
    for number in 0..refunds {
        deal.act(Role::Seller, refund(Some(1)));
        assert!(deal.refunded(number, RefundOutcome::Succeeded));
    }
    deal
}

#[test]
fn the_item_never_holds_more_than_forty_eight_entries() {
    let mut deal = held();
    for number in 0..100_u16 {
        deal.act(Role::Seller, refund(Some(1)));
        assert!(deal.escrow.journal.entries.len() <= MOST_ENTRIES_HERE);
        assert!(deal.refunded(number, RefundOutcome::Succeeded));
        assert!(deal.escrow.journal.entries.len() <= MOST_ENTRIES_HERE);
        assert_eq!(deal.paged.len() % ENTRIES_OF_A_PAGE, 0);
        assert_eq!(deal.history().count(), deal.escrow.journal.len());
    }
    assert_eq!(deal.escrow.journal.len(), 202);
    assert_eq!(deal.escrow.journal.paged, 160);
}

#[test]
fn the_money_is_checked_however_old_the_entries_are() {
    let deal = long(60);
    assert!(deal.escrow.journal.paged > 0);
    let mut forged = deal.escrow.clone();
    assert_eq!(verify::check_money(&forged), Ok(()));
    forged.journal.carried.clear();
    assert!(verify::check_money(&forged).is_err(), "without what the pages carry over nothing fits");
    let mut forged = deal.escrow.clone();
    let posting = forged.journal.carried.iter_mut().find(|posting| posting.account == Account::Escrow).unwrap();
    posting.units += 1;
    assert!(verify::check_money(&forged).is_err());
    assert!(verify::check_history(&forged, &deal.paged).is_err());
    let mut forged = deal.escrow.clone();
    forged.journal.carried.push(Posting::debit(Account::Fees, minor(5), sar()));
    assert!(verify::check_history(&forged, &deal.paged).is_err(), "nothing is carried over that no page holds");
    let mut pages = deal.paged.clone();
    pages[3].note = Some("another".to_owned());
    assert!(verify::check_history(&deal.escrow, &pages).is_err(), "the chain goes through the pages");
}

#[test]
fn what_happened_long_ago_is_still_known() {
    let mut deal = held();
    let paid = deal.capture_of(0, "pi_1");
    assert!(deal.fact(&crate::fixture::chargeback_opened("du_1")));
    assert!(deal.fact(&chargeback_closed("du_1", true)));
    for number in 0..60 {
        deal.act(Role::Seller, refund(Some(1)));
        deal.refunded(number, RefundOutcome::Succeeded);
    }
    assert!(deal.escrow.journal.paged > 5);
    for fact in [paid, chargeback_closed("du_1", true), deal.refund_told(0, RefundOutcome::Succeeded)] {
        assert!(!deal.fact(&fact), "{fact:?}");
    }
    assert!(deal.fact(&chargeback_closed("du_1", false)), "and a loss is the loss of that chargeback");
    assert_eq!(deal.escrow.chargebacks.len(), 1);
}

#[test]
fn only_what_people_ask_for_is_counted_against_them() {
    let mut deal = held();
    for number in 0..u16::try_from(MOST_OPERATIONS).unwrap() - 1 {
        deal.act(Role::Seller, refund(Some(1)));
        deal.refunded(number, RefundOutcome::Succeeded);
    }
    assert_eq!(deal.escrow.journal.of_people(), MOST_OPERATIONS);
    assert_eq!(deal.escrow.journal.len(), 2 * MOST_OPERATIONS);
    assert_eq!(deal.refusal(Role::Seller, refund(Some(1))), Refusal::Full { what: "operations" });
    assert!(deal.try_as(Role::Seller, deliver()).is_ok(), "the lifecycle bounds it");
    // Time and gateways go on.
    let total = minor(600).of(sar());
    let (gateway, capture, told_at) = (GatewayName::Stripe, "pi_1".to_owned(), deal.now);
    assert!(deal.fact(&Fact::CaptureRefunded { gateway, capture, total, told_at }));
    deal.sleep_until_due();
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Refunding);
}

#[test]
fn one_change_may_turn_pages_with_its_own_entries() {
    // Fifty milestones that nobody pays expire in one change.
    let amounts = [100; 50];
    let pays: Vec<u8> = (0..50).collect();
    let mut deal = Deal::created(&Offer::project(&amounts, &pays));
    deal.sleep_until_due();
    assert!(deal.tick());
    assert_eq!(deal.escrow.journal.len(), 51);
    assert_eq!(deal.paged.len(), ENTRIES_OF_A_PAGE);
}

#[test]
fn a_credit_from_an_entry_that_has_left_the_item_still_lands() {
    let mut deal = Deal::created(&Offer { milestones: vec![(1_000, Default::default()); 50], ..many() });
    deal.page_opened().paid();
    deal.sleep_until_due();
    let attempt = escrow_domain::command::Attempt {
        command: Command::Tick,
        actor: escrow_domain::journal::Actor::clock(),
        operation: escrow_domain::id::Operation { name: [0; 8], content: [0; 8] },
    };
    let outcome = escrow_domain::decide::decide(&deal.escrow, &attempt, deal.moment()).unwrap();
    let escrow_domain::decide::Outcome::Changed(change) = outcome else { panic!("all are released") };
    assert_eq!((change.moves.len(), change.pages.len()), (50, 1));
    deal.commit(change.deferred().unwrap());
    assert_eq!((deal.escrow.credits.len(), deal.in_wallet("usr_seller")), (50, 0));
    assert!(deal.tick());
    assert_eq!((deal.escrow.credits.len(), deal.in_wallet("usr_seller")), (0, 50_000));
    assert!(deal.escrow.is_settled());
}

fn many() -> Offer {
    Offer { pays: (0..50).collect(), ..Offer::of(Kind::Product) }
}

#[test]
fn a_release_in_a_long_history_names_its_entry() {
    let mut deal = long(60);
    deal.act(Role::Buyer, release(None));
    let moved = deal.credits.last().unwrap();
    assert_eq!(usize::try_from(moved.entry).unwrap() + 1, deal.escrow.journal.len());
}
