//! A small marketplace on one day: its people, what is on its way, and everything that can happen next.

use super::luck::{Fired, Luck};
use crate::hand::Hand;
use holdfast::sandbox::Told;
use holdfast::{Given, Message};
use holdfast_tests::api::{Answer, Caller};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the gateway is told to do by hand.
pub(crate) const BY_HAND: &str = "/_local/sandbox/stripe";

/// A request that somebody has sent, or will send again.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Which of [`World::people`].
    pub(crate) who: usize,
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) body: Value,
}

impl Asked {
    /// Whether the same again is answered as a replay. Onboarding makes a new page each time, a wish may be wished again, and of many
    /// payouts at once those that were refused are tried anew.
    fn is_done_once(&self) -> bool {
        !self.path.starts_with("/v1/sellers/") && self.path != "/v1/payouts"
    }
}

/// Somebody of the marketplace.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) caller: Caller,
}

/// Those who deal, buyers first, then those who decide.
const PEOPLE: [(&str, &str); 7] = [
    ("usr_buyer_1", ""),
    ("usr_buyer_2", ""),
    ("usr_seller_1", ""),
    ("usr_seller_2", ""),
    ("usr_arbiter", "arbiter"),
    ("usr_operator_1", "operator"),
    ("usr_operator_2", "operator"),
];
/// Sellers buy as well: from their wallets.
pub(crate) const DEALERS: std::ops::Range<usize> = 0..4;
pub(crate) const BUYERS: std::ops::Range<usize> = 0..2;
pub(crate) const SELLERS: std::ops::Range<usize> = 2..4;
pub(crate) const OPERATORS: [usize; 2] = [5, 6];

/// Events without which the reconciler finds out what has happened, from the gateway's own lists.
const FOUND_OUT: &[&str] = &[
    "checkout.session.completed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
];
/// The hours between two runs of the reconciler.
const PATIENCE: u64 = 24;
/// Gateways repeat their webhooks for three days: no event is older when it comes, in seconds.
const OLDEST: i64 = 60 * 3_600;

/// One day.
pub(crate) struct World {
    pub(crate) hand: Hand,
    pub(crate) luck: Luck,
    pub(crate) random: StdRng,
    pub(crate) people: Vec<Person>,
    /// Of every escrow that was answered.
    pub(crate) escrows: BTreeSet<String>,
    /// Of those that were disputed.
    pub(crate) disputed: BTreeSet<String>,
    /// Where people can pay.
    pub(crate) pages: Vec<String>,
    /// Where sellers go on.
    pub(crate) links: Vec<String>,
    /// Requests without an answer.
    pub(crate) unanswered: Vec<Asked>,
    /// What whoever was last told to come again was told.
    pub(crate) last_word: Value,
    /// Requests that were carried out.
    pub(crate) answered: Vec<Asked>,
    pub(crate) events: Vec<Told>,
    pub(crate) messages: Vec<Message>,
    /// Events that could not be booked when they came.
    pub(crate) parked: Vec<Told>,
    pub(crate) fired: Fired,
    /// Whether an event is gone that only the reconciler can replace.
    pub(crate) owes_a_reading: bool,
    /// How many things happen on this day.
    length: usize,
    /// Whether somebody listens to the story.
    is_told: bool,
}

