//! Releases and refunds: once, exactly, and with a way on when a gateway cannot.

use crate::fixture::{
    Deal, Offer, cancel, deliver, delivered, dispute, held, held_as, in_doubt, in_review, minor, refund, refunding,
    release, resolve, total_refunded,
};
use escrow_domain::command::{Command, RefundOutcome, Resolution};
use escrow_domain::effect::{Progress, Task};
use escrow_domain::escrow::{ReviewCause, Status};
use escrow_domain::fees::Fee;
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::payment::RefundStatus;
use escrow_domain::policy::Kind;
use escrow_domain::refusal::{Misfit, Refusal, Undecided};
use escrow_domain::time::Period;
use escrow_domain::work;

fn failed() -> RefundOutcome {
    RefundOutcome::Failed("account closed".to_owned())
}

#[test]
fn what_a_wallet_got_instead_explains_nothing_that_the_gateway_gives_back() {
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Failed("closed".to_owned()));
    deal.act(Role::Operator, resolve(Resolution::CreditWallet));
    assert_eq!((deal.stage(), deal.in_wallet("usr_buyer")), (Stage::Refunded, 15_000));
    // Somebody does it at the gateway as well: the buyer has it twice, and an operator must know.
    assert!(deal.fact(&total_refunded(15_000)));
    assert_eq!(deal.escrow.reviews.len(), 1);
}

#[test]
fn no_money_moves_twice() {
    let mut deal = delivered();
    deal.act(Role::Buyer, release(None));
    assert!(matches!(deal.refusal(Role::Buyer, release(None)), Refusal::WrongStage { .. }));
    assert!(matches!(deal.refusal(Role::Seller, refund(None)), Refusal::WrongStage { .. }));
    assert!(matches!(deal.refusal(Role::Operator, refund(None)), Refusal::WrongStage { .. }));
    deal.wait(Period::days(7));
    assert!(!deal.tick());
    assert_eq!(deal.credits.len(), 1);
    assert!(deal.escrow.refunds.is_empty());
}

#[test]
fn parts_can_be_released_and_refunded_until_nothing_is_held() {
    let mut deal = delivered();
    deal.act(Role::Buyer, release(Some(5_000))).act(Role::Seller, refund(Some(4_000))).act(Role::Buyer, release(None));
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.released, money.refunding, money.held), (minor(11_000), minor(4_000), minor(0)));
    assert_eq!(deal.stage(), Stage::Refunding);
    deal.refunded(0, RefundOutcome::Succeeded);
    assert_eq!((deal.stage(), deal.escrow.is_settled()), (Stage::Split, true));
}

#[test]
fn more_than_is_held_is_neither_released_nor_refunded() {
    for (role, command) in [(Role::Buyer, release(Some(15_001))), (Role::Seller, refund(Some(15_001)))] {
        let refused = held().refusal(role, command);
        assert!(matches!(refused, Refusal::AmountTooLarge { most } if most.amount == minor(15_000)));
    }
}

#[test]
fn an_amount_of_nothing_is_the_edges_to_refuse() {
    for (role, command) in
        [(Role::Buyer, release(Some(0))), (Role::Seller, refund(Some(0))), (Role::Buyer, dispute(Some(0)))]
    {
        assert!(matches!(held().try_as(role, command), Err(Undecided::Broken(_))));
    }
}

#[test]
fn the_sellers_fee_is_taken_from_what_is_released_and_the_buyers_comes_on_top() {
    let mut deal = held_as(&Offer::with_fee(700, 800));
    assert_eq!(deal.escrow.payments[0].amount, minor(15_700));
    deal.act(Role::Buyer, release(None));
    assert_eq!(deal.credits[0].amount, minor(14_200));
    let ledger = deal.ledger();
    assert_eq!(ledger["fees"], -1_500);
    assert_eq!(ledger["wallet:usr_seller"], -14_200);
    assert_eq!(ledger["gateway:stripe"], 15_700);
}

