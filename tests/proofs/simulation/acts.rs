//! What people and the gateway do on a day. People do what the escrow's own `actions` say they may, in parts and amounts of their own.

use super::world::{Asked, BUYERS, SELLERS, World};
use holdfast_tests::json::Look;
use rand::RngExt;
use serde_json::{Map, Value, json};

/// What the gateway is told to do by hand.
const BY_HAND: &str = "/_local/sandbox/stripe";

impl World {
    /// Somebody buys something.
    pub(crate) async fn order(&mut self) {
        let (buyer, seller) = (self.any(BUYERS.len()), SELLERS.start + self.any(SELLERS.len()));
        let kind = ["product", "service", "project"][self.any(3)];
        let payer = ["buyer", "seller", "split"][self.any(3)];
        let number = self.any(1_000);
        let mut body = json!({
            "kind": kind, "subject": { "type": "job", "id": format!("job_{number}") }, "buyer": self.people[buyer].name,
            "seller": self.people[seller].name, "currency": "SAR", "fee_payer": payer, "gateway": "stripe",
        });
        if self.once_in(3) {
            let count = 1 + self.any(4);
            let parts: Vec<Value> =
                (0..count).map(|at| json!({ "title": format!("Part {at}"), "amount": self.amount(2_000_00) })).collect();
            body["milestones"] = json!(parts);
            if self.once_in(2) {
                body["fund"] = json!(["m1"]);
            }
        } else {
            body["amount"] = json!(self.amount(5_000_00));
        }
        if self.once_in(6) {
            body["mode"] = json!("elements");
        }
        if self.once_in(8) {
            body["funding"] = json!("wallet");
            body.as_object_mut().unwrap().remove("gateway");
            body.as_object_mut().unwrap().remove("mode");
        }
        let asked = Asked { who: buyer, path: "/v1/checkouts".to_owned(), key: self.hand.key(), body };
        self.take_in(asked).await;
    }

    /// Between 5.00 and so many hundredths.
    fn amount(&mut self, most: u64) -> String {
        let units = self.random.random_range(5_00..=most);
        format!("{}.{:02}", units / 100, units % 100)
    }

    /// Sends a request and remembers what its answer leads to.
    pub(crate) async fn take_in(&mut self, asked: Asked) {
        let Some(answer) = self.ask(asked).await else { return };
        if !matches!(answer.status, 200 | 201) {
            return;
        }
        if let Some(id) = answer.body.pointer("/escrow/id").and_then(Value::as_str)
            && !self.escrows.iter().any(|known| known == id)
        {
            self.escrows.push(id.to_owned());
        }
        let page = answer.body.pointer("/checkout/url").and_then(Value::as_str);
        let intent = answer.body.pointer("/checkout/client_secret").and_then(Value::as_str);
        let intent = intent.map(|secret| format!("/sandbox/stripe/pay/{secret}"));
        if let Some(page) = page.map(str::to_owned).or(intent)
            && !self.pages.contains(&page)
        {
            self.pages.push(page);
        }
    }

    /// A buyer does something at a page, or nothing that counts any more.
    pub(crate) async fn pay(&mut self) {
        if self.pages.is_empty() {
            return;
        }
        let at = self.any(self.pages.len());
        let outcome = ["paid", "paid", "paid", "paid", "declined", "expired", "pending"][self.any(7)];
        let play = json!({ "outcome": outcome, "late": outcome == "paid" && self.once_in(4) });
        let page = self.pages[at].clone();
        // 409: the page is past that.
        let played = self.hand.people.api.post(&page).json(&play).send().await;
        assert!(matches!(played.status, 200 | 409), "{page}: {} {:#}", played.status, played.body);
        self.fired.count(outcome);
    }

    /// Somebody looks at an escrow and does one of the things that they are told they may do.
    pub(crate) async fn somebody_does_what_they_may(&mut self) {
        if self.escrows.is_empty() {
            return;
        }
        let (at, who) = (self.any(self.escrows.len()), self.any(self.people.len()));
        let id = self.escrows[at].clone();
        let seen = self.people[who].caller.get(&format!("/v1/escrows/{id}")).send().await;
        if seen.status == 404 {
            return;
        }
        let escrow = seen.is(200);
        let may: Vec<&str> = escrow
            .list("/actions")
            .iter()
            .filter(|action| action["allowed"] == true)
            .map(|action| action.text("/name"))
            .collect();
        if may.is_empty() {
            return;
        }
        let action = may[self.any(may.len())].to_owned();
        // Operators rarely step in.
        let rare = action.starts_with("operator_") || action == "freeze";
        if rare && !self.once_in(4) {
            return;
        }
        let Some((command, body)) = self.command(&action, &escrow) else { return };
        self.fired.count(&action);
        let path = format!("/v1/escrows/{id}/{command}");
        let asked = Asked { who, path, key: self.hand.key(), body };
        self.take_in(asked).await;
    }

