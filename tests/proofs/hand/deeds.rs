//! What else people, the gateway and the table do in an escrow's life.

use super::{Hand, Heard, Life};
use holdfast_tests::api::Caller;
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use serde_json::{Value, json};

/// Somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Buyer,
    Seller,
    Operator,
}

/// Something that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The buyer orders with these changes.
    Order(&'static str),
    /// The buyer pays the next milestones: what the body says.
    NextPart(&'static str),
    /// A command and its body.
    Commands(Who, &'static str, &'static str),
    /// The offer that counts is accepted.
    Accept(Who),
    /// The first milestone's deadline is moved, or the other side asked whether it may be, by so many days.
    Extend(Who, u32),
    /// So many entries in the journal: the buyer asks again and again.
    Talk(usize),
    /// The buyer accepts while everybody wants the seller's wallet.
    ReleaseIntoHotWallet,
    /// The card is charged back.
    ChargedBack,
    /// The bank decides so.
    Ends(&'static str),
}

impl Hand {
    fn caller(&self, who: Who) -> &Caller {
        match who {
            Who::Buyer => &self.people.buyer,
            Who::Seller => &self.people.seller,
            Who::Operator => &self.people.operator,
        }
    }

    /// The buyer's wallet is filled.
    pub(crate) async fn fill_wallet(&self, currency: &str, amount: &str) {
        let wish = json!({ "currency": currency, "amount": amount, "gateway": "stripe" });
        let path = "/v1/wallets/usr_buyer/top-ups";
        let opened = self.ask(&self.people.buyer, path, &self.key(), &wish).await.unwrap().is(201);
        self.people.api.post(opened.text("/checkout/url")).json(&json!({ "outcome": "paid" })).send().await.is(200);
        self.drain(false).await;
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

impl Life<'_> {
    pub(super) async fn does(&mut self, deed: Deed) {
        match deed {
            Deed::Order(changes) => {
                let order = with(order(), parsed(changes));
                let opened = self.insist(&self.hand.people.buyer, "/v1/checkouts", order).await;
                self.id = opened.text("/escrow/id").to_owned();
                self.pages.extend(page(&opened));
            }
            Deed::NextPart(body) => {
                let path = format!("/v1/escrows/{}/checkouts", self.id);
                let opened = self.insist(&self.hand.people.buyer, &path, parsed(body)).await;
                // What is paid next is paid at the first page.
                self.pages.splice(0..0, page(&opened));
            }
            Deed::Commands(who, command, body) => {
                self.command(self.hand.caller(who), command, parsed(body)).await;
            }
            Deed::Accept(who) => {
                let offer = self.seen().await.text("/dispute/proposal/id").to_owned();
                self.command(self.hand.caller(who), "dispute/accept", json!({ "proposal": offer })).await;
            }
            Deed::Extend(who, days) => {
                let seen = self.seen().await;
                let due = ["/milestones/0/deliver_by", "/milestones/0/auto_release_at"];
                let due = due.iter().find_map(|at| seen.pointer(at).and_then(Value::as_str)).unwrap();
                let due: escrow_domain::time::Timestamp = due.parse().unwrap();
                let until = due.after(escrow_domain::time::Period::days(days)).to_string();
                self.command(self.hand.caller(who), "extend", json!({ "until": until })).await;
            }
            Deed::Talk(times) => {
                for _time in 0..times {
                    self.command(&self.hand.people.seller, "cancel", json!({ "reason": "It is too much." })).await;
                }
            }
            Deed::ReleaseIntoHotWallet => {
                self.hand.wire.hear(Heard { hot: true, ..Heard::default() });
                self.command(&self.hand.people.buyer, "release", json!({})).await;
                self.hand.wire.hear(Heard::default());
            }
            Deed::ChargedBack => {
                let what = format!("payment_intents/{}/chargeback", self.at_gateway("/payment_intents").await);
                self.at_the_bank(&what, json!({})).await;
            }
            Deed::Ends(status) => {
                let intent = self.at_gateway("/payment_intents").await;
                let state = self.hand.people.sandbox().await;
                let ours = |dispute: &&Value| dispute["payment_intent"] == intent.as_str();
                let dispute = state.list("/disputes").iter().find(ours).unwrap();
                self.at_the_bank(&format!("disputes/{}", dispute.text("/id")), json!({ "status": status })).await;
            }
        }
    }

    async fn seen(&self) -> Value {
        self.hand.wire.look(true);
        let seen = self.hand.people.operator.get(&format!("/v1/escrows/{}", self.id)).send().await.is(200);
        self.hand.wire.look(false);
        seen
    }

    /// The gateway's id of this escrow's first thing in that list.
    async fn at_gateway(&self, list: &str) -> String {
        let state = self.hand.people.sandbox().await;
        let ours = |one: &&Value| one["metadata"]["escrow_id"] == self.id.as_str();
        state.list(list).iter().find(ours).unwrap().text("/id").to_owned()
    }

    async fn at_the_bank(&self, what: &str, body: Value) {
        let path = format!("/_local/sandbox/stripe/{what}");
        self.hand.people.api.post(&path).json(&body).send().await.is(200);
    }
}

/// Where it is paid: on the gateway's page, or on one of the marketplace's own.
fn page(opened: &Value) -> Option<String> {
    let secret = opened.pointer("/checkout/client_secret").and_then(Value::as_str);
    let url = opened.pointer("/checkout/url").and_then(Value::as_str);
    url.map(str::to_owned).or(secret.map(|secret| format!("/sandbox/stripe/pay/{secret}")))
}
