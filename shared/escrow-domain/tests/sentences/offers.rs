//! Disputes that the sides settle between themselves, and the evidence that they bring.

use crate::fixture::{
    Deal, Offer, accept, add_evidence, disputed, freeze, held, held_as, minor, piece, propose, refund, release, rule,
    withdraw_dispute,
};
use escrow_domain::actions::Scopes;
use escrow_domain::command::Command;
use escrow_domain::currency::Currencies;
use escrow_domain::decide::Outcome;
use escrow_domain::dispute::{DisputeStatus, Evidence, evidence_hash};
use escrow_domain::lifecycle::{Role, Stage, Transition};
use escrow_domain::policy::Kind;
use escrow_domain::refusal::Refusal;
use escrow_domain::time::Period;

#[test]
fn an_offer_that_the_other_side_accepts_divides_what_is_locked() {
    for (one, other) in [(Role::Buyer, Role::Seller), (Role::Seller, Role::Buyer)] {
        let mut deal = disputed();
        deal.act(one, propose(5_000)).act(other, accept(0));
        let (money, dispute) = (deal.escrow.milestones[0].money, &deal.escrow.disputes[0]);
        assert_eq!((money.released, money.refunding, money.disputed), (minor(10_000), minor(5_000), minor(0)));
        assert_eq!((dispute.status, dispute.to_buyer), (DisputeStatus::Settled, Some(minor(5_000))));
        assert_eq!(deal.credits[0].amount, minor(10_000));
    }
}

#[test]
fn a_split_may_give_one_side_everything() {
    for (to_buyer, stage) in [(0, Stage::Released), (15_000, Stage::Refunding)] {
        let mut deal = disputed();
        deal.act(Role::Seller, propose(to_buyer)).act(Role::Buyer, accept(0));
        assert_eq!(deal.stage(), stage);
    }
}

#[test]
fn only_the_latest_offer_counts_and_it_is_accepted_by_its_name() {
    let mut deal = disputed();
    deal.act(Role::Seller, propose(1_000)).act(Role::Seller, propose(2_000));
    assert_eq!(deal.refusal(Role::Buyer, accept(0)), Refusal::ProposalGone);
    deal.act(Role::Buyer, propose(9_000));
    // The seller's own offer was replaced while the buyer made one; the buyer's is not the buyer's to accept.
    assert_eq!(deal.refusal(Role::Buyer, accept(1)), Refusal::ProposalGone);
    assert_eq!(deal.refusal(Role::Buyer, accept(2)), Refusal::OwnProposal);
    assert_eq!(deal.refusal(Role::Seller, accept(7)), Refusal::ProposalGone);
    deal.act(Role::Seller, accept(2));
    assert_eq!(deal.escrow.disputes[0].to_buyer, Some(minor(9_000)));
}

#[test]
fn offers_are_counted_over_the_whole_escrow() {
    let mut deal = Deal::created(&Offer::project(&[10_000, 20_000], &[0, 1]));
    deal.page_opened().paid();
    for milestone in [0, 1] {
        let reason = "broken".to_owned();
        let dispute = Command::Dispute { milestone: Some(milestone), amount: None, reason, evidence: Vec::new() };
        deal.act(Role::Buyer, dispute);
    }
    assert_eq!(deal.refusal(Role::Seller, propose(0)), Refusal::MilestoneRequired);
    let named = |milestone, to_buyer| Command::Propose { milestone: Some(milestone), to_buyer: minor(to_buyer) };
    deal.act(Role::Seller, named(0, 100)).act(Role::Seller, named(1, 200));
    deal.act(Role::Buyer, accept(1));
    assert_eq!(deal.escrow.milestones[1].money.refunding, minor(200));
    assert_eq!(deal.escrow.milestones[0].money.disputed, minor(10_000), "the other dispute is still open");
}

#[test]
fn an_offer_may_be_made_and_accepted_from_the_first_moment_until_the_default() {
    let mut deal = disputed();
    let rule_by = deal.escrow.disputes[0].rule_by;
    deal.act(Role::Seller, propose(5_000));
    deal.now = rule_by.before(Period::from_millis(1));
    assert!(deal.try_as(Role::Buyer, accept(0)).is_ok());
    assert!(deal.try_as(Role::Buyer, propose(5_000)).is_ok());
    assert!(deal.try_as(Role::Buyer, add_evidence(1)).is_ok());
    deal.now = rule_by;
    for command in [accept(0), propose(5_000), add_evidence(1)] {
        assert_eq!(deal.refusal(Role::Buyer, command), Refusal::TooLate { ended_at: rule_by });
    }
}

