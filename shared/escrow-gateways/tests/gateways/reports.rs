//! The gateway's own account of what happened.

use crate::bed::{KEY, SECRET, escrow, gateways, money, payment, payout, refund, soon, top_up};
use crate::server::{Server, Then};
use crate::wire::{answer, one_request};
use escrow_domain::id::GatewayName;
use escrow_domain::time::Timestamp;
use escrow_gateways::{CallError, Gateway, PaymentStanding, ReportLine, What};
use serde_json::{Value, json};

fn window() -> (Timestamp, Timestamp) {
    (Timestamp::from_seconds(1_790_000_000), Timestamp::from_seconds(1_790_086_400))
}

/// A movement as Stripe lists it.
fn movement(id: &str, kind: &str, amount: i64, source: Value) -> Value {
    json!({
        "id": id, "object": "balance_transaction", "amount": amount, "available_on": 1_790_172_800,
        "created": 1_790_000_061, "currency": "sar", "exchange_rate": 0.25, "fee": 0, "fee_details": [],
        "net": amount, "reporting_category": kind, "source": source, "status": "pending", "type": kind,
    })
}

fn statement(movements: &[Value]) -> Then {
    answer(&json!({ "object": "list", "data": movements, "has_more": false, "url": "/v1/balance_transactions" }))
}

async fn lines(movements: &[Value]) -> Vec<ReportLine> {
    let (from, until) = window();
    let call = async |stripe: &dyn Gateway| stripe.report(from, until, None, soon()).await;
    let (_, page) = one_request(statement(movements), call).await;
    assert_eq!(page.next, None);
    page.lines
}

