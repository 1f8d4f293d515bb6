//! The canonical log line: one per invocation, which says alone what was asked, by whom, of what, and how it ended.
//!
//! It is readable as a sentence, and every part of the sentence stands beside it under a dotted name (`http.status`,
//! `escrow.id`, `problem.code` …) for queries. A failure is written here and nowhere else. Bodies, headers, query strings, tokens
//! and the names behind user ids never are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a request's story has come to so far. Clones write into the same line.
#[derive(Debug, Clone, Default)]
pub struct Line(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    caller: Option<String>,
    scopes: Option<String>,
    escrow: Option<String>,
    payout: Option<String>,
    command: Option<&'static str>,
    outcome: Option<String>,
    replayed: Option<bool>,
    dry_run: Option<bool>,
    gateway: Option<&'static str>,
    event_type: Option<String>,
    failure: Option<String>,
}

macro_rules! notes {
    ($($(#[$doc:meta])* $name:ident: $kind:ty;)+) => {
        impl Line {
            $(
                $(#[$doc])*
                pub fn $name(&self, value: impl Into<$kind>) {
                    self.write(|known| known.$name = Some(value.into()));
                }
            )+
        }
    };
}

notes! {
    /// Who asked: the token's `sub`.
    caller: String;
    /// The scopes that mattered.
    scopes: String;
    /// Which escrow.
    escrow: String;
    /// Which payout.
    payout: String;
    /// What was asked for, as the lifecycle calls it.
    command: &'static str;
    /// How a fact ended that is neither a success nor a problem: `already_there`, `ignored`, `parked`.
    outcome: String;
    /// The operation had been carried out before.
    replayed: bool;
    /// Nothing was to be written.
    dry_run: bool;
    /// Which gateway.
    gateway: &'static str;
    /// The type of a gateway's event.
    event_type: String;
    /// Something went wrong that did not stop the work (a wake-up that was not sent).
    failure: String;
}

/// How an HTTP request ended.
pub(crate) struct HttpEnd<'a> {
    pub(crate) function: &'static str,
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) problem: Option<&'a crate::problem::Problem>,
}

impl Line {
    fn write(&self, change: impl FnOnce(&mut Known)) {
        // A panic elsewhere while a note was written leaves the other notes whole.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Writes the line of an HTTP request: an error if the answer is ours to repair, a warning if a note says that something failed.
    pub(crate) fn end_http(&self, end: &HttpEnd<'_>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let duration_ms = millis(end.took);
        let code = end.problem.map(|problem| problem.code().as_str());
        let inside = end.problem.and_then(|problem| problem.known_inside());
        let detail = end.problem.map(|problem| problem.detail());
        let sentence = format!(
            "{} {} {} {} in {duration_ms} ms{}{}",
            end.function,
            end.method,
            end.path,
            end.status,
            said(" by ", known.caller.as_deref()),
            said(": ", code.map(|code| format!("{code}{}", said(" — ", inside))).as_deref()),
        );
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    "function" = end.function,
                    "request.id" = end.request_id,
                    "http.method" = end.method,
                    "http.path" = end.path,
                    "http.status" = end.status,
                    "caller.sub" = known.caller,
                    "caller.scopes" = known.scopes,
                    "escrow.id" = known.escrow,
                    "payout.id" = known.payout,
                    "escrow.command" = known.command,
                    "operation.outcome" = known.outcome,
                    "operation.replayed" = known.replayed,
                    "operation.dry_run" = known.dry_run,
                    "gateway.name" = known.gateway,
                    "gateway.event_type" = known.event_type,
                    "problem.code" = code,
                    "problem.detail" = detail,
                    "problem.inside" = inside,
                    "failure" = known.failure,
                    duration_ms,
                    "{sentence}"
                )
            };
        }
        if end.status >= 500 {
            line!(tracing::Level::ERROR);
        } else if known.failure.is_some() {
            line!(tracing::Level::WARN);
        } else {
            line!(tracing::Level::INFO);
        }
    }

    /// Writes the line of an invocation that is no HTTP request: a queue's batch, a tick of the schedule.
    pub(crate) fn end_event(
        &self,
        function: &'static str,
        request_id: &str,
        took: Duration,
        result: Result<&str, &str>,
    ) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let duration_ms = millis(took);
        let (done, failed) = (result.ok(), result.err());
        let sentence = match result {
            Ok(done) => format!("{function} {done} in {duration_ms} ms"),
            Err(failed) => format!("{function} failed in {duration_ms} ms: {failed}"),
        };
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    "function" = function,
                    "request.id" = request_id,
                    "escrow.id" = known.escrow,
                    "payout.id" = known.payout,
                    "operation.outcome" = known.outcome,
                    "event.done" = done,
                    "event.failed" = failed,
                    "failure" = known.failure,
                    duration_ms,
                    "{sentence}"
                )
            };
        }
        if failed.is_some() {
            line!(tracing::Level::ERROR);
        } else if known.failure.is_some() {
            line!(tracing::Level::WARN);
        } else {
            line!(tracing::Level::INFO);
        }
    }
}

fn said(before: &str, what: Option<&str>) -> String {
    what.map(|what| format!("{before}{what}")).unwrap_or_default()
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
