//! Requests as such: JSON that is none, sizes, media types, keys, versions, queries, cursors.

use super::{Table, order_with};
use holdfast_tests::deal::order;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::json;

#[tokio::test]
async fn bodies_that_are_no_json_objects() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        let text = order().to_string();
        let twice = text.replacen('{', r#"{"amount":"1.00","#, 1);
        let said = r#"{"reason": "Nothing came."}"#;
        let deep = format!(r#"{{"metadata":{}1{}}}"#, "{\"a\":".repeat(500), "}".repeat(500));
        let bodies: Vec<(&str, Vec<u8>, &str)> = vec![
            ("a brace", b"{".to_vec(), "body_invalid"),
            ("blanks", b"   ".to_vec(), "body_invalid"),
            ("a list", b"[]".to_vec(), "body_invalid"),
            ("null", b"null".to_vec(), "body_invalid"),
            ("a text", b"\"150.00\"".to_vec(), "body_invalid"),
            ("a comment", b"{} // nothing".to_vec(), "body_invalid"),
            ("a number without an end", [b"{\"reason\":".to_vec(), vec![b'9'; 30_000], b"}".to_vec()].concat(), ""),
            ("ten thousand lists", [vec![b'['; 10_000], vec![b']'; 10_000]].concat(), "body_invalid"),
            (
                "a thousand objects",
                [b"{\"a\":".repeat(1_000), b"1".to_vec(), vec![b'}'; 1_000]].concat(),
                "unknown_field",
            ),
            ("half a surrogate", b"{\"kind\": \"\\ud800\", \"reason\": \"\\ud800\"}".to_vec(), ""),
        ];
        let mut table = Table::on(holdfast);
        for (what, body, code) in bodies {
            for path in ["/v1/checkouts".to_owned(), deal.path("dispute")] {
                // Whichever of the two fields a call has is the one that cannot be read.
                let order = path.ends_with("checkouts");
                let code = match (what, order) {
                    ("a number without an end", true) | ("half a surrogate", false) => "unknown_field",
                    ("a number without an end", false) | ("half a surrogate", true) => "body_invalid",
                    _ => code,
                };
                let call = holdfast.buyer.post(&path).once().raw("application/json", body.clone());
                table.row(&format!("{what} to {path}"), call, 400, code).await;
            }
        }
        for (path, text) in [("/v1/checkouts".to_owned(), text.as_str()), (deal.path("dispute"), said)] {
            let bytes = text.as_bytes();
            for (what, body) in [
                ("cut off", bytes[..bytes.len() - 3].to_vec()),
                ("something after it", [bytes, b"{}"].concat()),
                ("a byte order mark", [b"\xef\xbb\xbf", bytes].concat()),
                ("not UTF-8", [&bytes[..bytes.len() - 2], b"\xff\xfe\"}"].concat()),
            ] {
                let call = holdfast.buyer.post(&path).once().raw("application/json", body);
                table.row(&format!("{what} to {path}"), call, 400, "body_invalid").await;
            }
        }
        for (what, body) in [("a field twice", twice), ("deep metadata", deep)] {
            let call = holdfast.buyer.post("/v1/checkouts").once().raw("application/json", body);
            table.row(what, call, 400, "body_invalid").await;
        }
        table.end();
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_too_large_or_called_something_else() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        let mut table = Table::on(holdfast);
        for size in [65 * 1024, 1_000_000, 11_000_000] {
            let large = order_with(json!({ "metadata": { "a": "x".repeat(size) } })).to_string();
            for path in ["/v1/checkouts".to_owned(), deal.path("release")] {
                let call = holdfast.buyer.post(&path).once().raw("application/json", large.clone());
                table.row(&format!("{size} bytes to {path}"), call, 413, "body_too_large").await;
            }
        }
        for called in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
            "*/*",
            "",
        ] {
            let call = holdfast.buyer.post("/v1/checkouts").once().raw(called, order().to_string());
            table.row(&format!("called {called:?}"), call, 415, "unsupported_media_type").await;
        }
        let call = holdfast.buyer.post("/v1/checkouts").once().bytes(order().to_string());
        table.row("called nothing", call, 415, "unsupported_media_type").await;
        let call = holdfast.buyer.post("/v1/checkouts").once();
        table.row("no body", call, 400, "body_invalid").await;
        table.end();
    })
    .await;
}

#[tokio::test]
async fn idempotency_keys_that_are_none() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let mut table = Table::on(holdfast);
        for path in ["/v1/checkouts".to_owned(), deal.path("release"), deal.path("dispute"), deal.path("checkouts")] {
            let call = || holdfast.buyer.post(&path).json(&order());
            table.row(&format!("no key, {path}"), call(), 400, "idempotency_key_missing").await;
            for key in ["", "ü", &"k".repeat(256), "a\tb", &"ü".repeat(10)] {
                table.row(&format!("{key:?}, {path}"), call().key(key), 400, "idempotency_key_invalid").await;
            }
        }
        table.end();
        // The longest that is one.
        let longest = "k".repeat(255);
        holdfast.buyer.post(&deal.path("release")).key(&longest).send().await.is(200);
    })
    .await;
}

