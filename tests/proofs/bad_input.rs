//! What must not work: each gets its own clear problem, and nothing is written.

mod bodies;
mod requests;
mod tokens;
mod wallets;
mod webhooks;

use holdfast_tests::api::{Answer, Call};
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::Stack;
use serde_json::Value;

/// A table of requests with what they must be answered. It goes through to its end and then says everything that was wrong.
struct Table<'a> {
    holdfast: &'a Stack,
    rows: usize,
    wrong: Vec<String>,
}

impl<'a> Table<'a> {
    fn on(holdfast: &'a Stack) -> Self {
        Self { holdfast, rows: 0, wrong: Vec::new() }
    }

    /// The call must be refused so, and DynamoDB must not have been written.
    async fn row(&mut self, what: &str, call: Call, status: u16, code: &str) {
        self.row_at(what, call, status, code, "").await;
    }

    /// The same, and the answer must say where in the body the mistake is; an empty pointer leaves that open.
    async fn row_at(&mut self, what: &str, call: Call, status: u16, code: &str, pointer: &str) {
        let before = self.holdfast.write_units().await;
        let answer = call.send().await;
        self.rows += 1;
        self.compare(what, &answer, status, code);
        let place = answer.body.pointer("/errors/0/pointer").and_then(Value::as_str).unwrap_or_default();
        if !pointer.is_empty() && place != pointer {
            self.wrong.push(format!("{what}: the mistake is said to be at {place:?}, and is at {pointer}"));
        }
        let after = self.holdfast.write_units().await;
        if before != after {
            self.wrong.push(format!("{what}: wrote {before} to {after} units"));
        }
    }

    fn compare(&mut self, what: &str, answer: &Answer, status: u16, code: &str) {
        let found = answer.body["code"].as_str().unwrap_or_default();
        if answer.status != status || found != code {
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            self.wrong.push(format!("{what}: {} {found}, expected {status} {code} ({detail})", answer.status));
        }
    }

    /// Stops if anything was wrong, or if the table was empty.
    #[track_caller]
    fn end(self) {
        assert!(self.rows > 0, "a table without rows proves nothing");
        assert!(
            self.wrong.is_empty(),
            "{} of {} rows are wrong:\n{}",
            self.wrong.len(),
            self.rows,
            self.wrong.join("\n")
        );
    }
}

/// The usual order with something wrong in it.
fn order_with(changes: Value) -> Value {
    with(holdfast_tests::deal::order(), changes)
}

/// How many events are parked for an operator.
async fn parked(holdfast: &Stack) -> Value {
    holdfast.verify().await["parked"].clone()
}

/// Everything about an escrow that money depends on.
async fn money_of(holdfast: &Stack, escrow: &str) -> Value {
    let seen = holdfast.buyer.get(&format!("/v1/escrows/{escrow}")).send().await.is(200);
    serde_json::json!([seen["version"], seen.text("/status"), seen["payments"], seen["held"], seen["refunding"]])
}
