//! Settling a dispute by offer and acceptance: each side offers a split, the latest offer counts, the other side accepts it by its name.

use super::disputes::{disputed, divide, number_of_open};
use super::draft::{Draft, next_number};
use super::guard::{guard, guard_any};
use crate::dispute::{DisputeStatus, Proposal};
use crate::escrow::Escrow;
use crate::id::ProposalId;
use crate::journal::Part;
use crate::lifecycle::Transition;
use crate::money::Minor;
use crate::refusal::{Broken, Refusal, Undecided};

/// A side offers: so much to the buyer, the rest of what is locked to the seller.
pub(super) fn propose(draft: &mut Draft, milestone: Option<u8>, to_buyer: Minor) -> Result<(), Undecided> {
    let index = disputed(draft, milestone)?;
    let (role, at) = (draft.actor().role, draft.at());
    guard(&draft.escrow, Transition::Propose, role, index, at)?;
    let dispute = number_of_open(draft, index, Transition::Propose)?;
    // An offer that could not be carried out is refused now, not when somebody accepts it.
    divide(&mut draft.trial(Transition::Accept)?, index, to_buyer)?;
    let made: usize = draft.escrow.disputes.iter().map(|dispute| usize::from(dispute.proposals)).sum();
    let number = next_number(made)?;
    let name = ProposalId { escrow: draft.escrow.id, number }.to_string();
    let currency = draft.escrow.terms.currency;
    let words = format!("{} {currency} to the buyer", to_buyer.of(currency));
    draft.record(Transition::Propose, Some(Part::Dispute(dispute)), Some(name), Some(words))?;
    let dispute = draft.dispute(dispute)?;
    dispute.proposals = dispute.proposals.checked_add(1).ok_or(Broken("offers without end"))?;
    dispute.proposal = Some(Proposal { number, by: role, to_buyer, at });
    Ok(())
}

/// The other side accepts the offer of that number. Never another one: an offer may have been replaced while somebody read it.
pub(super) fn accept(draft: &mut Draft, number: u16) -> Result<(), Undecided> {
    let (role, now) = (draft.actor().role, draft.at());
    let Some((index, offer)) = standing_offer(&draft.escrow, number) else {
        return Err(match guard_any(&draft.escrow, Transition::Accept, role, now) {
            Ok(_) | Err(Refusal::OwnProposal | Refusal::NothingProposed) => Refusal::ProposalGone.into(),
            Err(other) => other.into(),
        });
    };
    guard(&draft.escrow, Transition::Accept, role, index, now)?;
    let dispute = number_of_open(draft, index, Transition::Accept)?;
    let name = ProposalId { escrow: draft.escrow.id, number }.to_string();
    draft.record(Transition::Accept, Some(Part::Dispute(dispute)), Some(name), None)?;
    super::disputes::end(draft, index, DisputeStatus::Settled, Some(offer.to_buyer))?;
    divide(draft, index, offer.to_buyer)
}

/// The milestone and the offer of that number, if it counts.
fn standing_offer(escrow: &Escrow, number: u16) -> Option<(u8, Proposal)> {
    escrow.disputes.iter().filter(|dispute| dispute.is_open()).find_map(|dispute| {
        let offer = dispute.proposal.filter(|offer| offer.number == number)?;
        Some((dispute.milestone, offer))
    })
}
