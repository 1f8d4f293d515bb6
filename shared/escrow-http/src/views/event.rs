//! Entries of a journal, with the money they moved.

use super::{amount, milestone_name, time};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{DisputeId, EscrowId, EventId, PaymentId, RefundId};
use escrow_domain::journal::{Account, Actor, Entry, Part, Posting};
use escrow_domain::money::Minor;
use serde::Serialize;

/// An entry.
#[derive(Debug, Clone, Serialize)]
pub struct EventView {
    id: String,
    r#type: &'static str,
    at: String,
    actor: ActorView,
    milestone: Option<String>,
    payment: Option<String>,
    refund: Option<String>,
    dispute: Option<String>,
    chargeback: Option<String>,
    moves: Vec<MoveView>,
    postings: Vec<PostingView>,
    reference: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ActorView {
    role: &'static str,
    sub: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct MoveView {
    milestone: String,
    from: &'static str,
    to: &'static str,
    amount: String,
}

/// One side of an entry in the ledger. Debits and credits of an entry are equal, per currency.
#[derive(Debug, Clone, Serialize)]
pub struct PostingView {
    account: String,
    direction: &'static str,
    amount: String,
    currency: String,
}

/// The entry at that place of the journal, counted from the first that ever happened.
#[must_use]
pub fn event(escrow: &Escrow, number: u32, entry: &Entry) -> EventView {
    let id = escrow.id;
    let part = |wanted: fn(EscrowId, Part) -> Option<String>| entry.part.and_then(|part| wanted(id, part));
    let moved_milestone = entry.moves.first().map(|moved| milestone_name(moved.milestone));
    EventView {
        id: EventId { escrow: id, number: u16::try_from(number).unwrap_or(u16::MAX) }.to_string(),
        r#type: entry.transition.as_str(),
        at: time(entry.at),
        actor: actor(&entry.actor),
        milestone: part(milestone_of).or(moved_milestone),
        payment: part(payment_of),
        refund: part(refund_of),
        dispute: part(dispute_of),
        chargeback: chargeback_of(escrow, entry.part),
        moves: entry
            .moves
            .iter()
            .map(|moved| MoveView {
                milestone: milestone_name(moved.milestone),
                from: moved.from.as_str(),
                to: moved.to.as_str(),
                amount: amount(moved.amount, escrow.terms.currency),
            })
            .collect(),
        postings: postings(id, &entry.postings),
        reference: entry.reference.clone(),
        note: entry.note.clone(),
    }
}

/// Entries that follow each other, `first` the number of the first: newest first, each with its number.
#[must_use]
pub fn events(escrow: &Escrow, first: u32, entries: &[Entry]) -> Vec<(u32, EventView)> {
    let numbered = (first..).zip(entries);
    let mut views: Vec<_> = numbered.map(|(number, entry)| (number, event(escrow, number, entry))).collect();
    views.reverse();
    views
}

pub(super) fn actor(actor: &Actor) -> ActorView {
    ActorView { role: actor.role.as_str(), sub: actor.sub.as_ref().map(ToString::to_string) }
}

/// Postings of an escrow as they are shown.
#[must_use]
pub fn postings(escrow: EscrowId, postings: &[Posting]) -> Vec<PostingView> {
    shown(postings, |posting| account(escrow, &posting.account))
}

/// Postings of another aggregate: none of them is an escrow's.
pub(super) fn postings_outside(postings: &[Posting]) -> Vec<PostingView> {
    shown(postings, |posting| posting.account.to_string())
}

fn shown(postings: &[Posting], account: impl Fn(&Posting) -> String) -> Vec<PostingView> {
    let view = |posting: &Posting| PostingView {
        account: account(posting),
        direction: if posting.units < 0 { "credit" } else { "debit" },
        amount: Minor::new(posting.units.saturating_abs())
            .map(|units| amount(units, posting.currency))
            .unwrap_or_default(),
        currency: posting.currency.to_string(),
    };
    postings.iter().map(view).collect()
}

/// Inside an escrow its own account needs no name; outside it does.
fn account(escrow: EscrowId, account: &Account) -> String {
    match account {
        Account::Escrow => format!("escrow:{escrow}"),
        Account::Gateway(_)
        | Account::Wallet(_)
        | Account::Fees
        | Account::Refunds(_)
        | Account::Payouts(_)
        | Account::PayoutsByHand
        | Account::PaidByHand
        | Account::Chargebacks(_)
        | Account::Credits(_)
        | Account::Unapplied(_)
        | Account::Exchange
        | Account::Receivable(_) => account.to_string(),
    }
}

fn milestone_of(_: EscrowId, part: Part) -> Option<String> {
    if let Part::Milestone(index) = part { Some(milestone_name(index)) } else { None }
}

fn payment_of(escrow: EscrowId, part: Part) -> Option<String> {
    if let Part::Payment(number) = part { Some(PaymentId { escrow, number }.to_string()) } else { None }
}

fn refund_of(escrow: EscrowId, part: Part) -> Option<String> {
    if let Part::Refund(number) = part { Some(RefundId { escrow, number }.to_string()) } else { None }
}

fn dispute_of(escrow: EscrowId, part: Part) -> Option<String> {
    if let Part::Dispute(number) = part { Some(DisputeId { escrow, number }.to_string()) } else { None }
}

/// A chargeback has the gateway's name, since it is the gateway's thing.
fn chargeback_of(escrow: &Escrow, part: Option<Part>) -> Option<String> {
    let Some(Part::Chargeback(number)) = part else { return None };
    escrow.chargebacks.get(usize::from(number)).map(|chargeback| chargeback.reference.clone())
}
