//! A Holdfast that is cranked by hand: every request, event, message and sweep is one invocation that a proof asks for, and every
//! call that a function makes is written down, and may be struck.

mod deeds;

pub(crate) use deeds::{Deed, Who};

use bytes::Bytes;
use escrow_domain::time::Period;
use hmac::{Hmac, KeyInit, Mac};
use holdfast::faults::{Call, Fault, Target, Verdict};
use holdfast::sandbox::Told;
use holdfast::{ByHand, Given, Message};
use holdfast_tests::api::{Answer, Caller};
use holdfast_tests::contract;
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::Stack;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What the gateway signs with.
pub(crate) const SECRET: &str = "whsec_proofs";

/// A call that a function has made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// Whom it was for.
    pub(crate) target: Target,
    /// `PutItem`, `SendMessage`, `POST /v1/refunds`.
    pub(crate) operation: String,
    /// What it said; `null` where it is not JSON.
    pub(crate) body: Value,
}

/// Hears every call of one life at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Heard>>);

/// The calls of one life, and the blow that one of them is dealt.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    listening: bool,
    /// Whether somebody is always faster with the wallet.
    hot: bool,
    /// While somebody only looks, which is no part of the flow.
    looked_at: bool,
    strike: Option<(usize, Verdict)>,
    /// What was called.
    pub(crate) made: Vec<Made>,
    /// Whether the call that was to be struck was made.
    pub(crate) has_struck: bool,
}

impl Heard {
    /// Hears from now on; the call of that number (0 for the first) is struck.
    pub(crate) fn listen(strike: Option<(usize, Verdict)>) -> Self {
        Self { listening: true, strike, ..Self::default() }
    }
}

impl Wire {
    /// From now on another life is heard; the one that was heard before.
    pub(crate) fn hear(&self, life: Heard) -> Heard {
        std::mem::replace(&mut *self.0.lock().unwrap(), life)
    }

    /// Somebody only looks, or no more.
    fn look(&self, looked_at: bool) {
        self.0.lock().unwrap().looked_at = looked_at;
    }

    fn has_struck(&self) -> bool {
        self.0.lock().unwrap().has_struck
    }

    pub(crate) fn decide(&self, call: &Call<'_>) -> Verdict {
        let mut heard = self.0.lock().unwrap();
        if heard.hot && call.operation == "TransactWriteItems" {
            return Verdict::Overtake { member: 1 };
        }
        if !heard.listening || heard.looked_at {
            return Verdict::Pass;
        }
        let number = heard.made.len();
        let body = serde_json::from_slice(call.body).unwrap_or_default();
        heard.made.push(Made { target: call.target, operation: call.operation.to_owned(), body });
        let verdict = match &heard.strike {
            Some((struck, verdict)) if *struck == number => verdict.clone(),
            _ => return Verdict::Pass,
        };
        heard.has_struck = true;
        verdict
    }
}

/// The system, and the people who use it.
pub(crate) struct Hand {
    pub(crate) system: ByHand,
    pub(crate) wire: Wire,
    pub(crate) people: Stack,
    keys: AtomicU64,
    traffic: tokio::sync::Mutex<Traffic>,
}

/// What is on its way.
#[derive(Debug, Default)]
struct Traffic {
    /// The number of the gateway's next event.
    next: u64,
    events: VecDeque<Told>,
    messages: VecDeque<Message>,
}

impl Hand {
    /// One whose wire strikes one call of a life.
    pub(crate) async fn start() -> Self {
        Self::start_with(Given::new()).await
    }

