//! Sending at a gateway: lost answers, refusals, holds, doubt.

use super::purse::{KEY_LIFE, LIMITS, Purse, by_stripe, code, money, named, new_payout, wallet_of};
use crate::fixture::{START, actor, minor};
use escrow_domain::decide::{Moment, Outcome};
use escrow_domain::effect::{LEASE, Plan, Progress, QUIET};
use escrow_domain::id::{GatewayName, Operation};
use escrow_domain::lifecycle::Role;
use escrow_domain::payout::{
    self, GIVEN_UP_AFTER, IN_DOUBT_FOR, PENDING_FOR, PayoutCommand, PayoutFact, PayoutResolution, PayoutStatus,
    PayoutWork, TransferOutcome, WaitCause,
};
use escrow_domain::time::Period;
use escrow_domain::work::NotFound;

#[test]
fn a_payout_is_claimed_sent_and_paid() {
    let mut purse = Purse::ready();
    assert_eq!(purse.plan(), Plan::Send);
    purse.claim(1);
    assert_eq!((purse.payout.status, purse.plan()), (PayoutStatus::Sending, Plan::Wait(purse.now.after(LEASE))));
    assert!(purse.payout.claim([2; 16], purse.moment()).is_err(), "two workers never hold one claim");
    assert!(purse.sent());
    assert_eq!((purse.payout.status, purse.wallet.withdrawn), (PayoutStatus::Paid, minor(20_000)));
    assert_eq!((purse.payout.effect, purse.payout.due_at()), (None, None));
    assert!(!purse.sent(), "the same fact again changes nothing");
}

#[test]
fn a_lost_answer_is_sent_again_under_its_key_and_later_looked_up() {
    let mut purse = Purse::ready();
    purse.claim(1);
    let key = purse.payout.key(&purse.effect());
    assert_eq!(key, purse.payout.id.to_string());
    assert!(purse.wait(Period::seconds(30)).put_off(1));
    assert!(!purse.is_due());
    purse.sleep_until_due();
    assert_eq!(purse.plan(), Plan::Send, "the gateway remembers the key");
    assert_eq!(purse.payout.plan(&purse.wallet, None, purse.moment()), Plan::LookUp, "it knows no keys");
    purse.wait(KEY_LIFE.unwrap());
    assert_eq!(purse.plan(), Plan::LookUp, "the key may be forgotten");
    purse.claim(2);
    let asked = payout::after_look_up(&purse.payout, &purse.wallet, [2; 16], purse.moment()).unwrap();
    let NotFound::SendAgain(change) = asked else { panic!("long after the last lease a no is believed") };
    assert!(purse.commit(Ok(Outcome::Changed(change))));
    assert_eq!(purse.payout.key(&purse.effect()), format!("{key}-1"));
}

#[test]
fn a_no_to_a_look_up_is_not_believed_while_a_request_may_be_on_its_way() {
    let mut purse = Purse::ready();
    purse.claim(1);
    purse.wait(LEASE);
    purse.claim(2);
    let asked = payout::after_look_up(&purse.payout, &purse.wallet, [2; 16], purse.moment()).unwrap();
    let NotFound::LookAgain(change) = asked else { panic!("too early") };
    assert!(purse.commit(Ok(Outcome::Changed(change))));
    assert!(purse.payout.claimed_by([2; 16]).is_none(), "the claim is given up");
    assert_eq!(purse.payout.due_at(), Some(purse.now.after(QUIET)));
}

#[test]
fn a_gateway_that_refuses_brings_the_money_back_with_its_reason() {
    let mut purse = Purse::ready();
    purse.claim(1);
    assert!(purse.failed("account closed"));
    assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Failed, minor(50_000)));
    assert_eq!(purse.payout.reason.as_deref(), Some("account closed"));
    assert_eq!((purse.payout.effect, purse.payout.due_at()), (None, None));
}

#[test]
fn a_gateway_that_refuses_for_now_is_asked_again_later_under_another_key() {
    let mut purse = Purse::ready();
    purse.claim(1);
    assert!(purse.refused_for_now(1));
    let waiting = purse.payout.waiting.clone().unwrap();
    assert_eq!((waiting.cause, waiting.reason.as_str()), (WaitCause::Gateway, "the balance is too low"));
    assert_eq!(purse.payout.status, PayoutStatus::Ready);
    assert_eq!(purse.payout.due_at(), Some(purse.now.after(Period::minutes(15))));
    // The gateway would repeat its no for the life of the first key.
    assert!(purse.payout.key(&purse.effect()).ends_with("-1"));
    assert!(!purse.refused_for_now(1), "the claim is over");
    purse.sleep_until_due();
    assert_eq!(purse.plan(), Plan::Send);
    purse.claim(2);
    assert!(purse.sent());
    assert_eq!(purse.payout.waiting, None);
}

