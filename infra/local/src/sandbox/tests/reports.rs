//! What a reconciler reads: every movement of the balance, and lists of everything, by time and in pages.

use super::*;
use escrow_domain::time::Period;
use serde_json::json;

fn encoded(query: &str) -> String {
    query.replace('[', "%5B").replace(']', "%5D")
}

#[tokio::test]
async fn every_movement_of_the_balance_has_its_transaction_and_they_sum_to_it() {
    let bench = Bench::new().await;
    let seller = bench.seller().await;
    let intent = bench.paid().await;
    let charge =
        bench.get(&format!("payment_intents/{intent}")).await.json()["latest_charge"].as_str().unwrap().to_owned();
    let refund = async |amount: u32| {
        let refund = bench.post("refunds", &format!("payment_intent={intent}&amount={amount}")).await.json();
        refund["id"].as_str().unwrap().to_owned()
    };
    refund(1_000).await;
    let failed = refund(2_000).await;
    bench.tell(&format!("/_local/sandbox/stripe/refunds/{failed}"), r#"{"status": "failed"}"#).await;
    let form = format!("amount=4000&currency=sar&destination={seller}&source_transaction={charge}");
    let transfer = bench.post("transfers", &form).await.json()["id"].as_str().unwrap().to_owned();
    bench.post(&format!("transfers/{transfer}/reversals"), "amount=500").await;
    let by_hand = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
    let dispute = bench.tell(&by_hand, r#"{"amount": 3000}"#).await.json()["id"].as_str().unwrap().to_owned();
    bench.tell(&format!("/_local/sandbox/stripe/disputes/{dispute}"), r#"{"status": "won"}"#).await;
    bench.tell("/_local/sandbox/stripe/balance", r#"{"currency": "sar", "amount": 700}"#).await;

    let listed = bench.get(&encoded("balance_transactions?expand[]=data.source&limit=100")).await.json();
    let lines: Vec<String> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|line| {
            let source = line["source"]["object"].as_str().unwrap_or("nothing");
            format!(
                "{} {} {} {} of {source}",
                line["type"].as_str().unwrap(),
                line["reporting_category"].as_str().unwrap(),
                line["amount"],
                line["fee"]
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "charge charge 15000 435 of charge",
            "refund refund -1000 0 of refund",
            "refund refund -2000 0 of refund",
            "refund_failure refund_failure 2000 0 of refund",
            "transfer transfer -4000 0 of transfer",
            "transfer_refund transfer_reversal 500 0 of transfer_reversal",
            "adjustment dispute -3000 87 of dispute",
            "adjustment dispute_reversal 3000 0 of dispute",
            "adjustment other_adjustment 700 0 of nothing",
        ]
    );
    let list: stripe_types::List<stripe_shared::BalanceTransaction> = serde_json::from_value(listed).unwrap();
    let sum: i64 = list.data.iter().map(|line| line.net).sum();
    assert_eq!(
        bench.get("balance").await.json()["available"],
        json!([{"amount": sum, "currency": "sar", "source_types": {"card": sum}}])
    );
    let failure = bench.get(&encoded(&format!("refunds/{failed}?expand[]=failure_balance_transaction"))).await.json();
    assert_eq!(failure["failure_balance_transaction"]["amount"], 2_000);
    let charge = bench.get(&encoded(&format!("charges/{charge}?expand[]=balance_transaction"))).await.json();
    assert_eq!(charge["balance_transaction"]["net"], 14_565);
    for (query, count) in [
        ("source=tr_x".to_owned(), 0),
        (format!("source={transfer}"), 1),
        ("type=refund".to_owned(), 2),
        ("currency=usd".to_owned(), 0),
    ] {
        let listed = bench.get(&format!("balance_transactions?{query}")).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), count, "{query}");
    }
    for bad in ["data.colour", "data.source.source.source.source", "source"] {
        let refused = bench.get(&encoded(&format!("balance_transactions?expand[]={bad}"))).await;
        assert_eq!(refused.verdict(), "400 invalid_request_error", "{bad}");
    }
}

#[tokio::test]
async fn a_payment_that_takes_time_is_in_the_balance_from_its_beginning_and_available_at_its_end() {
    let bench = Bench::new().await;
    let lines = async || {
        let listed = bench.get(&encoded("balance_transactions?expand[]=data.source")).await.json();
        let line = |line: &Value| {
            format!("{} {} {} {}", line["type"], line["net"], line["status"], line["source"]["status"]).replace('"', "")
        };
        listed["data"].as_array().unwrap().iter().map(line).collect::<Vec<_>>()
    };
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "pending"}"#).await;
    assert_eq!(lines().await, ["payment 14565 pending pending"]);
    bench.clock.advance(Period::days(40));
    assert_eq!(bench.get("balance").await.json()["available"][0]["amount"], 0);
    bench.play(&session, r#"{"outcome": "paid"}"#).await;
    assert_eq!(lines().await, ["payment 14565 available succeeded"], "the same line");
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "pending"}"#).await;
    let intent =
        bench.play(&session, r#"{"outcome": "declined"}"#).await.json()["payment_intent"].as_str().unwrap().to_owned();
    let told = lines().await;
    assert_eq!(told[..2], ["payment_failure_refund -14565 available failed", "payment 14565 available failed"]);
    assert_eq!(bench.get("balance").await.json()["pending"][0]["amount"], 0);
    let charge = bench
        .get(&encoded(&format!("charges?payment_intent={intent}&expand[]=data.failure_balance_transaction")))
        .await
        .json();
    assert_eq!(charge["data"][0]["failure_balance_transaction"]["amount"], -15_000);
}

#[tokio::test]
async fn every_list_is_read_in_pages_of_a_span_of_time() {
    let bench = Bench::new().await;
    let seller = bench.seller().await;
    // One payment with its refund and its transfer an hour, for five hours.
    for hour in 0..5_u32 {
        let intent = bench.paid().await;
        bench.post("refunds", &format!("payment_intent={intent}&amount=100")).await;
        let form = format!("amount={}&currency=sar&destination={seller}", 1_000 + hour);
        assert_eq!(bench.post("transfers", &form).await.status, 200);
        bench.clock.advance(Period::hours(1));
    }
    let start = START.as_seconds();
    let span = format!("created[gte]={}&created[lt]={}", start + 3_600, start + 4 * 3_600);
    for (list, each) in [
        ("checkout/sessions", 1),
        ("payment_intents", 1),
        ("charges", 1),
        ("refunds", 1),
        ("transfers", 1),
        ("balance_transactions", 3),
    ] {
        let mut seen: Vec<(i64, String)> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = bench.get(&encoded(&format!("{list}?{span}&limit=2{cursor}"))).await.json();
            let data = page["data"].as_array().unwrap();
            seen.extend(
                data.iter().map(|one| (one["created"].as_i64().unwrap(), one["id"].as_str().unwrap().to_owned())),
            );
            if page["has_more"] == false {
                break;
            }
            assert_eq!(data.len(), 2, "{list}");
            cursor = format!("&starting_after={}", seen.last().unwrap().1);
        }
        assert_eq!(seen.len(), 3 * each, "{list}");
        assert!(seen.windows(2).all(|two| two[0].0 >= two[1].0), "{list}: newest first");
        assert!(seen.iter().all(|(created, _)| (start + 3_600..start + 4 * 3_600).contains(created)), "{list}");
        let distinct: std::collections::BTreeSet<_> = seen.iter().map(|(_, id)| id).collect();
        assert_eq!(distinct.len(), seen.len(), "{list}");
    }
}

#[tokio::test]
async fn charges_are_listed_by_payment_and_by_group() {
    let bench = Bench::new().await;
    let session = bench.checkout().await;
    bench.play(&session, r#"{"outcome": "declined"}"#).await;
    let intent =
        bench.play(&session, r#"{"outcome": "paid"}"#).await.json()["payment_intent"].as_str().unwrap().to_owned();
    bench.paid().await;
    let of = async |query: &str| {
        let listed = bench.get(&format!("charges?{query}")).await.json();
        let status = |charge: &Value| charge["status"].as_str().unwrap().to_owned();
        listed["data"].as_array().unwrap().iter().map(status).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(of(&format!("payment_intent={intent}")).await, "succeeded, failed");
    assert_eq!(of("transfer_group=esc_1").await, "succeeded, succeeded, failed");
    assert_eq!(of("transfer_group=esc_2").await, "");
}
