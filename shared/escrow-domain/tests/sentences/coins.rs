//! Escrows in the platform's own unit, paid at a gateway in a currency: issued and held in one commit, given back as coins.

use crate::fixture::{
    Deal, Offer, chargeback_closed, chargeback_funds, coin, delivered, minor, refund, release, resolve, sar, told_of,
    user,
};
use escrow_domain::command::{Fact, RefundOutcome, Resolution};
use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::payment::{RefundOf, RefundStatus};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::{Misfit, Undecided};

/// 15 000 coins for 33.33 SAR.
fn pending() -> Deal {
    Deal::created(&Offer::of(Kind::Service).in_coins(3_333))
}

fn held() -> Deal {
    let mut deal = pending();
    deal.page_opened().paid();
    deal
}

fn ledger(deal: &Deal) -> Vec<(String, i64)> {
    deal.ledger().into_iter().collect()
}

fn sums(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(name, units)| ((*name).to_owned(), *units)).collect()
}

#[test]
fn coins_are_issued_and_the_escrow_is_held_in_one_commit() {
    let deal = held();
    assert_eq!(deal.stage(), Stage::Held);
    let entry = deal.escrow.journal.entries.last().unwrap();
    assert_eq!(entry.postings.len(), 4);
    assert_eq!(
        ledger(&deal),
        sums(&[("escrow", -15_000), ("exchange", 15_000), ("exchange SAR", -3_333), ("gateway:stripe SAR", 3_333)])
    );
}

#[test]
fn what_arrives_is_compared_with_what_was_to_be_charged() {
    let deal = pending();
    for money in [minor(15_000).of(coin()), minor(15_000).of(sar()), minor(3_332).of(sar())] {
        let gateway = GatewayName::Stripe;
        let fact = Fact::Paid { payment: 0, gateway, capture: "pi_1".to_owned(), money, reference: None };
        assert!(matches!(deal.try_fact(&fact), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))), "{money:?}");
    }
}

#[test]
fn a_refund_goes_into_the_buyers_wallet_as_coins() {
    let mut deal = held();
    deal.act(Role::Buyer, release(Some(5_000))).act(Role::Seller, refund(None));
    assert_eq!(deal.stage(), Stage::Split);
    assert!(deal.escrow.is_settled() && deal.escrow.effects.is_empty());
    assert_eq!((deal.in_wallet("usr_buyer"), deal.in_wallet("usr_seller")), (10_000, 5_000));
    assert_eq!(deal.escrow.refund_money(&deal.escrow.refunds[0]), minor(10_000).of(coin()));
    let told = deal.refund_told(0, RefundOutcome::Failed("no".to_owned()));
    assert_eq!(deal.try_fact(&told), Err(Undecided::Misfit(Misfit::OtherGateway)), "no gateway made it");
}

#[test]
fn a_second_payment_goes_back_at_the_gateway_in_what_was_charged() {
    let mut deal = held();
    let second = deal.capture_of(0, "pi_2");
    assert!(deal.fact(&second));
    let back = deal.escrow.refunds[0].clone();
    assert_eq!((back.of, deal.escrow.refund_money(&back)), (RefundOf::Unapplied, minor(3_333).of(sar())));
    assert_eq!(deal.ledger().get("refunds:stripe SAR"), Some(&-3_333));
    let in_coins = Fact::Refund {
        refund: 0,
        gateway: GatewayName::Stripe,
        reference: "re_0".to_owned(),
        money: minor(3_333).of(coin()),
        outcome: RefundOutcome::Succeeded,
    };
    assert!(matches!(deal.try_fact(&in_coins), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))));
    assert!(deal.refunded(0, RefundOutcome::Succeeded));
    assert_eq!(deal.ledger().get("gateway:stripe SAR"), Some(&3_333), "the first one's");
}

#[test]
fn a_refund_that_failed_for_good_is_credited_in_what_was_charged() {
    let mut deal = held();
    let second = deal.capture_of(0, "pi_2");
    deal.fact(&second);
    deal.refunded(0, RefundOutcome::Failed("closed".to_owned()));
    assert_eq!(deal.ledger().get("unapplied:stripe SAR"), Some(&-3_333));
    deal.act(Role::Operator, resolve(Resolution::CreditWallet));
    let credit = deal.credits.last().unwrap();
    assert_eq!((&credit.owner, credit.amount.of(credit.currency)), (&user("usr_buyer"), minor(3_333).of(sar())));
    assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Replaced, "by something that no gateway has made");
    assert_eq!(deal.ledger().get("unapplied:stripe SAR"), None);
}

