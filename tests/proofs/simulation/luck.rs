//! Bad luck, drawn from a seed: what happens to each call that a function makes.

use holdfast::faults::{Call, Target, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How often everything happened.
#[derive(Debug, Default, Clone)]
pub(crate) struct Fired(BTreeMap<String, u64>);

/// What must have happened over all days. Each is counted where it happens.
const MUST: &[&str] = &[
    "not sent",
    "answer lost",
    "sent twice",
    "killed before",
    "killed after",
    "throttled",
    "broken",
    "conflict",
    "overtaken",
    "held back",
    "event lost for a while",
    "event twice",
    "message lost",
    "request repeated",
    "clock jumped",
    "event lost for good",
    "found by the reconciler",
    "the gateway errs",
    "top-up",
    "paid from a wallet",
    "payout asked for",
    "payout wished for",
    "payouts by an operator",
    "payout approve",
    "payout reject",
    "payout mark_paid",
    "payout mark_failed",
    "onboarding complete",
    "chargeback",
    "chargeback won",
    "chargeback lost",
    "refund by hand",
    "refund failed",
    "transfer came back",
    "release",
    "refund",
    "withdraw",
    "agree_cancel",
    "dispute",
    "add_evidence",
    "accept",
    "rule",
    "withdraw_dispute",
    "ask_extend",
    "extend",
    "freeze",
    "operator: resolve",
];

impl Fired {
    /// Once more.
    pub(crate) fn count(&mut self, what: &str) {
        *self.0.entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// Stops if something never happened.
    pub(crate) fn check(&self) {
        let never: Vec<_> = MUST.iter().filter(|what| !self.0.contains_key(**what)).collect();
        assert!(never.is_empty(), "these never happened: {never:?}\n{:#?}", self.0);
    }
}

/// Decides about every call of a day.
#[derive(Debug, Clone)]
pub(crate) struct Luck(Arc<Mutex<Drawn>>);

#[derive(Debug)]
struct Drawn {
    random: StdRng,
    /// Of a thousand calls of the day, so many go wrong.
    bad: u32,
    /// Only during the day.
    awake: bool,
    fired: Fired,
}

impl Luck {
    /// The luck of that day: none, some, or very bad.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x1u64.rotate_left(63));
        let bad = [0, 20, 60, 150, 300][random.random_range(0..5)];
        Self(Arc::new(Mutex::new(Drawn { random, bad, awake: false, fired: Fired::default() })))
    }

    /// From now on things go wrong, or no more.
    pub(crate) fn wake(&self, awake: bool) {
        self.0.lock().unwrap().awake = awake;
    }

    /// What has happened so far.
    pub(crate) fn fired(&self) -> Fired {
        self.0.lock().unwrap().fired.clone()
    }

    /// What happens to this call.
    pub(crate) fn decide(&self, call: &Call<'_>) -> Verdict {
        let mut drawn = self.0.lock().unwrap();
        if !drawn.awake || drawn.random.random_range(0..1_000) >= drawn.bad {
            return Verdict::Pass;
        }
        let choice = drawn.random.random_range(0..8);
        let (name, verdict) = blow(call, choice);
        drawn.fired.count(name);
        verdict
    }
}

fn blow(call: &Call<'_>, choice: u32) -> (&'static str, Verdict) {
    let says = |status, code: &str| Verdict::Answer { status, code: code.to_owned() };
    match (choice, call.target) {
        (0, _) => ("not sent", Verdict::FailBeforeSending),
        (1, _) => ("answer lost", Verdict::LoseAnswer),
        (2, _) => ("sent twice", Verdict::SendTwice),
        (3, _) => ("killed before", Verdict::KillBefore),
        (4, _) => ("killed after", Verdict::KillAfter),
        (5, Target::DynamoDb) => ("throttled", says(400, "ThrottlingException")),
        (6, Target::DynamoDb) => match call.operation {
            "PutItem" => ("conflict", says(400, "TransactionConflictException")),
            "TransactWriteItems" => ("conflict", conflict(call.body)),
            _ => ("broken", says(500, "InternalServerError")),
        },
        (_, Target::DynamoDb) if call.operation == "PutItem" || replaces(call) => {
            ("overtaken", Verdict::Overtake { member: 0 })
        }
        (_, Target::DynamoDb) => ("broken", says(500, "InternalServerError")),
        (5, Target::Queue) => ("throttled", says(400, "RequestThrottled")),
        (_, Target::Queue) => ("broken", says(500, "InternalFailure")),
        (5, Target::Gateway) => {
            ("held back", says(429, r#"{"error":{"type":"invalid_request_error","code":"rate_limit"}}"#))
        }
        (6, Target::Gateway) => ("conflict", says(409, r#"{"error":{"type":"idempotency_error"}}"#)),
        (_, Target::Gateway) => ("broken", says(500, r#"{"error":{"type":"api_error"}}"#)),
    }
}

/// Whether a transaction changes something that is there: what somebody else had put anew would have come with the rest of its
/// transaction.
fn replaces(call: &Call<'_>) -> bool {
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    call.operation == "TransactWriteItems"
        && body.pointer("/TransactItems/0/Put/ExpressionAttributeValues/:v").is_some()
}

/// A transaction that another one was in the way of.
fn conflict(body: &[u8]) -> Verdict {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let members = body["TransactItems"].as_array().map_or(0, Vec::len);
    let reason = |member| json!({ "Code": if member == 0 { "TransactionConflict" } else { "None" } });
    let reasons: Vec<Value> = (0..members).map(reason).collect();
    let code =
        json!({ "__type": "TransactionCanceledException", "message": "injected", "CancellationReasons": reasons });
    Verdict::Answer { status: 400, code: code.to_string() }
}
