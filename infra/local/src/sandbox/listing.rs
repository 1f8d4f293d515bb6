//! Stripe's lists and single objects: every `GET`.

use serde_json::Value;

use super::book::{Book, DeliveryState};
use super::checkout;
use super::form::Params;
use super::objects;
use super::refusal::Refusal;

/// Answers a `GET`; None if there is no such path.
pub(super) fn look_up(book: &Book, path: &[&str], mut query: Params) -> Option<Result<Value, Refusal>> {
    let answered = match path {
        ["checkout", "sessions"] => sessions(book, &mut query),
        ["checkout", "sessions", id] => checkout::find(book, id).map(objects::session),
        ["checkout", "sessions", id, "line_items"] => checkout::find(book, id).map(objects::line_items),
        ["payment_intents"] => intents(book, &mut query),
        // A page's script may ask with the secret instead of a key; here it is only a parameter.
        ["payment_intents", id] => super::intents::find(book, id)
            .and_then(|intent| query.text("client_secret").map(|_| objects::intent(intent))),
        ["charges", id] => {
            let found = book.charge(id).map(|(intent, charge)| objects::charge(book, intent, charge));
            found.ok_or_else(|| Refusal::missing("charge", id, "id"))
        }
        ["refunds"] => refunds(book, &mut query),
        ["refunds", id] => {
            book.refunds.get(*id).map(objects::refund).ok_or_else(|| Refusal::missing("refund", id, "refund"))
        }
        ["disputes"] => disputes(book, &mut query),
        ["disputes", id] => {
            book.disputes.get(*id).map(objects::dispute).ok_or_else(|| Refusal::missing("dispute", id, "dispute"))
        }
        ["accounts"] => accounts(book, &mut query),
        ["accounts", id] => super::accounts::find(book, id).map(super::accounts::shown),
        ["events"] => events(book, &mut query),
        ["events", id] => {
            let found = book.events.get(*id).and_then(|event| event_shown(book, &event.id));
            found.ok_or_else(|| Refusal::missing("event", id, "id"))
        }
        _ => return None,
    };
    Some(answered.and_then(|value| {
        let value = expanded(book, value, &mut query)?;
        query.finish()?;
        Ok(value)
    }))
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
        show: Box::new(|| objects::dispute(dispute)),
    });
    page("/v1/disputes", entries.collect(), query)
}

fn accounts(book: &Book, query: &mut Params) -> Result<Value, Refusal> {
    let entries = book.accounts.values().map(|account| Entry {
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
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.number));
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

/// `expand[]`: objects instead of their ids, one step deep.
pub(super) fn expanded(book: &Book, mut value: Value, query: &mut Params) -> Result<Value, Refusal> {
    for field in query.texts("expand")? {
        let refused = || Refusal {
            param: Some("expand".to_owned()),
            ..Refusal::invalid(format!("This property cannot be expanded ({field})."))
        };
        if field == "line_items" && value["object"] == "checkout.session" {
            let session = value["id"].as_str().and_then(|id| book.sessions.get(id)).ok_or_else(refused)?;
            value["line_items"] = objects::line_items(session);
            continue;
        }
        let id = match value.get(&field) {
            Some(Value::String(id)) => id.clone(),
            // There is nothing to show instead of null.
            Some(Value::Null) => continue,
            _ => return Err(refused()),
        };
        let object = match field.as_str() {
            "payment_intent" => book.intents.get(&id).map(objects::intent),
            "charge" | "latest_charge" => {
                book.charge(&id).map(|(intent, charge)| objects::charge(book, intent, charge))
            }
            _ => None,
        };
        value[&field] = object.ok_or_else(refused)?;
    }
    Ok(value)
}