    /// The same with these settings.
    pub(crate) async fn start_with(settings: Given) -> Self {
        let wire = Wire::default();
        let listening = wire.clone();
        let hand = Self::with(settings, move |call: &Call<'_>| listening.decide(call)).await;
        Self { wire, ..hand }
    }

    /// One with these settings and that luck.
    pub(crate) async fn with(settings: Given, fault: impl Fault) -> Self {
        let mut settings = settings;
        settings.insert("STRIPE_WEBHOOK_SECRET".to_owned(), SECRET.to_owned());
        let system = ByHand::start(&settings, fault).await;
        let system = system.unwrap_or_else(|error| panic!("it does not start: {error}"));
        let people = Stack::at(system.url()).await;
        let (wire, keys) = (Wire::default(), AtomicU64::new(0));
        Self { system, wire, people, keys, traffic: tokio::sync::Mutex::default() }
    }

    /// A key that no other request has.
    pub(crate) fn key(&self) -> String {
        format!("by-hand-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Moves the clock, and does nothing that becomes due.
    pub(crate) fn pass(&self, time: &str) {
        self.system.clock().advance(time.parse::<Period>().unwrap());
    }

    /// One request of somebody. `None` if the function was killed.
    pub(crate) async fn ask(&self, who: &Caller, path: &str, key: &str, body: &Value) -> Option<Answer> {
        let token = who.token.clone().unwrap_or_default();
        let request = http::Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Bytes::from(body.to_string()))
            .unwrap();
        self.invoke(path, request).await
    }

    /// Somebody looks at something. `None` if the function was killed.
    pub(crate) async fn look(&self, who: &Caller, path: &str) -> Option<Answer> {
        let token = who.token.clone().unwrap_or_default();
        let request = http::Request::get(path).header("authorization", format!("Bearer {token}"));
        self.invoke(path, request.body(Bytes::new()).unwrap()).await
    }

    /// One event at the webhook's endpoint, signed now.
    pub(crate) async fn tell(&self, event: &str) -> Option<Answer> {
        let path = "/v1/webhooks/stripe";
        let seconds = self.system.clock().now().as_seconds();
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{seconds}.{event}").as_bytes());
        let signature = format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()));
        let request = http::Request::post(path)
            .header("content-type", "application/json")
            .header("stripe-signature", signature)
            .body(Bytes::copy_from_slice(event.as_bytes()))
            .unwrap();
        self.invoke(path, request).await
    }

    async fn invoke(&self, path: &str, request: http::Request<Bytes>) -> Option<Answer> {
        let method = request.method().clone();
        let path = path.split('?').next().unwrap_or_default();
        let response = self.system.request(request).await?;
        let (parts, body) = response.into_parts();
        let answer = Answer {
            call: format!("{method} {path}"),
            status: parts.status.as_u16(),
            headers: HeaderMap::clone(&parts.headers),
            body: serde_json::from_slice(&body).unwrap_or_default(),
            text: String::from_utf8_lossy(&body).into_owned(),
        };
        if let Err(violations) = contract::check(&method, path, &answer) {
            panic!("{path} answered {} against its contract:\n{violations}\n{:#}", answer.status, answer.body);
        }
        Some(answer)
    }

    /// A new escrow's life.
    pub(crate) fn life(&self) -> Life<'_> {
        Life { hand: self, id: String::new(), pages: Vec::new(), heard: Heard::default(), left_alone: false }
    }

    /// The schedule runs, next minute again if it was killed.
    pub(crate) async fn sweep(&self) {
        for _try in 0..MOST_TRIES {
            if self.system.sweep().await == Some(true) {
                return;
            }
        }
        panic!("the sweep never comes to its end");
    }

    /// Delivers what is on its way, and what comes of it, again until it is taken. Whoever is left alone hears nothing any more
    /// once a call was struck, but of payments.
    pub(crate) async fn drain(&self, left_alone: bool) {
        let mut traffic = self.traffic.lock().await;
        let mut failures = 0;
        loop {
            let told = self.system.told_since(traffic.next);
            traffic.next = told.last().map_or(traffic.next, |event| event.number + 1);
            traffic.events.extend(told);
            traffic.messages.extend(self.system.take_messages().await.unwrap());
            if left_alone && self.wire.has_struck() {
                traffic.messages.clear();
                traffic.events.retain(|event| !event.kind.contains("refund"));
            }
            let taken = if let Some(event) = traffic.events.pop_front() {
                let taken = self.tell(&event.body).await.is_some_and(|answer| answer.status == 200);
                if !taken {
                    traffic.events.push_back(event);
                }
                taken
            } else if let Some(message) = traffic.messages.pop_front() {
                let taken = self.system.settle(&message).await == Some(true);
                if !taken {
                    traffic.messages.push_back(message);
                }
                taken
            } else {
                return;
            };
            failures += usize::from(!taken);
            assert!(failures < MOST_TRIES, "what is on its way is never taken: {traffic:?}");
        }
    }

    /// What the gateway has told since the last time: whoever takes it delivers it.
    pub(crate) async fn take_events(&self) -> Vec<Told> {
        let mut traffic = self.traffic.lock().await;
        let told = self.system.told_since(traffic.next);
        traffic.next = told.last().map_or(traffic.next, |event| event.number + 1);
        told
    }

    /// The hour after: leases end, back-offs pass, the gateway's quiet period as well.
    pub(crate) async fn recover(&self) {
        for time in ["PT2M", "PT20M", "PT20M"] {
            self.pass(time);
            self.sweep().await;
            self.drain(false).await;
        }
    }

    /// What there is to see of all lives: the sandbox, and both sides' statements.
    pub(crate) async fn surroundings(&self) -> Surroundings {
        let mut statement = Vec::new();
        for who in [&self.people.seller, &self.people.buyer] {
            let wallets = who.get(&format!("/v1/wallets/{}", who.sub)).send().await.is(200);
            for balance in wallets.list("/balances") {
                let path = format!("/v1/wallets/{}/transactions?currency={}", who.sub, balance.text("/currency"));
                statement.extend(pages(who, &path).await);
            }
        }
        Surroundings { sandbox: self.people.sandbox().await, statement }
    }
}

