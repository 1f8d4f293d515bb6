//! `/sandbox/stripe/v1/…`: keys, idempotency, faults, and then the call itself.

use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use hyper::body::Frame;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::book::{ANSWERS_KEPT_S, KeptAnswer, Record};
use super::calls::Action;
use super::change::{Cause, Change, random_id};
use super::faults::{Fault, Kind};
use super::form::{self, Params};
use super::journal::JournalError;
use super::objects::API_VERSION;
use super::refusal::Refusal;
use super::{Sandbox, listing};

/// A call that has been read.
struct Call<'r> {
    action: Action<'r>,
    form: Params,
    request: String,
    key: Option<String>,
    fingerprint: String,
    public_url: &'r str,
}

/// What the caller will be told.
struct Answer {
    status: u16,
    body: String,
    request: String,
    /// The id of the request that is repeated.
    original: Option<String>,
    key: Option<String>,
}

/// What becomes of an answer on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Clear,
    /// The connection stays open, and nothing comes.
    Silent,
    /// The connection is cut.
    Cut,
}

/// What the first look at a call decided.
enum Decided {
    Answer(Answer, Way),
    /// Nothing was done, and nothing will be told.
    Nothing(Way),
}

/// Any call of the API.
pub(super) async fn call(
    State(sandbox): State<Sandbox>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let _in_flight = InFlight::new(&sandbox);
    let request = random_id("req_", 14);
    let refused = |refusal: &Refusal| Answer::refused(refusal, &request, None).into_response();
    if let Err(refusal) = authorise(&headers) {
        return refused(&refusal);
    }
    let path = uri.path().strip_prefix("/sandbox/stripe/v1/").unwrap_or_default();
    let steps: Vec<&str> = path.split('/').collect();
    let query = uri.query().unwrap_or_default();
    let account = headers.get("stripe-account").and_then(|account| account.to_str().ok());
    let decided = match (&method, steps.as_slice()) {
        (&Method::GET, steps) => look_up(&sandbox, steps, account, query, &request),
        // The sandbox has no model of what a platform does in a seller's name.
        (&Method::POST, _) if account.is_some() => Ok(Err(unrecognized(&method, path))),
        (&Method::POST, steps) => match Action::of(steps) {
            Some(action) => act(&sandbox, action, path, &headers, &body, &request),
            None => Ok(Err(unrecognized(&method, path))),
        },
        _ => Ok(Err(unrecognized(&method, path))),
    };
    match decided {
        Ok(Ok(decided)) => deliver(&sandbox, decided, &headers).await,
        Ok(Err(refusal)) => refused(&refusal),
        Err(error) => {
            tracing::error!(%error, "the Stripe sandbox cannot keep its promises");
            refused(&Refusal::broken())
        }
    }
}

fn unrecognized(method: &Method, path: &str) -> Refusal {
    let shown: String = path.chars().take(120).collect();
    let message =
        format!("Unrecognized request URL ({method}: /v1/{shown}); the local sandbox knows a part of Stripe.");
    Refusal { status: 404, ..Refusal::invalid(message) }
}

/// `Authorization: Bearer sk_test_…`, or Basic with the key as the name.
fn authorise(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let missing = "You did not provide an API key. Provide it as `Authorization: Bearer YOUR_SECRET_KEY`.";
    let (scheme, rest) = given.and_then(|value| value.split_once(' ')).ok_or_else(|| Refusal::unauthorized(missing))?;
    let key = if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(rest.trim()).unwrap_or_default();
        let text = String::from_utf8(decoded).unwrap_or_default();
        text.split(':').next().unwrap_or_default().to_owned()
    } else {
        return Err(Refusal::unauthorized(missing));
    };
    // The sandbox belongs to nobody, so any test key will do; a live one must never get here.
    let sound = key
        .strip_prefix("sk_test_")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    if sound {
        Ok(())
    } else {
        Err(Refusal::unauthorized("Invalid API Key provided: the sandbox takes `sk_test_…`."))
    }
}

