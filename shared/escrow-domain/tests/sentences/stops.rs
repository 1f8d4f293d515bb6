//! Freezes and reviews: nothing leaves, no clock runs, and what was stopped goes on with all of its time.

use crate::fixture::{
    Deal, Offer, chargeback_closed, chargeback_opened, deliver, delivered, dispute, disputed, freeze, held, held_as,
    in_review, refund, refunding, release, rule, unfreeze, withdraw_dispute,
};
use escrow_domain::command::{Command, RefundOutcome};
use escrow_domain::decide::guard;
use escrow_domain::effect::Task;
use escrow_domain::escrow::FreezeCause;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Period;
use escrow_domain::work::Plan;

#[test]
fn a_freeze_lets_nothing_out() {
    let frozen = Refusal::Frozen { reason: "suspicion".to_owned() };
    let mut deal = delivered();
    deal.act(Role::Operator, freeze());
    for (role, command) in [
        (Role::Buyer, release(None)),
        (Role::Seller, refund(None)),
        (Role::Operator, release(None)),
        (Role::Operator, refund(None)),
    ] {
        assert_eq!(deal.refusal(role, command), frozen);
    }
    let mut deal = disputed();
    deal.act(Role::Operator, freeze()).wait(Period::days(3));
    assert_eq!(deal.refusal(Role::Arbiter, rule(0)), frozen);
}

#[test]
fn a_freeze_lets_everything_else_go_on() {
    let mut deal = held();
    deal.act(Role::Operator, freeze()).act(Role::Seller, deliver()).act(Role::Buyer, dispute(None));
    deal.act(Role::Buyer, withdraw_dispute());
}

#[test]
fn no_clock_runs_during_a_stop() {
    let mut deal = delivered();
    deal.act(Role::Operator, freeze()).wait(Period::days(300));
    deal.tick();
    assert_eq!(deal.stage(), Stage::Delivered);
    let mut deal = disputed();
    deal.act(Role::Operator, freeze()).wait(Period::days(300));
    deal.tick();
    assert_eq!(deal.stage(), Stage::Disputed);
}

#[test]
fn the_alarm_of_a_stop_repeats_daily() {
    let mut deal = delivered();
    deal.act(Role::Operator, freeze());
    for _ in 0..3 {
        let before = deal.now;
        let entries = deal.escrow.journal.len();
        deal.sleep_until_due();
        assert_eq!(deal.now.since(before), Period::days(1));
        assert!(deal.tick());
        assert_eq!(deal.escrow.journal.len(), entries, "an alarm is no entry");
    }
    deal.act(Role::Operator, unfreeze());
    assert_eq!(deal.escrow.alarm_at, None);
}

#[test]
fn a_stop_moves_every_deadline_by_its_length() {
    let stop = |mut deal: Deal| {
        deal.act(Role::Operator, freeze()).wait(Period::days(100)).act(Role::Operator, unfreeze());
        deal
    };
    let length = Period::days(100);
    let before = held();
    let after = stop(before.clone());
    let (old, new) = (&before.escrow.milestones[0], &after.escrow.milestones[0]);
    assert_eq!(new.deliver_by, old.deliver_by.map(|at| at.after(length)));
    assert!(after.try_as(Role::Buyer, crate::fixture::cancel()).is_ok(), "the window to think again stood still too");
    let before = delivered();
    let after = stop(before.clone());
    let (old, new) = (&before.escrow.milestones[0], &after.escrow.milestones[0]);
    assert_eq!(new.auto_release_at, old.auto_release_at.map(|at| at.after(length)));
    let window = Period::days(7);
    assert_eq!(new.dispute_until(window), old.dispute_until(window).map(|at| at.after(length)));
    let before = disputed();
    let after = stop(before.clone());
    let (old, new) = (&before.escrow.disputes[0], &after.escrow.disputes[0]);
    assert_eq!(new.rule_by, old.rule_by.after(length));
    assert_eq!(new.evidence_until, old.evidence_until.after(length));
}

