//! An escrow and its people: how proofs come to the state in which they begin, in a line.

use serde_json::{Value, json};

use crate::api::{Answer, Caller};
use crate::json::{Look, with};
use crate::stack::Stack;

/// What a proof orders where it does not matter: 150 riyals for a service, the fee on the seller.
#[must_use]
pub fn order() -> Value {
    json!({
        "kind": "service", "subject": { "type": "job", "id": "job_42" }, "buyer": "usr_buyer", "seller": "usr_seller",
        "currency": "SAR", "amount": "150.00", "gateway": "stripe",
    })
}

/// An escrow.
#[derive(Debug)]
pub struct Deal<'a> {
    stack: &'a Stack,
    /// `esc_…`
    pub id: String,
    /// `pay_…` of its first payment.
    pub payment: String,
    /// Where its buyer pays.
    pub page: String,
}

impl Stack {
    /// The usual order with these changes, opened by its buyer.
    pub async fn checkout(&self, changes: Value) -> Deal<'_> {
        let order = with(order(), changes);
        let opened = self.buyer.post("/v1/checkouts").once().json(&order).send().await.is(201);
        opened.shows(json!({ "escrow": { "status": "pending" } }));
        Deal {
            stack: self,
            id: opened.text("/escrow/id").to_owned(),
            payment: opened.text("/checkout/payment_id").to_owned(),
            page: opened.text("/checkout/url").to_owned(),
        }
    }

    /// An escrow that is there; its buyer pays at no page.
    #[must_use]
    pub fn known(&self, id: &str) -> Deal<'_> {
        Deal { stack: self, id: id.to_owned(), payment: String::new(), page: String::new() }
    }

    /// The usual order with these changes, paid.
    pub async fn paid(&self, changes: Value) -> Deal<'_> {
        let deal = self.checkout(changes).await;
        deal.pay(json!({ "outcome": "paid" })).await;
        deal
    }

    /// The same, paid and delivered.
    pub async fn delivered(&self, changes: Value) -> Deal<'_> {
        let deal = self.paid(changes).await;
        deal.does(&self.seller, "deliver", json!({})).await.is(200).shows(json!({ "status": "delivered" }));
        deal
    }

    /// The same, paid, delivered and disputed, with the time for evidence over.
    pub async fn disputed(&self, changes: Value) -> Deal<'_> {
        let deal = self.delivered(changes).await;
        let reason = json!({ "reason": "The files do not open." });
        deal.does(&self.buyer, "dispute", reason).await.is(200).shows(json!({ "status": "disputed" }));
        self.advance("P2D").await;
        deal
    }
}

impl Deal<'_> {
    /// The buyer plays at the first payment's page: `{"outcome": "paid", "duplicates": 5}`. All webhooks about it have arrived
    /// when this returns.
    pub async fn pay(&self, play: Value) -> Value {
        self.pay_at(&self.page, play).await
    }

    /// The same at another page.
    pub async fn pay_at(&self, page: &str, play: Value) -> Value {
        let played = self.stack.api.post(page).json(&play).send().await.is(200);
        self.stack.settle().await;
        played
    }

    /// Another attempt to pay: its checkout.
    pub async fn another_checkout(&self) -> Value {
        let path = format!("/v1/escrows/{}/checkouts", self.id);
        let asked = json!({ "gateway": "stripe" });
        self.stack.buyer.post(&path).once().json(&asked).send().await.is(201)["checkout"].clone()
    }

    /// Somebody gives a command: `release`, `dispute/rule` …
    pub async fn does(&self, who: &Caller, command: &str, body: Value) -> Answer {
        who.post(&self.path(command)).once().json(&body).send().await
    }

    /// `/v1/escrows/{id}/{command}`
    #[must_use]
    pub fn path(&self, command: &str) -> String {
        format!("/v1/escrows/{}/{command}", self.id)
    }

    /// The escrow as the buyer sees it now.
    pub async fn stands(&self) -> Value {
        self.seen_by(&self.stack.buyer).await
    }

    /// The escrow as somebody sees it.
    pub async fn seen_by(&self, who: &Caller) -> Value {
        who.get(&format!("/v1/escrows/{}", self.id)).send().await.is(200)
    }

    /// Its journal, oldest entry first.
    pub async fn journal(&self) -> Vec<Value> {
        let page = self.stack.buyer.get(&format!("{}?limit=100", self.path("events"))).send().await.is(200);
        assert!(page["next_cursor"].is_null(), "a proof's journal fits on a page");
        page.list("/data").iter().rev().cloned().collect()
    }

    /// The types of its entries, oldest first: `create fund deliver`.
    pub async fn story(&self) -> String {
        let journal = self.journal().await;
        journal.iter().map(|entry| entry.text("/type")).collect::<Vec<_>>().join(" ")
    }

    /// What the sandbox has given back of this escrow's money, refund by refund.
    pub async fn refunds_at_gateway(&self) -> Vec<Value> {
        let sandbox = self.stack.sandbox().await;
        let ours = |refund: &&Value| refund["metadata"]["escrow_id"] == self.id.as_str();
        sandbox.list("/refunds").iter().filter(ours).cloned().collect()
    }
}
