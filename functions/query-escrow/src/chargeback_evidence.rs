//! What a platform answers a chargeback with, composed from what the escrow remembers, in the field names of Stripe's form.
//!
//! Source of the names and of what belongs into each: Stripe API reference, *Update a dispute*, `evidence`. Fields that ask for a file
//! (`receipt`, `service_documentation` …) or for what Holdfast does not know (names, addresses) are not here; links to evidence stand in
//! `uncategorized_text`. Nothing is sent: an operator reads it, adds to it, and submits it in the gateway's dashboard.

use escrow_domain::chargeback::Chargeback;
use escrow_domain::dispute::NewEvidence;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::PaymentId;
use escrow_domain::journal::{Entry, Part};
use escrow_domain::lifecycle::{Role, Transition};
use escrow_domain::milestone::Milestone;
use escrow_domain::payment::Payment;
use escrow_domain::time::Timestamp;
use escrow_http::views::milestone_name;
use serde::Serialize;

/// The longest text of one field, in characters. Stripe takes 150,000 in all fields together (*Update a dispute*, `evidence`).
const LONGEST: usize = 20_000;

/// The answer to one chargeback.
#[derive(Debug, Serialize)]
pub(crate) struct ChargebackEvidence {
    /// The gateway's id of it.
    chargeback: String,
    gateway: &'static str,
    payment: String,
    status: &'static str,
    evidence: Evidence,
}

/// The fields of the form.
#[derive(Debug, Serialize)]
struct Evidence {
    product_description: String,
    /// When the buyer got the work, or began to get it.
    service_date: Option<String>,
    /// What the buyer did, and when.
    access_activity_log: String,
    /// Which rules held, and since when. That and how they were shown is the platform's to add.
    refund_policy_disclosure: String,
    cancellation_policy_disclosure: String,
    /// Why the money was not given back.
    refund_refusal_explanation: Option<String>,
    /// What the seller said on delivery, and what both sides have brought to disputes.
    uncategorized_text: String,
}

/// The answers to all chargebacks of an escrow, in their order. `entries` is the whole journal, oldest first.
pub(crate) fn compose(escrow: &Escrow, entries: &[Entry], brought: &[NewEvidence]) -> Vec<ChargebackEvidence> {
    let one = |chargeback: &Chargeback| {
        let payment = escrow.payments.get(usize::from(chargeback.payment));
        ChargebackEvidence {
            chargeback: chargeback.reference.clone(),
            gateway: chargeback.gateway.as_str(),
            payment: PaymentId { escrow: escrow.id, number: chargeback.payment }.to_string(),
            status: chargeback.status.as_str(),
            evidence: evidence(escrow, &paid_by(escrow, payment), entries, brought),
        }
    };
    escrow.chargebacks.iter().map(one).collect()
}

/// The milestones that a payment has paid, each with its index.
fn paid_by<'a>(escrow: &'a Escrow, payment: Option<&Payment>) -> Vec<(u8, &'a Milestone)> {
    let paid = payment.map(|payment| payment.milestones.as_slice()).unwrap_or_default();
    (0_u8..).zip(&escrow.milestones).filter(|(index, _)| paid.contains(index)).collect()
}

fn evidence(escrow: &Escrow, paid: &[(u8, &Milestone)], entries: &[Entry], brought: &[NewEvidence]) -> Evidence {
    let terms = &escrow.terms;
    let titles: Vec<&str> = paid.iter().map(|(_, milestone)| milestone.title.as_str()).collect();
    let policy = &terms.policy;
    let pinned =
        format!("The terms were fixed when the buyer ordered, at {}, and have not changed since.", terms.created_at);
    Evidence {
        product_description: bounded(format!(
            "{} {} ({}): {}. Sold by {}, bought by {}, for {} {}.",
            terms.subject.kind,
            terms.subject.id,
            terms.kind,
            titles.join(", "),
            terms.seller,
            terms.buyer,
            paid.iter()
                .map(|(_, milestone)| milestone.amount.of(terms.currency).to_string())
                .collect::<Vec<_>>()
                .join(" + "),
            terms.currency,
        )),
        service_date: delivered(paid, entries).map(day),
        access_activity_log: bounded(log(entries)),
        refund_policy_disclosure: format!(
            "{pinned} The buyer could dispute the work until {} after its delivery; what was not delivered within {} of the payment is given back without being asked for; what is delivered and not objected to is released after {}.",
            policy.dispute_window, policy.deliver_within, policy.auto_release_after,
        ),
        cancellation_policy_disclosure: format!(
            "{pinned} The buyer could withdraw without giving a reason until {} after the payment, and later with the seller's consent.",
            policy.cancel_window,
        ),
        refund_refusal_explanation: accepted(paid, entries),
        uncategorized_text: bounded(notes(escrow, paid, entries, brought)),
    }
}

