//! Giving up and extending: what one side may do alone, and what needs the other side's word.

use crate::fixture::{
    Deal, Offer, add_evidence, cancel, deliver, delivered, dispute, disputed, extend, freeze, held, in_review, minor,
    new_payment, pending, refund, release, request_changes, rule, unfreeze, withdraw_dispute,
};
use escrow_domain::actions::Scopes;
use escrow_domain::command::Command;
use escrow_domain::effect::Task;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::milestone::AskFor;
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Period;

fn last(deal: &Deal) -> Transition {
    deal.escrow.journal.entries.last().unwrap().transition
}

fn told(deal: &Deal, role: Role, transition: Transition) -> Option<Refusal> {
    let who = crate::fixture::actor(role).sub.unwrap();
    let standing = deal.escrow.standing(&who, Scopes { operator: role == Role::Operator, ..Scopes::default() });
    let actions = deal.escrow.actions(&standing, deal.now);
    actions.into_iter().find(|action| action.transition == transition).unwrap().refusal
}

/// Held, and the buyer's window to think again is over.
fn settled_in() -> Deal {
    let mut deal = held();
    deal.wait(Period::days(2));
    deal
}

#[test]
fn what_is_held_is_given_up_when_one_side_asks_and_the_other_agrees() {
    for (one, other) in [(Role::Buyer, Role::Seller), (Role::Seller, Role::Buyer)] {
        let mut deal = settled_in();
        deal.act(one, cancel());
        assert_eq!((last(&deal), deal.stage()), (Transition::AskCancel, Stage::Held));
        // Asking again is still asking.
        deal.act(one, cancel());
        assert_eq!((last(&deal), deal.stage()), (Transition::AskCancel, Stage::Held));
        deal.act(other, cancel());
        assert_eq!((last(&deal), deal.stage()), (Transition::AgreeCancel, Stage::Refunding));
        assert_eq!(deal.escrow.milestones[0].asked, None);
        assert_eq!(deal.escrow.refunds[0].amount, minor(15_000));
    }
}

#[test]
fn within_the_window_a_buyer_needs_nobody_and_the_seller_asks() {
    let mut deal = held();
    deal.act(Role::Seller, cancel());
    assert_eq!(last(&deal), Transition::AskCancel);
    assert_eq!(
        told(&deal, Role::Buyer, Transition::AskCancel),
        Some(Refusal::NoNeedToAsk { instead: Transition::Withdraw })
    );
    deal.act(Role::Buyer, cancel());
    assert_eq!((last(&deal), deal.stage()), (Transition::Withdraw, Stage::Refunding));
}

#[test]
fn nobody_agrees_with_what_was_never_asked() {
    let mut deal = settled_in();
    assert_eq!(told(&deal, Role::Seller, Transition::AgreeCancel), Some(Refusal::NothingAsked));
    deal.act(Role::Buyer, cancel());
    assert_eq!(told(&deal, Role::Buyer, Transition::AgreeCancel), Some(Refusal::NothingAsked));
    assert_eq!(told(&deal, Role::Seller, Transition::AgreeCancel), None);
    assert_eq!(
        told(&deal, Role::Seller, Transition::AskCancel),
        Some(Refusal::NoNeedToAsk { instead: Transition::AgreeCancel })
    );
}

#[test]
fn an_ask_lapses_when_the_stage_changes() {
    let mut deal = settled_in();
    deal.act(Role::Buyer, cancel()).act(Role::Seller, deliver());
    assert_eq!(deal.escrow.milestones[0].asked, None);
    deal.act(Role::Buyer, request_changes()).act(Role::Seller, cancel());
    assert_eq!(last(&deal), Transition::AskCancel, "the buyer's word of before is not taken for an answer");
    deal.act(Role::Buyer, crate::fixture::dispute(Some(1_000))).act(Role::Buyer, withdraw_dispute());
    assert_eq!(deal.escrow.milestones[0].asked, None);
}

