//! Stripe's way to say no: `{"error": {"type", "code", "message", "param"}}` with a status.

use serde_json::{Value, json};

/// An answer that is not 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Stripe's `type`: `invalid_request_error`, `idempotency_error`, `api_error`.
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) message: String,
    pub(super) param: Option<String>,
    /// Whether the endpoint had begun its work. Only then does Stripe keep the answer under the idempotency key
    /// (docs.stripe.com/api/idempotent_requests): a request that failed validation may be corrected under the same key.
    pub(super) begun: bool,
}

impl Refusal {
    /// 400: the request itself is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            code: None,
            message: message.into(),
            param: None,
            begun: false,
        }
    }

    /// 400 about one parameter.
    pub(super) fn param(code: &'static str, param: String, message: impl Into<String>) -> Self {
        Self { code: Some(code), param: Some(param), ..Self::invalid(message) }
    }

    /// 400: the request is well formed, but what stands there does not allow it.
    pub(super) fn state(code: Option<&'static str>, param: Option<&str>, message: impl Into<String>) -> Self {
        Self { code, param: param.map(str::to_owned), begun: true, ..Self::invalid(message) }
    }

    /// 404: no object with that id.
    pub(super) fn missing(what: &str, id: &str, param: &str) -> Self {
        let shown: String = id.chars().take(120).collect();
        let message = format!("No such {what}: '{shown}'");
        Self { status: 404, ..Self::param("resource_missing", param.to_owned(), message) }
    }

    /// 401: no key, or one that is not a secret test key.
    pub(super) fn unauthorized(message: &str) -> Self {
        Self { status: 401, ..Self::invalid(message) }
    }

    /// 400: the key was used before, for something else.
    pub(super) fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. \
             Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self { kind: "idempotency_error", ..Self::invalid(message) }
    }

    /// 409: another request with this key is being worked on.
    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!("There is currently another in-progress request using this Idempotent Key: {key}.");
        Self { status: 409, kind: "idempotency_error", code: Some("idempotency_key_in_use"), ..Self::invalid(message) }
    }

    /// 429: too many requests.
    pub(super) fn rate_limited() -> Self {
        Self { status: 429, code: Some("rate_limit"), ..Self::invalid("Request rate limit exceeded.") }
    }

    /// 500: something broke on the gateway's side.
    pub(super) fn broken() -> Self {
        Self {
            status: 500,
            kind: "api_error",
            begun: true,
            ..Self::invalid("An unknown error occurred. If you have any questions, contact support.")
        }
    }

    /// The body.
    pub(super) fn body(&self, request: &str) -> Value {
        let mut error = json!({"type": self.kind, "message": self.message});
        if let Some(code) = self.code {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!("https://docs.stripe.com/error-codes/{}", code.replace('_', "-")));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        error["request_log_url"] = json!(format!("https://dashboard.stripe.com/test/logs/{request}"));
        json!({"error": error})
    }
}
