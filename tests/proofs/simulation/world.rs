//! A small marketplace on one day: its people, what is on its way, and everything that can happen next.

use super::luck::{Fired, Luck};
use crate::hand::Hand;
use holdfast::sandbox::Told;
use holdfast::{Given, Message};
use holdfast_tests::api::{Answer, Caller};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

/// A request that somebody has sent, or will send again.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Which of [`World::people`].
    pub(crate) who: usize,
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) body: Value,
}

/// Somebody of the marketplace.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) caller: Caller,
}

/// Buyers first, then sellers, then those who decide.
const PEOPLE: [(&str, &str); 6] = [
    ("usr_buyer_1", ""),
    ("usr_buyer_2", ""),
    ("usr_seller_1", ""),
    ("usr_seller_2", ""),
    ("usr_arbiter", "arbiter"),
    ("usr_operator", "operator"),
];
pub(crate) const BUYERS: std::ops::Range<usize> = 0..2;
pub(crate) const SELLERS: std::ops::Range<usize> = 2..4;
pub(crate) const OPERATOR: usize = 5;

/// One day.
pub(crate) struct World {
    pub(crate) hand: Hand,
    pub(crate) luck: Luck,
    pub(crate) random: StdRng,
    pub(crate) people: Vec<Person>,
    /// Of every escrow that was answered.
    pub(crate) escrows: Vec<String>,
    /// Where buyers can pay.
    pub(crate) pages: Vec<String>,
    /// Requests without an answer.
    pub(crate) unanswered: Vec<Asked>,
    /// Requests that were carried out.
    pub(crate) answered: Vec<Asked>,
    pub(crate) events: Vec<Told>,
    pub(crate) messages: Vec<Message>,
    pub(crate) fired: Fired,
    /// How many things happen on this day.
    length: usize,
}

impl World {
    pub(crate) async fn begin(seed: u64) -> Self {
        let luck = Luck::of(seed);
        let deciding = luck.clone();
        let hand = Hand::with(Given::new(), move |call: &holdfast::faults::Call<'_>| deciding.decide(call)).await;
        let mut people = Vec::new();
        for (name, scope) in PEOPLE {
            people.push(Person { name, caller: hand.people.api.caller(name, scope).await });
        }
        let mut random = StdRng::seed_from_u64(seed);
        let length = random.random_range(20..60);
        Self {
            hand,
            luck,
            random,
            people,
            escrows: Vec::new(),
            pages: Vec::new(),
            unanswered: Vec::new(),
            answered: Vec::new(),
            events: Vec::new(),
            messages: Vec::new(),
            fired: Fired::default(),
            length,
        }
    }

    /// The day itself.
    pub(crate) async fn live(&mut self) {
        for _moment in 0..self.length {
            self.gather().await;
            match self.random.random_range(0..100) {
                0..10 => self.order().await,
                10..20 => self.pay().await,
                20..50 => self.somebody_does_what_they_may().await,
                50..68 => self.an_event_arrives().await,
                68..78 => self.a_message_arrives().await,
                78..86 => self.the_schedule_runs().await,
                86..92 => self.time_passes(),
                92..97 => self.somebody_repeats_a_request().await,
                _ => self.the_gateway_does_something_by_itself().await,
            }
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

    /// Somebody asks for something, and keeps the request until it is answered for good.
    pub(crate) async fn ask(&mut self, asked: Asked) -> Option<Answer> {
        let who = self.people[asked.who].caller.clone();
        let answer = self.hand.ask(&who, &asked.path, &asked.key, &asked.body).await;
        match answer {
            None => self.unanswered.push(asked),
            Some(answer) if answer.asks_to_come_again() => self.unanswered.push(asked),
            Some(answer) => {
                match answer.status {
                    200 | 201 => self.answered.push(asked),
                    400..500 => {}
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
        if self.once_in(5) {
            // It stays where it is, and comes another time.
            return self.fired.count("event lost for a while");
        }
        let at = self.any(self.events.len());
        let event = self.events.swap_remove(at);
        if self.once_in(4) {
            self.fired.count("event twice");
            self.events.push(event.clone());
        }
        let taken = self.hand.tell(&event.body).await.is_some_and(|answer| answer.status == 200);
        if !taken {
            self.events.push(event);
        }
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

    fn time_passes(&mut self) {
        let by = ["PT1M", "PT5M", "PT20M", "PT3H", "P1D", "P2D", "P8D"];
        let at = self.any(by.len());
        self.fired.count("clock jumped");
        self.hand.pass(by[at]);
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