#[test]
fn a_window_that_is_open_when_a_stop_begins_stays_open_during_it() {
    let mut deal = delivered();
    deal.wait(Period::days(6)).act(Role::Operator, freeze()).wait(Period::days(50));
    assert!(deal.try_as(Role::Buyer, dispute(None)).is_ok());
    assert!(deal.try_as(Role::Buyer, crate::fixture::request_changes()).is_ok());
    // One that was over stays over, however late the tick.
    let mut deal = held();
    deal.wait(Period::days(30)).act(Role::Operator, freeze());
    assert!(matches!(deal.refusal(Role::Seller, deliver()), Refusal::TooLate { .. }));
    deal.wait(Period::days(5));
    assert!(matches!(deal.refusal(Role::Seller, deliver()), Refusal::TooLate { .. }));
}

#[test]
fn what_begins_during_a_stop_has_its_whole_time_after_it() {
    let mut deal = held();
    deal.act(Role::Operator, freeze()).wait(Period::days(10)).act(Role::Seller, deliver());
    deal.wait(Period::days(10)).act(Role::Operator, unfreeze());
    assert_eq!(deal.escrow.milestones[0].auto_release_at, Some(deal.now.after(Period::days(7))));
    // The window to dispute had begun when it was delivered, and stood still since then.
    let window = deal.escrow.milestones[0].dispute_until(Period::days(7));
    assert_eq!(window, Some(deal.now.after(Period::days(7))));
}

#[test]
fn what_was_frozen_before_it_was_paid_gives_the_buyer_no_longer_to_think_again() {
    let mut deal = crate::fixture::pending();
    deal.page_opened().act(Role::Operator, freeze()).wait(Period::hours(20)).act(Role::Operator, unfreeze());
    deal.paid().wait(Period::days(1));
    let withdraw = guard(&deal.escrow, Transition::Withdraw, Role::Buyer, 0, deal.now);
    assert!(matches!(withdraw, Err(Refusal::TooLate { .. })));
}

#[test]
fn a_dispute_opened_and_withdrawn_during_a_stop_loses_no_time() {
    let mut deal = delivered();
    deal.wait(Period::days(1)).act(Role::Operator, freeze()).wait(Period::days(20));
    deal.act(Role::Buyer, dispute(None)).wait(Period::days(1)).act(Role::Buyer, withdraw_dispute());
    deal.wait(Period::days(1)).act(Role::Operator, unfreeze());
    assert_eq!(deal.escrow.milestones[0].auto_release_at, Some(deal.now.after(Period::days(6))));
}

#[test]
fn a_product_paid_during_a_stop_is_released_when_it_ends() {
    let mut deal = Deal::created(&Offer::of(Kind::Product));
    deal.page_opened().act(Role::Operator, freeze()).wait(Period::hours(5)).paid();
    deal.tick();
    assert_eq!(deal.stage(), Stage::Delivered);
    deal.wait(Period::hours(5)).act(Role::Operator, unfreeze());
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Released);
}

#[test]
fn two_stops_that_overlap_count_once() {
    let mut deal = delivered();
    let due = deal.deadline().unwrap();
    deal.act(Role::Operator, freeze()).wait(Period::days(1));
    deal.fact(&chargeback_opened("du_1"));
    deal.wait(Period::days(1)).act(Role::Operator, unfreeze());
    assert_eq!(deal.escrow.freezes[0].cause, FreezeCause::Chargeback, "an operator ends what an operator began");
    assert_eq!(deal.refusal(Role::Operator, unfreeze()), Refusal::NotFrozen);
    assert!(deal.fact(&chargeback_closed("du_1", true)));
    assert!(deal.escrow.freezes.is_empty());
    assert_eq!(deal.deadline(), Some(due.after(Period::days(2))));
}

#[test]
fn an_operator_freezes_whichever_milestone_is_live_and_only_once() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().paid();
    deal.act(Role::Buyer, Command::Release { milestone: Some(0), amount: None, reason: None });
    deal.act(Role::Operator, freeze());
    assert!(matches!(deal.refusal(Role::Operator, freeze()), Refusal::Frozen { .. }));
    deal.act(Role::Operator, unfreeze());
    assert_eq!(deal.refusal(Role::Operator, unfreeze()), Refusal::NotFrozen);
}