#[test]
fn a_refund_brings_the_buyers_fee_back_pro_rata_and_the_parts_sum_to_it() {
    let mut deal = held_as(&Offer::with_fee(1_000, 0));
    deal.act(Role::Seller, refund(Some(5_001))).act(Role::Buyer, release(Some(5_001))).act(Role::Seller, refund(None));
    // ⌈1000·5001/15000⌉ = 334; of the 333 taken with the release nothing comes back.
    assert_eq!(deal.escrow.refunds[0].amount, minor(5_335));
    assert_eq!(deal.escrow.refunds[1].amount, minor(4_998 + 1_000 - 334 - 333));
    deal.refunded(0, RefundOutcome::Succeeded);
    deal.refunded(1, RefundOutcome::Succeeded);
    assert_eq!(deal.ledger()["fees"], -333);
    assert!(!deal.ledger().contains_key("escrow"));
}

#[test]
fn a_refund_of_several_milestones_payment_goes_back_to_its_own_capture() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    deal.page_opened().paid();
    let until = deal.now.after(Period::hours(1));
    deal.act(Role::Buyer, Command::AddPayment(crate::fixture::new_payment(&[1], until)));
    let second = deal.capture_of(1, "pi_second");
    deal.fact(&second);
    deal.act(Role::Seller, Command::Refund { milestone: Some(1), amount: None, reason: None });
    assert_eq!((deal.escrow.refunds[0].payment, deal.escrow.refunds[0].amount), (1, minor(20_000)));
}

#[test]
fn a_buyer_may_think_again_within_the_window() {
    let mut deal = held();
    deal.wait(Period::hours(23)).act(Role::Buyer, cancel());
    assert_eq!(deal.stage(), Stage::Refunding);
    assert!(matches!(delivered().refusal(Role::Buyer, cancel()), Refusal::WrongStage { .. }));
}

#[test]
fn a_pending_refund_is_looked_up_at_growing_intervals_and_reviewed_after_thirty_days() {
    let mut deal = refunding();
    assert!(deal.refunded(0, RefundOutcome::Pending));
    assert!(deal.escrow.effects.is_empty());
    let mut waits = Vec::new();
    while deal.escrow.reviews.is_empty() {
        let before = deal.now;
        deal.sleep_until_due();
        waits.push(deal.now.since(before));
        let outcome = work::still_pending(&deal.escrow, 0, deal.moment()).unwrap();
        assert!(deal.commit_if_changed(outcome));
    }
    let hours = |count| Period::hours(count);
    assert_eq!(waits[..7], [hours(1), hours(2), hours(4), hours(8), hours(16), hours(24), hours(24)]);
    assert!(deal.now >= deal.escrow.refunds[0].promised_at.after(Period::days(30)));
    assert!(deal.now < deal.escrow.refunds[0].promised_at.after(Period::days(32)));
    assert_eq!(deal.escrow.status(), Status::Review);
    // The gateway's answer ends the review by itself.
    assert!(deal.refunded(0, RefundOutcome::Succeeded));
    assert_eq!(deal.stage(), Stage::Refunded);
    assert!(deal.escrow.is_settled() && deal.escrow.due_at().is_none());
}

#[test]
fn a_refund_that_is_pending_says_so_once() {
    let mut deal = refunding();
    assert!(deal.refunded(0, RefundOutcome::Pending));
    assert!(!deal.refunded(0, RefundOutcome::Pending));
    assert!(deal.refunded(0, RefundOutcome::Succeeded));
    assert!(!deal.refunded(0, RefundOutcome::Pending), "late news of the past");
}

#[test]
fn a_refund_fails_after_success_and_an_operator_decides() {
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Succeeded);
    assert!(deal.escrow.is_settled());
    assert!(deal.refunded(0, failed()));
    assert_eq!((deal.escrow.status(), deal.stage()), (Status::Review, Stage::Held));
    assert_eq!(deal.ledger()["gateway:stripe"], 15_000);
    deal.act(Role::Operator, resolve(Resolution::Retry));
    assert_eq!((deal.escrow.refunds[0].status, deal.escrow.refunds[1].amount), (RefundStatus::Replaced, minor(15_000)));
    assert_eq!(deal.stage(), Stage::Refunding);
    deal.refunded(1, RefundOutcome::Succeeded);
    assert!(deal.escrow.is_settled() && deal.ledger().is_empty());
}