#[tokio::test]
async fn idempotency_keys_that_were_used_for_something_else() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.buyer.post("/v1/checkouts").key("order").json(&order()).send().await.is(201);
        holdfast
            .seller
            .post(&deal.path("deliver"))
            .key("deliver")
            .json(&json!({ "note": "One." }))
            .send()
            .await
            .is(200);
        let mut table = Table::on(holdfast);
        let order = |changes| holdfast.buyer.post("/v1/checkouts").key("order").json(&order_with(changes));
        table.row("another amount", order(json!({ "amount": "150.01" })), 422, "idempotency_key_reused").await;
        table.row("another metadata", order(json!({ "metadata": { "a": "b" } })), 422, "idempotency_key_reused").await;
        table.row("nonsense", order(json!({ "currency": "XXX" })), 422, "idempotency_key_reused").await;
        let deliver = |body| holdfast.seller.post(&deal.path("deliver")).key("deliver").json(&body);
        table.row("another note", deliver(json!({ "note": "Two." })), 422, "idempotency_key_reused").await;
        table.row("no note", deliver(json!({})), 422, "idempotency_key_reused").await;
        table.end();
    })
    .await;
}

#[tokio::test]
async fn versions_that_are_none() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let pending = holdfast.checkout(json!({})).await;
        let mut table = Table::on(holdfast);
        for version in ["3", "\"x\"", "W/\"3\"", "*", "", "\"-1\"", "\"3\", \"4\"", "\"99999999999999999999\"", "\"\""]
        {
            let call = holdfast.buyer.post(&deal.path("release")).once().header("if-match", version);
            table.row(version, call, 400, "if_match_invalid").await;
            let call = holdfast.buyer.post(&pending.path("checkouts")).once().header("if-match", version);
            table.row(version, call.json(&json!({ "gateway": "stripe" })), 400, "if_match_invalid").await;
        }
        let call = holdfast.buyer.post(&deal.path("release")).once().if_match(1);
        table.row("an old version", call, 412, "version_mismatch").await;
        let call =
            holdfast.buyer.post(&pending.path("checkouts")).once().if_match(1).json(&json!({ "gateway": "stripe" }));
        table.row("an old version of a pending one", call, 412, "version_mismatch").await;
        table.end();
    })
    .await;
}

#[tokio::test]
async fn queries_that_mean_nothing() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.delivered(json!({})).await;
        let escrow = format!("/v1/escrows/{}", deal.id);
        let events = deal.path("events");
        let rows = [
            ("/v1/escrows?limit=0".to_owned(), "query_invalid"),
            ("/v1/escrows?limit=101".to_owned(), "query_invalid"),
            ("/v1/escrows?limit=-1".to_owned(), "query_invalid"),
            ("/v1/escrows?limit=ten".to_owned(), "query_invalid"),
            ("/v1/escrows?limit=".to_owned(), "query_invalid"),
            ("/v1/escrows?limit=5&limit=6".to_owned(), "query_invalid"),
            ("/v1/escrows?limits=5".to_owned(), "query_invalid"),
            ("/v1/escrows?role=boss".to_owned(), "query_invalid"),
            ("/v1/escrows?status=lost".to_owned(), "query_invalid"),
            ("/v1/escrows?kind=barter".to_owned(), "query_invalid"),
            ("/v1/escrows?subject_type=job".to_owned(), "query_invalid"),
            ("/v1/escrows?subject_id=job_42".to_owned(), "query_invalid"),
            ("/v1/escrows?subject_type=&subject_id=".to_owned(), "query_invalid"),
            ("/v1/escrows?buyer=usr_other".to_owned(), "query_invalid"),
            ("/v1/escrows?status=%zz".to_owned(), "query_invalid"),
            ("/v1/escrows?cursor=".to_owned(), "cursor_invalid"),
            ("/v1/escrows?cursor=abc".to_owned(), "cursor_invalid"),
            (format!("/v1/escrows?cursor={}", "A".repeat(3_000)), "cursor_invalid"),
            (format!("{escrow}?verbose=1"), "query_invalid"),
            (format!("{events}?limit=0"), "query_invalid"),
            (format!("{events}?cursor=1"), "cursor_invalid"),
            ("/v1/payments".to_owned(), "query_invalid"),
            ("/v1/payments?subject_type=job".to_owned(), "query_invalid"),
            (format!("/v1/payments/{}?x=1", deal.payment), "query_invalid"),
            ("/v1/quote".to_owned(), "query_invalid"),
            ("/v1/quote?kind=barter&currency=SAR&amount=1".to_owned(), "query_invalid"),
            ("/v1/quote?kind=service&currency=SAR".to_owned(), "query_invalid"),
            ("/v1/quote?kind=service&currency=SAR&amount=1&fee_payer=me".to_owned(), "query_invalid"),
            ("/v1/quote?kind=service&currency=XXX&amount=1".to_owned(), "currency_unknown"),
            ("/v1/quote?kind=service&currency=SAR&amount=1e3".to_owned(), "amount_invalid"),
            ("/v1/quote?kind=service&currency=SAR&amount=0".to_owned(), "amount_invalid"),
            ("/v1/quote?kind=service&currency=SAR&amount=1.234".to_owned(), "amount_invalid"),
            ("/v1/quote?kind=service&currency=SAR&amount=-5".to_owned(), "amount_invalid"),
            ("/v1/wallets/usr_buyer?currency=SAR".to_owned(), "query_invalid"),
            ("/v1/wallets/usr_buyer/transactions?currency=XXX".to_owned(), "currency_unknown"),
            ("/v1/wallets/usr_buyer/transactions?currency=SAR&limit=0".to_owned(), "query_invalid"),
            ("/v1/wallets/usr_buyer/transactions?currency=SAR&cursor=x".to_owned(), "cursor_invalid"),
        ];
        let mut table = Table::on(holdfast);
        for (path, code) in rows {
            table.row(&path, holdfast.buyer.get(&path), 400, code).await;
        }
        for query in ["dry_run=yes", "dry_run=1", "dry_run=true&dry_run=false", "dryrun=true", "limit=5"] {
            let call = holdfast.buyer.post(&format!("{}?{query}", deal.path("release"))).once();
            table.row(&format!("release?{query}"), call, 400, "query_invalid").await;
            let call = holdfast.buyer.post(&format!("/v1/checkouts?{query}")).once().json(&order());
            table.row(&format!("checkouts?{query}"), call, 400, "query_invalid").await;
            let call = holdfast.buyer.post(&format!("{}?{query}", deal.path("checkouts"))).once();
            table
                .row(
                    &format!("another checkout?{query}"),
                    call.json(&json!({ "gateway": "stripe" })),
                    400,
                    "query_invalid",
                )
                .await;
        }
        table.end();
    })
    .await;
}

