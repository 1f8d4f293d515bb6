//! Damage that is done to the table itself, behind every rule: each kind is found by the break that names it, in every way in which a table
//! can be checked, and stops the money that it touches.

use super::{breaks, capture, onboard, paid_out, reconcile};
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::{Local, Options};
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_holdfast-to-be-killed");

/// A Holdfast whose table can be reached past it.
struct Bench {
    local: Local,
    holdfast: Stack,
    /// The escrow for which the seller was paid.
    released: String,
}

impl Bench {
    /// A seller was paid for one deal.
    async fn start() -> Self {
        let local = Local::start(Options::in_memory()).await.unwrap();
        let holdfast = Stack::at(local.url()).await;
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let released = deal.id.clone();
        Self { local, holdfast, released }
    }

    /// The break of an aggregate that keeps its own invariants.
    fn broken(id: &str, what: &str) -> String {
        format!("{id}: an invariant is broken: {what}")
    }

    fn number(units: i64) -> AttributeValue {
        AttributeValue::N(units.to_string())
    }

    /// Writes over one place of an item: `m[0].m[1]`.
    async fn set(&self, pk: &str, sk: &str, place: &str, value: AttributeValue) {
        // Names of one letter may be reserved words.
        let parts: Vec<&str> = place.split('.').collect();
        let named: Vec<String> = (0..).zip(&parts).map(|(at, part)| with_index(at, part)).collect();
        #[expect(clippy::disallowed_methods, reason = "the damage that must be found")]
        let mut update = self.local.dynamodb().update_item();
        update = update.table_name(self.local.table());
        update = update.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
        update = update.update_expression(format!("SET {} = :v", named.join(".")));
        for (at, part) in (0..).zip(&parts) {
            let name = part.split('[').next().unwrap();
            update = update.expression_attribute_names(format!("#n{at}"), name);
        }
        update.expression_attribute_values(":v", value).send().await.unwrap();
    }

    /// Takes an item away.
    async fn delete(&self, pk: &str, sk: &str) {
        #[expect(clippy::disallowed_methods, reason = "the damage that must be found")]
        let delete = self.local.dynamodb().delete_item();
        let delete = delete.table_name(self.local.table());
        let delete = delete.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
        delete.send().await.unwrap();
    }

    /// Puts an item back, or another one in its place.
    async fn put(&self, item: std::collections::HashMap<String, AttributeValue>) {
        #[expect(clippy::disallowed_methods, reason = "the damage that must be found")]
        let put = self.local.dynamodb().put_item();
        put.table_name(self.local.table()).set_item(Some(item)).send().await.unwrap();
    }

    /// The item of an escrow or a payout.
    fn pk_of(id: &str) -> String {
        let (kind, body) = id.split_once('_').unwrap();
        format!("{}#{body}", if kind == "esc" { "E" } else { "P" })
    }

    async fn item(&self, pk: &str, sk: &str) -> std::collections::HashMap<String, AttributeValue> {
        let get = self.local.dynamodb().get_item().table_name(self.local.table());
        let get = get.key("pk", AttributeValue::S(pk.to_owned())).key("sk", AttributeValue::S(sk.to_owned()));
        get.send().await.unwrap().item.expect("the item is there")
    }

    /// What `holdfast verify` says of the table, and its exit status.
    async fn verify(&self) -> (Option<i32>, Value, String) {
        let run = async |json: bool| {
            let mut command = Command::new(BINARY);
            command.args(["verify", "--at-rest", "--table", self.local.table(), "--region", "eu-west-1"]);
            command.args(["--endpoint-url", self.local.dynamodb_endpoint()]);
            if json {
                command.arg("--json");
            }
            command.env_clear().env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
            command.stdin(Stdio::null()).output().await.unwrap()
        };
        let (long, short) = (run(true).await, run(false).await);
        assert_eq!(long.status.code(), short.status.code());
        let report = serde_json::from_slice(&long.stdout).unwrap_or_default();
        (long.status.code(), report, String::from_utf8(short.stdout).unwrap())
    }

    /// The damage is found, as this, by everybody who looks; and this wallet is on hold for it.
    async fn is_found(&self, expected: &[String], held: Option<&str>) {
        let here = self.holdfast.api.get("/_local/verify").send().await.is(200);
        assert_eq!((&here["ok"], breaks(&here)), (&json!(false), expected.to_vec()), "{here:#}");
        let (status, report, summary) = self.verify().await;
        assert_eq!((status, breaks(&report)), (Some(1), expected.to_vec()), "{summary}");
        for line in expected {
            assert!(summary.contains(line), "{summary}");
        }
        let done = self.finds(expected).await;
        done.shows(json!({ "held": u8::from(held.is_some()) }));
        if let Some(owner) = held {
            let balance = self.holdfast.balance(owner, "SAR").await;
            let reason = balance.text("/hold");
            assert!(reason.starts_with("the ledger is being checked: "), "{balance:#}");
        }
    }

