//! What `GET /_local/sandbox/stripe` shows: everything that the sandbox knows, in short.

use serde_json::{Value, json};

use super::book::{Book, DeliveryState};

pub(super) fn shown(book: &Book) -> Value {
    let sessions: Vec<Value> = book
        .sessions
        .values()
        .map(|session| {
            json!({"id": session.id, "status": session.status.word(), "paid": session.paid, "amount": session.amount,
                   "currency": session.currency, "payment_intent": session.intent, "expires_at": session.expires_at,
                   "client_reference_id": session.client_reference_id, "metadata": session.metadata, "url": session.url})
        })
        .collect();
    let intents: Vec<Value> = book
        .intents
        .values()
        .map(|intent| {
            let charge = intent.paid_charge();
            json!({"id": intent.id, "session": intent.session, "status": intent.status.word(), "amount": intent.amount,
                   "currency": intent.currency, "metadata": intent.data.metadata,
                   "charge": charge.map(|charge| &charge.id),
                   "refunded": charge.map_or(0, |charge| book.refunded(&charge.id))})
        })
        .collect();
    let list: Vec<Value> = book
        .refunds
        .values()
        .map(|refund| {
            json!({"id": refund.id, "status": refund.status.word(), "amount": refund.amount, "currency": refund.currency,
                   "payment_intent": refund.intent, "metadata": refund.metadata, "by_hand": refund.by_hand})
        })
        .collect();
    // How often each refund of ours took effect: more than once is the mistake that this sandbox is there to show.
    let mut effects: std::collections::BTreeMap<&str, u32> = std::collections::BTreeMap::new();
    for refund in book.refunds.values().filter(|refund| refund.status.takes_money()) {
        if let Some(ours) = refund.metadata.get("refund_id") {
            let count = effects.entry(ours).or_default();
            *count = count.saturating_add(1);
        }
    }
    let disputes: Vec<Value> = book
        .disputes
        .values()
        .map(|dispute| {
            json!({"id": dispute.id, "status": dispute.status.word(), "amount": dispute.amount,
                   "payment_intent": dispute.intent})
        })
        .collect();
    let accounts: Vec<Value> = book
        .accounts
        .values()
        .map(|account| {
            json!({"id": account.id, "standing": account.standing, "takes_transfers": account.takes_transfers(),
                   "currently_due": account.currently_due, "metadata": account.metadata})
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
    json!({"sessions": sessions, "payment_intents": intents, "refunds": list, "refund_effects": effects,
           "disputes": disputes, "accounts": accounts, "events": events, "webhooks": deliveries, "switches": book.switches})
}
