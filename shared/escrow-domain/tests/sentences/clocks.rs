//! Deadlines: half-open windows, and what happens when nobody does anything.

use crate::fixture::{
    Deal, Offer, cancel, deliver, delivered, dispute, held, held_as, minor, release, request_changes,
};
use escrow_domain::command::Command;
use escrow_domain::decide::guard;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Period;

const INSTANT: Period = Period::from_millis(1);

fn just_before(period: Period) -> Period {
    Period::from_millis(period.as_millis() - 1)
}

#[test]
fn silence_after_delivery_is_acceptance_at_the_deadline_and_not_before() {
    let mut deal = delivered();
    deal.wait(just_before(Period::days(7)));
    assert!(!deal.tick());
    deal.wait(INSTANT);
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Released);
}

#[test]
fn what_is_never_delivered_goes_back_at_the_deadline_and_not_before() {
    let mut deal = held();
    deal.wait(just_before(Period::days(30)));
    assert!(!deal.tick());
    deal.wait(INSTANT);
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Refunding);
}

#[test]
fn windows_are_half_open() {
    // Each: a deal, how long the window is, who does what in it.
    type Window = (fn() -> Deal, Period, Role, Command);
    let windows: [Window; 4] = [
        (held, Period::days(30), Role::Seller, deliver()),
        (delivered, Period::days(7), Role::Buyer, dispute(None)),
        (delivered, Period::days(7), Role::Buyer, request_changes()),
        (crate::fixture::disputed, Period::days(30), Role::Buyer, crate::fixture::withdraw_dispute()),
    ];
    for (deal, window, role, command) in windows {
        let mut deal = deal();
        let ended_at = deal.now.after(window);
        deal.wait(just_before(window));
        assert!(deal.try_as(role, command.clone()).is_ok(), "{command:?}");
        deal.wait(INSTANT);
        assert_eq!(deal.refusal(role, command), Refusal::TooLate { ended_at });
    }
}

#[test]
fn the_window_to_think_again_is_half_open_and_after_it_the_same_words_only_ask() {
    let mut deal = held();
    let ended_at = deal.now.after(Period::days(1));
    deal.wait(just_before(Period::days(1)));
    assert!(deal.clone().act(Role::Buyer, cancel()).stage() == Stage::Refunding);
    deal.wait(INSTANT);
    let withdraw = guard(&deal.escrow, Transition::Withdraw, Role::Buyer, 0, deal.now);
    assert_eq!(withdraw, Err(Refusal::TooLate { ended_at }));
    assert!(deal.act(Role::Buyer, cancel()).stage() == Stage::Held);
}

#[test]
fn a_dispute_is_possible_before_delivery_at_any_time() {
    let mut deal = held();
    deal.wait(just_before(Period::days(30)));
    assert!(deal.try_as(Role::Buyer, dispute(None)).is_ok());
}

#[test]
fn a_longer_window_for_disputes_does_not_hold_the_release_up() {
    let mut offer = Offer::of(Kind::Service);
    offer.policy.dispute_window = Period::days(14);
    let mut deal = held_as(&offer);
    deal.act(Role::Seller, deliver()).wait(Period::days(7));
    assert!(deal.tick());
    assert!(matches!(deal.refusal(Role::Buyer, dispute(None)), Refusal::WrongStage { .. }));
}

#[test]
fn three_rounds_of_changes() {
    let mut deal = held();
    for _ in 0..3 {
        deal.act(Role::Seller, deliver()).act(Role::Buyer, request_changes());
        assert_eq!(deal.stage(), Stage::Held);
        assert_eq!(deal.escrow.milestones[0].auto_release_at, None);
        assert_eq!(deal.escrow.milestones[0].deliver_by, Some(deal.now.after(Period::days(7))));
    }
    deal.act(Role::Seller, deliver());
    assert_eq!(deal.refusal(Role::Buyer, request_changes()), Refusal::RoundsUsedUp);
}

#[test]
fn a_revision_that_never_comes_is_a_missed_delivery() {
    let mut deal = delivered();
    deal.wait(Period::days(6)).act(Role::Buyer, request_changes());
    deal.wait(just_before(Period::days(7)));
    assert!(!deal.tick());
    deal.wait(INSTANT);
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Refunding);
}

#[test]
fn a_revision_has_no_more_time_than_the_whole_delivery_had() {
    let mut offer = Offer::of(Kind::Service);
    offer.policy.deliver_within = Period::days(2);
    let mut deal = held_as(&offer);
    deal.act(Role::Seller, deliver()).act(Role::Buyer, request_changes());
    assert_eq!(deal.escrow.milestones[0].deliver_by, Some(deal.now.after(Period::days(2))));
}

#[test]
fn every_delivery_gives_the_whole_time_to_inspect() {
    let mut deal = delivered();
    deal.wait(Period::days(6)).act(Role::Buyer, request_changes());
    deal.wait(Period::days(5)).act(Role::Seller, deliver());
    assert_eq!(deal.deadline(), Some(deal.now.after(Period::days(7))));
    assert_eq!(deal.escrow.milestones[0].deliver_by, None);
}

#[test]
fn one_tick_does_everything_that_is_due_on_every_milestone() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0, 1, 2]));
    deal.page_opened().paid();
    let named = |milestone| Command::Deliver { milestone: Some(milestone), note: None };
    deal.act(Role::Seller, named(0)).act(Role::Seller, named(2));
    deal.wait(Period::days(365));
    assert!(deal.tick());
    let stages: Vec<Stage> = deal.escrow.milestones.iter().map(|milestone| milestone.stage()).collect();
    assert_eq!(stages, [Stage::Released, Stage::Refunding, Stage::Released]);
    assert_eq!(deal.credits.len(), 2);
    assert!(!deal.tick());
}

#[test]
fn a_part_that_was_released_leaves_the_clock_of_the_rest_where_it_was() {
    let mut deal = delivered();
    let due = deal.deadline();
    deal.wait(Period::days(1)).act(Role::Buyer, release(Some(5_000)));
    assert_eq!((deal.deadline(), deal.stage()), (due, Stage::Delivered));
    deal.sleep_until_due().tick();
    assert_eq!(deal.escrow.milestones[0].money.released, minor(15_000));
}
