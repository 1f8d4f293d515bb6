//! After the day: nothing goes wrong any more, everybody tries again, time passes. Everything must come to its end, and all books agree.

use super::acts::allowed;
use super::luck::Fired;
use super::world::{DEALERS, OPERATORS, World};
use holdfast_tests::json::Look;
use serde_json::{Value, json};

/// Longer than any path through the lifecycle: two disputes, three rounds of changes, all extensions, and everything by the last
/// minute.
const ROUNDS: usize = 60;
/// What passes between two looks, in hours: more each time, up to a month.
const LATER: u64 = 4 * 24;
const LONGEST: u64 = 30 * 24;
/// Whoever is not answered by then never is.
const MOST_TRIES: usize = 12;

impl World {
    /// Sees everything to its end and checks it.
    pub(crate) async fn come_to_its_end(mut self) -> Fired {
        self.luck.wake(false);
        self.hand.people.switch_sandbox(json!({ "next": [], "balance": { "available_after_s": 0 } })).await;
        self.fill_balance().await;
        self.everybody_tries_again().await;
        let (mut open, mut later) = (Vec::new(), 0);
        for round in 0..ROUNDS {
            self.tell(&format!("round {round}, {} things are open", open.len()));
            self.an_hour_passes().await;
            self.the_operator_decides().await;
            self.the_bank_decides().await;
            self.an_hour_passes().await;
            open = self.what_is_open().await;
            if open.is_empty() {
                break;
            }
            later = LONGEST.min(later + LATER);
            self.let_hours_pass(later).await;
        }
        assert!(open.is_empty(), "stuck: {open:#?}");
        for asked in std::mem::take(&mut self.answered) {
            self.repeat(asked).await;
        }
        self.an_hour_passes().await;
        self.books_agree().await;
        let mut fired = self.fired;
        fired.add(&self.luck.fired());
        fired
    }

    async fn everybody_tries_again(&mut self) {
        for _try in 0..MOST_TRIES {
            for asked in std::mem::take(&mut self.unanswered) {
                self.take_in(asked).await;
            }
        }
        assert!(self.unanswered.is_empty(), "never answered: {:?}, but {:#}", self.unanswered, self.last_word);
    }

    /// What is on its way arrives, leases end, back-offs pass.
    async fn an_hour_passes(&mut self) {
        self.gather().await;
        for event in std::mem::take(&mut self.events) {
            self.tell_until_taken(&event).await;
        }
        self.messages.clear();
        for time in ["PT20M", "PT40M"] {
            self.hand.pass(time);
            self.hand.sweep().await;
            self.hand.drain(false).await;
        }
    }

    /// Reviews are decided, what an operator froze goes on, and payouts that wait for one are taken up.
    async fn the_operator_decides(&mut self) {
        for id in self.escrows.clone() {
            let operator = self.people[OPERATORS[0]].caller.clone();
            let seen = operator.get(&format!("/v1/escrows/{id}")).send().await.is(200);
            for action in allowed(&seen) {
                let body = match action.as_str() {
                    "unfreeze" => json!({ "reason": "It was looked at." }),
                    "resolve" => json!({ "resolution": self.what_to_do(&seen).await, "reason": "It was looked at." }),
                    _ => continue,
                };
                self.fired.count(&format!("operator: {action}"));
                let path = format!("/v1/escrows/{id}/{action}");
                let answer = self.hand.ask(&operator, &path, &self.hand.key(), &body).await.unwrap();
                assert!(matches!(answer.status, 200 | 409), "{path}: {:#}", answer.body);
            }
        }
        for payout in self.payouts().await {
            if matches!(payout.text("/status"), "approval" | "owed" | "review") {
                let who = OPERATORS[self.any(2)];
                let path = format!("/v1/payouts/{}", payout.text("/id"));
                let seen = self.people[who].caller.get(&path).send().await.is(200);
                self.decide_payout(who, &seen).await;
            }
        }
    }