#[test]
fn an_offer_is_of_what_is_locked_and_of_what_a_gateway_can_pay_back() {
    let too_much = disputed().refusal(Role::Seller, propose(15_001));
    assert!(matches!(too_much, Refusal::AmountTooLarge { most } if most.amount == minor(15_000)));
    let dinar = Currencies::default().find("KWD").unwrap();
    let mut deal = Deal::created(&Offer { unit: dinar, ..Offer::of(Kind::Service) });
    deal.page_opened().paid().act(Role::Buyer, crate::fixture::dispute(None));
    let refused = deal.refusal(Role::Seller, propose(3_335));
    assert!(matches!(refused, Refusal::AmountStep { step, .. } if step.amount == minor(10)), "{refused}");
    for payable in [0, 3_330, 15_000] {
        assert!(deal.try_as(Role::Seller, propose(payable)).is_ok());
    }
}

#[test]
fn an_offer_about_another_sum_than_is_locked_now_no_longer_counts() {
    let mut deal = disputed();
    deal.act(Role::Seller, propose(5_000)).act(Role::Operator, refund(Some(1_000)));
    assert_eq!(deal.escrow.disputes[0].proposal, None);
    assert_eq!(deal.refusal(Role::Buyer, accept(0)), Refusal::ProposalGone);
}

#[test]
fn no_offer_outlives_its_dispute() {
    let mut deal = disputed();
    deal.act(Role::Seller, propose(5_000)).act(Role::Buyer, withdraw_dispute());
    assert!(matches!(deal.refusal(Role::Buyer, accept(0)), Refusal::WrongStage { .. }));
    deal.act(Role::Buyer, crate::fixture::dispute(None));
    assert_eq!(deal.refusal(Role::Buyer, accept(0)), Refusal::ProposalGone);
    deal.act(Role::Seller, propose(6_000));
    assert_eq!(deal.escrow.disputes[1].proposal.map(|offer| offer.number), Some(1), "no name is given twice");
}

#[test]
fn a_dispute_takes_twenty_offers() {
    let mut deal = disputed();
    for _ in 0..20 {
        deal.act(Role::Seller, propose(5_000));
    }
    assert_eq!(deal.refusal(Role::Buyer, propose(5_000)), Refusal::Full { what: "offers" });
    deal.act(Role::Buyer, accept(19));
}

#[test]
fn a_freeze_stops_the_acceptance_of_an_offer_and_not_the_offer() {
    let mut deal = disputed();
    deal.act(Role::Operator, freeze()).act(Role::Seller, propose(5_000)).act(Role::Seller, add_evidence(1));
    assert!(matches!(deal.refusal(Role::Buyer, accept(0)), Refusal::Frozen { .. }));
}

#[test]
fn offers_and_evidence_are_the_parties() {
    let mut deal = disputed();
    deal.act(Role::Seller, propose(5_000));
    for role in [Role::Arbiter, Role::Operator, Role::Platform] {
        for command in [propose(1), accept(0), add_evidence(1)] {
            assert!(matches!(deal.refusal(role, command), Refusal::WrongRole { .. }), "{role}");
        }
    }
    for command in [propose(1), accept(0), add_evidence(1)] {
        assert!(matches!(held().refusal(Role::Buyer, command), Refusal::WrongStage { .. }));
    }
}

/// What this person is told about a command: why not, or nothing.
fn told(deal: &Deal, role: Role, transition: Transition) -> Option<Refusal> {
    let who = crate::fixture::actor(role).sub.unwrap();
    let standing = deal.escrow.standing(&who, Scopes::default());
    let actions = deal.escrow.actions(&standing, deal.now);
    actions.into_iter().find(|action| action.transition == transition).unwrap().refusal
}

#[test]
fn what_each_side_may_do_about_an_offer_is_told() {
    let mut deal = disputed();
    assert_eq!(told(&deal, Role::Buyer, Transition::Accept), Some(Refusal::NothingProposed));
    assert_eq!(told(&deal, Role::Buyer, Transition::Propose), None);
    deal.act(Role::Buyer, propose(5_000));
    assert_eq!(told(&deal, Role::Buyer, Transition::Accept), Some(Refusal::OwnProposal));
    assert_eq!(told(&deal, Role::Seller, Transition::Accept), None);
}

