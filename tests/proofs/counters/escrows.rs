//! What parts of a deal, ways to pay it, agreements, disputes and chargebacks cost.

use super::{Cost, Table, asks, at_most, command, heard, measured, next, of_kind, opened, paid, pays, released, told};
use crate::hand::Hand;
use escrow_domain::time::{Period, Timestamp};
use holdfast_tests::api::Caller;
use holdfast_tests::deal::order;
use holdfast_tests::json::{Look, with};
use serde_json::{Value, json};

pub(super) async fn measure(table: &mut Table) {
    table.begin("Parts, and other ways to pay");
    let hand = Hand::start().await;
    parts(&hand, table).await;
    ways_to_pay(&hand, table).await;
    hand.people.verify().await;
    table.begin("Agreements, disputes, chargebacks");
    let hand = Hand::start().await;
    agreements(&hand, table).await;
    disputes(&hand, table).await;
    chargeback(&hand, table).await;
    long_journal(&hand, table).await;
    hand.people.verify().await;
}

/// A command that is refused.
async fn refused(hand: &Hand, who: &Caller, id: &str, command: &str, body: Value, code: &str) -> Cost {
    let path = format!("/v1/escrows/{id}/{command}");
    let (cost, answer) = asks(hand, who, &path, &hand.key(), body).await;
    assert_eq!(answer.body["code"], code, "{:#}", answer.body);
    cost
}

async fn parts(hand: &Hand, table: &mut Table) {
    let people = &hand.people;
    released(hand, json!({})).await;
    let id = paid(hand, json!({})).await;
    let part = || json!({ "amount": "10.00" });
    let once = command(hand, &people.buyer, &id, "release", "part", part()).await;
    table.put("release of a part", once, at_most(3, 10, 3));
    let again = command(hand, &people.buyer, &id, "release", "part", part()).await;
    table.put("release of a part, again", again, at_most(1, 0, 1));
    let much = refused(hand, &people.buyer, &id, "release", json!({ "amount": "140.01" }), "amount_too_large").await;
    table.put("release of a part, refused", much, at_most(1, 0, 1));
    let rehearsed = command(hand, &people.buyer, &id, "release?dry_run=true", &hand.key(), part()).await;
    table.put("release of a part, rehearsed", rehearsed, at_most(1, 0, 1));
    let back = command(hand, &people.seller, &id, "refund", &hand.key(), part()).await;
    table.put("refund of a part promised, settle woken", back, at_most(2, 4, 3));
    let messages = hand.system.take_messages().await.unwrap();
    let (settled, done) = measured(hand, hand.system.settle(&messages[0])).await;
    assert_eq!(done, Some(true));
    table.put("settle: refund of a part sent and confirmed", settled, at_most(3, 8, 4));
}

async fn ways_to_pay(hand: &Hand, table: &mut Table) {
    let people = &hand.people;
    let wallet = json!({ "buyer": "usr_seller", "seller": "usr_buyer", "gateway": null, "funding": "wallet", "amount": "20.00" });
    let from_wallet = with(order(), wallet);
    let checkouts = "/v1/checkouts";
    let (cost, answer) = asks(hand, &people.seller, checkouts, "wallet", from_wallet.clone()).await;
    answer.is(201).shows(json!({ "escrow": { "status": "held" } }));
    // The wallet is read, and then written with its line and the escrow.
    table.put("checkout from the wallet → held", cost, at_most(2, 12, 2));
    let (cost, answer) = asks(hand, &people.seller, checkouts, "wallet", from_wallet.clone()).await;
    answer.is(201);
    table.put("checkout from the wallet, again", cost, at_most(2, 0, 2));
    let dear = with(from_wallet, json!({ "amount": "2000.00" }));
    let (cost, answer) = asks(hand, &people.seller, checkouts, &hand.key(), dear).await;
    answer.refuses(409, "insufficient_funds");
    // Its own record is looked for before it is refused: it may have been done when there was enough.
    table.put("checkout from the wallet, refused", cost, at_most(3, 0, 3));
    let form = with(order(), json!({ "mode": "elements" }));
    let (cost, answer) = asks(hand, &people.buyer, checkouts, "form", form.clone()).await;
    answer.is(201);
    table.put("checkout with a form", cost, at_most(2, 9, 3));
    let (cost, _) = asks(hand, &people.buyer, checkouts, "form", form).await;
    table.put("checkout with a form, again", cost, at_most(1, 0, 1));

    let half = json!({ "title": "Half", "amount": "50.00" });
    let in_parts = json!({ "kind": "project", "amount": null, "milestones": [half, half], "fund": ["m1"] });
    let (id, page) = opened(hand, in_parts).await;
    heard(hand, of_kind(&pays(hand, &page).await, "checkout.session.completed")).await;
    let path = format!("/v1/escrows/{id}/checkouts");
    let (cost, answer) = asks(hand, &people.buyer, &path, &hand.key(), json!({ "gateway": "stripe" })).await;
    let page = answer.is(201).text("/checkout/url").to_owned();
    table.put("checkout of the next milestone", cost, at_most(3, 9, 4));
    let paid = heard(hand, of_kind(&pays(hand, &page).await, "payment_intent.succeeded")).await;
    table.put("webhook: the next milestone is paid", paid, at_most(2, 5, 2));
}

