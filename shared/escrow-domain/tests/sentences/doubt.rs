//! Refunds of which nobody knows yet whether they were made: what is believed, when, and from whom.

use crate::fixture::{Deal, freeze, in_doubt, in_review, minor, refunding, resolve, sar, total_refunded_at};
use escrow_domain::command::{Fact, RefundOutcome, Resolution};
use escrow_domain::effect::{Progress, Task};
use escrow_domain::escrow::{ReviewCause, Status};
use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::money::Money;
use escrow_domain::payment::RefundStatus;
use escrow_domain::refusal::{Misfit, Undecided};
use escrow_domain::time::Period;
use escrow_domain::work::{self, NotFound, Plan};

const REFUND: Task = Task::Refund(0);

/// Claims the refund, as the worker with that token.
fn claim(deal: &mut Deal, token: u8) {
    let claimed = deal.escrow.claim(REFUND, [token; 16], deal.moment()).unwrap();
    deal.commit(claimed);
}

#[test]
fn a_refund_that_may_have_been_sent_is_looked_for_and_not_sent_again_during_a_freeze() {
    let mut deal = refunding();
    claim(&mut deal, 1);
    deal.act(Role::Operator, freeze()).wait(Period::minutes(1));
    let effect = *deal.escrow.effect(REFUND).unwrap();
    // Its key is good for hours yet: but if the first request never arrived, sending it again would pay while frozen.
    assert_eq!(deal.escrow.plan(&effect, Some(Period::hours(20)), deal.moment()), Plan::LookUp);
}

#[test]
fn whoever_looked_too_early_holds_the_claim_no_more() {
    let mut deal = refunding();
    claim(&mut deal, 1);
    deal.wait(Period::minutes(1));
    claim(&mut deal, 2);
    let Ok(NotFound::LookAgain(change)) = work::after_look_up(&deal.escrow, REFUND, [2; 16], deal.moment()) else {
        panic!("it was believed")
    };
    deal.commit(*change);
    // The commit's answer was lost, and it is decided again: now nothing says any more that a request was sent before.
    assert!(work::after_look_up(&deal.escrow, REFUND, [2; 16], deal.moment()).is_err());
    // The next worker still knows when the last request may have been sent.
    claim(&mut deal, 3);
    let again = work::after_look_up(&deal.escrow, REFUND, [3; 16], deal.moment());
    assert!(matches!(again, Ok(NotFound::LookAgain(_))));
}

#[test]
fn a_total_told_before_a_refund_failed_is_no_money_given_back_by_hand() {
    let mut deal = refunding();
    let told = total_refunded_at(15_000, deal.now);
    deal.wait(Period::hours(1)).refunded(0, RefundOutcome::Succeeded);
    deal.wait(Period::hours(1)).refunded(0, RefundOutcome::Failed("account closed".to_owned()));
    // The notice of the first success was late, or somebody had it sent again.
    deal.wait(Period::hours(1));
    assert!(!deal.fact(&told));
    assert_eq!((deal.escrow.refunds[0].status, deal.stage()), (RefundStatus::Failed, Stage::Held));
    assert_eq!(deal.escrow.status(), Status::Review);
}

#[test]
fn a_total_told_after_a_refund_failed_is() {
    let mut deal = in_review();
    deal.wait(Period::hours(1));
    let told = total_refunded_at(15_000, deal.now);
    assert!(deal.fact(&told));
    assert!(deal.escrow.is_settled());
}

#[test]
fn a_refund_of_another_amount_under_our_name_fits_nothing() {
    for money in [minor(14_999).of(sar()), Money { amount: minor(15_000), currency: usd() }] {
        let deal = refunding();
        let outcome = RefundOutcome::Succeeded;
        let fact =
            Fact::Refund { refund: 0, gateway: GatewayName::Stripe, reference: "re_0".to_owned(), money, outcome };
        assert!(matches!(deal.try_fact(&fact), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))), "{money}");
    }
}

fn usd() -> escrow_domain::currency::Currency {
    escrow_domain::currency::Currencies::default().find("USD").unwrap()
}

#[test]
fn a_refund_that_stays_in_doubt_is_an_operators_after_thirty_days() {
    let mut deal = refunding();
    let mut token = 0;
    while deal.escrow.reviews.is_empty() {
        deal.sleep_until_due();
        token = u8::wrapping_add(token, 1);
        claim(&mut deal, token);
        let later = work::put_off(&deal.escrow, REFUND, [token; 16], true, deal.moment()).unwrap();
        assert!(deal.commit_if_changed(later));
        assert!(deal.now < deal.escrow.refunds[0].promised_at.after(Period::days(31)), "nobody is ever told");
    }
    assert_eq!(deal.escrow.reviews[0].cause, ReviewCause::RefundInDoubt);
    assert!(matches!(deal.escrow.effect(REFUND).unwrap().progress, Progress::InDoubt(_)));
}

#[test]
fn an_operators_retry_is_given_its_own_time() {
    let mut deal = in_doubt();
    deal.wait(Period::days(40)).act(Role::Operator, resolve(Resolution::Retry));
    claim(&mut deal, 7);
    let later = work::put_off(&deal.escrow, REFUND, [7; 16], false, deal.moment()).unwrap();
    assert!(deal.commit_if_changed(later));
    assert!(deal.escrow.reviews.is_empty(), "one lost answer is no reason to ask again");
}

#[test]
fn an_operators_retry_looks_before_it_sends() {
    let mut deal = in_doubt();
    deal.act(Role::Operator, resolve(Resolution::Retry));
    let effect = *deal.escrow.effect(Task::Refund(0)).unwrap();
    assert_eq!((effect.progress, effect.key_suffix), (Progress::Ready, 1));
    assert_eq!(deal.escrow.plan(&effect, Some(Period::hours(20)), deal.moment()), Plan::LookUp);
    let claimed = deal.escrow.claim(Task::Refund(0), [2; 16], deal.moment()).unwrap();
    deal.commit(claimed);
    // It is not there, and no request of this key was ever sent: now it goes out.
    let not_found = work::after_look_up(&deal.escrow, Task::Refund(0), [2; 16], deal.moment()).unwrap();
    let NotFound::SendAgain(change) = not_found else { panic!("it waits for nothing") };
    assert!(!change.escrow.effect(Task::Refund(0)).unwrap().look_up_first);
}
