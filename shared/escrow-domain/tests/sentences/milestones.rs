//! Several milestones and several payments: each milestone has its own money, its own clocks and its own end.

use crate::fixture::{Deal, Offer, minor, new_payment};
use escrow_domain::command::{Command, Fact, RefundOutcome};
use escrow_domain::currency::Currencies;
use escrow_domain::effect::Task;
use escrow_domain::fees::Fee;
use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::payment::PaymentStatus;
use escrow_domain::policy::Kind;
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Period;

fn stages(deal: &Deal) -> Vec<Stage> {
    deal.escrow.milestones.iter().map(|milestone| milestone.stage()).collect()
}

fn release(milestone: u8, units: Option<i64>) -> Command {
    Command::Release { milestone: Some(milestone), amount: units.map(minor), reason: None }
}

fn refund(milestone: u8, units: Option<i64>) -> Command {
    Command::Refund { milestone: Some(milestone), amount: units.map(minor), reason: None }
}

fn deliver(milestone: u8) -> Command {
    Command::Deliver { milestone: Some(milestone), note: None }
}

fn dispute(milestone: u8, units: Option<i64>) -> Command {
    Command::Dispute {
        milestone: Some(milestone),
        amount: units.map(minor),
        reason: "broken".to_owned(),
        evidence: Vec::new(),
    }
}

/// Every milestone is paid by the first payment.
fn paid(amounts: &[i64]) -> Deal {
    let all: Vec<u8> = (0..u8::try_from(amounts.len()).unwrap()).collect();
    let mut deal = Deal::created(&Offer::project(amounts, &all));
    deal.page_opened().paid();
    deal
}

/// Another payment for these milestones is made and captured.
fn pay(deal: &mut Deal, milestones: &[u8], capture: &str) {
    let until = deal.now.after(Period::hours(1));
    deal.act(Role::Buyer, Command::AddPayment(new_payment(milestones, until)));
    let number = u16::try_from(deal.escrow.payments.len() - 1).unwrap();
    let fact = deal.capture_of(number, capture);
    assert!(deal.fact(&fact));
}

#[test]
fn what_happens_to_one_milestone_leaves_the_others_alone() {
    let mut deal = paid(&[10_000, 20_000, 30_000, 40_000]);
    deal.act(Role::Seller, deliver(0)).act(Role::Buyer, release(0, None));
    deal.act(Role::Seller, refund(1, None));
    deal.act(Role::Seller, deliver(2)).act(Role::Buyer, dispute(2, Some(5_000)));
    assert_eq!(stages(&deal), [Stage::Released, Stage::Refunding, Stage::Disputed, Stage::Held]);
    assert_eq!(deal.escrow.refunds.iter().map(|refund| refund.amount).collect::<Vec<_>>(), [minor(20_000)]);
    assert_eq!(deal.credits.iter().map(|credit| credit.amount).collect::<Vec<_>>(), [minor(10_000)]);
}

#[test]
fn each_milestone_has_its_own_clocks() {
    let mut deal = paid(&[10_000, 20_000]);
    deal.wait(Period::days(3)).act(Role::Seller, deliver(0)).wait(Period::days(4)).act(Role::Seller, deliver(1));
    let (first, second) = (deal.now.after(Period::days(3)), deal.now.after(Period::days(7)));
    let clocks: Vec<_> = deal.escrow.milestones.iter().map(|milestone| milestone.auto_release_at).collect();
    assert_eq!(clocks, [Some(first), Some(second)]);
    deal.now = first;
    assert!(deal.tick());
    assert_eq!(stages(&deal), [Stage::Released, Stage::Delivered]);
    deal.now = second;
    assert!(deal.tick());
    assert_eq!(stages(&deal), [Stage::Released, Stage::Released]);
}

#[test]
fn the_window_to_think_again_begins_with_the_payment_of_the_milestone() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    deal.page_opened().paid().wait(Period::days(10));
    pay(&mut deal, &[1], "pi_2");
    let cancel = |milestone| Command::Cancel { milestone: Some(milestone), reason: None };
    deal.wait(Period::hours(23)).act(Role::Buyer, cancel(1)).act(Role::Buyer, cancel(0));
    assert_eq!(stages(&deal), [Stage::Held, Stage::Refunding], "the first is too old to be taken back alone");
}

