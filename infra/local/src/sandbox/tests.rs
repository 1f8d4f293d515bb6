//! The sandbox as its callers see it: over HTTP, with a webhook endpoint that writes down what arrives.

mod accounts;
mod disputes;
mod faults;
mod gateway;
mod intents;
mod keeping;
mod page;
mod reports;
mod requests;
mod switches;
mod transfers;
mod travel;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use escrow_domain::time::Timestamp;
use escrow_http::clock::Clock;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::net::TcpListener;

use super::{Sandbox, Settings, webhooks};

const SECRET: &str = "whsec_of_the_sandbox";
/// 2026-11-21T02:00:00Z
const START: Timestamp = Timestamp::from_seconds(1_795_226_400);
/// A checkout of 150.00 SAR as the gateway crate asks for it.
const CHECKOUT: &str = "mode=payment&client_reference_id=esc_1&success_url=http://shop.test/ok?cs={CHECKOUT_SESSION_ID}\
    &cancel_url=http://shop.test/no&line_items[0][quantity]=1&line_items[0][price_data][currency]=sar\
    &line_items[0][price_data][unit_amount]=15000&line_items[0][price_data][product_data][name]=A+job\
    &metadata[escrow_id]=esc_1&metadata[payment_id]=pay_1&payment_intent_data[metadata][escrow_id]=esc_1\
    &payment_intent_data[metadata][payment_id]=pay_1&payment_intent_data[transfer_group]=esc_1\
    &adaptive_pricing[enabled]=false&allowed_payment_method_types[0]=card";

/// The endpoint: what came, and what it will answer.
#[derive(Clone, Default)]
struct Endpoint {
    arrived: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    /// The statuses of the next answers; 200 when there are no more.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Endpoint {
    fn types(&self) -> Vec<String> {
        let arrived = self.arrived.lock().unwrap();
        arrived.iter().map(|(_, body)| kind(body)).collect()
    }

    fn bodies(&self) -> Vec<Value> {
        let arrived = self.arrived.lock().unwrap();
        arrived.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }

    fn refuse_next(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    fn forget(&self) {
        self.arrived.lock().unwrap().clear();
    }
}

fn kind(body: &str) -> String {
    let event: Value = serde_json::from_str(body).unwrap();
    event["type"].as_str().unwrap().to_owned()
}

async fn receive(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = String::from_utf8(body.to_vec()).unwrap();
    endpoint.arrived.lock().unwrap().push((headers, text));
    let status = endpoint.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

/// A sandbox behind a port, and an endpoint behind another.
struct Bench {
    sandbox: Sandbox,
    clock: Clock,
    endpoint: Endpoint,
    url: String,
    client: webhooks::Client,
}

/// An answer that has been read.
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text))
    }

    /// `200`, or status and code of a refusal.
    fn verdict(&self) -> String {
        let json = self.json();
        let code = json["error"]["code"].as_str().or(json["code"].as_str()).or(json["error"]["type"].as_str());
        code.map_or_else(|| self.status.to_string(), |code| format!("{} {code}", self.status))
    }
}

impl Bench {
    async fn new() -> Self {
        Self::over(None, Clock::standing(START)).await
    }

    async fn over(data: Option<&std::path::Path>, clock: Clock) -> Self {
        let endpoint = Endpoint::default();
        let hook = axum::Router::new().route("/hook", axum::routing::post(receive)).with_state(endpoint.clone());
        let hook_url = format!("{}/hook", serve(|_| hook).await);
        let mut opened = None;
        let url = serve(|url| {
            let settings = Settings {
                public_url: url.to_owned(),
                webhook_url: hook_url,
                webhook_secret: SECRET.to_owned(),
                hold: Duration::from_millis(10),
            };
            let sandbox = Sandbox::open(data, settings, clock.clone()).unwrap();
            let router = sandbox.router();
            opened = Some(sandbox);
            router
        })
        .await;
        Self { sandbox: opened.unwrap(), clock, endpoint, url, client: webhooks::client() }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let response: Response<_> = self.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.ok()?.to_bytes().to_vec()).unwrap();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, text })
    }

    /// A call of the API with a key, if one is given. None if the connection ended without an answer.
    async fn try_post(&self, path: &str, form: &str, key: Option<&str>) -> Option<Answer> {
        let mut request = Request::post(format!("{}/sandbox/stripe/v1/{path}", self.url))
            .header("authorization", "Bearer sk_test_local")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(Full::new(Bytes::from(form.to_owned()))).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        self.try_post(path, form, None).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::get(format!("{}/sandbox/stripe/v1/{path}", self.url))
            .header("authorization", "Bearer sk_test_local")
            .body(Full::default());
        self.send(request.unwrap()).await.unwrap()
    }

    /// JSON to any path.
    async fn tell(&self, path: &str, json: &str) -> Answer {
        let request = Request::post(format!("{}{path}", self.url)).header("content-type", "application/json");
        self.send(request.body(Full::new(Bytes::from(json.to_owned()))).unwrap()).await.unwrap()
    }

    async fn state(&self) -> Value {
        let request = Request::get(format!("{}/_local/sandbox/stripe", self.url)).body(Full::default()).unwrap();
        self.send(request).await.unwrap().json()
    }

    async fn set(&self, switches: &str) {
        assert_eq!(self.tell("/_local/sandbox/stripe", switches).await.status, 200, "{switches}");
    }

    async fn checkout(&self) -> String {
        let session = self.post("checkout/sessions", CHECKOUT).await;
        assert_eq!(session.status, 200, "{}", session.text);
        session.json()["id"].as_str().unwrap().to_owned()
    }

    async fn play(&self, session: &str, json: &str) -> Answer {
        self.tell(&format!("/sandbox/stripe/pay/{session}"), json).await
    }

    /// A paid session, its webhooks delivered and forgotten; answers its intent.
    async fn paid(&self) -> String {
        let session = self.checkout().await;
        let played = self.play(&session, r#"{"outcome": "paid"}"#).await;
        assert_eq!(played.status, 200, "{}", played.text);
        self.sandbox.deliver_due().await;
        self.endpoint.forget();
        played.json()["payment_intent"].as_str().unwrap().to_owned()
    }
}

async fn serve(router: impl FnOnce(&str) -> axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = router(&url);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("holdfast-sandbox-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join(super::FILE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
