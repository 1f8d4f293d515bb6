//! What each operation costs: DynamoDB requests and units, and how many calls follow one upon the other. Exact on every run, so they
//! are held to budgets, and `docs/COUNTERS.md` is made from them.

mod clock;
mod escrows;
mod reads;
mod wallets;

use crate::hand::{Hand, Heard, opened};
use escrow_store::Counters;
use holdfast::sandbox::Told;
use holdfast_tests::api::{Answer, Caller};
use holdfast_tests::json::Look;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// What an operation may cost. Units in whole ones.
#[derive(Debug, Clone, Copy)]
struct Budget {
    requests: u64,
    write_units: u64,
    /// Calls to the table, the queue and gateways, none of which runs beside another.
    trips: usize,
}

const fn at_most(requests: u64, write_units: u64, trips: usize) -> Budget {
    Budget { requests, write_units, trips }
}

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    spent: Counters,
    trips: usize,
}

struct Row {
    operation: &'static str,
    cost: Cost,
    budget: Budget,
}

/// What is measured together.
struct Chapter {
    title: &'static str,
    rows: Vec<Row>,
}

#[derive(Default)]
struct Table(Vec<Chapter>);

impl Table {
    fn begin(&mut self, title: &'static str) {
        self.0.push(Chapter { title, rows: Vec::new() });
    }

    /// A row of the chapter that was begun last.
    fn put(&mut self, operation: &'static str, cost: Cost, budget: Budget) {
        self.0.last_mut().expect("a chapter").rows.push(Row { operation, cost, budget });
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter().flat_map(|chapter| &chapter.rows)
    }

    fn sum(&self, operations: &[&str]) -> Cost {
        let mut sum = Cost::default();
        for row in self.rows().filter(|row| operations.contains(&row.operation)) {
            sum.spent.requests += row.cost.spent.requests;
            sum.spent.read_units += row.cost.spent.read_units;
            sum.spent.write_units += row.cost.spent.write_units;
            sum.trips += row.cost.trips;
        }
        sum
    }

    fn check(&self) {
        let mut over = Vec::new();
        for Row { operation, cost, budget } in self.rows() {
            let fits = cost.spent.requests <= budget.requests
                && cost.spent.write_units <= budget.write_units * 1_000
                && cost.trips <= budget.trips;
            if !fits {
                over.push(format!("{operation}: {cost:?}"));
            }
        }
        assert!(over.is_empty(), "over their budgets:\n{}", over.join("\n"));
    }

    fn rendered(&self) -> String {
        let mut text = String::from(HEAD);
        for Chapter { title, rows } in &self.0 {
            let _ = write!(text, "\n## {title}\n\n{COLUMNS}");
            for Row { operation, cost, budget } in rows {
                let _ = writeln!(
                    text,
                    "| {operation} | {} | {} | {} | {} | {} · {} · {} |",
                    cost.spent.requests,
                    units(cost.spent.read_units),
                    units(cost.spent.write_units),
                    cost.trips,
                    budget.requests,
                    budget.write_units,
                    budget.trips
                );
            }
        }
        text.push_str(TAIL);
        text
    }
}

const HEAD: &str = "# Counters

Made by a test from real runs on the embedded DynamoDB; do not edit it. To make it again:

    UPDATE_DOCS=1 cargo test -p holdfast-tests counters

Requests and units are DynamoDB's (`ReturnConsumedCapacity`), index entries included; a transaction's items count twice. *Calls* are
those to the table, the queue and the gateway together: each waits for the one before, so they are the sequential round trips of one
invocation. A budget is requests · write units · calls; the test fails above it.

A write unit is five times the price of a read unit. A life is checkout, paid, delivered, released, its last credit on a wallet that
exists; a payout is asked for, sent and known to be made. *Again* is the same request with the same key, or the same event.
";

const COLUMNS: &str = "\
| Operation | Requests | Read units | Write units | Calls | Budget |
|---|---|---|---|---|---|
";

const TAIL: &str = "
The sweep's budget for N escrows of S sellers is N/20 + 2 S + pages requests (a page of each of the 16 shards) and 8 N + 4 S
write units.
";

fn units(thousandths: u64) -> String {
    if thousandths.is_multiple_of(1_000) {
        (thousandths / 1_000).to_string()
    } else {
        format!("{}.{}", thousandths / 1_000, (thousandths % 1_000) / 100)
    }
}

/// Runs one invocation and measures it.
async fn measured<T>(hand: &Hand, invocation: impl Future<Output = T>) -> (Cost, T) {
    let before = hand.system.counters();
    hand.wire.hear(Heard::listen(None));
    let result = invocation.await;
    let trips = hand.wire.hear(Heard::default()).made.len();
    (Cost { spent: hand.system.counters().since(before), trips }, result)
}

async fn command(hand: &Hand, who: &Caller, id: &str, command: &str, key: &str, body: Value) -> Cost {
    let path = format!("/v1/escrows/{id}/{command}");
    let (cost, answer) = measured(hand, hand.ask(who, &path, key, &body)).await;
    answer.unwrap().is(200);
    cost
}

/// The events since a number, as the gateway would post them.
fn told(hand: &Hand, since: u64) -> Vec<Told> {
    hand.system.told_since(since)
}

async fn heard(hand: &Hand, event: &Told) -> Cost {
    let (cost, answer) = measured(hand, hand.tell(&event.body)).await;
    answer.unwrap().is(200);
    cost
}

fn next(hand: &Hand) -> u64 {
    told(hand, 0).last().map_or(0, |event| event.number + 1)
}

fn of_kind<'a>(events: &'a [Told], kind: &str) -> &'a Told {
    events.iter().find(|event| event.kind == kind).unwrap_or_else(|| panic!("the gateway never told {kind}"))
}

