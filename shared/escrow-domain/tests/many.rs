//! One to fifty milestones, paid by up to ten payments, with any fees: whatever part of each goes to whom, in whatever order, the
//! ledger is the state at every step, and in the end every halala and every fraction of a fee is where it belongs.

use crate::fixture::{Deal, Offer, minor, new_payment};
use escrow_domain::command::{Command, RefundOutcome};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::fees::{self, Fee};
use escrow_domain::lifecycle::{Role, Stage};
use escrow_domain::milestone::Milestone;
use escrow_domain::money::Minor;
use escrow_domain::payment::{RefundOf, RefundStatus};
use escrow_domain::policy::Kind;
use escrow_domain::time::Period;
use proptest::prelude::*;

/// A milestone's amount and fees, and which payment pays it: the remainder of the last number; half of them are never paid.
type Plan = (i64, i64, i64, u8);

/// What is done to which milestone, with how much of what is there, in thousandths.
type Act = (u8, u8, u16);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = || (1_i64..500_000, 0_i64..=300, 0_i64..=300, any::<u8>());
    // Most are small; some are as large as they may be.
    prop_oneof![
        9 => proptest::collection::vec(plan(), 1..=8),
        1 => proptest::collection::vec(plan(), 9..=50),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    proptest::collection::vec((any::<u8>(), any::<u8>(), 1_u16..=1_000), 0..60)
}

/// So much of it, in tens: what a gateway moves of any currency.
fn tens(whole: Minor, permille: u16) -> Minor {
    minor(whole.share(minor(i64::from(permille)), minor(1_000)).unwrap().units() / 10 * 10)
}

/// All of it three times out of four, else a part.
fn part(whole: Minor, permille: u16) -> Option<Minor> {
    let part = tens(whole, permille);
    if permille.is_multiple_of(4) && !part.is_zero() { Some(part) } else { None }
}

fn milestone(deal: &Deal, index: u8) -> &Milestone {
    &deal.escrow.milestones[usize::from(index)]
}

/// The first payment pays the first group; the others are paid one by one.
fn funded(plans: &[Plan], groups: u8, unit: Currency) -> Deal {
    // Whatever the buyer is charged for a milestone, the gateway must be able to give back.
    let step = unit.payable_step();
    let fee = |(amount, buyer, seller, _): &Plan| {
        let (amount, charge) = (amount * step, |fee: i64| fee / step * step);
        (amount, Fee { buyer: minor(charge(amount * buyer / 1_000)), seller: minor(amount * seller / 1_000) })
    };
    let group = |group: u8| -> Vec<u8> {
        (0_u8..).zip(plans).filter(|(_, plan)| plan.3 % groups == group).map(|(index, _)| index).collect()
    };
    let first = if group(0).is_empty() { vec![0] } else { group(0) };
    let milestones = plans.iter().map(fee).collect();
    let offer = Offer { milestones, pays: first.clone(), unit, ..Offer::of(Kind::Project) };
    let mut deal = crate::fixture::held_as(&offer);
    for other in 1..groups {
        let waits: Vec<u8> = group(other).into_iter().filter(|index| !first.contains(index)).collect();
        // Every fourth payment is made and never paid.
        if !waits.is_empty() {
            let until = deal.now.after(Period::hours(1));
            deal.act(Role::Buyer, Command::AddPayment(new_payment(&waits, until)));
            let number = u16::try_from(deal.escrow.payments.len() - 1).unwrap();
            if other % 4 != 3 {
                let capture = deal.capture_of(number, &format!("pi_group_{other}"));
                assert!(deal.fact(&capture));
            }
        }
    }
    deal
}

/// Whether the rules let it.
fn play(deal: &mut Deal, (what, which, permille): Act) -> bool {
    let index = which % u8::try_from(deal.escrow.milestones.len()).unwrap();
    let (named, there) = (Some(index), milestone(deal, index).money);
    let (held, reason) = (part(there.held, permille), Some("because".to_owned()));
    let split = tens(there.disputed, permille);
    match what % 12 {
        0 => deal.may(Role::Seller, &Command::Deliver { milestone: named, note: None }),
        1 | 2 => deal.may(Role::Buyer, &Command::Release { milestone: named, amount: held, reason }),
        3 | 4 => deal.may(Role::Seller, &Command::Refund { milestone: named, amount: held, reason }),
        5 | 6 => {
            let (reason, evidence) = ("broken".to_owned(), Vec::new());
            deal.may(Role::Buyer, &Command::Dispute { milestone: named, amount: held, reason, evidence })
        }
        7 => {
            deal.may(Role::Seller, &Command::Propose { milestone: named, to_buyer: split });
            let offer = deal.escrow.open_dispute(index).and_then(|dispute| dispute.proposal);
            offer.is_some_and(|offer| deal.may(Role::Buyer, &Command::Accept { proposal: offer.number }))
        }
        8 => deal.may(Role::Buyer, &Command::WithdrawDispute { milestone: named }),
        9 => deal.may(Role::Operator, &Command::Release { milestone: named, amount: part(split, permille), reason }),
        10 => {
            let cancel = Command::Cancel { milestone: named, reason: None };
            deal.may(Role::Buyer, &cancel) && deal.may(Role::Seller, &cancel)
        }
        _ => deal.wait(Period::hours(u32::from(permille))).tick(),
    }
}

