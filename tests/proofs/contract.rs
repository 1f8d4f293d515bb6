//! The answers that every call has in common, each provoked at every call of the API's document. That every answer is of the form
//! described is not said here: the client looks at each one, in every proof.

use holdfast::Options;
use holdfast::faults::{Call as Made, Target, Verdict};
use holdfast_tests::api::{Call, Caller};
use holdfast_tests::contract::{Operation, operations};
use holdfast_tests::deal::{Deal, order};
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use holdfast_tests::{on, on_holdfast};
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everybody at once: what is refused is then refused for what is wrong with the request.
const EVERYTHING: &str = "arbiter operator platform";

/// The document's calls that change something, with a body that each can read.
fn commands() -> Vec<(&'static Operation, Value)> {
    commands_on("esc_00000000000000000000000000")
}

/// The same where the escrow is this one: an offer is named after its escrow.
fn commands_on(escrow: &str) -> Vec<(&'static Operation, Value)> {
    let readable = |operation: &Operation| match operation.id.as_str() {
        "createCheckout" => order(),
        "addCheckout" => json!({ "gateway": "stripe" }),
        "deliver" | "requestChanges" => json!({ "note": "x" }),
        "withdrawDispute" | "extend" => json!({}),
        "addEvidence" => json!({ "evidence": [{ "type": "file", "uri": "https://files.example/1" }] }),
        "proposeSplit" => json!({ "to_buyer": "1.00" }),
        "acceptSplit" => json!({ "proposal": format!("prp_{}00", escrow.trim_start_matches("esc_")) }),
        "ruleDispute" => json!({ "to_buyer": "0", "reason": "x" }),
        "resolveReview" | "resolvePayout" => json!({ "resolution": "done", "reason": "x" }),
        "askPayout" => json!({ "currency": "SAR", "amount": "10.00" }),
        "askPayouts" => json!({ "payouts": [{ "owner": "usr_third", "currency": "SAR", "amount": "10.00" }] }),
        "createTopUp" => json!({ "currency": "SAR", "amount": "10.00", "gateway": "stripe" }),
        "markPayoutPaid" => json!({ "reference": "x" }),
        "onboardSeller" => {
            let page = "https://marketplace.example/payouts";
            json!({ "gateway": "stripe", "return_url": page, "refresh_url": page })
        }
        "setPayoutPolicy" => json!({ "currency": "SAR", "automatic": false }),
        _ => json!({ "reason": "x" }),
    };
    let all =
        operations().iter().filter(|operation| operation.method == Method::POST && operation.id != "receiveWebhook");
    all.map(|operation| (operation, readable(operation))).collect()
}

/// What is there to be called: a deal that waits for its acceptance, and a payout that waits for an operator.
struct Bed<'a> {
    deal: Deal<'a>,
    payout: String,
}

async fn bed(holdfast: &Stack) -> Bed<'_> {
    let sold = holdfast.paid(json!({})).await;
    sold.does(&holdfast.buyer, "release", json!({})).await.is(200);
    let wish = json!({ "currency": "SAR", "amount": "10.00", "gateway": "manual" });
    let asked = holdfast.seller.post("/v1/wallets/usr_seller/payouts").once().json(&wish).send().await.is(201);
    Bed { deal: holdfast.delivered(json!({})).await, payout: asked.text("/id").to_owned() }
}

/// A call of that operation: on that deal, on that payout, on what is the caller's own.
fn call(operation: &Operation, who: &Caller, bed: &Bed<'_>) -> Call {
    let path = operation.path.replace("/payments/{id}", &format!("/payments/{}", bed.deal.payment));
    let path = path.replace("/payouts/{id}", &format!("/payouts/{}", bed.payout));
    let path = path.replace("/top-ups/{id}", &format!("/top-ups/top_{}", "0".repeat(26)));
    let path = path.replace("/sellers/{id}", &format!("/sellers/{}", who.sub)).replace("{owner}", &who.sub);
    who.call(operation.method.clone(), &path.replace("{id}", &bed.deal.id).replace("{gateway}", "stripe"))
}

/// Nothing is moved by them, so they need no key.
const WITHOUT_KEY: &[&str] = &["onboardSeller", "setPayoutPolicy"];
/// What they create has no version yet; what they set is the caller's own wish.
const WITHOUT_VERSION: &[&str] =
    &["createCheckout", "createTopUp", "askPayout", "askPayouts", "onboardSeller", "setPayoutPolicy"];

