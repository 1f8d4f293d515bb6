//! Payments: what funds, what is absorbed, what expires.

use crate::fixture::{Deal, Offer, cancel, held, held_as, minor, new_payment, pending, sar};
use escrow_domain::command::{Command, Fact, NewPayment, RefundOutcome};
use escrow_domain::currency::Currencies;
use escrow_domain::decide::{self, Outcome, Page};
use escrow_domain::effect::Task;
use escrow_domain::escrow::MOST_PAYMENTS;
use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::money::Money;
use escrow_domain::payment::{Mode, PaymentStatus, RefundOf};
use escrow_domain::policy::{Kind, LONGEST_PROCESSING};
use escrow_domain::refusal::{Misfit, Refusal, Undecided};
use escrow_domain::time::Period;

#[test]
fn the_same_capture_again_changes_nothing() {
    let mut deal = pending();
    deal.page_opened().paid();
    let again = deal.capture_of(0, "pi_1");
    assert!(!deal.fact(&again));
    assert_eq!(deal.escrow.payments[0].captures.len(), 1);
}

#[test]
fn another_capture_is_absorbed_and_refunded() {
    let mut deal = held();
    let second = deal.capture_of(0, "pi_2");
    assert!(deal.fact(&second));
    assert_eq!((deal.stage(), deal.escrow.milestones[0].money.held), (Stage::Held, minor(15_000)));
    assert_eq!(deal.escrow.payments[0].status, PaymentStatus::Paid, "the first one still stands");
    let refund = &deal.escrow.refunds[0];
    assert_eq!(
        (refund.of, refund.capture, refund.amount, refund.principal),
        (RefundOf::Unapplied, 1, minor(15_000), minor(0))
    );
    assert!(deal.escrow.effect(Task::Refund(0)).is_some());
    assert!(!deal.fact(&second), "and once only");
    deal.refunded(0, RefundOutcome::Succeeded);
    assert_eq!(
        deal.ledger().into_iter().collect::<Vec<_>>(),
        [("escrow".to_owned(), -15_000), ("gateway:stripe".to_owned(), 15_000)]
    );
}

#[test]
fn a_late_payment_of_an_expired_escrow_goes_back() {
    let mut deal = pending();
    deal.page_opened().sleep_until_due();
    assert!(deal.tick());
    assert_eq!((deal.stage(), deal.escrow.payments[0].status), (Stage::Expired, PaymentStatus::Closing));
    deal.paid();
    assert_eq!((deal.stage(), deal.escrow.payments[0].status), (Stage::Expired, PaymentStatus::Absorbed));
    assert_eq!(deal.escrow.refunds.len(), 1);
    assert!(deal.escrow.effect(Task::ClosePayment(0)).is_none(), "there is nothing left to close");
}

#[test]
fn an_unpaid_checkout_expires_at_its_deadline_and_not_before() {
    let mut deal = pending();
    deal.page_opened().wait(Period::from_millis(Period::hours(24).as_millis() - 1));
    assert!(!deal.tick());
    deal.wait(Period::from_millis(1));
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Expired);
    assert!(deal.escrow.effect(Task::ClosePayment(0)).is_some(), "the gateway is told");
}

#[test]
fn processing_postpones_expiry_at_most_fourteen_days() {
    let mut deal = pending();
    deal.page_opened();
    assert!(deal.fact(&Fact::Processing { payment: 0, gateway: GatewayName::Stripe }));
    deal.wait(Period::days(2));
    assert!(!deal.tick());
    assert_eq!(deal.escrow.due_at(), Some(crate::fixture::START.after(LONGEST_PROCESSING)));
    deal.sleep_until_due().tick();
    assert_eq!((deal.stage(), LONGEST_PROCESSING), (Stage::Expired, Period::days(14)));
}

#[test]
fn a_processing_payment_that_fails_expires_at_once_and_one_that_succeeds_funds() {
    let mut deal = pending();
    deal.page_opened();
    deal.fact(&Fact::Processing { payment: 0, gateway: GatewayName::Stripe });
    let mut other = deal.clone();
    deal.wait(Period::days(3));
    assert!(deal.fact(&Fact::Closed { payment: 0, gateway: GatewayName::Stripe }));
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Expired);
    other.wait(Period::days(3)).paid();
    assert_eq!(other.stage(), Stage::Held);
}

#[test]
fn a_payment_that_is_told_to_be_processing_late_stays_what_it_is() {
    let mut deal = held();
    assert!(!deal.fact(&Fact::Processing { payment: 0, gateway: GatewayName::Stripe }));
    assert!(!deal.fact(&Fact::Closed { payment: 0, gateway: GatewayName::Stripe }));
    assert_eq!(deal.escrow.payments[0].status, PaymentStatus::Paid);
}