impl World {
    pub(crate) async fn begin(seed: u64) -> Self {
        let luck = Luck::of(seed);
        let deciding = luck.clone();
        let mut settings = Given::new();
        for (name, value) in [
            ("HOLDFAST_UNITS", "COIN:0:SAR:10"),
            ("HOLDFAST_PAYOUT_MINIMUM", "SAR:1.00"),
            ("HOLDFAST_PAYOUT_APPROVAL_ABOVE", "SAR:1000.00"),
        ] {
            settings.insert(name.to_owned(), value.to_owned());
        }
        let hand = Hand::with(settings, move |call: &holdfast::faults::Call<'_>| deciding.decide(call)).await;
        let mut people = Vec::new();
        for (name, scope) in PEOPLE {
            people.push(Person { name, caller: hand.people.api.caller(name, scope).await });
        }
        let mut random = StdRng::seed_from_u64(seed);
        let length = random.random_range(30..90);
        let mut world = Self {
            hand,
            luck,
            random,
            people,
            escrows: BTreeSet::new(),
            disputed: BTreeSet::new(),
            pages: Vec::new(),
            links: Vec::new(),
            unanswered: Vec::new(),
            last_word: Value::Null,
            answered: Vec::new(),
            events: Vec::new(),
            messages: Vec::new(),
            parked: Vec::new(),
            fired: Fired::default(),
            owes_a_reading: false,
            length,
            is_told: super::asked("HOLDFAST_SEED").is_some(),
        };
        world.the_gateway_has_its_ways().await;
        world
    }

    /// Some days the platform has money at the gateway, and some days captured money is long in coming.
    async fn the_gateway_has_its_ways(&mut self) {
        if self.once_in(2) {
            self.fill_balance().await;
        }
        if self.once_in(4) {
            self.hand.people.switch_sandbox(json!({ "balance": { "available_after_s": 172_800 } })).await;
        }
    }

    /// The platform puts money into its balance.
    pub(crate) async fn fill_balance(&self) {
        self.by_hand("balance", json!({ "currency": "sar", "amount": 10_000_000 })).await;
    }

    /// Something is clicked at the gateway: its status.
    pub(crate) async fn by_hand(&self, what: &str, body: Value) -> u16 {
        let done = self.hand.people.api.post(&format!("{BY_HAND}/{what}")).json(&body).send().await;
        assert!(matches!(done.status, 200 | 409), "{what} {body}: {} {:#}", done.status, done.body);
        done.status
    }

    /// Before anything goes wrong some have begun: sellers are onboarded, wallets filled, deals paid.
    async fn dawn(&mut self) {
        for _ in 0..self.any(3) {
            self.a_seller_is_onboarded().await;
        }
        for link in std::mem::take(&mut self.links) {
            self.hand.people.api.post(&link).json(&json!({ "outcome": "complete" })).send().await.is(200);
        }
        for _ in 0..self.any(3) {
            self.top_up().await;
        }
        for _ in 0..1 + self.any(3) {
            self.order().await;
        }
        for page in self.pages.clone() {
            if !self.once_in(4) {
                self.hand.people.api.post(&page).json(&json!({ "outcome": "paid" })).send().await.is(200);
            }
        }
        self.hand.drain(false).await;
        if self.once_in(2) {
            // What was bought ready-made is released at once, and some of it leaves again.
            self.hand.sweep().await;
            for _ in 0..3 {
                self.a_wallet_is_asked_for_money().await;
            }
            self.hand.drain(false).await;
        }
    }

    /// The day itself.
    pub(crate) async fn live(&mut self) {
        self.dawn().await;
        self.luck.wake(true);
        for _moment in 0..self.length {
            self.gather().await;
            match self.random.random_range(0..100) {
                0..7 => self.order().await,
                7..9 => self.top_up().await,
                9..12 => self.pay_for_the_next_part().await,
                12..19 => self.pay().await,
                19..47 => self.somebody_does_what_they_may().await,
                47..50 => self.a_seller_is_onboarded().await,
                50..54 => self.a_wallet_is_asked_for_money().await,
                54..57 => self.an_operator_looks_at_payouts().await,
                57..72 => self.an_event_arrives().await,
                72..79 => self.a_message_arrives().await,
                79..85 => self.the_schedule_runs().await,
                85..90 => self.time_passes().await,
                90..94 => self.somebody_repeats_a_request().await,
                94..95 => self.somebody_wishes_to_be_paid().await,
                _ => self.the_gateway_does_something_by_itself().await,
            }
        }
    }

    /// A day that is played by itself says what happens.
    #[expect(clippy::print_stdout, reason = "whoever replays a day wants to read it")]
    pub(crate) fn tell(&self, what: &str) {
        if self.is_told {
            println!("{} {what}", self.hand.system.clock().now());
        }
    }

    /// One of a number of things.
    pub(crate) fn any(&mut self, count: usize) -> usize {
        self.random.random_range(0..count)
    }

    /// Whether, of so many times, this is the one.
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.random.random_range(0..times) == 0
    }

    /// Puts what was sent into the bags from which it arrives in any order.
    pub(crate) async fn gather(&mut self) {
        self.events.extend(self.hand.take_events().await);
        self.messages.extend(self.hand.system.take_messages().await.unwrap());
    }

    /// Somebody looks at something; `None` if they see nothing now.
    pub(crate) async fn see(&mut self, who: usize, path: &str) -> Option<Value> {
        let who = self.people[who].caller.clone();
        let answer = self.hand.look(&who, path).await?;
        match answer.status {
            200 => Some(answer.body),
            404 | 503 => None,
            other => panic!("{path} was answered {other}: {:#}", answer.body),
        }
    }

    /// Somebody asks for something, and keeps the request until it is answered for good.
    pub(crate) async fn ask(&mut self, asked: Asked) -> Option<Answer> {
        let who = self.people[asked.who].caller.clone();
        let answer = self.hand.ask(&who, &asked.path, &asked.key, &asked.body).await;
        let status = answer.as_ref().map(|answer| (answer.status, answer.body["code"].clone()));
        self.tell(&format!("{} {} {} {status:?}", self.people[asked.who].name, asked.path, asked.body));
        match answer {
            None => self.unanswered.push(asked),
            Some(answer) if answer.asks_to_come_again() => {
                self.last_word = answer.body;
                self.unanswered.push(asked);
            }
            Some(answer) => {
                match answer.status {
                    200 | 201 if asked.is_done_once() => self.answered.push(asked),
                    200 | 201 | 403 | 404 | 409 | 422 => {}
                    // Only what is bought with coins knows just one kind of page.
                    400 if asked.path.ends_with("/checkouts") => {}
                    other => panic!("{} {} was answered {other}: {:#}", asked.path, asked.body, answer.body),
                }
                return Some(answer);
            }
        }
        None
    }

