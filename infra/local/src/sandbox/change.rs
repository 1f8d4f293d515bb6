//! One change of the book: what was put, the events that tell of it, and how those will travel.

use escrow_domain::time::Timestamp;
use rand::RngExt;
use rand::distr::Alphanumeric;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::book::{Book, Delivery, DeliveryState, Event, Record, WebhookSwitches};
use super::objects::API_VERSION;

/// Who or what caused a change, as events tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause {
    /// The API request; none when Stripe, its dashboard or time did it.
    pub(super) request: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

/// A change in the making. What is put is in the book at once; the journal has it before anybody is told.
pub(super) struct Change<'a> {
    pub(super) book: &'a mut Book,
    pub(super) now: Timestamp,
    cause: Cause,
    travel: WebhookSwitches,
    records: Vec<Record>,
    /// Id and type of the events so far.
    events: Vec<(String, String)>,
}

impl<'a> Change<'a> {
    pub(super) fn new(book: &'a mut Book, now: Timestamp, cause: Cause, travel: WebhookSwitches) -> Self {
        Self { book, now, cause, travel, records: Vec::new(), events: Vec::new() }
    }

    /// Seconds since 1970, as Stripe tells time.
    pub(super) const fn now_s(&self) -> i64 {
        self.now.as_seconds()
    }

    /// Puts an object's new state.
    pub(super) fn put(&mut self, record: Record) {
        self.book.apply(record.clone());
        self.records.push(record);
    }

    /// The next number: objects are counted, so that lists know their order.
    pub(super) const fn number(&mut self) -> u64 {
        self.book.last += 1;
        self.book.last
    }

    /// Something happened that Stripe tells of.
    pub(super) fn event(&mut self, kind: &str, object: Value) {
        self.event_about(kind, object, None);
    }

    /// Something changed; `before` has the former values of what changed.
    pub(super) fn event_about(&mut self, kind: &str, object: Value, before: Option<Value>) {
        self.tell(None, kind, object, before);
    }

    /// Something happened in a connected account, or to it: Stripe names the account at the event's top.
    pub(super) fn event_of(&mut self, account: &str, kind: &str, object: Value, before: Option<Value>) {
        self.tell(Some(account), kind, object, before);
    }

    fn tell(&mut self, account: Option<&str>, kind: &str, object: Value, before: Option<Value>) {
        let id = random_id("evt_1", 23);
        let mut data = json!({"object": object});
        if let Some(before) = before {
            data["previous_attributes"] = before;
        }
        let mut body = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now_s(),
            "data": data,
            "livemode": false,
            "pending_webhooks": 1,
            "request": {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key},
            "type": kind,
        });
        if let Some(account) = account {
            body["account"] = json!(account);
        }
        let (number, created) = (self.number(), self.now_s());
        let body = format!("{body:#}");
        self.put(Record::Event(Event { id: id.clone(), number, kind: kind.to_owned(), created, body }));
        self.events.push((id, kind.to_owned()));
    }

    /// Id and type of the events of this change, in the order in which they happened.
    pub(super) fn events(&self) -> &[(String, String)] {
        &self.events
    }

    /// Sends an event that is already known, once more.
    pub(super) fn send_again(&mut self, id: &str, kind: &str) {
        self.events.push((id.to_owned(), kind.to_owned()));
    }

    /// What the journal has to hold, and whether webhooks are among it.
    pub(super) fn finish(mut self) -> Vec<Record> {
        let dropped = |kind: &String| self.travel.drop.iter().any(|drop| drop == "*" || drop == kind);
        let sent: Vec<String> =
            self.events.iter().filter(|(_, kind)| !dropped(kind)).map(|(id, _)| id.clone()).collect();
        if !sent.is_empty() {
            let steps = steps(&sent, &self.travel);
            let (batch, due) = (self.number(), self.now.as_millis());
            for (step, events) in (0..).zip(steps) {
                for event in events {
                    let number = self.number();
                    self.put(Record::Delivery(Delivery {
                        number,
                        event,
                        batch,
                        step,
                        delay_ms: self.travel.delay_ms,
                        attempts: 0,
                        first_try: None,
                        due,
                        state: DeliveryState::Waiting,
                        status: None,
                    }));
                }
            }
        }
        self.records
    }
}

/// How events travel: steps one after the other, the copies within a step together. Half of the duplicates (rounded up) go
/// out with the original, the rest when everything has been sent once.
fn steps(events: &[String], travel: &WebhookSwitches) -> Vec<Vec<String>> {
    let duplicates = usize::try_from(travel.duplicates).unwrap_or(usize::MAX);
    let together = duplicates.div_ceil(2) + 1;
    let later = duplicates / 2;
    let waves = [together, later].map(|copies| {
        let each: Vec<Vec<String>> = events.iter().map(|event| vec![event.clone(); copies]).collect();
        if travel.shuffle { shuffled(each, events) } else { each }
    });
    waves.into_iter().flatten().filter(|step| !step.is_empty()).collect()
}

/// In another order than it happened, in handfuls of one to three that go out together.
fn shuffled(each: Vec<Vec<String>>, events: &[String]) -> Vec<Vec<String>> {
    let mut random = rand::rng();
    let mut all: Vec<String> = each.into_iter().flatten().collect();
    // A switch that sometimes does nothing proves nothing: the true order is drawn again.
    loop {
        all.shuffle(&mut random);
        let mut order: Vec<&String> = Vec::new();
        for event in &all {
            if !order.contains(&event) {
                order.push(event);
            }
        }
        if events.len() < 2 || order.is_empty() || !order.into_iter().eq(events) {
            break;
        }
    }
    let mut steps = Vec::new();
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let (step, after) = rest.split_at(random.random_range(1..=3).min(rest.len()));
        steps.push(step.to_vec());
        rest = after;
    }
    steps
}

/// An id as Stripe makes them: a prefix and letters and digits.
pub(super) fn random_id(prefix: &str, length: usize) -> String {
    let random = rand::rng().sample_iter(Alphanumeric).take(length).map(char::from);
    prefix.chars().chain(random).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).to_vec()
    }

    #[test]
    fn events_travel_in_the_order_in_which_they_happened() {
        let travel = WebhookSwitches { duplicates: 3, ..WebhookSwitches::default() };
        assert_eq!(steps(&events(), &travel).join(&"|".to_owned()).concat(), "aaa|bbb|ccc|a|b|c");
        assert_eq!(steps(&events(), &WebhookSwitches::default()).join(&"|".to_owned()).concat(), "a|b|c");
    }

    #[test]
    fn shuffled_events_never_travel_in_their_order_and_none_is_lost() {
        let travel = WebhookSwitches { duplicates: 5, shuffle: true, ..WebhookSwitches::default() };
        for _ in 0..200 {
            let sent: Vec<String> = steps(&events(), &travel).into_iter().flatten().collect();
            for event in events() {
                assert_eq!(sent.iter().filter(|copy| **copy == event).count(), 6);
            }
            let plain: Vec<String> = steps(&events(), &WebhookSwitches { duplicates: 0, ..travel.clone() }).concat();
            assert_ne!(plain, events());
        }
    }
}
