//! Who may do what: every route of the API's document, called by everybody, as one table.
//!
//! Each cell is played on an escrow of its own in which the call would be possible, so that only the caller decides.

use escrow_domain::time::{Period, Timestamp};
use holdfast::Options;
use holdfast_tests::api::{Call, Caller};
use holdfast_tests::contract::{Operation, operations};
use holdfast_tests::deal::{Deal, order};
use holdfast_tests::json::{Look, with};
use holdfast_tests::stack::Stack;
use holdfast_tests::{on, on_holdfast};
use serde_json::{Value, json};
use std::fmt::Write;

const COLUMNS: [&str; 7] = ["no token", "stranger", "buyer", "seller", "arbiter", "operator", "platform"];

fn people(holdfast: &Stack) -> [Caller; 7] {
    [
        holdfast.api.nobody(),
        holdfast.stranger.clone(),
        holdfast.buyer.clone(),
        holdfast.seller.clone(),
        holdfast.arbiter.clone(),
        holdfast.operator.clone(),
        holdfast.platform.clone(),
    ]
}

/// The call of that operation by that person, on something where it would be possible.
async fn possible(holdfast: &Stack, operation: &str, who: &Caller) -> Call {
    let none = || json!({});
    let command = |deal: Deal<'_>, command: &str, body: Value| who.post(&deal.path(command)).once().json(&body);
    match operation {
        "createCheckout" => who.post("/v1/checkouts").once().json(&with(order(), json!({ "currency": "USD" }))),
        "addCheckout" => command(holdfast.checkout(none()).await, "checkouts", json!({ "gateway": "stripe" })),
        "listEscrows" => {
            holdfast.checkout(none()).await;
            who.get("/v1/escrows?subject_type=job&subject_id=job_42&limit=1")
        }
        "getEscrow" => who.get(&format!("/v1/escrows/{}", holdfast.paid(none()).await.id)),
        "listEscrowEvents" => who.get(&holdfast.paid(none()).await.path("events")),
        "releaseEscrow" => command(holdfast.delivered(none()).await, "release", json!({ "reason": "It is good." })),
        "deliver" => command(holdfast.paid(none()).await, "deliver", none()),
        "requestChanges" => command(holdfast.delivered(none()).await, "request-changes", none()),
        "refund" => command(holdfast.delivered(none()).await, "refund", json!({ "reason": "It is not." })),
        "extend" => {
            // As far as the buyer may move it, and the seller may ask.
            let deal = holdfast.paid(none()).await;
            let by = deal.stands().await.text("/milestones/0/deliver_by").parse::<Timestamp>().unwrap();
            command(deal, "extend", json!({ "until": by.after(Period::days(1)).to_string() }))
        }
        "addEvidence" => {
            let piece = json!({ "type": "file", "uri": "https://files.example/1" });
            command(open_dispute(holdfast).await, "dispute/evidence", json!({ "evidence": [piece] }))
        }
        "proposeSplit" => command(open_dispute(holdfast).await, "dispute/propose", json!({ "to_buyer": "1.00" })),
        "acceptSplit" => {
            // The offer is the other side's; of whoever has no side, the buyer's.
            let deal = open_dispute(holdfast).await;
            let by = if who.sub == holdfast.buyer.sub { &holdfast.seller } else { &holdfast.buyer };
            let offered = deal.does(by, "dispute/propose", json!({ "to_buyer": "1.00" })).await.is(200);
            command(deal, "dispute/accept", json!({ "proposal": offered.text("/dispute/proposal/id") }))
        }
        "listEvidence" => who.get(&open_dispute(holdfast).await.path("evidence?limit=1")),
        "getChargebackEvidence" => who.get(&charged_back(holdfast).await.path("chargeback-evidence")),
        "getFigures" => {
            // Yesterday is counted by the daily run.
            holdfast.advance("P1D").await;
            holdfast.api.post("/_local/reconcile").send().await.is(200);
            who.get("/v1/reports/figures")
        }
        "listDisputes" => {
            open_dispute(holdfast).await;
            who.get("/v1/disputes?limit=1")
        }
        "cancel" => command(holdfast.checkout(none()).await, "cancel", json!({ "reason": "Found another." })),
        "dispute" => command(holdfast.delivered(none()).await, "dispute", json!({ "reason": "It does not open." })),
        "withdrawDispute" => command(holdfast.disputed(none()).await, "dispute/withdraw", none()),
        "ruleDispute" => {
            command(holdfast.disputed(none()).await, "dispute/rule", json!({ "to_buyer": "0", "reason": "As agreed." }))
        }
        "freeze" => command(holdfast.paid(none()).await, "freeze", json!({ "reason": "The bank asks." })),
        "unfreeze" => {
            let deal = holdfast.paid(none()).await;
            deal.does(&holdfast.operator, "freeze", json!({ "reason": "The bank asks." })).await.is(200);
            command(deal, "unfreeze", json!({ "reason": "The bank is content." }))
        }
        "resolveReview" => {
            command(in_review(holdfast).await, "resolve", json!({ "resolution": "done", "reason": "Seen." }))
        }
        "listPayments" => {
            holdfast.checkout(none()).await;
            who.get("/v1/payments?subject_type=job&subject_id=job_42&limit=1")
        }
        "getPayment" => who.get(&format!("/v1/payments/{}", holdfast.checkout(none()).await.payment)),
        "getQuote" => who.get("/v1/quote?kind=service&currency=SAR&amount=150.00"),
        // Only a signature opens it, and nobody here has one.
        "receiveWebhook" => who.post("/v1/webhooks/stripe").json(&json!({ "id": "evt_1" })),
        other => possible_with_wallets(holdfast, other, who).await,
    }
}

