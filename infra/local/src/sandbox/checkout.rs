//! Checkout Sessions: how they are asked for, and what the buyer, the merchant and time can do to them.

use serde_json::Value;

use super::amounts;
use super::book::{Book, Intent, IntentData, IntentStatus, Line, Record, Session, SessionStatus};
use super::change::{Change, random_id};
use super::form::Params;
use super::refusal::Refusal;
use super::{intents, objects};

/// `expires_at` is from 30 minutes to 24 hours after creation (docs.stripe.com/api/checkout/sessions/create).
const SHORTEST_S: i64 = 30 * 60;
const LONGEST_S: i64 = 24 * 3_600;

/// `POST /v1/checkout/sessions`
pub(super) fn create(change: &mut Change<'_>, mut form: Params, public_url: &str) -> Result<Value, Refusal> {
    let session = asked(change, &mut form, public_url)?;
    form.finish()?;
    let shown = objects::session(&session);
    change.put(Record::Session(session));
    Ok(shown)
}

fn asked(change: &mut Change<'_>, form: &mut Params, public_url: &str) -> Result<Session, Refusal> {
    // What changes nothing here, and what would.
    for known in [
        "billing_address_collection",
        "branding_settings",
        "custom_text",
        "customer_creation",
        "integration_identifier",
        "name_collection",
        "payment_method_options",
        "phone_number_collection",
        "submit_type",
        "wallet_options",
    ] {
        form.ignore(known);
    }
    for known in [
        "adaptive_pricing",
        "after_expiration",
        "allow_promotion_codes",
        "automatic_tax",
        "consent_collection",
        "custom_fields",
        "customer",
        "customer_account",
        "discounts",
        "excluded_payment_method_types",
        "invoice_creation",
        "managed_payments",
        "optional_items",
        "origin_context",
        "payment_method_collection",
        "payment_method_configuration",
        "payment_method_data",
        "permissions",
        "redirect_on_completion",
        "return_url",
        "saved_payment_method_options",
        "setup_intent_data",
        "shipping_address_collection",
        "shipping_options",
        "subscription_data",
        "tax_id_collection",
    ] {
        form.refuse(known)?;
    }
    if form.choice("mode", &["payment", "setup", "subscription"])?.ok_or_else(|| form.missing("mode"))? != "payment" {
        return Err(Refusal::param(
            "parameter_invalid",
            "mode".into(),
            "The local Stripe sandbox only knows payments.",
        ));
    }
    form.choice("ui_mode", &["hosted_page", "hosted"])?;
    let success_url = url(form, "success_url")?.ok_or_else(|| form.missing("success_url"))?;
    let cancel_url = url(form, "cancel_url")?;
    let (currency, lines) = lines(form)?;
    let amount =
        lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.unit_amount.checked_mul(line.quantity)?));
    let amount = amount.unwrap_or(i64::MAX);
    amounts::chargeable(amount, &currency, "The Checkout Session's total amount due")?;
    let now = change.now_s();
    let id = random_id("cs_test_a1", 56);
    Ok(Session {
        number: change.number(),
        created: now,
        expires_at: expires_at(form, now)?,
        amount,
        currency,
        status: SessionStatus::Open,
        paid: false,
        client_reference_id: form.short_text("client_reference_id", 200)?,
        metadata: form.metadata("metadata")?,
        lines,
        success_url,
        cancel_url,
        customer_email: form.short_text("customer_email", 512)?,
        locale: form.short_text("locale", 16)?,
        method_types: method_types(form)?,
        intent_data: intent_data(form)?,
        intent: None,
        url: format!("{public_url}/sandbox/stripe/pay/{id}"),
        id,
    })
}

/// An address that a browser can be sent to.
pub(super) fn url(form: &mut Params, field: &str) -> Result<Option<String>, Refusal> {
    let Some(url) = form.short_text(field, 5_000)? else { return Ok(None) };
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    // The page redirects there, so it must fit into a header as it stands.
    let sound = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && url.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(Some(url)) } else { Err(Refusal::param("url_invalid", form.name(field), "Not a valid URL")) }
}

fn expires_at(form: &mut Params, now: i64) -> Result<i64, Refusal> {
    let Some(at) = form.whole("expires_at")? else { return Ok(now + LONGEST_S) };
    let refused = |message: &str| Err(Refusal { param: Some("expires_at".to_owned()), ..Refusal::invalid(message) });
    if at < now + SHORTEST_S {
        return refused("The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.");
    }
    if at > now + LONGEST_S {
        return refused("The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.");
    }
    Ok(at)
}

/// The ways to pay that the caller named, under either of Stripe's names for the list; else the card.
pub(super) fn method_types(form: &mut Params) -> Result<Vec<String>, Refusal> {
    let mut types = Vec::new();
    for list in ["payment_method_types", "allowed_payment_method_types"] {
        let named = form.texts(list)?;
        let sound =
            |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if let Some(bad) = named.iter().find(|name| !sound(name)) {
            let message = format!("Invalid {list}: {bad}");
            return Err(Refusal { param: Some(list.to_owned()), ..Refusal::invalid(message) });
        }
        types.extend(named);
    }
    Ok(if types.is_empty() { vec!["card".to_owned()] } else { types })
}

