//! The calls under `/_local`: the clock, tokens, and looks into the machine that only exist on this machine.

use std::sync::Arc;
use std::time::Duration;

use escrow_domain::id::UserId;
use escrow_domain::time::Period;
use escrow_http::auth::{Scopes, scopes_of};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use http::{Method, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::clock::{self, ClockError};
use crate::server::{Incoming, LocalReply};
use crate::system::System;
use crate::tokens::DEFAULT_LIFE;
use crate::verify;

/// How long `settle` and a moved clock wait for quiet: several times what the slowest gateway call may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers a call under `/_local`.
pub(crate) async fn answer(system: &Arc<System>, incoming: &Incoming) -> Reply {
    if !from_this_machine(incoming) {
        // A page elsewhere whose name leads here, or a tunnel that was opened for webhooks, must not mint tokens.
        return Problem::new(Code::NotFound, "These calls are only for this machine, by its own name.")
            .into_reply(&incoming.id);
    }
    let call = incoming.path.trim_start_matches("/_local/");
    let methods: &[&Method] = match call {
        "health" | "verify" => &[&Method::GET],
        "tokens" | "settle" | "reconcile" => &[&Method::POST],
        "clock" => &[&Method::GET, &Method::POST],
        "capacity" => &[&Method::GET, &Method::DELETE],
        _ => {
            return Problem::new(Code::NotFound, "There is no such local call.").into_reply(&incoming.id);
        }
    };
    if !methods.contains(&&incoming.parts.method) {
        return Problem::new(Code::MethodNotAllowed, "This local call has other methods.")
            .into_reply(&incoming.id)
            .allowing(methods);
    }
    let answered = match (call, &incoming.parts.method) {
        ("health", _) => Ok(Reply::ok(&json!({ "status": "ok", "now": system.clock.now().to_string() }))),
        ("tokens", _) => token(system, incoming),
        ("clock", &Method::POST) => move_clock(system, incoming).await,
        ("clock", _) => Ok(Reply::ok(&json!({ "now": system.clock.now().to_string() }))),
        ("settle", _) => settle(system).await,
        ("reconcile", _) => reconcile(system).await,
        ("capacity", &Method::DELETE) => {
            system.forget_capacity();
            Ok(capacity(system))
        }
        ("capacity", _) => Ok(capacity(system)),
        (_, _) => verify::answer(system).await,
    };
    answered.unwrap_or_else(|problem| problem.into_reply(&incoming.id))
}

fn from_this_machine(incoming: &Incoming) -> bool {
    let host = incoming.parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    incoming.from.ip().is_loopback() && matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenAsked {
    sub: String,
    #[serde(default)]
    scope: ScopeAsked,
    expires_in: Option<String>,
}

/// Words with blanks between, as in the token, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum ScopeAsked {
    Words(String),
    List(Vec<String>),
}

impl Default for ScopeAsked {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl ScopeAsked {
    fn scopes(&self) -> Scopes {
        match self {
            Self::Words(words) => scopes_of(words.split_ascii_whitespace()),
            Self::List(words) => scopes_of(words.iter().map(String::as_str)),
        }
    }
}

fn token(system: &System, incoming: &Incoming) -> Answer<Reply> {
    let asked: TokenAsked = body(incoming)?;
    let sub: UserId = asked.sub.parse().map_err(|_| {
        Problem::input(Code::BodyInvalid, "/sub", "A user is 1 to 128 characters of A-Z a-z 0-9 . _ : @ | -")
    })?;
    let life = match &asked.expires_in {
        Some(text) => duration(text, "/expires_in")?,
        None => DEFAULT_LIFE,
    };
    let expires = system.clock.now().after(life);
    let token = system.token_key.mint(&sub, asked.scope.scopes(), expires).map_err(Problem::internal)?;
    Ok(Reply::ok(&json!({ "token": token })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockMove {
    advance: String,
}

async fn move_clock(system: &Arc<System>, incoming: &Incoming) -> Answer<Reply> {
    let asked: ClockMove = body(incoming)?;
    let by = duration(&asked.advance, "/advance")?;
    {
        // What is at a gateway, or on its way there, was begun at the old time and ends at the old time.
        let _alone = system.traffic.write().await;
        clock::advance(&system.clock, &system.folder, by).map_err(|error| match error {
            ClockError::TooFar => Problem::input(Code::BodyInvalid, "/advance", error.to_string()),
            ClockError::Io(_) | ClockError::Unreadable => Problem::internal(error),
        })?;
    }
    let now = system.clock.now();
    system.catch_up(PATIENCE).await.map_err(|busy| Problem::unavailable(busy).with("busy", json!(busy.to_string())))?;
    Ok(Reply::ok(&json!({ "now": now.to_string() })))
}

async fn settle(system: &System) -> Answer<Reply> {
    system
        .quiet_reached(PATIENCE)
        .await
        .map_err(|busy| Problem::unavailable(busy).with("busy", json!(busy.to_string())))?;
    Ok(Reply::ok(&json!({ "quiet": true })))
}

/// Runs the reconciler now; by itself it runs once a day of real time, as the schedule in the cloud does.
async fn reconcile(system: &System) -> Answer<Reply> {
    let found = system.reconcile().await.map_err(Problem::unavailable)?;
    Ok(Reply::ok(&found))
}

#[derive(Serialize)]
struct Capacity {
    requests: u64,
    read_units: Box<RawValue>,
    write_units: Box<RawValue>,
}

fn capacity(system: &System) -> Reply {
    let used = system.capacity();
    Reply::ok(&Capacity {
        requests: used.requests,
        read_units: units(used.read_units),
        write_units: units(used.write_units),
    })
}

/// Thousandths as a JSON number with as many digits as it needs; there are no floats anywhere.
fn units(thousandths: u64) -> Box<RawValue> {
    let whole = thousandths / 1_000;
    let fraction = format!("{:03}", thousandths % 1_000);
    let fraction = fraction.trim_end_matches('0');
    let number = if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") };
    RawValue::from_string(number).unwrap_or_default()
}

fn duration(text: &str, pointer: &str) -> Answer<Period> {
    text.parse().map_err(|_| {
        let detail = "An ISO 8601 duration of weeks, days, hours, minutes and seconds is needed, like P7D or PT24H.";
        Problem::input(Code::BodyInvalid, pointer, detail)
    })
}

fn body<T: DeserializeOwned>(incoming: &Incoming) -> Answer<T> {
    serde_json::from_slice(&incoming.body).map_err(|error| Problem::new(Code::BodyInvalid, error.to_string()))
}