/// The same of what is about the seller's wallet, and what goes in and out of it.
async fn possible_with_wallets(holdfast: &Stack, operation: &str, who: &Caller) -> Call {
    let small = || json!({ "currency": "SAR", "amount": "1.00", "gateway": "manual" });
    let large = || json!({ "currency": "SAR", "amount": "6.00", "gateway": "manual" });
    let command = |payout: &str, command: &str, body: Value| {
        who.post(&format!("/v1/payouts/{payout}/{command}")).once().json(&body)
    };
    match operation {
        "getWallet" => who.get("/v1/wallets/usr_seller"),
        "listWalletTransactions" => who.get("/v1/wallets/usr_seller/transactions?currency=SAR&limit=1"),
        "listWalletPayouts" => {
            asked(holdfast, small()).await;
            who.get("/v1/wallets/usr_seller/payouts?limit=1")
        }
        "askPayout" => who.post("/v1/wallets/usr_seller/payouts").once().json(&small()),
        "askPayouts" => {
            let wish = with(small(), json!({ "owner": "usr_seller" }));
            who.post("/v1/payouts").once().json(&json!({ "payouts": [wish] }))
        }
        "listPayouts" => {
            asked(holdfast, small()).await;
            who.get("/v1/payouts?status=owed&limit=1")
        }
        "getPayout" => who.get(&format!("/v1/payouts/{}", asked(holdfast, small()).await)),
        "approvePayout" => command(&asked(holdfast, large()).await, "approve", json!({})),
        "rejectPayout" => command(&asked(holdfast, large()).await, "reject", json!({ "reason": "It is new." })),
        "markPayoutPaid" => command(&asked(holdfast, small()).await, "mark-paid", json!({ "reference": "SWIFT 1" })),
        "markPayoutFailed" => {
            command(&asked(holdfast, small()).await, "mark-failed", json!({ "reason": "No such account." }))
        }
        "resolvePayout" => {
            let resolved = json!({ "resolution": "failed", "reason": "The dashboard does not show it." });
            command(&in_doubt(holdfast).await, "resolve", resolved)
        }
        "listTopUps" => {
            topped_up(holdfast).await;
            who.get("/v1/wallets/usr_seller/top-ups?limit=1")
        }
        "createTopUp" => who.post("/v1/wallets/usr_seller/top-ups").once().json(&by_card()),
        "getTopUp" => who.get(&format!("/v1/top-ups/{}", topped_up(holdfast).await)),
        "getSeller" => who.get("/v1/sellers/usr_seller"),
        "onboardSeller" => who.post("/v1/sellers/usr_seller/onboarding").json(&onboarding()),
        "setPayoutPolicy" => {
            let never = json!({ "currency": "SAR", "automatic": false });
            who.post("/v1/sellers/usr_seller/payout-policy").json(&never)
        }
        new => panic!("the matrix does not know how to call {new}: give it a row"),
    }
}

fn by_card() -> Value {
    json!({ "currency": "SAR", "amount": "20.00", "gateway": "stripe" })
}

fn onboarding() -> Value {
    json!({
        "gateway": "stripe", "return_url": "https://market.example/done", "refresh_url": "https://market.example/again",
    })
}

/// A payout that the seller has asked for; above 5.00 it waits for its approval.
async fn asked(holdfast: &Stack, wish: Value) -> String {
    let asked = holdfast.seller.post("/v1/wallets/usr_seller/payouts").once().json(&wish).send().await;
    asked.is(201).text("/id").to_owned()
}

