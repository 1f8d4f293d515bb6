//! Stripe's lists and single objects: every `GET`.

use serde_json::Value;

use super::book::{Book, DeliveryState, Intent};
use super::form::Params;
use super::refusal::Refusal;
use super::{balance, checkout, objects, payouts};

/// Fields that hold an id of something that can be shown in its place.
const EXPANDABLE: &[&str] = &[
    "balance_transaction",
    "charge",
    "destination",
    "failure_balance_transaction",
    "latest_charge",
    "payment_intent",
    "source",
    "source_transaction",
    "transfer",
];
/// Stripe expands at most four steps deep (docs.stripe.com/api/expanding_objects).
const DEEPEST_EXPANSION: usize = 4;

/// Answers a `GET`; None if there is no such path. `account` is the connected account in whose name it is asked
/// (`Stripe-Account`).
pub(super) fn look_up(
    book: &Book,
    now_s: i64,
    path: &[&str],
    account: Option<&str>,
    mut query: Params,
) -> Option<Result<Value, Refusal>> {
    let shown = match account {
        Some(account) => of_account(book, now_s, account, path, &mut query),
        None => of_platform(book, now_s, path, &mut query),
    }?;
    Some(shown.and_then(|value| {
        let value = expanded(book, now_s, value, &mut query)?;
        query.finish()?;
        Ok(value)
    }))
}

/// What a connected account has: its balance and its payouts.
fn of_account(
    book: &Book,
    now_s: i64,
    account: &str,
    path: &[&str],
    query: &mut Params,
) -> Option<Result<Value, Refusal>> {
    if let Err(refusal) = super::accounts::find(book, account) {
        return Some(Err(refusal));
    }
    Some(match path {
        ["balance"] => Ok(payouts::balance_shown(book, now_s, account)),
        ["payouts"] => payouts(book, account, query),
        ["payouts", id] => {
            let own = book.payouts.get(*id).filter(|payout| payout.account == account);
            own.map(payouts::shown).ok_or_else(|| Refusal::missing("payout", id, "payout"))
        }
        _ => return None,
    })
}

fn of_platform(book: &Book, now_s: i64, path: &[&str], query: &mut Params) -> Option<Result<Value, Refusal>> {
    Some(match path {
        ["checkout", "sessions"] => sessions(book, query),
        ["checkout", "sessions", id] => checkout::find(book, id).map(objects::session),
        ["checkout", "sessions", id, "line_items"] => checkout::find(book, id).map(objects::line_items),
        ["payment_intents"] => intents(book, query),
        // A page's script may ask with the secret instead of a key; here it is only a parameter.
        ["payment_intents", id] => super::intents::find(book, id)
            .and_then(|intent| query.text("client_secret").map(|_| objects::intent(intent))),
        ["charges"] => charges(book, query),
        ["charges", id] => {
            let found = book.charge(id).map(|(intent, charge)| objects::charge(book, intent, charge));
            found.ok_or_else(|| Refusal::missing("charge", id, "id"))
        }
        ["refunds"] => refunds(book, query),
        ["refunds", id] => {
            book.refunds.get(*id).map(objects::refund).ok_or_else(|| Refusal::missing("refund", id, "refund"))
        }
        ["disputes"] => disputes(book, query),
        ["disputes", id] => book
            .disputes
            .get(*id)
            .map(|dispute| objects::dispute(book, dispute))
            .ok_or_else(|| Refusal::missing("dispute", id, "dispute")),
        ["transfers"] => transfers(book, query),
        ["transfers", id] => super::transfers::find(book, id).map(super::transfers::shown),
        ["transfers", id, "reversals"] => reversals(book, id, query),
        ["transfers", id, "reversals", reversal] => super::transfers::find(book, id).and_then(|transfer| {
            let found = transfer.reversals.iter().find(|known| known.id == **reversal);
            let found = found.map(|known| super::transfers::reversal_shown(transfer, known));
            found.ok_or_else(|| Refusal::missing("transfer reversal", reversal, "id"))
        }),
        ["balance"] => Ok(balance::balance(book, now_s)),
        ["balance_transactions"] => transactions(book, now_s, query),
        ["balance_transactions", id] => {
            let found = book.transactions.get(*id).map(|transaction| balance::shown(transaction, now_s));
            found.ok_or_else(|| Refusal::missing("balance transaction", id, "id"))
        }
        ["accounts"] => accounts(book, query),
        ["accounts", id] => super::accounts::find(book, id).map(super::accounts::shown),
        ["events"] => events(book, query),
        ["events", id] => {
            let found = book.events.get(*id).and_then(|event| event_shown(book, &event.id));
            found.ok_or_else(|| Refusal::missing("event", id, "id"))
        }
        _ => return None,
    })
}