#[tokio::test]
async fn every_movement_says_what_it_is_about() {
    let ours = json!({ "escrow_id": escrow().to_string(), "payment_id": payment().to_string() });
    let charge = json!({ "object": "charge", "id": "ch_1", "status": "succeeded", "amount": 15_000, "amount_captured": 15_000,
        "currency": "sar", "payment_intent": "pi_1", "metadata": ours });
    let wallet = json!({ "object": "charge", "id": "py_1", "status": "succeeded", "amount": 15_000, "currency": "sar",
        "payment_intent": "pi_2", "metadata": { "top_up_id": top_up().to_string() } });
    let back = json!({ "object": "refund", "id": "re_1", "amount": 4_000, "currency": "sar", "payment_intent": "pi_1",
        "metadata": { "escrow_id": escrow().to_string(), "refund_id": refund().refund.to_string() } });
    let sent = json!({ "object": "transfer", "id": "tr_1", "amount": 13_500, "amount_reversed": 0, "currency": "sar",
        "metadata": { "payout_id": payout().to_string() } });
    let returned = json!({ "object": "transfer_reversal", "id": "trr_1", "amount": 3_500, "currency": "sar",
        "transfer": "tr_1" });
    let dispute = json!({ "object": "dispute", "id": "du_1", "amount": 15_000, "currency": "sar",
        "payment_intent": "pi_1", "balance_transactions": [
            { "amount": -14_000, "currency": "sar" }, { "amount": 14_000, "currency": "sar" }] });
    let all = lines(&[
        movement("txn_14", "charge", 15_000, charge.clone()),
        movement("txn_13", "payment", 15_000, wallet.clone()),
        movement("txn_12", "payment_failure_refund", -15_000, wallet),
        movement("txn_11", "refund", -4_000, back.clone()),
        movement("txn_10", "payment_refund", -4_000, back.clone()),
        movement("txn_09", "payment_refund", 4_000, back.clone()),
        movement("txn_08", "refund_failure", 4_000, back.clone()),
        movement("txn_08b", "adjustment", 4_000, back),
        movement("txn_07", "transfer", -13_500, sent.clone()),
        movement("txn_06b", "transfer_refund", 3_500, sent),
        movement("txn_06", "transfer_refund", 3_500, returned),
        movement("txn_05", "adjustment", -14_000, dispute.clone()),
        movement("txn_04", "adjustment", 14_000, dispute),
        movement("txn_03", "payout", -90_000, json!({ "object": "payout", "id": "po_1" })),
        movement("txn_02", "stripe_fee", -100, Value::Null),
        // Not expanded: nothing can be said of what it names.
        movement("txn_01", "charge", 15_000, json!("ch_1")),
        // A type that is known with an object that it does not go with.
        movement("txn_00", "refund", -4_000, charge),
    ])
    .await;
    let text: Vec<String> = all
        .iter()
        .map(|line| {
            let money = line.money.map_or_else(|| "-".to_owned(), |money| format!("{money} {}", money.currency));
            let settled = format!("{} {}", line.settled.units, line.settled.currency);
            format!("{} {} {money} ({settled}, fee {})\n    {:?}", line.id, line.at, line.fee.units, line.what)
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

/// A payment by a way that takes time is on the statement before it has arrived: whoever took it for money would give away what is not
/// there.
#[tokio::test]
async fn a_payment_on_its_way_has_not_arrived() {
    for status in [json!("pending"), json!("failed"), json!("thinking"), Value::Null] {
        let charge = json!({ "object": "charge", "status": status, "paid": true, "amount": 15_000,
            "amount_captured": 15_000, "currency": "sar", "payment_intent": "pi_1" });
        for kind in ["charge", "payment"] {
            let all = lines(&[movement("txn_1", kind, 15_000, charge.clone())]).await;
            assert!(matches!(&all[0].what, What::Announced { .. }), "{kind} {status}: {:?}", all[0].what);
        }
    }
}

#[tokio::test]
async fn what_settles_in_another_currency_is_told_in_both() {
    let charge = json!({ "object": "charge", "status": "succeeded", "amount": 15_000, "currency": "kwd", "payment_intent": "pi_1" });
    let mut movement = movement("txn_1", "charge", 4_000, charge);
    movement["currency"] = json!("usd");
    movement["fee"] = json!(146);
    let all = lines(&[movement]).await;
    assert_eq!(all[0].money, Some(money("15.000", "KWD")));
    assert_eq!((all[0].settled.units, all[0].settled.currency.as_str()), (4_000, "USD"));
    assert_eq!((all[0].fee.units, all[0].fee.currency.as_str()), (146, "USD"));
}

#[tokio::test]
async fn money_that_cannot_be_said_exactly_is_told_as_such_and_hides_no_line() {
    let charge = json!({ "object": "charge", "status": "succeeded", "amount": 550, "currency": "isk", "payment_intent": "pi_1" });
    let all = lines(&[movement("txn_1", "charge", 550, charge)]).await;
    assert_eq!(all[0].money, None);
    assert!(matches!(&all[0].what, What::Captured { capture, .. } if capture.as_deref() == Some("pi_1")));
}

/// Half a statement would look like money that is missing.
#[tokio::test]
async fn a_statement_with_a_hole_in_it_is_none() {
    let whole = movement("txn_1", "stripe_fee", -100, Value::Null);
    let mut bodies = vec![json!({ "data": [] }), json!({ "has_more": false }), json!([])];
    for field in ["id", "created", "amount", "fee", "currency", "type"] {
        let mut holed = whole.clone();
        holed.as_object_mut().unwrap().remove(field);
        bodies.push(json!({ "data": [whole, holed], "has_more": false }));
    }
    let (from, until) = window();
    for body in bodies {
        let server = Server::start(vec![answer(&body)]).await;
        let all = gateways(&server.base, KEY, SECRET);
        let outcome = all.get(GatewayName::Stripe).unwrap().report(from, until, None, soon()).await;
        assert!(matches!(outcome, Err(CallError::InDoubt(_))), "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_page_says_what_to_ask_for_next_and_nothing_is_asked_by_itself() {
    let (from, until) = window();
    let page = json!({ "data": [movement("txn_2", "stripe_fee", -1, Value::Null),
        movement("txn_1", "stripe_fee", -1, Value::Null)], "has_more": true });
    let call = async |stripe: &dyn Gateway| stripe.report(from, until, None, soon()).await;
    let (_, page) = one_request(answer(&page), call).await;
    assert_eq!(page.next.as_deref(), Some("txn_1"));
    assert_eq!(page.lines.iter().map(|line| line.id.as_str()).collect::<Vec<_>>(), ["txn_2", "txn_1"]);
}

fn session(id: &str, status: &str, payment: &str, metadata: &Value) -> Value {
    json!({ "id": id, "status": status, "payment_status": payment, "payment_intent": "pi_1", "amount_total": 15_000,
        "currency": "sar", "created": 1_790_000_000, "metadata": metadata })
}

fn intent(id: &str, status: &str, metadata: &Value) -> Value {
    json!({ "id": id, "status": status, "amount": 15_000, "amount_received": 15_000, "currency": "sar",
        "created": 1_790_000_060, "metadata": metadata })
}

#[tokio::test]
async fn what_was_opened_is_told_page_by_page_first_the_pages_then_the_intents() {
    let ours = json!({ "escrow_id": escrow().to_string(), "payment_id": payment().to_string() });
    let wallet = json!({ "top_up_id": top_up().to_string() });
    let server = Server::start(vec![
        answer(&json!({ "data": [session("cs_4", "complete", "paid", &ours),
            session("cs_3", "open", "unpaid", &wallet)], "has_more": true })),
        answer(&json!({ "data": [session("cs_2", "complete", "unpaid", &ours),
            session("cs_1", "expired", "unpaid", &ours), session("cs_0", "open", "unpaid", &json!({}))],
            "has_more": false })),
        answer(&json!({ "data": [intent("pi_6", "succeeded", &wallet), intent("pi_5", "succeeded", &json!({}))],
            "has_more": true })),
        answer(&json!({ "data": [intent("pi_4", "canceled", &ours), intent("pi_3", "processing", &ours),
            intent("pi_2", "requires_payment_method", &ours)], "has_more": false })),
    ])
    .await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let (from, until) = window();
    let (mut told, mut next, mut asked) = (Vec::new(), None, Vec::new());
    loop {
        let page = stripe.payments_since(from, until, next.as_deref(), soon()).await.unwrap();
        for line in page.lines {
            let owner = if line.origin.top_up.is_some() { "wallet" } else { "escrow" };
            let standing = match line.standing {
                PaymentStanding::Open => "open".to_owned(),
                PaymentStanding::Processing => "processing".to_owned(),
                PaymentStanding::Paid(paid) => format!("paid {} {}", paid.capture, paid.money),
                PaymentStanding::Closed => "closed".to_owned(),
            };
            told.push(format!("{} {owner} {standing}", line.reference));
        }
        let Some(page) = page.next else { break };
        asked.push(page.clone());
        next = Some(page);
    }
    assert_eq!(asked, ["cs_3", "pi_", "pi_5"]);
    assert_eq!(
        told,
        [
            "cs_4 escrow paid pi_1 150.00",
            "cs_3 wallet open",
            "cs_2 escrow processing",
            "cs_1 escrow closed",
            "pi_6 wallet paid pi_6 150.00",
            "pi_4 escrow closed",
            "pi_3 escrow processing",
            "pi_2 escrow open",
        ]
    );
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn a_paid_thing_of_ours_whose_money_cannot_be_read_is_not_passed_over() {
    let ours = json!({ "escrow_id": escrow().to_string(), "payment_id": payment().to_string() });
    let (from, until) = window();
    for (metadata, hidden) in [(ours, false), (json!({}), true)] {
        let mut odd = intent("pi_1", "succeeded", &metadata);
        odd["currency"] = json!("zzz");
        let server = Server::start(vec![answer(&json!({ "data": [odd], "has_more": false }))]).await;
        let all = gateways(&server.base, KEY, SECRET);
        let stripe = all.get(GatewayName::Stripe).unwrap();
        let outcome = stripe.payments_since(from, until, Some("pi_"), soon()).await;
        match outcome {
            Ok(page) => assert!(hidden && page.lines.is_empty()),
            Err(CallError::InDoubt(_)) => assert!(!hidden),
            Err(other) => panic!("{other}"),
        }
    }
}