#[test]
fn an_ask_stands_while_a_part_moves_and_agreeing_is_about_what_is_left() {
    let mut deal = settled_in();
    deal.act(Role::Seller, cancel()).act(Role::Buyer, release(Some(5_000)));
    deal.act(Role::Buyer, cancel());
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.released, money.refunding), (minor(5_000), minor(10_000)));
}

#[test]
fn after_delivery_nobody_asks_to_give_up() {
    for role in [Role::Buyer, Role::Seller] {
        assert!(matches!(delivered().refusal(role, cancel()), Refusal::WrongStage { .. }));
        assert!(matches!(disputed().refusal(role, cancel()), Refusal::WrongStage { .. }));
    }
    assert!(matches!(held().refusal(Role::Operator, cancel()), Refusal::WrongStage { .. }));
}

#[test]
fn from_the_deadline_on_it_is_the_clocks() {
    let mut deal = settled_in();
    deal.act(Role::Buyer, cancel());
    let ended_at = deal.escrow.milestones[0].deliver_by.unwrap();
    deal.now = ended_at;
    assert_eq!(deal.refusal(Role::Seller, cancel()), Refusal::TooLate { ended_at });
    assert_eq!(deal.refusal(Role::Buyer, cancel()), Refusal::TooLate { ended_at });
    assert_eq!(deal.refusal(Role::Buyer, extend(None)), Refusal::TooLate { ended_at });
}

#[test]
fn nothing_is_given_up_or_extended_during_a_stop() {
    let mut deal = settled_in();
    deal.act(Role::Seller, cancel()).act(Role::Operator, freeze());
    let until = Some(deal.now.after(Period::days(40)));
    for role in [Role::Buyer, Role::Seller] {
        assert!(matches!(deal.refusal(role, cancel()), Refusal::Frozen { .. }));
        assert!(matches!(deal.refusal(role, extend(until)), Refusal::Frozen { .. }));
    }
    assert_eq!(in_review().refusal(Role::Seller, cancel()), Refusal::InReview);
    // The ask still stands afterwards: nothing about it has changed.
    deal.wait(Period::days(100)).act(Role::Operator, unfreeze()).act(Role::Buyer, cancel());
    assert_eq!(last(&deal), Transition::AgreeCancel);
}

#[test]
fn what_waits_for_its_payment_is_given_up_whole_or_in_part() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0, 1]));
    deal.page_opened();
    let named = Command::Cancel { milestone: Some(1), reason: None };
    deal.act(Role::Seller, named.clone());
    let stages: Vec<Stage> = deal.escrow.milestones.iter().map(|milestone| milestone.stage()).collect();
    assert_eq!(stages, [Stage::Pending, Stage::Cancelled, Stage::Pending]);
    assert!(deal.escrow.effect(Task::ClosePayment(0)).is_some(), "nobody shall pay for what is given up");
    assert!(matches!(deal.refusal(Role::Buyer, named), Refusal::WrongStage { .. }));
    deal.act(Role::Buyer, cancel());
    assert!(deal.escrow.milestones.iter().all(|milestone| milestone.stage() == Stage::Cancelled));
    assert_eq!(deal.escrow.status().as_str(), "cancelled");
}

#[test]
fn where_something_is_held_of_several_a_milestone_is_named() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0]));
    deal.page_opened().paid().wait(Period::days(2));
    for role in [Role::Buyer, Role::Seller, Role::Operator] {
        assert_eq!(deal.refusal(role, cancel()), Refusal::MilestoneRequired);
    }
    let named = |milestone| Command::Cancel { milestone: Some(milestone), reason: Some("because".to_owned()) };
    deal.act(Role::Operator, named(1)).act(Role::Buyer, named(2)).act(Role::Buyer, named(0));
    assert_eq!(last(&deal), Transition::AskCancel);
    let stages: Vec<Stage> = deal.escrow.milestones.iter().map(|milestone| milestone.stage()).collect();
    assert_eq!(stages, [Stage::Held, Stage::Cancelled, Stage::Cancelled]);
}

