//! What people do on a day: they order, pay, and do what an escrow's own `actions` say they may, in parts and amounts of their own.

use super::world::{Asked, BUYERS, DEALERS, SELLERS, World};
use holdfast_tests::json::{Look, with};
use rand::RngExt;
use serde_json::{Map, Value, json};

impl World {
    /// Somebody buys something.
    pub(crate) async fn order(&mut self) {
        let seller = SELLERS.start + self.any(SELLERS.len());
        let buyer = if self.once_in(5) { self.any(DEALERS.len()) } else { self.any(BUYERS.len()) };
        if buyer == seller {
            return;
        }
        let kind = ["product", "service", "project"][self.any(3)];
        let payer = ["buyer", "seller", "split"][self.any(3)];
        let number = self.any(1_000);
        let currency = if self.once_in(5) { "COIN" } else { "SAR" };
        let mut body = json!({
            "kind": kind, "subject": { "type": "job", "id": format!("job_{number}") }, "buyer": self.people[buyer].name,
            "seller": self.people[seller].name, "currency": currency, "fee_payer": payer,
        });
        if self.once_in(3) {
            let count = 1 + self.any(4);
            let parts: Vec<Value> = (0..count)
                .map(|at| json!({ "title": format!("Part {at}"), "amount": self.amount(currency, 200_000) }))
                .collect();
            body["milestones"] = json!(parts);
            if self.once_in(2) {
                body["fund"] = json!(["m1"]);
            }
        } else {
            body["amount"] = json!(self.amount(currency, 500_000));
        }
        let mut body = with(body, self.way_to_pay());
        if currency == "COIN" {
            on_the_gateways_page(&mut body);
        }
        let asked = Asked { who: buyer, path: "/v1/checkouts".to_owned(), key: self.hand.key(), body };
        self.take_in(asked).await;
    }

    /// On the gateway's page, on the marketplace's own, or from the wallet.
    fn way_to_pay(&mut self) -> Value {
        match self.any(8) {
            0 | 1 => json!({ "funding": "wallet" }),
            2 => json!({ "gateway": "stripe", "mode": "elements" }),
            _ => json!({ "gateway": "stripe" }),
        }
    }

    /// From 5.00, or 50 coins, to so many hundredths.
    pub(crate) fn amount(&mut self, currency: &str, most: u64) -> String {
        let units = self.random.random_range(500..=most);
        match currency {
            "COIN" => format!("{}", units / 10),
            _ => format!("{}.{:02}", units / 100, units % 100),
        }
    }

    /// Somebody fills their wallet.
    pub(crate) async fn top_up(&mut self) {
        let who = self.any(DEALERS.len());
        let currency = if self.once_in(3) { "COIN" } else { "SAR" };
        let mut body = json!({ "currency": currency, "amount": self.amount(currency, 800_000), "gateway": "stripe" });
        if currency == "SAR" && self.once_in(4) {
            body["mode"] = json!("elements");
        }
        let path = format!("/v1/wallets/{}/top-ups", self.people[who].name);
        self.fired.count("top-up");
        self.take_in(Asked { who, path, key: self.hand.key(), body }).await;
    }

    /// Somebody pays again, or what comes next.
    pub(crate) async fn pay_for_the_next_part(&mut self) {
        let Some(id) = self.an_escrow() else { return };
        let who = self.any(DEALERS.len());
        let mut body = self.way_to_pay();
        if self.once_in(2) {
            let named = ["m1", "m2", "m3"][self.any(3)];
            body["milestones"] = json!([named]);
        }
        let asked = Asked { who, path: format!("/v1/escrows/{id}/checkouts"), key: self.hand.key(), body };
        self.take_in(asked).await;
    }

    pub(crate) fn an_escrow(&mut self) -> Option<String> {
        if self.escrows.is_empty() {
            return None;
        }
        let at = self.any(self.escrows.len());
        self.escrows.iter().nth(at).cloned()
    }

