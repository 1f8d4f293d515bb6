//! How money leaves on a day: sellers are onboarded, ask, and wish to be paid without asking; operators approve, pay by hand, decide.

use super::acts::allowed;
use super::world::{Asked, DEALERS, OPERATORS, SELLERS, World};
use holdfast_tests::json::Look;
use serde_json::{Value, json};

impl World {
    /// A seller begins, or goes on, or the gateway changes its mind about one.
    pub(crate) async fn a_seller_is_onboarded(&mut self) {
        if self.links.is_empty() || self.once_in(4) {
            let who = SELLERS.start + self.any(SELLERS.len());
            let path = format!("/v1/sellers/{}/onboarding", self.people[who].name);
            let body = json!({
                "gateway": "stripe", "return_url": "https://shop.example/me", "refresh_url": "https://shop.example/again",
            });
            return self.take_in(Asked { who, path, key: self.hand.key(), body }).await;
        }
        let at = self.any(self.links.len());
        let link = self.links.swap_remove(at);
        let outcome = ["complete", "complete", "complete", "pending", "incomplete", "rejected"][self.any(6)];
        let played = self.hand.people.api.post(&link).json(&json!({ "outcome": outcome })).send().await;
        assert!(matches!(played.status, 200 | 404 | 409), "{link}: {} {:#}", played.status, played.body);
        if played.status == 200 {
            self.fired.count(&format!("onboarding {outcome}"));
        }
    }

    /// Somebody asks for money from their wallet, or an operator does for many.
    pub(crate) async fn a_wallet_is_asked_for_money(&mut self) {
        let who = self.any(DEALERS.len());
        let owner = self.people[who].name;
        let Some(wallet) = self.see(who, &format!("/v1/wallets/{owner}")).await else { return };
        let balances = wallet.list("/balances").to_vec();
        if balances.is_empty() {
            return;
        }
        let balance = &balances[self.any(balances.len())];
        let amount = self.share_of_balance(balance.text("/available"));
        let currency = balance.text("/currency");
        let mut body = json!({ "currency": currency, "amount": amount });
        if currency == "COIN" || self.once_in(3) {
            body["gateway"] = json!("manual");
        } else if self.once_in(2) {
            body["gateway"] = json!("stripe");
        }
        if self.once_in(3)
            && let Some(id) = self.an_escrow()
        {
            body["escrow"] = json!(id);
        }
        if self.once_in(6) {
            body["owner"] = json!(owner);
            let operator = OPERATORS[self.any(2)];
            self.fired.count("payouts by an operator");
            let body = json!({ "payouts": [body] });
            let asked = Asked { who: operator, path: "/v1/payouts".to_owned(), key: self.hand.key(), body };
            return self.take_in(asked).await;
        }
        self.fired.count("payout asked for");
        let path = format!("/v1/wallets/{owner}/payouts");
        self.take_in(Asked { who, path, key: self.hand.key(), body }).await;
    }

    /// From a little to more than there is.
    fn share_of_balance(&mut self, available: &str) -> String {
        let units: u64 = available.replace('.', "").parse().unwrap();
        let units = [units, units / 2, units / 3, units + 1][self.any(4)].max(1);
        if available.contains('.') { format!("{}.{:02}", units / 100, units % 100) } else { units.to_string() }
    }

    /// A seller wishes to be paid without asking, or no more.
    pub(crate) async fn somebody_wishes_to_be_paid(&mut self) {
        let who = SELLERS.start + self.any(SELLERS.len());
        let body = match self.any(4) {
            0 => json!({ "currency": "SAR", "automatic": false }),
            1 => {
                json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "minimum": "50.00", "every": "P1D" })
            }
            2 => json!({ "currency": "COIN", "automatic": true, "gateway": "manual", "minimum": "10" }),
            _ => json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "minimum": "1.00" }),
        };
        let path = format!("/v1/sellers/{}/payout-policy", self.people[who].name);
        self.fired.count("payout wished for");
        self.take_in(Asked { who, path, key: self.hand.key(), body }).await;
    }

    /// An operator takes up one of the payouts that wait for one.
    pub(crate) async fn an_operator_looks_at_payouts(&mut self) {
        let who = OPERATORS[self.any(2)];
        let status = ["approval", "owed", "review"][self.any(3)];
        let Some(waiting) = self.see(who, &format!("/v1/payouts?status={status}")).await else { return };
        let waiting = waiting.list("/data").to_vec();
        if !waiting.is_empty() {
            let payout = waiting[self.any(waiting.len())].clone();
            self.decide_payout(who, &payout).await;
        }
    }

    /// An operator does one of the things that they may do with it.
    pub(crate) async fn decide_payout(&mut self, who: usize, payout: &Value) {
        let id = payout.text("/id");
        let may = allowed(payout);
        if may.is_empty() {
            return;
        }
        let action = may[self.any(may.len())].clone();
        let reason = json!("It was looked at.");
        let (command, body) = match action.as_str() {
            "approve" => ("approve", json!({})),
            "reject" => ("reject", json!({ "reason": reason })),
            "mark_paid" => ("mark-paid", json!({ "reference": format!("transfer of {id}") })),
            "mark_failed" => ("mark-failed", json!({ "reason": reason })),
            "resolve" => {
                let resolution = self.truth_about(id).await;
                ("resolve", json!({ "resolution": resolution, "reason": reason }))
            }
            other => panic!("an action that nobody here knows: {other}"),
        };
        self.fired.count(&format!("payout {action}"));
        let path = format!("/v1/payouts/{id}/{command}");
        self.take_in(Asked { who, path, key: self.hand.key(), body }).await;
    }

    /// What the operator reads in the gateway's dashboard about a payout in doubt.
    async fn truth_about(&mut self, id: &str) -> &'static str {
        let state = self.hand.people.sandbox().await;
        let was_made = state.list("/transfers").iter().any(|transfer| transfer["metadata"]["payout_id"] == id);
        if was_made { "done" } else { ["retry", "failed"][self.any(2)] }
    }

    /// All payouts of the marketplace.
    pub(crate) async fn payouts(&self) -> Vec<Value> {
        let mut payouts = Vec::new();
        for owner in DEALERS {
            let path = format!("/v1/wallets/{}/payouts?limit=100", self.people[owner].name);
            let page = self.people[OPERATORS[0]].caller.get(&path).send().await.is(200);
            payouts.extend(page.list("/data").iter().cloned());
        }
        payouts
    }
}