fn intent_data(form: &mut Params) -> Result<IntentData, Refusal> {
    let Some(mut data) = form.hash("payment_intent_data")? else { return Ok(IntentData::default()) };
    data.choice("capture_method", &["automatic", "automatic_async"])?;
    data.ignore("receipt_email");
    data.ignore("setup_future_usage");
    for known in ["application_fee_amount", "on_behalf_of", "shipping", "transfer_data"] {
        data.refuse(known)?;
    }
    let intent = IntentData {
        metadata: data.metadata("metadata")?,
        description: data.short_text("description", 1_000)?,
        transfer_group: data.short_text("transfer_group", 255)?,
        statement_descriptor_suffix: data.short_text("statement_descriptor_suffix", 22)?,
    };
    data.finish()?;
    Ok(intent)
}

/// The currency of the session, and its lines.
fn lines(form: &mut Params) -> Result<(String, Vec<Line>), Refusal> {
    let given = form.text("currency")?;
    let mut session_currency = given.map(|text| amounts::currency(&text, "currency".to_owned())).transpose()?;
    let items = form.hashes("line_items")?;
    if items.is_empty() {
        return Err(form.missing("line_items"));
    }
    if items.len() > 100 {
        let message = "Checkout accepts at most 100 line items in payment mode.";
        return Err(Refusal { param: Some("line_items".to_owned()), ..Refusal::invalid(message) });
    }
    let mut lines = Vec::new();
    for mut item in items {
        if let Some(price) = item.text("price")? {
            return Err(Refusal::missing("price", &price, &item.name("price")));
        }
        item.refuse("adjustable_quantity")?;
        item.refuse("dynamic_tax_rates")?;
        item.refuse("tax_rates")?;
        item.ignore("metadata");
        let quantity = item.whole("quantity")?.ok_or_else(|| item.missing("quantity"))?;
        if quantity < 1 {
            let message = "This value must be greater than or equal to 1.";
            return Err(Refusal::param("parameter_invalid_integer", item.name("quantity"), message));
        }
        let mut price = item.hash("price_data")?.ok_or_else(|| item.missing("price_data"))?;
        let code = amounts::currency(&price.required("currency")?, price.name("currency"))?;
        if session_currency.get_or_insert_with(|| code.clone()) != &code {
            let message = "All prices on a Checkout Session must have the same currency.";
            return Err(Refusal { param: Some(price.name("currency")), ..Refusal::invalid(message) });
        }
        price.refuse("unit_amount_decimal")?;
        price.refuse("recurring")?;
        price.ignore("tax_behavior");
        let unit_amount = price.whole("unit_amount")?.ok_or_else(|| price.missing("unit_amount"))?;
        amounts::exact(unit_amount, &code, price.name("unit_amount"))?;
        if let Some(product) = price.text("product")? {
            return Err(Refusal::missing("product", &product, &price.name("product")));
        }
        let mut product = price.hash("product_data")?.ok_or_else(|| price.missing("product_data"))?;
        for known in ["images", "metadata", "tax_code", "tax_details", "unit_label"] {
            product.ignore(known);
        }
        lines.push(Line {
            id: random_id("li_1", 23),
            price: random_id("price_1", 23),
            product: random_id("prod_", 14),
            name: product.short_text("name", 1_500)?.ok_or_else(|| product.missing("name"))?,
            details: product.short_text("description", 5_000)?,
            unit_amount,
            quantity,
        });
        product.finish()?;
        price.finish()?;
        item.finish()?;
    }
    Ok((session_currency.unwrap_or_default(), lines))
}

/// `GET /v1/checkout/sessions/{id}`
pub(super) fn find<'b>(book: &'b Book, id: &str) -> Result<&'b Session, Refusal> {
    book.sessions.get(id).ok_or_else(|| Refusal::missing("checkout.session", id, "session"))
}

/// `POST /v1/checkout/sessions/{id}/expire`
pub(super) fn expire(change: &mut Change<'_>, id: &str, form: Params) -> Result<Value, Refusal> {
    form.finish()?;
    let session = find(change.book, id)?.clone();
    if session.status != SessionStatus::Open {
        let message = format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of `{}`.",
            session.status.word()
        );
        return Err(Refusal::state(None, None, message));
    }
    end(change, session);
    find(change.book, id).map(objects::session)
}

/// Sessions whose time is over by the clock.
pub(super) fn expire_due(change: &mut Change<'_>) {
    let due: Vec<Session> = change.book.expired_by(change.now_s()).cloned().collect();
    for session in due {
        end(change, session);
    }
}

fn end(change: &mut Change<'_>, mut session: Session) {
    session.status = SessionStatus::Expired;
    let tried = session.intent.as_ref().and_then(|intent| change.book.intents.get(intent)).cloned();
    change.put(Record::Session(session.clone()));
    change.event("checkout.session.expired", objects::session(&session));
    // An intent that was tried and declined ends with its session.
    if let Some(mut intent) = tried.filter(|intent| intent.status == IntentStatus::RequiresPaymentMethod) {
        intent.status = IntentStatus::Canceled;
        intent.canceled_at = Some(change.now_s());
        intent.cancellation_reason = Some("expired".to_owned());
        change.put(Record::Intent(intent.clone()));
        change.event("payment_intent.canceled", objects::intent(&intent));
    }
}

