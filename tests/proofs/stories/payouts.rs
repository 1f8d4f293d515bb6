//! Money that leaves a wallet: asked for, approved, sent once, made by hand, by wish, and back again.

use holdfast::Options;
use holdfast_tests::api::Caller;
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use holdfast_tests::{on, on_holdfast};
use serde_json::{Value, json};

const PAYOUTS: &str = "/v1/wallets/usr_seller/payouts";

/// The seller opens an account at the gateway and gives it everything that it asks for.
async fn onboard(stack: &Stack) {
    let asked = json!({
        "gateway": "stripe", "return_url": "https://market.example/done", "refresh_url": "https://market.example/again",
    });
    let link = stack.seller.post("/v1/sellers/usr_seller/onboarding").json(&asked).send().await.is(201);
    stack.api.post(link.text("/url")).json(&json!({ "outcome": "complete" })).send().await.is(200);
    stack.settle().await;
}

/// A seller whose wallet has 135 riyals.
async fn earned(stack: &Stack) {
    let deal = stack.paid(json!({})).await;
    deal.does(&stack.buyer, "release", json!({})).await.is(200);
}

/// The same, who can be paid.
async fn ready(stack: &Stack) {
    earned(stack).await;
    onboard(stack).await;
}

async fn asked(who: &Caller, amount: &str, gateway: &str) -> Value {
    let wish = json!({ "currency": "SAR", "amount": amount, "gateway": gateway });
    who.post(PAYOUTS).once().json(&wish).send().await.is(201)
}

async fn shown(stack: &Stack, payout: &Value) -> Value {
    stack.seller.get(&format!("/v1/payouts/{}", payout.text("/id"))).send().await.is(200)
}

/// What happened to a payout: `ask pay`.
fn story(payout: &Value) -> String {
    payout.list("/history").iter().map(|entry| entry.text("/type")).collect::<Vec<_>>().join(" ")
}

async fn transfers(stack: &Stack) -> Vec<Value> {
    stack.sandbox().await.list("/transfers").to_vec()
}

