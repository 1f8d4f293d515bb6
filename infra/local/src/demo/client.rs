//! A caller of the API that says what it does.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::cli::say;

/// A call brought no answer, or another one than it had to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallFailed {
    /// The request cannot be made.
    #[error("{0}")]
    Request(#[from] http::Error),
    /// No answer.
    #[error("no answer: {0}")]
    Send(#[from] hyper_util::client::legacy::Error),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Read(#[from] hyper::Error),
    /// Another status.
    #[error("{call} answered {found}, promised {promised}: {body}")]
    Status {
        /// What was called.
        call: String,
        /// The status that had to come.
        promised: u16,
        /// The one that came.
        found: u16,
        /// With what.
        body: Value,
    },
}

/// The system's API.
pub(crate) struct Api {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A call that is being put together.
pub(crate) struct Call<'a> {
    api: &'a Api,
    method: Method,
    path: &'a str,
    token: Option<&'a str>,
    key: Option<&'a str>,
    quiet: bool,
}

/// What came back.
pub(crate) struct Answered {
    call: String,
    status: u16,
    body: Value,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) fn get<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call { api: self, method: Method::GET, path, token: None, key: None, quiet: false }
    }

    /// `path` may be a whole URL, as a payment page's is.
    pub(crate) fn post<'a>(&'a self, path: &'a str) -> Call<'a> {
        Call { method: Method::POST, ..self.get(path) }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn by(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Not worth a line.
    pub(crate) fn quietly(self) -> Self {
        Self { quiet: true, ..self }
    }

    pub(crate) async fn send(self, body: &Value) -> Result<Answered, CallFailed> {
        let url =
            if self.path.starts_with('/') { format!("{}{}", self.api.url, self.path) } else { self.path.to_owned() };
        let mut request = Request::builder().method(&self.method).uri(url);
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = self.key {
            request = request.header("idempotency-key", key);
        }
        let sent = match body {
            Value::Null => Bytes::new(),
            body => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
        };
        let response = self.api.client.request(request.body(Full::new(sent))?).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        let call = format!("{} {}", self.method, self.path.trim_start_matches(self.api.url.as_str()));
        if !self.quiet {
            say(&format!("  {call} → {status}\n"));
        }
        Ok(Answered { call, status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }
}

impl Answered {
    /// The body, if the status is the promised one.
    pub(crate) fn is(self, promised: u16) -> Result<Value, CallFailed> {
        if self.status == promised {
            return Ok(self.body);
        }
        Err(CallFailed::Status { call: self.call, promised, found: self.status, body: self.body })
    }

    /// Status and body, whatever they are.
    #[cfg(test)]
    pub(crate) fn parts(self) -> (u16, Value) {
        (self.status, self.body)
    }
}
