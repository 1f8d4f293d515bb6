//! Disputes: what is locked, who ends them, and what becomes of the clocks.

use crate::fixture::{
    Deal, Offer, deliver, delivered, dispute, disputed, held, held_as, minor, refund, release, rule, withdraw_dispute,
};
use escrow_domain::command::Command;
use escrow_domain::currency::Currencies;
use escrow_domain::dispute::DisputeStatus;
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::policy::{DisputeDefault, Kind};
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Period;

#[test]
fn time_never_settles_a_dispute() {
    let mut deal = disputed();
    let rule_by = deal.escrow.disputes[0].rule_by;
    // Auto-release and everything else that time does comes and goes; only the pinned default is the dispute's.
    while deal.now.after(Period::hours(12)) < rule_by {
        deal.wait(Period::hours(12));
        assert!(!deal.tick());
        assert_eq!(deal.stage(), Stage::Disputed);
    }
    deal.sleep_until_due();
    assert_eq!(deal.now, rule_by);
    assert!(deal.tick());
    let last = deal.escrow.journal.entries.last().unwrap();
    assert_eq!((last.transition, deal.stage()), (Transition::DefaultDispute, Stage::Refunding));
    assert_eq!(deal.escrow.disputes[0].status, DisputeStatus::Defaulted);
    assert_eq!(deal.escrow.disputes[0].to_buyer, Some(minor(15_000)));
}

#[test]
fn the_default_is_the_pinned_one() {
    let mut offer = Offer::of(Kind::Service);
    offer.policy.dispute_default = DisputeDefault::ReleaseSeller;
    let mut deal = held_as(&offer);
    deal.act(Role::Buyer, dispute(None)).sleep_until_due().tick();
    assert_eq!(deal.stage(), Stage::Released);
    assert_eq!(deal.escrow.disputes[0].to_buyer, Some(minor(0)));
}

#[test]
fn a_ruling_waits_for_the_evidence_window() {
    let mut deal = disputed();
    let allowed_at = deal.now.after(Period::days(2));
    deal.wait(Period::from_millis(Period::days(2).as_millis() - 1));
    assert_eq!(deal.refusal(Role::Arbiter, rule(0)), Refusal::TooEarly { allowed_at });
    deal.wait(Period::from_millis(1)).act(Role::Arbiter, rule(0));
    assert_eq!(deal.stage(), Stage::Released);
}

#[test]
fn a_ruling_after_its_time_is_too_late() {
    let mut deal = disputed();
    let ended_at = deal.now.after(Period::days(30));
    deal.wait(Period::days(30));
    assert_eq!(deal.refusal(Role::Arbiter, rule(0)), Refusal::TooLate { ended_at });
}

#[test]
fn a_ruling_divides_exactly_what_is_locked() {
    let mut deal = disputed();
    deal.wait(Period::days(2));
    assert!(
        matches!(deal.refusal(Role::Arbiter, rule(15_001)), Refusal::AmountTooLarge { most } if most.amount == minor(15_000))
    );
    deal.act(Role::Arbiter, rule(5_000));
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.released, money.refunding, money.disputed), (minor(10_000), minor(5_000), minor(0)));
    assert_eq!(deal.credits[0].amount, minor(10_000));
    assert_eq!(deal.escrow.refunds[0].amount, minor(5_000));
    assert_eq!(
        (deal.escrow.disputes[0].status, deal.escrow.disputes[0].to_buyer),
        (DisputeStatus::Ruled, Some(minor(5_000)))
    );
}

#[test]
fn all_to_the_buyer_is_a_ruling_too() {
    let mut deal = disputed();
    deal.wait(Period::days(2)).act(Role::Arbiter, rule(15_000));
    assert!(deal.credits.is_empty());
    assert_eq!(deal.stage(), Stage::Refunding);
}

#[test]
fn only_the_disputed_part_is_locked() {
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(Some(4_000)));
    let too_much = deal.refusal(Role::Buyer, release(Some(11_001)));
    assert!(matches!(too_much, Refusal::AmountTooLarge { most } if most.amount == minor(11_000)));
    deal.wait(Period::days(7)).tick();
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.released, money.disputed), (minor(11_000), minor(4_000)));
    assert_eq!(deal.stage(), Stage::Disputed);
}

#[test]
fn more_than_is_held_cannot_be_disputed() {
    let too_much = delivered().refusal(Role::Buyer, dispute(Some(15_001)));
    assert!(matches!(too_much, Refusal::AmountTooLarge { most } if most.amount == minor(15_000)));
}

#[test]
fn a_milestone_is_disputed_at_most_twice_and_once_at_a_time() {
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(Some(4_000)));
    assert!(matches!(deal.refusal(Role::Buyer, dispute(Some(1_000))), Refusal::WrongStage { .. }));
    deal.act(Role::Buyer, withdraw_dispute()).act(Role::Buyer, dispute(None)).act(Role::Buyer, withdraw_dispute());
    assert_eq!(deal.refusal(Role::Buyer, dispute(None)), Refusal::DisputesUsedUp);
}

