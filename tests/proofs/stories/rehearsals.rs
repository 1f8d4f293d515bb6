//! `dry_run` of agreements, disputes, parts, wallets and payouts: it says what then happens, and writes nothing.

use holdfast::Options;
use holdfast_tests::api::Caller;
use holdfast_tests::deal::{Deal, order};
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::Stack;
use holdfast_tests::{on, on_holdfast};
use serde_json::{Value, json};

/// What a rehearsal and the journal both say of an entry; only its time differs, and with it the hash of evidence, which covers it.
fn told(entry: &Value) -> Value {
    let fields = ["id", "type", "actor", "milestone", "payment", "refund", "dispute", "moves", "postings", "note"];
    let mut told: Value = fields.iter().map(|field| ((*field).to_owned(), entry[*field].clone())).collect();
    let seals_time = matches!(entry.text("/type"), "dispute" | "add_evidence");
    told["reference"] = if seals_time { json!(entry["reference"].is_string()) } else { entry["reference"].clone() };
    told
}

/// Rehearses a command, and then gives it: the journal gets what was foretold, and nothing before that.
async fn check(holdfast: &Stack, deal: &Deal<'_>, who: &Caller, command: &str, body: Value) {
    let (before, journal) = (deal.stands().await, deal.journal().await.len());
    let written = holdfast.write_units().await;
    // Twice, since a rehearsal must not change even what the next one says.
    let rehearse = async || {
        let path = format!("{}?dry_run=true", deal.path(command));
        who.post(&path).json(&body).send().await.is(200)
    };
    let rehearsed = rehearse().await;
    assert_eq!(rehearse().await["status"], rehearsed["status"], "{command}");
    holdfast.settle().await;
    assert_eq!(holdfast.write_units().await, written, "{command} wrote");
    assert_eq!(deal.stands().await, before, "{command}");

    let balances = [holdfast.balance("usr_buyer", "SAR").await, holdfast.balance("usr_seller", "SAR").await];
    deal.does(who, command, body).await.is(200).shows(json!({ "status": rehearsed["status"] }));
    let happened: Vec<Value> = deal.journal().await[journal..].iter().map(told).collect();
    let foretold: Vec<Value> = rehearsed.list("/events").iter().map(told).collect();
    // What follows from a commit (a refund that was sent) may have been told since.
    assert_eq!(happened[..foretold.len()], foretold, "{command}");
    assert!(!foretold.is_empty(), "{command} would do nothing");
    let postings: Vec<Value> = foretold.iter().flat_map(|entry| entry.list("/postings").to_vec()).collect();
    assert_eq!(rehearsed.list("/postings"), postings, "{command}");
    for (owner, before) in ["usr_buyer", "usr_seller"].into_iter().zip(balances) {
        let ours = rehearsed.list("/wallets").iter().filter(|moved| moved["owner"] == owner);
        let foretold: i64 = ours.map(|moved| halalas(&moved["amount"])).sum();
        let after = holdfast.balance(owner, "SAR").await;
        assert_eq!(halalas(&after["available"]) - halalas(&before["available"]), foretold, "{command}: {owner}");
    }
}

fn halalas(amount: &Value) -> i64 {
    amount.as_str().map_or(0, |text| text.replace('.', "").parse().unwrap())
}

/// Some time after a deadline of the only milestone.
async fn after(deal: &Deal<'_>, deadline: &str, days: u32) -> Value {
    let stands = deal.stands().await;
    let at: escrow_domain::time::Timestamp = stands.text(&format!("/milestones/0/{deadline}")).parse().unwrap();
    json!({ "until": at.after(escrow_domain::time::Period::days(days)).to_string() })
}

#[tokio::test]
async fn agreements_happen_as_they_were_rehearsed() {
    on_holdfast(async |holdfast| {
        let (buyer, seller) = (&holdfast.buyer, &holdfast.seller);
        let deal = holdfast.paid(json!({})).await;
        check(holdfast, &deal, seller, "extend", after(&deal, "deliver_by", 2).await).await;
        check(holdfast, &deal, buyer, "extend", json!({})).await;
        check(holdfast, &deal, buyer, "extend", after(&deal, "deliver_by", 3).await).await;
        holdfast.advance("P2D").await;
        check(holdfast, &deal, seller, "cancel", json!({ "reason": "I am late." })).await;
        check(holdfast, &deal, buyer, "cancel", json!({})).await;
        holdfast.settle().await;
        deal.stands().await.shows(json!({ "status": "refunded" }));
        let delivered = holdfast.delivered(json!({})).await;
        check(holdfast, &delivered, buyer, "extend", after(&delivered, "auto_release_at", 2).await).await;
        check(holdfast, &delivered, seller, "extend", json!({})).await;
    })
    .await;
}