#[test]
fn a_chargeback_freezes_until_it_is_over_however_it_ends() {
    let mut deal = delivered();
    assert!(deal.fact(&chargeback_opened("du_1")));
    assert!(!deal.fact(&chargeback_opened("du_1")));
    assert_eq!(deal.escrow.freezes[0].cause, FreezeCause::Chargeback);
    for won in [true, false] {
        let mut deal = deal.clone();
        assert!(deal.fact(&chargeback_closed("du_1", won)));
        assert!(deal.escrow.freezes.is_empty());
    }
}

#[test]
fn a_chargeback_that_is_won_leaves_every_other_freeze() {
    let mut deal = delivered();
    deal.fact(&chargeback_opened("du_1"));
    deal.wait(Period::hours(1)).fact(&chargeback_opened("du_2"));
    deal.act(Role::Operator, freeze());
    let second = deal.escrow.freezes[1].since;
    assert!(deal.fact(&chargeback_closed("du_1", true)));
    assert_eq!(deal.escrow.freezes.len(), 2);
    assert_eq!(deal.escrow.freezes[0].since, second);
}

#[test]
fn the_end_of_a_chargeback_may_be_told_before_its_beginning() {
    let mut deal = delivered();
    assert!(deal.fact(&chargeback_closed("du_1", true)));
    assert!(deal.fact(&chargeback_opened("du_1")), "only its reason is new");
    assert!(!deal.fact(&chargeback_opened("du_1")));
    assert!(deal.escrow.freezes.is_empty());
    assert_eq!(deal.escrow.chargebacks[0].reason.as_deref(), Some("fraudulent"));
}

#[test]
fn an_effect_that_was_never_sent_waits_for_the_end_of_a_freeze() {
    let mut deal = refunding();
    let effect = *deal.escrow.effect(Task::Refund(0)).unwrap();
    assert_eq!(deal.escrow.plan(&effect, None, deal.moment()), Plan::Send);
    assert!(deal.escrow.wants_work(deal.now));
    let mut sent = deal.clone();
    deal.act(Role::Operator, freeze());
    assert_eq!(deal.escrow.plan(&effect, None, deal.moment()), Plan::Leave);
    assert!(!deal.escrow.wants_work(deal.now));
    assert_eq!(deal.escrow.due_at(), deal.escrow.alarm_at, "it keeps nobody awake");
    // One that may have been sent is found out all the same.
    let claim = sent.escrow.claim(Task::Refund(0), [1; 16], sent.moment()).unwrap();
    sent.commit(claim);
    sent.act(Role::Operator, freeze()).wait(Period::minutes(1));
    let effect = *sent.escrow.effect(Task::Refund(0)).unwrap();
    assert_eq!(sent.escrow.plan(&effect, None, sent.moment()), Plan::LookUp);
}

#[test]
fn a_review_stops_what_a_freeze_stops() {
    let mut deal = in_review();
    assert_eq!(deal.refusal(Role::Seller, refund(None)), Refusal::InReview);
    deal.wait(Period::days(300));
    deal.tick();
    assert_eq!(deal.stage(), Stage::Held);
}

#[test]
fn a_stop_ends_with_its_last_reason() {
    let mut deal = held_as(&Offer::of(Kind::Service));
    deal.act(Role::Seller, refund(Some(1_000))).refunded(0, RefundOutcome::Failed("closed".to_owned()));
    deal.act(Role::Operator, freeze());
    let since = deal.escrow.stopped_since;
    deal.wait(Period::days(1)).act(Role::Operator, unfreeze());
    assert_eq!(deal.escrow.stopped_since, since, "the review still stands");
    deal.act(Role::Operator, crate::fixture::resolve(escrow_domain::command::Resolution::Done));
    assert_eq!(deal.escrow.stopped_since, None);
}
