//! Payouts.

use super::event::{ActorView, PostingView, actor, postings_outside};
use super::{amount, time};
use crate::problem::{Answer, Problem};
use escrow_domain::actions::Standing;
use escrow_domain::id::UserId;
use escrow_domain::journal::Entry;
use escrow_domain::payout::{BankState, Payout, PayoutAction, PayoutTransition, Rail};
use serde::Serialize;

/// A payout as one caller sees it.
#[derive(Debug, Clone, Serialize)]
pub struct PayoutView {
    id: String,
    owner: String,
    currency: String,
    amount: String,
    gateway: &'static str,
    account: Option<String>,
    escrow: Option<String>,
    status: &'static str,
    reference: Option<String>,
    reason: Option<String>,
    waiting: Option<WaitingView>,
    returned: String,
    bank: Option<BankView>,
    asked_by: ActorView,
    created_at: String,
    updated_at: String,
    version: u64,
    history: Vec<PayoutEventView>,
    actions: Vec<PayoutActionView>,
}

#[derive(Debug, Clone, Serialize)]
struct WaitingView {
    cause: &'static str,
    reason: String,
    since: String,
}

/// How a bank stands to money that a gateway has paid out to it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BankView {
    status: &'static str,
    reference: String,
    reason: Option<String>,
    at: String,
}

/// Something that happened to a payout.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PayoutEventView {
    r#type: &'static str,
    at: String,
    actor: ActorView,
    postings: Vec<PostingView>,
    reference: Option<String>,
    note: Option<String>,
}

/// A command, and whether this caller may give it now.
#[derive(Debug, Clone, Serialize)]
pub struct PayoutActionView {
    name: &'static str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What would happen to a payout.
#[derive(Debug, Clone, Serialize)]
pub struct PayoutRehearsal {
    dry_run: bool,
    status: &'static str,
    postings: Vec<PostingView>,
    events: Vec<PayoutEventView>,
}

/// A payout, as this user with this standing sees it.
#[must_use]
pub fn payout(payout: &Payout, user: &UserId, standing: &Standing) -> PayoutView {
    let currency = payout.money.currency;
    let account = match &payout.rail {
        Rail::Gateway { account, .. } => Some(account.clone()),
        Rail::ByHand => None,
    };
    PayoutView {
        id: payout.id.to_string(),
        owner: payout.owner.to_string(),
        currency: currency.to_string(),
        amount: payout.money.to_string(),
        gateway: payout.rail.as_str(),
        account,
        escrow: payout.tied_to.as_ref().map(|tied| tied.escrow.to_string()),
        status: payout.status.as_str(),
        reference: payout.reference.clone(),
        reason: payout.reason.clone(),
        waiting: payout.waiting.as_ref().map(|waiting| WaitingView {
            cause: waiting.cause.as_str(),
            reason: waiting.reason.clone(),
            since: time(waiting.since),
        }),
        returned: amount(payout.returned, currency),
        bank: payout.bank.as_ref().map(bank),
        asked_by: actor(&payout.asked_by),
        created_at: time(payout.created_at),
        updated_at: time(payout.updated_at),
        version: payout.version,
        history: payout.journal.entries.iter().map(event).collect(),
        actions: payout_actions(payout, user, standing),
    }
}

/// Every command that people give to a payout, as this user may give it now.
#[must_use]
pub fn payout_actions(payout: &Payout, user: &UserId, standing: &Standing) -> Vec<PayoutActionView> {
    let view = |action: PayoutAction| PayoutActionView {
        name: action.transition.as_str(),
        allowed: action.refusal.is_none(),
        code: action.refusal.as_ref().map(|refusal| refusal.code()),
        reason: action.refusal.as_ref().map(ToString::to_string),
    };
    payout.actions(user, standing).into_iter().map(view).collect()
}

/// What would happen, from a payout with so many entries to the payout as it would be.
///
/// # Errors
/// 500 if the journal is shorter than it was: never.
pub fn payout_rehearsal(known: usize, after: &Payout) -> Answer<PayoutRehearsal> {
    let new = after.journal.entries.get(known..).ok_or_else(|| Problem::internal("a journal that has shrunk"))?;
    Ok(PayoutRehearsal {
        dry_run: true,
        status: after.status.as_str(),
        postings: new.iter().flat_map(|entry| postings_outside(&entry.postings)).collect(),
        events: new.iter().map(event).collect(),
    })
}

pub(super) fn bank(bank: &BankState) -> BankView {
    BankView {
        status: bank.status.as_str(),
        reference: bank.reference.clone(),
        reason: bank.reason.clone(),
        at: time(bank.told_at),
    }
}

fn event(entry: &Entry<PayoutTransition>) -> PayoutEventView {
    PayoutEventView {
        r#type: entry.transition.as_str(),
        at: time(entry.at),
        actor: actor(&entry.actor),
        postings: postings_outside(&entry.postings),
        reference: entry.reference.clone(),
        note: entry.note.clone(),
    }
}