#[test]
fn a_payment_that_pays_two_milestones_is_refunded_for_one() {
    let offer = Offer {
        milestones: [10_000, 20_000]
            .map(|amount| (amount, Fee { buyer: minor(amount / 100), seller: minor(0) }))
            .to_vec(),
        ..Offer::project(&[1, 1], &[0, 1])
    };
    let mut deal = crate::fixture::held_as(&offer);
    assert_eq!(deal.escrow.payments[0].amount, minor(30_300));
    deal.act(Role::Seller, refund(0, None));
    let back = &deal.escrow.refunds[0];
    assert_eq!((back.payment, back.capture, back.amount, back.principal), (0, 0, minor(10_100), minor(10_000)));
    deal.refunded(0, RefundOutcome::Succeeded);
    assert_eq!(stages(&deal), [Stage::Refunded, Stage::Held]);
    // A total that the gateway tells is explained by that refund.
    assert!(!deal.fact(&crate::fixture::total_refunded(10_100)));
    deal.act(Role::Seller, refund(1, Some(5_000))).act(Role::Buyer, release(1, None));
    deal.refunded(1, RefundOutcome::Succeeded);
    assert_eq!(stages(&deal), [Stage::Refunded, Stage::Split]);
    assert_eq!(deal.ledger()["fees"], -150);
    assert!(!deal.ledger().contains_key("escrow"));
}

#[test]
fn a_milestone_is_paid_by_one_payment_and_refunded_to_it() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0]));
    deal.page_opened().paid();
    pay(&mut deal, &[1, 2], "pi_2");
    deal.act(Role::Seller, refund(2, Some(7_000)))
        .act(Role::Seller, refund(0, None))
        .act(Role::Seller, refund(1, None));
    let taken: Vec<_> = deal.escrow.refunds.iter().map(|refund| (refund.payment, refund.amount.units())).collect();
    assert_eq!(taken, [(1, 7_000), (0, 10_000), (1, 20_000)]);
}

#[test]
fn what_a_payment_of_two_finds_paid_already_goes_back_whole() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened();
    pay(&mut deal, &[1], "pi_2");
    // The first page asked for both. It is closed; but somebody pays it all the same.
    assert_eq!(deal.escrow.payments[0].status, PaymentStatus::Closing);
    deal.paid();
    assert_eq!(stages(&deal), [Stage::Pending, Stage::Held]);
    assert_eq!(deal.escrow.refunds[0].amount, minor(30_000));
    pay(&mut deal, &[0], "pi_3");
    assert_eq!(stages(&deal), [Stage::Held, Stage::Held]);
}

#[test]
fn a_checkout_of_which_nothing_is_paid_expires_whole_with_its_last_attempt() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0]));
    deal.page_opened();
    let until = deal.now.after(Period::hours(30));
    deal.wait(Period::hours(10)).act(Role::Buyer, Command::AddPayment(new_payment(&[1], until)));
    deal.wait(Period::hours(15));
    assert!(!deal.tick(), "one of them can still be paid");
    deal.now = until;
    assert!(deal.tick());
    assert_eq!(stages(&deal), [Stage::Expired, Stage::Expired, Stage::Expired]);
    assert_eq!(deal.escrow.status().as_str(), "expired");
    assert!(deal.escrow.effect(Task::ClosePayment(0)).is_some());
}

#[test]
fn once_a_part_is_paid_what_waits_is_given_up_thirty_days_after_creation() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    deal.page_opened().paid();
    deal.wait(Period::from_millis(Period::days(30).as_millis() - 1));
    deal.tick();
    assert_eq!(deal.escrow.milestones[1].stage(), Stage::Pending);
    deal.wait(Period::from_millis(1)).tick();
    assert_eq!(deal.escrow.milestones[1].stage(), Stage::Cancelled);
    let last = deal.escrow.journal.entries.iter().rev().map(|entry| entry.transition);
    assert!(last.take(2).any(|transition| transition == Transition::Abandon));
}

