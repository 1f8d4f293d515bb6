//! What is on the wire, byte by byte, and what is made of Stripe's answers.

use crate::bed::{KEY, SECRET, checkout, escrow, gateways, money, payment, refund, soon, top_up, transfer};
use crate::server::{Received, Server, Then};
use escrow_domain::id::GatewayName;
use escrow_domain::payment::Mode;
use escrow_gateways::{CallError, Gateway, OpenCheckout, PaymentStanding, RefundStanding, TransferAsk, Whose};
use serde_json::{Value, json};

pub(crate) fn answer(body: &Value) -> Then {
    Then::Answer(200, "", body.to_string())
}

/// A refusal to expire a session that is not open.
fn not_open() -> Then {
    let error =
        json!({ "error": { "type": "invalid_request_error", "message": "Only open sessions can be expired." } });
    Then::Answer(400, "", error.to_string())
}

pub(crate) async fn one_request<T>(
    answer: Then,
    call: impl AsyncFnOnce(&dyn Gateway) -> Result<T, CallError>,
) -> (Received, T) {
    let server = Server::start(vec![answer]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let outcome = call(all.get(GatewayName::Stripe).unwrap()).await.unwrap();
    let received = server.received();
    assert_eq!(received.len(), 1);
    (received[0].clone(), outcome)
}

pub(crate) fn opened() -> Then {
    answer(&json!({ "id": "cs_test_1", "url": "https://checkout.example/cs_test_1", "expires_at": 1_790_086_399 }))
}

pub(crate) fn intent_opened() -> String {
    json!({ "id": "pi_1", "client_secret": "pi_1_secret_2", "status": "requires_payment_method" }).to_string()
}

pub(crate) fn transferred() -> Value {
    json!({ "id": "tr_1", "amount": 13_500, "amount_reversed": 0, "currency": "sar",
        "metadata": { "payout_id": transfer().payout.to_string() } })
}

pub(crate) fn refunded(status: &str) -> Value {
    json!({
        "id": "re_1", "amount": 15_000, "currency": "sar", "status": status,
        "metadata": { "escrow_id": refund().escrow.to_string(), "refund_id": refund().refund.to_string() },
    })
}

/// The SDK keeps metadata in hash maps, each with an order of its own.
#[tokio::test]
async fn the_same_ask_is_the_same_bytes_every_time() {
    let mut bodies = Vec::new();
    for _ in 0..30 {
        let (page, _) =
            one_request(opened(), async |stripe| stripe.open_checkout(&checkout(), "pay_1", soon()).await).await;
        let done = answer(&refunded("pending"));
        let (back, _) = one_request(done, async |stripe| stripe.refund(&refund(), "eff_1", soon()).await).await;
        let top_up = OpenCheckout { whose: Whose::TopUp(top_up()), mode: Mode::Elements, ..checkout() };
        let form = Then::Answer(200, "", intent_opened());
        let (form, _) = one_request(form, async |stripe| stripe.open_checkout(&top_up, "top_1", soon()).await).await;
        let sent = TransferAsk { charge: Some("ch_1".to_owned()), ..transfer() };
        let (sent, _) =
            one_request(answer(&transferred()), async |stripe| stripe.transfer(&sent, "eff_2", soon()).await).await;
        bodies.push((page.body, back.body, form.body, sent.body));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

/// Reads a form as servers do: fields at `&`, name and value at the first `=`, `+` for a space, `%` and two digits for a byte.
fn decode(form: &str) -> Vec<(String, String)> {
    let text = |part: &str| {
        let mut bytes = Vec::new();
        let mut rest = part.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => hex::decode([rest.next().unwrap(), rest.next().unwrap()]).unwrap()[0],
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap();
        (text(name), text(value))
    };
    form.split('&').map(field).collect()
}

#[tokio::test]
async fn whatever_a_text_holds_arrives_as_that_text_and_makes_no_field_of_its_own() {
    for text in [
        "1+1=2",
        "a&amount=1",
        "تصميم شعار",
        "[x]%41;%",
        "\u{1f3a8} \"line\"\r\nbreak",
        "a=b&metadata[escrow_id]=x",
        " ",
    ] {
        let ask = OpenCheckout { description: text.to_owned(), success_url: text.to_owned(), ..checkout() };
        let (request, _) =
            one_request(opened(), async |stripe| stripe.open_checkout(&ask, "pay_1", soon()).await).await;
        let fields = decode(&request.body);
        let value = |wanted: &str| {
            let mut found = fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            (found.next(), found.next())
        };
        assert_eq!(value("line_items[0][price_data][product_data][name]"), (Some(text), None));
        assert_eq!(value("success_url"), (Some(text), None));
        assert_eq!(value("metadata[escrow_id]"), (Some(escrow().to_string().as_str()), None));
        assert_eq!(fields.len(), 15, "{text}");
        assert!(fields.is_sorted_by_key(|(name, _)| name));
    }
}

/// How a payment stands after these answers, and how many requests it took.
async fn standing(answers: Vec<Then>, close: bool) -> (Result<PaymentStanding, CallError>, Vec<String>) {
    standing_of("cs_1", answers, close).await
}

async fn standing_of(
    reference: &str,
    answers: Vec<Then>,
    close: bool,
) -> (Result<PaymentStanding, CallError>, Vec<String>) {
    let server = Server::start(answers).await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let outcome = if close {
        stripe.close_payment(reference, "eff_1", soon()).await
    } else {
        stripe.look_up_payment(reference, soon()).await
    };
    let lines = server.received().iter().map(|request| request.line.replace(" HTTP/1.1", "")).collect();
    (outcome, lines)
}

fn session(status: &str, payment: &str) -> Then {
    answer(&json!({
        "id": "cs_1", "status": status, "payment_status": payment,
        "payment_intent": "pi_1", "amount_total": 15_000, "currency": "sar",
    }))
}

fn intent(status: &str) -> Then {
    answer(&json!({ "id": "pi_1", "status": status, "amount": 15_000, "amount_received": 15_000, "currency": "sar" }))
}

fn paid() -> PaymentStanding {
    PaymentStanding::Paid(escrow_gateways::PaidCapture { capture: "pi_1".to_owned(), money: money("150.00", "SAR") })
}

#[tokio::test]
async fn a_payment_stands_as_its_session_and_where_that_is_silent_its_intent_say() {
    for (answers, expected) in [
        (vec![session("open", "unpaid")], PaymentStanding::Open),
        (vec![session("complete", "paid")], paid()),
        // Money counts whatever the page's own state is.
        (vec![session("expired", "paid")], paid()),
        (vec![session("expired", "unpaid")], PaymentStanding::Closed),
        (vec![session("complete", "unpaid"), intent("processing")], PaymentStanding::Processing),
        (vec![session("complete", "unpaid"), intent("succeeded")], paid()),
        (vec![session("complete", "unpaid"), intent("requires_payment_method")], PaymentStanding::Closed),
        (vec![session("complete", "unpaid"), intent("canceled")], PaymentStanding::Closed),
        (vec![session("complete", "unpaid"), intent("thinking")], PaymentStanding::Processing),
        (vec![session("complete", "perhaps")], PaymentStanding::Processing),
        (vec![session("sleeping", "unpaid")], PaymentStanding::Processing),
    ] {
        let asked = answers.len();
        let (outcome, lines) = standing(answers, false).await;
        assert_eq!(outcome, Ok(expected), "{lines:?}");
        assert_eq!(lines.len(), asked, "{lines:?}");
    }
}

#[tokio::test]
async fn a_paid_session_whose_money_cannot_be_read_leaves_doubt() {
    for gap in ["payment_intent", "amount_total", "currency"] {
        let mut body = json!({
            "id": "cs_1", "status": "complete", "payment_status": "paid",
            "payment_intent": "pi_1", "amount_total": 15_000, "currency": "sar",
        });
        body.as_object_mut().unwrap().remove(gap);
        let (outcome, _) = standing(vec![answer(&body)], false).await;
        assert!(matches!(outcome, Err(CallError::InDoubt(_))), "{gap}: {outcome:?}");
    }
}

#[tokio::test]
async fn closing_answers_how_the_payment_stands_then() {
    let (outcome, lines) = standing(vec![session("expired", "unpaid")], true).await;
    assert_eq!(
        (outcome, lines),
        (Ok(PaymentStanding::Closed), vec!["POST /v1/checkout/sessions/cs_1/expire".to_owned()])
    );

    let twice = vec!["POST /v1/checkout/sessions/cs_1/expire".to_owned(), "GET /v1/checkout/sessions/cs_1".to_owned()];
    // The buyer was quicker.
    let (outcome, lines) = standing(vec![not_open(), session("complete", "paid")], true).await;
    assert_eq!((outcome, lines), (Ok(paid()), twice.clone()));
    // It was over already, perhaps by our own first request.
    let (outcome, lines) = standing(vec![not_open(), session("expired", "unpaid")], true).await;
    assert_eq!((outcome, lines), (Ok(PaymentStanding::Closed), twice));

    let (outcome, lines) = standing(vec![Then::Close], true).await;
    assert!(matches!(outcome, Err(CallError::InDoubt(_))), "{outcome:?}");
    assert_eq!(lines.len(), 1);
}

#[tokio::test]
async fn a_payment_by_a_form_stands_as_its_intent_says() {
    for (status, expected) in [
        ("requires_payment_method", PaymentStanding::Open),
        ("requires_confirmation", PaymentStanding::Open),
        ("requires_action", PaymentStanding::Open),
        ("processing", PaymentStanding::Processing),
        ("thinking", PaymentStanding::Processing),
        ("succeeded", paid()),
        ("canceled", PaymentStanding::Closed),
    ] {
        let (outcome, lines) = standing_of("pi_1", vec![intent(status)], false).await;
        assert_eq!((outcome, lines), (Ok(expected), vec!["GET /v1/payment_intents/pi_1".to_owned()]), "{status}");
    }
}

#[tokio::test]
async fn closing_a_form_cancels_its_intent_and_answers_how_it_stands_then() {
    let cancel = "POST /v1/payment_intents/pi_1/cancel".to_owned();
    let (outcome, lines) = standing_of("pi_1", vec![intent("canceled")], true).await;
    assert_eq!((outcome, lines), (Ok(PaymentStanding::Closed), vec![cancel.clone()]));
    // The buyer was quicker, or it was cancelled before, or the money is on its way.
    for (status, expected) in
        [("succeeded", paid()), ("canceled", PaymentStanding::Closed), ("processing", PaymentStanding::Processing)]
    {
        let error = json!({ "error": {
            "type": "invalid_request_error", "code": "payment_intent_unexpected_state",
            "message": "You cannot cancel this PaymentIntent because it has another status.",
        } });
        let refused = Then::Answer(400, "", error.to_string());
        let (outcome, lines) = standing_of("pi_1", vec![refused, intent(status)], true).await;
        let both = vec![cancel.clone(), "GET /v1/payment_intents/pi_1".to_owned()];
        assert_eq!((outcome, lines), (Ok(expected), both), "{status}");
    }
}

#[tokio::test]
async fn a_form_without_its_secret_leaves_doubt_and_the_secret_is_never_printed() {
    let ask = OpenCheckout { mode: Mode::Elements, ..checkout() };
    let server = Server::start(vec![answer(&json!({ "id": "pi_1" }))]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let outcome = all.get(GatewayName::Stripe).unwrap().open_checkout(&ask, "pay_1", soon()).await;
    assert!(matches!(outcome, Err(CallError::InDoubt(_))), "{outcome:?}");

    let form = Then::Answer(200, "", intent_opened());
    let (_, opened) = one_request(form, async |stripe| stripe.open_checkout(&ask, "pay_1", soon()).await).await;
    assert_eq!((opened.reference.as_str(), &opened.url, opened.expires_at), ("pi_1", &None, ask.expires_at));
    assert_eq!(opened.client_secret.as_deref(), Some("pi_1_secret_2"));
    assert!(!format!("{opened:?}").contains("secret_2"), "{opened:?}");
}

#[tokio::test]
async fn a_refund_is_found_among_the_captures_refunds_by_our_id() {
    let foreign = |number: u32| json!({ "id": format!("re_by_hand_{number}"), "amount": 100, "currency": "sar" });
    let server = Server::start(vec![
        answer(&json!({ "data": [foreign(1), foreign(2)], "has_more": true })),
        answer(&json!({ "data": [foreign(3), refunded("requires_action")], "has_more": true })),
    ])
    .await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let found = stripe.look_up_refund(&refund(), None, soon()).await.unwrap();
    let money = money("150.00", "SAR");
    let state = escrow_gateways::RefundState::Pending;
    assert_eq!(found, Some(RefundStanding { reference: "re_1".to_owned(), state, money }));
    let lines: Vec<String> = server.received().into_iter().map(|request| request.line).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].contains("starting_after=re_by_hand_2"), "{}", lines[1]);
}

#[tokio::test]
async fn a_refund_stands_as_stripe_says() {
    for (status, reason, expected) in [
        ("succeeded", Value::Null, escrow_gateways::RefundState::Succeeded),
        ("pending", Value::Null, escrow_gateways::RefundState::Pending),
        ("thinking", Value::Null, escrow_gateways::RefundState::Pending),
        (
            "failed",
            json!("lost_or_stolen_card"),
            escrow_gateways::RefundState::Failed("lost_or_stolen_card".to_owned()),
        ),
        ("canceled", Value::Null, escrow_gateways::RefundState::Failed("canceled".to_owned())),
    ] {
        let mut body = refunded(status);
        body["failure_reason"] = reason;
        let (_, standing) =
            one_request(answer(&body), async |stripe| stripe.refund(&refund(), "eff_1", soon()).await).await;
        assert_eq!(standing.state, expected, "{status}");
    }
}

#[tokio::test]
async fn a_capture_is_traced_by_what_was_put_on_its_intent() {
    let ours = json!({ "escrow_id": refund().escrow.to_string(), "payment_id": payment().to_string() });
    let (_, origin) = one_request(answer(&json!({ "id": "pi_1", "metadata": ours })), async |stripe| {
        stripe.trace_capture("pi_1", soon()).await
    })
    .await;
    assert_eq!((origin.escrow, origin.payment), (Some(refund().escrow), Some(payment())));
    let (_, origin) = one_request(answer(&json!({ "id": "pi_1", "metadata": {} })), async |stripe| {
        stripe.trace_capture("pi_1", soon()).await
    })
    .await;
    assert_eq!(origin, escrow_gateways::Origin::default());
    let wallet = json!({ "id": "pi_1", "metadata": { "top_up_id": top_up().to_string() } });
    let (_, origin) = one_request(answer(&wallet), async |stripe| stripe.trace_capture("pi_1", soon()).await).await;
    assert_eq!((origin.escrow, origin.top_up), (None, Some(top_up())));
    // No request of ours names both: nothing of it is believed.
    let both = json!({ "id": "pi_1", "metadata": {
        "top_up_id": top_up().to_string(), "escrow_id": escrow().to_string(), "payment_id": payment().to_string(),
    } });
    let (_, origin) = one_request(answer(&both), async |stripe| stripe.trace_capture("pi_1", soon()).await).await;
    assert!(!origin.is_ours());
}