/// One object of a list: its id, its place, when it was made, and how it is shown.
struct Entry<'b> {
    id: &'b str,
    number: u64,
    created: i64,
    show: Box<dyn Fn() -> Value + 'b>,
}

fn sessions(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let intent = query.text("payment_intent")?;
    let status = query.choice("status", &["open", "complete", "expired"])?;
    let of_intent = intent.as_ref().map(|intent| {
        let known =
            book.intents.get(intent).ok_or_else(|| Refusal::missing("payment_intent", intent, "payment_intent"));
        known.map(|intent| intent.session.clone())
    });
    let of_intent = of_intent.transpose()?;
    let entries = book.sessions.values().filter(|session| {
        of_intent.as_ref().is_none_or(|of| of.as_deref() == Some(session.id.as_str()))
            && status.as_deref().is_none_or(|status| status == session.status.word())
    });
    let entries = entries.map(|session| Entry {
        id: &session.id,
        number: session.number,
        created: session.created,
        show: Box::new(|| objects::session(session)),
    });
    page("/v1/checkout/sessions", entries.collect(), query)
}

fn intents(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let entries = book.intents.values().map(|intent| Entry {
        id: &intent.id,
        number: intent.number,
        created: intent.created,
        show: Box::new(|| objects::intent(intent)),
    });
    page("/v1/payment_intents", entries.collect(), query)
}

fn refunds(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let intent = query.text("payment_intent")?;
    let charge = query.text("charge")?;
    if let Some(unknown) = intent.as_ref().filter(|id| !book.intents.contains_key(*id)) {
        return Err(Refusal::missing("payment_intent", unknown, "payment_intent"));
    }
    if let Some(unknown) = charge.as_ref().filter(|id| book.charge(id).is_none()) {
        return Err(Refusal::missing("charge", unknown, "charge"));
    }
    let entries = book.refunds.values().filter(|refund| {
        intent.as_ref().is_none_or(|intent| *intent == refund.intent)
            && charge.as_ref().is_none_or(|charge| *charge == refund.charge)
    });
    let entries = entries.map(|refund| Entry {
        id: &refund.id,
        number: refund.number,
        created: refund.created,
        show: Box::new(|| objects::refund(refund)),
    });
    page("/v1/refunds", entries.collect(), query)
}

fn disputes(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let intent = query.text("payment_intent")?;
    let charge = query.text("charge")?;
    let entries = book.disputes.values().filter(|dispute| {
        intent.as_ref().is_none_or(|intent| *intent == dispute.intent)
            && charge.as_ref().is_none_or(|charge| *charge == dispute.charge)
    });
    let entries = entries.map(|dispute| Entry {
        id: &dispute.id,
        number: dispute.number,
        created: dispute.created,
        show: Box::new(move || objects::dispute(book, dispute)),
    });
    page("/v1/disputes", entries.collect(), query)
}

fn charges(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let of_intent = query.text("payment_intent")?;
    let of_group = query.text("transfer_group")?;
    let suits = |intent: &&Intent| {
        of_intent.as_ref().is_none_or(|id| *id == intent.id)
            && of_group.as_ref().is_none_or(|group| intent.data.transfer_group.as_ref() == Some(group))
    };
    let mut entries = Vec::new();
    for intent in book.intents.values().filter(suits) {
        entries.extend(intent.charges.iter().rev().map(|charge| Entry {
            id: &charge.id,
            number: intent.number,
            created: charge.created,
            show: Box::new(move || objects::charge(book, intent, charge)),
        }));
    }
    page("/v1/charges", entries, query)
}

fn transfers(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let group = query.text("transfer_group")?;
    let destination = query.text("destination")?;
    let entries = book.transfers.values().filter(|transfer| {
        group.as_ref().is_none_or(|group| transfer.group.as_ref() == Some(group))
            && destination.as_ref().is_none_or(|destination| *destination == transfer.destination)
    });
    let entries = entries.map(|transfer| Entry {
        id: &transfer.id,
        number: transfer.number,
        created: transfer.created,
        show: Box::new(|| super::transfers::shown(transfer)),
    });
    page("/v1/transfers", entries.collect(), query)
}