#[test]
fn an_attempt_that_fails_gives_what_waits_thirty_days_more() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0]));
    deal.page_opened().paid().wait(Period::days(20));
    let until = deal.now.after(Period::hours(5));
    deal.act(Role::Buyer, Command::AddPayment(new_payment(&[1], until)));
    deal.act(Role::Seller, deliver(0)).act(Role::Buyer, release(0, None));
    deal.now = until;
    assert!(!deal.tick(), "the deal is on: a page that ends is not the end of the milestone");
    assert_eq!(stages(&deal), [Stage::Released, Stage::Pending, Stage::Pending]);
    deal.sleep_until_due();
    assert_eq!(deal.now, crate::fixture::START.after(Period::days(30)), "nobody tried to pay the third");
    deal.tick();
    assert_eq!(stages(&deal), [Stage::Released, Stage::Pending, Stage::Cancelled]);
    deal.sleep_until_due();
    assert_eq!(deal.now, until.after(Period::days(30)));
    deal.tick();
    assert_eq!(stages(&deal), [Stage::Released, Stage::Cancelled, Stage::Cancelled]);
    assert_eq!(deal.escrow.status().as_str(), "released");
}

#[test]
fn a_page_that_ends_early_counts_from_its_end() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0]));
    deal.page_opened().paid().wait(Period::days(29));
    deal.act(Role::Seller, deliver(0)).act(Role::Buyer, release(0, None));
    let until = deal.now.after(Period::hours(20));
    deal.act(Role::Buyer, Command::AddPayment(new_payment(&[1], until)));
    deal.wait(Period::hours(1));
    assert!(deal.fact(&Fact::Closed { payment: 1, gateway: GatewayName::Stripe }));
    assert_eq!(deal.escrow.due_at(), Some(deal.now.after(Period::days(30))));
}

#[test]
fn the_status_is_that_of_the_least_advanced_milestone_and_in_the_end_what_became_of_the_money() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000, 30_000], &[0, 1]));
    let mut seen = vec![deal.escrow.status().as_str()];
    deal.page_opened().paid();
    seen.push(deal.escrow.status().as_str());
    deal.act(Role::Buyer, Command::Cancel { milestone: Some(2), reason: None });
    seen.push(deal.escrow.status().as_str());
    deal.act(Role::Seller, deliver(0)).act(Role::Seller, deliver(1));
    seen.push(deal.escrow.status().as_str());
    deal.act(Role::Buyer, dispute(0, None));
    seen.push(deal.escrow.status().as_str());
    deal.act(Role::Buyer, release(1, None));
    seen.push(deal.escrow.status().as_str());
    deal.act(Role::Operator, Command::Refund { milestone: Some(0), amount: None, reason: Some("so".to_owned()) });
    seen.push(deal.escrow.status().as_str());
    deal.refunded(0, RefundOutcome::Succeeded);
    seen.push(deal.escrow.status().as_str());
    let expected = ["pending", "pending", "held", "delivered", "delivered", "disputed", "refunding", "split"];
    assert_eq!(seen, expected);
}

#[test]
fn a_dispute_about_one_milestone_does_not_keep_another_from_being_released() {
    let mut deal = paid(&[10_000, 20_000]);
    deal.act(Role::Seller, deliver(0)).act(Role::Seller, deliver(1)).act(Role::Buyer, dispute(0, None));
    deal.wait(Period::days(7)).tick();
    assert_eq!(stages(&deal), [Stage::Disputed, Stage::Released]);
    assert_eq!(deal.refusal(Role::Buyer, release(2, None)), Refusal::MilestoneUnknown);
}

#[test]
fn a_refund_that_fails_stops_every_milestone_until_an_operator_has_decided() {
    let mut deal = paid(&[10_000, 20_000]);
    deal.act(Role::Seller, refund(0, None));
    deal.refunded(0, RefundOutcome::Failed("account closed".to_owned()));
    assert_eq!(deal.escrow.status().as_str(), "review");
    assert_eq!(deal.refusal(Role::Buyer, release(1, None)), Refusal::InReview);
    deal.act(Role::Operator, crate::fixture::resolve(escrow_domain::command::Resolution::Done));
    deal.act(Role::Buyer, release(1, None));
    assert_eq!(stages(&deal), [Stage::Refunded, Stage::Released]);
}

