//! The one HTTP client of the process: every gateway sends through it, and it sends every request once.
//!
//! The client's only judgement is whether a request may have left. What it cannot prove to have stayed is in doubt.

use crate::gateway::{CallError, Deadline};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// The longest that a connection is waited for, so that a dead address leaves time to say so.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept. A gateway closes idle ones too, and a request on a closed one is an error to us.
const IDLE: Duration = Duration::from_secs(20);
/// The largest answer that is read, in bytes; a hundred refunds in one list stay far below.
const LARGEST_ANSWER: usize = 4 * 1_048_576;

/// Sends requests over TLS with ring and the roots that are compiled in, or over plain HTTP to a local sandbox.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// TLS cannot be used: the build lacks what every gateway demands.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up")]
pub struct TlsUnusable(#[source] rustls::Error);

impl HttpClient {
    /// A client with its own pool of connections; one per process is enough.
    ///
    /// # Errors
    /// [`TlsUnusable`] if the cryptography provider lacks every safe protocol version.
    pub fn new() -> Result<Self, TlsUnusable> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        // The TLS layer gives it addresses of both schemes.
        connector.enforce_http(false);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(TlsUnusable)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            // Its default is to send a request again when a kept connection turns out to be closed. Whether to send again is
            // decided where it is known what was promised, never here.
            .retry_canceled_requests(false)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client })
    }

    /// Sends a request, once, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`CallError::NotSent`] if no byte of it left, [`CallError::InDoubt`] if that cannot be proved: also when the deadline passes,
    /// because from outside a handshake that hangs cannot be told from an answer that does not come.
    pub async fn send(&self, request: Request<Full<Bytes>>, deadline: Deadline) -> Result<Answer, CallError> {
        if deadline.is_over() {
            return Err(CallError::NotSent("the deadline was over before the request was sent".to_owned()));
        }
        match tokio::time::timeout_at(deadline.instant(), self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CallError::InDoubt("no answer before the deadline".to_owned())),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
        let answer = self.client.request(request).await.map_err(|error| {
            let words = chain(&error);
            if error.is_connect() || was_never_started(&error) {
                CallError::NotSent(words)
            } else {
                CallError::InDoubt(words)
            }
        })?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        let body = body.map_err(|error| CallError::InDoubt(format!("the answer broke off: {error}")))?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// Whether hyper gave the request back untouched: its connection was found closed before the first byte was written.
/// In hyper 1.12 a client's error is `canceled` only where the request itself is handed back with it (`client/dispatch.rs`,
/// `proto/h1/dispatch.rs`); an error after the first byte has another kind.
fn was_never_started(error: &hyper_util::client::legacy::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<hyper::Error>() {
            return cause.is_canceled();
        }
        next = cause.source();
    }
    false
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        next = cause.source();
    }
    words
}
