//! Disputes: locking a part, bringing evidence, taking it back, ruling, and what happens when nobody rules.

use super::draft::{Draft, next_number};
use super::guard::{guard, pick};
use super::moves::part_of;
use super::payable;
use crate::dispute::{self, Dispute, DisputeStatus, Evidence, MOST_EVIDENCE, MOST_EVIDENCE_A_SIDE, NewEvidence};
use crate::journal::Part;
use crate::lifecycle::{Role, Stage, Transition};
use crate::milestone::Bucket;
use crate::money::Minor;
use crate::policy::{DisputeDefault, EVIDENCE_WINDOW, LEAST_AFTER_DISPUTE};
use crate::refusal::{Broken, Refusal, Undecided};

pub(super) fn open(
    draft: &mut Draft,
    milestone: Option<u8>,
    amount: Option<Minor>,
    reason: &str,
    evidence: &[Evidence],
) -> Result<(), Undecided> {
    let index = pick(&draft.escrow, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::Dispute, role, index, now)?;
    let number = next_number(draft.escrow.disputes.len())?;
    let brought = pieces(draft, number, 0, evidence)?;
    draft.record(Transition::Dispute, Some(Part::Dispute(number)), hash_of(&brought), None)?;
    draft.evidence.extend(brought);
    let amount = part_of(draft, index, Bucket::Held, amount)?;
    let is_part = amount < draft.milestone(index)?.money.held;
    draft.shift(index, Bucket::Held, Bucket::Disputed, amount)?;
    if is_part {
        let known = draft.escrow.refunds.len();
        payable::check(draft, index, known, "amount")?;
    }
    let there = draft.milestone(index)?.clone();
    let running = there.auto_release_at.or(there.deliver_by);
    let from = draft.clock_starts();
    let rule_by = from.after(draft.escrow.terms.policy.dispute_rule_within);
    draft.escrow.disputes.push(Dispute {
        milestone: index,
        amount,
        reason: reason.to_owned(),
        evidence_of_buyer: u8::try_from(evidence.len()).map_err(|_| Broken("evidence without end"))?,
        evidence_of_seller: 0,
        proposal: None,
        proposals: 0,
        reminded_for: None,
        status: DisputeStatus::Open,
        opened_at: now,
        evidence_until: from.after(EVIDENCE_WINDOW),
        rule_by,
        clock_left: running.map(|deadline| deadline.since(from)),
        to_buyer: None,
        ended_at: None,
    });
    Ok(())
}

/// A side brings evidence to a dispute that is open.
pub(super) fn add_evidence(draft: &mut Draft, milestone: Option<u8>, evidence: &[Evidence]) -> Result<(), Undecided> {
    let index = disputed(draft, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::AddEvidence, role, index, now)?;
    let number = number_of_open(draft, index, Transition::AddEvidence)?;
    if evidence.is_empty() {
        return Err(Broken("the edge let evidence of nothing through").into());
    }
    let dispute = draft.dispute(number)?;
    let known = u16::from(dispute.evidence_of_buyer).saturating_add(u16::from(dispute.evidence_of_seller));
    let mine = if role == Role::Seller { &mut dispute.evidence_of_seller } else { &mut dispute.evidence_of_buyer };
    let full = Refusal::Full { what: "evidence" };
    *mine = u8::try_from(evidence.len()).ok().and_then(|more| mine.checked_add(more)).ok_or(full.clone())?;
    if *mine > MOST_EVIDENCE_A_SIDE {
        return Err(full.into());
    }
    let brought = pieces(draft, number, known, evidence)?;
    draft.record(Transition::AddEvidence, Some(Part::Dispute(number)), hash_of(&brought), None)?;
    draft.evidence.extend(brought);
    Ok(())
}

/// What becomes of evidence: items of their own, counted on from `first`. Who brought it, and when, is not the edge's to say.
fn pieces(draft: &Draft, dispute: u16, first: u16, evidence: &[Evidence]) -> Result<Vec<NewEvidence>, Refusal> {
    if evidence.len() > MOST_EVIDENCE {
        return Err(Refusal::Full { what: "evidence" });
    }
    let (escrow, by, at) = (draft.escrow.id, draft.actor().role, draft.at());
    let piece = |(number, evidence): (u16, &Evidence)| NewEvidence {
        escrow,
        dispute,
        number,
        evidence: Evidence { by, at, ..evidence.clone() },
    };
    Ok((first..).zip(evidence).map(piece).collect())
}

/// What the entry keeps of its evidence, so that nobody can exchange it later.
fn hash_of(brought: &[NewEvidence]) -> Option<String> {
    (!brought.is_empty()).then(|| dispute::evidence_hash(brought))
}

/// The milestone that a command about a dispute means: the named one, or the only one with an open dispute.
pub(super) fn disputed(draft: &Draft, milestone: Option<u8>) -> Result<u8, Refusal> {
    if milestone.is_some() {
        return pick(&draft.escrow, milestone);
    }
    let mut open = draft.escrow.disputes.iter().filter(|dispute| dispute.is_open());
    match (open.next(), open.next()) {
        (Some(one), None) => Ok(one.milestone),
        (Some(_), Some(_)) => Err(Refusal::MilestoneRequired),
        (None, _) => pick(&draft.escrow, None),
    }
}