    /// The day's run finds just this.
    async fn finds(&self, expected: &[String]) -> Value {
        let done = reconcile(&self.holdfast).await;
        assert_eq!(breaks(&done["report"]), expected, "{done:#}");
        done
    }

    /// The damage is repaired: nobody finds anything, and nothing is on hold any more.
    async fn is_sound(&self, freed: u8) {
        let done = self.finds(&[]).await;
        done.shows(json!({ "held": 0, "freed": freed, "unread": [] }));
        let (status, _, summary) = self.verify().await;
        assert_eq!(status, Some(0), "{summary}");
        assert!(summary.contains("Everything holds."), "{summary}");
    }
}

/// `m[0]` by the name of its part: `#n0[0]`.
fn with_index(at: usize, part: &str) -> String {
    let index = part.find('[').map_or("", |from| &part[from..]);
    format!("#n{at}{index}")
}

#[tokio::test]
async fn a_bucket_that_was_changed_is_found_and_its_seller_is_paid_nothing_until_it_is_repaired() {
    let bench = Bench::start().await;
    let pk = Bench::pk_of(&bench.released);
    // A part of what was released is said to have gone back; the parts still sum up to the whole.
    let before = bench.item(&pk, "E").await;
    bench.set(&pk, "E", "m[0].m[3]", Bench::number(14_000)).await;
    bench.set(&pk, "E", "m[0].m[5]", Bench::number(1_000)).await;
    let expected = [Bench::broken(&bench.released, "the replayed journal does not give the stored state")];
    bench.is_found(&expected, Some("usr_seller")).await;
    // It stays, with the same hold; nothing leaves the wallet, and its owner and the operator see why.
    bench.finds(&expected).await.shows(json!({ "held": 0, "freed": 0 }));
    let wish = json!({ "currency": "SAR", "amount": "1.00", "gateway": "manual" });
    let path = "/v1/wallets/usr_seller/payouts";
    let holdfast = &bench.holdfast;
    holdfast.seller.post(path).once().json(&wish).send().await.refuses(409, "wallet_on_hold");
    let bought =
        json!({ "buyer": "usr_seller", "seller": "usr_other", "amount": "1.00", "funding": "wallet", "gateway": null });
    let bought = with(order(), bought);
    holdfast.seller.post("/v1/checkouts").once().json(&bought).send().await.refuses(409, "wallet_on_hold");
    // Money still comes in.
    holdfast.paid(json!({})).await.does(&holdfast.buyer, "release", json!({})).await.is(200);
    holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "270.00" }));
    bench.put(before).await;
    bench.is_sound(1).await;
    bench.holdfast.seller.post("/v1/checkouts").once().json(&bought).send().await.is(201);
    bench.holdfast.seller.post(path).once().json(&wish).send().await.is(201);
    bench.local.stop().await;
}

#[tokio::test]
async fn held_money_that_was_changed_is_found_and_moves_no_more() {
    let bench = Bench::start().await;
    let deal = bench.holdfast.paid(json!({})).await;
    let pk = Bench::pk_of(&deal.id);
    let before = bench.item(&pk, "E").await;
    bench.set(&pk, "E", "m[0].m[1]", Bench::number(14_000)).await;
    bench.set(&pk, "E", "m[0].m[3]", Bench::number(1_000)).await;
    let why =
        format!("the item at {pk}/E is corrupt: an invariant is broken: the ledger does not hold what the escrow says");
    bench.is_found(&[format!("{}: {why}", deal.id)], None).await;
    deal.does(&bench.holdfast.buyer, "release", json!({})).await.refuses(500, "internal");
    bench.put(before).await;
    bench.is_sound(0).await;
    deal.does(&bench.holdfast.buyer, "release", json!({})).await.is(200);
    bench.local.stop().await;
}

