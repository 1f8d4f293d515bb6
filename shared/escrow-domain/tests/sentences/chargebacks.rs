//! Chargebacks: told in any order, on money that is held, locked, given back or the seller's. Nothing is lost twice.

use crate::fixture::{
    Deal, Offer, accept, chargeback_closed, chargeback_funds, chargeback_opened, delivered, dispute, freeze, held,
    in_doubt, minor, new_payment, page, propose, refund, refunding, release, resolve, sar, told_of, unfreeze,
};
use escrow_domain::chargeback::ChargebackStatus;
use escrow_domain::command::{Command, Fact, RefundOutcome, Resolution};
use escrow_domain::decide::{self, Moment};
use escrow_domain::effect::Task;
use escrow_domain::escrow::Status;
use escrow_domain::fees::Fee;
use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::money::Minor;
use escrow_domain::payment::{RefundStatus, Source};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::{Misfit, Refusal, Undecided};
use escrow_domain::time::Period;
use escrow_domain::wallet::LineKind;
use escrow_domain::work::{LEASE, NotFound, Plan, QUIET, after_look_up};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn lost_of(reference: &str, capture: &str, units: i64) -> Fact {
    Fact::ChargebackClosed { chargeback: told_of(reference, capture, minor(units).of(sar())), won: false }
}

fn taken_of(reference: &str, capture: &str, units: i64) -> Fact {
    let chargeback = told_of(reference, capture, minor(units).of(sar()));
    Fact::ChargebackFunds { moved: chargeback.money, chargeback, back: false }
}

/// A chargeback of so much of the first capture is lost, and the gateway takes the money.
fn lose(deal: &mut Deal, units: i64) {
    let number = deal.escrow.chargebacks.len();
    let reference = format!("du_lost_{number}");
    assert!(deal.fact(&taken_of(&reference, "pi_1", units)));
    assert!(!deal.escrow.freezes.is_empty(), "nothing leaves while the bank decides");
    assert!(deal.fact(&lost_of(&reference, "pi_1", units)));
    assert!(deal.escrow.freezes.is_empty());
}

fn ledger(deal: &Deal) -> Vec<(String, i64)> {
    deal.ledger().into_iter().collect()
}

fn sums(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(name, units)| ((*name).to_owned(), *units)).collect()
}

/// What the last chargeback took: from here, from the seller, and what the buyer owes.
fn borne(deal: &Deal) -> (i64, i64, i64) {
    let last = deal.escrow.chargebacks.last().unwrap();
    (last.of_escrow.units(), last.of_seller.units(), last.of_buyer.units())
}

#[test]
fn funds_are_on_their_own_account_until_the_bank_decides() {
    let mut deal = delivered();
    deal.fact(&chargeback_opened("du_1"));
    assert!(deal.fact(&chargeback_funds("du_1", false)));
    assert_eq!(ledger(&deal), sums(&[("chargebacks:stripe", 10_000), ("escrow", -15_000), ("gateway:stripe", 5_000)]));
    assert_eq!(deal.stage(), Stage::Delivered, "it is still the same deal");
    assert!(deal.fact(&chargeback_closed("du_1", true)));
    assert!(deal.fact(&chargeback_funds("du_1", true)));
    assert_eq!(ledger(&deal), sums(&[("escrow", -15_000), ("gateway:stripe", 15_000)]));
    assert_eq!(deal.escrow.chargebacks[0].status, ChargebackStatus::Won);
    deal.act(Role::Buyer, release(None));
    assert!(deal.escrow.is_settled());
}