/// A moment some days after a deadline of the escrow's only milestone.
async fn after(hand: &Hand, id: &str, deadline: &str, days: u32) -> String {
    let stands = hand.people.operator.get(&format!("/v1/escrows/{id}")).send().await.is(200);
    let at: Timestamp = stands.text(&format!("/milestones/0/{deadline}")).parse().unwrap();
    at.after(Period::days(days)).to_string()
}

async fn agreements(hand: &Hand, table: &mut Table) {
    let people = &hand.people;
    let id = paid(hand, json!({})).await;
    let until = |until: String| json!({ "until": until });
    let ask = until(after(hand, &id, "deliver_by", 2).await);
    let cost = command(hand, &people.seller, &id, "extend", "ask", ask.clone()).await;
    table.put("ask for more time", cost, at_most(2, 4, 2));
    let cost = command(hand, &people.seller, &id, "extend", "ask", ask).await;
    table.put("ask for more time, again", cost, at_most(1, 0, 1));
    let cost = command(hand, &people.buyer, &id, "extend", &hand.key(), json!({})).await;
    table.put("agree to more time", cost, at_most(2, 4, 2));
    let far = until(after(hand, &id, "deliver_by", 40).await);
    let cost = refused(hand, &people.buyer, &id, "extend", far, "until_out_of_bounds").await;
    table.put("more time, refused", cost, at_most(1, 0, 1));
    hand.pass("P2D");
    let cost = command(hand, &people.seller, &id, "cancel", &hand.key(), json!({})).await;
    table.put("ask to give up", cost, at_most(2, 4, 2));
    let cost = command(hand, &people.buyer, &id, "cancel", "agree", json!({})).await;
    table.put("agree to give up, settle woken", cost, at_most(2, 4, 3));
    let cost = command(hand, &people.buyer, &id, "cancel", "agree", json!({})).await;
    table.put("agree to give up, again", cost, at_most(1, 0, 1));
    hand.system.take_messages().await.unwrap();
}

