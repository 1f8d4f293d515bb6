//! Disputes between buyer and seller: where they stand, what is offered, what was brought.

use super::{amount, milestone_name, time, time_or_null};
use escrow_domain::dispute::{Dispute, NewEvidence, Proposal};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{DisputeId, ProposalId};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub(super) struct DisputeView {
    id: String,
    milestone: String,
    status: &'static str,
    amount: String,
    reason: String,
    evidence: EvidenceCount,
    proposal: Option<ProposalView>,
    opened_at: String,
    evidence_until: String,
    rule_by: String,
    to_buyer: Option<String>,
    ended_at: Option<String>,
}

/// How many pieces each side has brought.
#[derive(Debug, Clone, Serialize)]
struct EvidenceCount {
    buyer: u8,
    seller: u8,
}

/// The offer that counts.
#[derive(Debug, Clone, Serialize)]
struct ProposalView {
    id: String,
    by: &'static str,
    to_buyer: String,
    at: String,
}

/// A dispute outside of its escrow, for those who rule.
#[derive(Debug, Clone, Serialize)]
pub struct DisputeListed {
    escrow: String,
    buyer: String,
    seller: String,
    currency: String,
    frozen: bool,
    #[serde(flatten)]
    dispute: DisputeView,
}

/// A piece of evidence.
#[derive(Debug, Clone, Serialize)]
pub struct BroughtView {
    dispute: String,
    by: &'static str,
    at: String,
    r#type: String,
    uri: String,
    sha256: Option<String>,
    note: Option<String>,
}

pub(super) fn dispute(escrow: &Escrow, number: u16, dispute: &Dispute) -> DisputeView {
    let currency = escrow.terms.currency;
    DisputeView {
        id: DisputeId { escrow: escrow.id, number }.to_string(),
        milestone: milestone_name(dispute.milestone),
        status: dispute.status.as_str(),
        amount: amount(dispute.amount, currency),
        reason: dispute.reason.clone(),
        evidence: EvidenceCount { buyer: dispute.evidence_of_buyer, seller: dispute.evidence_of_seller },
        proposal: dispute.proposal.as_ref().map(|offer| proposal(escrow, offer)),
        opened_at: time(dispute.opened_at),
        evidence_until: time(dispute.evidence_until),
        rule_by: time(dispute.rule_by),
        to_buyer: dispute.to_buyer.map(|part| amount(part, currency)),
        ended_at: time_or_null(dispute.ended_at),
    }
}

fn proposal(escrow: &Escrow, proposal: &Proposal) -> ProposalView {
    ProposalView {
        id: ProposalId { escrow: escrow.id, number: proposal.number }.to_string(),
        by: proposal.by.as_str(),
        to_buyer: amount(proposal.to_buyer, escrow.terms.currency),
        at: time(proposal.at),
    }
}

/// The open disputes of an escrow, for the queue of those who rule.
#[must_use]
pub fn dispute_listed(escrow: &Escrow) -> Vec<DisputeListed> {
    let open = (0_u16..).zip(&escrow.disputes).filter(|(_, dispute)| dispute.is_open());
    open.map(|(number, one)| DisputeListed {
        escrow: escrow.id.to_string(),
        buyer: escrow.terms.buyer.to_string(),
        seller: escrow.terms.seller.to_string(),
        currency: escrow.terms.currency.to_string(),
        frozen: escrow.is_stopped(),
        dispute: dispute(escrow, number, one),
    })
    .collect()
}

/// A piece of evidence.
#[must_use]
pub fn brought(piece: &NewEvidence) -> BroughtView {
    let evidence = &piece.evidence;
    BroughtView {
        dispute: DisputeId { escrow: piece.escrow, number: piece.dispute }.to_string(),
        by: evidence.by.as_str(),
        at: time(evidence.at),
        r#type: evidence.kind.clone(),
        uri: evidence.uri.clone(),
        sha256: evidence.sha256.clone(),
        note: evidence.note.clone(),
    }
}