async fn pays(hand: &Hand, page: &str) -> Vec<Told> {
    let since = next(hand);
    hand.people.api.post(page).json(&json!({ "outcome": "paid" })).send().await.is(200);
    told(hand, since)
}

#[tokio::test]
async fn every_operation_stays_within_its_budget_and_the_table_is_true() {
    let hand = Hand::start().await;
    let people = &hand.people;
    let mut table = Table::default();
    table.begin("A deal");

    // A life, with a wallet that exists: another escrow was released before.
    let (first, page) = opened(&hand, json!({ "subject": { "type": "job", "id": "job_41" } })).await;
    heard(&hand, of_kind(&pays(&hand, &page).await, "checkout.session.completed")).await;
    let first_release = command(&hand, &people.buyer, &first, "release", &hand.key(), json!({})).await;

    let order = holdfast_tests::deal::order();
    let (created, answer) = measured(&hand, hand.ask(&people.buyer, "/v1/checkouts", "life", &order)).await;
    let body = answer.unwrap().is(201);
    let (id, page) = (body.text("/escrow/id").to_owned(), body.text("/checkout/url").to_owned());
    table.put("create checkout", created, at_most(2, 9, 3));
    let (again, _) = measured(&hand, hand.ask(&people.buyer, "/v1/checkouts", "life", &order)).await;
    table.put("create checkout, again", again, at_most(1, 0, 1));
    let events = pays(&hand, &page).await;
    table.put(
        "webhook: paid → held",
        heard(&hand, of_kind(&events, "payment_intent.succeeded")).await,
        at_most(2, 4, 2),
    );
    table.put(
        "the same event again",
        heard(&hand, of_kind(&events, "payment_intent.succeeded")).await,
        at_most(1, 0, 1),
    );
    let other = heard(&hand, of_kind(&events, "checkout.session.completed")).await;
    table.put("another event of the same payment", other, at_most(1, 0, 1));
    let delivered = command(&hand, &people.seller, &id, "deliver", "deliver", json!({})).await;
    table.put("deliver", delivered, at_most(2, 4, 2));
    table.put(
        "deliver, again",
        command(&hand, &people.seller, &id, "deliver", "deliver", json!({})).await,
        at_most(1, 0, 1),
    );
    table.put(
        "release → wallet credited",
        command(&hand, &people.buyer, &id, "release", "release", json!({})).await,
        at_most(3, 10, 3),
    );
    table.put(
        "release, again",
        command(&hand, &people.buyer, &id, "release", "release", json!({})).await,
        at_most(1, 0, 1),
    );
    let life = ["create checkout", "webhook: paid → held", "deliver", "release → wallet credited"];
    let life = table.sum(&life);
    table.put("**a life**", life, at_most(9, 26, 10));
    table.put("release, the seller's first credit", first_release, at_most(3, 10, 3));
    let (read, answer) = {
        let path = format!("/v1/escrows/{id}");
        measured(&hand, people.buyer.get(&path).send()).await
    };
    answer.is(200);
    table.put("read an escrow", read, at_most(1, 0, 1));

    refund(&hand, &mut table).await;
    people.verify().await;
    escrows::measure(&mut table).await;
    wallets::measure(&mut table).await;
    reads::measure(&mut table).await;
    clock::measure(&mut table).await;

    is_documented(&table.rendered());
    table.check();
}

/// A refund: promised, sent, and told by the gateway.
async fn refund(hand: &Hand, table: &mut Table) {
    let (id, page) = opened(hand, json!({ "subject": { "type": "job", "id": "job_43" } })).await;
    heard(hand, of_kind(&pays(hand, &page).await, "checkout.session.completed")).await;
    let since = next(hand);
    let promised = command(hand, &hand.people.seller, &id, "refund", &hand.key(), json!({})).await;
    table.put("refund promised, settle woken", promised, at_most(2, 4, 3));
    let messages = hand.system.take_messages().await.unwrap();
    let (settled, done) = measured(hand, hand.system.settle(&messages[0])).await;
    assert_eq!(done, Some(true));
    // Load, claim, send, store the answer.
    table.put("settle: refund sent and confirmed", settled, at_most(3, 8, 4));
    let events = told(hand, since);
    table.put(
        "webhook: a refund that is known",
        heard(hand, of_kind(&events, "refund.updated")).await,
        at_most(1, 0, 1),
    );
}

/// What somebody asks for by `POST`, and what is answered.
async fn asks(hand: &Hand, who: &Caller, path: &str, key: &str, body: Value) -> (Cost, Answer) {
    let (cost, answer) = measured(hand, hand.ask(who, path, key, &body)).await;
    (cost, answer.unwrap())
}

/// What somebody looks at.
async fn looks(hand: &Hand, who: &Caller, path: &str) -> Cost {
    let (cost, answer) = measured(hand, hand.look(who, path)).await;
    answer.unwrap().is(200);
    cost
}

/// An escrow of these changes that is paid.
async fn paid(hand: &Hand, changes: Value) -> String {
    let (id, page) = opened(hand, changes).await;
    heard(hand, of_kind(&pays(hand, &page).await, "checkout.session.completed")).await;
    id
}

/// One that was released to its seller.
async fn released(hand: &Hand, changes: Value) -> String {
    let id = paid(hand, changes).await;
    command(hand, &hand.people.buyer, &id, "release", &hand.key(), json!({})).await;
    id
}

/// The document says what was measured.
fn is_documented(rendered: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COUNTERS.md");
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so, and only here")]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::write(&path, rendered).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == rendered,
        "docs/COUNTERS.md is stale: UPDATE_DOCS=1 cargo test -p holdfast-tests counters\n{rendered}"
    );
}
