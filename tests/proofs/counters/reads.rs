//! What looking costs: lists of thirty things, a page of twenty-five at a time.

use super::{Budget, Table, asks, at_most, command, looks, opened, paid, released};
use crate::hand::Hand;
use serde_json::json;

/// A page of the index, and the things themselves.
const LIST: Budget = at_most(2, 0, 2);

pub(super) async fn measure(table: &mut Table) {
    table.begin("Reading");
    let hand = Hand::start().await;
    let people = &hand.people;
    let (mut deal, mut disputed, begun) = (String::new(), String::new(), people.now().await);
    for _ in 0..30 {
        deal = released(&hand, json!({})).await;
        hand.pass("PT1H");
    }
    for _ in 0..30 {
        let wish = json!({ "currency": "SAR", "amount": "5.00", "gateway": "manual" });
        asks(&hand, &people.seller, "/v1/wallets/usr_seller/payouts", &hand.key(), wish).await.1.is(201);
        let wish = json!({ "currency": "SAR", "amount": "5.00", "gateway": "stripe" });
        asks(&hand, &people.seller, "/v1/wallets/usr_seller/top-ups", &hand.key(), wish).await.1.is(201);
        opened(&hand, json!({ "subject": { "type": "job", "id": "job_43" } })).await;
        let id = paid(&hand, json!({ "subject": { "type": "job", "id": "job_44" } })).await;
        let evidence = json!([{ "type": "file", "uri": "https://files.example/1" }]);
        let dispute = json!({ "reason": "No.", "evidence": evidence });
        command(&hand, &people.buyer, &id, "dispute", &hand.key(), dispute).await;
        disputed = id;
    }
    let (middle, now) = ("2000-01-01T00:00:00Z", people.now().await);
    let (buyer, seller, operator) = (&people.buyer, &people.seller, &people.operator);
    let rows = [
        ("an escrow's journal", buyer, format!("/v1/escrows/{deal}/events"), at_most(1, 0, 1)),
        ("an escrow's evidence", buyer, format!("/v1/escrows/{disputed}/evidence"), at_most(2, 0, 2)),
        ("25 of a user's escrows", seller, "/v1/escrows?role=seller".to_owned(), LIST),
        ("25 escrows of a subject", operator, "/v1/escrows?subject_type=job&subject_id=job_42".to_owned(), LIST),
        ("25 payments of a subject", operator, "/v1/payments?subject_type=job&subject_id=job_42".to_owned(), LIST),
        ("25 open disputes", operator, "/v1/disputes".to_owned(), LIST),
        ("a wallet", seller, "/v1/wallets/usr_seller".to_owned(), at_most(1, 0, 1)),
        ("a wallet at a moment", seller, format!("/v1/wallets/usr_seller?at={begun}"), at_most(8, 0, 8)),
        (
            "25 lines of a statement",
            seller,
            "/v1/wallets/usr_seller/transactions?currency=SAR".to_owned(),
            at_most(1, 0, 1),
        ),
        (
            "25 lines of a statement between two moments",
            seller,
            format!("/v1/wallets/usr_seller/transactions?currency=SAR&from={middle}&to={now}"),
            at_most(16, 0, 16),
        ),
        ("25 of a user's payouts", seller, "/v1/wallets/usr_seller/payouts".to_owned(), LIST),
        ("25 of a user's top-ups", seller, "/v1/wallets/usr_seller/top-ups".to_owned(), LIST),
        ("25 payouts that wait for an operator", operator, "/v1/payouts?status=owed".to_owned(), LIST),
        ("a seller", seller, "/v1/sellers/usr_seller".to_owned(), at_most(2, 0, 2)),
        ("a quote", buyer, "/v1/quote?kind=service&currency=SAR&amount=1".to_owned(), at_most(0, 0, 0)),
    ];
    for (what, who, path, budget) in rows {
        table.put(what, looks(&hand, who, &path).await, budget);
    }
    people.verify().await;
}