#[test]
fn a_milestone_given_up_leaves_the_others_time_to_be_paid() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().wait(Period::hours(1));
    deal.act(Role::Buyer, Command::Cancel { milestone: Some(0), reason: None });
    let closed = escrow_domain::command::Fact::Closed { payment: 0, gateway: escrow_domain::id::GatewayName::Stripe };
    assert!(deal.fact(&closed));
    assert!(!deal.tick(), "the page that was closed here is not the end of the checkout");
    let until = deal.now.after(Period::hours(2));
    deal.act(Role::Buyer, Command::AddPayment(new_payment(&[1], until)));
    let capture = deal.capture_of(1, "pi_2");
    assert!(deal.fact(&capture));
    assert_eq!(deal.escrow.milestones[1].stage(), Stage::Held);
}

#[test]
fn the_side_that_a_later_deadline_hurts_moves_it_alone() {
    // Before delivery it is the buyer who waits.
    let mut deal = settled_in();
    let before = deal.escrow.milestones[0].deliver_by.unwrap();
    let until = before.after(Period::days(3));
    deal.act(Role::Buyer, extend(Some(until)));
    let milestone = &deal.escrow.milestones[0];
    assert_eq!((milestone.deliver_by, milestone.extended), (Some(until), Period::days(3)));
    assert_eq!(last(&deal), Transition::Extend);
    // After it, the seller.
    let mut deal = delivered();
    let until = deal.escrow.milestones[0].auto_release_at.unwrap().after(Period::days(3));
    deal.act(Role::Seller, extend(Some(until)));
    assert_eq!(deal.escrow.milestones[0].auto_release_at, Some(until));
    assert_eq!(deal.stage(), Stage::Delivered);
}

#[test]
fn the_other_side_asks_and_its_moment_or_none_is_the_answer() {
    let mut deal = settled_in();
    let before = deal.escrow.milestones[0].deliver_by.unwrap();
    let until = before.after(Period::days(5));
    assert!(matches!(told(&deal, Role::Seller, Transition::Extend), Some(Refusal::WrongStage { .. })));
    assert_eq!(told(&deal, Role::Seller, Transition::AskExtend), None);
    deal.act(Role::Seller, extend(Some(until)));
    let milestone = &deal.escrow.milestones[0];
    assert_eq!((milestone.deliver_by, last(&deal)), (Some(before), Transition::AskExtend));
    assert_eq!(milestone.asked.map(|ask| (ask.by, ask.what)), Some((Role::Seller, AskFor::Extend(until))));
    let mut other = deal.clone();
    deal.act(Role::Buyer, extend(None));
    assert_eq!((deal.escrow.milestones[0].deliver_by, deal.escrow.milestones[0].asked), (Some(until), None));
    // The buyer may grant less.
    let less = before.after(Period::days(1));
    other.act(Role::Buyer, extend(Some(less)));
    assert_eq!(other.escrow.milestones[0].deliver_by, Some(less));
    assert_eq!(
        other.refusal(Role::Buyer, extend(None)),
        Refusal::UntilRequired,
        "what was asked was about another deadline"
    );
}

#[test]
fn until_when_is_said_by_one_of_the_two() {
    let deal = settled_in();
    for role in [Role::Buyer, Role::Seller] {
        assert_eq!(deal.refusal(role, extend(None)), Refusal::UntilRequired);
    }
    let mut deal = settled_in();
    deal.act(Role::Seller, cancel());
    assert_eq!(deal.refusal(Role::Buyer, extend(None)), Refusal::UntilRequired);
}