fn look_up(
    sandbox: &Sandbox,
    path: &[&str],
    account: Option<&str>,
    query: &str,
    request: &str,
) -> Result<Result<Decided, Refusal>, JournalError> {
    let query = match form::parse(query.as_bytes()) {
        Ok(query) => query,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut desk = sandbox.desk();
    let looked = sandbox.change_on(&mut desk, Cause::default(), None, |change| {
        let fault = next_fault(change, Kind::LookUps);
        if fault.is_some() {
            disarm(change, Kind::LookUps);
        }
        let way = match fault {
            Some(Fault::TimeoutBefore) => return Ok(Decided::Nothing(Way::Silent)),
            Some(Fault::LostBefore) => return Ok(Decided::Nothing(Way::Cut)),
            Some(Fault::RateLimited) => return Err(Refusal::rate_limited()),
            Some(Fault::Broken | Fault::BrokenAfter) => return Err(Refusal::broken()),
            Some(Fault::Refused | Fault::Conflict) => return Err(refused_by_switch()),
            Some(Fault::TimeoutAfter) => Way::Silent,
            Some(Fault::LostAfter) => Way::Cut,
            Some(Fault::Fail | Fault::Pending) | None => Way::Clear,
        };
        let shown = listing::look_up(change.book, change.now_s(), path, account, query);
        let shown = shown.unwrap_or_else(|| Err(unrecognized(&Method::GET, &path.join("/"))))?;
        Ok(Decided::Answer(Answer::shown(&shown, request, None), way))
    })?;
    count(&mut desk.counts, Kind::LookUps.word(), if looked.is_ok() { "answered" } else { "refused" });
    Ok(looked)
}

/// A `POST`: at most once for each key.
fn act(
    sandbox: &Sandbox,
    action: Action<'_>,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
    request: &str,
) -> Result<Result<Decided, Refusal>, JournalError> {
    let read = || -> Result<(Option<String>, Params), Refusal> { Ok((idempotency_key(headers)?, form::parse(body)?)) };
    let (key, form) = match read() {
        Ok(read) => read,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut hash = Sha256::new();
    hash.update(path.as_bytes());
    hash.update([0]);
    hash.update(body);
    let call = Call {
        action,
        form,
        request: request.to_owned(),
        key: key.clone(),
        fingerprint: hex::encode(hash.finalize()),
        public_url: &sandbox.shared.settings.public_url,
    };
    let cause = Cause { request: Some(request.to_owned()), idempotency_key: key.clone() };
    let mut desk = sandbox.desk();
    let in_use = key.as_ref().is_some_and(|key| desk.keys_in_use.contains(key));
    let decided = sandbox.change_on(&mut desk, cause, None, |change| decide(change, call, in_use))?;
    if let (Decided::Nothing(Way::Silent), Some(key)) = (&decided, key) {
        desk.keys_in_use.insert(key);
    }
    let outcome = match &decided {
        Decided::Nothing(_) => "not_done",
        Decided::Answer(Answer { original: Some(_), .. }, _) => "replayed",
        Decided::Answer(Answer { status: 200, .. }, _) => "done",
        Decided::Answer(_, _) => "refused",
    };
    count(&mut desk.counts, action.kind().word(), outcome);
    Ok(Ok(decided))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let sound = |key: &&str| (1..=255).contains(&key.len());
    let key = value.to_str().ok().filter(sound);
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Refusal::invalid("Idempotency keys are 1 to 255 printable characters."))
}

fn next_fault(change: &Change<'_>, kind: Kind) -> Option<Fault> {
    let mut armed = change.book.switches.next.iter().map(|armed| armed.parts());
    armed.find_map(|(of, fault)| (of == kind).then_some(fault))
}

/// Takes the first fault of a kind of call away: it has struck.
fn disarm(change: &mut Change<'_>, kind: Kind) {
    let mut switches = change.book.switches.clone();
    if let Some(at) = switches.next.iter().position(|armed| armed.parts().0 == kind) {
        switches.next.remove(at);
        change.put(Record::Switches(switches));
    }
}

fn refused_by_switch() -> Refusal {
    Refusal::state(Some("sandbox_refused"), None, "Refused, as the sandbox was told to do.")
}

/// Faults of the way strike any call; faults of the work only a call that is not a repetition.
fn decide(change: &mut Change<'_>, call: Call<'_>, in_use: bool) -> Decided {
    let kind = call.action.kind();
    let fault = next_fault(change, kind);
    let key = call.key.clone();
    let refuse = |refusal: &Refusal| Decided::Answer(Answer::refused(refusal, &call.request, key.clone()), Way::Clear);
    let key_text = call.key.as_deref().unwrap_or("none");
    let way = match fault {
        Some(Fault::TimeoutBefore) => {
            disarm(change, kind);
            return Decided::Nothing(Way::Silent);
        }
        Some(Fault::LostBefore) => {
            disarm(change, kind);
            return Decided::Nothing(Way::Cut);
        }
        Some(Fault::Conflict) => {
            disarm(change, kind);
            return refuse(&Refusal::key_in_use(key_text));
        }
        Some(Fault::RateLimited) => {
            disarm(change, kind);
            return refuse(&Refusal::rate_limited());
        }
        Some(Fault::TimeoutAfter) => {
            disarm(change, kind);
            Way::Silent
        }
        Some(Fault::LostAfter) => {
            disarm(change, kind);
            Way::Cut
        }
        Some(Fault::Refused | Fault::Broken | Fault::BrokenAfter | Fault::Fail | Fault::Pending) | None => Way::Clear,
    };
    if in_use {
        return refuse(&Refusal::key_in_use(key_text));
    }
    let now = change.now_s();
    let kept = call.key.as_ref().and_then(|key| change.book.kept.get(key));
    if let Some(kept) = kept.filter(|kept| kept.at + ANSWERS_KEPT_S > now) {
        if kept.fingerprint != call.fingerprint {
            return refuse(&Refusal::key_reused(key_text));
        }
        let answer = Answer {
            status: kept.status,
            body: kept.body.clone(),
            request: call.request.clone(),
            original: Some(kept.request.clone()),
            key,
        };
        return Decided::Answer(answer, way);
    }
    if matches!(fault, Some(Fault::Refused | Fault::Broken | Fault::BrokenAfter | Fault::Fail | Fault::Pending)) {
        disarm(change, kind);
    }
    Decided::Answer(perform(change, call, fault), way)
}

/// The work itself, once, and its answer kept.
fn perform(change: &mut Change<'_>, call: Call<'_>, fault: Option<Fault>) -> Answer {
    let Call { action, mut form, request, key, fingerprint, public_url } = call;
    let mut expand = form.take("expand");
    let worked = match fault {
        Some(Fault::Refused) => Err(refused_by_switch()),
        Some(Fault::Broken) => Err(Refusal::broken()),
        _ => action.work(change, form, fault, public_url),
    };
    let mut worked = worked.and_then(|value| listing::expanded(change.book, change.now_s(), value, &mut expand));
    if fault == Some(Fault::BrokenAfter) {
        worked = Err(Refusal::broken());
    }
    let answer = match &worked {
        Ok(value) => Answer::shown(value, &request, key.clone()),
        Err(refusal) => Answer::refused(refusal, &request, key.clone()),
    };
    let is_kept = worked.as_ref().err().is_none_or(|refusal| refusal.begun);
    if let Some(key) = key.filter(|_| is_kept) {
        let (status, body, at) = (answer.status, answer.body.clone(), change.now_s());
        change.put(Record::Kept(KeptAnswer { key, fingerprint, request, status, body, at }));
    }
    answer
}

fn count(
    counts: &mut std::collections::BTreeMap<&'static str, std::collections::BTreeMap<&'static str, u64>>,
    call: &'static str,
    outcome: &'static str,
) {
    let number = counts.entry(call).or_default().entry(outcome).or_default();
    *number = number.saturating_add(1);
}

async fn deliver(sandbox: &Sandbox, decided: Decided, headers: &HeaderMap) -> Response {
    let (answer, way) = match decided {
        Decided::Answer(answer, way) => (Some(answer), way),
        Decided::Nothing(way) => (None, way),
    };
    // The key stays taken for as long as its request hangs, as at Stripe.
    let _held = (answer.is_none() && way == Way::Silent).then(|| HeldKey::new(sandbox, headers));
    match (answer, way) {
        (Some(answer), Way::Clear) => answer.into_response(),
        (_, Way::Silent) => {
            tokio::time::sleep(sandbox.shared.settings.hold).await;
            cut()
        }
        (_, Way::Clear | Way::Cut) => cut(),
    }
}

struct HeldKey<'s> {
    sandbox: &'s Sandbox,
    key: Option<String>,
}

