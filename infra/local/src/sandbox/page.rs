//! The payment page: what a session's `url` opens in a browser, and what programs post to it.
//!
//! An intent without a session has one as well, in place of the merchant's own page: `/sandbox/stripe/pay/{intent}`, by its id
//! (`pi_…`) or by its client secret, which is what the merchant's page gets to know.
//!
//! A JSON body plays the buyer and is answered with JSON: `{"outcome": "paid" | "declined" | "pending" | "expired", duplicates?,
//! delay_ms?, shuffle?, late?}`; what is pending ends with another `paid` or `declined`, `late` pays what is over already. The page's own form does the same and is answered with a redirect,
//! so it works without a script.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Book, Intent, Session, SessionStatus, WebhookSwitches};
use super::change::{Cause, Change, random_id};
use super::checkout::{self, Outcome, Stage};
use super::form::Params;
use super::journal::JournalError;
use super::refusal::Refusal;
use super::{Sandbox, form, intents, page_html};

/// Bounds of what one click may ask for.
pub(super) const MOST_DUPLICATES: u32 = 100;
pub(super) const LONGEST_DELAY_MS: u64 = 60_000;

/// What the buyer does, and how the webhooks about it travel.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Play {
    outcome: Outcome,
    #[serde(default)]
    duplicates: u32,
    #[serde(default)]
    delay_ms: u64,
    #[serde(default)]
    shuffle: bool,
    #[serde(default)]
    late: bool,
}

/// What a page is about.
pub(super) enum Payable {
    Session(Session),
    /// Without a session.
    Intent(Intent),
}

impl Payable {
    /// By a session's id, an intent's id or its client secret. The intent of a session is paid on the session's page.
    fn find(book: &Book, id: &str) -> Option<Self> {
        if !id.starts_with("pi_") {
            return book.sessions.get(id).cloned().map(Self::Session);
        }
        let intent = id.split("_secret_").next().and_then(|own| book.intents.get(own));
        let sound = |intent: &&Intent| intent.session.is_none() && (id == intent.id || id == intent.secret);
        intent.filter(sound).cloned().map(Self::Intent)
    }

    fn stage(&self, book: &Book) -> Stage {
        match self {
            Self::Session(session) => checkout::stage(book, session),
            Self::Intent(intent) => intents::stage(intent),
        }
    }

    /// Plays the buyer. False when it is past that.
    fn play(&self, change: &mut Change<'_>, play: &Play) -> bool {
        match self {
            Self::Session(session) => checkout::play(change, session.clone(), play.outcome, play.late),
            Self::Intent(intent) => intents::play(change, intent.clone(), play.outcome, play.late),
        }
    }

    /// Where a browser goes next; `page` is where it is.
    fn next(&self, outcome: Outcome, page: String) -> String {
        match (self, outcome) {
            (Self::Session(session), Outcome::Paid | Outcome::Pending) => {
                session.success_url.replace("{CHECKOUT_SESSION_ID}", &session.id)
            }
            // As at Stripe: the buyer may try another card.
            (Self::Session(session), Outcome::Declined) if session.status == SessionStatus::Open => {
                format!("{page}?declined")
            }
            (Self::Session(session), Outcome::Declined | Outcome::Expired) => {
                session.cancel_url.clone().unwrap_or(page)
            }
            (Self::Intent(_), Outcome::Declined) => format!("{page}?declined"),
            (Self::Intent(_), Outcome::Paid | Outcome::Pending | Outcome::Expired) => page,
        }
    }

    /// What programs are told.
    fn summary(&self) -> Value {
        match self {
            Self::Session(session) => json!({
                "session": session.id,
                "status": session.status.word(),
                "payment_status": if session.paid { "paid" } else { "unpaid" },
                "payment_intent": session.intent,
                "amount": session.amount,
                "currency": session.currency,
            }),
            Self::Intent(intent) => json!({
                "session": null,
                "status": intent.status.word(),
                "payment_status": if intent.paid_charge().is_some() { "paid" } else { "unpaid" },
                "payment_intent": intent.id,
                "amount": intent.amount,
                "currency": intent.currency,
            }),
        }
    }
}

/// A local call that was refused, as a problem document (RFC 9457).
pub(super) struct LocalRefusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl LocalRefusal {
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "body_invalid", detail: detail.into() }
    }

    pub(super) fn missing(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "not_found", detail: format!("The sandbox has no such {what}.") }
    }

    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code, detail: detail.into() }
    }
}

impl From<JournalError> for LocalRefusal {
    fn from(error: JournalError) -> Self {
        tracing::error!(%error, "the Stripe sandbox cannot keep its promises");
        let detail = "The sandbox cannot write to its file; see the log.".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "internal", detail }
    }
}

impl IntoResponse for LocalRefusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Refused");
        let body = json!({"type": "about:blank", "title": title, "status": self.status.as_u16(), "code": self.code,
                          "detail": self.detail});
        with_type(self.status, body.to_string(), "application/problem+json")
    }
}

