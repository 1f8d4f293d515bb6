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

/// An escrow that was paid in the sandbox; its id and the tokens of buyer and seller.
async fn held(local: &Local) -> (String, [String; 2]) {
    let mut tokens = [String::new(), String::new()];
    for (token, sub) in tokens.iter_mut().zip(["usr_buyer", "usr_seller"]) {
        let (_, answer) = call(local, "POST", "/_local/tokens", &json!({ "sub": sub })).await;
        *token = answer["token"].as_str().unwrap().to_owned();
    }
    let order = json!({
        "kind": "service", "subject": { "type": "job", "id": "job_1" }, "buyer": "usr_buyer", "seller": "usr_seller",
        "currency": "SAR", "amount": "150.00", "gateway": "stripe",
    });
    let api = Api::new(local.url());
    let created = api.post("/v1/checkouts").quietly().by(&tokens[0]).key("one").send(&order).await.unwrap();
    let created = created.is(201).unwrap();
    let page = created["checkout"]["url"].as_str().unwrap();
    assert_eq!(call(local, "POST", page, &json!({ "outcome": "paid", "duplicates": 2 })).await.0, 200);
    assert_eq!(call(local, "POST", "/_local/settle", &Value::Null).await, (200, json!({ "quiet": true })));
    (created["escrow"]["id"].as_str().unwrap().to_owned(), tokens)
}

async fn command(local: &Local, escrow: &str, name: &str, token: &str) -> Value {
    let api = Api::new(local.url());
    let path = format!("/v1/escrows/{escrow}/{name}");
    api.post(&path).quietly().by(token).key("one").send(&json!({})).await.unwrap().is(200).unwrap()
}

#[tokio::test]
async fn everything_that_arrives_twice_happens_once() {
    let twice = |_: &Call<'_>| Verdict::SendTwice;
    let local = Local::start(Options::in_memory().with_faults(twice)).await.unwrap();
    let (escrow, [buyer, seller]) = held(&local).await;
    command(&local, &escrow, "deliver", &seller).await;
    assert_eq!(command(&local, &escrow, "release", &buyer).await["status"], "released");
    let api = Api::new(local.url());
    let wallet = api.get("/v1/wallets/usr_seller").quietly().by(&seller).send(&Value::Null).await.unwrap();
    assert_eq!(wallet.is(200).unwrap()["balances"][0]["available"], "135.00");
    let (_, verified) = call(&local, "GET", "/_local/verify", &Value::Null).await;
    assert_eq!((&verified["ok"], &verified["lines"]), (&json!(true), &json!(1)), "{verified}");
    local.stop().await;
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_reaches_the_gateway_once_and_is_found_out() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let lost = move |call: &Call<'_>| {
        let refund = call.target == crate::faults::Target::Gateway && call.operation == "POST /v1/refunds";
        let first = refund && asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if first { Verdict::LoseAnswer } else { Verdict::Pass }
    };
    let local = Local::start(Options::in_memory().with_faults(lost)).await.unwrap();
    let (escrow, [_, seller]) = held(&local).await;
    assert_eq!(command(&local, &escrow, "refund", &seller).await["status"], "refunding");
    // The lease of the try that seems to have failed must be over before anybody asks again.
    assert_eq!(call(&local, "POST", "/_local/clock", &json!({ "advance": "PT1H" })).await.0, 200);
    let api = Api::new(local.url());
    let path = format!("/v1/escrows/{escrow}");
    let seen = api.get(&path).quietly().by(&seller).send(&Value::Null).await.unwrap().is(200).unwrap();
    assert_eq!(seen["status"], "refunded");
    let (_, sandbox) = call(&local, "GET", "/_local/sandbox/stripe", &Value::Null).await;
    assert_eq!(sandbox["refunds"].as_array().unwrap().len(), 1, "{sandbox}");
    let (_, verified) = call(&local, "GET", "/_local/verify", &Value::Null).await;
    assert_eq!(verified["ok"], true, "{verified}");
    local.stop().await;
}

#[tokio::test]
async fn a_kill_after_any_write_of_a_release_leaves_it_done_or_not_done() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = Folder::new("kill");
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let kill = move |call: &Call<'_>| {
        let write = call.operation == "TransactWriteItems" && trigger.load(Ordering::SeqCst);
        if write { Verdict::KillAfter } else { Verdict::Pass }
    };
    let local = Local::start(Options::in_folder(&folder.0).with_faults(kill)).await.unwrap();
    let (escrow, [buyer, seller]) = held(&local).await;
    armed.store(true, Ordering::SeqCst);
    let api = Api::new(local.url());
    let path = format!("/v1/escrows/{escrow}/release");
    assert!(api.post(&path).quietly().by(&buyer).key("one").send(&json!({})).await.is_err(), "a dead process answered");
    local.ended().await;
    drop(local);

    let local = Local::start(Options::in_folder(&folder.0)).await.unwrap();
    assert_eq!(command(&local, &escrow, "release", &buyer).await["status"], "released");
    let api = Api::new(local.url());
    let wallet = api.get("/v1/wallets/usr_seller").quietly().by(&seller).send(&Value::Null).await.unwrap();
    assert_eq!(wallet.is(200).unwrap()["balances"][0]["available"], "135.00", "credited once");
    local.stop().await;
}

#[tokio::test]
async fn verify_notices_a_line_that_is_missing_from_a_statement() {
    let local = Local::start(Options::in_memory()).await.unwrap();
    let (escrow, [buyer, _]) = held(&local).await;
    command(&local, &escrow, "release", &buyer).await;
    assert_eq!(call(&local, "GET", "/_local/verify", &Value::Null).await.1["ok"], true);

    let database = local.dynamodb();
    let everything = database.scan().table_name(local.table()).send().await.unwrap();
    let is_line = |item: &&std::collections::HashMap<_, _>| matches!(item.get("sk"), Some(aws_sdk_dynamodb::types::AttributeValue::S(key)) if key.starts_with("L#"));
    let line = everything.items().iter().find(is_line).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the damage that must be noticed")]
    let removal = database.delete_item().table_name(local.table());
    removal.key("pk", line["pk"].clone()).key("sk", line["sk"].clone()).send().await.unwrap();

    let (status, found) = call(&local, "GET", "/_local/verify", &Value::Null).await;
    assert_eq!((status, &found["ok"]), (200, &json!(false)), "{found}");
    assert_eq!(found["breaks"][0]["at"], "wallet:usr_seller:SAR", "{found}");
    local.stop().await;
}
