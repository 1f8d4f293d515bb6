//! Asking, approving, and payouts that an operator makes by hand.

use super::purse::{LIMITS, Purse, by_stripe, code, money, named, new_payout, owner, wallet_of};
use crate::fixture::{START, actor, minor, user};
use escrow_domain::actions::Scopes;
use escrow_domain::decide::Moment;
use escrow_domain::id::UserId;
use escrow_domain::journal::Actor;
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::{
    self, LAPSES_AFTER, NewPayout, PayoutCommand, PayoutLimits, PayoutStatus, PayoutTransition, PayoutUndecided, Rail,
};
use escrow_domain::time::Period;

const NOW: Moment = Moment { at: START, epoch: 0 };

fn approve() -> PayoutCommand {
    PayoutCommand::Approve { reason: None }
}

fn reject(reason: &str) -> PayoutCommand {
    PayoutCommand::Reject { reason: reason.to_owned() }
}

fn mark_paid(reference: &str) -> PayoutCommand {
    PayoutCommand::MarkPaid { reference: reference.to_owned() }
}

fn mark_failed(reason: &str) -> PayoutCommand {
    PayoutCommand::MarkFailed { reason: reason.to_owned() }
}

fn asks(new: &NewPayout, limits: &PayoutLimits, who: Actor) -> Result<payout::PayoutChange, PayoutUndecided> {
    payout::ask(new, &wallet_of(50_000), limits, who, named("ask"), NOW)
}

#[test]
fn what_is_asked_for_is_reserved_in_the_same_commit() {
    let purse = Purse::ready();
    assert_eq!((purse.wallet.available, purse.wallet.pending), (minor(30_000), minor(20_000)));
    assert_eq!((purse.payout.status, purse.payout.due_at()), (PayoutStatus::Ready, Some(START)));
}

#[test]
fn an_ask_is_refused_with_what_is_in_its_way() {
    let limits = PayoutLimits { minimum: minor(1_000), approval_above: None };
    let seller = || actor(Role::Seller);
    let ask = |units, wallet: &escrow_domain::wallet::Wallet| {
        payout::ask(&new_payout(units, Rail::ByHand), wallet, &limits, seller(), named("ask"), NOW)
    };
    let wallet = wallet_of(50_000);
    assert_eq!(code(&ask(999, &wallet)), "below_minimum");
    assert_eq!(code(&ask(1_000, &wallet)), "done");
    assert_eq!(code(&ask(50_000, &wallet)), "done");
    assert_eq!(code(&ask(50_001, &wallet)), "insufficient_funds");
    assert_eq!(code(&ask(1_000, &wallet.held(Some("a break")).unwrap())), "wallet_on_hold");
    let refusal = ask(50_001, &wallet).unwrap_err();
    assert_eq!(refusal.to_string(), "only 500.00 SAR can be paid out");
    assert_eq!(ask(999, &wallet).unwrap_err().to_string(), "a payout is at least 10.00 SAR");
}

#[test]
fn only_the_owner_an_operator_and_the_clock_ask() {
    let new = new_payout(20_000, Rail::ByHand);
    for (who, expected) in [
        (actor(Role::Seller), "done"),
        (actor(Role::Operator), "done"),
        (Actor::clock(), "done"),
        (Actor::person(Role::Seller, user("usr_other")), "not_found"),
        (actor(Role::Buyer), "forbidden"),
        (actor(Role::Arbiter), "forbidden"),
        (actor(Role::Platform), "forbidden"),
        (actor(Role::Gateway), "forbidden"),
    ] {
        assert_eq!(code(&asks(&new, &LIMITS, who.clone())), expected, "{who:?}");
    }
}

#[test]
fn above_the_limit_another_operator_approves() {
    let limits = PayoutLimits { approval_above: Some(minor(20_000)), ..LIMITS };
    assert_eq!(Purse::asked(20_000, by_stripe(), &limits).payout.status, PayoutStatus::Ready);
    for (rail, then) in [(by_stripe(), PayoutStatus::Ready), (Rail::ByHand, PayoutStatus::Owed)] {
        let mut purse = Purse::asked(20_001, rail, &limits);
        assert_eq!((purse.payout.status, purse.payout.effect), (PayoutStatus::Approval, None));
        purse.act("approve", approve());
        assert_eq!(purse.payout.status, then);
    }
    // The operator who asked for it, and the owner who happens to be one.
    let asked = asks(&new_payout(20_001, by_stripe()), &limits, actor(Role::Operator)).unwrap().payout;
    let purse = Purse { payout: asked, ..Purse::ready() };
    assert_eq!(purse.refused(approve()).code(), "own_payout");
    assert_eq!(purse.refused(reject("no")).code(), "own_payout");
    let other = |who: UserId| purse.decide(Actor::person(Role::Operator, who), named("a"), approve());
    assert_eq!(code(&other(user("usr_second"))), "done");
    assert_eq!(code(&other(owner())), "own_payout");
    assert_eq!(code(&purse.decide(actor(Role::Seller), named("a"), approve())), "forbidden");
}

#[test]
fn what_is_not_approved_goes_back_into_the_wallet_with_a_reason() {
    let mut purse = Purse::at(PayoutStatus::Approval);
    assert_eq!(purse.refused(reject(" ")).code(), "reason_required");
    purse.act("reject", reject("who is this?"));
    assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Rejected, minor(50_000)));
    assert_eq!(purse.payout.reason.as_deref(), Some("who is this?"));
    assert_eq!(purse.payout.due_at(), None);
}

