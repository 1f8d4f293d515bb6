//! What goes into wallets and out of them: payouts, top-ups, sellers' accounts and wishes. Each mistake has its place in the answer.

use super::Table;
use holdfast::Options;
use holdfast_tests::json::{Look, with};
use holdfast_tests::on;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

/// A body with something wrong in it, how it must be refused, and where the mistake is (empty where no place is named).
type Row<'a> = (Value, u16, &'a str, &'a str);

/// A seller with 135 riyals, coins that can be bought and gems that cannot, and a limit above which payouts are approved.
async fn on_wallets(story: impl AsyncFnOnce(&Stack)) {
    let mut options = Options::in_memory();
    for (name, value) in [
        ("HOLDFAST_UNITS", "COIN:0:SAR:10,GEM:2"),
        ("HOLDFAST_PAYOUT_APPROVAL_ABOVE", "SAR:50.00"),
        ("HOLDFAST_PAYOUT_MINIMUM", "SAR:5.00"),
    ] {
        options.settings.insert(name.to_owned(), value.to_owned());
    }
    on(options, async |holdfast| {
        let sold = holdfast.paid(json!({})).await;
        sold.does(&holdfast.buyer, "release", json!({})).await.is(200);
        story(holdfast).await;
    })
    .await;
}

/// Sends each body by the seller to that path.
async fn check_bodies(path: &str, rows: Vec<Row<'_>>) {
    on_wallets(async |holdfast| {
        let mut table = Table::on(holdfast);
        for (body, status, code, pointer) in rows {
            let what: String = body.to_string().chars().take(90).collect();
            table.row_at(&what, holdfast.seller.post(path).once().json(&body), status, code, pointer).await;
        }
        table.end();
    })
    .await;
}

