//! What happens at the gateway by itself: cards are charged back, somebody clicks in its dashboard, banks send money back, accounts
//! are looked at again.

use super::world::World;
use holdfast_tests::json::Look;
use serde_json::{Value, json};

/// The ends of a dispute at the gateway.
const OVER: [&str; 3] = ["won", "lost", "warning_closed"];

impl World {
    pub(crate) async fn the_gateway_does_something_by_itself(&mut self) {
        let state = self.hand.people.sandbox().await;
        // Where money has gone on to sellers, some of it comes back.
        if !state.list("/transfers").is_empty() && self.once_in(4) {
            return self.a_transfer_comes_back(&state).await;
        }
        match self.any(7) {
            0 | 1 => self.a_bank_decides(&state).await,
            2 => self.a_card_is_charged_back(&state).await,
            3 => self.somebody_refunds_by_hand(&state).await,
            4 => self.a_refund_ends_otherwise(&state).await,
            5 => self.a_seller_is_looked_at_again(&state).await,
            _ => self.the_next_call_goes_wrong().await,
        }
    }

    fn one_of<'v>(&mut self, list: &[&'v Value]) -> Option<&'v Value> {
        if list.is_empty() { None } else { Some(list[self.any(list.len())]) }
    }

    async fn a_card_is_charged_back(&mut self, state: &Value) {
        let Some(intent) = self.one_of(&paid(state)) else { return };
        let mut body = json!({ "withdraw": !self.once_in(3), "inquiry": self.once_in(4) });
        if self.once_in(3) {
            body["amount"] = json!(intent["amount"].as_u64().unwrap() / 2);
        }
        let what = format!("payment_intents/{}/chargeback", intent.text("/id"));
        if !fully_refunded(intent) && self.by_hand(&what, body).await == 200 {
            self.fired.count("chargeback");
        }
    }

    async fn a_bank_decides(&mut self, state: &Value) {
        let open: Vec<&Value> = open_disputes(state);
        let Some(dispute) = self.one_of(&open) else { return self.a_card_is_charged_back(state).await };
        let to = match dispute.text("/status") {
            "warning_needs_response" | "warning_under_review" => ["warning_closed", "needs_response"][self.any(2)],
            "needs_response" => ["under_review", "won", "lost"][self.any(3)],
            _ => ["won", "lost"][self.any(2)],
        };
        self.turn_dispute(dispute, to).await;
    }

    /// Whatever is lost was taken before.
    pub(crate) async fn turn_dispute(&mut self, dispute: &Value, to: &str) {
        let id = dispute.text("/id");
        if to == "lost" {
            self.by_hand(&format!("disputes/{id}/funds"), json!({ "funds": "withdrawn" })).await;
        }
        if self.by_hand(&format!("disputes/{id}"), json!({ "status": to })).await == 200 {
            self.fired.count(&format!("chargeback {to}"));
        }
    }

    /// All of the disputes come to an end.
    pub(crate) async fn the_bank_decides(&mut self) {
        let state = self.hand.people.sandbox().await;
        for dispute in open_disputes(&state) {
            let asks = dispute.text("/status").starts_with("warning");
            let to = if asks { "warning_closed" } else { ["won", "lost"][self.any(2)] };
            self.turn_dispute(dispute, to).await;
        }
        for refund in state.list("/refunds").iter().filter(|refund| refund["status"] == "pending") {
            let to = ["succeeded", "failed"][self.any(2)];
            self.by_hand(&format!("refunds/{}", refund.text("/id")), json!({ "status": to })).await;
        }
    }

    async fn somebody_refunds_by_hand(&mut self, state: &Value) {
        let Some(intent) = self.one_of(&paid(state)) else { return };
        let mut body = json!({});
        if self.once_in(2) {
            body["amount"] = json!((intent["amount"].as_u64().unwrap() / 3).max(1));
        }
        let what = format!("payment_intents/{}/refund", intent.text("/id"));
        if self.by_hand(&what, body).await == 200 {
            self.fired.count("refund by hand");
        }
    }

    async fn a_refund_ends_otherwise(&mut self, state: &Value) {
        // What we asked for; and what was taken back by hand stays with whoever has it.
        let ours = |refund: &&Value| refund["by_hand"] == false && refund["status"] != "failed";
        let refunds: Vec<&Value> = state.list("/refunds").iter().filter(ours).collect();
        let Some(refund) = self.one_of(&refunds) else { return };
        let what = format!("refunds/{}", refund.text("/id"));
        if self.by_hand(&what, json!({ "status": "failed" })).await == 200 {
            self.fired.count("refund failed");
        }
    }

    async fn a_transfer_comes_back(&mut self, state: &Value) {
        let transfers: Vec<&Value> = state.list("/transfers").iter().collect();
        let Some(transfer) = self.one_of(&transfers) else { return };
        let mut body = json!({});
        if self.once_in(2) {
            body["amount"] = json!((transfer["amount"].as_u64().unwrap() / 3).max(1));
        }
        let what = format!("transfers/{}/reversals", transfer.text("/id"));
        if self.by_hand(&what, body).await == 200 {
            self.fired.count("transfer came back");
        }
    }

    async fn a_seller_is_looked_at_again(&mut self, state: &Value) {
        let connected = |account: &&Value| account["connected"] == true;
        let accounts: Vec<&Value> = state.list("/accounts").iter().filter(connected).collect();
        let Some(account) = self.one_of(&accounts) else { return };
        let id = account.text("/id");
        if self.once_in(8) {
            self.fired.count("seller left");
            self.by_hand(&format!("accounts/{id}/disconnect"), json!({})).await;
            return;
        }
        let outcome = ["complete", "complete", "incomplete", "pending"][self.any(4)];
        let enabled = !self.once_in(4);
        self.fired.count("seller looked at again");
        self.by_hand(&format!("accounts/{id}"), json!({ "outcome": outcome, "payouts_enabled": enabled })).await;
    }

    /// The gateway itself errs: what it answers is not what it did.
    async fn the_next_call_goes_wrong(&mut self) {
        let call = ["checkouts", "intents", "closes", "refunds", "accounts", "transfers", "look_ups"][self.any(7)];
        let fault = ["lost_before", "lost_after", "409", "429", "500", "500_after"][self.any(6)];
        let fault = if call == "refunds" && self.once_in(3) { ["fail", "pending"][self.any(2)] } else { fault };
        self.fired.count("the gateway errs");
        self.hand.people.switch_sandbox(json!({ "next": [{ call: fault }] })).await;
    }
}

fn paid(state: &Value) -> Vec<&Value> {
    state.list("/payment_intents").iter().filter(|intent| intent["status"] == "succeeded").collect()
}

fn fully_refunded(intent: &Value) -> bool {
    intent["refunded"] == intent["amount"]
}

fn open_disputes(state: &Value) -> Vec<&Value> {
    let open = |dispute: &&Value| !OVER.contains(&dispute.text("/status"));
    state.list("/disputes").iter().filter(open).collect()
}
