//! What a marketplace takes away: the figures of its days, and its escrows as files.

use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

const FIGURES: &str = "/v1/reports/figures";

async fn reconciled(holdfast: &Stack) {
    holdfast.api.post("/_local/reconcile").send().await.is(200).shows(json!({ "report": { "ok": true } }));
}

#[tokio::test]
async fn the_figures_of_a_day_are_there_on_the_next() {
    on_holdfast(async |holdfast| {
        let released = holdfast.paid(json!({})).await;
        released.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let refunded = holdfast.paid(json!({ "amount": "50.00" })).await;
        refunded.does(&holdfast.seller, "refund", json!({})).await.is(200);
        let given_up = holdfast.checkout(json!({})).await;
        given_up.does(&holdfast.buyer, "cancel", json!({})).await.is(200);
        let wish = json!({ "currency": "SAR", "amount": "35.00", "gateway": "manual" });
        let asked = holdfast.seller.post("/v1/wallets/usr_seller/payouts").once().json(&wish).send().await.is(201);
        let path = format!("/v1/payouts/{}/mark-failed", asked.text("/id"));
        let failed = json!({ "reason": "The IBAN is wrong." });
        holdfast.operator.post(&path).once().json(&failed).send().await.is(200);
        holdfast.settle().await;
        let today = holdfast.now().await[..10].to_owned();

        let empty = holdfast.operator.get(FIGURES).send().await.is(200);
        assert_eq!(empty, json!({ "data": [] }), "nobody has counted yet");
        holdfast.advance("P1D").await;
        reconciled(holdfast).await;
        // Counting again changes nothing.
        reconciled(holdfast).await;
        let figures = holdfast.platform.get(FIGURES).send().await.is(200);
        figures.shows(json!({ "data": [{ "day": format!("{today}T00:00:00Z"), "units": [{
            "currency": "SAR", "created": 3, "paid": 2, "paid_amount": "200.00", "average_amount": "100.00",
            "unpaid": 1, "success_rate": "0.6666", "released": "150.00", "fees": "15.00", "refunds": 1,
            "refunded": "50.00", "refunds_failed": 0, "disputes": 0, "payouts": 0, "paid_out": "0.00",
            "payout_time_ms": null, "failures": [{ "reason": "payout: The IBAN is wrong.", "count": 1 }],
        }] }] }));
        let balance = |account: &str| {
            let balances = figures.list("/data/0/balances").iter();
            balances.filter(|balance| balance["account"] == account).map(|balance| balance["amount"].clone()).collect()
        };
        let expected = [("gateway:stripe", "150.00"), ("wallets", "-135.00"), ("fees", "-15.00")];
        for (account, amount) in expected {
            let found: Vec<Value> = balance(account);
            assert_eq!(found, [json!(amount)], "{account} in {figures:#}");
        }
        // Another day has its own.
        holdfast.advance("P1D").await;
        reconciled(holdfast).await;
        let both = holdfast.operator.get(&format!("{FIGURES}?from={today}")).send().await.is(200);
        assert_eq!(both.list("/data").len(), 2);
        assert_eq!(both.list("/data/1/units"), &[] as &[Value]);
        let first = holdfast.operator.get(&format!("{FIGURES}?from={today}&to={today}")).send().await.is(200);
        assert_eq!(first["data"], json!([figures["data"][0]]));
    })
    .await;
}

#[tokio::test]
async fn figures_are_asked_for_by_days_and_not_by_everybody() {
    on_holdfast(async |holdfast| {
        for days in [
            "from=2026-03-02&to=2026-03-01",
            "from=2026-01-01&to=2026-04-03",
            "from=yesterday",
            "to=2026-03-01T00:00:00Z",
            "day=1",
        ] {
            holdfast.operator.get(&format!("{FIGURES}?{days}")).send().await.refuses(400, "query_invalid");
        }
        holdfast.operator.get(&format!("{FIGURES}?from=2026-01-01&to=2026-04-02")).send().await.is(200);
        holdfast.seller.get(FIGURES).send().await.refuses(403, "forbidden");
        holdfast.arbiter.get(FIGURES).send().await.refuses(403, "forbidden");
        holdfast.api.get(FIGURES).send().await.refuses(401, "unauthenticated");
    })
    .await;
}

/// A page as text, with where it goes on.
async fn file(holdfast: &Stack, path: &str) -> (String, Option<String>) {
    let token = holdfast.seller.token.clone().unwrap();
    let call = holdfast.api.get(path).header(AUTHORIZATION.as_str(), &format!("Bearer {token}"));
    let answer = call.send().await;
    let next = answer.header("x-next-cursor").map(str::to_owned);
    assert_eq!(answer.status, 200);
    (answer.text, next)
}

#[tokio::test]
async fn escrows_are_written_as_csv_and_as_json_lines_page_by_page_with_the_lists_filters() {
    on_holdfast(async |holdfast| {
        let evil = json!({ "subject": { "type": "job", "id": "@SUM|A1" } });
        let first = holdfast.paid(evil).await;
        let second = holdfast.paid(json!({})).await;
        holdfast.checkout(json!({})).await;
        let path = "/v1/escrows?status=held&limit=1";
        let (csv, next) = file(holdfast, &format!("{path}&format=csv")).await;
        let header = "id,status,kind,subject.type,subject.id,buyer,seller,currency,amount,fee.payer,fee.amount,charged,held,disputed,released,refunding,refunded,version,created_at,updated_at";
        let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
        assert_eq!(lines[0], header);
        assert!(lines[1].starts_with(&format!("{},held,service,job,job_42,usr_buyer,usr_seller,SAR,150.00,", second.id)), "{csv}");
        // The next page, in another form: the cursor is the list's.
        let next = next.expect("there is more");
        let (csv, _) = file(holdfast, &format!("{path}&cursor={next}&format=csv")).await;
        assert!(csv.contains(",job,'@SUM|A1,usr_buyer,"), "a cell that a spreadsheet would calculate: {csv}");
        let (jsonl, end) = file(holdfast, &format!("{path}&cursor={next}&format=jsonl")).await;
        let rows: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 1);
        rows[0].shows(json!({ "id": first.id, "status": "held", "milestones": [{ "held": "150.00" }] }));
        assert_eq!(end, None);
        let json = holdfast.seller.get(&format!("{path}&cursor={next}")).send().await.is(200);
        assert_eq!(json["data"], json!(rows));
        holdfast.seller.get("/v1/escrows?format=xml").send().await.refuses(400, "query_invalid");
    })
    .await;
}