#[test]
fn an_open_chargeback_stops_every_outward_move() {
    let frozen = Refusal::Frozen { reason: "fraudulent".to_owned() };
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(Some(5_000))).act(Role::Buyer, propose(1_000));
    deal.fact(&chargeback_opened("du_1"));
    for (role, command) in [
        (Role::Buyer, release(None)),
        (Role::Seller, refund(None)),
        (Role::Seller, accept(0)),
        (Role::Operator, release(None)),
        (Role::Operator, refund(None)),
    ] {
        assert_eq!(deal.refusal(role, command), frozen);
    }
    assert_eq!(deal.refusal(Role::Operator, unfreeze()), Refusal::NotFrozen, "only the bank ends it");
    deal.wait(Period::days(300));
    deal.tick();
    assert_eq!(deal.stage(), Stage::Disputed, "no clock runs");
    // Money that an operator would give to the wallet could be paid out at once.
    let mut failed = refunding();
    failed.refunded(0, RefundOutcome::Failed("closed".to_owned()));
    failed.fact(&chargeback_opened("du_1"));
    assert_eq!(failed.refusal(Role::Operator, resolve(Resolution::CreditWallet)), frozen);
}

#[test]
fn each_freeze_ends_with_its_own_chargeback() {
    let mut deal = held();
    deal.fact(&chargeback_opened("du_1"));
    deal.act(Role::Operator, freeze());
    deal.fact(&taken_of("du_2", "pi_1", 1_000));
    let reasons =
        |deal: &Deal| -> Vec<String> { deal.escrow.freezes.iter().map(|freeze| freeze.reason.clone()).collect() };
    assert_eq!(reasons(&deal).len(), 3);
    deal.fact(&chargeback_closed("du_1", true));
    assert_eq!(reasons(&deal), ["suspicion", "a card's holder disputes the payment"]);
    deal.act(Role::Operator, unfreeze());
    assert_eq!(reasons(&deal).len(), 1);
    deal.fact(&lost_of("du_2", "pi_1", 1_000));
    assert!(reasons(&deal).is_empty() && deal.escrow.alarm_at.is_none());
}

#[test]
fn what_is_held_bears_a_loss_first_then_what_is_disputed_then_the_seller() {
    let mut deal = delivered();
    deal.act(Role::Buyer, release(Some(6_000))).act(Role::Buyer, dispute(Some(4_000)));
    let mut whole = deal.clone();
    lose(&mut deal, 5_000);
    assert_eq!((deal.escrow.milestones[0].money.held, borne(&deal)), (minor(0), (5_000, 0, 0)));
    lose(&mut deal, 3_000);
    assert_eq!((deal.escrow.milestones[0].money.disputed, deal.stage()), (minor(1_000), Stage::Disputed));
    lose(&mut deal, 2_000);
    assert_eq!((deal.stage(), borne(&deal)), (Stage::Split, (1_000, 1_000, 0)));
    assert!(!deal.escrow.disputes[0].is_open(), "nothing is left to decide about");
    assert_eq!(deal.in_wallet("usr_seller"), 5_000);
    lose(&mut whole, 15_000);
    assert_eq!((borne(&whole), whole.in_wallet("usr_seller")), ((9_000, 6_000, 0), 0));
    assert!(whole.ledger().is_empty() && whole.escrow.is_settled());
    assert_eq!(whole.credits.last().unwrap().kind, LineKind::Chargeback);
}

#[test]
fn the_seller_bears_no_more_than_was_received() {
    let mut deal = Deal::created(&Offer::with_fee(1_000, 500));
    deal.page_opened().paid().act(Role::Buyer, release(None));
    assert_eq!(deal.in_wallet("usr_seller"), 14_500);
    lose(&mut deal, 16_000);
    assert_eq!((borne(&deal), deal.in_wallet("usr_seller")), ((0, 14_500, 1_500), 0));
    assert_eq!(
        ledger(&deal),
        sums(&[("fees", -1_500), ("receivable:usr_buyer", 1_500)]),
        "the platform has earned its fee, and may claim it"
    );
    lose(&mut deal, 100);
    assert_eq!(borne(&deal), (0, 0, 100), "what the seller has given back once is not taken again");
}