    async fn an_event_arrives(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let at = self.any(self.events.len());
        if self.once_in(8) && FOUND_OUT.contains(&self.events[at].kind.as_str()) {
            let event = self.events.swap_remove(at);
            self.tell(&format!("{} {} is lost for good", event.kind, event.id));
            self.owes_a_reading = true;
            return self.fired.count("event lost for good");
        }
        if self.once_in(5) {
            // It stays where it is, and comes another time.
            return self.fired.count("event lost for a while");
        }
        let event = self.events.swap_remove(at);
        if self.once_in(4) {
            self.fired.count("event twice");
            self.events.push(event.clone());
        }
        if !self.heard(&event).await {
            self.events.push(event);
        }
    }

    /// Whether the event was taken.
    async fn heard(&mut self, event: &Told) -> bool {
        let answer = self.hand.tell(&event.body).await;
        let outcome = answer.as_ref().map(|answer| answer.body["outcome"].clone());
        self.tell(&format!("{} {}: {outcome:?}", event.kind, event.id));
        let Some(answer) = answer else { return false };
        if answer.body["outcome"] == "parked" {
            self.fired.count("event parked");
            self.parked.push(event.clone());
        }
        answer.status == 200
    }

    async fn a_message_arrives(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let at = self.any(self.messages.len());
        let message = self.messages.swap_remove(at);
        if self.once_in(5) {
            return self.fired.count("message lost");
        }
        if self.hand.system.settle(&message).await != Some(true) || self.once_in(4) {
            self.messages.push(message);
        }
    }

    async fn the_schedule_runs(&mut self) {
        // Killed or not: the next minute comes.
        let _ended = self.hand.system.sweep().await;
    }

    /// Never more than a day at once without the reconciler, where something is left to it.
    pub(crate) async fn time_passes(&mut self) {
        let hours = [0, 0, 1, 3, 24, 48, 200][self.any(7)];
        let minutes = [1, 5, 20, 59][self.any(4)];
        self.fired.count("clock jumped");
        self.hand.pass(&format!("PT{minutes}M"));
        self.let_hours_pass(hours).await;
    }

    pub(crate) async fn let_hours_pass(&mut self, mut hours: u64) {
        while hours > 0 {
            let some = hours.min(PATIENCE);
            hours -= some;
            self.hand.pass(&format!("PT{some}H"));
            if some == PATIENCE {
                self.the_last_tries_arrive().await;
                if self.owes_a_reading {
                    self.gateways_lists_are_read().await;
                }
            }
        }
    }

    /// What the gateway will not say much longer is heard now.
    async fn the_last_tries_arrive(&mut self) {
        self.gather().await;
        let now = self.hand.system.clock().now().as_seconds();
        let is_old = |event: &Told| {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            body["created"].as_i64().unwrap() < now - OLDEST
        };
        let (old, young) = std::mem::take(&mut self.events).into_iter().partition(is_old);
        self.events = young;
        for event in old {
            self.tell_until_taken(&event).await;
        }
    }

    /// Again, as gateways do, until it is taken.
    pub(crate) async fn tell_until_taken(&mut self, event: &Told) {
        const MOST: usize = 40;
        for _try in 0..MOST {
            if self.heard(event).await {
                return;
            }
        }
        panic!("never taken: {} {}", event.kind, event.body);
    }

    /// The reconciler runs, again until it has read everything.
    pub(crate) async fn gateways_lists_are_read(&mut self) {
        const MOST: usize = 40;
        for _try in 0..MOST {
            let read = self.hand.system.reconcile().await;
            self.tell(&format!(
                "the lists are read: {:?}",
                read.as_ref().map(|read| read.as_ref().map(|read| read.missed))
            ));
            if let Some(Ok(read)) = read
                && read.unread.is_empty()
            {
                if read.missed > 0 {
                    self.fired.count("found by the reconciler");
                }
                self.owes_a_reading = false;
                return;
            }
            self.fired.count("reconciler began anew");
        }
        panic!("the reconciler never comes to its end");
    }

    async fn somebody_repeats_a_request(&mut self) {
        if !self.unanswered.is_empty() {
            let at = self.any(self.unanswered.len());
            let asked = self.unanswered.swap_remove(at);
            return self.take_in(asked).await;
        }
        if self.answered.is_empty() {
            return;
        }
        let at = self.any(self.answered.len());
        self.repeat(self.answered[at].clone()).await;
    }

    /// What was carried out once is answered so for ever, and never done again.
    pub(crate) async fn repeat(&mut self, asked: Asked) {
        self.fired.count("request repeated");
        let who = self.people[asked.who].caller.clone();
        let Some(answer) = self.hand.ask(&who, &asked.path, &asked.key, &asked.body).await else { return };
        if answer.asks_to_come_again() {
            return;
        }
        assert!(matches!(answer.status, 200 | 201), "a replay was refused: {asked:?} {:#}", answer.body);
        assert!(answer.is_replay(), "a request was carried out twice: {asked:?}");
    }
}
