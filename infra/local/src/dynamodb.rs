//! DynamoDB inside this process: the real SDK speaks to it over loopback, SQLite keeps the items.

use std::future::Future;
use std::path::Path;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The embedded database could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The file is not a database, or cannot be opened.
    #[error("the embedded DynamoDB cannot open its data: {0}")]
    Open(String),
    /// No loopback port could be had.
    #[error("the embedded DynamoDB cannot listen on loopback: {0}")]
    Listen(#[from] std::io::Error),
}

/// A running embedded DynamoDB.
pub(crate) struct DynamoDb {
    endpoint: String,
    server: JoinHandle<()>,
}

impl DynamoDb {
    /// Opens the data and serves it on a loopback port until `shutdown` resolves.
    ///
    /// # Errors
    /// When the data cannot be opened or no port can be had.
    pub(crate) async fn start(
        file: Option<&Path>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, DynamoDbError> {
        let opened = match file {
            Some(file) => Database::new(&file.to_string_lossy()),
            None => Database::memory(),
        };
        let database = opened.map_err(|error| DynamoDbError::Open(error.to_string()))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, shutdown).await {
                tracing::error!(error, "the embedded DynamoDB stopped");
            }
        });
        Ok(Self { endpoint, server })
    }

    /// Where the SDK's `endpoint_url` points.
    #[must_use]
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Waits until the server has stopped; its shutdown must have been asked for.
    pub(crate) async fn stopped(self) {
        if let Err(error) = self.server.await {
            tracing::warn!(%error, "the embedded DynamoDB did not stop cleanly");
        }
    }
}

/// The real SDK's client on the embedded database, over the HTTP client given.
#[must_use]
pub(crate) fn client(endpoint: &str, http: SharedHttpClient) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// Plain HTTP over loopback.
#[must_use]
pub(crate) fn loopback() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

/// The region everything local pretends to be in. The queue's emulator reads it from host names.
pub(crate) const REGION: &str = "us-east-1";

/// Credentials that sign requests which nobody checks.
#[must_use]
pub(crate) fn credentials() -> Credentials {
    Credentials::new("local", "local", None, None, "local")
}
