//! What `GET /_local/sandbox/stripe` shows: everything that the sandbox knows, in short.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::balance;
use super::book::{Book, DeliveryState, IntentStatus};

pub(super) fn shown(book: &Book, now_s: i64, public_url: &str) -> Value {
    let sessions: Vec<Value> = in_order(&book.sessions, |one| one.number)
        .map(|session| {
            json!({"id": session.id, "status": session.status.word(), "paid": session.paid, "amount": session.amount,
                   "currency": session.currency, "payment_intent": session.intent, "expires_at": session.expires_at,
                   "client_reference_id": session.client_reference_id, "metadata": session.metadata, "url": session.url})
        })
        .collect();
    let intents: Vec<Value> = in_order(&book.intents, |one| one.number)
        .map(|intent| {
            let charge = intent.paid_charge();
            // That of a session is paid on the session's page.
            let own = intent.session.is_none() && intent.status != IntentStatus::Succeeded;
            let page = own.then(|| format!("{public_url}/sandbox/stripe/pay/{}", intent.id));
            json!({"id": intent.id, "session": intent.session, "status": intent.status.word(), "amount": intent.amount,
                   "currency": intent.currency, "metadata": intent.data.metadata,
                   "charge": charge.map(|charge| &charge.id), "page": page,
                   "refunded": charge.map_or(0, |charge| book.refunded(&charge.id))})
        })
        .collect();
    let list: Vec<Value> = in_order(&book.refunds, |one| one.number)
        .map(|refund| {
            json!({"id": refund.id, "status": refund.status.word(), "amount": refund.amount, "currency": refund.currency,
                   "payment_intent": refund.intent, "metadata": refund.metadata, "by_hand": refund.by_hand})
        })
        .collect();
    // How often each refund of ours took effect: more than once is the mistake that this sandbox is there to show.
    let made = book.refunds.values().filter(|refund| refund.status.takes_money());
    let refund_effects = effects(made.map(|refund| &refund.metadata), "refund_id");
    let disputes: Vec<Value> = in_order(&book.disputes, |one| one.number)
        .map(|dispute| {
            json!({"id": dispute.id, "status": dispute.status.word(), "amount": dispute.amount,
                   "payment_intent": dispute.intent, "withdrawn": dispute.withdrawal.is_some(),
                   "reinstated": dispute.reinstatement.is_some()})
        })
        .collect();
    let accounts: Vec<Value> = in_order(&book.accounts, |one| one.number)
        .map(|account| {
            json!({"id": account.id, "standing": account.standing, "takes_transfers": account.takes_transfers(),
                   "payouts_enabled": account.payouts_enabled(), "connected": !account.gone,
                   "currently_due": account.currently_due, "metadata": account.metadata})
        })
        .collect();
    let transfers: Vec<Value> = in_order(&book.transfers, |one| one.number)
        .map(|transfer| {
            json!({"id": transfer.id, "amount": transfer.amount, "reversed": transfer.reversed(),
                   "currency": transfer.currency, "destination": transfer.destination,
                   "source_transaction": transfer.source, "transfer_group": transfer.group,
                   "metadata": transfer.metadata})
        })
        .collect();
    let transfer_effects = effects(book.transfers.values().map(|transfer| &transfer.metadata), "payout_id");
    let payouts: Vec<Value> = in_order(&book.payouts, |one| one.number)
        .map(|payout| {
            json!({"id": payout.id, "account": payout.account, "status": payout.status.word(), "amount": payout.amount,
                   "currency": payout.currency, "failure_code": payout.failure})
        })
        .collect();
    let events: Vec<Value> = {
        let mut all: Vec<_> = book.events.values().collect();
        all.sort_by_key(|event| event.number);
        all.into_iter().map(|event| json!({"id": event.id, "type": event.kind, "created": event.created})).collect()
    };
    let deliveries: Vec<Value> = book
        .deliveries
        .values()
        .map(|delivery| {
            let kind = book.events.get(&delivery.event).map(|event| &event.kind);
            json!({"event": delivery.event, "type": kind, "attempts": delivery.attempts, "state": delivery.state,
                   "last_status": delivery.status,
                   "due": (delivery.state == DeliveryState::Waiting).then_some(delivery.due)})
        })
        .collect();
    json!({"sessions": sessions, "payment_intents": intents, "refunds": list, "refund_effects": refund_effects,
           "disputes": disputes, "accounts": accounts,
           "transfers": transfers, "transfer_effects": transfer_effects, "payouts": payouts,
           "balance": balance::balance(book, now_s), "events": events, "webhooks": deliveries, "switches": book.switches})
}

/// Oldest first: their ids are random, and say nothing about it.
fn in_order<T>(all: &BTreeMap<String, T>, number: impl Fn(&T) -> u64) -> impl Iterator<Item = &T> {
    let mut all: Vec<&T> = all.values().collect();
    all.sort_by_key(|one| number(one));
    all.into_iter()
}

/// How many objects carry each value of this key.
fn effects<'m>(all: impl Iterator<Item = &'m BTreeMap<String, String>>, key: &str) -> BTreeMap<&'m str, u32> {
    let mut effects: BTreeMap<&str, u32> = BTreeMap::new();
    for ours in all.filter_map(|metadata| metadata.get(key)) {
        let count = effects.entry(ours).or_default();
        *count = count.saturating_add(1);
    }
    effects
}
