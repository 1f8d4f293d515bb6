//! Problems: every answer that is not a success, as RFC 9457 writes them, and the only place that chooses a status code.
//!
//! `type` is `https://holdfast.dev/problems/{code}`: an identifier that is the same for ever, as RFC 9457 §3.1.1 asks; nothing is
//! fetched from it. `code` repeats its last part, because comparing a word is what programs do. `instance` is the id of the
//! request, under which the log has the rest of the story.
//!
//! What is said outside and what is known inside are two fields, and the inside one goes nowhere but to the log.
//! In `errors`, `pointer` is a JSON pointer into the body; for a query parameter it is its name behind a question mark (`?limit`),
//! for a header its name.

mod code;
mod from_below;
mod from_payouts;
mod of_wallets;

pub use code::Code;

use crate::reply::Reply;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Everything under which problem types are named.
const TYPES: &str = "https://holdfast.dev/problems/";

/// One thing that is wrong with the input, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputError {
    /// Where: a JSON pointer into the body, `?name` of a query parameter, or a header's name.
    pub pointer: String,
    /// What, as a stable word.
    pub code: &'static str,
    /// What, in words.
    pub detail: String,
}

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<InputError>,
    state: Option<String>,
    actions: Option<Value>,
    extra: BTreeMap<&'static str, Value>,
    retry_after: Option<u32>,
    inside: Option<String>,
}

/// What a handler or a part of it gives.
pub type Answer<T> = Result<T, Problem>;

/// How they are made. Every constructor says when it is the right one.
impl Problem {
    /// A problem that needs nothing but its code and a sentence. The sentence is read by strangers: nothing internal in it.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            state: None,
            actions: None,
            extra: BTreeMap::new(),
            retry_after: None,
            inside: None,
        }))
    }

    /// Something in the body, the query or a header is wrong, and we can point at it.
    #[must_use]
    pub fn input(code: Code, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let error = InputError { pointer: pointer.into(), code: code.as_str(), detail: detail.clone() };
        let mut problem = Self::new(code, detail);
        problem.0.errors.push(error);
        problem
    }

    /// The request has no token at all.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "Send a token in the header: Authorization: Bearer <JWT>.")
    }

    /// The thing does not exist, or the caller is no party to it. There is one sentence for both, so that nobody can ask what exists.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}, or you are no party to it."))
    }

    /// A party asks for what only others may do. Never for strangers: they get [`Problem::not_found`].
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// The same idempotency key came before with another body.
    #[must_use]
    pub fn key_reused() -> Self {
        Self::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was used for a request with another body. Repeat that body, or take a new key.",
        )
    }

    /// The version that the caller named in `If-Match` is no longer there.
    #[must_use]
    pub fn version_mismatch(stands: u64) -> Self {
        Self::new(Code::VersionMismatch, format!("The version is now \"{stands}\". Read it again before you decide."))
    }

    /// The bounded retries are used up, and nothing was written. `inside` says on what.
    #[must_use]
    pub fn contended(inside: impl fmt::Display) -> Self {
        Self::new(
            Code::Contended,
            "Others are changing the same thing right now. Nothing was done; send the same request again.",
        )
        .retry_after(1)
        .inside(inside)
    }

    /// The gateway did not answer, so what it did is unknown and stored as such: the same request with the same key carries on.
    #[must_use]
    pub fn gateway_unavailable(inside: impl fmt::Display) -> Self {
        Self::new(
            Code::GatewayUnavailable,
            "The payment gateway did not answer. Send the same request with the same Idempotency-Key again.",
        )
        .retry_after(5)
        .inside(inside)
    }

    /// Something of ours that we need (the table, a key set) does not answer. Whether a write happened may be unknown; the same
    /// request with the same key finds out.
    #[must_use]
    pub fn unavailable(inside: impl fmt::Display) -> Self {
        Self::new(Code::Unavailable, "Not available just now. Send the same request again.")
            .retry_after(2)
            .inside(inside)
    }

    /// A defect: stored data that cannot be, a promise of another part that was broken. Repeating will not help; the log has `inside`.
    #[must_use]
    pub fn internal(inside: impl fmt::Display) -> Self {
        Self::new(Code::Internal, "Something went wrong on our side. Tell us the instance of this problem.")
            .inside(inside)
    }
}

/// What can be added.
impl Problem {
    /// What the log should know and nobody else.
    #[must_use]
    pub fn inside(mut self, inside: impl fmt::Display) -> Self {
        self.0.inside = Some(inside.to_string());
        self
    }