    /// What the operator does about the oldest review, after a look into the gateway's dashboard.
    async fn what_to_do(&mut self, escrow: &Value) -> &'static str {
        let by_us = |one: &&Value| !matches!(one.text("/cause"), "operator" | "chargeback");
        let review = escrow.list("/frozen").iter().find(by_us).unwrap_or_else(|| panic!("no review: {escrow:#}"));
        self.fired.count(&format!("review {}", review.text("/cause")));
        match review.text("/cause") {
            "refund_failed" => ["retry", "credit_wallet"][self.any(2)],
            "refund_unasked" | "close_failed" => "done",
            other => panic!("a review that a good end should have found out: {other} {escrow:#}"),
        }
    }

    /// Whatever still waits for something.
    async fn what_is_open(&mut self) -> Vec<Value> {
        const FINAL: [&str; 5] = ["released", "refunded", "split", "cancelled", "expired"];
        const OVER: [&str; 4] = ["paid", "returned", "failed", "rejected"];
        let mut open = Vec::new();
        for id in &self.escrows {
            let escrow = self.people[OPERATORS[0]].caller.get(&format!("/v1/escrows/{id}")).send().await.is(200);
            let live =
                |payment: &Value| matches!(payment.text("/status"), "opening" | "open" | "closing" | "processing");
            let is_final = FINAL.contains(&escrow.text("/status"))
                && escrow["frozen"] == json!([])
                && escrow["refunding"].as_str().is_some_and(|left| left.trim_matches(['0', '.']).is_empty())
                && !escrow.list("/payments").iter().any(live);
            if !is_final {
                open.push(escrow);
            }
        }
        open.extend(self.payouts().await.into_iter().filter(|payout| !OVER.contains(&payout.text("/status"))));
        // What came before the thing that it is about is tried again, later and later.
        if open.is_empty() && self.hand.people.verify().await["parked"] != 0 {
            let mut parked = Vec::new();
            for event in &self.parked {
                let body: Value = serde_json::from_str(&event.body).unwrap();
                parked.push(json!({ "type": event.kind, "about": self.whose(&body["data"]["object"]).await }));
            }
            open.push(json!({ "parked, one of": parked }));
        }
        open
    }

    /// What an object of the gateway is about, as we see it.
    async fn whose(&self, object: &Value) -> Value {
        let state = self.hand.people.sandbox().await;
        let intent = object["payment_intent"].as_str().or(object["id"].as_str());
        let intents = state.list("/payment_intents");
        let Some(intent) = intents.iter().find(|one| one["id"].as_str() == intent) else { return object.clone() };
        let operator = &self.people[OPERATORS[0]].caller;
        let path = match (&intent["metadata"]["escrow_id"], &intent["metadata"]["top_up_id"]) {
            (Value::String(id), _) => format!("/v1/escrows/{id}"),
            (_, Value::String(id)) => format!("/v1/top-ups/{id}"),
            _ => return intent.clone(),
        };
        let mut seen = operator.get(&path).send().await.body;
        seen["actions"] = Value::Null;
        json!({ "intent": intent, "ours": seen })
    }

    /// Every ledger adds up, and what we say lies at the gateway is what lies there.
    async fn books_agree(&mut self) {
        let read = self.hand.system.reconcile().await.unwrap().unwrap();
        assert!(read.report.ok && read.unread.is_empty(), "the reconciler finds breaks: {read:#?}");
        let report = self.hand.people.verify().await;
        let state = self.hand.people.sandbox().await;
        for effects in ["refund_effects", "transfer_effects"] {
            for (effect, times) in state[effects].as_object().unwrap() {
                assert_eq!(times, 1, "{effect} was made {times} times");
            }
        }
        let ours = |account: &str, currency: &str| -> i64 {
            let same = |sum: &&Value| sum["account"] == account && sum["currency"] == currency;
            let sum = report.list("/accounts").iter().find(same);
            sum.map_or(0, |sum| sum.text("/units").parse().unwrap())
        };
        for account in ["escrows", "credits", "refunds:stripe", "payouts:stripe", "payouts:manual", "unapplied:stripe"]
        {
            for currency in ["SAR", "COIN"] {
                assert_eq!(ours(account, currency), 0, "{account} {currency}: {report:#}");
            }
        }
        assert_eq!(ours("chargebacks:stripe", "SAR"), 0, "{report:#}");
        // What somebody gave back by hand and is no longer held was an operator's to find: it is not in our books.
        let by_hand = state.list("/refunds").iter().filter(|refund| refund["by_hand"] == true);
        let unexplained: i64 = by_hand.map(|refund| refund["amount"].as_i64().unwrap()).sum();
        let more = ours("gateway:stripe", "SAR") - theirs(&state);
        assert!(
            (0..=unexplained).contains(&more),
            "we have {more} more than the gateway, and {unexplained} went back by hand: {report:#}"
        );
        for owner in DEALERS {
            let path = format!("/v1/wallets/{}", self.people[owner].name);
            let wallet = self.people[owner].caller.get(&path).send().await.is(200);
            for balance in wallet.list("/balances") {
                let pending = balance.text("/pending").trim_matches(['0', '.']).to_owned();
                assert!(pending.is_empty(), "something is on its way for ever: {wallet:#}");
            }
        }
    }
}

/// What lies at the gateway, before its own fees: captured, less what went back, on, and to banks.
fn theirs(state: &Value) -> i64 {
    let sum = |list: &str, what: &dyn Fn(&Value) -> i64| state.list(list).iter().map(what).sum::<i64>();
    let units = |value: &Value| value.as_i64().unwrap();
    let captured = sum("/payment_intents", &|intent| {
        if intent["charge"].is_string() { units(&intent["amount"]) - units(&intent["refunded"]) } else { 0 }
    });
    let sent = sum("/transfers", &|transfer| units(&transfer["amount"]) - units(&transfer["reversed"]));
    let charged_back = sum("/disputes", &|dispute| {
        let taken = dispute["withdrawn"] == true && dispute["reinstated"] == false;
        if taken { units(&dispute["amount"]) } else { 0 }
    });
    captured - sent - charged_back
}