#[test]
fn amount_currency_and_gateway_must_be_what_was_asked_for() {
    let deal = pending();
    let with = |gateway, units, currency| {
        let money = Money { amount: minor(units), currency };
        deal.try_fact(&Fact::Paid { payment: 0, gateway, capture: "pi_1".to_owned(), money, reference: None })
    };
    let usd = Currencies::default().find("USD").unwrap();
    assert_eq!(with(GatewayName::PayPal, 15_000, sar()), Err(Undecided::Misfit(Misfit::OtherGateway)));
    for (units, currency) in [(14_999, sar()), (15_001, sar()), (15_000, usd)] {
        assert!(matches!(
            with(GatewayName::Stripe, units, currency),
            Err(Undecided::Misfit(Misfit::OtherAmount { .. }))
        ));
    }
    let unknown = Fact::Processing { payment: 1, gateway: GatewayName::Stripe };
    assert_eq!(deal.try_fact(&unknown), Err(Undecided::Misfit(Misfit::PaymentUnknown)));
}

#[test]
fn when_one_attempt_pays_the_others_are_closed() {
    let mut deal = pending();
    deal.page_opened();
    let expires_at = deal.escrow.payments[0].expires_at;
    deal.act(Role::Platform, Command::AddPayment(new_payment(&[0], expires_at)));
    let opened = decide::checkout_opened(
        &deal.escrow,
        1,
        "cs_2",
        &crate::fixture::page("https://pay"),
        expires_at,
        deal.moment(),
    )
    .unwrap();
    assert!(deal.commit_if_changed(opened));
    deal.paid();
    assert_eq!(deal.escrow.payments[1].status, PaymentStatus::Closing);
    assert!(deal.escrow.effect(Task::ClosePayment(1)).is_some() && deal.escrow.effect(Task::ClosePayment(0)).is_none());
    assert!(deal.fact(&Fact::Closed { payment: 1, gateway: GatewayName::Stripe }));
    assert!(deal.escrow.effects.is_empty());
}

#[test]
fn the_webhook_may_come_before_the_page_is_stored() {
    let mut deal = pending();
    deal.paid();
    let expires_at = deal.escrow.payments[0].expires_at;
    let opened = decide::checkout_opened(
        &deal.escrow,
        0,
        "cs_1",
        &crate::fixture::page("https://pay"),
        expires_at,
        deal.moment(),
    )
    .unwrap();
    assert!(deal.commit_if_changed(opened));
    let payment = &deal.escrow.payments[0];
    assert_eq!(
        (payment.status, payment.reference.as_deref(), &payment.url),
        (PaymentStatus::Paid, Some("cs_1"), &None)
    );
}

#[test]
fn a_form_on_the_marketplaces_own_page_is_opened_paid_and_closed_like_a_page() {
    let mut deal = pending();
    let until = deal.now.after(Period::hours(1));
    for _ in 0..2 {
        let payment = NewPayment { mode: Mode::Elements, ..new_payment(&[0], until) };
        deal.act(Role::Buyer, Command::AddPayment(payment));
    }
    for (number, intent) in [(1, "pi_1"), (2, "pi_2")] {
        let form = Page { url: None, client_secret: Some("secret") };
        let opened = decide::checkout_opened(&deal.escrow, number, intent, &form, until, deal.moment()).unwrap();
        assert!(deal.commit_if_changed(opened));
        let payment = &deal.escrow.payments[usize::from(number)];
        let needs = (payment.mode, &payment.url, payment.client_secret.as_deref());
        assert_eq!(needs, (Mode::Elements, &None, Some("secret")));
    }
    // The intent is both the reference of the payment and the capture that pays it.
    let paid = deal.capture_of(1, "pi_1");
    assert!(deal.fact(&paid));
    assert_eq!(deal.stage(), Stage::Held);
    assert!(deal.escrow.payments.iter().all(|payment| payment.client_secret.is_none()), "nobody can pay any more");
    assert_eq!(deal.escrow.payments[2].status, PaymentStatus::Closing);
    assert!(deal.escrow.effect(Task::ClosePayment(2)).is_some());
}