#[tokio::test]
async fn cursors_of_another_list_and_cursors_that_were_changed() {
    on_holdfast(async |holdfast| {
        for _ in 0..3 {
            holdfast.checkout(json!({})).await;
        }
        let first = holdfast.buyer.get("/v1/escrows?limit=1").send().await.is(200);
        let cursor = first.text("/next_cursor");
        holdfast.buyer.get(&format!("/v1/escrows?limit=1&cursor={cursor}")).send().await.is(200);
        let mut table = Table::on(holdfast);
        for query in ["role=buyer&", "status=held&", "kind=service&", "subject_type=job&subject_id=job_42&"] {
            let call = holdfast.buyer.get(&format!("/v1/escrows?{query}cursor={cursor}"));
            table.row(query, call, 400, "cursor_invalid").await;
        }
        let call = holdfast.seller.get(&format!("/v1/escrows?limit=1&cursor={cursor}"));
        table.row("somebody else's", call, 400, "cursor_invalid").await;
        for at in [0, cursor.len() / 2, cursor.len() - 1] {
            let mut changed = cursor.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            let call = holdfast.buyer.get(&format!("/v1/escrows?limit=1&cursor={changed}"));
            table.row(&format!("changed at {at}"), call, 400, "cursor_invalid").await;
        }
        table.end();
    })
    .await;
}

#[tokio::test]
async fn things_that_are_not_there() {
    on_holdfast(async |holdfast| {
        let unknown = "esc_00000000000000000000000000";
        let mut table = Table::on(holdfast);
        for path in [
            format!("/v1/escrows/{unknown}"),
            format!("/v1/escrows/{unknown}/events"),
            "/v1/escrows/esc_1".to_owned(),
            "/v1/escrows/pay_0000000000000000000000000000".to_owned(),
            "/v1/escrows/%2e%2e".to_owned(),
            "/v1/escrows/..%2fwallets%2fusr_seller".to_owned(),
            "/v1/payments/pay_0000000000000000000000000000".to_owned(),
            "/v1/payments/esc_1".to_owned(),
            "/v1/wallets/usr_seller".to_owned(),
            "/v1/wallets/usr%20seller".to_owned(),
            "/v1/nothing".to_owned(),
        ] {
            table.row(&path, holdfast.buyer.get(&path), 404, "not_found").await;
        }
        for command in ["release", "deliver", "refund", "cancel", "dispute", "dispute/rule", "checkouts"] {
            let body = json!({ "reason": "x", "gateway": "stripe" });
            let call = holdfast.buyer.post(&format!("/v1/escrows/{unknown}/{command}")).once().json(&body);
            table.row(command, call, 404, "not_found").await;
        }
        let call = holdfast.buyer.call(http::Method::DELETE, &format!("/v1/escrows/{unknown}"));
        table.row("delete", call, 405, "method_not_allowed").await;
        table.end();
    })
    .await;
}
