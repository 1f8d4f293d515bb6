//! Faults between a function and a gateway: a small forwarding proxy on loopback.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::{Faults, Target, Verdict};

/// Forwards calls to a gateway's base URL, unless a fault says otherwise.
#[derive(Clone)]
pub struct GatewayProxy {
    upstream: String,
    faults: Faults,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl GatewayProxy {
    /// Where to send a gateway's calls: `upstream` itself, or a proxy in front of it when there are faults.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn around(upstream: &str, faults: &Faults) -> io::Result<String> {
        if !faults.any() {
            return Ok(upstream.to_owned());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let proxy = Self {
            upstream: upstream.trim_end_matches('/').to_owned(),
            faults: faults.clone(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        // It ends with the runtime: a proxy holds nothing that must be finished.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(proxy.clone().connection(stream));
            }
        });
        Ok(base)
    }

    async fn connection(self, stream: TcpStream) {
        let service = service_fn(|request| self.answer(request));
        let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        if let Err(error) = served {
            // This is how an injected break looks from here.
            tracing::debug!(%error, "a gateway connection was broken");
        }
    }

    /// An error makes hyper close the connection without an answer, which is what a lost answer looks like.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Break> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Break)?.to_bytes();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let operation = format!("{} {path}", parts.method);
        let send = || async {
            let uri: Uri = format!("{}{path}", self.upstream).parse().map_err(|_| Break)?;
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = parts.method.clone();
            *request.headers_mut() = parts.headers.clone();
            *request.uri_mut() = uri;
            let (parts, body) = self.client.request(request).await.map_err(|_| Break)?.into_parts();
            let body = body.collect().await.map_err(|_| Break)?.to_bytes();
            Ok::<_, Break>(Response::from_parts(parts, Full::new(body)))
        };
        match self.faults.decide(Target::Gateway, &operation, &body) {
            // Nobody overtakes a call to a gateway: its keys are ours alone.
            Verdict::Pass | Verdict::Overtake { .. } => send().await,
            Verdict::FailBeforeSending => Err(Break),
            Verdict::LoseAnswer => send().await.and(Err(Break)),
            Verdict::SendTwice => {
                send().await?;
                send().await
            }
            Verdict::Answer { status, code } => {
                let mut response = Response::new(Full::new(Bytes::from(code)));
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Ok(response)
            }
            Verdict::KillBefore => self.faults.kill().await,
            Verdict::KillAfter => {
                let _ = send().await;
                self.faults.kill().await
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection is broken on purpose, or upstream broke it")]
struct Break;

impl From<Infallible> for Break {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