#[test]
fn a_page_whose_address_arrives_after_the_end_is_closed_once() {
    let mut deal = pending();
    deal.act(Role::Seller, cancel());
    assert!(deal.escrow.effects.is_empty(), "there is no page that could be named");
    assert!(deal.escrow.is_settled());
    deal.page_opened();
    assert!(deal.escrow.effect(Task::ClosePayment(0)).is_some());
    assert!(deal.fact(&Fact::Closed { payment: 0, gateway: GatewayName::Stripe }));
    assert!(deal.escrow.is_settled());

    // The gateway may have said that it is closed before its address arrived here; it says so again when it is asked.
    let mut deal = pending();
    assert!(deal.fact(&Fact::Closed { payment: 0, gateway: GatewayName::Stripe }));
    deal.tick();
    deal.page_opened();
    assert!(deal.fact(&Fact::Closed { payment: 0, gateway: GatewayName::Stripe }));
    assert!(deal.escrow.effects.is_empty() && deal.escrow.is_settled());
}

#[test]
fn a_refused_checkout_expires_at_once_and_another_attempt_keeps_it_alive() {
    let mut deal = pending();
    let refused = decide::checkout_refused(&deal.escrow, 0, deal.moment()).unwrap();
    assert!(deal.commit_if_changed(refused));
    let mut other = deal.clone();
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Expired);
    let until = other.now.after(Period::hours(1));
    other.act(Role::Buyer, Command::AddPayment(new_payment(&[0], until)));
    assert!(!other.tick());
    assert_eq!(other.escrow.due_at(), Some(until));
}

#[test]
fn another_key_is_used_once_for_each_failed_attempt() {
    let mut deal = pending();
    let next = decide::next_attempt(&deal.escrow, 0, 0, deal.moment()).unwrap();
    assert!(deal.commit_if_changed(next));
    assert_eq!(deal.escrow.payments[0].attempt, 1);
    let twin = decide::next_attempt(&deal.escrow, 0, 0, deal.moment());
    assert_eq!(twin, Ok(Outcome::AlreadyDone), "two callers who saw the same failure count it once");
}

#[test]
fn the_page_never_lives_longer_than_was_agreed_and_may_live_shorter() {
    let mut deal = pending();
    let agreed = deal.escrow.payments[0].expires_at;
    let longer = decide::checkout_opened(
        &deal.escrow,
        0,
        "cs_1",
        &crate::fixture::page("u"),
        agreed.after(Period::hours(1)),
        deal.moment(),
    );
    let Ok(Outcome::Changed(change)) = longer else { panic!("opened") };
    assert_eq!(change.escrow.payments[0].expires_at, agreed);
    let shorter = agreed.before(Period::hours(1));
    let opened =
        decide::checkout_opened(&deal.escrow, 0, "cs_1", &crate::fixture::page("u"), shorter, deal.moment()).unwrap();
    assert!(deal.commit_if_changed(opened));
    assert_eq!(deal.escrow.due_at(), Some(shorter));
}

#[test]
fn no_more_than_twenty_attempts_to_pay() {
    let mut deal = pending();
    let payment = Command::AddPayment(new_payment(&[0], deal.escrow.payments[0].expires_at));
    for _ in 1..MOST_PAYMENTS {
        deal.act(Role::Buyer, payment.clone());
    }
    assert_eq!(deal.refusal(Role::Buyer, payment), Refusal::Full { what: "payments" });
}

#[test]
fn a_payment_names_each_milestone_once() {
    let deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    let until = deal.now.after(Period::hours(1));
    let twice = deal.try_as(Role::Buyer, Command::AddPayment(new_payment(&[1, 1], until)));
    assert!(matches!(twice, Err(Undecided::Broken(_))), "the edge does not let it through");
    let none = deal.try_as(Role::Buyer, Command::AddPayment(new_payment(&[], until)));
    assert!(matches!(none, Err(Undecided::Broken(_))));
}

#[test]
fn a_product_is_delivered_when_paid_and_released_by_the_clock_at_once() {
    let mut deal = held_as(&Offer::of(Kind::Product));
    assert_eq!(deal.stage(), Stage::Delivered, "funding commits alone");
    assert!(deal.credits.is_empty());
    assert_eq!(deal.escrow.due_at(), Some(deal.now));
    assert!(deal.tick());
    assert_eq!(deal.stage(), Stage::Released);
    assert_eq!(deal.credits[0].amount, minor(15_000));
}

#[test]
fn a_cancelled_escrow_takes_no_more_payments() {
    let mut deal = pending();
    deal.act(Role::Seller, cancel());
    let payment = Command::AddPayment(new_payment(&[0], deal.now.after(Period::hours(1))));
    assert!(matches!(deal.refusal(Role::Buyer, payment), Refusal::WrongStage { .. }));
}