fn reversals(book: &Book, id: &str, query: &mut Params) -> Result<Value, Refusal> {
    let transfer = super::transfers::find(book, id)?;
    let entries = transfer.reversals.iter().map(|reversal| Entry {
        id: &reversal.id,
        number: reversal.number,
        created: reversal.created,
        show: Box::new(move || super::transfers::reversal_shown(transfer, reversal)),
    });
    page(&format!("/v1/transfers/{id}/reversals"), entries.collect(), query)
}

fn payouts(book: &Book, account: &str, query: &mut Params) -> Result<Value, Refusal> {
    let status = query.choice("status", &["pending", "in_transit", "paid", "failed", "canceled"])?;
    let entries = book.payouts.values().filter(|payout| {
        payout.account == account && status.as_deref().is_none_or(|status| status == payout.status.word())
    });
    let entries = entries.map(|payout| Entry {
        id: &payout.id,
        number: payout.number,
        created: payout.created,
        show: Box::new(|| payouts::shown(payout)),
    });
    page("/v1/payouts", entries.collect(), query)
}

fn transactions(book: &Book, now_s: i64, query: &mut Params) -> Result<Value, Refusal> {
    let currency = query.text("currency")?;
    let kind = query.text("type")?;
    let source = query.text("source")?;
    let entries = book.transactions.values().filter(|transaction| {
        currency.as_ref().is_none_or(|currency| *currency == transaction.currency)
            && kind.as_ref().is_none_or(|kind| *kind == transaction.cause.words().0)
            && source.as_ref().is_none_or(|source| transaction.source.as_ref() == Some(source))
    });
    let entries = entries.map(|transaction| Entry {
        id: &transaction.id,
        number: transaction.number,
        created: transaction.created,
        show: Box::new(move || balance::shown(transaction, now_s)),
    });
    page("/v1/balance_transactions", entries.collect(), query)
}

fn accounts(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let entries = book.accounts.values().filter(|account| !account.gone).map(|account| Entry {
        id: &account.id,
        number: account.number,
        created: account.created,
        show: Box::new(|| super::accounts::shown(account)),
    });
    page("/v1/accounts", entries.collect(), query)
}

fn events(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let kind = query.text("type")?;
    let kinds = query.texts("types")?;
    let delivered = query.choice("delivery_success", &["true", "false"])?.map(|word| word == "true");
    let entries = book.events.values().filter(|event| {
        let suits = |asked: &String| match asked.strip_suffix('*') {
            Some(beginning) => event.kind.starts_with(beginning),
            None => *asked == event.kind,
        };
        kind.as_ref().is_none_or(suits)
            && (kinds.is_empty() || kinds.iter().any(suits))
            && delivered.is_none_or(|delivered| delivered == arrived(book, &event.id))
    });
    let entries = entries.map(|event| Entry {
        id: &event.id,
        number: event.number,
        created: event.created,
        show: Box::new(|| event_shown(book, &event.id).unwrap_or_default()),
    });
    page("/v1/events", entries.collect(), query)
}

fn arrived(book: &Book, event: &str) -> bool {
    let mut copies = book.deliveries.values().filter(|delivery| delivery.event == event);
    copies.all(|delivery| delivery.state == DeliveryState::Delivered)
}

fn event_shown(book: &Book, id: &str) -> Option<Value> {
    let mut shown: Value = serde_json::from_str(&book.events.get(id)?.body).ok()?;
    shown["pending_webhooks"] = Value::from(book.pending_webhooks(id).min(1));
    Some(shown)
}