/// Every refund that is on its way arrives.
fn refunds_arrive(deal: &mut Deal) {
    for number in 0..u16::try_from(deal.escrow.refunds.len()).unwrap() {
        if deal.escrow.refunds[usize::from(number)].status == RefundStatus::Promised {
            deal.refunded(number, RefundOutcome::Succeeded);
        }
    }
}

/// Nobody does anything any more: the clocks end it.
fn end(deal: &mut Deal) {
    refunds_arrive(deal);
    while !deal.escrow.milestones.iter().all(|milestone| milestone.stage().is_final()) {
        deal.sleep_until_due().tick();
        refunds_arrive(deal);
    }
}

fn check_ends(deal: &Deal) {
    let ledger = deal.ledger();
    assert_eq!(ledger.get("escrow"), None, "nothing is left in the escrow");
    assert_eq!(ledger.get("refunds:stripe"), None, "nothing is left on its way");
    let (mut fees, mut sellers, mut at_the_gateway) = (0, 0, 0);
    for (index, milestone) in (0_u8..).zip(&deal.escrow.milestones) {
        if matches!(milestone.stage(), Stage::Cancelled | Stage::Expired) {
            assert_eq!(milestone.money.unfunded, milestone.amount);
            continue;
        }
        let (money, fee) = (milestone.money, milestone.fee);
        assert_eq!(money.released.plus(money.refunded), Ok(milestone.amount));
        let taken = |fee| fees::taken(fee, money.released, milestone.amount).unwrap().units();
        let back = fees::returned(fee.buyer, money.refunded, milestone.amount).unwrap().units();
        assert_eq!(taken(fee.buyer) + back, fee.buyer.units(), "the buyer's fee is earned or given back");
        let given = deal.escrow.refunds.iter().filter(|refund| refund.of == RefundOf::Milestone(index));
        let given: i64 = given.map(|refund| refund.amount.units()).sum();
        assert_eq!(given, money.refunded.units() + back, "the buyer has back exactly the part and its fee");
        fees += taken(fee.buyer) + taken(fee.seller);
        sellers += money.released.units() - taken(fee.seller);
        at_the_gateway += money.released.units() + taken(fee.buyer);
    }
    let sum = |account: &str| ledger.get(account).copied().unwrap_or(0);
    assert_eq!((sum("fees"), sum("wallet:usr_seller")), (-fees, -sellers));
    assert_eq!(sum("gateway:stripe"), at_the_gateway);
    let credited: i64 = deal.credits.iter().map(|credit| credit.amount.units()).sum();
    assert_eq!(credited, sellers);
    let step = deal.escrow.terms.currency.payable_step();
    assert!(
        deal.escrow.refunds.iter().all(|refund| refund.amount.units() % step == 0),
        "a gateway can make every refund"
    );
    for (number, payment) in (0_u16..).zip(&deal.escrow.payments) {
        let back = deal.escrow.refunds.iter().filter(|refund| refund.payment == number);
        let back: i64 = back.map(|refund| refund.amount.units()).sum();
        let arrived: i64 = payment.captures.iter().map(|capture| capture.amount.units()).sum();
        assert!(back <= arrived, "a payment gives back no more than it brought");
    }
}

/// A fraction of the cases of the other properties: each of these is a whole life of up to fifty milestones.
fn cases() -> u32 {
    crate::properties::cases() / 250
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn every_part_of_every_milestone_ends_where_it_belongs(
        plans in plans(), groups in 1_u8..=10, acts in acts(), dinars in any::<bool>(),
    ) {
        let unit = Currencies::default().find(if dinars { "KWD" } else { "SAR" }).unwrap();
        let mut deal = funded(&plans, groups, unit);
        for act in acts {
            if play(&mut deal, act) && act.0.is_multiple_of(3) {
                refunds_arrive(&mut deal);
            }
        }
        end(&mut deal);
        check_ends(&deal);
    }
}