#[tokio::test]
async fn a_payout_is_sent_once_however_often_it_is_asked_for() {
    on_holdfast(async |holdfast| {
        ready(holdfast).await;
        let wish = json!({ "currency": "SAR", "amount": "100.00", "gateway": "stripe" });
        let first = holdfast.seller.post(PAYOUTS).key("one").json(&wish).send().await;
        assert!(!first.is_replay());
        let payout = first.is(201);
        payout.shows(json!({ "owner": "usr_seller", "amount": "100.00", "gateway": "stripe", "status": "ready" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "35.00", "pending": "100.00" }));
        let again = holdfast.seller.post(PAYOUTS).key("one").json(&wish).send().await;
        assert!(again.is_replay());
        assert_eq!(again.is(201)["id"], payout["id"]);
        let other = json!({ "currency": "SAR", "amount": "10.00", "gateway": "stripe" });
        holdfast.seller.post(PAYOUTS).key("one").json(&other).send().await.refuses(422, "idempotency_key_reused");

        holdfast.settle().await;
        let paid = shown(holdfast, &payout).await;
        paid.shows(json!({ "status": "paid", "returned": "0.00", "reason": null }));
        assert_eq!(story(&paid), "ask pay");
        holdfast.balance("usr_seller", "SAR").await.shows(json!({
            "available": "35.00", "pending": "0.00", "total_earned": "135.00", "total_withdrawn": "100.00",
        }));
        let transfers = transfers(holdfast).await;
        assert_eq!(transfers.len(), 1, "{transfers:#?}");
        transfers[0].shows(json!({ "amount": 10_000, "currency": "sar", "id": paid["reference"] }));
        let lines = holdfast.seller.get("/v1/wallets/usr_seller/transactions").send().await.is(200);
        lines.shows(json!({ "data": [
            { "type": "payout", "amount": "-100.00", "balance_after": "35.00", "payout": payout["id"], "escrow": null },
            { "type": "release", "amount": "135.00", "balance_after": "135.00", "payout": null },
        ] }));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_paid_out_is_refused_with_the_reason() {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_PAYOUT_MINIMUM".to_owned(), "SAR:20.00".to_owned());
    on(options, async |holdfast| {
        earned(holdfast).await;
        let ask = async |amount: &str, gateway: &str| {
            let wish = json!({ "currency": "SAR", "amount": amount, "gateway": gateway });
            holdfast.seller.post(PAYOUTS).once().json(&wish).send().await
        };
        let problem = ask("100.00", "stripe").await.refuses(409, "seller_not_ready");
        assert!(problem.text("/detail").contains("start the onboarding"), "{problem:#}");
        let seller = holdfast.seller.get("/v1/sellers/usr_seller").send().await.is(200);
        seller.shows(json!({ "id": "usr_seller", "accounts": [], "payout_policies": [] }));

        onboard(holdfast).await;
        let problem = ask("19.99", "stripe").await.refuses(409, "below_minimum");
        assert!(problem.text("/detail").contains("20.00"), "{problem:#}");
        ask("135.01", "stripe").await.refuses(409, "insufficient_funds");
        ask("0", "stripe").await.refuses(400, "amount_invalid");
        ask("20.00", "fatora").await.refuses(409, "seller_not_ready");
        ask("20.00", "bank").await.refuses(400, "gateway_unknown");
        // Nobody else asks, and nobody else knows.
        let wish = json!({ "currency": "SAR", "amount": "20.00" });
        holdfast.stranger.post(PAYOUTS).once().json(&wish).send().await.refuses(404, "not_found");
        holdfast.operator.post(PAYOUTS).once().json(&wish).send().await.refuses(403, "forbidden");
        holdfast.stranger.get("/v1/sellers/usr_seller").send().await.refuses(404, "not_found");
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00", "pending": "0.00" }));
        assert_eq!(transfers(holdfast).await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_large_payout_waits_for_another_operator() {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:50.00".to_owned());
    on(options, async |holdfast| {
        ready(holdfast).await;
        let small = asked(&holdfast.seller, "50.00", "stripe").await;
        small.shows(json!({ "status": "ready" }));
        let batch = json!({ "payouts": [{ "owner": "usr_seller", "currency": "SAR", "amount": "60.00" }] });
        let large = holdfast.operator.post("/v1/payouts").once().json(&batch).send().await.is(200);
        let large = large["data"][0]["payout"].clone();
        large.shows(json!({ "status": "approval", "asked_by": { "role": "operator", "sub": "usr_operator" } }));
        holdfast.settle().await;
        assert_eq!(transfers(holdfast).await.len(), 1);
        let queue = holdfast.operator.get("/v1/payouts?status=approval").send().await.is(200);
        queue.shows(json!({ "data": [{ "id": large["id"] }], "next_cursor": null }));
        holdfast.seller.get("/v1/payouts?status=approval").send().await.refuses(403, "forbidden");

        let path = |command: &str| format!("/v1/payouts/{}/{command}", large.text("/id"));
        holdfast.operator.post(&path("approve")).once().json(&json!({})).send().await.refuses(403, "own_payout");
        holdfast.seller.post(&path("approve")).once().json(&json!({})).send().await.refuses(403, "forbidden");
        holdfast.stranger.post(&path("approve")).once().json(&json!({})).send().await.refuses(404, "not_found");
        let second = holdfast.api.caller("usr_second", "operator").await;
        let rehearsed = second.post(&format!("{}?dry_run=true", path("approve"))).json(&json!({})).send().await.is(200);
        rehearsed.shows(json!({ "dry_run": true, "status": "ready", "events": [{ "type": "approve" }] }));
        second.post(&path("approve")).once().if_match(9).json(&json!({})).send().await.refuses(412, "version_mismatch");
        second.post(&path("approve")).once().json(&json!({})).send().await.is(200).shows(json!({ "status": "ready" }));
        holdfast.settle().await;
        let paid = shown(holdfast, &large).await;
        assert_eq!((paid.text("/status"), story(&paid).as_str()), ("paid", "ask approve pay"));
        second
            .post(&path("reject"))
            .once()
            .json(&json!({ "reason": "x" }))
            .send()
            .await
            .refuses(409, "transition_refused");
    })
    .await;
}

#[tokio::test]
async fn a_payout_that_is_not_approved_is_available_again() {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:0".to_owned());
    on(options, async |holdfast| {
        ready(holdfast).await;
        let payout = asked(&holdfast.seller, "100.00", "stripe").await;
        let path = format!("/v1/payouts/{}/reject", payout.text("/id"));
        holdfast.operator.post(&path).once().json(&json!({})).send().await.refuses(422, "reason_required");
        let body = json!({ "reason": "The account is new." });
        holdfast.operator.post(&path).once().json(&body).send().await.is(200);
        shown(holdfast, &payout).await.shows(json!({ "status": "rejected", "reason": "The account is new." }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00", "pending": "0.00" }));

        let forgotten = asked(&holdfast.seller, "30.00", "stripe").await;
        holdfast.advance("P29DT23H").await;
        shown(holdfast, &forgotten).await.shows(json!({ "status": "approval" }));
        holdfast.advance("PT1H").await;
        shown(holdfast, &forgotten).await.shows(json!({ "status": "rejected" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00", "pending": "0.00" }));
        assert_eq!(transfers(holdfast).await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_payout_by_hand_is_owed_until_an_operator_has_made_it() {
    on_holdfast(async |holdfast| {
        earned(holdfast).await;
        let payout = asked(&holdfast.seller, "100.00", "manual").await;
        payout.shows(json!({ "status": "owed", "gateway": "manual", "account": null }));
        let queue = holdfast.operator.get("/v1/payouts?status=owed").send().await.is(200);
        queue.shows(json!({ "data": [{ "id": payout["id"] }] }));
        let path = |command: &str| format!("/v1/payouts/{}/{command}", payout.text("/id"));
        holdfast
            .operator
            .post(&path("mark-paid"))
            .once()
            .json(&json!({}))
            .send()
            .await
            .refuses(422, "reference_required");
        let proof = json!({ "reference": "SWIFT 7731" });
        holdfast.seller.post(&path("mark-paid")).once().json(&proof).send().await.refuses(403, "forbidden");
        let paid = holdfast.operator.post(&path("mark-paid")).once().json(&proof).send().await.is(200);
        paid.shows(json!({ "status": "paid", "reference": "SWIFT 7731" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "35.00", "total_withdrawn": "100.00" }));

        let body = json!({ "reason": "The bank knows no such account." });
        holdfast.operator.post(&path("mark-failed")).once().json(&body).send().await.is(200);
        shown(holdfast, &payout).await.shows(json!({ "status": "returned", "returned": "100.00" }));
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00", "total_withdrawn": "0.00" }));
        assert_eq!(transfers(holdfast).await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_transfer_that_comes_back_is_available_again_once() {
    on_holdfast(async |holdfast| {
        ready(holdfast).await;
        let payout = asked(&holdfast.seller, "100.00", "stripe").await;
        holdfast.settle().await;
        let transfer = transfers(holdfast).await[0].clone();
        let path = format!("/_local/sandbox/stripe/transfers/{}/reversals", transfer.text("/id"));
        for (amount, status, returned) in [(4_000, "paid", "40.00"), (6_000, "returned", "100.00")] {
            holdfast.api.post(&path).json(&json!({ "amount": amount })).send().await.is(200);
            holdfast.settle().await;
            shown(holdfast, &payout).await.shows(json!({ "status": status, "returned": returned }));
        }
        holdfast.balance("usr_seller", "SAR").await.shows(json!({
            "available": "135.00", "pending": "0.00", "total_withdrawn": "0.00",
        }));
    })
    .await;
}

#[tokio::test]
async fn a_transfer_whose_answer_was_lost_is_not_made_twice() {
    for fault in ["lost_after", "lost_before", "500_after"] {
        on_holdfast(async |holdfast| {
            ready(holdfast).await;
            holdfast.switch_sandbox(json!({ "next": [{ "transfers": fault }] })).await;
            let payout = asked(&holdfast.seller, "100.00", "stripe").await;
            for _ in 0..8 {
                holdfast.advance("PT30M").await;
            }
            shown(holdfast, &payout).await.shows(json!({ "status": "paid" }));
            let transfers = transfers(holdfast).await;
            assert_eq!(transfers.len(), 1, "{fault}: {transfers:#?}");
            holdfast
                .balance("usr_seller", "SAR")
                .await
                .shows(json!({ "pending": "0.00", "total_withdrawn": "100.00" }));
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_wishes_it_is_paid_out_without_asking() {
    on_holdfast(async |holdfast| {
        onboard(holdfast).await;
        let policy = "/v1/sellers/usr_seller/payout-policy";
        let wish = json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "minimum": "100.00" });
        let seller = holdfast.seller.post(policy).json(&wish).send().await.is(200);
        seller.shows(json!({ "payout_policies": [{ "currency": "SAR", "gateway": "stripe", "minimum": "100.00" }] }));
        holdfast.stranger.post(policy).json(&wish).send().await.refuses(404, "not_found");

        earned(holdfast).await;
        holdfast.advance("PT1M").await;
        let payouts = holdfast.seller.get(PAYOUTS).send().await.is(200);
        payouts.shows(json!({ "data": [{
            "amount": "135.00", "status": "paid", "asked_by": { "role": "clock", "sub": null },
        }] }));
        // All of it came from one release: it is tied to that payment.
        assert!(payouts["data"][0]["escrow"].is_string(), "{payouts:#}");
        assert!(transfers(holdfast).await[0]["source_transaction"].is_string());
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "0.00", "total_withdrawn": "135.00" }));

        let end = json!({ "currency": "SAR", "automatic": false });
        holdfast.seller.post(policy).json(&end).send().await.is(200).shows(json!({ "payout_policies": [] }));
        earned(holdfast).await;
        holdfast.advance("P1D").await;
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));
    })
    .await;
}

#[tokio::test]
async fn many_wallets_are_paid_out_at_once_each_with_its_own_outcome() {
    on_holdfast(async |holdfast| {
        ready(holdfast).await;
        let wish = |owner: &str, amount: &str| json!({ "owner": owner, "currency": "SAR", "amount": amount });
        let batch = json!({ "payouts": [wish("usr_seller", "100.00"), wish("usr_buyer", "1.00"), wish("usr_seller", "36.00")] });
        holdfast.seller.post("/v1/payouts").once().json(&batch).send().await.refuses(403, "forbidden");
        let first = holdfast.operator.post("/v1/payouts").key("batch").json(&batch).send().await.is(200);
        first.shows(json!({ "data": [
            { "payout": { "amount": "100.00" }, "problem": null },
            { "payout": null, "problem": { "code": "seller_not_ready" } },
            { "payout": null, "problem": { "code": "insufficient_funds" } },
        ] }));
        let again = holdfast.operator.post("/v1/payouts").key("batch").json(&batch).send().await.is(200);
        assert_eq!(again["data"][0]["payout"]["id"], first["data"][0]["payout"]["id"]);
        holdfast.settle().await;
        assert_eq!(transfers(holdfast).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_account_is_opened_once_and_its_link_each_time_anew() {
    on_holdfast(async |holdfast| {
        let path = "/v1/sellers/usr_seller/onboarding";
        let asked = json!({
            "gateway": "stripe", "return_url": "https://market.example/done", "refresh_url": "https://market.example/again",
        });
        let first = holdfast.seller.post(path).json(&asked).send().await.is(201);
        first.shows(json!({ "seller": { "accounts": [{ "gateway": "stripe", "state": "onboarding", "ready": false }] } }));
        let second = holdfast.seller.post(path).json(&asked).send().await.is(201);
        assert_ne!(first["url"], second["url"]);
        assert_eq!(first["seller"]["accounts"][0]["account"], second["seller"]["accounts"][0]["account"]);
        let incomplete = json!({ "outcome": "incomplete", "currently_due": ["external_account"] });
        holdfast.api.post(second.text("/url")).json(&incomplete).send().await.is(200);
        holdfast.settle().await;
        let seller = holdfast.seller.get("/v1/sellers/usr_seller").send().await.is(200);
        seller.shows(json!({ "accounts": [{ "ready": false, "currently_due": ["external_account"] }] }));
        assert!(seller["accounts"][0].text("/missing").contains("external_account"), "{seller:#}");
        onboard(holdfast).await;
        let seller = holdfast.seller.get("/v1/sellers/usr_seller").send().await.is(200);
        seller.shows(json!({ "accounts": [{ "state": "ready", "ready": true, "missing": null }] }));
    })
    .await;
}

#[tokio::test]
async fn a_statement_is_told_by_time_and_in_other_forms() {
    on_holdfast(async |holdfast| {
        let begun = holdfast.now().await;
        earned(holdfast).await;
        let earned_at = holdfast.now().await;
        holdfast.advance("P1D").await;
        let day_after = holdfast.now().await;
        asked(&holdfast.seller, "35.00", "manual").await;
        let wallet =
            async |at: &str| holdfast.seller.get(&format!("/v1/wallets/usr_seller?at={at}")).send().await.is(200);
        wallet(&begun).await.shows(json!({ "owner": "usr_seller", "balances": [] }));
        wallet(&earned_at)
            .await
            .shows(json!({ "balances": [{ "currency": "SAR", "available": "135.00", "line": 0 }] }));
        wallet(&holdfast.now().await)
            .await
            .shows(json!({ "balances": [{ "available": "100.00", "debt": "0.00", "line": 1 }] }));

        let lines = async |query: &str| {
            let path = format!("/v1/wallets/usr_seller/transactions?currency=SAR{query}");
            holdfast.seller.get(&path).send().await
        };
        lines(&format!("&to={earned_at}"))
            .await
            .is(200)
            .shows(json!({ "data": [{ "type": "release" }], "next_cursor": null }));
        lines(&format!("&from={day_after}")).await.is(200).shows(json!({ "data": [{ "type": "payout" }] }));
        let csv = lines("&format=csv&limit=1").await;
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
        let next = csv.header("x-next-cursor").unwrap().to_owned();
        lines(&format!("&limit=1&cursor={next}")).await.is(200).shows(json!({ "data": [{ "type": "release" }] }));
        assert_eq!(lines("&format=jsonl").await.header("content-type"), Some("application/jsonl"));
        lines("&format=xml").await.refuses(400, "query_invalid");
    })
    .await;
}

#[tokio::test]
async fn a_payout_tied_to_its_payment_does_not_wait_for_the_platforms_balance() {
    on_holdfast(async |holdfast| {
        holdfast.switch_sandbox(json!({ "balance": { "available_after_s": 172_800 } })).await;
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        onboard(holdfast).await;
        let untied = asked(&holdfast.seller, "35.00", "stripe").await;
        let wish = json!({ "currency": "SAR", "amount": "100.00", "gateway": "stripe", "escrow": deal.id });
        let tied = holdfast.seller.post(PAYOUTS).once().json(&wish).send().await.is(201);
        tied.shows(json!({ "escrow": deal.id }));
        holdfast.settle().await;
        shown(holdfast, &tied).await.shows(json!({ "status": "paid" }));
        // The other waits, says why, and is sent when the money is there.
        let waiting = shown(holdfast, &untied).await;
        waiting.shows(json!({ "status": "ready", "waiting": { "cause": "gateway" } }));
        assert!(waiting.text("/waiting/reason").contains("balance"), "{waiting:#}");
        for _ in 0..12 {
            holdfast.advance("PT6H").await;
        }
        shown(holdfast, &untied).await.shows(json!({ "status": "paid", "waiting": null }));
        assert_eq!(transfers(holdfast).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_payout_is_tied_only_to_what_its_owner_was_paid() {
    on_holdfast(async |holdfast| {
        ready(holdfast).await;
        let held = holdfast.paid(json!({})).await;
        let ask = async |escrow: &str| {
            let wish = json!({ "currency": "SAR", "amount": "10.00", "gateway": "stripe", "escrow": escrow });
            holdfast.seller.post(PAYOUTS).once().json(&wish).send().await
        };
        ask(&held.id).await.refuses(422, "escrow_unsuitable");
        ask("esc_00000000000000000000000000").await.refuses(422, "escrow_unsuitable");
        ask("job_42").await.refuses(400, "body_invalid");
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "pending": "0.00" }));
    })
    .await;
}

#[tokio::test]
async fn whoever_wishes_it_weekly_is_paid_once_a_week() {
    on_holdfast(async |holdfast| {
        onboard(holdfast).await;
        let wish =
            json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "minimum": "1.00", "every": "P7D" });
        holdfast.seller.post("/v1/sellers/usr_seller/payout-policy").json(&wish).send().await.is(200);
        let paid = async || {
            let payouts = holdfast.seller.get(PAYOUTS).send().await.is(200);
            payouts.list("/data").iter().map(|payout| payout.text("/amount").to_owned()).collect::<Vec<_>>()
        };
        earned(holdfast).await;
        holdfast.advance("PT1M").await;
        assert_eq!(paid().await, ["135.00"]);
        for _ in 0..2 {
            earned(holdfast).await;
            holdfast.advance("P2D").await;
        }
        assert_eq!(paid().await, ["135.00"]);
        holdfast.advance("P3D").await;
        assert_eq!(paid().await, ["270.00", "135.00"]);
        let hourly = json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "every": "PT1M" });
        let policy = holdfast.seller.post("/v1/sellers/usr_seller/payout-policy");
        policy.json(&hourly).send().await.refuses(422, "schedule_invalid");
    })
    .await;
}

#[tokio::test]
async fn an_account_whose_answer_was_lost_is_the_same_account() {
    for fault in ["lost_after", "500_after", "lost_before"] {
        on_holdfast(async |holdfast| {
            holdfast.switch_sandbox(json!({ "next": [{ "accounts": fault }] })).await;
            let asked = json!({
                "gateway": "stripe", "return_url": "https://market.example/done", "refresh_url": "https://market.example/again",
                "country": "AE", "email": "seller@example.com",
            });
            let path = "/v1/sellers/usr_seller/onboarding";
            holdfast.seller.post(path).json(&asked).send().await.refuses(503, "gateway_unavailable");
            let seller = holdfast.seller.get("/v1/sellers/usr_seller").send().await.is(200);
            seller.shows(json!({ "accounts": [{ "state": "opening", "account": null, "ready": false }] }));
            holdfast.seller.post(path).json(&asked).send().await.is(201);
            let accounts = holdfast.sandbox().await.list("/accounts").len();
            // After a failure that the gateway would repeat for ever, another key is needed: an empty account may be left behind.
            assert!(accounts == 1 || (fault == "500_after" && accounts == 2), "{fault}: {accounts}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_seller_who_leaves_is_not_paid_and_may_come_back() {
    on_holdfast(async |holdfast| {
        ready(holdfast).await;
        let seller = holdfast.seller.get("/v1/sellers/usr_seller").send().await.is(200);
        let first = seller["accounts"][0].text("/account").to_owned();
        let path = format!("/_local/sandbox/stripe/accounts/{first}/disconnect");
        holdfast.api.post(&path).json(&json!({})).send().await.is(200);
        holdfast.settle().await;
        let wish = json!({ "currency": "SAR", "amount": "10.00", "gateway": "stripe" });
        let problem = holdfast.seller.post(PAYOUTS).once().json(&wish).send().await.refuses(409, "seller_not_ready");
        assert!(problem.text("/detail").contains("start the onboarding again"), "{problem:#}");
        onboard(holdfast).await;
        let seller = holdfast.seller.get("/v1/sellers/usr_seller").send().await.is(200);
        assert_ne!(seller["accounts"][0].text("/account"), first);
        let payout = holdfast.seller.post(PAYOUTS).once().json(&wish).send().await.is(201);
        holdfast.settle().await;
        shown(holdfast, &payout).await.shows(json!({ "status": "paid" }));
    })
    .await;
}