/// Provokes the same mistake at every command, and reads the same problem everywhere. Nothing is written.
async fn check_everywhere(mistake: impl Fn(Call, &Value) -> Call, status: u16, code: &str, except: &[&str]) {
    on_holdfast(async |holdfast| {
        let bed = bed(holdfast).await;
        let who = holdfast.api.caller("usr_operator", EVERYTHING).await;
        let before = (bed.deal.stands().await, holdfast.write_units().await);
        let mut provoked = 0;
        for (operation, body) in
            commands_on(&bed.deal.id).into_iter().filter(|(operation, _)| !except.contains(&operation.id.as_str()))
        {
            let problem = mistake(call(operation, &who, &bed), &body).send().await.refuses(status, code);
            assert!(!problem.text("/detail").is_empty(), "{}", operation.id);
            provoked += 1;
        }
        assert!(provoked > 8, "only {provoked} calls were looked at");
        assert_eq!((bed.deal.stands().await, holdfast.write_units().await), before);
    })
    .await;
}

#[tokio::test]
async fn every_command_wants_a_key() {
    check_everywhere(|call, body| call.json(body), 400, "idempotency_key_missing", WITHOUT_KEY).await;
}

#[tokio::test]
async fn every_command_refuses_a_field_that_it_does_not_have() {
    let mistake = |call: Call, body: &Value| {
        call.once().json(&holdfast_tests::json::with(body.clone(), json!({ "fancy": "yes" })))
    };
    check_everywhere(mistake, 400, "unknown_field", &[]).await;
}

#[tokio::test]
async fn every_command_refuses_what_is_too_large() {
    let mistake = |call: Call, _: &Value| call.once().json(&json!({ "reason": "x".repeat(70_000) }));
    check_everywhere(mistake, 413, "body_too_large", &[]).await;
}

#[tokio::test]
async fn every_command_refuses_what_is_not_called_json() {
    let mistake = |call: Call, body: &Value| call.once().raw("text/plain", body.to_string());
    check_everywhere(mistake, 415, "unsupported_media_type", &[]).await;
}

#[tokio::test]
async fn every_command_refuses_a_query_that_it_does_not_know() {
    on_holdfast(async |holdfast| {
        let bed = bed(holdfast).await;
        let who = holdfast.api.caller("usr_operator", EVERYTHING).await;
        for operation in operations().iter().filter(|operation| operation.id != "receiveWebhook") {
            let path = format!("{}?fancy=yes", operation.path);
            let asked = Operation { path, ..operation.clone() };
            call(&asked, &who, &bed).once().send().await.refuses(400, "query_invalid");
        }
    })
    .await;
}

#[tokio::test]
async fn every_command_refuses_a_version_that_has_moved() {
    let mistake = |call: Call, body: &Value| call.once().if_match(99).json(body);
    check_everywhere(mistake, 412, "version_mismatch", WITHOUT_VERSION).await;
}

#[tokio::test]
async fn every_command_is_refused_where_the_escrow_is_over() {
    on_holdfast(async |holdfast| {
        let bed = bed(holdfast).await;
        let deal = &bed.deal;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let stands = deal.stands().await;
        let of_escrows = |(operation, _): &(&Operation, Value)| operation.path.starts_with("/v1/escrows/{id}/");
        for (operation, body) in commands().into_iter().filter(of_escrows) {
            let who = match operation.id.as_str() {
                "deliver" => &holdfast.seller,
                "freeze" | "unfreeze" | "resolveReview" | "refund" => &holdfast.operator,
                // It names an offer, and there is none.
                "ruleDispute" | "acceptSplit" => continue,
                _ => &holdfast.buyer,
            };
            let answer = call(operation, who, &bed).once().json(&body).send().await;
            let code = match operation.id.as_str() {
                "unfreeze" => "not_frozen",
                "resolveReview" => "nothing_to_resolve",
                _ => "transition_refused",
            };
            answer.refuses(409, code).shows(json!({ "state": "released" }));
        }
        assert_eq!(deal.stands().await, stands);
    })
    .await;
}

#[tokio::test]
async fn every_key_that_was_used_for_another_body_is_refused_by_every_command() {
    on_holdfast(async |holdfast| {
        used_otherwise(holdfast).await;
    })
    .await;
}

/// Carries out each command that can follow another, and repeats its key with another body.
async fn used_otherwise(holdfast: &Stack) {
    let deal = holdfast.checkout(json!({})).await;
    let play = json!({ "outcome": "paid" });
    let (buyer, seller, operator, arbiter) = (&holdfast.buyer, &holdfast.seller, &holdfast.operator, &holdfast.arbiter);
    let steps: [(&str, &Caller, Value, &str); 9] = [
        ("checkouts", buyer, json!({ "gateway": "stripe" }), ""),
        ("deliver", seller, json!({}), "pay"),
        ("request-changes", buyer, json!({}), ""),
        ("freeze", operator, json!({ "reason": "x" }), ""),
        ("unfreeze", operator, json!({ "reason": "x" }), ""),
        ("dispute", buyer, json!({ "reason": "x" }), ""),
        ("dispute/withdraw", buyer, json!({}), ""),
        ("dispute", buyer, json!({ "reason": "y" }), ""),
        ("dispute/rule", arbiter, json!({ "to_buyer": "0", "reason": "x" }), "P2D"),
    ];
    for (number, (command, who, body, before)) in steps.into_iter().enumerate() {
        match before {
            "" => {}
            "pay" => drop(deal.pay(play.clone()).await),
            time => holdfast.advance(time).await,
        }
        let call = || who.post(&deal.path(command)).key(&format!("step-{number}"));
        let answer = call().json(&body).send().await;
        assert!(answer.status < 300, "{command}: {answer:#?}");
        let other = holdfast_tests::json::with(body, json!({ "milestone": "m1", "reason": "another" }));
        call().json(&other).send().await.refuses(422, "idempotency_key_reused");
    }
}