#[tokio::test]
async fn a_wallets_balances_that_were_changed_are_found() {
    let bench = Bench::start().await;
    let sound = bench.item("W#usr_seller", "SAR").await;
    let at = |what: &str| format!("wallet:usr_seller:SAR: {what}");
    let damage = |place: &'static str, units: i64| (place, Bench::number(units));
    let cases = [
        (damage("a", 99_900), vec!["line 0 does not lead to what follows it"]),
        (damage("e", 1), vec!["what was earned is not what its lines sum up to"]),
        (damage("p", 500), vec!["what it has reserved is not what its payouts reserve"]),
        (damage("o", 500), vec!["what was withdrawn is not what its payouts have paid out"]),
        (damage("l", 2), vec!["line 1 is missing"]),
        (damage("g", 5), vec!["the item at W#usr_seller/SAR is corrupt: money available beside a debt"]),
    ];
    for ((place, value), expected) in cases {
        bench.set("W#usr_seller", "SAR", place, value).await;
        let expected: Vec<String> = expected.into_iter().map(at).collect();
        // Of one that cannot be read nothing can be taken, and so it needs no hold.
        let held = (place != "g").then_some("usr_seller");
        bench.is_found(&expected, held).await;
        bench.put(sound.clone()).await;
    }
    bench.is_sound(0).await;
}

#[tokio::test]
async fn a_line_that_is_missing_or_tells_something_else_is_found() {
    let bench = Bench::start().await;
    let (pk, sk) = ("W#usr_seller#SAR", "L#00000000000000000000");
    let sound = bench.item(pk, sk).await;
    let at = |what: &str| format!("wallet:usr_seller:SAR: {what}");
    bench.delete(pk, sk).await;
    let expected = [
        at("line 0 is missing"),
        at("what was earned is not what its lines sum up to"),
        at("its lines are not what the journals have posted"),
    ];
    // What happened a moment ago is compared with journals only where nobody writes, or a little later.
    bench.holdfast.advance("PT10M").await;
    bench.is_found(&expected, Some("usr_seller")).await;
    bench.put(sound.clone()).await;
    bench.is_sound(1).await;
    // The same sum, for another entry.
    bench.set(pk, sk, "g", Bench::number(1)).await;
    bench.is_found(&[at("its lines are not what the journals have posted")], Some("usr_seller")).await;
    bench.put(sound).await;
    bench.is_sound(1).await;
}

#[tokio::test]
async fn a_journal_that_was_altered_is_found() {
    let bench = Bench::start().await;
    let deal = bench.holdfast.paid(json!({})).await;
    let pk = Bench::pk_of(&deal.id);
    let sound = bench.item(&pk, "E").await;
    let word = |text: &str| AttributeValue::S(text.to_owned());
    for (place, value) in [("e[1].t", Bench::number(1_800_000_000_000)), ("e[0].n", word("?"))] {
        bench.set(&pk, "E", place, value).await;
        let chain = Bench::broken(&deal.id, "the hash chain of the journal is broken");
        bench.is_found(&[chain], Some("usr_seller")).await;
        bench.put(sound.clone()).await;
        bench.is_sound(1).await;
    }
    // Money that an entry has made of nothing.
    bench.set(&pk, "E", "e[1].a[0].u", Bench::number(15_001)).await;
    let why = format!("the item at {pk}/E is corrupt: the postings of an entry do not sum to zero");
    bench.is_found(&[format!("{}: {why}", deal.id)], None).await;
    bench.put(sound).await;
    bench.is_sound(0).await;
}

#[tokio::test]
async fn a_page_of_a_journal_that_is_gone_is_found() {
    let bench = Bench::start().await;
    let deal = bench.holdfast.paid(json!({})).await;
    // An escrow that was frozen and freed more often than its item has room for entries.
    for round in 0..24 {
        let reason = json!({ "reason": format!("Round {round}.") });
        deal.does(&bench.holdfast.operator, "freeze", reason.clone()).await.is(200);
        deal.does(&bench.holdfast.operator, "unfreeze", reason).await.is(200);
    }
    let pk = Bench::pk_of(&deal.id);
    let page = bench.item(&pk, "J#0000").await;
    bench.delete(&pk, "J#0000").await;
    let here = bench.holdfast.api.get("/_local/verify").send().await.is(200);
    let found = breaks(&here);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(&deal.id) && found[0].contains("J#0000"), "{found:?}");
    bench.is_found(&found, Some("usr_seller")).await;
    bench.put(page).await;
    bench.is_sound(1).await;
}