/// A payout of the seller's of which the gateway has not said for a month whether it was made.
async fn in_doubt(holdfast: &Stack) -> String {
    let silence = [vec![json!({ "transfers": "lost_before" })], vec![json!({ "look_ups": "500" }); 8]].concat();
    holdfast.switch_sandbox(json!({ "next": silence })).await;
    let payout = asked(holdfast, json!({ "currency": "SAR", "amount": "1.00", "gateway": "stripe" })).await;
    for _ in 0..3 {
        holdfast.advance("P16D").await;
    }
    holdfast.switch_sandbox(json!({ "next": [] })).await;
    let stands = holdfast.seller.get(&format!("/v1/payouts/{payout}")).send().await.is(200);
    stands.shows(json!({ "status": "review" }));
    payout
}

/// A top-up that the seller has begun.
async fn topped_up(holdfast: &Stack) -> String {
    let opened = holdfast.seller.post("/v1/wallets/usr_seller/top-ups").once().json(&by_card()).send().await;
    opened.is(201).text("/top_up/id").to_owned()
}

/// An escrow in dispute, to which both sides may still bring evidence.
async fn open_dispute(holdfast: &Stack) -> Deal<'_> {
    let deal = holdfast.delivered(json!({})).await;
    let evidence = json!([{ "type": "file", "uri": "https://files.example/0" }]);
    let dispute = json!({ "reason": "It does not open.", "evidence": evidence });
    deal.does(&holdfast.buyer, "dispute", dispute).await.is(200);
    deal
}

/// An escrow whose buyer has gone to the bank.
async fn charged_back(holdfast: &Stack) -> Deal<'_> {
    let deal = holdfast.delivered(json!({})).await;
    let sandbox = holdfast.sandbox().await;
    let ours = |intent: &&Value| intent["metadata"]["escrow_id"] == deal.id.as_str();
    let intent = sandbox.list("/payment_intents").iter().find(ours).expect("its intent").text("/id");
    let path = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
    holdfast.api.post(&path).json(&json!({})).send().await.is(200);
    holdfast.settle().await;
    deal
}

/// An escrow whose refund has failed at the gateway, so that somebody must decide.
async fn in_review(holdfast: &Stack) -> Deal<'_> {
    let deal = holdfast.paid(json!({})).await;
    holdfast.switch_sandbox(json!({ "next": [{ "refunds": "fail" }] })).await;
    deal.does(&holdfast.seller, "refund", json!({})).await.is(200);
    holdfast.settle().await;
    deal.stands().await.shows(json!({ "status": "review" }));
    deal
}

/// Whether the document's callers of an operation are those who could call it.
fn agree(operation: &Operation, column: &str, may: bool) -> bool {
    let words: &[&str] = match column {
        "no token" => &[],
        // Wallets, payouts and sellers are the seller's here.
        "seller" => &["seller", "owner", "anyone signed in"],
        other => &[other, "anyone signed in"],
    };
    let named = operation.callers.iter().any(|caller| words.contains(&caller.as_str()));
    // An arbiter meets only what was disputed; the matrix asks for quiet escrows too.
    named == may || (named && column == "arbiter")
}

#[tokio::test]
async fn everybody_may_do_what_is_theirs_and_nothing_else() {
    let mut options = Options::in_memory();
    options.settings.insert("HOLDFAST_PAYOUT_APPROVAL_ABOVE".to_owned(), "SAR:5.00".to_owned());
    on(options, async |holdfast| {
        // A wallet to look at, and to be paid from.
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let link = holdfast.seller.post("/v1/sellers/usr_seller/onboarding").json(&onboarding()).send().await.is(201);
        holdfast.api.post(link.text("/url")).json(&json!({ "outcome": "complete" })).send().await.is(200);
        holdfast.settle().await;
        let people = people(holdfast);
        let mut strange = String::new();
        let mut table = format!("{:<58}", "");
        for column in COLUMNS {
            let _ = write!(table, " {column:>9}");
        }
        for operation in operations() {
            let _ = write!(table, "\n{:<58}", format!("{} {}", operation.method, operation.path));
            for (column, who) in COLUMNS.iter().zip(&people) {
                let answer = possible(holdfast, &operation.id, who).await.send().await;
                // A list that is empty shows nothing of others, and is no refusal.
                let cell = match answer.body["data"].as_array() {
                    Some(data) => format!("{} ({})", answer.status, data.len()),
                    None => answer.status.to_string(),
                };
                let _ = write!(table, " {cell:>9}");
                let may = answer.status < 300 && !cell.ends_with("(0)");
                if !agree(operation, column, may) {
                    let _ = write!(strange, "\n{} {}: {column} {cell}", operation.id, operation.callers.join(", "));
                }
            }
        }
        insta::assert_snapshot!(table);
        assert!(strange.is_empty(), "what the document says of its callers, and what they met:{strange}");
    })
    .await;
}

