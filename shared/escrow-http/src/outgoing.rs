//! The one HTTP client of the process: DynamoDB, SQS, secrets and key sets share its connections and its one TLS stack.
//!
//! rustls with ring, and Mozilla's root certificates compiled in: reading them from the system at every cold start, and
//! seeding another cryptography library, costs more than everything else that a function does before its first answer. There are
//! no retries here; whoever calls decides about them.

use crate::auth::jwks::{Fetch, FetchFailed, LARGEST_SET};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Limited};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// To be connected, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// To the first byte of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// For a key set or a secret, from the first byte sent to the last byte read.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends requests. Clones share connections.
#[derive(Clone)]
pub struct Outgoing(SharedHttpConnector);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Not within the time.
    #[error("no answer in time")]
    TooLate,
    /// Not connected, or the connection broke.
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A body larger than expected.
    #[error("the answer is too large, or broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Outgoing {
    /// A client with its own pool of connections. Make one for the process, at its start.
    ///
    /// # Errors
    /// If the compiled-in roots cannot be used, which a test excludes.
    pub fn new() -> Result<Self, aws_smithy_http_client::HttpClientError> {
        let tls = TlsContext::builder().with_trust_store(mozilla_roots()).build()?;
        let settings =
            HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls)
            .build();
        Ok(Self(SharedHttpConnector::new(connector)))
    }

    /// As the SDK's clients take it: every one of them gets the same connections.
    #[must_use]
    pub fn for_sdk(&self) -> SharedHttpClient {
        let connector = self.0.clone();
        http_client_fn(move |_settings, _components| connector.clone())
    }

    /// Sends a request and reads the answer, of at most `largest` bytes. Redirects are not followed.
    ///
    /// # Errors
    /// [`NoAnswer`]; a status of an error is an answer.
    pub async fn send(&self, request: http::Request<Vec<u8>>, largest: usize) -> Result<(u16, Vec<u8>), NoAnswer> {
        let request =
            Request::try_from(request.map(SdkBody::from)).map_err(|error| NoAnswer::Connection(error.into()))?;
        let exchange = async {
            let response = self.0.call(request).await.map_err(|error| NoAnswer::Connection(error.into()))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), largest).collect().await.map_err(NoAnswer::Body)?;
            Ok((status, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(FETCH_TIMEOUT, exchange).await.map_err(|_| NoAnswer::TooLate)?
    }

    /// Fetches key sets.
    #[must_use]
    pub fn fetch_key_sets(&self) -> Fetch {
        let client = self.clone();
        Arc::new(move |url| {
            let client = client.clone();
            Box::pin(async move {
                let request = http::Request::get(&url)
                    .header("accept", "application/json")
                    .body(Vec::new())
                    .map_err(|error| FetchFailed(error.to_string()))?;
                match client.send(request, LARGEST_SET).await {
                    Ok((200, body)) => Ok(body),
                    Ok((status, _)) => Err(FetchFailed(format!("status {status}"))),
                    Err(error) => Err(FetchFailed(error.to_string())),
                }
            })
        })
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing")
    }
}

/// The client wants PEM; the roots are DER.
fn mozilla_roots() -> TrustStore {
    let mut store = TrustStore::empty();
    for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let body = STANDARD.encode(root);
        store.add_pem_certificate(format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"));
    }
    store
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server on this machine that answers every connection with these bytes.
    async fn server(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
            }
        });
        url
    }

    #[test]
    fn the_compiled_in_roots_can_be_used() {
        assert!(Outgoing::new().is_ok());
    }

    #[tokio::test]
    async fn a_key_set_is_fetched_over_the_network() {
        let url = server(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"keys\":[]}").await;
        let fetch = Outgoing::new().unwrap().fetch_key_sets();
        assert_eq!(fetch(url).await.unwrap(), b"{\"keys\":[]}");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        let fetch = Outgoing::new().unwrap().fetch_key_sets();
        let moved = server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(fetch(moved).await.unwrap_err().to_string(), "status 302", "redirects are not followed");
        let huge = server(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n").await;
        assert_eq!(fetch(huge).await.unwrap_err().to_string(), "the answer is too large, or broke off");
        let nobody = fetch("http://127.0.0.1:1/".to_owned()).await.unwrap_err();
        assert_eq!(nobody.to_string(), "the connection failed");
    }
}