#[test]
fn all_extensions_of_a_milestone_together_are_thirty_days() {
    let mut deal = settled_in();
    let before = deal.escrow.milestones[0].deliver_by.unwrap();
    let most = before.after(Period::days(30));
    let bounds = Refusal::UntilOutOfBounds { after: before, most };
    for wrong in [before, before.before(Period::days(1)), most.after(Period::from_millis(1))] {
        assert_eq!(deal.refusal(Role::Buyer, extend(Some(wrong))), bounds);
        assert_eq!(deal.refusal(Role::Seller, extend(Some(wrong))), bounds);
    }
    deal.act(Role::Buyer, extend(Some(before.after(Period::days(20))))).act(Role::Seller, deliver());
    // Another deadline, and what is left of the thirty days.
    let release = deal.escrow.milestones[0].auto_release_at.unwrap();
    let most = release.after(Period::days(10));
    let refused = deal.refusal(Role::Seller, extend(Some(most.after(Period::from_millis(1)))));
    assert_eq!(refused, Refusal::UntilOutOfBounds { after: release, most });
    deal.act(Role::Seller, extend(Some(most)));
    assert_eq!(deal.refusal(Role::Seller, extend(Some(most.after(Period::days(1))))), Refusal::ExtensionsUsedUp);
    assert_eq!(told(&deal, Role::Buyer, Transition::AskExtend), Some(Refusal::ExtensionsUsedUp));
}

#[test]
fn an_extended_deadline_is_the_one_that_counts() {
    let mut deal = settled_in();
    let until = deal.escrow.milestones[0].deliver_by.unwrap().after(Period::days(2));
    deal.act(Role::Buyer, extend(Some(until)));
    deal.now = until.before(Period::from_millis(1));
    assert!(!deal.tick());
    assert!(deal.try_as(Role::Seller, deliver()).is_ok());
    deal.now = until;
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Refunding);
}

#[test]
fn the_end_of_a_stop_moves_the_deadline_so_what_was_asked_about_it_lapses() {
    let mut deal = settled_in();
    let until = deal.escrow.milestones[0].deliver_by.unwrap().after(Period::days(5));
    deal.act(Role::Seller, extend(Some(until))).act(Role::Operator, freeze());
    deal.wait(Period::days(1)).act(Role::Operator, unfreeze());
    assert_eq!(deal.refusal(Role::Buyer, extend(None)), Refusal::UntilRequired);
}

#[test]
fn the_latest_ask_counts() {
    let mut deal = settled_in();
    let until = deal.escrow.milestones[0].deliver_by.unwrap().after(Period::days(5));
    deal.act(Role::Seller, cancel()).act(Role::Seller, extend(Some(until)));
    deal.act(Role::Buyer, cancel());
    assert_eq!(last(&deal), Transition::AskCancel, "the seller has asked for something else since");
}

#[test]
fn the_rest_of_a_disputed_milestone_is_extended_too() {
    let mut deal = delivered();
    deal.act(Role::Buyer, crate::fixture::dispute(Some(4_000))).act(Role::Seller, add_evidence(1));
    let until = deal.escrow.milestones[0].auto_release_at.unwrap().after(Period::days(1));
    deal.act(Role::Seller, extend(Some(until)));
    assert_eq!(deal.escrow.milestones[0].auto_release_at, Some(until));
    // Of what is locked whole no clock runs.
    assert!(matches!(disputed().refusal(Role::Seller, extend(Some(until))), Refusal::WrongStage { .. }));
    assert!(matches!(pending().refusal(Role::Buyer, extend(Some(until))), Refusal::WrongStage { .. }));
}

#[test]
fn a_part_that_goes_back_meanwhile_is_not_asked_about() {
    let mut deal = settled_in();
    deal.act(Role::Buyer, cancel()).act(Role::Seller, refund(None));
    assert_eq!(deal.stage(), Stage::Refunding);
    assert_eq!(deal.escrow.milestones[0].asked, None);
}

/// Asking costs nothing. Whoever asks for ever must not take the other side's word by that.
#[test]
fn however_often_one_side_asks_the_other_can_still_say_no() {
    let mut deal = held();
    let until = deal.escrow.milestones[0].deadline().map(|deadline| deadline.after(Period::days(1)));
    let mut asked = 0;
    while deal.may(Role::Seller, &extend(until)) {
        asked += 1;
        assert!(asked < 1_000, "there is an end to it");
    }
    deal.act(Role::Seller, deliver());
    deal.act(Role::Buyer, dispute(None));
    deal.wait(Period::days(3)).act(Role::Arbiter, rule(15_000));
    assert_eq!(deal.stage(), Stage::Refunding);
}
