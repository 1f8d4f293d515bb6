//! Escrows that the buyer's wallet pays: held at once, and given back into the wallet.

use crate::fixture::{Deal, Offer, coin, minor, new_payment, refund, release, sar, user};
use escrow_domain::command::{Command, Fact, NewPayment, RefundOutcome};
use escrow_domain::effect::Task;
use escrow_domain::fees::Fee;
use escrow_domain::id::GatewayName;
use escrow_domain::journal::Seen;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::payment::{PaymentStatus, RefundStatus, Source};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::{Misfit, Undecided};
use escrow_domain::time::Period;
use escrow_domain::wallet::{LineKind, MovedBy};

fn from_wallet() -> Deal {
    Deal::created(&Offer::of(Kind::Service).paid_by_wallet())
}

fn wallet_payment(deal: &Deal, milestones: &[u8]) -> Command {
    let payment = new_payment(milestones, deal.now.after(Period::hours(1)));
    Command::AddPayment(NewPayment { source: Source::Wallet, ..payment })
}

#[test]
fn an_escrow_paid_from_the_wallet_is_held_in_the_commit_that_creates_it() {
    let deal = from_wallet();
    assert_eq!((deal.stage(), deal.escrow.version), (Stage::Held, 1));
    let did: Vec<Transition> = deal.escrow.journal.entries.iter().map(|entry| entry.transition).collect();
    assert_eq!(did, [Transition::Create, Transition::Fund]);
    let [moved] = deal.credits.as_slice() else { panic!("one move: {:?}", deal.credits) };
    assert_eq!((moved.kind, moved.amount, moved.entry), (LineKind::Funding, minor(15_000), 1));
    assert_eq!((&moved.owner, moved.of), (&user("usr_buyer"), MovedBy::Escrow(deal.escrow.id)));
    assert_eq!(
        deal.ledger().into_iter().collect::<Vec<_>>(),
        [("escrow".to_owned(), -15_000), ("wallet:usr_buyer".to_owned(), 15_000)]
    );
    let payment = &deal.escrow.payments[0];
    assert_eq!((payment.status, payment.captures.len(), &payment.request), (PaymentStatus::Paid, 1, &None));
    assert!(deal.escrow.effects.is_empty(), "no gateway has anything to do with it");
}

#[test]
fn a_request_that_makes_two_entries_is_recognised_by_its_first() {
    let deal = from_wallet();
    let operation = deal.escrow.journal.operations[0];
    assert_eq!(deal.escrow.journal.seen(&operation), Seen::Before(0));
    assert_eq!(deal.escrow.journal.of_people(), 1, "and counts once");
}

#[test]
fn a_product_paid_from_the_wallet_is_released_by_the_clock() {
    let mut deal = Deal::created(&Offer::of(Kind::Product).paid_by_wallet());
    assert_eq!((deal.stage(), deal.escrow.due_at()), (Stage::Delivered, Some(deal.now)));
    assert!(deal.tick());
    assert_eq!((deal.in_wallet("usr_seller"), deal.in_wallet("usr_buyer")), (15_000, -15_000));
}

#[test]
fn what_a_wallet_paid_goes_back_into_it_in_the_same_commit() {
    let fee = Fee { buyer: minor(1_000), seller: minor(500) };
    let offer = Offer { milestones: vec![(15_000, fee)], ..Offer::of(Kind::Service) };
    let mut deal = Deal::created(&offer.paid_by_wallet());
    assert_eq!(deal.in_wallet("usr_buyer"), -16_000, "with the buyer's fee");
    deal.act(Role::Buyer, release(Some(5_000)));
    deal.act(Role::Seller, refund(Some(4_000)));
    assert_eq!(deal.escrow.milestones[0].money.refunded, minor(4_000));
    deal.act(Role::Seller, refund(None));
    assert_eq!(deal.stage(), Stage::Split);
    assert!(deal.escrow.is_settled() && deal.escrow.effects.is_empty());
    assert!(deal.escrow.refunds.iter().all(|refund| refund.status == RefundStatus::Succeeded));
    assert_eq!(deal.in_wallet("usr_buyer"), -16_000 + 10_667, "two thirds of the fee, the fraction from the platform");
    assert_eq!(deal.ledger().get("escrow"), None);
}

#[test]
fn no_gateway_says_anything_about_what_a_wallet_paid() {
    let mut deal = from_wallet();
    deal.act(Role::Seller, refund(Some(4_000)));
    let gateway = GatewayName::Stripe;
    let refund = deal.refund_told(0, RefundOutcome::Failed("no".to_owned()));
    let capture = deal.escrow.payments[0].captures[0].id.clone();
    let total = minor(1_000).of(sar());
    for fact in [
        deal.capture_of(0, "pi_1"),
        Fact::Closed { payment: 0, gateway },
        Fact::Processing { payment: 0, gateway },
        refund,
        Fact::CaptureRefunded { gateway, capture, total, told_at: deal.now },
    ] {
        assert_eq!(deal.try_fact(&fact), Err(Undecided::Misfit(Misfit::OtherGateway)), "{fact:?}");
    }
}

#[test]
fn a_later_milestone_is_paid_from_the_wallet_and_an_open_page_for_it_is_closed() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened();
    let payment = wallet_payment(&deal, &[1]);
    deal.act(Role::Platform, payment);
    assert_eq!(deal.escrow.milestones[1].stage(), Stage::Held);
    assert_eq!(deal.escrow.payments[0].status, PaymentStatus::Closing);
    assert!(deal.escrow.effect(Task::ClosePayment(0)).is_some(), "it would pay the second milestone again");
    let payment = wallet_payment(&deal, &[1]);
    let again = deal.try_as(Role::Buyer, payment);
    assert!(matches!(again, Err(Undecided::Refused(_))), "it is paid: {again:?}");
}

#[test]
fn each_milestone_goes_back_to_where_its_money_came_from() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    deal.page_opened().paid();
    let payment = wallet_payment(&deal, &[1]);
    deal.act(Role::Buyer, payment);
    for milestone in [Some(0), Some(1)] {
        deal.act(Role::Seller, Command::Refund { milestone, amount: None, reason: None });
    }
    assert_eq!(deal.escrow.milestones[0].stage(), Stage::Refunding);
    assert_eq!(deal.escrow.milestones[1].stage(), Stage::Refunded);
    assert!(deal.escrow.effect(Task::Refund(0)).is_some() && deal.escrow.effect(Task::Refund(1)).is_none());
    assert!(deal.refunded(0, RefundOutcome::Succeeded));
    assert_eq!((deal.in_wallet("usr_buyer"), deal.ledger().len()), (0, 0));
}

#[test]
fn a_wallet_pays_in_the_escrows_own_unit_only() {
    let deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    let Command::AddPayment(payment) = wallet_payment(&deal, &[1]) else { panic!("a payment") };
    for pay_in in [minor(5).of(coin()), minor(5).of(sar())] {
        let payment = NewPayment { pay_in: Some(pay_in), ..payment.clone() };
        let outcome = deal.try_as(Role::Buyer, Command::AddPayment(payment));
        assert!(matches!(outcome, Err(Undecided::Broken(_))), "the edge lets none through: {outcome:?}");
    }
}