/// Newest first, from a cursor on.
fn page(url: &str, mut entries: Vec<Entry<'_>>, query: &mut Params) -> Result<Value, Refusal> {
    let limit = query.whole("limit")?.unwrap_or(10);
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit)).ok_or_else(|| {
        let message = "This value must be between 1 and 100.";
        Refusal::param("parameter_invalid_integer", "limit".to_owned(), message)
    })?;
    created(&mut entries, query)?;
    // Numbers tell apart what was made in one second; a charge has its intent's.
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.created, entry.number)));
    let place = |id: &str, param: &str| {
        let found = entries.iter().position(|entry| entry.id == id);
        found.ok_or_else(|| Refusal::missing("object", id, param))
    };
    let after = query.text("starting_after")?.map(|id| place(&id, "starting_after")).transpose()?;
    let before = query.text("ending_before")?.map(|id| place(&id, "ending_before")).transpose()?;
    let (from, to) = match (after, before) {
        (Some(_), Some(_)) => {
            return Err(Refusal::invalid("You may only specify one of starting_after and ending_before."));
        }
        (Some(after), None) => (after + 1, (after + 1 + limit).min(entries.len())),
        (None, Some(before)) => (before.saturating_sub(limit), before),
        (None, None) => (0, limit.min(entries.len())),
    };
    let has_more = if before.is_some() { from > 0 } else { to < entries.len() };
    let shown = entries.get(from..to).unwrap_or_default().iter().map(|entry| (entry.show)()).collect();
    Ok(objects::list(url, shown, has_more))
}

/// `created=…` or `created[gte]=…`
fn created(entries: &mut Vec<Entry<'_>>, query: &mut Params) -> Result<(), Refusal> {
    if let Ok(Some(exactly)) = query.clone().whole("created") {
        query.ignore("created");
        entries.retain(|entry| entry.created == exactly);
    }
    let Some(mut range) = query.hash("created")? else { return Ok(()) };
    let bounds = (range.whole("gt")?, range.whole("gte")?, range.whole("lt")?, range.whole("lte")?);
    range.finish()?;
    entries.retain(|entry| {
        bounds.0.is_none_or(|bound| entry.created > bound)
            && bounds.1.is_none_or(|bound| entry.created >= bound)
            && bounds.2.is_none_or(|bound| entry.created < bound)
            && bounds.3.is_none_or(|bound| entry.created <= bound)
    });
    Ok(())
}

/// `expand[]`: objects instead of their ids, along a path like `data.source.charge`.
pub(super) fn expanded(book: &Book, now_s: i64, mut value: Value, query: &mut Params) -> Result<Value, Refusal> {
    for path in query.texts("expand")? {
        let steps: Vec<&str> = path.split('.').collect();
        let done = steps.len() <= DEEPEST_EXPANSION && expand(book, now_s, &mut value, &steps);
        if !done {
            let message = format!("This property cannot be expanded ({path}).");
            return Err(Refusal { param: Some("expand".to_owned()), ..Refusal::invalid(message) });
        }
    }
    Ok(value)
}

/// False if there is nothing that could be shown there.
fn expand(book: &Book, now_s: i64, value: &mut Value, path: &[&str]) -> bool {
    let Some((step, rest)) = path.split_first() else { return true };
    if *step == "line_items" && value["object"] == "checkout.session" {
        let Some(session) = value["id"].as_str().and_then(|id| book.sessions.get(id)) else { return false };
        value["line_items"] = objects::line_items(session);
        return rest.is_empty();
    }
    let Some(place) = value.get_mut(step) else { return false };
    match place {
        // There is nothing to show instead of null.
        Value::Null => true,
        Value::Array(items) if *step == "data" => items.iter_mut().all(|item| expand(book, now_s, item, rest)),
        Value::Object(_) => !rest.is_empty() && expand(book, now_s, place, rest),
        Value::String(id) if EXPANDABLE.contains(step) => match object(book, now_s, id) {
            Some(object) => {
                *place = object;
                expand(book, now_s, place, rest)
            }
            None => false,
        },
        _ => false,
    }
}

/// The object with an id, whatever it is.
fn object(book: &Book, now_s: i64, id: &str) -> Option<Value> {
    let (kind, _) = id.split_once('_')?;
    match kind {
        "acct" => book.account(id).map(super::accounts::shown),
        "ch" => book.charge(id).map(|(intent, charge)| objects::charge(book, intent, charge)),
        "du" => book.disputes.get(id).map(|dispute| objects::dispute(book, dispute)),
        "pi" => book.intents.get(id).map(objects::intent),
        "re" => book.refunds.get(id).map(objects::refund),
        "tr" => book.transfers.get(id).map(super::transfers::shown),
        "trr" => book.transfers.values().find_map(|transfer| {
            let reversal = transfer.reversals.iter().find(|reversal| reversal.id == id)?;
            Some(super::transfers::reversal_shown(transfer, reversal))
        }),
        "txn" => book.transactions.get(id).map(|transaction| balance::shown(transaction, now_s)),
        _ => None,
    }
}
