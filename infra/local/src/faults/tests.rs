//! Faults against the real SDK and a real server: what was done is looked at with a client that has none.

use super::*;
use crate::dynamodb::{self, DynamoDb};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_store::schema::create_table;
use std::future::pending;
use std::sync::Mutex;

struct Table {
    clean: Client,
    faulty: Client,
    faults: Faults,
}

async fn table(verdict: Verdict) -> Table {
    let database = DynamoDb::start(None, pending()).await.unwrap();
    let clean = dynamodb::client(database.endpoint(), dynamodb::loopback());
    create_table(&clean, "table").await.unwrap();
    let faults = Faults::new(Some(Arc::new(move |_: &Call<'_>| verdict.clone())));
    let http = FaultyHttp::around(dynamodb::loopback(), Target::DynamoDb, &faults);
    let faulty = dynamodb::client(database.endpoint(), http);
    let config = faulty.config().to_builder().retry_config(RetryConfig::disabled()).build();
    Table { clean, faulty: Client::from_conf(config), faults }
}

impl Table {
    /// Adds one to a counter through the faults: the error's code, or its kind, or nothing.
    #[expect(clippy::disallowed_methods, reason = "a counter of the test's own, in a table that holds no money")]
    async fn count(&self) -> Option<String> {
        let done = self
            .faulty
            .update_item()
            .table_name("table")
            .key("pk", AttributeValue::S("a".to_owned()))
            .key("sk", AttributeValue::S("a".to_owned()))
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .send()
            .await;
        let error = done.err()?;
        Some(error.as_service_error().and_then(|error| error.code()).unwrap_or("no answer").to_owned())
    }

    /// The counter as it stands.
    async fn counted(&self) -> usize {
        let read = self.clean.get_item().table_name("table").consistent_read(true);
        let read = read.key("pk", AttributeValue::S("a".to_owned())).key("sk", AttributeValue::S("a".to_owned()));
        let item = read.send().await.unwrap().item.unwrap_or_default();
        item.get("n").map_or(0, |number| number.as_n().unwrap().parse().unwrap())
    }
}

#[tokio::test]
async fn each_fault_does_what_its_name_says() {
    let throttled = Verdict::Answer { status: 400, code: "ThrottlingException".to_owned() };
    for (verdict, heard, done) in [
        (Verdict::Pass, None, 1),
        (Verdict::FailBeforeSending, Some("no answer"), 0),
        (Verdict::LoseAnswer, Some("no answer"), 1),
        (Verdict::SendTwice, None, 2),
        (throttled, Some("ThrottlingException"), 0),
    ] {
        let table = table(verdict.clone()).await;
        assert_eq!(table.count().await.as_deref(), heard, "{verdict:?}");
        assert_eq!(table.counted().await, done, "{verdict:?}");
    }
}

#[tokio::test]
async fn a_killed_call_never_returns_and_nothing_is_sent_after_it() {
    for (verdict, done) in [(Verdict::KillBefore, 0), (Verdict::KillAfter, 1)] {
        let table = table(verdict.clone()).await;
        tokio::select! {
            _ = table.count() => panic!("a dead process got an answer"),
            () = table.faults.killed() => {}
        }
        tokio::select! {
            _ = table.count() => panic!("a dead process sent something"),
            counted = table.counted() => assert_eq!(counted, done, "{verdict:?}"),
        }
    }
}

#[tokio::test]
async fn a_fault_is_told_what_is_about_to_be_sent() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let witness = Arc::clone(&seen);
    let faults = Faults::new(Some(Arc::new(move |call: &Call<'_>| {
        let body = String::from_utf8_lossy(call.body).into_owned();
        witness.lock().unwrap().push((call.number, call.target, call.operation.to_owned(), body));
        Verdict::FailBeforeSending
    })));
    let http = FaultyHttp::around(dynamodb::loopback(), Target::DynamoDb, &faults);
    let client = dynamodb::client("http://127.0.0.1:1", http);
    let client = Client::from_conf(client.config().to_builder().retry_config(RetryConfig::disabled()).build());
    for name in ["one", "two"] {
        client.describe_table().table_name(name).send().await.unwrap_err();
    }
    let expected = [(0, "one"), (1, "two")].map(|(number, name)| {
        (number, Target::DynamoDb, "DescribeTable".to_owned(), format!("{{\"TableName\":\"{name}\"}}"))
    });
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_gateway_that_was_asked_may_still_seem_never_to_have_answered() {
    for (verdict, heard, asked) in [
        (Verdict::Pass, Some((200, "asked POST /base/v1/refunds?a=1 x")), 1),
        (Verdict::FailBeforeSending, None, 0),
        (Verdict::LoseAnswer, None, 1),
        (Verdict::SendTwice, Some((200, "asked POST /base/v1/refunds?a=1 x")), 2),
        (Verdict::Answer { status: 500, code: "{}".to_owned() }, Some((500, "{}")), 0),
    ] {
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        let gateway = axum::Router::new().fallback(async move |method: http::Method, uri: http::Uri, body: String| {
            counter.fetch_add(1, Ordering::SeqCst);
            format!("asked {method} {uri} {body}")
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}/base", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, gateway).into_future());

        let told = verdict.clone();
        let faults = Faults::new(Some(Arc::new(move |_: &Call<'_>| told.clone())));
        let base = GatewayProxy::around(&upstream, &faults).await.unwrap();
        let answer = post(&format!("{base}/v1/refunds?a=1"), "x").await;
        assert_eq!(answer, heard.map(|(status, body)| (status, body.to_owned())), "{verdict:?}");
        assert_eq!(count.load(Ordering::SeqCst), asked, "{verdict:?}");
    }
}

/// Status and body; nothing when the connection broke.
async fn post(url: &str, body: &str) -> Option<(u16, String)> {
    use http_body_util::{BodyExt, Full};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::post(url).body(Full::new(bytes::Bytes::from(body.to_owned()))).unwrap();
    let (parts, body) = client.request(request).await.ok()?.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Some((parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap()))
}