impl<'s> HeldKey<'s> {
    fn new(sandbox: &'s Sandbox, headers: &HeaderMap) -> Self {
        Self { sandbox, key: idempotency_key(headers).ok().flatten() }
    }
}

impl Drop for HeldKey<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.sandbox.desk().keys_in_use.remove(key);
        }
    }
}

/// Counts a call as in flight until it is answered, or its caller has gone.
struct InFlight(Sandbox);

impl InFlight {
    fn new(sandbox: &Sandbox) -> Self {
        sandbox.shared.calls.fetch_add(1, Ordering::SeqCst);
        Self(sandbox.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.shared.calls.fetch_sub(1, Ordering::SeqCst);
        self.0.changed();
    }
}

impl Answer {
    fn shown(value: &Value, request: &str, key: Option<String>) -> Self {
        Self { status: 200, body: format!("{value:#}"), request: request.to_owned(), original: None, key }
    }

    fn refused(refusal: &Refusal, request: &str, key: Option<String>) -> Self {
        let body = format!("{:#}", refusal.body(request));
        Self { status: refusal.status, body, request: request.to_owned(), original: None, key }
    }

    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
        if status == StatusCode::CONFLICT {
            headers.insert("stripe-should-retry", HeaderValue::from_static("true"));
        }
        if self.original.is_some() {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        let named =
            [("request-id", Some(self.request)), ("original-request", self.original), ("idempotency-key", self.key)];
        for (name, value) in named {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Ends the connection without an answer: a body that breaks before anything of the response has been sent.
fn cut() -> Response {
    Response::new(Body::new(Broken))
}

struct Broken;

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))))
    }
}
