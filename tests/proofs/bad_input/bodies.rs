//! Bodies: amounts, unknown fields and words, rules that cannot be kept, card numbers.

use super::{Table, order_with};
use holdfast_tests::on_holdfast;
use serde_json::{Value, json};

/// Checkouts with this wrong in the usual order.
async fn check_orders(rows: Vec<(Value, u16, &str)>) {
    on_holdfast(async |holdfast| {
        let mut table = Table::on(holdfast);
        for (changes, status, code) in rows {
            let what: String = changes.to_string().chars().take(80).collect();
            let call = holdfast.buyer.post("/v1/checkouts").once().json(&order_with(changes));
            table.row(&what, call, status, code).await;
        }
        table.end();
    })
    .await;
}

#[tokio::test]
async fn amounts_that_are_not_decimal_strings_of_their_currency() {
    let texts = [
        "1.234",
        "1e3",
        "-5",
        "0",
        "0.00",
        "+5",
        " 5",
        "5 ",
        "",
        ".5",
        "5.",
        "01",
        "1,000.00",
        "1 000",
        "10000000000",
        "NaN",
        "Infinity",
        "0x10",
        "١٥٠",
        "150.00\n",
        "150\u{0}",
        "1.5.5",
        "--1",
        "null",
    ];
    let mut rows: Vec<_> = texts.iter().map(|text| (json!({ "amount": text }), 400, "amount_invalid")).collect();
    for no_text in [json!(150), json!(150.5), json!(true), json!(["150.00"]), json!({ "value": "150.00" })] {
        rows.push((json!({ "amount": no_text }), 400, "amount_invalid"));
    }
    rows.extend([
        (json!({ "currency": "JPY", "amount": "1.5" }), 400, "amount_invalid"),
        (json!({ "currency": "JPY", "amount": "100.0" }), 400, "amount_invalid"),
        (json!({ "currency": "KWD", "amount": "1.2345" }), 400, "amount_invalid"),
        (json!({ "currency": "KWD", "amount": "10.555" }), 422, "amount_not_supported"),
        (json!({ "currency": "USD", "amount": "0.49" }), 422, "amount_not_supported"),
        (json!({ "amount": "9999999999.99" }), 422, "amount_not_supported"),
        (json!({ "amount": null }), 400, "body_invalid"),
    ]);
    check_orders(rows).await;
}

#[tokio::test]
async fn words_that_nobody_knows() {
    check_orders(vec![
        (json!({ "currency": "XXX" }), 400, "currency_unknown"),
        (json!({ "currency": "sar" }), 400, "currency_unknown"),
        (json!({ "currency": "" }), 400, "currency_unknown"),
        (json!({ "currency": 682 }), 400, "body_invalid"),
        (json!({ "gateway": "stripes" }), 400, "gateway_unknown"),
        (json!({ "gateway": "Stripe" }), 400, "gateway_unknown"),
        (json!({ "gateway": "" }), 400, "gateway_unknown"),
        (json!({ "gateway": "paypal" }), 422, "gateway_not_configured"),
        (json!({ "gateway": "moyasar" }), 422, "gateway_not_configured"),
        (json!({ "gateway": null }), 400, "body_invalid"),
        (json!({ "kind": "barter" }), 400, "body_invalid"),
        (json!({ "kind": null }), 400, "body_invalid"),
        (json!({ "method": "cash" }), 400, "body_invalid"),
        (json!({ "fee_payer": "nobody" }), 400, "body_invalid"),
        (json!({ "mode": "popup" }), 400, "body_invalid"),
        (json!({ "funding": "wallet" }), 400, "body_invalid"),
        (json!({ "subject": "job_42" }), 400, "body_invalid"),
        (json!({ "subject": { "type": "Job", "id": "1" } }), 400, "body_invalid"),
        (json!({ "subject": { "type": "job", "id": "a b" } }), 400, "body_invalid"),
        (json!({ "subject": { "type": "job" } }), 400, "body_invalid"),
        (json!({ "seller": "" }), 400, "body_invalid"),
        (json!({ "seller": "usr seller" }), 400, "body_invalid"),
        (json!({ "seller": "x".repeat(129) }), 400, "body_invalid"),
        (json!({ "seller": "usr#1" }), 400, "body_invalid"),
        (json!({ "success_url": "http://marketplace.example" }), 400, "body_invalid"),
        (json!({ "success_url": "javascript:alert(1)" }), 400, "body_invalid"),
        (json!({ "cancel_url": "/back" }), 400, "body_invalid"),
        (json!({ "metadata": { "a": 1 } }), 400, "body_invalid"),
        (json!({ "metadata": { "": "x" } }), 400, "body_invalid"),
        (json!({ "metadata": { "a": "x".repeat(1_025) } }), 400, "body_invalid"),
        (
            json!({ "metadata": (0..21).map(|n| (n.to_string(), "x")).collect::<std::collections::BTreeMap<_, _>>() }),
            400,
            "body_invalid",
        ),
    ])
    .await;
}

