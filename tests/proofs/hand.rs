//! A Holdfast that is cranked by hand: every request, event, message and sweep is one invocation that a proof asks for, and every
//! call that a function makes is written down, and may be struck.

use bytes::Bytes;
use escrow_domain::time::Period;
use hmac::{Hmac, KeyInit, Mac};
use holdfast::faults::{Call, Target, Verdict};
use holdfast::sandbox::Told;
use holdfast::{ByHand, Given, Message};
use holdfast_tests::api::{Answer, Caller};
use holdfast_tests::contract;
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::Stack;
use http::{HeaderMap, Method};
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

/// Listens to every call, and strikes one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    listening: bool,
    made: Vec<Made>,
    strike: Option<(usize, Verdict)>,
    struck: bool,
}

impl Wire {
    /// From now on calls are written down; the one of that number (0 for the first) is struck.
    pub(crate) fn listen(&self, strike: Option<(usize, Verdict)>) {
        *self.0.lock().unwrap() = Heard { listening: true, strike, ..Heard::default() };
    }

    /// No longer; what was heard.
    pub(crate) fn stop(&self) -> Vec<Made> {
        let mut heard = self.0.lock().unwrap();
        heard.listening = false;
        std::mem::take(&mut heard.made)
    }

    /// Whether the call that was to be struck was made.
    pub(crate) fn has_struck(&self) -> bool {
        self.0.lock().unwrap().struck
    }

    fn decide(&self, call: &Call<'_>) -> Verdict {
        let mut heard = self.0.lock().unwrap();
        if !heard.listening {
            return Verdict::Pass;
        }
        let number = heard.made.len();
        let body = serde_json::from_slice(call.body).unwrap_or_default();
        heard.made.push(Made { target: call.target, operation: call.operation.to_owned(), body });
        let verdict = match &heard.strike {
            Some((struck, verdict)) if *struck == number => verdict.clone(),
            _ => return Verdict::Pass,
        };
        heard.struck = true;
        verdict
    }
}

/// The system, and the people who use it.
pub(crate) struct Hand {
    pub(crate) system: ByHand,
    pub(crate) wire: Wire,
    pub(crate) people: Stack,
    keys: AtomicU64,
}

impl Hand {
    pub(crate) async fn start() -> Self {
        let wire = Wire::default();
        let settings = Given::from([("STRIPE_WEBHOOK_SECRET".to_owned(), SECRET.to_owned())]);
        let listening = wire.clone();
        let system = ByHand::start(&settings, move |call: &Call<'_>| listening.decide(call)).await;
        let system = system.unwrap_or_else(|error| panic!("it does not start: {error}"));
        let people = Stack::at(system.url()).await;
        Self { system, wire, people, keys: AtomicU64::new(0) }
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
        let response = self.system.request(request).await?;
        let (parts, body) = response.into_parts();
        let answer = Answer {
            call: format!("POST {path}"),
            status: parts.status.as_u16(),
            headers: HeaderMap::clone(&parts.headers),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        if let Err(violations) = contract::check(&Method::POST, path, &answer) {
            panic!("{path} answered {} against its contract:\n{violations}\n{:#}", answer.status, answer.body);
        }
        Some(answer)
    }

    /// A new escrow's life, from now on.
    pub(crate) fn life(&self) -> Life<'_> {
        let told = self.system.told_since(0).last().map_or(0, |event| event.number + 1);
        Life {
            hand: self,
            id: String::new(),
            pages: Vec::new(),
            told,
            events: VecDeque::new(),
            messages: VecDeque::new(),
            left_alone: false,
        }
    }
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
}

/// An escrow, and what is on its way because of it.
pub(crate) struct Life<'a> {
    hand: &'a Hand,
    pub(crate) id: String,
    pub(crate) pages: Vec<String>,
    told: u64,
    events: VecDeque<Told>,
    messages: VecDeque<Message>,
    /// Once a call was struck, no message and no word about a refund arrives any more: only the schedule is left.
    pub(crate) left_alone: bool,
}

