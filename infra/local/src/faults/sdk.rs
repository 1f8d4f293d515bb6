//! Faults between the AWS SDK and its network: an HTTP client around the real one.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::{Faults, Target, Verdict, overtake};

/// The real HTTP client, with a fault asked before each call.
#[derive(Debug)]
pub struct FaultyHttp {
    inner: SharedHttpClient,
    target: Target,
    faults: Faults,
}

impl FaultyHttp {
    /// The client given, or that client behind the faults when there are any.
    #[must_use]
    pub fn around(inner: SharedHttpClient, target: Target, faults: &Faults) -> SharedHttpClient {
        if !faults.any() {
            return inner;
        }
        SharedHttpClient::new(Self { inner, target, faults: faults.clone() })
    }
}

impl HttpClient for FaultyHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(FaultyConnector {
            inner: self.inner.http_connector(settings, components),
            target: self.target,
            faults: self.faults.clone(),
        })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    target: Target,
    faults: Faults,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let verdict = self.faults.decide(self.target, operation(&request), request.body().bytes().unwrap_or_default());
        let (inner, faults) = (self.inner.clone(), self.faults.clone());
        HttpConnectorFuture::new(async move {
            match verdict {
                Verdict::Pass => inner.call(request).await,
                Verdict::FailBeforeSending => Err(lost("the connection broke before the request was sent")),
                Verdict::LoseAnswer => {
                    inner.call(request).await?;
                    Err(lost("the connection broke before the answer came"))
                }
                Verdict::SendTwice => {
                    if let Some(copy) = request.try_clone() {
                        inner.call(copy).await?;
                    }
                    inner.call(request).await
                }
                Verdict::Answer { status, code } => answer(status, &code),
                Verdict::Overtake { member } => {
                    if let Some(faster) = overtake::request(&request, member) {
                        inner.call(faster).await?;
                    }
                    inner.call(request).await
                }
                Verdict::KillBefore => faults.kill().await,
                Verdict::KillAfter => {
                    // The effect must stand before the process dies; whether it was an error no longer matters.
                    let _ = inner.call(request).await;
                    faults.kill().await
                }
            }
        })
    }
}

/// `PutItem` of `x-amz-target: DynamoDB_20120810.PutItem`.
pub(crate) fn operation(request: &HttpRequest) -> &str {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default()
}

fn lost(reason: &'static str) -> ConnectorError {
    ConnectorError::io(reason.into())
}

/// An error as the AWS JSON protocols write it.
fn answer(status: u16, code: &str) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    let named = || serde_json::json!({ "__type": code, "message": "injected" }).to_string();
    let body = if code.starts_with('{') { code.to_owned() } else { named() };
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