#[tokio::test]
async fn fields_that_no_call_has() {
    check_orders(vec![
        (json!({ "price": "150.00" }), 400, "unknown_field"),
        (json!({ "fee": "0.00" }), 400, "unknown_field"),
        (json!({ "status": "held" }), 400, "unknown_field"),
        (json!({ "Amount": "150.00" }), 400, "unknown_field"),
        (json!({ "subject": { "type": "job", "id": "1", "url": "x" } }), 400, "unknown_field"),
        (json!({ "policy": { "auto_release": "P1D" } }), 400, "unknown_field"),
    ])
    .await;
}

#[tokio::test]
async fn deals_that_cannot_be_made() {
    let two = json!([{ "title": "One", "amount": "1.00" }, { "title": "Two", "amount": "2.00" }]);
    check_orders(vec![
        (json!({ "seller": "usr_buyer" }), 422, "buyer_is_seller"),
        (json!({ "buyer": "usr_somebody" }), 403, "forbidden"),
        (json!({ "mode": "telepathy" }), 400, "body_invalid"),
        (json!({ "gateway": null, "funding": "wallet" }), 409, "insufficient_funds"),
        (json!({ "gateway": null, "funding": "wallet", "mode": "elements" }), 400, "body_invalid"),
        (json!({ "gateway": null, "funding": "wallet", "method": "card" }), 400, "body_invalid"),
        (json!({ "gateway": null, "funding": "wallet", "pay_in": "SAR" }), 400, "body_invalid"),
        (json!({ "gateway": null, "funding": "purse" }), 400, "body_invalid"),
        (json!({ "funding": "wallet" }), 400, "body_invalid"),
        (json!({ "gateway": null }), 400, "body_invalid"),
        (json!({ "pay_in": "USD" }), 422, "pay_in_unsupported"),
        (json!({ "amount": null, "milestones": two, "fund": [] }), 400, "body_invalid"),
        (json!({ "amount": null, "milestones": two, "fund": ["m1", "m1"] }), 400, "body_invalid"),
        (json!({ "amount": null, "milestones": two, "fund": ["one"] }), 400, "body_invalid"),
        (json!({ "amount": null, "milestones": two, "fund": ["m3"] }), 422, "milestone_unknown"),
        (json!({ "amount": null, "milestones": vec![two[0].clone(); 51] }), 400, "body_invalid"),
        (json!({ "amount": null, "milestones": [] }), 400, "body_invalid"),
        (json!({ "milestones": [{ "title": "One", "amount": "1.00" }] }), 400, "body_invalid"),
        (json!({ "amount": null, "milestones": [{ "title": "", "amount": "1.00" }] }), 400, "body_invalid"),
        (json!({ "amount": null, "milestones": [{ "title": "One", "amount": "-1" }] }), 400, "amount_invalid"),
        (json!({ "quote": "not-a-quote" }), 422, "quote_changed"),
        (json!({ "policy": { "auto_release_after": "P366D" } }), 422, "policy_invalid"),
        (json!({ "policy": { "deliver_within": "PT59M" } }), 422, "policy_invalid"),
        (json!({ "policy": { "dispute_rule_within": "P2D" } }), 422, "policy_invalid"),
        (json!({ "policy": { "checkout_expires_after": "PT10M" } }), 422, "policy_invalid"),
        (json!({ "policy": { "checkout_expires_after": "P2D" } }), 422, "policy_invalid"),
        (json!({ "policy": { "auto_release_after": "P1M" } }), 400, "body_invalid"),
        (json!({ "policy": { "auto_release_after": "-P1D" } }), 400, "body_invalid"),
        (json!({ "policy": { "auto_release_after": "seven days" } }), 400, "body_invalid"),
        (json!({ "policy": { "auto_release_after": "P99999999999999999999D" } }), 400, "body_invalid"),
        (json!({ "policy": { "auto_release_after": 7 } }), 400, "body_invalid"),
        (json!({ "policy": { "dispute_default": "toss_a_coin" } }), 400, "body_invalid"),
    ])
    .await;
}

#[tokio::test]
async fn card_numbers_and_security_codes() {
    check_orders(vec![
        (json!({ "metadata": { "note": "4242 4242 4242 4242" } }), 400, "card_data_refused"),
        (json!({ "metadata": { "note": "4242-4242-4242-4242" } }), 400, "card_data_refused"),
        (json!({ "metadata": { "note": "378282246310005" } }), 400, "card_data_refused"),
        (json!({ "card_number": "4242424242424242" }), 400, "card_data_refused"),
        (json!({ "cvc": "123" }), 400, "card_data_refused"),
        (json!({ "card": { "number": 4_242_424_242_424_242_u64 } }), 400, "card_data_refused"),
    ])
    .await;
}