#[test]
fn a_gateway_that_refuses_for_weeks_is_given_up_and_the_money_comes_back() {
    let mut purse = Purse::ready();
    let (begun, mut tries) = (purse.now, 0);
    while purse.payout.status == PayoutStatus::Ready {
        purse.sleep_until_due();
        purse.claim(1);
        assert!(purse.refused_for_now(1));
        tries += 1;
    }
    assert_eq!((purse.payout.status, purse.wallet.available), (PayoutStatus::Failed, minor(50_000)));
    assert!(
        purse.now >= begun.after(GIVEN_UP_AFTER) && purse.now < begun.after(GIVEN_UP_AFTER).after(Period::hours(7))
    );
    assert!(tries < 70, "{tries} tries");
    assert_eq!(purse.payout.reason.as_deref(), Some("the balance is too low"));
}

#[test]
fn a_no_for_now_is_not_believed_while_a_twin_of_the_request_may_be_alive() {
    let mut purse = Purse::ready();
    purse.claim(1);
    purse.wait(LEASE);
    purse.claim(2);
    assert!(purse.refused_for_now(2));
    assert_eq!((purse.payout.status, purse.payout.waiting.is_none()), (PayoutStatus::Sending, true));
    assert!(purse.effect().look_up_first);
}

#[test]
fn a_wallet_on_hold_stops_what_was_not_sent_and_has_the_rest_found_out() {
    let mut purse = Purse::ready();
    purse.hold(Some("a break"));
    assert_eq!(purse.plan(), Plan::Leave);
    let held = payout::hold_off(&purse.payout, &purse.wallet, purse.moment());
    assert!(purse.commit(held));
    let waiting = purse.payout.waiting.clone().unwrap();
    assert_eq!((waiting.cause, waiting.reason.as_str()), (WaitCause::Hold, "a break"));
    assert_eq!(purse.payout.due_at(), Some(purse.now.after(Period::hours(1))));
    purse.sleep_until_due().hold(None);
    assert_eq!(purse.plan(), Plan::Send);
    purse.claim(1);
    assert_eq!(purse.payout.waiting, None, "the hold is over");
    purse.wait(LEASE).hold(Some("a break"));
    assert_eq!(purse.plan(), Plan::LookUp, "it may have been sent");
    purse.wait(QUIET);
    purse.claim(2);
    // It was not; but nothing leaves a wallet on hold.
    let asked = payout::after_look_up(&purse.payout, &purse.wallet, [2; 16], purse.moment()).unwrap();
    let NotFound::LookAgain(change) = asked else { panic!("it was sent from a wallet on hold") };
    assert!(purse.commit(Ok(Outcome::Changed(change))));
    purse.hold(None);
    purse.sleep_until_due();
    assert_eq!(purse.plan(), Plan::LookUp, "what was looked for is looked for again before it is sent");
}

#[test]
fn what_nobody_can_find_out_is_an_operators_after_three_days() {
    let mut purse = Purse::ready();
    let begun = purse.now;
    let mut tries = 0;
    while purse.payout.status != PayoutStatus::Review {
        purse.sleep_until_due();
        purse.claim(7);
        assert!(purse.put_off(7));
        tries += 1;
        assert!(tries < 100, "it is tried for ever");
    }
    assert!(purse.now >= begun.after(IN_DOUBT_FOR));
    assert!(matches!(purse.effect().progress, Progress::InDoubt(_)));
    assert_eq!((purse.plan(), purse.payout.work(purse.now)), (Plan::Leave, None));
    assert_eq!(purse.wallet.pending, minor(20_000), "its money stays reserved");
    assert_eq!(purse.payout.due_at(), Some(purse.now.after(Period::days(1))), "an alarm repeats daily");
}

#[test]
fn an_operator_decides_a_payout_in_doubt() {
    let mut done = Purse::at(PayoutStatus::Review);
    let silent = PayoutCommand::Resolve { resolution: PayoutResolution::Done, reason: String::new() };
    assert_eq!(done.refused(silent).code(), "reason_required");
    done.resolve(PayoutResolution::Done);
    assert_eq!((done.payout.status, done.wallet.withdrawn), (PayoutStatus::Paid, minor(20_000)));
    assert!(done.sent(), "the gateway tells as what");
    assert_eq!(done.payout.reference.as_deref(), Some("tr_1"));

    let mut failed = Purse::at(PayoutStatus::Review);
    failed.resolve(PayoutResolution::Failed);
    assert_eq!((failed.payout.status, failed.wallet.available), (PayoutStatus::Failed, minor(50_000)));

    let mut again = Purse::at(PayoutStatus::Review);
    again.resolve(PayoutResolution::Retry);
    assert_eq!((again.payout.status, again.plan()), (PayoutStatus::Ready, Plan::LookUp), "operators err");
    assert!(again.payout.key(&again.effect()).ends_with("-1"));
    assert_eq!(again.payout.sending_since, None, "it is given its own time");
}