#[test]
fn a_failure_is_never_overwritten_by_late_news_of_success() {
    let mut deal = in_review();
    assert!(!deal.refunded(0, RefundOutcome::Succeeded));
    assert!(!deal.refunded(0, RefundOutcome::Pending));
    assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Failed);
}

#[test]
fn an_operator_who_gave_the_money_back_by_hand_says_so() {
    let mut deal = in_review();
    deal.act(Role::Operator, resolve(Resolution::Done));
    assert_eq!((deal.stage(), deal.escrow.refunds[0].status), (Stage::Refunded, RefundStatus::Resolved));
    assert!(deal.escrow.is_settled() && deal.ledger().is_empty());
    assert_eq!(deal.refusal(Role::Operator, resolve(Resolution::Done)), Refusal::NothingToResolve);
}

#[test]
fn what_a_failed_refund_brought_back_cannot_be_locked_by_a_dispute() {
    let deal = in_review();
    assert_eq!(deal.refusal(Role::Buyer, dispute(None)), Refusal::InReview);
}

#[test]
fn the_platform_bears_the_fraction_of_a_fee_while_an_earlier_refund_has_failed() {
    // A fee of 1 on 3: the first unit back brings it all, the second and third nothing.
    let fee = Fee { buyer: minor(1), seller: minor(0) };
    let mut deal = held_as(&Offer { milestones: vec![(3, fee)], ..Offer::of(Kind::Service) });
    deal.act(Role::Seller, refund(Some(1))).act(Role::Seller, refund(Some(1)));
    assert_eq!([deal.escrow.refunds[0].amount, deal.escrow.refunds[1].amount], [minor(2), minor(1)]);
    deal.refunded(1, RefundOutcome::Succeeded);
    assert!(deal.refunded(0, failed()), "the fact is booked");
    assert_eq!(deal.ledger()["fees"], -1);
    deal.act(Role::Operator, resolve(Resolution::Retry));
    assert_eq!(deal.escrow.refunds[2].amount, minor(2), "the buyer is sent what was promised");
    assert!(!deal.ledger().contains_key("fees"));
}

#[test]
fn a_refund_in_doubt_waits_for_an_operator() {
    let mut deal = in_doubt();
    assert_eq!(deal.escrow.status(), Status::Review);
    assert_eq!(deal.escrow.reviews[0].cause, ReviewCause::RefundInDoubt);
    deal.act(Role::Operator, resolve(Resolution::Retry));
    let effect = *deal.escrow.effect(Task::Refund(0)).unwrap();
    assert_eq!(
        (effect.progress, effect.key_suffix),
        (Progress::Ready, 1),
        "another key, since the old one may be used up"
    );
    assert!(deal.escrow.refund_key(0, &effect).ends_with("-1"));
    let mut deal = in_doubt();
    deal.act(Role::Operator, resolve(Resolution::Done));
    assert_eq!((deal.stage(), deal.escrow.is_settled()), (Stage::Refunded, true));
}

#[test]
fn a_gateways_answer_ends_the_doubt() {
    let mut deal = in_doubt();
    assert!(deal.refunded(0, RefundOutcome::Succeeded));
    assert!(deal.escrow.reviews.is_empty() && deal.escrow.is_settled());
    let mut deal = in_doubt();
    assert!(deal.refunded(0, failed()));
    assert_eq!(deal.escrow.reviews[0].cause, ReviewCause::RefundFailed);
}