/// What the buyer does on the page, or what becomes of a payment on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Paid,
    Declined,
    Expired,
    Pending,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// The buyer has done what there is to do; whether the money comes is not known yet.
    Processing,
    Paid,
    /// It did not come.
    Failed,
    Expired,
    /// An intent without a session was given up.
    Canceled,
}

/// How far a session has come.
pub(super) fn stage(book: &Book, session: &Session) -> Stage {
    let intent = session.intent.as_ref().and_then(|id| book.intents.get(id)).map(|intent| intent.status);
    match session.status {
        SessionStatus::Open => Stage::Open,
        SessionStatus::Expired => Stage::Expired,
        SessionStatus::Complete if session.paid => Stage::Paid,
        SessionStatus::Complete if intent == Some(IntentStatus::Processing) => Stage::Processing,
        SessionStatus::Complete => Stage::Failed,
    }
}

/// Plays the buyer. False when the session is past that.
pub(super) fn play(change: &mut Change<'_>, session: Session, outcome: Outcome, late: bool) -> bool {
    let stage = stage(change.book, &session);
    match (stage, outcome) {
        (Stage::Open, Outcome::Paid) => pay(change, session, "checkout.session.completed"),
        (Stage::Open, Outcome::Declined) => decline(change, session, None),
        (Stage::Open, Outcome::Pending) => begin(change, session),
        (Stage::Open, Outcome::Expired) => end(change, session),
        (Stage::Processing, Outcome::Paid) => pay(change, session, "checkout.session.async_payment_succeeded"),
        (Stage::Processing, Outcome::Declined) => {
            decline(change, session, Some("checkout.session.async_payment_failed"));
        }
        (Stage::Expired, Outcome::Paid) if late => pay(change, session, "checkout.session.completed"),
        (Stage::Failed, Outcome::Paid) if late => pay(change, session, "checkout.session.async_payment_succeeded"),
        (Stage::Processing, Outcome::Expired | Outcome::Pending)
        | (Stage::Paid | Stage::Failed | Stage::Expired | Stage::Canceled, _) => return false,
    }
    true
}

/// The intent of this attempt: the one that was tried before, or a new one.
fn intent(change: &mut Change<'_>, session: &Session) -> Intent {
    let usable =
        |intent: &&Intent| matches!(intent.status, IntentStatus::RequiresPaymentMethod | IntentStatus::Processing);
    let known = session.intent.as_ref().and_then(|id| change.book.intents.get(id)).filter(usable).cloned();
    known.unwrap_or_else(|| new_intent(change, session))
}

fn new_intent(change: &mut Change<'_>, session: &Session) -> Intent {
    let id = random_id("pi_3", 23);
    Intent {
        number: change.number(),
        secret: random_id(&format!("{id}_secret_"), 25),
        id,
        session: Some(session.id.clone()),
        created: change.now_s(),
        amount: session.amount,
        currency: session.currency.clone(),
        status: IntentStatus::RequiresPaymentMethod,
        canceled_at: None,
        cancellation_reason: None,
        redirects: None,
        method_types: session.method_types.clone(),
        data: session.intent_data.clone(),
        charges: Vec::new(),
    }
}

fn pay(change: &mut Change<'_>, mut session: Session, last_event: &str) {
    let mut intent = intent(change, &session);
    intents::take(change, &mut intent);
    session.status = SessionStatus::Complete;
    session.paid = true;
    session.intent = Some(intent.id);
    change.put(Record::Session(session.clone()));
    change.event(last_event, objects::session(&session));
}

fn decline(change: &mut Change<'_>, mut session: Session, last_event: Option<&str>) {
    let mut intent = intent(change, &session);
    intents::fail(change, &mut intent);
    session.intent = Some(intent.id.clone());
    change.put(Record::Session(session.clone()));
    change.event("payment_intent.payment_failed", objects::intent(&intent));
    if let Some(kind) = last_event {
        change.event(kind, objects::session(&session));
    }
}

/// The page is done; the money is on its way.
fn begin(change: &mut Change<'_>, mut session: Session) {
    let mut intent = intent(change, &session);
    intents::begin(change, &mut intent);
    session.status = SessionStatus::Complete;
    session.intent = Some(intent.id.clone());
    change.put(Record::Session(session.clone()));
    change.event("payment_intent.processing", objects::intent(&intent));
    change.event("checkout.session.completed", objects::session(&session));
}

/// The same buyer's money is taken once more, by another intent of the same session. Answers the intent's id.
pub(super) fn capture_again(change: &mut Change<'_>, session: &Session, amount: Option<i64>) -> String {
    let mut second = new_intent(change, session);
    second.amount = amount.unwrap_or(session.amount);
    intents::take(change, &mut second);
    second.id
}