/// Every item of a list.
async fn pages(who: &Caller, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = who.get(&format!("{path}&limit=100{cursor}")).send().await.is(200);
        items.extend(page.list("/data").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// What lies around a life.
pub(crate) struct Surroundings {
    sandbox: Value,
    statement: Vec<Value>,
}

/// One thing that happens in an escrow's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The buyer opens it, and with it a page to pay at.
    Checkout,
    /// The buyer opens another page.
    AnotherPage,
    /// The buyer pays at the first page.
    Pay,
    /// The buyer pays at both pages before anybody hears of it.
    PayTwice,
    /// The buyer's money comes after the page was closed.
    PayLate,
    Deliver,
    Release,
    Refund,
    Cancel,
    Dispute,
    /// The arbiter gives the buyer so much.
    Rule(&'static str),
    /// Time passes.
    Later(&'static str),
    /// The schedule's minute is over.
    Sweep,
    /// Something else that somebody does.
    Does(Deed),
}

/// An escrow's life.
pub(crate) struct Life<'a> {
    hand: &'a Hand,
    pub(crate) id: String,
    pub(crate) pages: Vec<String>,
    /// What its functions call.
    pub(crate) heard: Heard,
    /// Once a call was struck, no message and no word about a refund arrives any more: only the schedule is left.
    pub(crate) left_alone: bool,
}

/// An invocation that fails more often than this fails for ever.
const MOST_TRIES: usize = 6;

impl Life<'_> {
    /// Does these steps, each with everything that follows from it.
    pub(crate) async fn live(&mut self, steps: &[Step]) {
        self.hand.wire.hear(std::mem::take(&mut self.heard));
        for step in steps {
            self.step(*step).await;
            self.hand.drain(self.left_alone).await;
        }
        self.heard = self.hand.wire.hear(Heard::default());
    }

    /// Does one step, and leaves what follows from it on its way.
    pub(crate) async fn step(&mut self, step: Step) {
        let people = &self.hand.people;
        match step {
            Step::Checkout => {
                let opened = self.insist(&people.buyer, "/v1/checkouts", order()).await;
                self.id = opened.text("/escrow/id").to_owned();
                self.pages.push(opened.text("/checkout/url").to_owned());
            }
            Step::AnotherPage => {
                let path = format!("/v1/escrows/{}/checkouts", self.id);
                let opened = self.insist(&people.buyer, &path, json!({ "gateway": "stripe" })).await;
                self.pages.push(opened.text("/checkout/url").to_owned());
            }
            Step::Pay => self.play(0, json!({ "outcome": "paid" })).await,
            Step::PayTwice => {
                self.play(0, json!({ "outcome": "paid" })).await;
                self.play(1, json!({ "outcome": "paid" })).await;
            }
            Step::PayLate => self.play(0, json!({ "outcome": "paid", "late": true })).await,
            Step::Deliver => self.command(&people.seller, "deliver", json!({})).await,
            Step::Release => self.command(&people.buyer, "release", json!({})).await,
            Step::Refund => self.command(&people.seller, "refund", json!({})).await,
            Step::Cancel => self.command(&people.buyer, "cancel", json!({})).await,
            Step::Dispute => self.command(&people.buyer, "dispute", json!({ "reason": "It does not open." })).await,
            Step::Rule(to_buyer) => {
                let ruling = json!({ "to_buyer": to_buyer, "reason": "Half of it was done." });
                self.command(&people.arbiter, "dispute/rule", ruling).await;
            }
            Step::Later(time) => self.hand.pass(time),
            Step::Sweep => self.hand.sweep().await,
            Step::Does(deed) => self.does(deed).await,
        }
    }

    pub(crate) async fn play(&self, page: usize, play: Value) {
        self.hand.people.api.post(&self.pages[page]).json(&play).send().await.is(200);
    }

    async fn command(&self, who: &Caller, command: &str, body: Value) {
        self.insist(who, &format!("/v1/escrows/{}/{command}", self.id), body).await;
    }

    /// The same request under the same key until it is answered for good.
    async fn insist(&self, who: &Caller, path: &str, body: Value) -> Value {
        let key = self.hand.key();
        for _try in 0..MOST_TRIES {
            match self.hand.ask(who, path, &key, &body).await {
                None => {}
                Some(answer) if answer.asks_to_come_again() => {}
                Some(answer) if matches!(answer.status, 200 | 201) => return answer.body,
                Some(answer) => panic!("{path} answered {}: {:#}", answer.status, answer.body),
            }
        }
        panic!("{path} was never answered");
    }

    /// How many commits made it what it is.
    pub(crate) async fn version(&self) -> u64 {
        let seen = self.hand.people.operator.get(&format!("/v1/escrows/{}", self.id)).send().await.is(200);
        seen["version"].as_u64().unwrap()
    }

    /// Where everything stands that matters: escrow, journal, statement and gateway, without names and times.
    pub(crate) async fn picture(&self, around: &Surroundings) -> Value {
        let people = &self.hand.people;
        let escrow = people.operator.get(&format!("/v1/escrows/{}", self.id)).send().await.is(200);
        let events = pages(&people.operator, &format!("/v1/escrows/{}/events?", self.id)).await;
        let journal: Vec<Value> = events
            .iter()
            .rev()
            .map(|entry| json!({ "type": entry["type"], "actor": entry["actor"], "postings": entry["postings"] }))
            .collect();
        let ours = |line: &&Value| line["escrow"] == self.id.as_str();
        let moved =
            |line: &Value| json!({ "type": line["type"], "amount": line["amount"], "currency": line["currency"] });
        let lines: Vec<Value> = around.statement.iter().filter(ours).map(moved).collect();
        let evidence = pages(&people.operator, &format!("/v1/escrows/{}/evidence?", self.id)).await;
        let of_escrow = |list: &str, fields: &[&str]| {
            let ours = around.sandbox.list(list).iter().filter(|one| one["metadata"]["escrow_id"] == self.id.as_str());
            let shown = ours.map(|one| fields.iter().map(|field| ((*field).to_owned(), one[*field].clone())).collect());
            let mut shown: Vec<Value> = shown.collect();
            shown.sort_by_key(Value::to_string);
            shown
        };
        let mut picture = json!({
            "escrow": escrow, "journal": journal, "statement": lines, "evidence": evidence,
            "sessions": of_escrow("/sessions", &["status", "paid", "amount"]),
            "intents": of_escrow("/payment_intents", &["status", "amount", "refunded"]),
            "refunds": of_escrow("/refunds", &["status", "amount"]),
        });
        self.forget_names(&mut picture);
        picture
    }

    /// Replaces what differs from one run to the next although nothing differs.
    fn forget_names(&self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.forget_names(value)),
            Value::Object(fields) => {
                for name in ["version", "reason"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(|value| self.forget_names(value));
            }
            Value::String(text) => {
                *text = text.replace(self.id.trim_start_matches("esc_"), "…");
                let random = ["cs_", "pi_", "re_", "du_", "http://"].iter().find(|prefix| text.starts_with(**prefix));
                if let Some(prefix) = random {
                    text.replace_range(prefix.len().., "…");
                } else if text.starts_with("20") && text.ends_with('Z') {
                    "a time".clone_into(text);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The usual order with these changes, opened by hand by its buyer.
pub(crate) async fn opened(hand: &Hand, changes: Value) -> (String, String) {
    let order = with(order(), changes);
    let answer = hand.ask(&hand.people.buyer, "/v1/checkouts", &hand.key(), &order).await.unwrap();
    let opened = answer.is(201);
    (opened.text("/escrow/id").to_owned(), opened.text("/checkout/url").to_owned())
}