    /// The command of an action, and what it says.
    fn command(&mut self, action: &str, escrow: &Value) -> Option<(&'static str, Value)> {
        let milestones = escrow.list("/milestones").to_vec();
        let milestone = milestones[self.any(milestones.len())].clone();
        let mut body = Map::new();
        if milestones.len() > 1 || self.once_in(2) {
            body.insert("milestone".to_owned(), milestone["id"].clone());
        }
        let reason = json!("It was agreed so.");
        let command = match action {
            "fund" | "add_payment" => return None,
            "deliver" => "deliver",
            "request_changes" => "request-changes",
            "release" | "refund" | "operator_release" | "operator_refund" | "dispute" => {
                if let Some(part) = self.part_of(&milestone) {
                    body.insert("amount".to_owned(), json!(part));
                }
                if !matches!(action, "release" | "refund") {
                    body.insert("reason".to_owned(), reason);
                }
                match action {
                    "dispute" => "dispute",
                    "release" | "operator_release" => "release",
                    _ => "refund",
                }
            }
            "cancel" | "withdraw" | "ask_cancel" | "agree_cancel" => {
                body.insert("reason".to_owned(), reason);
                "cancel"
            }
            "extend" | "ask_extend" => {
                let later = self.any(20);
                let now = self.hand.system.clock().now();
                let by: escrow_domain::time::Period = format!("P{}D", 1 + later).parse().unwrap();
                body.insert("until".to_owned(), json!(now.after(by).to_string()));
                "extend"
            }
            "add_evidence" => {
                let piece = json!({ "type": "screenshot", "uri": "https://example.com/1.png", "note": "See here." });
                body.insert("evidence".to_owned(), json!([piece]));
                "dispute/evidence"
            }
            "propose" => {
                body.insert("to_buyer".to_owned(), json!(self.share_of(&milestone, "disputed")));
                "dispute/propose"
            }
            "accept" => {
                body.clear();
                let offers = escrow.pointer("/dispute/proposal/id")?;
                body.insert("proposal".to_owned(), offers.clone());
                "dispute/accept"
            }
            "withdraw_dispute" => "dispute/withdraw",
            "rule" => {
                body.insert("to_buyer".to_owned(), json!(self.share_of(&milestone, "disputed")));
                body.insert("reason".to_owned(), reason);
                "dispute/rule"
            }
            "freeze" | "unfreeze" => {
                body.clear();
                body.insert("reason".to_owned(), reason);
                if action == "freeze" { "freeze" } else { "unfreeze" }
            }
            "resolve" => {
                body.clear();
                let how = ["done", "retry", "credit_wallet"][self.any(3)];
                body.insert("resolution".to_owned(), json!(how));
                body.insert("reason".to_owned(), reason);
                "resolve"
            }
            other => panic!("an action that nobody here knows: {other}"),
        };
        Some((command, Value::Object(body)))
    }

    /// Some of what is held; all of it every second time.
    fn part_of(&mut self, milestone: &Value) -> Option<String> {
        if self.once_in(2) { None } else { Some(self.share_of(milestone, "held")).filter(|part| part != "0.00") }
    }

    /// A share of one of a milestone's buckets, from nothing to all of it.
    fn share_of(&mut self, milestone: &Value, bucket: &str) -> String {
        let units: u64 = milestone.text(&format!("/{bucket}")).replace('.', "").parse().unwrap();
        let share = match self.any(4) {
            0 => 0,
            1 => units,
            _ => self.random.random_range(0..=units),
        };
        format!("{}.{:02}", share / 100, share % 100)
    }

    /// A card's holder goes to the bank, the bank decides, or somebody clicks in the gateway's dashboard.
    pub(crate) async fn the_gateway_does_something_by_itself(&mut self) {
        let state = self.hand.people.sandbox().await;
        let api = &self.hand.people.api.clone();
        let open: Vec<&str> = state
            .list("/disputes")
            .iter()
            .filter(|dispute| !matches!(dispute["status"].as_str(), Some("won" | "lost")))
            .map(|dispute| dispute.text("/id"))
            .collect();
        if !open.is_empty() && self.once_in(2) {
            let (id, outcome) = (open[self.any(open.len())].to_owned(), ["won", "lost"][self.any(2)]);
            self.fired.count(&format!("chargeback {outcome}"));
            api.post(&format!("{BY_HAND}/disputes/{id}")).json(&json!({ "status": outcome })).send().await;
            return;
        }
        let paid: Vec<&str> = state
            .list("/payment_intents")
            .iter()
            .filter(|intent| intent["status"] == "succeeded")
            .map(|intent| intent.text("/id"))
            .collect();
        if paid.is_empty() {
            return;
        }
        let id = paid[self.any(paid.len())].to_owned();
        let what = ["chargeback", "refund"][self.any(2)];
        // 409: there is nothing left of it.
        let done = api.post(&format!("{BY_HAND}/payment_intents/{id}/{what}")).json(&json!({})).send().await;
        assert!(done.status < 500, "{:#}", done.body);
        if done.status == 200 {
            self.fired.count(&format!("{what} by hand"));
        }
    }
}
