//! After the day: nothing goes wrong any more, everybody tries again, time passes. Everything must come to its end, and all books agree.

use super::luck::Fired;
use super::world::{OPERATOR, World};
use holdfast_tests::json::Look;
use serde_json::{Value, json};

/// Longer than any path through the lifecycle: two disputes, three rounds of changes, all extensions, and everything by the last
/// minute.
const ROUNDS: usize = 60;
/// What passes between two looks.
const LATER: &str = "P5D";
/// Whoever is not answered by then never is.
const MOST_TRIES: usize = 8;

impl World {
    /// Sees everything to its end and checks it.
    pub(crate) async fn come_to_its_end(mut self) -> Fired {
        self.luck.turn_good();
        self.everybody_tries_again().await;
        for _round in 0..ROUNDS {
            self.hand.recover().await;
            self.gather().await;
            self.deliver_everything().await;
            self.the_operator_decides().await;
            self.the_bank_decides().await;
            if self.what_is_open().await.is_empty() && self.events.is_empty() {
                break;
            }
            self.hand.pass(LATER);
        }
        let open = self.what_is_open().await;
        assert!(open.is_empty(), "stuck: {open:#?}");
        for asked in std::mem::take(&mut self.answered) {
            self.repeat(asked).await;
        }
        self.gather().await;
        self.deliver_everything().await;
        let report = self.hand.people.verify().await;
        self.books_agree(&report).await;
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
        assert!(self.unanswered.is_empty(), "never answered: {:?}", self.unanswered);
    }

    async fn deliver_everything(&mut self) {
        for event in std::mem::take(&mut self.events) {
            let answer = self.hand.tell(&event.body).await.unwrap();
            assert_eq!(answer.status, 200, "{} {:#}", event.kind, answer.body);
        }
        self.messages.clear();
        self.hand.drain(false).await;
    }

    /// Reviews are decided, and what an operator froze goes on.
    async fn the_operator_decides(&mut self) {
        for id in self.escrows.clone() {
            let operator = self.people[OPERATOR].caller.clone();
            let seen = operator.get(&format!("/v1/escrows/{id}")).send().await.is(200);
            let may = |name: &str| {
                seen.list("/actions").iter().any(|action| action["name"] == name && action["allowed"] == true)
            };
            for (command, body) in [
                ("unfreeze", json!({ "reason": "It was looked at." })),
                ("resolve", json!({ "resolution": "retry", "reason": "It was looked at." })),
            ] {
                if may(command) {
                    let path = format!("/v1/escrows/{id}/{command}");
                    let answer = self.hand.ask(&operator, &path, &self.hand.key(), &body).await.unwrap();
                    assert!(answer.status < 500, "{path}: {:#}", answer.body);
                }
            }
        }
    }

    async fn the_bank_decides(&mut self) {
        let state = self.hand.people.sandbox().await;
        for dispute in state.list("/disputes") {
            if !matches!(dispute["status"].as_str(), Some("won" | "lost")) {
                let path = format!("/_local/sandbox/stripe/disputes/{}", dispute.text("/id"));
                self.hand.people.api.post(&path).json(&json!({ "status": "lost" })).send().await.is(200);
            }
        }
    }

    /// Escrows that wait for something.
    async fn what_is_open(&self) -> Vec<Value> {
        const FINAL: [&str; 5] = ["released", "refunded", "split", "cancelled", "expired"];
        let mut open = Vec::new();
        for id in &self.escrows {
            let escrow = self.people[OPERATOR].caller.get(&format!("/v1/escrows/{id}")).send().await.is(200);
            let is_final = FINAL.contains(&escrow.text("/status")) && escrow["frozen"] == json!([]);
            if !is_final {
                open.push(escrow);
            }
        }
        open
    }

    /// What we say lies at the gateway is what lies there.
    async fn books_agree(&self, _report: &Value) {
        let state = self.hand.people.sandbox().await;
        for (refund, times) in state["refund_effects"].as_object().into_iter().flatten() {
            assert_eq!(times, 1, "{refund} was made {times} times");
        }
    }
}