#[test]
fn a_withdrawn_dispute_gives_the_clock_back_at_least_a_day() {
    // Six days were left, so six days are left.
    let mut deal = delivered();
    deal.wait(Period::days(1)).act(Role::Buyer, dispute(None)).wait(Period::days(20));
    deal.act(Role::Buyer, withdraw_dispute());
    assert_eq!(deal.deadline(), Some(deal.now.after(Period::days(6))));
    assert_eq!((deal.stage(), deal.escrow.disputes[0].status), (Stage::Delivered, DisputeStatus::Withdrawn));
    // An hour was left, so it is a day.
    let mut deal = delivered();
    deal.wait(Period::hours(7 * 24 - 1)).act(Role::Buyer, dispute(None)).wait(Period::days(20));
    deal.act(Role::Buyer, withdraw_dispute());
    assert_eq!(deal.deadline(), Some(deal.now.after(Period::days(1))));
}

#[test]
fn a_dispute_before_delivery_gives_the_time_to_deliver_back() {
    let mut deal = held();
    deal.wait(Period::days(10)).act(Role::Buyer, dispute(None)).wait(Period::days(5));
    deal.act(Role::Buyer, withdraw_dispute());
    assert_eq!(deal.stage(), Stage::Held);
    assert_eq!(deal.escrow.milestones[0].deliver_by, Some(deal.now.after(Period::days(20))));
}

#[test]
fn a_part_that_comes_back_never_shortens_the_clock_of_the_rest() {
    let mut deal = delivered();
    let due = deal.deadline();
    deal.wait(Period::hours(1)).act(Role::Buyer, dispute(Some(1_000)));
    deal.wait(Period::hours(1)).act(Role::Buyer, withdraw_dispute());
    let after = deal.escrow.milestones[0].auto_release_at;
    assert!(after >= due, "{after:?} {due:?}");
    assert_eq!(after, Some(due.unwrap().after(Period::hours(1))), "what was left when it was opened runs on from now");
}

#[test]
fn the_second_default_is_another_operation() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().paid();
    for milestone in [0, 1] {
        let reason = "broken".to_owned();
        let dispute = Command::Dispute { milestone: Some(milestone), amount: None, reason, evidence: Vec::new() };
        deal.act(Role::Buyer, dispute);
    }
    assert_eq!(deal.refusal(Role::Buyer, withdraw_dispute()), Refusal::MilestoneRequired);
    deal.sleep_until_due().tick();
    assert!(deal.escrow.disputes.iter().all(|dispute| dispute.status == DisputeStatus::Defaulted));
}

#[test]
fn a_command_about_the_only_open_dispute_need_not_name_its_milestone() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().paid();
    let reason = "broken".to_owned();
    deal.act(Role::Buyer, Command::Dispute { milestone: Some(1), amount: None, reason, evidence: Vec::new() });
    deal.act(Role::Buyer, withdraw_dispute());
    assert_eq!(deal.escrow.milestones[1].stage(), Stage::Held);
}

#[test]
fn an_operator_may_settle_a_dispute_and_ends_it_when_nothing_is_left() {
    let mut deal = disputed();
    deal.act(Role::Operator, release(Some(5_000)));
    assert_eq!((deal.stage(), deal.escrow.disputes[0].is_open()), (Stage::Disputed, true));
    deal.act(Role::Operator, refund(None));
    assert_eq!(deal.escrow.disputes[0].status, DisputeStatus::Overruled);
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.released, money.refunding), (minor(5_000), minor(10_000)));
}

#[test]
fn an_operator_decides_about_what_is_disputed_before_what_is_held() {
    let mut deal = delivered();
    deal.act(Role::Buyer, dispute(Some(4_000))).act(Role::Operator, refund(None));
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.held, money.refunding, money.disputed), (minor(11_000), minor(4_000), minor(0)));
}

#[test]
fn while_a_part_is_disputed_the_rest_can_be_delivered() {
    let mut deal = held();
    deal.act(Role::Buyer, dispute(Some(4_000))).act(Role::Seller, deliver());
    assert_eq!(deal.stage(), Stage::Disputed);
    deal.wait(Period::days(7)).tick();
    assert_eq!(deal.escrow.milestones[0].money.released, minor(11_000));
}

#[test]
fn a_ruling_that_no_gateway_could_pay_back_exactly_is_refused() {
    let dinar = Currencies::default().find("KWD").unwrap();
    let mut deal = Deal::created(&Offer { unit: dinar, ..Offer::of(Kind::Service) });
    deal.page_opened().paid().act(Role::Buyer, dispute(None)).wait(Period::days(2));
    let refused = deal.refusal(Role::Arbiter, rule(3_335));
    assert!(matches!(refused, Refusal::AmountStep { step, .. } if step.amount == minor(10)), "{refused}");
    assert!(deal.try_as(Role::Arbiter, rule(3_330)).is_ok());
    assert!(deal.try_as(Role::Arbiter, rule(0)).is_ok());
    assert!(deal.try_as(Role::Arbiter, rule(15_000)).is_ok());
}