#[test]
fn what_a_gateway_gives_back_by_itself_takes_its_worth_in_coins() {
    let mut deal = held();
    let told = |units| Fact::CaptureRefunded {
        gateway: GatewayName::Stripe,
        capture: "pi_1".to_owned(),
        total: minor(units).of(sar()),
        told_at: deal.now,
    };
    let (first, second) = (told(1), told(3_333));
    assert!(matches!(deal.try_fact(&told(3_334)), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))));
    assert!(deal.fact(&first));
    assert_eq!(deal.escrow.milestones[0].money.refunded, minor(4), "15 000 ÷ 33.33, rounded down");
    assert!(deal.fact(&second));
    assert_eq!(deal.stage(), Stage::Refunded, "all of it stands for all of it");
    assert!(deal.escrow.reviews.is_empty() && deal.ledger().is_empty());
}

#[test]
fn what_went_back_but_was_released_already_is_not_booked_and_reviewed() {
    let mut deal = held();
    deal.act(Role::Buyer, release(Some(10_000)));
    let total = minor(3_333).of(sar());
    let (gateway, capture, told_at) = (GatewayName::Stripe, "pi_1".to_owned(), deal.now);
    assert!(deal.fact(&Fact::CaptureRefunded { gateway, capture, total, told_at }));
    assert_eq!((deal.escrow.milestones[0].money.refunded, deal.escrow.reviews.len()), (minor(5_000), 1));
    assert_eq!(deal.ledger().get("gateway:stripe SAR"), Some(&2_222), "a third of what was charged is gone");
}

#[test]
fn a_lost_chargeback_is_charged_back_in_the_currency_and_borne_in_coins() {
    let mut deal = held();
    deal.act(Role::Buyer, release(Some(10_000)));
    let chargeback = told_of("du_1", "pi_1", minor(3_333).of(sar()));
    assert!(deal.fact(&Fact::ChargebackClosed { chargeback: chargeback.clone(), won: false }));
    assert_eq!(deal.in_wallet("usr_seller"), 0, "the seller gives back what was received");
    assert_eq!(deal.escrow.milestones[0].money.refunded, minor(5_000));
    let moved = chargeback.money;
    assert!(deal.fact(&Fact::ChargebackFunds { chargeback, moved, back: false }));
    assert!(deal.ledger().is_empty(), "the coins are gone, and the money is");
}

#[test]
fn coins_that_were_given_back_before_are_owed_in_the_currency() {
    let mut deal = held();
    deal.act(Role::Seller, refund(Some(5_000)));
    let chargeback = told_of("du_1", "pi_1", minor(3_333).of(sar()));
    let moved = chargeback.money;
    deal.fact(&Fact::ChargebackFunds { chargeback: chargeback.clone(), moved, back: false });
    assert!(deal.fact(&Fact::ChargebackClosed { chargeback, won: false }));
    let stored = &deal.escrow.chargebacks[0];
    assert_eq!((stored.of_escrow, stored.of_seller, stored.of_buyer), (minor(10_000), minor(0), minor(1_111)));
    assert_eq!(
        ledger(&deal),
        sums(&[
            ("exchange", 5_000),
            ("exchange SAR", -1_111),
            ("receivable:usr_buyer SAR", 1_111),
            ("wallet:usr_buyer", -5_000)
        ])
    );
}

#[test]
fn parts_of_a_payment_that_are_charged_back_make_no_more_than_the_whole() {
    let mut deal = held();
    for (at, units) in [1_111, 1, 1, 2_219, 1].into_iter().enumerate() {
        let chargeback = told_of(&format!("du_{at}"), "pi_1", minor(units).of(sar()));
        assert!(deal.fact(&Fact::ChargebackClosed { chargeback, won: false }));
    }
    assert_eq!((deal.stage(), deal.ledger().get("escrow")), (Stage::Refunded, None));
    // A bank that takes more than was charged.
    let chargeback = told_of("du_9", "pi_1", minor(50).of(sar()));
    assert!(deal.fact(&Fact::ChargebackClosed { chargeback, won: false }));
    assert_eq!(deal.ledger().get("receivable:usr_buyer SAR"), Some(&50));
}

#[test]
fn a_chargeback_in_another_unit_than_was_charged_fits_nothing() {
    let mut deal = held();
    let chargeback = told_of("du_1", "pi_1", minor(3_333).of(coin()));
    let told = Fact::ChargebackClosed { chargeback, won: false };
    assert!(matches!(deal.try_fact(&told), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))));
    // Nor does another amount for the same chargeback.
    deal.fact(&Fact::ChargebackClosed { chargeback: told_of("du_1", "pi_1", minor(5).of(sar())), won: false });
    for fact in [chargeback_closed("du_1", true), chargeback_funds("du_1", true)] {
        assert!(matches!(deal.try_fact(&fact), Err(Undecided::Misfit(Misfit::OtherAmount { .. }))));
    }
    assert!(delivered().fact(&chargeback_closed("du_1", true)), "in the escrow's unit where that is charged");
}
