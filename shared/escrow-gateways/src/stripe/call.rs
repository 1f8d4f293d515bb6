//! One call to Stripe: how it is sent, and what its answer says of it.

use super::requests::{self, Impossible};
use super::{Stripe, wire};
use crate::gateway::{CallError, Deadline};
use crate::http_client::Answer;
use bytes::Bytes;
use http::{Method as Verb, Request};
use http_body_util::Full;
use stripe_client_core::{
    CustomizedStripeRequest, IdempotencyKey, RequestBuilder, RequestStrategy, StripeClient, StripeClientErr,
    StripeMethod, VERSION,
};

const AGENT: &str = concat!("holdfast/", env!("CARGO_PKG_VERSION"));

/// One call: the SDK hands over what it built, and this sends it, once.
pub(super) struct Call<'a> {
    pub(super) stripe: &'a Stripe,
    pub(super) deadline: Deadline,
}

impl StripeClient for Call<'_> {
    type Err = CallError;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<Bytes, CallError> {
        let (request, settings) = request.into_pieces();
        let key = settings.request_strategy.and_then(|strategy| strategy.get_key());
        self.exchange(request, key.as_ref().map(IdempotencyKey::as_str)).await
    }
}

impl Call<'_> {
    /// Sends what a typed request has built, once, and returns the body of a good answer.
    pub(super) async fn exchange(&self, request: RequestBuilder, key: Option<&str>) -> Result<Bytes, CallError> {
        let verb = match request.method {
            StripeMethod::Get => Verb::GET,
            StripeMethod::Post => Verb::POST,
            StripeMethod::Delete => Verb::DELETE,
        };
        let mut address = format!("{}/v1{}", self.stripe.base, request.path);
        if let Some(query) = request.query.as_deref().filter(|query| !query.is_empty()) {
            address.push('?');
            address.push_str(query);
        }
        let mut sent = Request::builder()
            .method(&verb)
            .uri(address)
            .header("authorization", format!("Bearer {}", self.stripe.key.expose()))
            // The version of which the typed requests were generated, so that an account's own default cannot change their meaning.
            .header("stripe-version", VERSION.to_string())
            .header("user-agent", AGENT);
        if let Some(key) = key {
            sent = sent.header("idempotency-key", key);
        }
        let body = requests::in_order(&request.body.unwrap_or_default());
        if verb == Verb::POST {
            // The length of an empty body too: hyper leaves it out, and there are servers that refuse a POST without one.
            sent =
                sent.header("content-type", "application/x-www-form-urlencoded").header("content-length", body.len());
        }
        let sent = sent.body(Full::new(Bytes::from(body))).map_err(|error| CallError::NotSent(error.to_string()))?;
        understand(self.stripe.http.send(sent, self.deadline).await?)
    }
}

impl StripeClientErr for CallError {
    /// The answer had a good status and cannot be read: whatever was asked is probably done.
    fn deserialize_err(problem: impl std::fmt::Display) -> Self {
        Self::InDoubt(format!("the answer cannot be read: {problem}"))
    }
}

/// What an answer says of its request. Only Stripe's own error object, saying that the request is wrong or that the payment was
/// declined, is a no; everything else that is not a success leaves doubt.
fn understand(answer: Answer) -> Result<Bytes, CallError> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    if answer.status.is_server_error() {
        return Err(CallError::ServerError { status });
    }
    let Ok(wire::Failure { error }) = serde_json::from_slice(&answer.body) else {
        return Err(CallError::InDoubt(format!("status {status} without Stripe's error object")));
    };
    let kind = error.kind.as_deref().unwrap_or_default();
    // 401 and 403 are about our key, 409 about a twin of this request that is on its way, 429 about our pace: all may pass.
    let definite = matches!(status, 400 | 402 | 404) && matches!(kind, "card_error" | "invalid_request_error");
    // Stripe knows better than the status whether the same request may yet succeed.
    let again = answer.headers.get("stripe-should-retry").is_some_and(|value| value == "true");
    if definite && !again {
        let code = error.decline_code.or(error.code).unwrap_or_else(|| kind.to_owned());
        return Err(CallError::Refused { status: Some(status), code, message: error.message.unwrap_or_default() });
    }
    let code = error.code.unwrap_or_default();
    Err(CallError::InDoubt(format!("status {status}, {kind} {code}")))
}

/// Sent once, under that key.
pub(super) fn once(key: &str) -> Result<RequestStrategy, CallError> {
    let key = IdempotencyKey::new(key).map_err(|error| CallError::NotSent(error.to_string()))?;
    Ok(RequestStrategy::Idempotent(key))
}

/// An id that may stand in a path: what else is in it would ask for another object.
pub(super) fn id(text: &str) -> Result<&str, CallError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err(CallError::Refused {
            status: None,
            code: "reference_invalid".to_owned(),
            message: "not an id of Stripe's".to_owned(),
        })
    }
}

pub(super) fn impossible(why: Impossible) -> CallError {
    CallError::Refused { status: None, code: why.code().to_owned(), message: why.to_string() }
}