#[test]
fn a_gateways_answer_ends_the_doubt() {
    let mut purse = Purse::at(PayoutStatus::Review);
    assert!(purse.sent());
    assert_eq!((purse.payout.status, purse.payout.alarm_at), (PayoutStatus::Paid, None));
    let late = PayoutCommand::Resolve { resolution: PayoutResolution::Failed, reason: "late".to_owned() };
    assert_eq!(purse.refused(late).code(), "transition_refused");
}

#[test]
fn a_transfer_that_the_gateway_calls_pending_is_looked_up_and_reviewed_after_thirty_days() {
    let mut purse = Purse::ready();
    purse.claim(1);
    let pending = purse.transfer("tr_1", TransferOutcome::Pending);
    assert!(purse.commit(pending));
    assert_eq!((purse.payout.status, purse.payout.effect), (PayoutStatus::Sending, None));
    let begun = purse.now;
    let mut look_ups = 0;
    while purse.payout.status == PayoutStatus::Sending {
        purse.sleep_until_due();
        assert_eq!(purse.payout.work(purse.now), Some(PayoutWork::LookUp));
        let still = payout::still_pending(&purse.payout, purse.moment());
        assert!(purse.commit(still));
        look_ups += 1;
    }
    assert_eq!(purse.payout.status, PayoutStatus::Review);
    assert!(purse.now >= begun.after(PENDING_FOR) && look_ups < 40, "{look_ups}");
    // The gateway has it under the only key that it ever had: another beside it could pay twice.
    let retry = PayoutCommand::Resolve { resolution: PayoutResolution::Retry, reason: "again".to_owned() };
    assert_eq!(purse.refused(retry).code(), "transition_refused");
    assert!(purse.sent());
}

#[test]
fn after_a_restore_from_backup_the_gateway_is_asked_before_anything_is_sent() {
    let mut purse = Purse::ready();
    purse.epoch = 1;
    assert_eq!(purse.plan(), Plan::LookUp);
    purse.claim(1);
    let asked = payout::after_look_up(&purse.payout, &purse.wallet, [1; 16], purse.moment()).unwrap();
    let NotFound::SendAgain(change) = asked else { panic!("no request was ever sent") };
    assert!(purse.commit(Ok(Outcome::Changed(change))));
    assert_eq!(purse.payout.key(&purse.effect()), purse.payout.id.to_string(), "no other key is needed");
    // A fact about one that the backup knows only as ready.
    let mut restored = Purse::ready();
    assert!(restored.sent());
}

/// Its id follows from the request, or from the version of the wallet: in the time that was lost it may have been sent. Where nothing
/// was ever restored, looking would only cost.
#[test]
fn a_payout_that_is_asked_for_after_a_restore_may_have_been_asked_for_before() {
    let wallet = wallet_of(50_000);
    let plan_in = |epoch| {
        let now = Moment { at: START, epoch };
        let new = new_payout(20_000, by_stripe());
        let asked = payout::ask(&new, &wallet, &LIMITS, actor(Role::Seller), named("ask"), now).unwrap().payout;
        asked.plan(&wallet, KEY_LIFE, now)
    };
    assert_eq!([plan_in(1), plan_in(2)], [Plan::Send, Plan::LookUp]);
}

#[test]
fn what_does_not_fit_is_never_booked() {
    let purse = Purse::ready();
    let fact = |gateway, units| PayoutFact::Transfer {
        gateway,
        reference: "tr_1".to_owned(),
        money: money(units),
        outcome: TransferOutcome::Sent,
    };
    assert_eq!(code(&purse.told("tr_1", "sent", fact(GatewayName::PayPal, 20_000))), "misfit");
    assert_eq!(code(&purse.told("tr_1", "sent", fact(GatewayName::Stripe, 20_001))), "misfit");
    // Money that left for a payout that is not to be sent, is over, or was sent before.
    for status in [PayoutStatus::Approval, PayoutStatus::Owed, PayoutStatus::Failed, PayoutStatus::Rejected] {
        let purse = Purse::at(status);
        assert_eq!(code(&purse.transfer("tr_2", TransferOutcome::Sent)), "misfit", "{status}");
        assert_eq!(code(&purse.transfer("tr_2", TransferOutcome::Pending)), "misfit", "{status}");
    }
    for status in [PayoutStatus::Paid, PayoutStatus::Returned] {
        let purse = Purse::at(status);
        assert_eq!(code(&purse.transfer("tr_2", TransferOutcome::Sent)), "misfit", "{status}");
    }
    // Only what a gateway has said is a fact.
    let command = PayoutCommand::Fact(fact(GatewayName::Stripe, 20_000));
    let operation = Operation::of_gateway(GatewayName::Stripe, "tr_1", "sent");
    for role in [Role::Seller, Role::Operator, Role::Platform, Role::Clock] {
        assert_eq!(code(&purse.decide(actor(role), operation, command.clone())), "not_found", "{role}");
    }
    assert_eq!(Purse::asked(1, by_stripe(), &LIMITS).payout.money, money(1));
    assert_ne!(named("a"), named("b"));
}