#[test]
fn the_buyers_fee_goes_with_what_is_charged_back() {
    let mut deal = Deal::created(&Offer::with_fee(1_000, 500));
    deal.page_opened().paid();
    lose(&mut deal, 16_000);
    assert_eq!((deal.stage(), deal.ledger().len()), (Stage::Refunded, 0));
    for units in [1, 7, 999, 15_999] {
        let mut deal = Deal::created(&Offer::with_fee(1_000, 500));
        deal.page_opened().paid();
        lose(&mut deal, units);
        assert_eq!(borne(&deal), (units, 0, 0));
        deal.act(Role::Seller, refund(None));
        let number = u16::try_from(deal.escrow.refunds.len() - 1).unwrap();
        deal.refunded(number, RefundOutcome::Succeeded);
        assert!(deal.escrow.is_settled());
        assert!(deal.ledger().get("fees").copied().unwrap_or(0).abs() <= 1, "a fraction at most: {:?}", deal.ledger());
    }
}

#[test]
fn only_the_milestones_of_the_disputed_payment_bear_it() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 5_000], &[0]));
    deal.page_opened().paid();
    for (number, milestones) in [(1, vec![1]), (2, vec![2])] {
        let mut payment = new_payment(&milestones, deal.now.after(Period::hours(1)));
        if number == 2 {
            payment.source = Source::Wallet;
        }
        deal.act(Role::Buyer, Command::AddPayment(payment));
    }
    let second = deal.capture_of(1, "pi_2");
    deal.fact(&second);
    deal.act(Role::Buyer, Command::Release { milestone: Some(1), amount: Some(minor(5_000)), reason: None });
    lose(&mut deal, 10_000);
    let stages: Vec<Stage> = deal.escrow.milestones.iter().map(escrow_domain::milestone::Milestone::stage).collect();
    assert_eq!(stages, [Stage::Refunded, Stage::Held, Stage::Held]);
    assert_eq!(deal.in_wallet("usr_seller"), 5_000, "received of another payment");
    // A wallet's payment is nobody's to charge back.
    let capture = deal.escrow.payments[2].captures[0].id.clone();
    let told = lost_of("du_2", &capture, 5_000);
    assert_eq!(deal.try_fact(&told), Err(Undecided::Misfit(Misfit::OtherGateway)));
}

#[test]
fn a_refund_that_was_never_sent_is_withdrawn_when_a_chargeback_takes_its_money() {
    let mut deal = held();
    deal.act(Role::Seller, refund(Some(4_000)));
    assert!(deal.escrow.effect(Task::Refund(0)).is_some());
    let mut more = deal.clone();
    let mut less = deal.clone();
    lose(&mut deal, 4_000);
    assert_eq!((deal.escrow.refunds[0].status, deal.escrow.effects.len()), (RefundStatus::Replaced, 0));
    assert_eq!(deal.escrow.milestones[0].money.held, minor(11_000), "the buyer has what was to go back");
    lose(&mut more, 5_000);
    assert_eq!((more.escrow.effects.len(), more.escrow.milestones[0].money.held), (0, minor(10_000)));
    lose(&mut less, 1_000);
    assert_eq!(less.escrow.refunds[1].amount, minor(3_000), "what is left of it still goes back");
    assert!(less.escrow.effect(Task::Refund(1)).is_some() && less.escrow.effect(Task::Refund(0)).is_none());
    less.refunded(1, RefundOutcome::Succeeded);
    assert_eq!(ledger(&less), sums(&[("escrow", -11_000), ("gateway:stripe", 11_000)]));
}

#[test]
fn a_refund_under_way_that_succeeds_later_is_owed_by_the_buyer() {
    let mut deal = refunding();
    let claim = deal.escrow.claim(Task::Refund(0), [1; 16], deal.moment()).unwrap();
    deal.commit(claim);
    lose(&mut deal, 15_000);
    assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Promised, "it may have been made");
    assert_eq!(deal.ledger().get("receivable:usr_buyer"), Some(&15_000));
    assert!(deal.refunded(0, RefundOutcome::Succeeded));
    assert_eq!(ledger(&deal), sums(&[("gateway:stripe", -15_000), ("receivable:usr_buyer", 15_000)]));
    assert!(deal.escrow.is_settled());
}