/// An invocation that fails more often than this fails for ever.
const MOST_TRIES: usize = 6;

impl Life<'_> {
    /// Does these steps, each with everything that follows from it.
    pub(crate) async fn live(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(*step).await;
            self.drain().await;
        }
    }

    async fn step(&mut self, step: Step) {
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
            Step::Sweep => self.sweep().await,
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

    /// The schedule runs, next minute again if it was killed.
    pub(crate) async fn sweep(&self) {
        for _try in 0..MOST_TRIES {
            if self.hand.system.sweep().await == Some(true) {
                return;
            }
        }
        panic!("the sweep never comes to its end");
    }

    /// Delivers what is on its way, and what comes of it, again until it is taken.
    pub(crate) async fn drain(&mut self) {
        let mut failures = 0;
        loop {
            let told = self.hand.system.told_since(self.told);
            self.told = told.last().map_or(self.told, |event| event.number + 1);
            self.events.extend(told);
            self.messages.extend(self.hand.system.take_messages().await.unwrap());
            if self.left_alone && self.hand.wire.has_struck() {
                self.messages.clear();
                self.events.retain(|event| !event.kind.contains("refund"));
            }
            let taken = if let Some(event) = self.events.pop_front() {
                let taken = self.hand.tell(&event.body).await.is_some_and(|answer| answer.status == 200);
                if !taken {
                    self.events.push_back(event);
                }
                taken
            } else if let Some(message) = self.messages.pop_front() {
                let taken = self.hand.system.settle(&message).await == Some(true);
                if !taken {
                    self.messages.push_back(message);
                }
                taken
            } else {
                return;
            };
            failures += usize::from(!taken);
            assert!(failures < MOST_TRIES, "what is on its way is never taken: {:?} {:?}", self.events, self.messages);
        }
    }

    /// The hour after: leases end, back-offs pass, the gateway's quiet period as well.
    pub(crate) async fn recover(&mut self) {
        self.left_alone = false;
        for time in ["PT2M", "PT20M", "PT20M"] {
            self.hand.pass(time);
            self.sweep().await;
            self.drain().await;
        }
    }

    /// Where everything stands that matters: escrow, journal, statement and gateway, without names and times.
    pub(crate) async fn picture(&self) -> Value {
        let people = &self.hand.people;
        let escrow = people.operator.get(&format!("/v1/escrows/{}", self.id)).send().await.is(200);
        let events = people.operator.get(&format!("/v1/escrows/{}/events?limit=100", self.id)).send().await.is(200);
        let journal: Vec<Value> = events
            .list("/data")
            .iter()
            .rev()
            .map(|entry| json!({ "type": entry["type"], "actor": entry["actor"], "postings": entry["postings"] }))
            .collect();
        let statement = "/v1/wallets/usr_seller/transactions?limit=100";
        let statement = people.seller.get(statement).send().await.is(200);
        let ours = |line: &&Value| line["escrow"] == self.id.as_str();
        let lines: Vec<&Value> = statement.list("/data").iter().filter(ours).map(|line| &line["amount"]).collect();
        let sandbox = people.sandbox().await;
        let of_escrow = |list: &str, fields: &[&str]| {
            let ours = sandbox.list(list).iter().filter(|one| one["metadata"]["escrow_id"] == self.id.as_str());
            let shown = ours.map(|one| fields.iter().map(|field| ((*field).to_owned(), one[*field].clone())).collect());
            let mut shown: Vec<Value> = shown.collect();
            shown.sort_by_key(Value::to_string);
            shown
        };
        let mut picture = json!({
            "escrow": escrow, "journal": journal, "statement": lines,
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
                let random = ["cs_", "pi_", "re_", "http://"].iter().find(|prefix| text.starts_with(**prefix));
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
