//! Chargebacks: the buyer's bank takes money back, or first asks. Money moves by events of its own (`funds_withdrawn`,
//! `funds_reinstated`), apart from how the dispute stands, and either may come without the other.

use serde_json::json;

use super::balance::{self, Cause, Movement};
use super::book::{Charge, Dispute, DisputeStatus, Intent, Record};
use super::change::{Change, random_id};
use super::objects;

/// How a dispute begins.
pub(super) struct Opening<'o> {
    pub(super) amount: i64,
    pub(super) reason: &'o str,
    /// The bank only asks; no money is taken.
    pub(super) inquiry: bool,
    /// Whether the money goes at once.
    pub(super) withdraw: bool,
}

/// The buyer's bank begins a dispute about a charge.
pub(super) fn open(change: &mut Change<'_>, intent: &Intent, charge: &Charge, opening: &Opening<'_>) -> Dispute {
    let dispute = Dispute {
        id: random_id("du_1", 23),
        number: change.number(),
        created: change.now_s(),
        intent: intent.id.clone(),
        charge: charge.id.clone(),
        amount: opening.amount,
        currency: intent.currency.clone(),
        reason: opening.reason.to_owned(),
        status: if opening.inquiry { DisputeStatus::WarningNeedsResponse } else { DisputeStatus::NeedsResponse },
        withdrawal: None,
        reinstatement: None,
    };
    change.put(Record::Dispute(dispute.clone()));
    change.event("charge.dispute.created", objects::dispute(change.book, &dispute));
    if opening.withdraw && !opening.inquiry { withdraw(change, dispute) } else { dispute }
}

/// Stripe takes the disputed money, and its fee, out of the balance.
fn withdraw(change: &mut Change<'_>, mut dispute: Dispute) -> Dispute {
    let id = random_id("txn_1", 23);
    let movement = Movement {
        id: &id,
        cause: Cause::Dispute,
        amount: -dispute.amount,
        fee: balance::fee(dispute.amount),
        currency: &dispute.currency,
        source: Some(&dispute.id),
    };
    balance::book(change, &movement);
    dispute.withdrawal = Some(id);
    change.put(Record::Dispute(dispute.clone()));
    change.event("charge.dispute.funds_withdrawn", objects::dispute(change.book, &dispute));
    dispute
}

/// Stripe gives the money back; the fee is gone.
fn reinstate(change: &mut Change<'_>, mut dispute: Dispute) -> Dispute {
    let id = random_id("txn_1", 23);
    let movement = Movement {
        id: &id,
        cause: Cause::DisputeReversal,
        amount: dispute.amount,
        fee: 0,
        currency: &dispute.currency,
        source: Some(&dispute.id),
    };
    balance::book(change, &movement);
    dispute.reinstatement = Some(id);
    change.put(Record::Dispute(dispute.clone()));
    change.event("charge.dispute.funds_reinstated", objects::dispute(change.book, &dispute));
    dispute
}

/// Where the money of a dispute goes, apart from how the dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Funds {
    Withdrawn,
    Reinstated,
}

/// Moves the money of a dispute. None when it is there already, or cannot go there.
pub(super) fn move_funds(change: &mut Change<'_>, dispute: Dispute, funds: Funds) -> Option<Dispute> {
    match funds {
        Funds::Withdrawn if dispute.withdrawal.is_none() && !dispute.status.is_inquiry() => {
            Some(withdraw(change, dispute))
        }
        Funds::Reinstated if dispute.withdrawal.is_some() && dispute.reinstatement.is_none() => {
            Some(reinstate(change, dispute))
        }
        Funds::Withdrawn | Funds::Reinstated => None,
    }
}

/// A dispute goes on or ends; with `funds` the money goes the way that usually goes with it. None when there is no such way.
pub(super) fn turn(change: &mut Change<'_>, dispute: &Dispute, to: DisputeStatus, funds: bool) -> Option<Dispute> {
    use DisputeStatus::{
        Lost, NeedsResponse, UnderReview, WarningClosed, WarningNeedsResponse, WarningUnderReview, Won,
    };
    let possible = match dispute.status {
        WarningNeedsResponse => matches!(to, WarningUnderReview | WarningClosed | NeedsResponse),
        WarningUnderReview => matches!(to, WarningClosed | NeedsResponse),
        NeedsResponse => matches!(to, UnderReview | Won | Lost),
        UnderReview => matches!(to, Won | Lost),
        Won | Lost | WarningClosed => false,
    };
    if !possible {
        return None;
    }
    let turned = Dispute { status: to, ..dispute.clone() };
    change.put(Record::Dispute(turned.clone()));
    let former = json!({"status": dispute.status.word()});
    let kind = if to.is_over() { "charge.dispute.closed" } else { "charge.dispute.updated" };
    change.event_about(kind, objects::dispute(change.book, &turned), Some(former));
    let usual = match to {
        // The bank is not content with an answer: what was a question becomes a chargeback.
        NeedsResponse => Some(Funds::Withdrawn),
        Won => Some(Funds::Reinstated),
        _ => None,
    };
    Some(match usual.filter(|_| funds) {
        Some(funds) => move_funds(change, turned.clone(), funds).unwrap_or(turned),
        None => turned,
    })
}