#[test]
fn a_refund_under_way_that_was_never_made_is_not_sent_again_for_what_was_charged_back() {
    for (units, left) in [(15_000, 0), (11_000, 4_000)] {
        let mut deal = refunding();
        let claim = deal.escrow.claim(Task::Refund(0), [1; 16], deal.moment()).unwrap();
        deal.commit(claim);
        lose(&mut deal, units);
        // Its answer was lost. Within the life of its key it would be sent again; now it is looked up.
        deal.wait(QUIET).wait(LEASE);
        let effect = *deal.escrow.effect(Task::Refund(0)).unwrap();
        assert_eq!(deal.escrow.plan(&effect, Some(Period::hours(20)), deal.moment()), Plan::LookUp);
        let claim = deal.escrow.claim(Task::Refund(0), [2; 16], deal.moment()).unwrap();
        deal.commit(claim);
        let NotFound::LookAgain(change) = after_look_up(&deal.escrow, Task::Refund(0), [2; 16], deal.moment()).unwrap()
        else {
            panic!("it is not sent again");
        };
        deal.commit(*change);
        assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Replaced);
        assert_eq!(deal.escrow.effects.len(), usize::from(left > 0));
        assert_eq!(deal.ledger().get("refunds:stripe").copied().unwrap_or(0), -left);
        assert_eq!(deal.ledger().get("receivable:usr_buyer"), None, "nobody owes anything");
        if left > 0 {
            deal.refunded(1, RefundOutcome::Succeeded);
        }
        assert!(deal.escrow.is_settled() && deal.ledger().is_empty());
    }
}

#[test]
fn a_refund_under_way_that_fails_later_pays_what_the_buyer_owes() {
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Pending);
    lose(&mut deal, 10_000);
    assert_eq!(deal.ledger().get("receivable:usr_buyer"), Some(&10_000));
    assert!(deal.refunded(0, RefundOutcome::Failed("closed".to_owned())));
    assert_eq!(deal.escrow.refunds[0].status, RefundStatus::Replaced);
    assert_eq!((deal.escrow.refunds[1].status, deal.escrow.refunds[1].amount), (RefundStatus::Failed, minor(5_000)));
    assert_eq!((deal.escrow.status(), deal.escrow.milestones[0].money.held), (Status::Review, minor(5_000)));
    assert_eq!(ledger(&deal), sums(&[("escrow", -5_000), ("gateway:stripe", 5_000)]), "nobody owes anything");
    deal.act(Role::Operator, resolve(Resolution::Retry));
    deal.refunded(2, RefundOutcome::Succeeded);
    assert!(deal.escrow.is_settled() && deal.ledger().is_empty());
    // Where the buyer owes as much, nothing is left to decide.
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Succeeded);
    lose(&mut deal, 15_000);
    assert!(deal.refunded(0, RefundOutcome::Failed("closed".to_owned())));
    assert!(deal.escrow.is_settled() && deal.ledger().is_empty());
}

#[test]
fn a_refund_of_which_nobody_knows_may_have_been_made() {
    let mut deal = in_doubt();
    lose(&mut deal, 15_000);
    assert_eq!(deal.ledger().get("receivable:usr_buyer"), Some(&15_000));
    // The operator has it tried again: it may still have been made before.
    let mut again = in_doubt();
    again.act(Role::Operator, resolve(Resolution::Retry));
    lose(&mut again, 15_000);
    assert!(again.escrow.effect(Task::Refund(0)).is_some());
    // So may one that was promised before a restore.
    let mut restored = refunding();
    restored.fact(&taken_of("du_1", "pi_1", 15_000));
    let attempt = escrow_domain::command::Attempt {
        command: Command::Fact(lost_of("du_1", "pi_1", 15_000)),
        actor: escrow_domain::journal::Actor::gateway(),
        operation: crate::fixture::name_of(&lost_of("du_1", "pi_1", 15_000)),
    };
    let now = Moment { at: restored.now, epoch: 1 };
    let outcome = decide::decide(&restored.escrow, &attempt, now).unwrap();
    assert!(restored.commit_if_changed(outcome));
    assert!(restored.escrow.effect(Task::Refund(0)).is_some());
}