fn is_of(entry: &Entry, paid: &[(u8, &Milestone)]) -> bool {
    let named = |index: u8| paid.iter().any(|(other, _)| *other == index);
    match entry.part {
        Some(Part::Milestone(index)) => named(index),
        Some(Part::Payment(_) | Part::Refund(_) | Part::Dispute(_) | Part::Chargeback(_)) | None => {
            entry.moves.iter().any(|moved| named(moved.milestone))
        }
    }
}

/// When the first of these milestones was delivered.
fn delivered(paid: &[(u8, &Milestone)], entries: &[Entry]) -> Option<Timestamp> {
    let told = entries.iter().find(|entry| entry.transition == Transition::Deliver && is_of(entry, paid));
    told.map(|entry| entry.at).or_else(|| paid.iter().filter_map(|(_, milestone)| milestone.delivered_at).min())
}

/// The day of a moment: `2026-03-02`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Everything that the buyer did here, with its time.
fn log(entries: &[Entry]) -> String {
    let by_buyer = entries.iter().filter(|entry| entry.actor.role == Role::Buyer);
    let line = |entry: &Entry| {
        let who = entry.actor.sub.as_ref().map(ToString::to_string).unwrap_or_default();
        let note = entry.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        format!("{} {who} {}{note}", entry.at, entry.transition)
    };
    by_buyer.map(line).collect::<Vec<_>>().join("\n")
}

/// That the work was accepted, where it was.
fn accepted(paid: &[(u8, &Milestone)], entries: &[Entry]) -> Option<String> {
    let accepts = |entry: &&Entry| {
        matches!(entry.transition, Transition::Release | Transition::AutoRelease) && is_of(entry, paid)
    };
    let entry = entries.iter().rev().find(accepts)?;
    Some(if entry.transition == Transition::Release {
        format!("The buyer accepted the work at {}, signed in as the person who had ordered it.", entry.at)
    } else {
        format!(
            "The buyer did not object within the agreed time after delivery; the work counted as accepted at {}.",
            entry.at
        )
    })
}

/// What the seller said on delivery, and the evidence that both sides have brought.
fn notes(escrow: &Escrow, paid: &[(u8, &Milestone)], entries: &[Entry], brought: &[NewEvidence]) -> String {
    let mut lines = Vec::new();
    for entry in entries.iter().filter(|entry| entry.transition == Transition::Deliver && is_of(entry, paid)) {
        let note = entry.note.as_deref().unwrap_or("(no note)");
        lines.push(format!("Delivered at {} by {}: {note}", entry.at, escrow.terms.seller));
    }
    for piece in brought {
        let of = escrow.disputes.get(usize::from(piece.dispute)).map(|dispute| dispute.milestone);
        if !of.is_some_and(|index| paid.iter().any(|(other, _)| *other == index)) {
            continue;
        }
        let one = &piece.evidence;
        let hash = one.sha256.as_deref().map(|hash| format!(" (SHA-256 {hash})")).unwrap_or_default();
        let note = one.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        let milestone = of.map(milestone_name).unwrap_or_default();
        lines.push(format!(
            "Brought at {} by the {} about {milestone}, {} {}{hash}{note}",
            one.at, one.by, one.kind, one.uri
        ));
    }
    lines.join("\n")
}

/// At most [`LONGEST`] characters: what is newest stands last, so the beginning goes.
fn bounded(text: String) -> String {
    let length = text.chars().count();
    if length <= LONGEST { text } else { text.chars().skip(length.saturating_sub(LONGEST)).collect() }
}