#[test]
fn fifty_milestones_are_paid_at_once_and_each_ends_in_its_own_way() {
    let amounts: Vec<i64> = (1..=50).map(|number| number * 37).collect();
    let mut deal = paid(&amounts);
    for index in 0..50_u8 {
        match index % 4 {
            0 => deal.act(Role::Buyer, release(index, None)),
            1 => deal.act(Role::Seller, refund(index, None)),
            2 => deal.act(Role::Seller, deliver(index)),
            _ => &mut deal,
        };
    }
    for number in 0..u16::try_from(deal.escrow.refunds.len()).unwrap() {
        deal.refunded(number, RefundOutcome::Succeeded);
    }
    let known = u16::try_from(deal.escrow.refunds.len()).unwrap();
    deal.wait(Period::days(40)).tick();
    for number in known..u16::try_from(deal.escrow.refunds.len()).unwrap() {
        deal.refunded(number, RefundOutcome::Succeeded);
    }
    let ends = stages(&deal);
    let count = |stage| ends.iter().filter(|end| **end == stage).count();
    assert_eq!((count(Stage::Released), count(Stage::Refunded)), (25, 25));
    assert!(deal.escrow.is_settled());
    assert!(!deal.ledger().contains_key("escrow"));
}

#[test]
fn a_product_of_several_parts_is_released_by_one_tick() {
    let offer = Offer { kind: Kind::Product, ..Offer::project(&[10_000, 20_000], &[0, 1]) };
    let offer = Offer { policy: escrow_domain::policy::Policy::defaults(Kind::Product), ..offer };
    let mut deal = crate::fixture::held_as(&offer);
    assert!(deal.tick());
    assert_eq!(stages(&deal), [Stage::Released, Stage::Released]);
    assert_eq!(deal.credits.len(), 2, "one line for each in the seller's statement");
}

/// Of 15.000 dinars, which gateways move in steps of ten fils.
fn in_dinars(buyers_fee: i64) -> Deal {
    let dinar = Currencies::default().find("KWD").unwrap();
    let mut deal = Deal::created(&Offer { unit: dinar, ..Offer::with_fee(buyers_fee, 0) });
    deal.page_opened().paid();
    deal
}

#[test]
fn a_part_that_could_not_go_back_exactly_is_refused_and_so_is_one_that_leaves_such_a_part() {
    for (fee, units, fits) in [(0, 3_335, false), (0, 3_330, true), (1_500, 3_330, false), (1_500, 3_300, true)] {
        let deal = in_dinars(fee);
        for (role, command) in [
            (Role::Buyer, release(0, Some(units))),
            (Role::Seller, refund(0, Some(units))),
            (Role::Buyer, dispute(0, Some(units))),
        ] {
            let tried = deal.try_as(role, command.clone());
            assert_eq!(tried.is_ok(), fits, "{fee} {command:?}");
            if !fits {
                let refusal = deal.refusal(role, command);
                assert!(matches!(refusal, Refusal::AmountStep { step, field: "amount" } if step.amount == minor(10)));
            }
        }
    }
    // All of it always can.
    for (role, command) in
        [(Role::Buyer, release(0, None)), (Role::Seller, refund(0, None)), (Role::Buyer, dispute(0, None))]
    {
        assert!(in_dinars(1_500).try_as(role, command).is_ok());
    }
}

#[test]
fn what_is_locked_must_be_able_to_go_back_without_the_rest() {
    // Of 0.010 dinars the fee is a fifteenth, rounded up: 0.011 would go back. The rest, with its fee, is 15.990.
    let deal = in_dinars(1_000);
    assert!(deal.try_as(Role::Buyer, release(0, Some(10))).is_ok());
    assert!(matches!(deal.refusal(Role::Buyer, dispute(0, Some(10))), Refusal::AmountStep { .. }));
    assert!(matches!(deal.refusal(Role::Seller, refund(0, Some(10))), Refusal::AmountStep { .. }));
}

#[test]
fn a_wallet_takes_any_part_back() {
    let dinar = Currencies::default().find("KWD").unwrap();
    let mut deal = Deal::created(&Offer { unit: dinar, ..Offer::with_fee(1_500, 0) }.paid_by_wallet());
    deal.act(Role::Seller, refund(0, Some(3_335))).act(Role::Buyer, release(0, Some(1)));
}