#[test]
fn an_operator_gives_nobody_what_a_chargeback_has_given_already() {
    for (resolution, in_wallet) in [(Resolution::CreditWallet, 4_000), (Resolution::Done, 0)] {
        let mut deal = in_doubt();
        lose(&mut deal, 11_000);
        deal.act(Role::Operator, resolve(resolution));
        assert_eq!(deal.in_wallet("usr_buyer"), in_wallet);
        let owed = deal.ledger().get("receivable:usr_buyer").copied();
        assert_eq!(owed, if resolution == Resolution::Done { Some(11_000) } else { None });
        assert!(deal.escrow.is_settled());
    }
    // The gateway has called it pending for a month, and the operator has it made again.
    let mut deal = refunding();
    deal.refunded(0, RefundOutcome::Pending);
    lose(&mut deal, 11_000);
    let doubted = escrow_domain::work::doubt(&deal.escrow, 0, "pending for thirty days", deal.moment()).unwrap();
    assert!(deal.commit_if_changed(doubted));
    deal.act(Role::Operator, resolve(Resolution::Retry));
    assert_eq!((deal.escrow.refunds[1].amount, deal.ledger().get("receivable:usr_buyer")), (minor(4_000), None));
}

#[test]
fn a_refund_that_failed_is_paid_by_the_chargeback() {
    let mut deal = held();
    deal.act(Role::Seller, refund(Some(4_000))).refunded(0, RefundOutcome::Failed("closed".to_owned()));
    let mut part = deal.clone();
    lose(&mut deal, 4_000);
    assert!(deal.escrow.reviews.is_empty(), "the buyer has it: nothing is left to decide");
    assert_eq!(deal.escrow.milestones[0].money.refunded, minor(4_000));
    lose(&mut part, 1_000);
    assert_eq!((part.escrow.reviews[0].part, part.escrow.reviews[0].note.as_str()), (1, "closed"));
    part.act(Role::Operator, resolve(Resolution::CreditWallet));
    assert_eq!(part.in_wallet("usr_buyer"), 3_000);
}

#[test]
fn a_capture_that_fitted_nothing_is_charged_back() {
    let mut absorbed = held();
    let second = absorbed.capture_of(0, "pi_2");
    absorbed.fact(&second);
    let lost = lost_of("du_1", "pi_2", 15_000);
    let taken = taken_of("du_1", "pi_2", 15_000);
    // Never sent: it is withdrawn.
    let mut deal = absorbed.clone();
    assert!(deal.fact(&lost) && deal.fact(&taken));
    assert_eq!(ledger(&deal), sums(&[("escrow", -15_000), ("gateway:stripe", 15_000)]));
    // Failed: it is there.
    let mut deal = absorbed.clone();
    deal.refunded(0, RefundOutcome::Failed("closed".to_owned()));
    assert!(deal.fact(&lost) && deal.fact(&taken));
    assert_eq!((ledger(&deal).len(), deal.escrow.reviews.len()), (2, 0));
    // Made: the buyer has it twice.
    absorbed.refunded(0, RefundOutcome::Succeeded);
    assert!(absorbed.fact(&lost) && absorbed.fact(&taken));
    assert_eq!(absorbed.ledger().get("receivable:usr_buyer"), Some(&15_000));
    assert_eq!(absorbed.escrow.milestones[0].money.held, minor(15_000), "the deal's own money is not touched");
}

