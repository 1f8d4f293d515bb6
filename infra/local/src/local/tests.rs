//! Whole systems, spoken to over HTTP.

use super::*;
use crate::demo::client::Api;
use crate::faults::{Call, Verdict};
use escrow_domain::time::Period;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("holdfast-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn call(local: &Local, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let api = Api::new(local.url());
    let call = if method == "POST" { api.post(path) } else { api.get(path) };
    call.quietly().send(body).await.unwrap().parts()
}

#[tokio::test]
async fn the_clock_and_the_tokens_key_survive_a_restart_and_a_kill() {
    let folder = Folder::new("restart");
    let local = Local::start(Options::in_folder(&folder.0)).await.unwrap();
    let key = std::fs::read(folder.0.join("token.key")).unwrap();
    assert_eq!(call(&local, "POST", "/_local/clock", &json!({ "advance": "P7D" })).await.0, 200);
    local.stop().await;

    let local = Local::start(Options::in_folder(&folder.0)).await.unwrap();
    assert_eq!(local.clock().offset(), Period::days(7));
    assert_eq!(call(&local, "POST", "/_local/clock", &json!({ "advance": "PT1S" })).await.0, 200);
    local.kill().await;

    let local = Local::start(Options::in_folder(&folder.0)).await.unwrap();
    assert_eq!(local.clock().offset(), Period::days(7).plus(Period::seconds(1)));
    assert_eq!(std::fs::read(folder.0.join("token.key")).unwrap(), key);
    local.stop().await;
}

#[tokio::test]
async fn a_folder_and_a_port_belong_to_one_system_at_a_time() {
    let folder = Folder::new("alone");
    let local = Local::start(Options::in_folder(&folder.0)).await.unwrap();
    let second = Local::start(Options::in_folder(&folder.0)).await.err().unwrap();
    assert!(second.to_string().contains("is used by another holdfast"), "{second}");
    let port = local.url().rsplit(':').next().unwrap().parse().unwrap();
    let third = Local::start(Options { port, ..Options::in_memory() }).await.err().unwrap();
    assert!(third.to_string().contains("--port"), "{third}");
    local.stop().await;
    Local::start(Options::in_folder(&folder.0)).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_fault_kills_the_whole_system() {
    let kill = |_: &Call<'_>| Verdict::KillBefore;
    // The first sweep, which comes with the start, asks the table and dies.
    let local = Local::start(Options::in_memory().with_faults(kill)).await.unwrap();
    local.ended().await;
    let answer = Api::new(local.url()).get("/_local/health").quietly().send(&Value::Null).await;
    assert!(answer.is_err(), "nobody is there any more");
}

#[tokio::test]
async fn nonsense_gets_a_problem_of_its_own_and_changes_nothing() {
    let local = Local::start(Options::in_memory()).await.unwrap();
    for (method, path, body, status, code) in [
        ("GET", "/_local/nothing", Value::Null, 404, "not_found"),
        ("POST", "/_local/health", Value::Null, 405, "method_not_allowed"),
        ("POST", "/_local/verify", Value::Null, 405, "method_not_allowed"),
        ("GET", "/_local/settle", Value::Null, 405, "method_not_allowed"),
        ("POST", "/_local/clock", Value::Null, 400, "body_invalid"),
        ("POST", "/_local/clock", json!({}), 400, "body_invalid"),
        ("POST", "/_local/clock", json!({ "advance": 7 }), 400, "body_invalid"),
        ("POST", "/_local/clock", json!({ "advance": "-P7D" }), 400, "body_invalid"),
        ("POST", "/_local/clock", json!({ "advance": "P1Y" }), 400, "body_invalid"),
        ("POST", "/_local/clock", json!({ "advance": "P4000000D" }), 400, "body_invalid"),
        ("POST", "/_local/clock", json!({ "advance": "P7D", "back": true }), 400, "body_invalid"),
        ("POST", "/_local/tokens", json!({ "sub": "" }), 400, "body_invalid"),
        ("POST", "/_local/tokens", json!({ "sub": "a b" }), 400, "body_invalid"),
        ("POST", "/_local/tokens", json!({ "sub": "a", "expires_in": "soon" }), 400, "body_invalid"),
        ("POST", "/_local/tokens", json!({ "sub": "a", "role": "operator" }), 400, "body_invalid"),
        ("GET", "/v1/nothing", Value::Null, 404, "not_found"),
        ("GET", "/v1/escrows/%zz", Value::Null, 400, "query_invalid"),
        ("GET", "/v1/escrows/%ff", Value::Null, 400, "query_invalid"),
        ("GET", "/v1/checkouts", Value::Null, 405, "method_not_allowed"),
        ("POST", "/docs", Value::Null, 405, "method_not_allowed"),
    ] {
        let (found, problem) = call(&local, method, path, &body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{method} {path} {body}: {problem}");
    }
    assert_eq!(local.clock().offset(), Period::ZERO);
    let (_, verified) = call(&local, "GET", "/_local/verify", &Value::Null).await;
    assert_eq!((&verified["ok"], &verified["escrows"]), (&json!(true), &json!(0)));
    local.stop().await;
}