/// What an accepted change would put beside the escrow.
fn brought(deal: &Deal, role: Role, command: Command) -> Vec<(u16, u16, Evidence)> {
    let Ok(Outcome::Changed(change)) = deal.try_as(role, command) else { panic!("not brought") };
    let entry = change.escrow.journal.entries.last().unwrap();
    let hash = (!change.evidence.is_empty()).then(|| evidence_hash(&change.evidence));
    assert_eq!(entry.reference, hash, "the journal keeps the hash of what was brought");
    change.evidence.into_iter().map(|piece| (piece.dispute, piece.number, piece.evidence)).collect()
}

#[test]
fn evidence_is_brought_by_both_sides_and_counted_in_one_row() {
    let mut deal = held();
    let opening = Command::Dispute {
        milestone: None,
        amount: None,
        reason: "broken".to_owned(),
        evidence: vec![piece(), piece()],
    };
    assert_eq!(brought(&deal, Role::Buyer, opening.clone()).len(), 2);
    deal.act(Role::Buyer, opening);
    deal.wait(Period::hours(1));
    let pieces = brought(&deal, Role::Seller, add_evidence(2));
    let numbers: Vec<_> = pieces.iter().map(|(dispute, number, _)| (*dispute, *number)).collect();
    assert_eq!(numbers, [(0, 2), (0, 3)]);
    let (_, _, first) = &pieces[0];
    assert_eq!((first.by, first.at), (Role::Seller, deal.now), "who brought it, and when, is not the edge's to say");
    deal.act(Role::Seller, add_evidence(2)).act(Role::Buyer, add_evidence(1));
    let dispute = &deal.escrow.disputes[0];
    assert_eq!((dispute.evidence_of_buyer, dispute.evidence_of_seller), (3, 2));
}

#[test]
fn each_side_brings_twenty_pieces_ten_at_a_time() {
    let mut deal = disputed();
    let full = Refusal::Full { what: "evidence" };
    assert_eq!(deal.refusal(Role::Seller, add_evidence(11)), full);
    deal.act(Role::Seller, add_evidence(10)).act(Role::Seller, add_evidence(9));
    assert_eq!(deal.refusal(Role::Seller, add_evidence(2)), full);
    deal.act(Role::Seller, add_evidence(1));
    assert_eq!(deal.refusal(Role::Seller, add_evidence(1)), full);
    assert_eq!(told(&deal, Role::Seller, Transition::AddEvidence), Some(full));
    assert_eq!(told(&deal, Role::Buyer, Transition::AddEvidence), None, "the other side has its own twenty");
    assert!(deal.try_as(Role::Buyer, add_evidence(10)).is_ok());
}

#[test]
fn exchanged_evidence_has_another_hash() {
    let deal = disputed();
    let Ok(Outcome::Changed(change)) = deal.try_as(Role::Buyer, add_evidence(2)) else { panic!("not brought") };
    let hash = evidence_hash(&change.evidence);
    type Exchange = fn(&mut Evidence);
    let exchanges: [Exchange; 5] = [
        |piece| piece.kind.push('x'),
        |piece| piece.uri.push('x'),
        |piece| piece.sha256 = Some(String::new()),
        |piece| piece.note = Some("x".to_owned()),
        |piece| piece.by = Role::Seller,
    ];
    for exchange in exchanges {
        let mut other = change.evidence.clone();
        exchange(&mut other[1].evidence);
        assert_ne!(evidence_hash(&other), hash);
    }
    assert_ne!(evidence_hash(&change.evidence[..1]), hash);
}

#[test]
fn evidence_moves_neither_the_window_nor_the_date_of_the_default() {
    let mut deal = disputed();
    let before = deal.escrow.disputes[0].clone();
    deal.wait(Period::hours(47)).act(Role::Seller, add_evidence(1)).wait(Period::hours(1));
    let after = &deal.escrow.disputes[0];
    assert_eq!((after.evidence_until, after.rule_by), (before.evidence_until, before.rule_by));
    deal.act(Role::Arbiter, rule(0));
}

#[test]
fn only_what_is_disputed_is_settled() {
    let mut deal = held_as(&Offer::with_fee(1_000, 500));
    deal.act(Role::Buyer, crate::fixture::dispute(Some(6_000)));
    deal.act(Role::Seller, propose(2_000)).act(Role::Buyer, accept(0));
    let money = deal.escrow.milestones[0].money;
    assert_eq!((money.held, money.released, money.refunding), (minor(9_000), minor(4_000), minor(2_000)));
    deal.act(Role::Buyer, release(None));
    deal.refunded(0, escrow_domain::command::RefundOutcome::Succeeded);
    let ledger = deal.ledger();
    assert!(!ledger.contains_key("escrow"));
    assert_eq!(ledger["gateway:stripe"], 16_000 - deal.escrow.refunds[0].amount.units());
}