#[test]
fn a_chargeback_of_what_is_not_known_here_fits_nothing() {
    let deal = held();
    assert_eq!(deal.try_fact(&lost_of("du_1", "pi_9", 5)), Err(Undecided::Misfit(Misfit::RefundUnknown)));
    let mut other = told_of("du_1", "pi_1", minor(5).of(sar()));
    other.gateway = GatewayName::PayPal;
    let told = Fact::ChargebackOpened { chargeback: other, reason: "fraud".to_owned() };
    assert_eq!(deal.try_fact(&told), Err(Undecided::Misfit(Misfit::OtherGateway)));
}

#[test]
fn a_loss_after_a_win_is_a_loss() {
    let mut deal = delivered();
    assert!(deal.fact(&chargeback_closed("du_1", true)));
    assert!(deal.fact(&chargeback_closed("du_1", false)));
    assert_eq!((deal.escrow.chargebacks[0].status, borne(&deal)), (ChargebackStatus::Lost, (10_000, 0, 0)));
    let mut deal = delivered();
    assert!(deal.fact(&chargeback_closed("du_1", false)));
    assert!(!deal.fact(&chargeback_closed("du_1", true)), "whatever comes later");
}

/// The state before a chargeback that a permutation begins with.
fn beginning(choice: u8, fee: Fee) -> Deal {
    let mut deal = Deal::created(&Offer { milestones: vec![(15_000, fee)], ..Offer::of(Kind::Service) });
    deal.page_opened().paid();
    let failed = || RefundOutcome::Failed("closed".to_owned());
    match choice {
        0 => {}
        1 => drop(deal.act(Role::Buyer, release(Some(7_001)))),
        2 => drop(deal.act(Role::Buyer, release(None))),
        3 => drop(deal.act(Role::Buyer, dispute(Some(9_999)))),
        4 => drop(deal.act(Role::Seller, refund(Some(3_333)))),
        5 => drop(deal.act(Role::Seller, refund(None)).refunded(0, RefundOutcome::Pending)),
        6 => drop(deal.act(Role::Seller, refund(Some(4_000))).refunded(0, RefundOutcome::Succeeded)),
        7 => drop(deal.act(Role::Seller, refund(Some(4_000))).refunded(0, failed())),
        _ => {
            deal.act(Role::Buyer, release(Some(5_000))).act(Role::Seller, refund(Some(5_000)));
            let claim = deal.escrow.claim(Task::Refund(0), [1; 16], deal.moment()).unwrap();
            deal.commit(claim);
        }
    }
    deal
}

fn odd_fee() -> Fee {
    Fee { buyer: minor(777), seller: minor(333) }
}

/// Everything about money that the order of facts must not change.
type Ending = (BTreeMap<String, i64>, Vec<[Minor; 6]>, usize, bool, Vec<(ChargebackStatus, i64, i64)>);