/// A system in which one thing does not answer as long as the switch is on.
fn without(target: Target) -> (Options, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let on = Arc::clone(&switch);
    let fault = move |made: &Made<'_>| {
        if made.target == target && on.load(Ordering::SeqCst) { Verdict::FailBeforeSending } else { Verdict::Pass }
    };
    (Options::in_memory().with_faults(fault), switch)
}

#[tokio::test]
async fn where_the_table_does_not_answer_every_call_asks_to_come_again() {
    let (options, down) = without(Target::DynamoDb);
    on(options, async |holdfast| {
        let bed = bed(holdfast).await;
        let who = holdfast.api.caller("usr_seller", EVERYTHING).await;
        down.store(true, Ordering::SeqCst);
        for operation in operations() {
            let call = match operation.id.as_str() {
                // It asks nobody.
                "getQuote" | "receiveWebhook" => continue,
                "listPayments" | "listEscrows" => {
                    who.get(&format!("{}?subject_type=job&subject_id=job_42", operation.path))
                }
                "createCheckout" => holdfast.buyer.post(&operation.path).key("asked-twice"),
                "listPayouts" => who.get("/v1/payouts?status=owed"),
                // Each of many has an outcome of its own; and nobody pays out their own wallet there.
                "askPayouts" => continue,
                _ => call(operation, &who, &bed).once(),
            };
            let body = commands().into_iter().find(|(command, _)| command.id == operation.id);
            let call = match body {
                Some((_, body)) => call.json(&body),
                None => call,
            };
            call.send().await.refuses(503, "unavailable");
        }
        down.store(false, Ordering::SeqCst);
        // Nothing of it was done, and its key is as good as new.
        bed.deal.stands().await.shows(json!({ "status": "delivered" }));
        let opened = holdfast.buyer.post("/v1/checkouts").key("asked-twice").json(&order()).send().await;
        assert!(!opened.is_replay());
        opened.is(201);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_cannot_be_kept_is_not_taken_and_comes_again() {
    let (options, down) = without(Target::DynamoDb);
    on(options, async |holdfast| {
        let deal = holdfast.checkout(json!({})).await;
        down.store(true, Ordering::SeqCst);
        holdfast.api.post(&deal.page).json(&json!({ "outcome": "paid" })).send().await.is(200);
        holdfast.settle().await;
        let statuses: Vec<_> =
            holdfast.sandbox().await.list("/webhooks").iter().map(|sent| sent["last_status"].clone()).collect();
        assert!(statuses.contains(&json!(503)), "{statuses:?}");
        down.store(false, Ordering::SeqCst);
        deal.stands().await.shows(json!({ "status": "pending" }));
        holdfast.advance("PT2M").await;
        deal.stands().await.shows(json!({ "status": "held" }));
    })
    .await;
}

#[tokio::test]
async fn where_the_gateway_does_not_answer_the_same_request_carries_on_later() {
    let (options, down) = without(Target::Gateway);
    on(options, async |holdfast| {
        let create = || holdfast.buyer.post("/v1/checkouts").key("patience").json(&order()).send();
        down.store(true, Ordering::SeqCst);
        create().await.refuses(503, "gateway_unavailable");
        create().await.refuses(503, "gateway_unavailable");
        down.store(false, Ordering::SeqCst);
        let opened = create().await.is(201);
        let path = format!("/v1/escrows/{}/checkouts", opened.text("/escrow/id"));
        let add = || holdfast.buyer.post(&path).key("patience").json(&json!({ "gateway": "stripe" })).send();
        down.store(true, Ordering::SeqCst);
        add().await.refuses(503, "gateway_unavailable");
        down.store(false, Ordering::SeqCst);
        let added = add().await.is(201);
        added.shows(json!({ "escrow": { "payments": [{ "status": "open" }, { "status": "open" }] } }));
        holdfast.sandbox().await.shows(json!({ "sessions": [{}, {}] }));
    })
    .await;
}
