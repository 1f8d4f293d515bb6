//! Credits that are put off, so that a wallet in demand does not slow an escrow: they wait in it, and land once.

use crate::fixture::{
    Deal, Offer, actor, chargeback_opened, delivered, freeze, minor, refund, release, rule, unfreeze,
};
use escrow_domain::command::{Attempt, Command};
use escrow_domain::decide::{self, Change, Outcome};
use escrow_domain::escrow::DeferredCredit;
use escrow_domain::id::Operation;
use escrow_domain::journal::Seen;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::policy::Kind;
use escrow_domain::time::Period;
use escrow_domain::verify;
use escrow_domain::wallet::LineKind;

fn change(deal: &Deal, role: Role, command: Command) -> Change {
    match deal.try_as(role, command).unwrap() {
        Outcome::Changed(change) => *change,
        Outcome::AlreadyDone => panic!("it changes something"),
    }
}

/// Delivered, and released with its credit put off.
fn deferred() -> Deal {
    let mut deal = Deal::created(&Offer::with_fee(1_000, 500));
    deal.page_opened().paid();
    let change = change(&deal, Role::Buyer, release(Some(10_000)));
    assert!(change.can_be_deferred());
    deal.commit(change.deferred().unwrap());
    deal
}

#[test]
fn a_credit_that_is_put_off_is_in_transit_and_due_at_once() {
    let deal = deferred();
    assert!(deal.credits.is_empty(), "no wallet is in the commit");
    let [credit] = deal.escrow.credits.as_slice() else { panic!("one credit") };
    let expected = DeferredCredit {
        owner: "usr_seller".parse().unwrap(),
        amount: minor(9_667),
        kind: LineKind::Release,
        entry: 2,
        since: deal.now,
    };
    assert_eq!(*credit, expected);
    assert_eq!(deal.ledger().get("credits:usr_seller"), Some(&-9_667));
    assert_eq!(deal.ledger().get("wallet:usr_seller"), None);
    assert_eq!(deal.escrow.due_at(), Some(deal.now));
    assert!(!deal.escrow.deadlines().iter().any(|deadline| deadline.at <= deal.now), "nobody waits for it");
}

#[test]
fn it_is_the_same_operation_and_says_the_same_of_everything_else() {
    let mut deal = Deal::created(&Offer::with_fee(1_000, 500));
    deal.page_opened().paid();
    let now = change(&deal, Role::Buyer, release(Some(10_000)));
    let later = now.clone().deferred().unwrap();
    assert_eq!(now.escrow.journal.operations, later.escrow.journal.operations);
    assert_eq!((&now.escrow.milestones, now.escrow.version), (&later.escrow.milestones, later.escrow.version));
    assert_ne!(now.escrow.journal.head, later.escrow.journal.head, "another entry has another hash");
    verify::check_history(&later.escrow, &[]).unwrap();
    let operation = *later.escrow.journal.operations.last().unwrap();
    assert_eq!(later.escrow.journal.seen(&operation), Seen::Before(2));
}

#[test]
fn it_lands_once() {
    let mut deal = deferred();
    assert!(deal.tick());
    assert_eq!((deal.in_wallet("usr_seller"), deal.escrow.credits.len()), (9_667, 0));
    let last = deal.escrow.journal.entries.last().unwrap();
    assert_eq!((last.transition, last.actor.role), (Transition::CreditWallet, Role::Clock));
    assert_eq!(deal.ledger().get("credits:usr_seller"), None);
    assert!(!deal.tick());
}

#[test]
fn a_stop_does_not_hold_back_what_was_released_before() {
    for stop in [true, false] {
        let mut deal = deferred();
        if stop {
            deal.act(Role::Operator, freeze());
        } else {
            deal.fact(&chargeback_opened("du_1"));
        }
        assert_eq!(deal.escrow.due_at(), Some(deal.now));
        assert!(deal.tick());
        assert_eq!(deal.in_wallet("usr_seller"), 9_667);
    }
}

#[test]
fn an_escrow_is_settled_when_its_last_credit_has_landed() {
    let mut deal = delivered();
    let all = change(&deal, Role::Buyer, release(None)).deferred().unwrap();
    deal.commit(all);
    assert_eq!(deal.stage(), Stage::Released);
    assert!(!deal.escrow.is_settled());
    deal.tick();
    assert!(deal.escrow.is_settled());
    assert_eq!(deal.escrow.due_at(), None);
}

#[test]
fn both_sides_credits_of_one_ruling_are_put_off() {
    let mut deal = Deal::created(&Offer::of(Kind::Service).paid_by_wallet());
    deal.act(Role::Buyer, crate::fixture::dispute(None)).wait(Period::days(3));
    let split = change(&deal, Role::Arbiter, rule(5_000)).deferred().unwrap();
    deal.commit(split);
    assert_eq!(deal.escrow.credits.len(), 2);
    assert!(deal.tick());
    assert_eq!((deal.in_wallet("usr_seller"), deal.in_wallet("usr_buyer")), (10_000, -15_000 + 5_000));
}

#[test]
fn what_takes_from_a_wallet_and_what_was_put_off_before_is_not_put_off() {
    let deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    let mut payment = crate::fixture::new_payment(&[1], deal.now.after(Period::hours(1)));
    payment.source = escrow_domain::payment::Source::Wallet;
    let funding = change(&deal, Role::Buyer, Command::AddPayment(payment));
    assert!(!funding.can_be_deferred());
    assert_eq!(funding.clone().deferred(), Ok(funding), "nothing about it can wait");
    let deal = deferred();
    let name = Operation { name: [0; 8], content: [0; 8] };
    let attempt = Attempt { command: Command::Tick, actor: actor(Role::Clock), operation: name };
    let Outcome::Changed(landing) = decide::decide(&deal.escrow, &attempt, deal.moment()).unwrap() else { panic!() };
    assert!(!landing.can_be_deferred(), "or it would never land");
}

#[test]
fn the_ledger_in_transit_is_what_waits() {
    let mut deal = deferred();
    deal.act(Role::Operator, freeze()).act(Role::Operator, unfreeze()).act(Role::Seller, refund(Some(1_000)));
    let mut forged = deal.escrow.clone();
    forged.credits[0].amount = minor(9_668);
    assert!(verify::check_money(&forged).is_err());
    forged.credits.clear();
    assert!(verify::check_money(&forged).is_err());
}

/// A transaction has at most a hundred items, and each credit that lands is a line of its own.
#[test]
fn however_many_credits_wait_they_land_in_commits_that_a_transaction_can_hold() {
    let mut deal = Deal::created(&Offer::of(Kind::Service));
    deal.page_opened().paid();
    deal.defers = true;
    for _release in 0..120 {
        deal.act(Role::Buyer, release(Some(100)));
    }
    assert_eq!(deal.escrow.credits.len(), 120);
    let mut sweeps = 0;
    while !deal.escrow.credits.is_empty() {
        let landed = deal.credits.len();
        assert!(deal.tick());
        let lines = deal.credits.len() - landed;
        assert!((1..=90).contains(&lines), "{lines} lines, a wallet, an escrow and its pages in one transaction");
        sweeps += 1;
    }
    assert_eq!((sweeps, deal.in_wallet("usr_seller")), (2, 12_000));
}