    /// Sends a request and remembers what its answer leads to.
    pub(crate) async fn take_in(&mut self, asked: Asked) {
        let Some(answer) = self.ask(asked).await else { return };
        if !matches!(answer.status, 200 | 201) {
            return;
        }
        if let Some(id) = answer.body.pointer("/escrow/id").and_then(Value::as_str) {
            self.escrows.insert(id.to_owned());
            if answer.body["checkout"].is_null() && answer.body["escrow"]["status"] != "pending" {
                self.fired.count("paid from a wallet");
            }
        }
        if answer.body.pointer("/seller/accounts").is_some() {
            self.links.push(answer.body.text("/url").to_owned());
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

    /// Somebody does something at a page, or nothing that counts any more.
    pub(crate) async fn pay(&mut self) {
        if self.pages.is_empty() {
            return;
        }
        // Mostly the newest ones.
        let newest = self.pages.len().min(4);
        let at = if self.once_in(4) { self.any(self.pages.len()) } else { self.pages.len() - 1 - self.any(newest) };
        let outcome = ["paid", "paid", "paid", "paid", "paid", "declined", "expired", "pending"][self.any(8)];
        let play = json!({ "outcome": outcome, "late": outcome == "paid" && self.once_in(4) });
        let page = self.pages[at].clone();
        // 409: the page is past that. 422: an intent knows no such end.
        let played = self.hand.people.api.post(&page).json(&play).send().await;
        assert!(matches!(played.status, 200 | 409), "{page} {play}: {} {:#}", played.status, played.body);
        self.tell(&format!("at {page}: {play} {}", played.status));
        if played.status == 200 {
            self.fired.count(outcome);
        }
    }

    /// Somebody looks at an escrow and does one of the things that they are told they may do.
    pub(crate) async fn somebody_does_what_they_may(&mut self) {
        let Some(id) = self.one_that_matters() else { return };
        // Whoever has nothing to do with it sees nothing.
        let (who, escrow) = loop {
            let who = self.any(self.people.len());
            if let Some(escrow) = self.see(who, &format!("/v1/escrows/{id}")).await {
                break (who, escrow);
            }
            if self.once_in(6) {
                return;
            }
        };
        let may = allowed(&escrow);
        if may.is_empty() {
            return;
        }
        // What ends a dispute is seldom to be had, and taken where it is.
        let ends = may.iter().find(|action| matches!(action.as_str(), "accept" | "rule")).cloned();
        let action = match ends {
            Some(end) if !self.once_in(3) => end,
            _ => may[self.any(may.len())].clone(),
        };
        // Operators rarely step in, and few give up what they have just ordered.
        let rare = action.starts_with("operator_") || matches!(action.as_str(), "freeze" | "cancel");
        if rare && !self.once_in(4) {
            return;
        }
        let Some((command, body)) = self.command(&action, &escrow) else { return };
        self.fired.count(&action);
        let path = format!("/v1/escrows/{id}/{command}");
        if command == "dispute" {
            self.disputed.insert(id);
        }
        let asked = Asked { who, path, key: self.hand.key(), body };
        self.take_in(asked).await;
    }

    /// An escrow; one in two times one that is disputed.
    fn one_that_matters(&mut self) -> Option<String> {
        if self.disputed.is_empty() || self.once_in(2) {
            return self.an_escrow();
        }
        let at = self.any(self.disputed.len());
        self.disputed.iter().nth(at).cloned()
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
                let days = 1 + self.any(12);
                let due = milestone["deliver_by"].as_str().or(milestone["auto_release_at"].as_str());
                let due: escrow_domain::time::Timestamp = due?.parse().unwrap();
                let by: escrow_domain::time::Period = format!("P{days}D").parse().unwrap();
                body.insert("until".to_owned(), json!(due.after(by).to_string()));
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
                let offers = escrow.pointer("/dispute/proposal/id")?;
                body.clear();
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
            // Operators look first: at the end of the day.
            "resolve" => return None,
            other => panic!("an action that nobody here knows: {other}"),
        };
        Some((command, Value::Object(body)))
    }

    /// Some of what is held; all of it every second time.
    fn part_of(&mut self, milestone: &Value) -> Option<String> {
        let nothing = |part: &String| part.chars().all(|digit| matches!(digit, '0' | '.'));
        if self.once_in(2) { None } else { Some(self.share_of(milestone, "held")).filter(|part| !nothing(part)) }
    }

    /// A share of one of a milestone's buckets, from nothing to all of it.
    fn share_of(&mut self, milestone: &Value, bucket: &str) -> String {
        let text = milestone.text(&format!("/{bucket}")).to_owned();
        let units: u64 = text.replace('.', "").parse().unwrap();
        let share = match self.any(4) {
            0 => 0,
            1 => units,
            _ => self.random.random_range(0..=units),
        };
        if text.contains('.') { format!("{}.{:02}", share / 100, share % 100) } else { share.to_string() }
    }
}

/// Where coins are bought.
fn on_the_gateways_page(body: &mut Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.remove("mode");
    }
}

/// The names of the actions that are allowed.
pub(crate) fn allowed(shown: &Value) -> Vec<String> {
    let actions = shown.list("/actions").iter().filter(|action| action["allowed"] == true);
    actions.map(|action| action.text("/name").to_owned()).collect()
}
