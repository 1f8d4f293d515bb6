//! HTTP as the proofs speak it: a call is put together, sent, and its answer is held against the contract before anybody sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::contract;
use crate::json::Look;

/// A Holdfast at its address. Clones share connections and the count of idempotency keys.
#[derive(Debug, Clone)]
pub struct Api {
    url: String,
    http: Client<HttpConnector, Full<Bytes>>,
    keys: Arc<AtomicU64>,
}

/// Somebody who calls it, with their token.
#[derive(Debug, Clone)]
pub struct Caller {
    api: Api,
    /// Who they are: `sub`. Empty for somebody without a token.
    pub sub: String,
    /// What they show; none for a stranger from the street.
    pub token: Option<String>,
}

/// A call that is being put together.
#[derive(Debug, Clone)]
pub struct Call {
    api: Api,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `POST /v1/checkouts`, for messages.
    pub call: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` where it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

/// No answer came: whether anything was done is unknown.
#[derive(Debug, Clone)]
pub struct Unanswered(String);

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unanswered {}

impl Api {
    /// The API at `http://127.0.0.1:3000`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: Client::builder(TokioExecutor::new()).build_http(), keys: Arc::default() }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A call without a token. `path` may be a whole URL, as a payment page's is; only its path counts, since a system that was
    /// started again may have another port.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        let path = match path.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => path,
        };
        Call { api: self.clone(), method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// `GET`, without a token.
    #[must_use]
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `POST`, without a token.
    #[must_use]
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    /// Somebody with that name and these scopes (words with blanks between), with a token that lasts.
    pub async fn caller(&self, sub: &str, scope: &str) -> Caller {
        let asked = json!({ "sub": sub, "scope": scope });
        let token = self.post("/_local/tokens").json(&asked).send().await.is(200).text("/token").to_owned();
        Caller { api: self.clone(), sub: sub.to_owned(), token: Some(token) }
    }

    /// Somebody who shows this token, whatever it is.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Caller {
        Caller { api: self.clone(), sub: String::new(), token: Some(token.to_owned()) }
    }

    /// Somebody without a token.
    #[must_use]
    pub fn nobody(&self) -> Caller {
        Caller { api: self.clone(), sub: String::new(), token: None }
    }
}

impl Caller {
    /// A call by them.
    #[must_use]
    pub fn call(&self, method: Method, path: &str) -> Call {
        let call = self.api.call(method, path);
        match &self.token {
            Some(token) => call.header(AUTHORIZATION.as_str(), &format!("Bearer {token}")),
            None => call,
        }
    }

    /// `GET` by them.
    #[must_use]
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// `POST` by them, without an idempotency key.
    #[must_use]
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }
}

impl Call {
    /// With that header, in addition to those that are there.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With that idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With an idempotency key that no other call has.
    #[must_use]
    pub fn once(self) -> Self {
        let number = self.api.keys.fetch_add(1, Ordering::Relaxed);
        self.key(&format!("key-{number}"))
    }

    /// Only if the version is still this one.
    #[must_use]
    pub fn if_match(self, version: u64) -> Self {
        self.header("if-match", &format!("\"{version}\""))
    }

    /// With that body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    /// With that body, called that.
    #[must_use]
    pub fn raw(self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { body, ..self.header(CONTENT_TYPE.as_str(), content_type) }
    }

    /// With those bytes, called nothing.
    #[must_use]
    pub fn bytes(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sends it. Stops if there is no answer, or one that the API's document does not allow.
    pub async fn send(self) -> Answer {
        let call = format!("{} {}", self.method, self.path);
        match self.try_send().await {
            Ok(answer) => answer,
            Err(unanswered) => panic!("{call}: {unanswered}"),
        }
    }

    /// Sends it to a system that may be dying.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn try_send(self) -> Result<Answer, Unanswered> {
        let lost = |error: &dyn std::fmt::Display| Unanswered(error.to_string());
        let mut request = Request::builder().method(&self.method).uri(format!("{}{}", self.api.url, self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).map_err(|error| lost(&error))?;
        let (parts, body) = self.api.http.request(request).await.map_err(|error| lost(&error))?.into_parts();
        let bytes = body.collect().await.map_err(|error| lost(&error))?.to_bytes();
        let is_lines = parts.headers.get(CONTENT_TYPE).is_some_and(|media| media == "application/jsonl");
        let answer = Answer {
            call: format!("{} {}", self.method, self.path),
            status: parts.status.as_u16(),
            headers: parts.headers,
            // A single JSON line is JSON as well, and no document.
            body: if is_lines { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() },
            text: String::from_utf8_lossy(&bytes).into_owned(),
        };
        let path = self.path.split('?').next().unwrap_or_default();
        if let Err(violations) = contract::check(&self.method, path, &answer) {
            panic!("{} answered {} against its contract:\n{violations}\n{:#}", answer.call, answer.status, answer.body);
        }
        Ok(answer)
    }
}

impl Answer {
    /// The body, if that is the status.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert!(self.status == status, "{} answered {}, expected {status}: {:#}", self.call, self.status, self.body);
        self.body
    }

    /// The problem, if that is its status and code.
    #[track_caller]
    pub fn refuses(self, status: u16, code: &str) -> Value {
        let call = self.call.clone();
        let problem = self.is(status);
        assert!(problem["code"] == code, "{call} refused with {}, expected {code}: {problem:#}", problem["code"]);
        problem
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it says that the request was carried out before.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// Whether the same request should be sent again later.
    #[must_use]
    pub fn asks_to_come_again(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
    }
}