#[test]
fn what_nobody_approves_lapses_and_an_alarm_sounds_daily_until_then() {
    let mut purse = Purse::at(PayoutStatus::Approval);
    let mut alarms = 0;
    while purse.payout.status == PayoutStatus::Approval {
        assert!(purse.sleep_until_due().tick(), "a visit that is due does something");
        alarms += 1;
    }
    assert_eq!(alarms, 30, "29 alarms, and the lapse");
    assert_eq!((purse.payout.status, purse.now), (PayoutStatus::Rejected, START.after(LAPSES_AFTER)));
    assert_eq!(purse.wallet.available, minor(50_000));
    assert!(!purse.tick());
}

#[test]
fn a_payout_by_hand_is_owed_until_an_operator_proves_it() {
    let mut purse = Purse::owed();
    assert_eq!((purse.payout.status, purse.payout.work(purse.now)), (PayoutStatus::Owed, None));
    assert_eq!(purse.refused(mark_paid("")).code(), "reference_required");
    purse.wait(Period::days(40)).tick();
    assert_eq!(purse.payout.status, PayoutStatus::Owed, "what is owed does not lapse");
    purse.act("paid", mark_paid("wire 77"));
    assert_eq!((purse.payout.status, purse.wallet.withdrawn), (PayoutStatus::Paid, minor(20_000)));
    assert_eq!(purse.payout.reference.as_deref(), Some("wire 77"));
    // The same request again changes nothing; another under its key is refused.
    let again = purse.decide(actor(Role::Operator), named("paid"), mark_paid("wire 77"));
    assert!(!purse.commit(again));
    let reused = escrow_domain::id::Operation { content: [9; 8], ..named("paid") };
    assert_eq!(code(&purse.decide(actor(Role::Operator), reused, mark_paid("wire 78"))), "idempotency_key_reused");
    assert_eq!(purse.refused(mark_paid("wire 79")).code(), "transition_refused");
}

#[test]
fn a_payout_by_hand_that_could_not_be_made_or_came_back_is_in_the_wallet_again() {
    let mut failed = Purse::owed();
    assert_eq!(failed.refused(mark_failed("")).code(), "reason_required");
    failed.act("failed", mark_failed("no such account"));
    assert_eq!((failed.payout.status, failed.wallet.available), (PayoutStatus::Failed, minor(50_000)));
    let mut back = Purse::owed();
    back.act("paid", mark_paid("wire 77"));
    back.wait(Period::days(20)).act("back", mark_failed("the bank sent it back"));
    assert_eq!((back.payout.status, back.wallet.available), (PayoutStatus::Returned, minor(50_000)));
    assert_eq!(back.payout.reason.as_deref(), Some("the bank sent it back"));
    // What a gateway has paid comes back by the gateway's word alone.
    assert_eq!(Purse::at(PayoutStatus::Paid).refused(mark_failed("no")).code(), "transition_refused");
}

#[test]
fn what_somebody_may_do_is_said_with_the_reason() {
    let purse = Purse::at(PayoutStatus::Approval);
    let may = |who: &UserId, scopes: Scopes| {
        let standing = purse.payout.standing(who, scopes);
        let actions = purse.payout.actions(who, &standing);
        let text = |action: payout::PayoutAction| {
            let why = action.refusal.map_or("yes", |refusal| refusal.code());
            format!("{} {why}", action.transition)
        };
        actions.into_iter().map(text).collect::<Vec<_>>().join(", ")
    };
    let operator = Scopes { operator: true, ..Scopes::default() };
    insta::assert_snapshot!(may(&user("usr_operator"), operator), @"approve yes, reject yes, resolve transition_refused, mark_paid transition_refused, mark_failed transition_refused");
    insta::assert_snapshot!(may(&owner(), Scopes::default()), @"approve forbidden, reject forbidden, resolve forbidden, mark_paid forbidden, mark_failed forbidden");
    insta::assert_snapshot!(may(&owner(), operator), @"approve own_payout, reject own_payout, resolve transition_refused, mark_paid transition_refused, mark_failed transition_refused");
    assert!(purse.payout.standing(&user("usr_stranger"), Scopes::default()).roles.is_empty());
}

#[test]
fn the_table_has_one_row_an_actor_and_every_open_payout_a_timed_end_or_an_alarm() {
    for transition in PayoutTransition::ALL {
        let mut actors: Vec<_> = payout::rows::rows(*transition).iter().map(|row| row.actor).collect();
        actors.sort_unstable();
        actors.dedup();
        assert_eq!(actors.len(), payout::rows::rows(*transition).len(), "{transition}");
    }
    for status in PayoutStatus::ALL.iter().filter(|status| status.is_open()) {
        let purse = Purse::at(*status);
        assert!(purse.payout.due_at().is_some(), "{status} could be forgotten");
    }
    for status in PayoutStatus::ALL.iter().filter(|status| !status.is_open()) {
        assert_eq!(Purse::at(*status).payout.due_at(), None, "{status}");
    }
    assert_eq!(money(1).currency, Purse::ready().payout.money.currency);
}
