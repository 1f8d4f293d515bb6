//! What the API takes, refuses and shows.

use super::*;

#[tokio::test]
async fn a_session_has_every_field_that_the_official_sdk_reads() {
    let bench = Bench::new().await;
    let opened = bench.post("checkout/sessions", &format!("{CHECKOUT}&expand[]=line_items")).await;
    let session: stripe_shared::CheckoutSession = serde_json::from_str(&opened.text).unwrap();
    assert_eq!(session.amount_total, Some(15_000));
    assert_eq!(session.expires_at, START.as_seconds() + 86_400);
    assert_eq!(session.line_items.unwrap().data[0].amount_total, 15_000);
    let url = session.url.unwrap();
    assert_eq!(url, format!("{}/sandbox/stripe/pay/{}", bench.url, session.id));

    let intent = bench.play(session.id.as_str(), r#"{"outcome": "paid"}"#).await.json()["payment_intent"].clone();
    let id = intent.as_str().unwrap();
    let intent = bench.get(&format!("payment_intents/{id}?expand[]=latest_charge")).await;
    let intent: stripe_shared::PaymentIntent = serde_json::from_str(&intent.text).unwrap();
    assert_eq!((intent.amount_received, intent.transfer_group.as_deref()), (15_000, Some("esc_1")));
    assert_eq!(intent.metadata.get("payment_id").map(String::as_str), Some("pay_1"));
    let refund = bench.post("refunds", &format!("payment_intent={id}&metadata[refund_id]=ref_1")).await;
    let refund: stripe_shared::Refund = serde_json::from_str(&refund.text).unwrap();
    assert_eq!((refund.amount, refund.status.as_deref()), (15_000, Some("succeeded")));
    let session = bench.get(&format!("checkout/sessions?payment_intent={id}")).await;
    let sessions: stripe_types::List<stripe_shared::CheckoutSession> = serde_json::from_str(&session.text).unwrap();
    assert_eq!(sessions.data.len(), 1);
    assert_eq!(sessions.data[0].url, None, "a session that is over has no page");
    let charge = bench.get(&format!("charges/{}", refund.charge.unwrap().id())).await;
    let charge: stripe_shared::Charge = serde_json::from_str(&charge.text).unwrap();
    assert!(charge.refunded);
}

#[tokio::test]
async fn only_a_secret_test_key_opens_the_api() {
    let bench = Bench::new().await;
    let url = format!("{}/sandbox/stripe/v1/events", bench.url);
    for (key, status) in [
        ("Bearer sk_test_x", 200),
        ("bearer sk_test_x", 200),
        // sk_test_x:
        ("Basic c2tfdGVzdF94Og==", 200),
        ("Bearer sk_live_x", 401),
        ("Bearer sk_test_", 401),
        ("Bearer pk_test_x", 401),
        ("Bearer", 401),
        ("Basic !!!", 401),
        ("Digest sk_test_x", 401),
    ] {
        let request = Request::get(&url).header("authorization", key).body(Full::default()).unwrap();
        assert_eq!(bench.send(request).await.unwrap().status, status, "{key}");
    }
    let without = bench.send(Request::get(&url).body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(without.verdict(), "401 invalid_request_error");
}

#[tokio::test]
async fn a_checkout_that_stripe_would_not_take_is_refused() {
    let bench = Bench::new().await;
    let now = START.as_seconds();
    let change = |from: &str, to: &str| {
        assert!(CHECKOUT.contains(from));
        CHECKOUT.replace(from, to)
    };
    let cases = [
        (change("mode=payment&", ""), "400 parameter_missing", "mode"),
        (change("mode=payment", "mode=subscription"), "400 parameter_invalid", "mode"),
        (change("mode=payment", "mode=gift"), "400 invalid_request_error", "mode"),
        (change("success_url=http://shop.test/ok", "success_url=shop.test/ok"), "400 url_invalid", "success_url"),
        (change("cancel_url=http://shop.test/no", "cancel_url=javascript:x"), "400 url_invalid", "cancel_url"),
        (change("=15000", "=49.5"), "400 parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
        (change("=15000", "=-5"), "400 invalid_request_error", "line_items[0][price_data][unit_amount]"),
        (change("=15000", "=0"), "400 amount_too_small", ""),
        (change("=15000", "=100000000"), "400 amount_too_large", ""),
        (change("currency]=sar", "currency]=coin"), "400 invalid_request_error", "line_items[0][price_data][currency]"),
        (change("quantity]=1", "quantity]=0"), "400 parameter_invalid_integer", "line_items[0][quantity]"),
        (
            change("[product_data][name]=A+job", "[product]=prod_1"),
            "404 resource_missing",
            "line_items[0][price_data][product]",
        ),
        (format!("{CHECKOUT}&colour=red"), "400 parameter_unknown", "colour"),
        (format!("{CHECKOUT}&payment_intent_data[x]=1"), "400 parameter_unknown", "payment_intent_data[x]"),
        (format!("{CHECKOUT}&discounts[0][coupon]=c"), "400 invalid_request_error", "discounts"),
        (change("[enabled]=false", "[enabled]=true"), "400 invalid_request_error", "adaptive_pricing"),
        (change("types[0]=card", "types[0]=Card"), "400 invalid_request_error", "allowed_payment_method_types"),
        (format!("{CHECKOUT}&expires_at={}", now + 1_799), "400 invalid_request_error", "expires_at"),
        (format!("{CHECKOUT}&expires_at={}", now + 86_401), "400 invalid_request_error", "expires_at"),
        (format!("{CHECKOUT}&metadata[{}]=1", "k".repeat(41)), "400 invalid_request_error", "metadata"),
        (format!("{CHECKOUT}&mode=payment"), "400 invalid_request_error", ""),
        ("{\"mode\": \"payment\"}".to_owned(), "400 parameter_missing", "mode"),
        (String::new(), "400 parameter_missing", "mode"),
    ];
    for (form, verdict, param) in cases {
        let refused = bench.post("checkout/sessions", &form).await;
        let shown = refused.json();
        assert_eq!(
            (refused.verdict().as_str(), shown["error"]["param"].as_str().unwrap_or_default()),
            (verdict, param),
            "{form}"
        );
    }
    assert_eq!(bench.get("checkout/sessions").await.json()["data"], serde_json::json!([]), "nothing was made");
    for fine in [1_800, 86_400] {
        let session = bench.post("checkout/sessions", &format!("{CHECKOUT}&expires_at={}", now + fine)).await;
        assert_eq!(session.json()["expires_at"], now + fine);
    }
}

#[tokio::test]
async fn a_refund_takes_no_more_than_is_left() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let refund = |form: &str| format!("payment_intent={intent}{form}");
    for (form, verdict) in [
        ("amount=5".to_owned(), "400 parameter_missing"),
        ("payment_intent=pi_unknown".to_owned(), "404 resource_missing"),
        ("charge=ch_unknown".to_owned(), "404 resource_missing"),
        (refund("&amount=0"), "400 parameter_invalid_integer"),
        (refund("&amount=15001"), "400 invalid_request_error"),
        (refund("&reason=because"), "400 invalid_request_error"),
        (refund("&reverse_transfer=true"), "400 invalid_request_error"),
        (refund("&colour=red"), "400 parameter_unknown"),
        (refund("&amount=10000"), "200"),
        (refund("&amount=5001"), "400 invalid_request_error"),
        (refund(""), "200"),
        (refund(""), "400 charge_already_refunded"),
        (refund("&amount=1"), "400 charge_already_refunded"),
    ] {
        let answer = bench.post("refunds", &form).await;
        assert_eq!(answer.verdict(), verdict, "{form}: {}", answer.text);
    }
    let listed = bench.get(&format!("refunds?payment_intent={intent}")).await.json();
    let amounts: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|refund| &refund["amount"]).collect();
    assert_eq!(amounts, [5_000, 10_000], "newest first");
    let first = listed["data"][0]["id"].as_str().unwrap();
    let page = bench.get(&format!("refunds?limit=1&starting_after={first}")).await.json();
    assert_eq!((page["data"][0]["amount"].as_i64(), page["has_more"].as_bool()), (Some(10_000), Some(false)));
    assert_eq!(bench.get(&format!("refunds/{first}")).await.json()["id"], first);
}

#[tokio::test]
async fn an_intent_that_nobody_has_paid_cannot_be_refunded() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    let intent = bench.play(&session, r#"{"outcome": "declined"}"#).await.json()["payment_intent"].clone();
    let refused = bench.post("refunds", &format!("payment_intent={}", intent.as_str().unwrap())).await;
    assert_eq!(refused.verdict(), "400 payment_intent_unexpected_state");
}

#[tokio::test]
async fn unknown_things_are_missing_and_unknown_paths_are_named() {
    let bench = Bench::new().await;
    for (path, verdict) in [
        ("checkout/sessions/cs_test_x", "404 resource_missing"),
        ("payment_intents/pi_x", "404 resource_missing"),
        ("refunds/re_x", "404 resource_missing"),
        ("refunds?payment_intent=pi_x", "404 resource_missing"),
        ("checkout/sessions?payment_intent=pi_x", "404 resource_missing"),
        ("events/evt_x", "404 resource_missing"),
        ("refunds?limit=0", "400 parameter_invalid_integer"),
        ("refunds?colour=red", "400 parameter_unknown"),
        ("refunds?starting_after=re_x", "404 resource_missing"),
        ("customers", "404 invalid_request_error"),
        ("payouts", "404 invalid_request_error"),
        ("transfers/tr_x", "404 resource_missing"),
        ("transfers/tr_x/reversals", "404 resource_missing"),
        ("balance_transactions/txn_x", "404 resource_missing"),
        ("charges/ch_x", "404 resource_missing"),
        ("disputes/du_x", "404 resource_missing"),
        ("checkout/sessions/cs_test_x/expire", "404 invalid_request_error"),
        ("refunds?payment_intent[", "400 invalid_request_error"),
        ("refunds?%ff=1", "400 invalid_request_error"),
    ] {
        // The client itself refuses what is no address, so the bracket is sent as a browser would.
        assert_eq!(bench.get(&path.replace('[', "%5B")).await.verdict(), verdict, "{path}");
    }
    assert_eq!(bench.post("checkout/sessions/cs_x/expire", "").await.verdict(), "404 resource_missing");
    assert_eq!(bench.post("payouts", "amount=1").await.verdict(), "404 invalid_request_error");
}

#[tokio::test]
async fn only_an_open_session_can_be_expired() {
    let bench = Bench::new().await;
    let open = bench.checkout().await;
    let expired = bench.post(&format!("checkout/sessions/{open}/expire"), "").await.json();
    assert_eq!((expired["status"].as_str(), expired["url"].as_str()), (Some("expired"), None));
    for outcome in ["paid", "pending", "expired"] {
        let session = bench.checkout().await;
        bench.play(&session, &format!("{{\"outcome\": \"{outcome}\"}}")).await;
        let refused = bench.post(&format!("checkout/sessions/{session}/expire"), "").await;
        assert_eq!(refused.verdict(), "400 invalid_request_error", "{outcome}");
    }
}

#[tokio::test]
async fn events_are_listed_newest_first_and_by_type() {
    let bench = Bench::new().await;
    bench.paid().await;
    let listed = bench.get("events").await.json();
    let types: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["checkout.session.completed", "charge.succeeded", "payment_intent.succeeded"]);
    for (query, count) in [
        ("type=charge.succeeded", 1),
        ("type=payment_intent.*", 1),
        ("types[]=charge.succeeded&types[]=checkout.session.completed", 2),
        ("delivery_success=true", 3),
        ("delivery_success=false", 0),
        ("created[gt]=1795226400", 0),
        ("created[gte]=1795226400&limit=2", 2),
    ] {
        let listed = bench.get(&format!("events?{}", query.replace('[', "%5B").replace(']', "%5D"))).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), count, "{query}");
    }
}
