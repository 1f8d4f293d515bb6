//! A system of one's own, with the people of a marketplace.

use holdfast::{Local, Options};
use serde_json::{Value, json};

use crate::api::{Api, Caller};
use crate::json::Look;

/// A running Holdfast and everybody who calls it.
#[derive(Debug)]
pub struct Stack {
    /// Whoever has no token.
    pub api: Api,
    /// Pays.
    pub buyer: Caller,
    /// Delivers.
    pub seller: Caller,
    /// Signed in, and party of nothing.
    pub stranger: Caller,
    /// Rules disputes.
    pub arbiter: Caller,
    /// Runs support.
    pub operator: Caller,
    /// The marketplace's own server.
    pub platform: Caller,
}

/// Plays a story on a system in memory, and verifies the ledger at its end.
pub async fn on_holdfast(story: impl AsyncFnOnce(&Stack)) {
    on(Options::in_memory(), story).await;
}

/// Plays a story on a system that is started so, and verifies the ledger at its end.
pub async fn on(options: Options, story: impl AsyncFnOnce(&Stack)) {
    let local = Local::start(options).await.unwrap_or_else(|error| panic!("it does not start: {error}"));
    let stack = Stack::at(local.url()).await;
    story(&stack).await;
    stack.settle().await;
    stack.verify().await;
    local.stop().await;
}

impl Stack {
    /// The people of the system at that address.
    pub async fn at(url: &str) -> Self {
        let api = Api::new(url);
        Self {
            buyer: api.caller("usr_buyer", "").await,
            seller: api.caller("usr_seller", "").await,
            stranger: api.caller("usr_stranger", "").await,
            arbiter: api.caller("usr_arbiter", "arbiter").await,
            operator: api.caller("usr_operator", "operator").await,
            platform: api.caller("usr_platform", "platform").await,
            api,
        }
    }

    /// Waits until nothing is left to do now.
    pub async fn settle(&self) {
        self.api.post("/_local/settle").send().await.is(200);
    }

    /// Moves the clock on (`P7D`); what becomes due is done when this returns.
    pub async fn advance(&self, by: &str) {
        self.api.post("/_local/clock").json(&json!({ "advance": by })).send().await.is(200);
        self.settle().await;
    }

    /// What time it is, as the API writes it.
    pub async fn now(&self) -> String {
        self.api.get("/_local/clock").send().await.is(200).text("/now").to_owned()
    }

    /// Stops unless every journal, state, wallet and statement fit together. Gives the report.
    pub async fn verify(&self) -> Value {
        let report = self.api.get("/_local/verify").send().await.is(200);
        assert!(report["ok"] == true, "the ledger does not hold: {report:#}");
        report
    }

    /// What DynamoDB has been written so far: the units, as the API writes them.
    pub async fn write_units(&self) -> Value {
        self.api.get("/_local/capacity").send().await.is(200)["write_units"].clone()
    }

    /// What the gateway's sandbox knows: sessions, payment intents, refunds, events, calls.
    pub async fn sandbox(&self) -> Value {
        self.api.get("/_local/sandbox/stripe").send().await.is(200)
    }

    /// Throws the sandbox's switches: `{"next": [{"refunds": "timeout_after"}]}`.
    pub async fn switch_sandbox(&self, switches: Value) {
        self.api.post("/_local/sandbox/stripe").json(&switches).send().await.is(200);
    }

    /// A user's balance in one currency, as the operator sees it; `null` where there is none.
    pub async fn balance(&self, owner: &str, currency: &str) -> Value {
        let wallet = self.operator.get(&format!("/v1/wallets/{owner}")).send().await.is(200);
        wallet.list("/balances").iter().find(|balance| balance["currency"] == currency).cloned().unwrap_or_default()
    }
}
