//! The whole wrapper: what is answered, what is logged, what is counted.

use super::*;
use crate::bed;
use crate::problem::Problem;
use crate::telemetry;
use escrow_domain::time::Timestamp;
use lambda_http::Body;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tracing_subscriber::EnvFilter;

fn now() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn request(token: Option<&str>) -> Request {
    let mut builder = http::Request::builder().method("POST").uri("/v1/escrows/esc_1/release?secret=in-the-query");
    if let Some(token) = token {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    builder.body(Body::from("{\"reason\": \"in the body\"}")).unwrap()
}

/// What was logged while the request was served: every line as JSON, without what differs from run to run.
async fn logged(work: impl Future<Output = ()>) -> Vec<Value> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&written);
    let make = move || Buffer(Arc::clone(&writer));
    let guard = tracing::subscriber::set_default(telemetry::json(EnvFilter::new("info"), make));
    work.await;
    drop(guard);
    let bytes = written.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let took = line["duration_ms"].as_u64().unwrap();
        let message = line["message"].as_str().unwrap().replace(&format!(" in {took} ms"), " in N ms");
        assert!(line["timestamp"].is_string());
        for (name, value) in [("duration_ms", json!("N")), ("timestamp", json!("T")), ("message", json!(message))] {
            line[name] = value;
        }
        line
    };
    text.lines().map(line).collect()
}

struct Buffer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sorted, so that the snapshot does not depend on which other crates are built along.
fn sorted(lines: &[Value]) -> String {
    let mut text = String::new();
    for line in lines {
        let fields: std::collections::BTreeMap<_, _> = line.as_object().unwrap().iter().collect();
        text.push_str(&format!("{}\n", serde_json::to_string_pretty(&fields).unwrap()));
    }
    text
}

#[tokio::test]
async fn the_log_line_of_a_request_that_went_well() {
    let app = bed::app(now()).await;
    let token = bed::token(&app, "usr_buyer", &["operator"]);
    let lines = logged(async {
        let response = serve(&app, "release-escrow", request(Some(&token)), |incoming| async {
            let incoming = incoming;
            app.auth.authenticate(&incoming, app.clock.now()).await?;
            incoming.line().escrow("esc_1");
            incoming.line().command("release");
            incoming.line().replayed(true);
            Ok(Reply::ok(&json!({})).replayed())
        })
        .await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-request-id"]),
            (200, &"unknown".parse().unwrap())
        );
    })
    .await;
    insta::assert_snapshot!(sorted(&lines));
    assert!(app.metrics.kept().is_empty());
}

#[tokio::test]
async fn a_failure_is_logged_once_with_what_is_known_inside_and_counted() {
    let app = bed::app(now()).await;
    let lines = logged(async {
        let response = serve(&app, "release-escrow", request(None), |_incoming| async {
            Err(Problem::unavailable("DynamoDB did not answer: connection refused"))
        })
        .await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
    })
    .await;
    assert_eq!(lines.len(), 1, "once");
    insta::assert_snapshot!(sorted(&lines));
    assert_eq!(app.metrics.kept()[0]["Code"], "unavailable");
}

#[tokio::test]
async fn a_line_never_holds_bodies_queries_or_tokens() {
    let app = bed::app(now()).await;
    let token = bed::token(&app, "usr_buyer", &["operator"]);
    let lines = logged(async {
        serve(&app, "release-escrow", request(Some(&token)), |incoming| async move {
            incoming.json::<Value>()?;
            Ok(Reply::ok(&json!({})))
        })
        .await;
    })
    .await;
    let text = sorted(&lines);
    for secret in ["in-the-query", "in the body", token.as_str()] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn an_invocation_that_is_no_request_has_its_line_too() {
    let lines = logged(async {
        let done = carry_out("auto-release", "req-1", |_line| async {
            Ok::<_, String>((3, "3 escrows, 1 wallet".to_owned()))
        })
        .await;
        assert_eq!(done, Ok(3));
        let failed = carry_out("settle", "req-2", |line| async move {
            line.escrow("esc_1");
            Err::<((), String), _>("the batch could not be read")
        })
        .await;
        assert_eq!(failed, Err("the batch could not be read"));
    })
    .await;
    insta::assert_snapshot!(sorted(&lines));
}