/// Scopes do not help those who are parties themselves.
#[tokio::test]
async fn nobody_decides_about_an_escrow_of_their_own() {
    on_holdfast(async |holdfast| {
        let everything = "arbiter operator platform";
        for party in ["usr_buyer", "usr_seller"] {
            let both = holdfast.api.caller(party, everything).await;
            let deal = holdfast.disputed(json!({})).await;
            let ruling = json!({ "to_buyer": "0", "reason": "I say so." });
            deal.does(&both, "dispute/rule", ruling).await.refuses(403, "own_escrow");
            let why = json!({ "reason": "I say so." });
            for command in ["release", "refund", "freeze"] {
                let answer = deal.does(&both, command, why.clone()).await;
                assert!(matches!(answer.status, 403 | 409), "{party} {command}: {}", answer.status);
            }
            deal.stands().await.shows(json!({ "status": "disputed", "held": "0.00", "disputed": "150.00" }));
        }
    })
    .await;
}

#[tokio::test]
async fn an_arbiter_meets_only_what_is_or_was_disputed() {
    on_holdfast(async |holdfast| {
        let quiet = holdfast.delivered(json!({})).await;
        let path = |deal: &Deal<'_>| format!("/v1/escrows/{}", deal.id);
        holdfast.arbiter.get(&path(&quiet)).send().await.refuses(404, "not_found");
        let disputed = holdfast.disputed(json!({})).await;
        holdfast.arbiter.get(&path(&disputed)).send().await.is(200);
        disputed.does(&holdfast.buyer, "dispute/withdraw", json!({})).await.is(200);
        holdfast.arbiter.get(&path(&disputed)).send().await.is(200);
    })
    .await;
}

/// What `actions` promises and what a command answers are one word.
async fn check_actions(holdfast: &Stack, deal: &Deal<'_>, who: &Caller) {
    let stands = deal.seen_by(who).await;
    for action in stands.list("/actions") {
        let (command, body) = match action.text("/name") {
            "release" => ("release", json!({ "reason": "x" })),
            "deliver" => ("deliver", json!({})),
            "request_changes" => ("request-changes", json!({})),
            "refund" => ("refund", json!({ "reason": "x" })),
            "dispute" => ("dispute", json!({ "reason": "x" })),
            "withdraw_dispute" => ("dispute/withdraw", json!({})),
            "add_evidence" => {
                ("dispute/evidence", json!({ "evidence": [{ "type": "file", "uri": "https://files.example/1" }] }))
            }
            "propose" => ("dispute/propose", json!({ "to_buyer": "1.00" })),
            "rule" => ("dispute/rule", json!({ "to_buyer": "0", "reason": "x" })),
            "freeze" => ("freeze", json!({ "reason": "x" })),
            "unfreeze" => ("unfreeze", json!({ "reason": "x" })),
            // One call is several commands (`cancel` and `withdraw`), or two commands are one call (`operator_release`).
            _ => continue,
        };
        let is_operators = who.sub == holdfast.operator.sub && matches!(command, "release" | "refund");
        if is_operators {
            continue;
        }
        let path = format!("{}?dry_run=true", deal.path(command));
        let rehearsed = who.post(&path).json(&body).send().await;
        let what = format!("{} {command} on {}: {rehearsed:#?}", who.sub, stands.text("/status"));
        assert_eq!(action["allowed"] == true, rehearsed.status == 200, "{what}");
        if rehearsed.status != 200 {
            assert_eq!(action["code"], rehearsed.body["code"], "{what}");
            assert_eq!(action.get("allowed_at"), rehearsed.body.get("allowed_at"), "{what}");
        }
    }
}

#[tokio::test]
async fn actions_say_what_a_command_would_be_answered() {
    on_holdfast(async |holdfast| {
        let deals = [
            holdfast.checkout(json!({})).await,
            holdfast.paid(json!({})).await,
            holdfast.delivered(json!({})).await,
            holdfast.disputed(json!({})).await,
        ];
        for deal in &deals {
            for who in [&holdfast.buyer, &holdfast.seller, &holdfast.operator, &holdfast.platform] {
                check_actions(holdfast, deal, who).await;
            }
        }
        check_actions(holdfast, &deals[3], &holdfast.arbiter).await;
    })
    .await;
}