#[tokio::test]
async fn parts_and_disputes_happen_as_they_were_rehearsed() {
    on_holdfast(async |holdfast| {
        let (buyer, seller) = (&holdfast.buyer, &holdfast.seller);
        let deal = holdfast.delivered(json!({ "fee_payer": "split" })).await;
        check(holdfast, &deal, buyer, "release", json!({ "amount": "33.33" })).await;
        check(holdfast, &deal, seller, "refund", json!({ "amount": "16.67", "reason": "A page is missing." })).await;
        holdfast.settle().await;
        let piece = json!({ "type": "file", "uri": "https://files.example/1", "note": "Look." });
        let dispute = json!({ "amount": "75.00", "reason": "Half of it is missing.", "evidence": [piece] });
        check(holdfast, &deal, buyer, "dispute", dispute).await;
        check(holdfast, &deal, seller, "dispute/evidence", json!({ "evidence": [piece, piece] })).await;
        check(holdfast, &deal, seller, "dispute/propose", json!({ "to_buyer": "25.01" })).await;
        let proposal = deal.stands().await.text("/dispute/proposal/id").to_owned();
        check(holdfast, &deal, buyer, "dispute/accept", json!({ "proposal": proposal })).await;
        holdfast.settle().await;
        check(holdfast, &deal, &holdfast.operator, "freeze", json!({ "reason": "The bank asks." })).await;
        check(holdfast, &deal, &holdfast.operator, "unfreeze", json!({ "reason": "It is content." })).await;
        check(holdfast, &deal, &holdfast.operator, "release", json!({ "reason": "As agreed by phone." })).await;
        deal.stands().await.shows(json!({ "status": "split", "held": "0.00" }));
    })
    .await;
}

#[tokio::test]
async fn a_refund_into_a_wallet_happens_as_it_was_rehearsed() {
    on_holdfast(async |holdfast| {
        let bill = json!({ "currency": "SAR", "amount": "200.00", "gateway": "stripe" });
        let path = "/v1/wallets/usr_buyer/top-ups";
        let opened = holdfast.buyer.post(path).once().json(&bill).send().await.is(201);
        holdfast.api.post(opened.text("/checkout/url")).json(&json!({ "outcome": "paid" })).send().await.is(200);
        holdfast.settle().await;
        let order = with(order(), json!({ "gateway": null, "funding": "wallet" }));
        let written = holdfast.write_units().await;
        let told = holdfast.buyer.post("/v1/checkouts?dry_run=true").json(&order).send().await.is(200);
        told.shows(json!({ "status": "held", "wallets": [{ "owner": "usr_buyer", "type": "funding" }] }));
        holdfast.settle().await;
        assert_eq!(holdfast.write_units().await, written);
        let made = holdfast.buyer.post("/v1/checkouts").once().json(&order).send().await.is(201);
        let deal = holdfast.known(made.text("/escrow/id"));
        check(holdfast, &deal, &holdfast.seller, "refund", json!({ "amount": "50.00" })).await;
        check(holdfast, &deal, &holdfast.buyer, "release", json!({ "amount": "25.00" })).await;
        check(holdfast, &deal, &holdfast.buyer, "cancel", json!({})).await;
        deal.stands().await.shows(json!({ "status": "split", "refunded": "125.00", "released": "25.00" }));
    })
    .await;
}

/// Rehearses a command on a payout, and then gives it.
async fn check_payout(holdfast: &Stack, payout: &str, command: &str, body: Value) {
    let path = format!("/v1/payouts/{payout}");
    let operator = &holdfast.operator;
    let (before, written) = (operator.get(&path).send().await.is(200), holdfast.write_units().await);
    let rehearse = format!("{path}/{command}?dry_run=true");
    let rehearsed = operator.post(&rehearse).json(&body).send().await.is(200);
    holdfast.settle().await;
    assert_eq!(holdfast.write_units().await, written, "{command} wrote");
    assert_eq!(operator.get(&path).send().await.is(200), before, "{command}");
    let after = operator.post(&format!("{path}/{command}")).once().json(&body).send().await.is(200);
    after.shows(json!({ "status": rehearsed["status"] }));
    let told =
        |entry: &Value| json!([entry["type"], entry["actor"], entry["postings"], entry["reference"], entry["note"]]);
    let happened: Vec<Value> = after.list("/history")[before.list("/history").len()..].iter().map(told).collect();
    let foretold: Vec<Value> = rehearsed.list("/events").iter().map(told).collect();
    assert_eq!(happened, foretold, "{command}");
    assert!(!foretold.is_empty(), "{command} would do nothing");
}

#[tokio::test]
async fn payouts_happen_as_they_were_rehearsed() {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:50.00".to_owned());
    on(options, async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let ask = async |amount: &str, status: &str| {
            let wish = json!({ "currency": "SAR", "amount": amount, "gateway": "manual" });
            let path = "/v1/wallets/usr_seller/payouts";
            let written = holdfast.write_units().await;
            let rehearsed = holdfast.seller.post(&format!("{path}?dry_run=true")).json(&wish).send().await.is(200);
            rehearsed.shows(json!({ "dry_run": true, "status": status, "events": [{ "type": "ask" }] }));
            assert_eq!(holdfast.write_units().await, written);
            let asked = holdfast.seller.post(path).once().json(&wish).send().await.is(201);
            asked.shows(json!({ "status": status }));
            assert_eq!(asked.list("/history")[0]["postings"], rehearsed["postings"]);
            asked.text("/id").to_owned()
        };
        let large = ask("60.00", "approval").await;
        check_payout(holdfast, &large, "approve", json!({ "reason": "Seen." })).await;
        check_payout(holdfast, &large, "mark-paid", json!({ "reference": "SWIFT 1" })).await;
        check_payout(holdfast, &large, "mark-failed", json!({ "reason": "It came back." })).await;
        let other = ask("60.00", "approval").await;
        check_payout(holdfast, &other, "reject", json!({ "reason": "Too soon." })).await;
        let small = ask("50.00", "owed").await;
        check_payout(holdfast, &small, "mark-failed", json!({ "reason": "No such account." })).await;
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00", "pending": "0.00" }));
    })
    .await;
}
