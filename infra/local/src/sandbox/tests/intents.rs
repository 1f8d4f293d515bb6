//! Payment Intents without a session: asked for over the API, paid on the page that stands for the merchant's own.

use super::*;

/// A payment of 150.00 SAR as the gateway crate asks for it.
pub(super) const INTENT: &str = "amount=15000&currency=sar&automatic_payment_methods[enabled]=true\
    &metadata[escrow_id]=esc_1&metadata[payment_id]=pay_1&transfer_group=esc_1&description=A+job";

impl Bench {
    pub(super) async fn intent(&self) -> Value {
        let made = self.post("payment_intents", INTENT).await;
        assert_eq!(made.status, 200, "{}", made.text);
        made.json()
    }

    /// Plays the buyer; the types that came of it, and how the intent stands then.
    async fn pay(&self, id: &str, json: &str) -> String {
        let played = self.play(id, json).await;
        if played.status != 200 {
            return played.verdict();
        }
        self.sandbox.deliver_due().await;
        let types = self.endpoint.types().join(", ");
        self.endpoint.forget();
        let summary = played.json();
        format!("{types} | {} {}", summary["status"].as_str().unwrap(), summary["payment_status"].as_str().unwrap())
    }
}

#[tokio::test]
async fn an_intent_has_every_field_that_the_official_sdk_reads() {
    let bench = Bench::new().await;
    let made = bench.intent().await;
    let intent: stripe_shared::PaymentIntent = serde_json::from_value(made.clone()).unwrap();
    let (id, secret) = (intent.id.as_str().to_owned(), intent.client_secret.unwrap());
    assert!(secret.starts_with(&format!("{id}_secret_")));
    assert!(intent.automatic_payment_methods.unwrap().enabled);
    assert_eq!((made["status"].as_str(), &made["latest_charge"]), (Some("requires_payment_method"), &Value::Null));
    assert_eq!(bench.play(&id, r#"{"outcome": "paid"}"#).await.status, 200);
    let paid = bench.get(&format!("payment_intents/{id}?client_secret={secret}")).await.json();
    assert_eq!((paid["status"].as_str(), paid["amount_received"].as_i64()), (Some("succeeded"), Some(15_000)));
    let charge = bench.get(&format!("charges/{}", paid["latest_charge"].as_str().unwrap())).await;
    let charge: stripe_shared::Charge = serde_json::from_str(&charge.text).unwrap();
    assert_eq!((charge.amount, charge.transfer_group.as_deref()), (15_000, Some("esc_1")));
    let refund = bench.post("refunds", &format!("payment_intent={id}&amount=4000")).await;
    assert_eq!(refund.status, 200, "it goes back like any other");
    bench.intent().await;
    let listed = bench.get("payment_intents?limit=1").await.json();
    assert_eq!(
        (listed["data"][0]["status"].as_str(), listed["has_more"].as_bool()),
        (Some("requires_payment_method"), Some(true))
    );
    let listed = bench.get("payment_intents?created%5Blt%5D=1795226400").await.json();
    assert_eq!(listed["data"], serde_json::json!([]));
}

#[tokio::test]
async fn every_outcome_has_the_events_of_an_intent_without_a_session() {
    let bench = Bench::new().await;
    let paid = "payment_intent.succeeded, charge.succeeded | succeeded paid";
    let declined = "payment_intent.payment_failed | requires_payment_method unpaid";
    let pending = "payment_intent.processing | processing unpaid";
    let canceled = "payment_intent.canceled | canceled unpaid";
    let past = "409 payment_intent_final";
    for (clicks, told) in [
        (&["paid", "paid"][..], &[paid, past][..]),
        (&["declined", "declined", "paid", "declined"], &[declined, declined, paid, past]),
        (&["pending", "pending", "expired", "paid"], &[pending, past, past, paid]),
        (&["pending", "declined", "paid"], &[pending, declined, paid]),
        (&["expired", "paid"], &[canceled, past]),
    ] {
        let id = bench.intent().await["id"].as_str().unwrap().to_owned();
        for (outcome, told) in clicks.iter().zip(told) {
            assert_eq!(bench.pay(&id, &format!("{{\"outcome\": \"{outcome}\"}}")).await, *told, "{clicks:?}");
        }
    }
    let id = bench.intent().await["id"].as_str().unwrap().to_owned();
    bench.pay(&id, r#"{"outcome": "expired"}"#).await;
    assert_eq!(bench.pay(&id, r#"{"outcome": "paid", "late": true}"#).await, paid, "as can happen at gateways");
    let id = bench.intent().await["id"].as_str().unwrap().to_owned();
    let copies = bench.pay(&id, r#"{"outcome": "paid", "duplicates": 2, "shuffle": true}"#).await;
    assert_eq!(copies.matches("payment_intent.succeeded").count(), 3);
}

#[tokio::test]
async fn an_intent_is_cancelled_only_while_nobody_has_paid() {
    let bench = Bench::new().await;
    let id = bench.intent().await["id"].as_str().unwrap().to_owned();
    let form = "cancellation_reason=abandoned";
    let canceled = bench.try_post(&format!("payment_intents/{id}/cancel"), form, Some("k")).await.unwrap().json();
    assert_eq!(
        (canceled["status"].as_str(), canceled["cancellation_reason"].as_str()),
        (Some("canceled"), Some("abandoned"))
    );
    bench.sandbox.deliver_due().await;
    assert_eq!(bench.endpoint.types(), ["payment_intent.canceled"]);
    let again = bench.try_post(&format!("payment_intents/{id}/cancel"), form, Some("k")).await.unwrap();
    assert_eq!(again.json(), canceled, "the same key, the same answer");
    let refused = "400 payment_intent_unexpected_state";
    for outcome in ["paid", "pending", "expired"] {
        let id = bench.intent().await["id"].as_str().unwrap().to_owned();
        bench.play(&id, &format!("{{\"outcome\": \"{outcome}\"}}")).await;
        assert_eq!(bench.post(&format!("payment_intents/{id}/cancel"), "").await.verdict(), refused, "{outcome}");
    }
    let session = bench.checkout().await;
    let of_session = bench.play(&session, r#"{"outcome": "declined"}"#).await.json()["payment_intent"].clone();
    let path = format!("payment_intents/{}/cancel", of_session.as_str().unwrap());
    assert_eq!(bench.post(&path, "").await.verdict(), refused, "it ends with its session");
    assert_eq!(bench.post("payment_intents/pi_x/cancel", "").await.verdict(), "404 resource_missing");
    assert_eq!(bench.post(&format!("payment_intents/{id}/cancel"), "cancellation_reason=why").await.status, 400);
}

#[tokio::test]
async fn an_intent_that_stripe_would_not_make_is_refused() {
    let bench = Bench::new().await;
    let change = |from: &str, to: &str| {
        assert!(INTENT.contains(from));
        INTENT.replace(from, to)
    };
    for (form, verdict, param) in [
        (change("amount=15000&", ""), "400 parameter_missing", "amount"),
        (change("=15000", "=0"), "400 amount_too_small", "amount"),
        (change("=15000", "=100000000"), "400 amount_too_large", "amount"),
        (change("=15000", "=1.5"), "400 parameter_invalid_integer", "amount"),
        (change("=sar", "=coin"), "400 invalid_request_error", "currency"),
        (change("&currency=sar", ""), "400 parameter_missing", "currency"),
        (
            change("[enabled]=true", "[enabled]=perhaps"),
            "400 invalid_request_error",
            "automatic_payment_methods[enabled]",
        ),
        (format!("{INTENT}&payment_method_types[]=card"), "400 invalid_request_error", ""),
        (format!("{INTENT}&capture_method=manual"), "400 invalid_request_error", "capture_method"),
        (format!("{INTENT}&confirm=true"), "400 invalid_request_error", "confirm"),
        (format!("{INTENT}&transfer_data[destination]=acct_1"), "400 invalid_request_error", "transfer_data"),
        (format!("{INTENT}&colour=red"), "400 parameter_unknown", "colour"),
    ] {
        let refused = bench.post("payment_intents", &form).await;
        let shown = refused.json();
        let named = shown["error"]["param"].as_str().unwrap_or_default();
        assert_eq!((refused.verdict().as_str(), named), (verdict, param), "{form}");
    }
    assert_eq!(bench.get("payment_intents").await.json()["data"], serde_json::json!([]), "nothing was made");
    let card = bench.post("payment_intents", "amount=500&currency=usd&payment_method_types[]=card").await.json();
    assert_eq!(card["automatic_payment_methods"], Value::Null);
}

#[tokio::test]
async fn the_faults_of_a_call_strike_intents_as_well() {
    let bench = Bench::new().await;
    bench.set(r#"{"next": [{"intents": "timeout_after"}, {"closes": "500_after"}, {"intents": "400"}]}"#).await;
    assert!(bench.try_post("payment_intents", INTENT, Some("a")).await.is_none());
    let made = bench.try_post("payment_intents", INTENT, Some("a")).await.unwrap();
    assert_eq!(made.headers["idempotent-replayed"], "true", "it was made, and told to nobody");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("payment_intents/{id}/cancel");
    assert_eq!(bench.try_post(&path, "", Some("b")).await.unwrap().verdict(), "500 api_error");
    assert_eq!(bench.get(&format!("payment_intents/{id}")).await.json()["status"], "canceled");
    assert_eq!(bench.try_post("payment_intents", INTENT, Some("c")).await.unwrap().verdict(), "400 sandbox_refused");
    assert_eq!(bench.tell("/_local/sandbox/stripe", r#"{"next": [{"intents": "pending"}]}"#).await.status, 400);
    assert_eq!(bench.state().await["calls"]["intents"], serde_json::json!({"done": 1, "refused": 1, "replayed": 1}));
}

#[tokio::test]
async fn the_page_is_found_by_id_or_by_client_secret_and_by_nothing_else() {
    let bench = Bench::new().await;
    let intent = bench.intent().await;
    let (id, secret) = (intent["id"].as_str().unwrap(), intent["client_secret"].as_str().unwrap());
    let browse = async |place: &str| {
        let url = format!("{}/sandbox/stripe/pay/{place}", bench.url);
        bench.send(Request::get(url).body(Full::default()).unwrap()).await.unwrap()
    };
    for place in [id, secret] {
        let page = browse(place).await;
        assert!(page.status == 200 && page.text.contains("150.00 SAR") && page.text.contains("A job"), "{}", page.text);
    }
    assert_eq!(browse(&format!("{id}_secret_x")).await.status, 404);
    let page = bench.state().await["payment_intents"][0]["page"].as_str().unwrap().to_owned();
    assert_eq!(page, format!("{}/sandbox/stripe/pay/{id}", bench.url), "and the state says where it is");
    let of_session = bench.paid().await;
    assert_eq!(browse(&of_session).await.status, 404, "that one is paid on its session's page");
    assert_eq!(bench.play(&of_session, r#"{"outcome": "paid"}"#).await.verdict(), "404 not_found");
    let request = Request::post(format!("{}/sandbox/stripe/pay/{secret}", bench.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from("outcome=paid&duplicates=&delay_ms=0")));
    let sent = bench.send(request.unwrap()).await.unwrap();
    assert_eq!(
        (sent.status, sent.headers["location"].to_str().unwrap()),
        (303, format!("/sandbox/stripe/pay/{secret}").as_str())
    );
    assert!(browse(id).await.text.contains("has been paid"));
}

#[tokio::test]
async fn an_intents_money_can_be_taken_twice_as_well() {
    let bench = Bench::new().await;
    let id = bench.intent().await["id"].as_str().unwrap().to_owned();
    bench.pay(&id, r#"{"outcome": "paid"}"#).await;
    let path = format!("/_local/sandbox/stripe/payment_intents/{id}/second_capture");
    let second = bench.tell(&path, r#"{"amount": 100}"#).await.json();
    assert_ne!(second["id"], id.as_str());
    assert_eq!((second["metadata"]["payment_id"].as_str(), second["amount"].as_i64()), (Some("pay_1"), Some(100)));
    bench.sandbox.deliver_due().await;
    assert_eq!(bench.endpoint.types(), ["payment_intent.succeeded", "charge.succeeded"]);
}

#[tokio::test]
async fn intents_survive_a_kill() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let made = before.try_post("payment_intents", INTENT, Some("k")).await.unwrap();
    let id = made.json()["id"].as_str().unwrap().to_owned();
    before.play(&id, r#"{"outcome": "pending"}"#).await;
    before.sandbox.stop();
    let after = Bench::over(Some(&folder.0), clock).await;
    assert_eq!(after.try_post("payment_intents", INTENT, Some("k")).await.unwrap().text, made.text);
    after.sandbox.deliver_due().await;
    assert_eq!(after.endpoint.types(), ["payment_intent.processing"]);
    after.endpoint.forget();
    assert_eq!(
        after.pay(&id, r#"{"outcome": "paid"}"#).await,
        "payment_intent.succeeded, charge.succeeded | succeeded paid"
    );
}