    /// After how many seconds to come again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Where the thing stands, and what the caller could do instead.
    #[must_use]
    pub fn standing(mut self, state: impl fmt::Display, actions: Value) -> Self {
        self.0.state = Some(state.to_string());
        self.0.actions = Some(actions);
        self
    }

    /// A further member of the problem, as RFC 9457 allows (`allowed_at`).
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.extra.insert(name, value);
        self
    }

    /// One more thing that is wrong with the input.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.errors.extend(other.0.errors);
        self
    }
}

/// What is read of it.
impl Problem {
    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// The sentence for whoever asked.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What only the log may know.
    #[must_use]
    pub fn known_inside(&self) -> Option<&str> {
        self.0.inside.as_deref()
    }

    /// The same as a part of an answer: of one thing among many.
    #[must_use]
    pub fn shown(&self, instance: &str) -> Value {
        // What was just written is read again.
        serde_json::from_str(self.clone().into_reply(instance).body()).unwrap_or_default()
    }

    /// The answer; `instance` is the request's id.
    #[must_use]
    pub fn into_reply(self, instance: &str) -> Reply {
        let code = self.0.code;
        let shown = Shown {
            r#type: format!("{TYPES}{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: &self.0.detail,
            instance,
            code: code.as_str(),
            errors: &self.0.errors,
            state: self.0.state.as_deref(),
            actions: self.0.actions.as_ref(),
            extra: &self.0.extra,
        };
        let mut reply = Reply::new(code.status(), &shown).of_type("application/problem+json");
        if let Some(seconds) = self.0.retry_after {
            reply = reply.header("retry-after", seconds.to_string());
        }
        // RFC 9110 §15.5.2 requires the challenge with a 401; its `error` is RFC 6750's.
        match code {
            Code::Unauthenticated => reply.header("www-authenticate", "Bearer"),
            Code::TokenExpired | Code::TokenInvalid => {
                reply.header("www-authenticate", "Bearer error=\"invalid_token\"")
            }
            _ => reply,
        }
    }
}

/// The problem as it is written: `inside` has no place in it.
#[derive(Serialize)]
struct Shown<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [InputError],
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<&'a Value>,
    #[serde(flatten)]
    extra: &'a BTreeMap<&'static str, Value>,
}

/// For the log: outside and inside in one sentence.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)?;
        match &self.0.inside {
            Some(inside) => write!(f, " [{inside}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(problem: Problem) -> String {
        let reply = problem.into_reply("req-1");
        let headers: Vec<_> =
            reply.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        format!("{} {}\n{}", reply.status().as_u16(), headers.join(", "), reply.body())
    }

    #[test]
    fn every_code_has_a_word_of_its_own_and_a_status_of_an_error() {
        for (position, code) in Code::ALL.iter().enumerate() {
            let word = code.as_str();
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
            assert!(!Code::ALL[..position].iter().any(|other| other.as_str() == word), "{word} twice");
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{word}");
        }
    }

    #[test]
    fn the_table_of_codes() {
        let mut table = String::new();
        for code in Code::ALL {
            table.push_str(&format!("{} {:<26} {}\n", code.status().as_u16(), code.as_str(), code.title()));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_problem_points_at_what_is_wrong() {
        insta::assert_snapshot!(rendered(Problem::input(
            Code::AmountInvalid,
            "/amount",
            "The amount must be more than zero."
        )));
    }

    #[test]
    fn a_refusal_says_where_the_thing_stands() {
        let actions = json!([{"name": "release", "allowed": false}]);
        insta::assert_snapshot!(rendered(
            Problem::new(Code::TransitionRefused, "It is released already.").standing("released", actions)
        ));
    }

    #[test]
    fn a_missing_token_is_answered_with_a_challenge() {
        insta::assert_snapshot!(rendered(Problem::unauthenticated()));
    }

    #[test]
    fn what_is_known_inside_stays_inside() {
        for problem in [
            Problem::internal("table holdfast-prod: item E#1 cannot be read"),
            Problem::contended("table holdfast-prod: W#usr_1"),
            Problem::unavailable("dispatch failure: 10.0.0.1:443"),
            Problem::gateway_unavailable("stripe: sk_live_1"),
        ] {
            let inside = problem.known_inside().unwrap().to_owned();
            assert!(problem.to_string().contains(&inside));
            let outside = rendered(problem);
            assert!(!outside.contains(&inside), "{outside}");
            assert!(
                !outside.contains("holdfast-prod") && !outside.contains("10.0.0.1") && !outside.contains("sk_live")
            );
        }
    }

    #[test]
    fn whoever_may_try_again_is_told_when() {
        insta::assert_snapshot!(rendered(Problem::contended("E#1")));
    }
}