/// Ends the open dispute of a milestone; its number. No offer counts any more, but the one that settled it.
pub(super) fn end(
    draft: &mut Draft,
    index: u8,
    status: DisputeStatus,
    to_buyer: Option<Minor>,
) -> Result<u16, Undecided> {
    let now = draft.at();
    let mut open = draft.escrow.disputes.iter_mut().enumerate();
    let found = open.find(|(_, dispute)| dispute.milestone == index && dispute.is_open());
    let (number, dispute) = found.ok_or(Broken("money is disputed, but no dispute is open"))?;
    dispute.status = status;
    dispute.to_buyer = to_buyer;
    dispute.ended_at = Some(now);
    if status != DisputeStatus::Settled {
        dispute.proposal = None;
    }
    next_number(number)
}

pub(super) fn number_of_open(draft: &Draft, index: u8, transition: Transition) -> Result<u16, Undecided> {
    let stage =
        draft.escrow.milestones.get(usize::from(index)).map_or(Stage::Pending, crate::milestone::Milestone::stage);
    let at = draft.escrow.disputes.iter().position(|dispute| dispute.milestone == index && dispute.is_open());
    next_number(at.ok_or(Refusal::WrongStage { transition, stage })?)
}

pub(super) fn withdraw(draft: &mut Draft, milestone: Option<u8>) -> Result<(), Undecided> {
    let index = disputed(draft, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::WithdrawDispute, role, index, now)?;
    let number = number_of_open(draft, index, Transition::WithdrawDispute)?;
    draft.record(Transition::WithdrawDispute, Some(Part::Dispute(number)), None, None)?;
    let locked = draft.milestone(index)?.money.disputed;
    let was_all = draft.milestone(index)?.money.held.is_zero();
    draft.shift(index, Bucket::Disputed, Bucket::Held, locked)?;
    end(draft, index, DisputeStatus::Withdrawn, None)?;
    // What was left of the clock runs on, but never so little that the other side is taken by surprise. Where a part was never
    // disputed its clock never stopped; the part that comes back must not shorten it.
    let left = draft.escrow.disputes.get(usize::from(number)).and_then(|dispute| dispute.clock_left);
    let again = draft.clock_starts().after(left.unwrap_or_default().max(LEAST_AFTER_DISPUTE));
    let there = draft.milestone(index)?;
    let clock = if there.delivered_at.is_some() { &mut there.auto_release_at } else { &mut there.deliver_by };
    *clock = if was_all { Some(again) } else { Some(clock.map_or(again, |running| running.max(again))) };
    Ok(())
}

pub(super) fn rule(draft: &mut Draft, milestone: Option<u8>, to_buyer: Minor, reason: &str) -> Result<(), Undecided> {
    let index = disputed(draft, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::Rule, role, index, now)?;
    let number = number_of_open(draft, index, Transition::Rule)?;
    draft.record(Transition::Rule, Some(Part::Dispute(number)), None, Some(reason.to_owned()))?;
    end(draft, index, DisputeStatus::Ruled, Some(to_buyer))?;
    divide(draft, index, to_buyer)
}

/// Divides what is locked as somebody has named it, if it can be divided so.
pub(super) fn divide(draft: &mut Draft, index: u8, to_buyer: Minor) -> Result<(), Undecided> {
    let currency = draft.escrow.terms.currency;
    let locked = draft.milestone(index)?.money.disputed;
    if to_buyer > locked {
        return Err(Refusal::AmountTooLarge { most: locked.of(currency) }.into());
    }
    let known = draft.escrow.refunds.len();
    settle(draft, index, to_buyer)?;
    // All to one side is never refused: somebody must be able to end it.
    let is_part = !to_buyer.is_zero() && to_buyer < locked;
    if is_part { payable::check(draft, index, known, "to_buyer") } else { Ok(()) }
}

/// What the pinned default says, when the time of a dispute is over.
pub(super) fn default(draft: &mut Draft, number: u16, index: u8) -> Result<(), Undecided> {
    let locked = draft.milestone(index)?.money.disputed;
    let to_buyer = match draft.escrow.terms.policy.dispute_default {
        DisputeDefault::RefundBuyer => locked,
        DisputeDefault::ReleaseSeller => Minor::ZERO,
    };
    draft.record(Transition::DefaultDispute, Some(Part::Dispute(number)), None, None)?;
    end(draft, index, DisputeStatus::Defaulted, Some(to_buyer))?;
    settle(draft, index, to_buyer)
}

/// Divides what is locked: so much to the buyer, the rest to the seller. The parts are the whole.
fn settle(draft: &mut Draft, index: u8, to_buyer: Minor) -> Result<(), Undecided> {
    let to_seller = draft.milestone(index)?.money.disputed.minus(to_buyer)?;
    if !to_seller.is_zero() {
        draft.pay_seller(index, Bucket::Disputed, to_seller)?;
    }
    draft.refund_buyer(index, Bucket::Disputed, to_buyer)
}

/// An operator gives `part` of what is disputed to one side, which ends the dispute once nothing of it is left.
pub(super) fn overrule(draft: &mut Draft, index: u8, part: Minor, to_buyer: Minor) -> Result<(), Undecided> {
    if part == draft.milestone(index)?.money.disputed {
        end(draft, index, DisputeStatus::Overruled, Some(to_buyer))?;
    }
    Ok(())
}