/// Amounts of riyals, yen, dinars and coins that are none, as a field of that body.
fn bad_amounts(body: &Value, pointer: &'static str) -> Vec<Row<'static>> {
    let field = pointer.trim_start_matches('/');
    let mut rows = Vec::new();
    for amount in [
        json!(10),
        json!(10.5),
        json!(1e3),
        json!("1e3"),
        json!("-5"),
        json!("+5"),
        json!("0"),
        json!("0.00"),
        json!("1.234"),
        json!("01"),
        json!(""),
        json!(" 5"),
        json!("5,00"),
        json!("10000000000"),
        json!("NaN"),
        json!(true),
        json!(["5.00"]),
        json!({ "value": "5.00" }),
    ] {
        rows.push((with(body.clone(), json!({ field: amount })), 400, "amount_invalid", pointer));
    }
    for (currency, amount) in [("JPY", "1.5"), ("JPY", "100.0"), ("KWD", "1.2345"), ("COIN", "1.5"), ("GEM", "0.001")] {
        let changes = json!({ "currency": currency, field: amount });
        rows.push((with(body.clone(), changes), 400, "amount_invalid", pointer));
    }
    rows
}

#[tokio::test]
async fn payouts_that_cannot_be_asked_for() {
    let wish = || json!({ "currency": "SAR", "amount": "10.00", "gateway": "manual" });
    let also = |changes| with(wish(), changes);
    let mut rows = bad_amounts(&wish(), "/amount");
    rows.extend([
        (json!({}), 400, "body_invalid", ""),
        (also(json!({ "amount": null })), 400, "body_invalid", ""),
        (also(json!({ "currency": null })), 400, "body_invalid", ""),
        (also(json!({ "currency": "XXX" })), 400, "currency_unknown", "/currency"),
        (also(json!({ "currency": "sar" })), 400, "currency_unknown", "/currency"),
        (also(json!({ "currency": 682 })), 400, "body_invalid", "/currency"),
        (also(json!({ "gateway": "bank" })), 400, "gateway_unknown", "/gateway"),
        (also(json!({ "gateway": 7 })), 400, "body_invalid", "/gateway"),
        (also(json!({ "gateway": "stripe" })), 409, "seller_not_ready", ""),
        (also(json!({ "gateway": "moyasar" })), 409, "seller_not_ready", ""),
        (also(json!({ "currency": "GEM", "gateway": "stripe" })), 422, "amount_not_supported", "/gateway"),
        (also(json!({ "amount": "4.99" })), 409, "below_minimum", ""),
        (also(json!({ "amount": "135.01" })), 409, "insufficient_funds", ""),
        (also(json!({ "amount": "9999999999.99" })), 409, "insufficient_funds", ""),
        (also(json!({ "currency": "JPY", "amount": "1" })), 409, "insufficient_funds", ""),
        (also(json!({ "escrow": "job_42" })), 400, "body_invalid", "/escrow"),
        (also(json!({ "escrow": format!("pay_{}00", "0".repeat(26)) })), 400, "body_invalid", "/escrow"),
        (also(json!({ "escrow": format!("pyt_{}", "0".repeat(26)) })), 400, "body_invalid", "/escrow"),
        (also(json!({ "escrow": format!("esc_{}", "0".repeat(26)) })), 422, "escrow_unsuitable", "/escrow"),
        (also(json!({ "owner": "usr_buyer" })), 400, "unknown_field", "/owner"),
        (also(json!({ "status": "paid" })), 400, "unknown_field", "/status"),
        (also(json!({ "iban": "4242 4242 4242 4242" })), 400, "card_data_refused", ""),
    ]);
    check_bodies("/v1/wallets/usr_seller/payouts", rows).await;
}

#[tokio::test]
async fn batches_of_payouts_that_cannot_be_read() {
    on_wallets(async |holdfast| {
        let wish = || json!({ "owner": "usr_seller", "currency": "SAR", "amount": "1.00", "gateway": "manual" });
        let batch = |wishes: Vec<Value>| json!({ "payouts": wishes });
        let mut table = Table::on(holdfast);
        for (body, status, code, pointer) in [
            (json!({}), 400, "body_invalid", ""),
            (json!({ "payouts": wish() }), 400, "body_invalid", "/payouts"),
            (json!({ "payouts": "all" }), 400, "body_invalid", "/payouts"),
            (batch(vec![]), 400, "body_invalid", "/payouts"),
            (batch(vec![wish(); 51]), 400, "body_invalid", "/payouts"),
            (batch(vec![wish(), json!(1)]), 400, "body_invalid", "/payouts/1"),
            (batch(vec![with(wish(), json!({ "owner": null }))]), 400, "body_invalid", ""),
            (batch(vec![wish(), with(wish(), json!({ "fee": "0" }))]), 400, "unknown_field", "/payouts/1/fee"),
            (with(batch(vec![wish()]), json!({ "note": "x" })), 400, "unknown_field", "/note"),
        ] {
            let what: String = body.to_string().chars().take(90).collect();
            table.row_at(&what, holdfast.operator.post("/v1/payouts").once().json(&body), status, code, pointer).await;
        }
        table.end();

        // What is wrong with one of them is its own outcome, with its place in the batch.
        let before = holdfast.write_units().await;
        let wrong = [
            (json!({ "amount": 10 }), "amount_invalid", "/payouts/0/amount"),
            (json!({ "amount": "1.234" }), "amount_invalid", "/payouts/1/amount"),
            (json!({ "currency": "XXX" }), "currency_unknown", "/payouts/2/currency"),
            (json!({ "gateway": "bank" }), "gateway_unknown", "/payouts/3/gateway"),
            (json!({ "owner": "a b" }), "body_invalid", "/payouts/4/owner"),
            (json!({ "escrow": "job_42", "amount": "6.00" }), "body_invalid", "/payouts/5/escrow"),
        ];
        let wishes = wrong.iter().map(|(changes, _, _)| with(wish(), changes.clone())).collect();
        let told = holdfast.operator.post("/v1/payouts").once().json(&batch(wishes)).send().await.is(200);
        for (outcome, (_, code, pointer)) in told.list("/data").iter().zip(wrong) {
            outcome.shows(json!({ "payout": null, "problem": { "code": code, "errors": [{ "pointer": pointer }] } }));
        }
        assert_eq!(holdfast.write_units().await, before);
    })
    .await;
}

#[tokio::test]
async fn what_an_operator_cannot_do_with_a_payout() {
    on_wallets(async |holdfast| {
        let ask = async |amount: &str| {
            let wish = json!({ "currency": "SAR", "amount": amount, "gateway": "manual" });
            let asked = holdfast.seller.post("/v1/wallets/usr_seller/payouts").once().json(&wish).send().await.is(201);
            asked.text("/id").to_owned()
        };
        let (owed, waiting) = (ask("10.00").await, ask("60.00").await);
        let long = "x".repeat(501);
        let mut table = Table::on(holdfast);
        for (payout, command, body, status, code, pointer) in [
            (&waiting, "approve", json!({ "reason": "" }), 400, "body_invalid", "/reason"),
            (&waiting, "approve", json!({ "reason": long }), 400, "body_invalid", "/reason"),
            (&waiting, "approve", json!({ "reason": 7 }), 400, "body_invalid", "/reason"),
            (&waiting, "approve", json!({ "amount": "1.00" }), 400, "unknown_field", "/amount"),
            (&owed, "approve", json!({}), 409, "transition_refused", ""),
            (&waiting, "reject", json!({}), 422, "reason_required", ""),
            (&waiting, "reject", json!({ "reason": long }), 400, "body_invalid", "/reason"),
            (&waiting, "reject", json!({ "why": "x" }), 400, "unknown_field", "/why"),
            (&owed, "reject", json!({ "reason": "x" }), 409, "transition_refused", ""),
            (&owed, "mark-paid", json!({}), 422, "reference_required", ""),
            (&owed, "mark-paid", json!({ "reference": "" }), 400, "body_invalid", "/reference"),
            (&owed, "mark-paid", json!({ "reference": "x".repeat(129) }), 400, "body_invalid", "/reference"),
            (&owed, "mark-paid", json!({ "reference": 7731 }), 400, "body_invalid", "/reference"),
            (&owed, "mark-paid", json!({ "reference": "4242 4242 4242 4242" }), 400, "card_data_refused", ""),
            (&waiting, "mark-paid", json!({ "reference": "x" }), 409, "transition_refused", ""),
            (&owed, "mark-failed", json!({}), 422, "reason_required", ""),
            (&owed, "mark-failed", json!({ "reason": "a\u{0}b" }), 400, "body_invalid", "/reason"),
            (&waiting, "mark-failed", json!({ "reason": "x" }), 409, "transition_refused", ""),
            (&owed, "resolve", json!({}), 400, "body_invalid", ""),
            (&owed, "resolve", json!({ "resolution": "maybe", "reason": "x" }), 400, "body_invalid", "/resolution"),
            (&owed, "resolve", json!({ "resolution": "done" }), 422, "reason_required", ""),
            (&owed, "resolve", json!({ "resolution": "done", "reason": "x" }), 409, "transition_refused", ""),
            (&owed, "explode", json!({}), 404, "not_found", ""),
        ] {
            let what: String = format!("{command} {body}").chars().take(90).collect();
            let call = holdfast.operator.post(&format!("/v1/payouts/{payout}/{command}")).once().json(&body);
            table.row_at(&what, call, status, code, pointer).await;
        }
        // Whoever has none, and ids of other things.
        for id in [
            "pyt_00000000000000000000000000",
            "pyt_1",
            "top_00000000000000000000000000",
            "esc_00000000000000000000000000",
        ] {
            let call = holdfast.operator.post(&format!("/v1/payouts/{id}/approve")).once().json(&json!({}));
            table.row(&format!("approve {id}"), call, 404, "not_found").await;
            table
                .row(&format!("see {id}"), holdfast.operator.get(&format!("/v1/payouts/{id}")), 404, "not_found")
                .await;
        }
        for id in ["top_00000000000000000000000000", "top_1", owed.as_str()] {
            table.row(id, holdfast.operator.get(&format!("/v1/top-ups/{id}")), 404, "not_found").await;
        }
        table.end();
    })
    .await;
}

#[tokio::test]
async fn top_ups_that_cannot_be_paid() {
    let wish = || json!({ "currency": "SAR", "amount": "10.00", "gateway": "stripe" });
    let also = |changes| with(wish(), changes);
    let mut rows = bad_amounts(&wish(), "/amount");
    rows.extend([
        (json!({}), 400, "body_invalid", ""),
        (also(json!({ "gateway": null })), 400, "body_invalid", "/gateway"),
        (also(json!({ "gateway": "manual" })), 400, "gateway_unknown", "/gateway"),
        (also(json!({ "gateway": "moyasar" })), 422, "gateway_not_configured", "/gateway"),
        (also(json!({ "currency": "XXX" })), 400, "currency_unknown", "/currency"),
        (also(json!({ "currency": "KWD", "amount": "10.555" })), 422, "amount_not_supported", "/amount"),
        (also(json!({ "currency": "USD", "amount": "0.49" })), 422, "amount_not_supported", "/amount"),
        (also(json!({ "amount": "9999999999.99" })), 422, "amount_not_supported", "/amount"),
        (also(json!({ "pay_in": "USD" })), 422, "pay_in_unsupported", "/pay_in"),
        (also(json!({ "pay_in": 1 })), 400, "body_invalid", "/pay_in"),
        (also(json!({ "currency": "COIN", "amount": "100", "pay_in": "USD" })), 422, "pay_in_unsupported", "/pay_in"),
        (also(json!({ "currency": "GEM", "amount": "1.00" })), 422, "pay_in_unsupported", "/currency"),
        (also(json!({ "mode": "popup" })), 400, "body_invalid", "/mode"),
        (also(json!({ "method": "cash" })), 400, "body_invalid", "/method"),
        (also(json!({ "success_url": "http://market.example" })), 400, "body_invalid", "/success_url"),
        (also(json!({ "cancel_url": "javascript:alert(1)" })), 400, "body_invalid", "/cancel_url"),
        (also(json!({ "funding": "wallet" })), 400, "unknown_field", "/funding"),
        (also(json!({ "owner": "usr_buyer" })), 400, "unknown_field", "/owner"),
    ]);
    check_bodies("/v1/wallets/usr_seller/top-ups", rows).await;
}

#[tokio::test]
async fn onboardings_that_cannot_begin() {
    let page = "https://market.example/me";
    let wish = || json!({ "gateway": "stripe", "return_url": page, "refresh_url": page });
    let also = |changes| with(wish(), changes);
    let long = format!("https://market.example/{}", "a".repeat(1_000));
    let rows = vec![
        (json!({}), 400, "body_invalid", ""),
        (also(json!({ "gateway": "manual" })), 400, "gateway_unknown", "/gateway"),
        (also(json!({ "gateway": ["stripe"] })), 400, "body_invalid", "/gateway"),
        (also(json!({ "gateway": "moyasar" })), 422, "gateway_not_configured", "/gateway"),
        (also(json!({ "return_url": null })), 400, "body_invalid", ""),
        (also(json!({ "return_url": "http://market.example" })), 400, "body_invalid", "/return_url"),
        (also(json!({ "return_url": long })), 400, "body_invalid", "/return_url"),
        (also(json!({ "refresh_url": "/me" })), 400, "body_invalid", "/refresh_url"),
        (also(json!({ "country": "de" })), 400, "body_invalid", "/country"),
        (also(json!({ "country": "DEU" })), 400, "body_invalid", "/country"),
        (also(json!({ "country": 49 })), 400, "body_invalid", "/country"),
        (also(json!({ "email": "" })), 400, "body_invalid", "/email"),
        (also(json!({ "email": format!("{}@market.example", "a".repeat(250)) })), 400, "body_invalid", "/email"),
        (also(json!({ "account": "acct_1" })), 400, "unknown_field", "/account"),
        (also(json!({ "iban": "SA03" })), 400, "unknown_field", "/iban"),
    ];
    check_bodies("/v1/sellers/usr_seller/onboarding", rows).await;
}

#[tokio::test]
async fn wishes_to_be_paid_out_that_cannot_be_kept() {
    let wish = || json!({ "currency": "SAR", "automatic": true, "gateway": "manual" });
    let also = |changes| with(wish(), changes);
    let mut rows = bad_amounts(&wish(), "/minimum");
    rows.extend([
        (json!({}), 400, "body_invalid", ""),
        (also(json!({ "automatic": null })), 400, "body_invalid", ""),
        (also(json!({ "automatic": "yes" })), 400, "body_invalid", "/automatic"),
        (also(json!({ "automatic": false })), 400, "body_invalid", "/automatic"),
        (also(json!({ "currency": "XXX" })), 400, "currency_unknown", "/currency"),
        (also(json!({ "gateway": null })), 400, "body_invalid", "/gateway"),
        (also(json!({ "gateway": "bank" })), 400, "gateway_unknown", "/gateway"),
        (also(json!({ "gateway": "moyasar" })), 422, "gateway_not_configured", "/gateway"),
        (also(json!({ "currency": "COIN", "gateway": "stripe" })), 422, "amount_not_supported", "/gateway"),
        (also(json!({ "every": "weekly" })), 400, "body_invalid", "/every"),
        (also(json!({ "every": "P1M" })), 400, "body_invalid", "/every"),
        (also(json!({ "every": "-P7D" })), 400, "body_invalid", "/every"),
        (also(json!({ "every": 7 })), 400, "body_invalid", "/every"),
        (also(json!({ "every": "PT59M" })), 422, "schedule_invalid", "/every"),
        (also(json!({ "every": "P367D" })), 422, "schedule_invalid", "/every"),
        (also(json!({ "next": "2026-03-01T00:00:00Z" })), 400, "unknown_field", "/next"),
    ]);
    check_bodies("/v1/sellers/usr_seller/payout-policy", rows).await;
}

#[tokio::test]
async fn lists_that_cannot_be_asked_for_so() {
    on_wallets(async |holdfast| {
        for number in 0..3 {
            let wish = json!({ "currency": "SAR", "amount": "5.00", "gateway": "manual" });
            let path = "/v1/wallets/usr_seller/payouts";
            holdfast.seller.post(path).key(&format!("{number}")).json(&wish).send().await.is(201);
            let wish = json!({ "currency": "SAR", "amount": "5.00", "gateway": "stripe" });
            let path = "/v1/wallets/usr_seller/top-ups";
            holdfast.seller.post(path).key(&format!("{number}")).json(&wish).send().await.is(201);
            let disputed = holdfast.delivered(json!({})).await;
            disputed.does(&holdfast.buyer, "dispute", json!({ "reason": "It does not open." })).await.is(200);
        }
        let both = holdfast.api.caller("usr_seller", "operator").await;
        let lists = [
            "/v1/wallets/usr_seller/payouts?",
            "/v1/wallets/usr_seller/top-ups?",
            "/v1/wallets/usr_seller/transactions?currency=SAR&",
            "/v1/payouts?status=owed&",
        ];
        let mut cursors = Vec::new();
        for list in lists {
            let first = both.get(&format!("{list}limit=1")).send().await.is(200);
            cursors.push(first.text("/next_cursor").to_owned());
        }
        let mut table = Table::on(holdfast);
        for (place, list) in lists.iter().enumerate() {
            for (other, cursor) in cursors.iter().enumerate().filter(|(other, _)| *other != place) {
                let call = both.get(&format!("{list}cursor={cursor}"));
                table.row(&format!("{list} with the cursor of {}", lists[other]), call, 400, "cursor_invalid").await;
            }
            for wrong in ["limit=0", "limit=101", "limit=ten", "limits=5"] {
                table.row(&format!("{list}{wrong}"), both.get(&format!("{list}{wrong}")), 400, "query_invalid").await;
            }
            table.row(list, both.get(&format!("{list}cursor=abc")), 400, "cursor_invalid").await;
        }
        let disputes = holdfast.operator.get("/v1/disputes?limit=1").send().await.is(200);
        let foreign = format!("/v1/payouts?status=owed&cursor={}", disputes.text("/next_cursor"));
        for (path, code) in [
            (foreign.as_str(), "cursor_invalid"),
            ("/v1/payouts", "query_invalid"),
            ("/v1/payouts?status=paid", "query_invalid"),
            ("/v1/payouts?status=lost", "query_invalid"),
            ("/v1/payouts?owner=usr_seller&status=owed", "query_invalid"),
            ("/v1/disputes?status=open", "query_invalid"),
            ("/v1/disputes?cursor=abc", "cursor_invalid"),
            ("/v1/wallets/usr_seller?at=yesterday", "query_invalid"),
            ("/v1/wallets/usr_seller?at=2026-03-01", "query_invalid"),
            ("/v1/wallets/usr_seller?at=", "query_invalid"),
            ("/v1/wallets/usr_seller/transactions?from=1", "query_invalid"),
            ("/v1/wallets/usr_seller/transactions?to=2026-13-01T00:00:00Z", "query_invalid"),
            ("/v1/wallets/usr_seller/transactions?format=xml", "query_invalid"),
            ("/v1/wallets/usr_seller/payouts?status=paid", "query_invalid"),
            ("/v1/sellers/usr_seller?gateway=stripe", "query_invalid"),
        ] {
            table.row(path, holdfast.operator.get(path), 400, code).await;
        }
        table.end();
    })
    .await;
}