fn ending(deal: &Deal) -> Ending {
    let buckets = deal.escrow.milestones.iter().map(|milestone| {
        let money = milestone.money;
        [money.unfunded, money.held, money.disputed, money.released, money.refunding, money.refunded]
    });
    let mut chargebacks: Vec<_> = deal.escrow.chargebacks.iter().collect();
    chargebacks.sort_by_key(|chargeback| chargeback.reference.clone());
    let ends = chargebacks.iter().map(|one| (one.status, one.taken.units(), one.given_back.units()));
    (deal.ledger(), buckets.collect(), deal.escrow.effects.len(), deal.escrow.is_stopped(), ends.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn the_order_of_what_is_told_of_chargebacks_changes_nothing(
        choice in 0_u8..9,
        (first, second) in (any::<bool>(), any::<bool>()),
        (one, two) in (1_i64..16_000, 1_i64..16_000),
        order in Just((0_usize..8).collect::<Vec<_>>()).prop_shuffle(),
        again in proptest::collection::vec(0_usize..8, 0..6),
    ) {
        let about = |reference: &str, units: i64, won: bool| {
            let chargeback = told_of(reference, "pi_1", minor(units).of(sar()));
            let moved = chargeback.money;
            [
                Fact::ChargebackOpened { chargeback: chargeback.clone(), reason: "fraudulent".to_owned() },
                Fact::ChargebackFunds { chargeback: chargeback.clone(), moved, back: false },
                Fact::ChargebackClosed { chargeback: chargeback.clone(), won },
                if won {
                    Fact::ChargebackFunds { chargeback, moved, back: true }
                } else {
                    Fact::ChargebackOpened { chargeback, reason: "fraudulent".to_owned() }
                },
            ]
        };
        let facts: Vec<Fact> = about("du_1", one, first).into_iter().chain(about("du_2", two, second)).collect();
        // The fraction of a fee that the platform bears depends on which loss came first: of two, that is asked without fees.
        let fee = if first || second { odd_fee() } else { Fee::default() };
        let mut told = beginning(choice, fee);
        for fact in &facts {
            told.fact(fact);
        }
        let mut shuffled = beginning(choice, fee);
        for at in order.iter().chain(&again) {
            shuffled.fact(&facts[*at]);
        }
        prop_assert_eq!(ending(&told), ending(&shuffled));
        prop_assert!(!told.escrow.freezes.iter().any(|freeze| freeze.reason == "fraudulent"), "all are over");
        prop_assert!(!told.ledger().contains_key("chargebacks:stripe"), "all is booked");
    }

    #[test]
    fn whether_a_refund_ends_before_or_after_a_loss_changes_nothing_about_the_money(
        (refunded, lost) in (1_i64..=15_000, 1_i64..=15_000),
        (pending, made) in (any::<bool>(), any::<bool>()),
        order in Just((0_usize..4).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        // Nothing is the seller's: of what is, a loss that comes first takes more.
        let play = |order: &[usize]| {
            let mut deal = held();
            deal.act(Role::Seller, refund(Some(refunded)));
            let claim = deal.escrow.claim(Task::Refund(0), [1; 16], deal.moment()).unwrap();
            deal.commit(claim);
            if pending {
                deal.refunded(0, RefundOutcome::Pending);
            }
            let outcome = if made { RefundOutcome::Succeeded } else { RefundOutcome::Failed("closed".to_owned()) };
            let chargeback = told_of("du_1", "pi_1", minor(lost).of(sar()));
            let facts = [
                deal.refund_told(0, outcome),
                Fact::ChargebackOpened { chargeback, reason: "fraudulent".to_owned() },
                taken_of("du_1", "pi_1", lost),
                lost_of("du_1", "pi_1", lost),
            ];
            for at in order {
                deal.fact(&facts[*at]);
            }
            let money = deal.escrow.milestones[0].money;
            (deal.ledger(), money.held, money.refunding, money.refunded)
        };
        let (one, other) = (play(&[0, 1, 2, 3]), play(&order));
        prop_assert_eq!(&one, &other);
        let back = if made { refunded } else { 0 } + lost;
        let owed = one.0.get("receivable:usr_buyer").copied().unwrap_or(0);
        prop_assert_eq!(owed, (back - 15_000).max(0), "the buyer owes what came back more than once, and nothing else");
    }
}

#[test]
fn a_page_for_what_was_charged_back_is_opened_again_by_nobody() {
    let mut deal = held();
    lose(&mut deal, 15_000);
    assert_eq!(deal.stage(), Stage::Refunded);
    let payment = Command::AddPayment(new_payment(&[0], deal.now.after(Period::hours(1))));
    assert!(matches!(deal.refusal(Role::Buyer, payment), Refusal::WrongStage { .. }));
    let opened = decide::checkout_opened(&deal.escrow, 0, "cs_9", &page("u"), deal.now, deal.moment()).unwrap();
    assert_eq!(opened, decide::Outcome::AlreadyDone);
}