async fn disputes(hand: &Hand, table: &mut Table) {
    let people = &hand.people;
    let piece = json!({ "type": "file", "uri": "https://files.example/1", "sha256": "0f".repeat(32), "note": "Look." });
    let pieces = |count: usize| json!({ "evidence": vec![piece.clone(); count] });
    released(hand, json!({})).await;
    let id = paid(hand, json!({})).await;
    let dispute = json!({ "reason": "It does not open.", "amount": "100.00" });
    let cost = command(hand, &people.buyer, &id, "dispute", &hand.key(), dispute).await;
    table.put("dispute", cost, at_most(2, 5, 2));
    let cost = command(hand, &people.seller, &id, "dispute/evidence", "one", pieces(1)).await;
    table.put("one piece of evidence", cost, at_most(2, 8, 2));
    let cost = command(hand, &people.seller, &id, "dispute/evidence", "one", pieces(1)).await;
    table.put("one piece of evidence, again", cost, at_most(1, 0, 1));
    let cost = command(hand, &people.buyer, &id, "dispute/evidence", &hand.key(), pieces(10)).await;
    table.put("ten pieces of evidence", cost, at_most(2, 26, 2));
    command(hand, &people.buyer, &id, "dispute/evidence", &hand.key(), pieces(10)).await;
    let cost = refused(hand, &people.buyer, &id, "dispute/evidence", pieces(1), "limit_reached").await;
    table.put("a piece of evidence too many", cost, at_most(1, 0, 1));
    let offer = json!({ "to_buyer": "40.00" });
    let path = format!("/v1/escrows/{id}/dispute/propose");
    let (cost, offered) = asks(hand, &people.seller, &path, "offer", offer).await;
    let proposal = json!({ "proposal": offered.is(200).text("/dispute/proposal/id") });
    table.put("an offer", cost, at_most(2, 5, 2));
    let cost = refused(hand, &people.seller, &id, "dispute/accept", proposal.clone(), "own_proposal").await;
    table.put("an offer accepted by who made it, refused", cost, at_most(1, 0, 1));
    let cost = command(hand, &people.buyer, &id, "dispute/accept", "accept", proposal.clone()).await;
    table.put("an offer accepted → wallet credited, settle woken", cost, at_most(3, 12, 4));
    let cost = command(hand, &people.buyer, &id, "dispute/accept", "accept", proposal).await;
    table.put("an offer accepted, again", cost, at_most(1, 0, 1));
    hand.system.take_messages().await.unwrap();

    let id = paid(hand, json!({})).await;
    command(hand, &people.buyer, &id, "dispute", &hand.key(), json!({ "reason": "No." })).await;
    hand.pass("P2D");
    let ruling = json!({ "to_buyer": "40.00", "reason": "Some of it was done." });
    let cost = command(hand, &people.arbiter, &id, "dispute/rule", &hand.key(), ruling).await;
    table.put("a ruling → wallet credited, settle woken", cost, at_most(3, 12, 4));
    hand.system.take_messages().await.unwrap();
}

/// The bank takes the money of an escrow that was released: it is claimed from the seller.
async fn chargeback(hand: &Hand, table: &mut Table) {
    let id = released(hand, json!({})).await;
    let sandbox = hand.people.sandbox().await;
    let ours = |intent: &&Value| intent["metadata"]["escrow_id"] == id.as_str();
    let intent = sandbox.list("/payment_intents").iter().find(ours).expect("its intent").text("/id").to_owned();
    let since = next(hand);
    let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
    let dispute = hand.people.api.post(&path).json(&json!({})).send().await.is(200).text("/id").to_owned();
    let events = told(hand, since);
    let cost = heard(hand, of_kind(&events, "charge.dispute.created")).await;
    // A notice of a dispute names the payment's intent only: the gateway is asked whose it is.
    table.put("webhook: chargeback → frozen", cost, at_most(2, 4, 3));
    let cost = heard(hand, of_kind(&events, "charge.dispute.funds_withdrawn")).await;
    table.put("webhook: chargeback, its money withdrawn", cost, at_most(2, 4, 3));
    let cost = heard(hand, of_kind(&events, "charge.dispute.funds_withdrawn")).await;
    table.put("webhook: chargeback, again", cost, at_most(1, 0, 2));
    let since = next(hand);
    let path = format!("/_local/sandbox/stripe/disputes/{dispute}");
    hand.people.api.post(&path).json(&json!({ "status": "lost" })).send().await.is(200);
    let closed = heard(hand, of_kind(&told(hand, since), "charge.dispute.closed")).await;
    table.put("webhook: chargeback lost → claimed from the wallet", closed, at_most(3, 10, 4));
}

/// Commands until a page of the journal is turned.
async fn long_journal(hand: &Hand, table: &mut Table) {
    let id = paid(hand, json!({})).await;
    let (mut dearest, mut before) = (Cost::default(), Cost::default());
    let mut last = Cost::default();
    for number in 0..48 {
        let what = if number % 2 == 0 { "freeze" } else { "unfreeze" };
        let cost =
            command(hand, &hand.people.operator, &id, what, &hand.key(), json!({ "reason": "The bank asks." })).await;
        if cost.spent.write_units > dearest.spent.write_units {
            (dearest, before) = (cost, last);
        }
        last = cost;
    }
    table.put("a command, with a full journal", before, at_most(2, 8, 2));
    table.put("a command that turns a page of the journal", dearest, at_most(2, 20, 2));
    table.put("a command, with a page turned", last, at_most(2, 6, 2));
    let (cost, answer) =
        measured(hand, hand.look(&hand.people.buyer, &format!("/v1/escrows/{id}/events?limit=100"))).await;
    assert!(answer.unwrap().is(200).list("/data").len() >= 50);
    table.put("a journal of fifty entries", cost, at_most(2, 0, 2));
}
