//! The main job, played over HTTP against a system of its own: from a checkout to the seller's wallet. Every line that it
//! prints is what was called and what came back; it ends with an error as soon as anything is not as promised.

pub(crate) mod client;

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::say;
use crate::local::{Local, Options};
use crate::system::StartError;
use client::{Api, CallFailed};

/// The demo did not go as promised.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoFailed {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Call(#[from] CallFailed),
    #[error("{what}: promised {promised}, found {found}")]
    Different { what: &'static str, promised: Value, found: Value },
}

/// Plays it, on a system with its data in memory and a port of its own.
///
/// # Errors
/// At the first thing that is not as promised.
pub(crate) async fn play() -> Result<(), DemoFailed> {
    let local = Local::start(Options::in_memory()).await?;
    say(&format!("Holdfast plays on {}, with its data in memory.\n", local.url()));
    let story = Story { api: Api::new(local.url()) };
    let played = story.play().await;
    local.stop().await;
    played
}

struct Story {
    api: Api,
}

impl Story {
    async fn play(&self) -> Result<(), DemoFailed> {
        let buyer = self.token("usr_buyer").await?;
        let seller = self.token("usr_seller").await?;

        chapter("The buyer opens a checkout over 150 riyals");
        let asked = json!({
            "kind": "service", "subject": { "type": "job", "id": "job_42" },
            "buyer": "usr_buyer", "seller": "usr_seller",
            "currency": "SAR", "amount": "150.00", "gateway": "stripe",
        });
        let opened = self.api.post("/v1/checkouts").by(&buyer).key("checkout-1").send(&asked).await?.is(201)?;
        let escrow = text(&opened, "/escrow/id");
        let page = text(&opened, "/checkout/url");
        promised("the escrow's status", &opened, "/escrow/status", "pending")?;
        note(&format!("{escrow} is pending; the payment page is {page}"));

        chapter("The buyer pays; the gateway tells it six times, in disorder");
        let paid = json!({ "outcome": "paid", "duplicates": 5, "shuffle": true });
        self.api.post(&page).send(&paid).await?.is(200)?;
        self.settle().await?;
        let held = self.escrow(&escrow, &buyer).await?;
        promised("the escrow's status", &held, "/status", "held")?;
        promised("what is held", &held, "/held", "150.00")?;

        chapter("The seller delivers");
        let deliver = format!("/v1/escrows/{escrow}/deliver");
        let delivered = self.api.post(&deliver).by(&seller).key("deliver-1").send(&json!({})).await?.is(200)?;
        promised("the escrow's status", &delivered, "/status", "delivered")?;
        note(&format!(
            "without an objection it releases by itself at {}",
            text(&delivered, "/milestones/0/auto_release_at")
        ));

        chapter("The buyer says nothing for seven days");
        let moved = self.api.post("/_local/clock").send(&json!({ "advance": "P7D" })).await?.is(200)?;
        note(&format!("it is now {}", text(&moved, "/now")));
        self.settle().await?;
        let released = self.escrow(&escrow, &buyer).await?;
        promised("the escrow's status", &released, "/status", "released")?;
        promised("what was released", &released, "/released", "150.00")?;

        chapter("What the ledger says");
        let events =
            self.api.get(&format!("/v1/escrows/{escrow}/events")).by(&buyer).send(&Value::Null).await?.is(200)?;
        say(&journal(&events));

        chapter("The seller's wallet: the amount without the fee of ten per cent");
        let wallet = self.api.get("/v1/wallets/usr_seller").by(&seller).send(&Value::Null).await?.is(200)?;
        promised("what is available", &wallet, "/balances/0/available", "135.00")?;
        let lines =
            self.api.get("/v1/wallets/usr_seller/transactions").by(&seller).send(&Value::Null).await?.is(200)?;
        promised("the balance before", &lines, "/data/0/balance_before", "0.00")?;
        promised("the balance after", &lines, "/data/0/balance_after", "135.00")?;
        note("135.00 SAR are available");

        chapter("Every journal is replayed, every sum is checked");
        let verified = self.api.get("/_local/verify").send(&Value::Null).await?.is(200)?;
        if verified.pointer("/ok") != Some(&Value::Bool(true)) {
            return Err(DemoFailed::Different { what: "verify", promised: json!({ "ok": true }), found: verified });
        }
        note("all is as it must be");
        Ok(())
    }

    async fn token(&self, sub: &str) -> Result<String, DemoFailed> {
        let token = self.api.post("/_local/tokens").quietly().send(&json!({ "sub": sub })).await?.is(200)?;
        Ok(text(&token, "/token"))
    }

    async fn settle(&self) -> Result<(), DemoFailed> {
        self.api.post("/_local/settle").quietly().send(&Value::Null).await?.is(200)?;
        Ok(())
    }

    async fn escrow(&self, id: &str, token: &str) -> Result<Value, DemoFailed> {
        let escrow = self.api.get(&format!("/v1/escrows/{id}")).by(token).send(&Value::Null).await?.is(200)?;
        note(&format!(
            "{} · held {} · released {} · version {}",
            text(&escrow, "/status"),
            text(&escrow, "/held"),
            text(&escrow, "/released"),
            escrow.pointer("/version").unwrap_or(&Value::Null)
        ));
        Ok(escrow)
    }
}

/// The events, oldest first, each with its postings.
fn journal(events: &Value) -> String {
    let mut shown = String::new();
    for entry in list(events, "/data").iter().rev() {
        let who = match text(entry, "/actor/sub") {
            sub if sub.is_empty() => text(entry, "/actor/role"),
            sub => format!("{} {sub}", text(entry, "/actor/role")),
        };
        let _ = writeln!(shown, "    {:<24}  {:<13} by the {who}", text(entry, "/at"), text(entry, "/type"));
        for posting in list(entry, "/postings") {
            let side = text(posting, "/direction");
            let (account, amount) = (text(posting, "/account"), text(posting, "/amount"));
            let _ = writeln!(shown, "        {side:<6}  {account:<38} {amount:>10} {}", text(posting, "/currency"));
        }
    }
    shown
}

/// The list at a place; an empty one where there is none.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn promised(what: &'static str, found: &Value, pointer: &str, promised: &str) -> Result<(), DemoFailed> {
    let found = found.pointer(pointer).cloned().unwrap_or_default();
    if found == promised {
        return Ok(());
    }
    Err(DemoFailed::Different { what, promised: json!(promised), found })
}

/// The text at a place; nothing where there is none.
fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn chapter(title: &str) {
    say(&format!("\n{title}\n"));
}

fn note(line: &str) {
    say(&format!("    {line}\n"));
}
