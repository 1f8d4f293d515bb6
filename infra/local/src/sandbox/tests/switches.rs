//! The switches: what happens at a gateway without anybody having asked for it here.

use super::*;

impl Bench {
    /// Throws a switch, delivers, and tells the types that came of it, or the refusal.
    async fn throw(&self, path: &str, json: &str) -> (Value, String) {
        let thrown = self.tell(&format!("/_local/sandbox/stripe/{path}"), json).await;
        if thrown.status != 200 {
            return (Value::Null, thrown.verdict());
        }
        self.sandbox.deliver_due().await;
        let types = self.endpoint.types().join(", ");
        self.endpoint.forget();
        (thrown.json(), types)
    }
}

#[tokio::test]
async fn a_chargeback_takes_the_money_and_may_bring_it_back() {
    let bench = Bench::new().await;
    for (outcome, closed) in
        [("won", "charge.dispute.closed, charge.dispute.funds_reinstated"), ("lost", "charge.dispute.closed")]
    {
        let intent = bench.paid().await;
        let path = format!("payment_intents/{intent}/chargeback");
        let (dispute, types) = bench.throw(&path, r#"{"amount": 15000}"#).await;
        assert_eq!(types, "charge.dispute.created, charge.dispute.funds_withdrawn");
        assert_eq!(bench.throw(&path, "").await.1, "409 already_disputed");
        assert_eq!(bench.post("refunds", &format!("payment_intent={intent}")).await.verdict(), "400 charge_disputed");
        let dispute = format!("disputes/{}", dispute["id"].as_str().unwrap());
        assert_eq!(bench.throw(&dispute, r#"{"status": "under_review"}"#).await.1, "charge.dispute.updated");
        let (ended, types) = bench.throw(&dispute, &format!("{{\"status\": \"{outcome}\"}}")).await;
        assert_eq!((ended["status"].as_str(), types.as_str()), (Some(outcome), closed));
        assert_eq!(bench.throw(&dispute, r#"{"status": "won"}"#).await.1, "409 dispute_final");
        let refund = bench.post("refunds", &format!("payment_intent={intent}")).await.status;
        assert_eq!(refund, if outcome == "won" { 200 } else { 400 });
        bench.sandbox.deliver_due().await;
        bench.endpoint.forget();
    }
    assert_eq!(bench.throw("payment_intents/pi_x/chargeback", "").await.1, "404 not_found");
}

#[tokio::test]
async fn a_refund_in_the_dashboard_has_none_of_our_ids() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    let path = format!("payment_intents/{intent}/refund");
    let (refund, types) = bench.throw(&path, r#"{"amount": 4000}"#).await;
    assert_eq!(types, "charge.refunded, refund.created, refund.updated");
    assert_eq!((refund["amount"].as_i64(), &refund["metadata"]), (Some(4_000), &serde_json::json!({})));
    assert_eq!(bench.throw(&path, r#"{"amount": 11001}"#).await.1, "409 refund_refused");
    assert_eq!(bench.post("refunds", &format!("payment_intent={intent}")).await.json()["amount"], 11_000);
}

#[tokio::test]
async fn a_refund_may_stay_pending_fail_and_fail_after_it_succeeded() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    bench.set(r#"{"next": [{"refunds": "pending"}, {"refunds": "fail"}]}"#).await;
    let refund = async |amount: u32| {
        let refund = bench.post("refunds", &format!("payment_intent={intent}&amount={amount}")).await.json();
        bench.sandbox.deliver_due().await;
        let types = bench.endpoint.types().join(", ");
        bench.endpoint.forget();
        (format!("refunds/{}", refund["id"].as_str().unwrap()), refund["status"].as_str().unwrap().to_owned(), types)
    };
    let (pending, status, types) = refund(6_000).await;
    assert_eq!((status.as_str(), types.as_str()), ("pending", "charge.refunded, refund.created"));
    let (_, status, types) = refund(6_000).await;
    assert_eq!((status.as_str(), types.as_str()), ("failed", "refund.created, refund.updated, refund.failed"));
    let (done, status, _) = refund(9_000).await;
    assert_eq!(status, "succeeded");
    assert_eq!(bench.throw(&pending, r#"{"status": "succeeded"}"#).await.1, "refund.updated");
    let (failed, types) = bench.throw(&done, r#"{"status": "failed"}"#).await;
    assert_eq!((failed["status"].as_str(), types.as_str()), (Some("failed"), "refund.updated, refund.failed"));
    assert_eq!(bench.throw(&done, r#"{"status": "succeeded"}"#).await.1, "409 refund_final");
    assert_eq!(bench.state().await["payment_intents"][0]["refunded"], 6_000, "what failed can be refunded again");
}

#[tokio::test]
async fn the_same_buyers_money_can_be_taken_twice() {
    let bench = Bench::new().await;
    let first = bench.paid().await;
    let session = bench.get(&format!("checkout/sessions?payment_intent={first}")).await.json()["data"][0]["id"].clone();
    let (second, types) = bench.throw(&format!("sessions/{}/second_capture", session.as_str().unwrap()), "").await;
    assert_eq!(types, "payment_intent.succeeded, charge.succeeded");
    assert_ne!(second["id"], first.as_str());
    assert_eq!((second["metadata"]["payment_id"].as_str(), second["amount"].as_i64()), (Some("pay_1"), Some(15_000)));
    let refund = bench.post("refunds", &format!("payment_intent={}", second["id"].as_str().unwrap())).await;
    assert_eq!(refund.status, 200, "and given back");
}

#[tokio::test]
async fn dropped_events_are_known_but_not_sent_until_somebody_resends_them() {
    let bench = Bench::new().await;
    bench.set(r#"{"webhooks": {"drop": ["checkout.session.completed", "payment_intent.succeeded"]}}"#).await;
    let session = bench.checkout().await;
    let played = bench.play(&session, r#"{"outcome": "paid"}"#).await.json();
    bench.sandbox.deliver_due().await;
    assert_eq!(bench.endpoint.types(), ["charge.succeeded"]);
    bench.endpoint.forget();
    bench.set(r#"{"webhooks": {}}"#).await;
    let completed = played["events"][2]["id"].as_str().unwrap();
    let (_, types) = bench.throw(&format!("events/{completed}/resend"), r#"{"times": 2}"#).await;
    assert_eq!(types, "checkout.session.completed, checkout.session.completed");
    bench.set(r#"{"webhooks": {"drop": ["*"]}}"#).await;
    bench.play(&bench.checkout().await, r#"{"outcome": "paid"}"#).await;
    assert!(bench.sandbox.is_quiet());
}

#[tokio::test]
async fn refunds_travel_as_the_switches_say() {
    let bench = Bench::new().await;
    let intent = bench.paid().await;
    bench.set(r#"{"webhooks": {"duplicates": 2, "shuffle": true}}"#).await;
    bench.post("refunds", &format!("payment_intent={intent}")).await;
    bench.sandbox.deliver_due().await;
    let mut types = bench.endpoint.types();
    types.sort();
    assert_eq!(types, [["charge.refunded"; 3], ["refund.created"; 3], ["refund.updated"; 3]].concat());
    assert_eq!(bench.tell("/_local/sandbox/stripe", r#"{"webhooks": {"duplicates": 101}}"#).await.status, 400);
}

#[tokio::test]
async fn any_event_can_be_sent_genuine_or_forged() {
    let bench = Bench::new().await;
    let now = START.as_seconds();
    let genuine = |at: i64, body: &str| webhooks::signature(SECRET, Timestamp::from_seconds(at), body);
    for signature in ["genuine", "forged", "stale", "of_another_body", "missing"] {
        bench.endpoint.refuse_next(&[418]);
        let ask = format!("{{\"body\": \"{{}}\", \"signature\": \"{signature}\"}}");
        let sent = bench.tell("/_local/sandbox/stripe/events", &ask).await.json();
        assert_eq!(sent["statuses"], serde_json::json!([418]));
        let (headers, body) = bench.endpoint.arrived.lock().unwrap().pop().unwrap();
        let header = headers.get("stripe-signature").map(|header| header.to_str().unwrap().to_owned());
        let is_genuine = header == Some(genuine(now, &body));
        assert_eq!((body.as_str(), is_genuine), ("{}", signature == "genuine"), "{signature}");
        match signature {
            "stale" => assert_eq!(header, Some(genuine(now - 3_600, "{}"))),
            "missing" => assert_eq!(header, None),
            "forged" | "of_another_body" => assert!(header.unwrap().starts_with(&format!("t={now},v1="))),
            _ => {}
        }
    }
    let ask = r#"{"type": "payout.paid", "object": {"id": "po_1"}, "account": "acct_1", "livemode": true, "times": 2}"#;
    assert_eq!(bench.throw("events", ask).await.1, "payout.paid, payout.paid");
    for bad in [
        "{}",
        r#"{"type": "x"}"#,
        r#"{"body": "x", "type": "x", "object": {}}"#,
        r#"{"body": "x", "signature": "good"}"#,
    ] {
        assert_eq!(bench.throw("events", bad).await.1, "400 body_invalid", "{bad}");
    }
}

#[tokio::test]
async fn switches_are_for_this_machine_only() {
    let bench = Bench::new().await;
    for (host, status) in [("127.0.0.1:3000", 200), ("localhost", 200), ("evil.example:3000", 404), ("", 404)] {
        let request = Request::get(format!("{}/_local/sandbox/stripe", bench.url)).header("host", host);
        assert_eq!(bench.send(request.body(Full::default()).unwrap()).await.unwrap().status, status, "{host}");
    }
}