/// A response with a body and its type.
pub(super) fn with_type(status: StatusCode, body: String, kind: &'static str) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `GET`: the page.
pub(super) async fn show(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let found = sandbox.change(Cause::default(), None, |change| {
        let payable = Payable::find(change.book, &id)?;
        let stage = payable.stage(change.book);
        Some((payable, stage))
    });
    match found {
        Ok(Some((payable, stage))) => {
            let declined = query.as_deref() == Some("declined");
            html(StatusCode::OK, page_html::payment(&payable, stage, declined, sandbox.shared.clock.now()))
        }
        Ok(None) => html(
            StatusCode::NOT_FOUND,
            page_html::notice("Nothing to pay here", "There is no payment under this address."),
        ),
        Err(error) => LocalRefusal::from(error).into_response(),
    }
}

pub(super) fn html(status: StatusCode, text: String) -> Response {
    let mut response = with_type(status, text, "text/html; charset=utf-8");
    // The page carries its own style and nothing else. `form-action` is left open: browsers apply it to redirects as well,
    // and the buyer goes back to the shop by one.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `POST`: the buyer has decided.
pub(super) async fn submit(
    State(sandbox): State<Sandbox>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return submitted_by_page(&sandbox, &id, &body);
    }
    let play: Result<Play, _> = serde_json::from_slice(&body);
    let played = play.map_err(|error| LocalRefusal::invalid(error.to_string()));
    let played = played.and_then(|play| play_buyer(&sandbox, &id, &play));
    match played {
        Ok((_, summary)) => with_type(StatusCode::OK, format!("{summary:#}"), "application/json"),
        Err(refusal) => refusal.into_response(),
    }
}

fn submitted_by_page(sandbox: &Sandbox, id: &str, body: &[u8]) -> Response {
    let read = form::parse(body).and_then(read_form);
    let played = read.map_err(|refusal| LocalRefusal::invalid(refusal.message));
    let played = played.and_then(|play| Ok((play_buyer(sandbox, id, &play)?.0, play)));
    let (payable, play) = match played {
        Ok(played) => played,
        Err(refusal) => return html(refusal.status, page_html::notice("Nothing to pay here", &refusal.detail)),
    };
    see_other(payable.next(play.outcome, format!("/sandbox/stripe/pay/{id}")))
}

/// Sends a browser on.
pub(super) fn see_other(to: String) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

/// The page's form: a box that is not ticked is not sent, a number may be left empty.
fn read_form(form: Params) -> Result<Play, Refusal> {
    let mut form = form.without_blanks();
    let outcome = match form.required("outcome")?.as_str() {
        "paid" => Outcome::Paid,
        "declined" => Outcome::Declined,
        "expired" => Outcome::Expired,
        "pending" => Outcome::Pending,
        _ => return Err(Refusal::invalid("The page has four buttons: paid, declined, pending, expired.")),
    };
    let mut number = |field: &str| -> Result<u64, Refusal> {
        let given = form.whole(field)?.unwrap_or(0);
        u64::try_from(given).map_err(|_| Refusal::invalid(format!("{field} cannot be negative.")))
    };
    let duplicates = u32::try_from(number("duplicates")?).unwrap_or(u32::MAX);
    let delay_ms = number("delay_ms")?;
    let shuffle = form.text("shuffle")?.is_some();
    // The box only means something together with a payment.
    let late = form.text("late")?.is_some() && outcome == Outcome::Paid;
    form.finish()?;
    Ok(Play { outcome, duplicates, delay_ms, shuffle, late })
}

/// Does it, durably with its webhooks, and answers what was paid and a summary.
fn play_buyer(sandbox: &Sandbox, id: &str, play: &Play) -> Result<(Payable, Value), LocalRefusal> {
    if play.late && play.outcome != Outcome::Paid {
        return Err(LocalRefusal::invalid("late goes with the outcome paid."));
    }
    check_travel(play.duplicates, play.delay_ms)?;
    let cause = Cause { request: Some(random_id("req_", 14)), idempotency_key: Some(random_id("page-", 24)) };
    let drop = sandbox.desk().book.switches.webhooks.drop.clone();
    let travel = WebhookSwitches { duplicates: play.duplicates, delay_ms: play.delay_ms, shuffle: play.shuffle, drop };
    sandbox.change(cause, Some(travel), |change| {
        let missing = || LocalRefusal::missing("session or payment intent to pay");
        let payable = Payable::find(change.book, id).ok_or_else(missing)?;
        let stage = payable.stage(change.book);
        if !payable.play(change, play) {
            let detail = format!("The payment is past that: it is {}.", page_html::stage_word(stage));
            let code = match payable {
                Payable::Session(_) => "session_final",
                Payable::Intent(_) => "payment_intent_final",
            };
            return Err(LocalRefusal::conflict(code, detail));
        }
        let payable = Payable::find(change.book, id).ok_or_else(missing)?;
        let events: Vec<Value> = change.events().iter().map(|(id, kind)| json!({"id": id, "type": kind})).collect();
        let mut summary = payable.summary();
        summary["events"] = json!(events);
        summary["copies_of_each"] = json!(play.duplicates.saturating_add(1));
        Ok((payable, summary))
    })?
}

/// # Errors
/// 400 when the numbers are out of their bounds.
pub(super) fn check_travel(duplicates: u32, delay_ms: u64) -> Result<(), LocalRefusal> {
    if duplicates > MOST_DUPLICATES {
        return Err(LocalRefusal::invalid(format!("duplicates is at most {MOST_DUPLICATES}.")));
    }
    if delay_ms > LONGEST_DELAY_MS {
        return Err(LocalRefusal::invalid(format!("delay_ms is at most {LONGEST_DELAY_MS}.")));
    }
    Ok(())
}