#[test]
fn a_refund_that_stays_pending_and_was_not_made_is_replaced_by_another() {
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Pending);
    let doubted = work::doubt(&deal.escrow, 0, "thirty days", deal.moment()).unwrap();
    deal.commit_if_changed(doubted);
    deal.act(Role::Operator, resolve(Resolution::Retry));
    assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Replaced);
    assert!(deal.escrow.effect(Task::Refund(1)).is_some(), "another refund has another key");
    deal.refunded(1, RefundOutcome::Succeeded);
    assert!(deal.escrow.is_settled());
}

#[test]
fn nobody_doubts_a_refund_that_is_over() {
    let mut made = refunding();
    made.refunded(0, RefundOutcome::Succeeded);
    for mut deal in [made, in_review(), in_doubt()] {
        let again = work::doubt(&deal.escrow, 0, "again", deal.moment()).unwrap();
        assert!(!deal.commit_if_changed(again));
    }
}

#[test]
fn a_total_that_our_own_refunds_explain_changes_nothing() {
    let mut deal = refunding();
    let claim = deal.escrow.claim(Task::Refund(0), [1; 16], deal.moment()).unwrap();
    deal.commit(claim);
    assert!(!deal.fact(&total_refunded(15_000)), "ours may be on its way");
    deal.refunded(0, RefundOutcome::Succeeded);
    assert!(!deal.fact(&total_refunded(15_000)));
}

#[test]
fn money_given_back_by_hand_at_the_gateway_is_booked_and_never_asked_for_again() {
    let mut deal = held();
    assert!(deal.fact(&total_refunded(4_000)));
    assert_eq!((deal.escrow.milestones[0].money.held, deal.escrow.reviews.len()), (minor(11_000), 0));
    assert!(!deal.fact(&total_refunded(4_000)));
    assert!(!deal.fact(&total_refunded(3_000)), "totals only grow");
    deal.act(Role::Seller, refund(None));
    assert_eq!(deal.escrow.refunds[0].amount, minor(11_000));
    deal.refunded(0, RefundOutcome::Succeeded);
    assert!(deal.escrow.is_settled() && deal.ledger().is_empty());
}

#[test]
fn disputed_money_that_went_back_by_hand_is_no_longer_disputed() {
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(None));
    assert!(deal.fact(&total_refunded(15_000)));
    assert!(!deal.escrow.disputes[0].is_open());
    assert_eq!(deal.stage(), Stage::Refunded);
}

#[test]
fn money_given_back_that_is_no_longer_here_is_an_operators_to_find() {
    let mut deal = delivered();
    deal.act(Role::Buyer, release(None));
    assert!(deal.fact(&total_refunded(15_000)));
    assert_eq!(deal.escrow.reviews[0].cause, ReviewCause::RefundUnasked);
    assert_eq!(deal.escrow.milestones[0].money.released, minor(15_000));
    deal.act(Role::Operator, resolve(Resolution::Done));
    assert!(deal.escrow.is_settled());
}

#[test]
fn a_failed_refund_that_was_made_by_hand_at_the_gateway_needs_no_operator() {
    let mut deal = in_review();
    assert!(deal.fact(&total_refunded(15_000)));
    assert_eq!((deal.stage(), deal.escrow.refunds[0].status), (Stage::Refunded, RefundStatus::Resolved));
    assert!(deal.escrow.is_settled());
}

#[test]
fn a_total_above_the_capture_or_of_no_capture_fits_nothing() {
    let deal = held();
    assert!(matches!(deal.try_fact(&total_refunded(15_001)), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))));
    let nobody = deal.refund_told(0, RefundOutcome::Succeeded);
    assert_eq!(deal.try_fact(&nobody), Err(Undecided::Misfit(Misfit::RefundUnknown)));
    let pending = crate::fixture::pending();
    assert_eq!(pending.try_fact(&total_refunded(1)), Err(Undecided::Misfit(Misfit::RefundUnknown)));
}

#[test]
fn a_delivery_is_no_more_possible_once_all_of_it_goes_back() {
    assert!(matches!(refunding().refusal(Role::Seller, deliver()), Refusal::WrongStage { .. }));
}
