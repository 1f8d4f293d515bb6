//! Lists: everybody's own, newest first, page by page, and nothing of others.

use holdfast_tests::api::Caller;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::{Value, json};

/// All pages of a list, and how many there were.
async fn all(who: &Caller, path: &str) -> (Vec<Value>, usize) {
    let (mut items, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = who.get(&format!("{path}{joint}limit=2{cursor}")).send().await.is(200);
        assert!(page.list("/data").len() <= 2, "a page is not larger than asked for");
        items.extend(page.list("/data").iter().cloned());
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (items, pages),
        }
    }
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item.text("/id")).collect()
}

#[tokio::test]
async fn everybody_lists_their_own_newest_first_and_page_by_page() {
    on_holdfast(async |holdfast| {
        let mut made = Vec::new();
        for _ in 0..5 {
            made.insert(0, holdfast.checkout(json!({})).await.id);
            // Ids tell nothing about age; the clock does.
            holdfast.advance("PT1S").await;
        }
        for who in [&holdfast.buyer, &holdfast.seller] {
            let (items, pages) = all(who, "/v1/escrows").await;
            assert_eq!(ids(&items), made, "{}", who.sub);
            assert!(pages >= 3);
        }
        assert_eq!(ids(&all(&holdfast.buyer, "/v1/escrows?role=buyer").await.0), made);
        assert_eq!(ids(&all(&holdfast.buyer, "/v1/escrows?role=all").await.0), made);
        assert_eq!(all(&holdfast.buyer, "/v1/escrows?role=seller").await.0, Vec::<Value>::new());
        assert_eq!(ids(&all(&holdfast.seller, "/v1/escrows?role=seller").await.0), made);
        for stranger in [&holdfast.stranger, &holdfast.operator, &holdfast.platform, &holdfast.arbiter] {
            assert_eq!(all(stranger, "/v1/escrows").await.0, Vec::<Value>::new(), "{}", stranger.sub);
        }
    })
    .await;
}

#[tokio::test]
async fn somebody_who_buys_and_sells_sees_both() {
    on_holdfast(async |holdfast| {
        let bought = holdfast.checkout(json!({})).await.id;
        holdfast.advance("PT1S").await;
        let order = holdfast_tests::json::with(
            holdfast_tests::deal::order(),
            json!({ "buyer": "usr_third", "seller": "usr_buyer" }),
        );
        let sold = holdfast.platform.post("/v1/checkouts").once().json(&order).send().await.is(201);
        let sold = sold.text("/escrow/id");
        let list = async |query: &str| all(&holdfast.buyer, &format!("/v1/escrows{query}")).await.0;
        assert_eq!(ids(&list("").await), [sold, &bought]);
        assert_eq!(ids(&list("?role=seller").await), [sold]);
        assert_eq!(ids(&list("?role=buyer").await), [&bought]);
    })
    .await;
}

#[tokio::test]
async fn filters_leave_out_what_does_not_fit() {
    on_holdfast(async |holdfast| {
        let pending = holdfast.checkout(json!({ "kind": "product" })).await.id;
        let held = holdfast.paid(json!({ "subject": { "type": "bounty", "id": "7" } })).await.id;
        let delivered = holdfast.delivered(json!({ "kind": "project" })).await.id;
        let cases = [
            ("status=pending", vec![&pending]),
            ("status=held", vec![&held]),
            ("status=delivered", vec![&delivered]),
            ("status=released", vec![]),
            ("kind=product", vec![&pending]),
            ("kind=service", vec![&held]),
            ("kind=project&status=held", vec![]),
            ("subject_type=bounty&subject_id=7", vec![&held]),
            ("subject_type=bounty&subject_id=8", vec![]),
            ("subject_type=job&subject_id=job_42&status=delivered", vec![&delivered]),
        ];
        for (query, expected) in cases {
            let (items, _) = all(&holdfast.buyer, &format!("/v1/escrows?{query}")).await;
            assert_eq!(ids(&items), expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_subject_is_listed_for_its_parties_and_for_the_marketplace() {
    on_holdfast(async |holdfast| {
        let path = "/v1/escrows?subject_type=job&subject_id=job_42";
        let ours = holdfast.checkout(json!({})).await.id;
        holdfast.advance("PT1S").await;
        let order = holdfast_tests::json::with(holdfast_tests::deal::order(), json!({ "buyer": "usr_third" }));
        let theirs = holdfast.platform.post("/v1/checkouts").once().json(&order).send().await.is(201);
        let theirs = theirs.text("/escrow/id");
        for (who, expected) in [
            (&holdfast.platform, vec![theirs, &ours]),
            (&holdfast.operator, vec![theirs, &ours]),
            (&holdfast.seller, vec![theirs, &ours]),
            (&holdfast.buyer, vec![&ours]),
            (&holdfast.stranger, vec![]),
            (&holdfast.arbiter, vec![]),
        ] {
            assert_eq!(ids(&all(who, path).await.0), expected, "{}", who.sub);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_made_while_somebody_turns_pages_moves_nothing() {
    on_holdfast(async |holdfast| {
        let mut made = Vec::new();
        for _ in 0..4 {
            made.insert(0, holdfast.checkout(json!({})).await.id);
            holdfast.advance("PT1S").await;
        }
        let first = holdfast.buyer.get("/v1/escrows?limit=2").send().await.is(200);
        holdfast.checkout(json!({})).await;
        let next = format!("/v1/escrows?limit=2&cursor={}", first.text("/next_cursor"));
        let second = holdfast.buyer.get(&next).send().await.is(200);
        assert_eq!([ids(first.list("/data")), ids(second.list("/data"))].concat(), made);
    })
    .await;
}
