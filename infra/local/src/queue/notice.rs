//! Tells the poller that something was sent, so that it needs no busy waiting: an HTTP client around the emulator's.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::Notify;

use crate::faults::operation;

/// Rings after every message that was sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Notice(Arc<Notify>);

impl Notice {
    /// The client given, with a ring after what it sends.
    pub(super) fn around(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Ringing { inner, notice: self.clone() })
    }

    /// Waits for the next ring; one that rang before counts.
    pub(super) async fn rung(&self) {
        self.0.notified().await;
    }
}

#[derive(Debug)]
struct Ringing {
    inner: SharedHttpClient,
    notice: Notice,
}

impl HttpClient for Ringing {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(RingingConnector { inner, notice: self.notice.clone() })
    }
}

#[derive(Debug)]
struct RingingConnector {
    inner: SharedHttpConnector,
    notice: Notice,
}

impl HttpConnector for RingingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sends = operation(&request).starts_with("SendMessage");
        let (answer, notice) = (self.inner.call(request), self.notice.clone());
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            if sends {
                notice.0.notify_one();
            }
            answer
        })
    }
}