#[tokio::test]
async fn arguments_of_commands_that_cannot_be_used() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let long = "x".repeat(501);
        let mut table = Table::on(holdfast);
        let rows = [
            ("release", json!({ "amount": "1.234" }), 400, "amount_invalid"),
            ("release", json!({ "amount": 150 }), 400, "amount_invalid"),
            ("release", json!({ "amount": "0" }), 400, "amount_invalid"),
            ("release", json!({ "amount": "150.01" }), 422, "amount_too_large"),
            ("release", json!({ "milestone": "m2" }), 422, "milestone_unknown"),
            ("release", json!({ "milestone": "1" }), 400, "body_invalid"),
            ("release", json!({ "milestone": "m0" }), 400, "body_invalid"),
            ("release", json!({ "to": "usr_me" }), 400, "unknown_field"),
            ("release", json!({ "reason": long }), 400, "body_invalid"),
            ("release", json!({ "reason": "" }), 400, "body_invalid"),
            ("release", json!({ "reason": "a\u{0}b" }), 400, "body_invalid"),
            ("request-changes", json!({ "note": long }), 400, "body_invalid"),
            ("request-changes", json!({ "note": ["a"] }), 400, "body_invalid"),
            ("dispute", json!({}), 400, "body_invalid"),
            ("dispute", json!({ "reason": "" }), 400, "body_invalid"),
            ("dispute", json!({ "reason": long }), 400, "body_invalid"),
            ("dispute", json!({ "reason": "x", "amount": "150.01" }), 422, "amount_too_large"),
            ("dispute", json!({ "reason": "x", "evidence": [{ "type": "file" }] }), 400, "body_invalid"),
            (
                "dispute",
                json!({ "reason": "x", "evidence": [{ "type": "file", "uri": "ftp://x" }] }),
                400,
                "body_invalid",
            ),
            (
                "dispute",
                json!({ "reason": "x", "evidence": [{ "type": "file", "uri": "https://x.example", "sha256": "abc" }] }),
                400,
                "body_invalid",
            ),
            (
                "dispute",
                json!({ "reason": "x", "evidence": vec![json!({ "type": "file", "uri": "https://x.example" }); 11] }),
                400,
                "body_invalid",
            ),
            ("cancel", json!({ "amount": "1.00" }), 400, "unknown_field"),
            ("extend", json!({ "until": "tomorrow" }), 400, "body_invalid"),
            ("extend", json!({ "until": "2026-03-01" }), 400, "body_invalid"),
            ("extend", json!({ "until": "2020-01-01T00:00:00Z" }), 422, "until_out_of_bounds"),
            ("extend", json!({ "by": "P1D" }), 400, "unknown_field"),
            ("dispute/evidence", json!({}), 400, "body_invalid"),
            ("dispute/evidence", json!({ "evidence": [] }), 400, "body_invalid"),
            ("dispute/propose", json!({}), 400, "body_invalid"),
            ("dispute/propose", json!({ "to_buyer": 10 }), 400, "amount_invalid"),
            ("dispute/accept", json!({}), 400, "body_invalid"),
            ("dispute/accept", json!({ "proposal": "prp_1" }), 400, "body_invalid"),
            ("checkouts", json!({}), 400, "body_invalid"),
            ("checkouts", json!({ "gateway": "stripe", "milestones": [] }), 400, "body_invalid"),
            ("checkouts", json!({ "gateway": "stripe", "milestones": ["m2"] }), 422, "milestone_unknown"),
            ("checkouts", json!({ "gateway": "stripes" }), 400, "gateway_unknown"),
            ("checkouts", json!({ "gateway": "stripe" }), 409, "transition_refused"),
            ("dispute/withdraw", json!({}), 409, "transition_refused"),
        ];
        for (command, body, status, code) in rows {
            let what: String = format!("{command} {body}").chars().take(90).collect();
            table.row(&what, holdfast.buyer.post(&deal.path(command)).once().json(&body), status, code).await;
        }
        for (command, body, status, code) in [
            ("freeze", json!({}), 400, "body_invalid"),
            ("freeze", json!({ "reason": "" }), 400, "body_invalid"),
            ("unfreeze", json!({ "reason": "It is over." }), 409, "not_frozen"),
            ("resolve", json!({ "reason": "x", "resolution": "maybe" }), 400, "body_invalid"),
            ("resolve", json!({ "reason": "x", "resolution": "done" }), 409, "nothing_to_resolve"),
        ] {
            table.row(command, holdfast.operator.post(&deal.path(command)).once().json(&body), status, code).await;
        }
        table.end();

        let disputed = holdfast.disputed(json!({})).await;
        let mut table = Table::on(holdfast);
        for (body, status, code) in [
            (json!({ "reason": "x" }), 400, "body_invalid"),
            (json!({ "to_buyer": "1.00" }), 400, "body_invalid"),
            (json!({ "to_buyer": "-1", "reason": "x" }), 400, "amount_invalid"),
            (json!({ "to_buyer": "1e2", "reason": "x" }), 400, "amount_invalid"),
            (json!({ "to_buyer": 0, "reason": "x" }), 400, "amount_invalid"),
            (json!({ "to_buyer": "1.234", "reason": "x" }), 400, "amount_invalid"),
            (json!({ "to_buyer": "150.01", "reason": "x" }), 422, "amount_too_large"),
            (json!({ "to_buyer": "0", "to_seller": "150.00", "reason": "x" }), 400, "unknown_field"),
        ] {
            let call = holdfast.arbiter.post(&disputed.path("dispute/rule")).once().json(&body);
            table.row(&body.to_string(), call, status, code).await;
        }
        table.end();
    })
    .await;
}