#[tokio::test]
async fn a_payout_whose_status_was_changed_is_found() {
    let bench = Bench::start().await;
    onboard(&bench.holdfast).await;
    let payout = paid_out(&bench.holdfast, "100.00", "stripe").await;
    payout.shows(json!({ "status": "paid" }));
    let pk = Bench::pk_of(payout.text("/id"));
    let sound = bench.item(&pk, "P").await;
    bench.set(&pk, "P", "st", AttributeValue::S("failed".to_owned())).await;
    bench.holdfast.advance("PT2H").await;
    let why =
        format!("the item at {pk}/P is corrupt: an invariant is broken: the ledger does not hold what the payout says");
    let expected = [
        format!("{}: {why}", payout.text("/id")),
        "wallet:usr_seller:SAR: what was withdrawn is not what its payouts have paid out".to_owned(),
        "wallet:usr_seller:SAR: its lines are not what the journals have posted".to_owned(),
    ];
    bench.is_found(&expected, Some("usr_seller")).await;
    bench.put(sound).await;
    bench.is_sound(1).await;
    bench.local.stop().await;
}

/// The worst of all: somebody was paid twice. Only the gateway's statement can tell.
#[tokio::test]
async fn a_transfer_that_was_made_twice_is_found() {
    let bench = Bench::start().await;
    onboard(&bench.holdfast).await;
    let payout = paid_out(&bench.holdfast, "60.00", "stripe").await;
    let pk = Bench::pk_of(payout.text("/id"));
    bench.holdfast.advance("PT2H").await;
    bench.is_sound(0).await;
    // As far as the payout knows another transfer was the one.
    let sound = bench.item(&pk, "P").await;
    bench.set(&pk, "P", "rf", AttributeValue::S("tr_other".to_owned())).await;
    let shown = payout.text("/reference");
    let expected = [format!("{}: stripe shows {shown} as a second transfer of the same payout", payout.text("/id"))];
    bench.finds(&expected).await.shows(json!({ "held": 1 }));
    bench.put(sound).await;
    // While the gateway cannot be asked nothing is found sound.
    bench.holdfast.switch_sandbox(json!({ "next": [{ "look_ups": "500" }] })).await;
    bench.finds(&[]).await.shows(json!({ "unread": ["stripe"], "freed": 0 }));
    bench.is_sound(1).await;
    // A payout that is gone altogether.
    let sound = bench.item(&pk, "P").await;
    bench.delete(&pk, "P").await;
    let expected = [
        format!("{}: stripe shows money of it, and it is not here", payout.text("/id")),
        "wallet:usr_seller:SAR: what was withdrawn is not what its payouts have paid out".to_owned(),
        "wallet:usr_seller:SAR: its lines are not what the journals have posted".to_owned(),
    ];
    bench.finds(&expected).await.shows(json!({ "held": 1 }));
    bench.put(sound).await;
    bench.is_sound(1).await;
    bench.local.stop().await;
}

#[tokio::test]
async fn money_that_the_gateway_does_not_know_or_knows_otherwise_is_found() {
    let bench = Bench::start().await;
    let deal = bench.holdfast.paid(json!({})).await;
    let pk = Bench::pk_of(&deal.id);
    let sound = bench.item(&pk, "E").await;
    bench.holdfast.advance("PT3H").await;
    bench.is_sound(0).await;
    // Who forges the journal breaks its chain; that the money never came the gateway alone can say.
    bench.set(&pk, "E", "e[1].g", AttributeValue::S("pi_never".to_owned())).await;
    bench.set(&pk, "E", "pa[0].cp[0].i", AttributeValue::S("pi_never".to_owned())).await;
    let chain = Bench::broken(&deal.id, "the hash chain of the journal is broken");
    let never = format!("{}: fund pi_never is booked, and stripe does not know it", deal.id);
    bench.finds(&[chain.clone(), never.clone()]).await.shows(json!({ "held": 1 }));
    bench.holdfast.balance("usr_seller", "SAR").await.text("/hold");
    // It does not become sound by leaving what is compared every day.
    bench.holdfast.advance("P6D").await;
    bench.finds(&[chain, never]).await.shows(json!({ "freed": 0 }));
    bench.put(sound).await;
    bench.is_sound(1).await;
    // Another amount than the gateway's.
    let late = bench.holdfast.paid(json!({})).await;
    let (capture, pk) = (capture(&bench.holdfast, &late).await, Bench::pk_of(&late.id));
    let sound = bench.item(&pk, "E").await;
    bench.holdfast.advance("PT3H").await;
    bench.set(&pk, "E", "pa[0].cp[0].a", Bench::number(14_000)).await;
    bench.finds(&[format!("{}: {capture} is 140.00 SAR here, and 150.00 SAR at stripe", late.id)]).await;
    bench.put(sound).await;
    bench.is_sound(1).await;
}
