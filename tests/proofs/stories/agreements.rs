//! What one side may not do alone: giving up what is held, moving a deadline, settling a dispute.

use super::given_back_once;
use holdfast_tests::deal::Deal;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

fn piece(name: &str) -> Value {
    json!({ "type": "message", "uri": format!("https://files.example/{name}"), "sha256": "0f".repeat(32), "note": "Look." })
}

/// Delivered, and disputed in part.
async fn half_disputed(holdfast: &Stack) -> Deal<'_> {
    let deal = holdfast.delivered(json!({})).await;
    let half = json!({ "amount": "75.00", "reason": "Half of it is missing.", "evidence": [piece("1")] });
    deal.does(&holdfast.buyer, "dispute", half).await.is(200).shows(json!({ "held": "75.00", "disputed": "75.00" }));
    deal
}

#[tokio::test]
async fn a_deal_is_given_up_when_both_sides_have_said_so() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.advance("P2D").await;
        let asked = deal.does(&holdfast.seller, "cancel", json!({ "reason": "I am late." })).await.is(200);
        asked.shows(json!({ "status": "held", "milestones": [{ "asked": { "by": "seller", "for": "cancel", "until": null } }] }));
        deal.does(&holdfast.buyer, "cancel", json!({})).await.is(200).shows(json!({ "status": "refunding" }));
        holdfast.settle().await;
        assert_eq!(deal.story().await, "create fund ask_cancel agree_cancel confirm_refund");
        given_back_once(&deal, 15_000).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_asked_lapses_when_the_work_is_delivered() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        holdfast.advance("P2D").await;
        deal.does(&holdfast.buyer, "cancel", json!({})).await.is(200);
        let delivered = deal.does(&holdfast.seller, "deliver", json!({})).await.is(200);
        delivered.shows(json!({ "status": "delivered", "milestones": [{ "asked": null }] }));
    })
    .await;
}

#[tokio::test]
async fn a_deadline_is_moved_by_the_side_that_it_hurts_and_asked_for_by_the_other() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({ "policy": { "deliver_within": "P10D" } })).await;
        let stands = deal.stands().await;
        let by = stands.text("/milestones/0/deliver_by").to_owned();
        let later = |days: u16| {
            let by: escrow_domain::time::Timestamp = by.parse().unwrap();
            by.after(escrow_domain::time::Period::days(days.into())).to_string()
        };
        let asked = deal.does(&holdfast.seller, "extend", json!({ "until": later(5) })).await.is(200);
        asked.shows(json!({ "milestones": [{ "deliver_by": by, "asked": { "for": "extend", "until": later(5) } }] }));
        let agreed = deal.does(&holdfast.buyer, "extend", json!({})).await.is(200);
        agreed.shows(json!({ "milestones": [{ "deliver_by": later(5), "asked": null }] }));
        // The buyer gives more without being asked; all together thirty days.
        deal.does(&holdfast.buyer, "extend", json!({ "until": later(31) })).await.refuses(422, "until_out_of_bounds");
        deal.does(&holdfast.buyer, "extend", json!({ "until": later(5) })).await.refuses(422, "until_out_of_bounds");
        deal.does(&holdfast.buyer, "extend", json!({ "until": later(30) })).await.is(200);
        deal.does(&holdfast.buyer, "extend", json!({ "until": later(31) })).await.refuses(409, "extensions_used_up");
        assert_eq!(deal.story().await, "create fund ask_extend extend extend");
    })
    .await;
}

#[tokio::test]
async fn both_sides_bring_evidence_and_nobody_else() {
    on_holdfast(async |holdfast| {
        let deal = half_disputed(holdfast).await;
        let two = json!({ "evidence": [piece("2"), piece("3")] });
        deal.does(&holdfast.seller, "dispute/evidence", two.clone()).await.is(200).shows(json!({
            "dispute": { "evidence": { "buyer": 1, "seller": 2 } },
        }));
        deal.does(&holdfast.operator, "dispute/evidence", two.clone()).await.refuses(403, "forbidden");
        deal.does(&holdfast.stranger, "dispute/evidence", two).await.refuses(404, "not_found");
        // Page by page, in the order in which it was brought.
        let mut path = deal.path("evidence?limit=2");
        let mut seen = Vec::new();
        loop {
            let page = holdfast.arbiter.get(&path).send().await.is(200);
            seen.extend(page.list("/data").iter().map(|one| format!("{} {}", one.text("/by"), one.text("/uri"))));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("{}&cursor={cursor}", deal.path("evidence?limit=2"));
        }
        assert_eq!(
            seen,
            ["buyer https://files.example/1", "seller https://files.example/2", "seller https://files.example/3"]
        );
        // Bounded for each side, and closed with the dispute.
        let ten = json!({ "evidence": vec![piece("x"); 10] });
        deal.does(&holdfast.buyer, "dispute/evidence", ten.clone()).await.is(200);
        deal.does(&holdfast.buyer, "dispute/evidence", ten).await.refuses(422, "limit_reached");
        deal.does(&holdfast.buyer, "dispute/withdraw", json!({})).await.is(200);
        let late = json!({ "evidence": [piece("4")] });
        deal.does(&holdfast.seller, "dispute/evidence", late).await.refuses(409, "transition_refused");
    })
    .await;
}

#[tokio::test]
async fn an_offer_is_accepted_by_the_other_side_and_by_its_name() {
    on_holdfast(async |holdfast| {
        let deal = half_disputed(holdfast).await;
        let offer = async |who, to_buyer: &str| {
            let offered = deal.does(who, "dispute/propose", json!({ "to_buyer": to_buyer })).await.is(200);
            json!({ "proposal": offered.text("/dispute/proposal/id") })
        };
        let first = offer(&holdfast.seller, "10.00").await;
        let second = offer(&holdfast.seller, "25.00").await;
        // The buyer has read the first; it is not what counts any more.
        deal.does(&holdfast.buyer, "dispute/accept", first).await.refuses(409, "proposal_replaced");
        deal.does(&holdfast.seller, "dispute/accept", second.clone()).await.refuses(409, "own_proposal");
        let another = half_disputed(holdfast).await;
        another.does(&holdfast.buyer, "dispute/accept", second.clone()).await.refuses(409, "proposal_replaced");
        let too_much = json!({ "to_buyer": "75.01" });
        deal.does(&holdfast.buyer, "dispute/propose", too_much).await.refuses(422, "amount_too_large");

        let settled = deal.does(&holdfast.buyer, "dispute/accept", second).await.is(200);
        settled.shows(json!({
            "held": "75.00", "disputed": "0.00", "released": "50.00", "refunding": "25.00",
            "dispute": { "status": "settled", "to_buyer": "25.00" },
        }));
        holdfast.settle().await;
        given_back_once(&deal, 2_500).await;
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "45.00" }));
    })
    .await;
}

#[tokio::test]
async fn the_queue_of_disputes_begins_with_the_nearest_deadline() {
    on_holdfast(async |holdfast| {
        let slow = half_disputed(holdfast).await;
        let fast = holdfast.delivered(json!({ "policy": { "dispute_rule_within": "P5D" } })).await;
        fast.does(&holdfast.buyer, "dispute", json!({ "reason": "No." })).await.is(200);
        holdfast.delivered(json!({})).await;
        for who in [&holdfast.arbiter, &holdfast.operator] {
            let queue = who.get("/v1/disputes").send().await.is(200);
            queue.shows(json!({ "data": [
                { "escrow": fast.id, "amount": "150.00", "status": "open", "buyer": "usr_buyer" },
                { "escrow": slow.id, "amount": "75.00", "evidence": { "buyer": 1, "seller": 0 } },
            ], "next_cursor": null }));
        }
        // Nobody sees a deal of their own there.
        let party = holdfast.api.caller("usr_seller", "arbiter").await;
        party.get("/v1/disputes").send().await.is(200).shows(json!({ "data": [] }));
        for who in [&holdfast.buyer, &holdfast.seller, &holdfast.platform, &holdfast.stranger] {
            who.get("/v1/disputes").send().await.refuses(403, "forbidden");
        }
    })
    .await;
}

#[tokio::test]
async fn a_chargeback_can_be_answered_from_the_journal() {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({})).await;
        deal.does(&holdfast.seller, "deliver", json!({ "note": "Version 3 is in the folder." })).await.is(200);
        deal.does(&holdfast.buyer, "release", json!({})).await.is(200);
        let intent = holdfast.sandbox().await.list("/payment_intents")[0].text("/id").to_owned();
        let bank = format!("/_local/sandbox/stripe/payment_intents/{intent}/chargeback");
        holdfast.api.post(&bank).json(&json!({})).send().await.is(200);
        holdfast.settle().await;

        let path = deal.path("chargeback-evidence");
        let told = holdfast.operator.get(&path).send().await.is(200);
        let answer = &told.list("/data")[0];
        answer.shows(json!({ "gateway": "stripe", "payment": deal.payment, "status": "open" }));
        let evidence = |field: &str| answer.text(&format!("/evidence/{field}")).to_owned();
        assert!(evidence("uncategorized_text").contains("Version 3 is in the folder."));
        assert!(evidence("access_activity_log").ends_with("usr_buyer release"), "{}", evidence("access_activity_log"));
        assert!(evidence("refund_refusal_explanation").starts_with("The buyer accepted"));
        assert_eq!(evidence("service_date").len(), "2026-03-02".len());
        for party in [&holdfast.buyer, &holdfast.seller] {
            party.get(&path).send().await.refuses(403, "forbidden");
        }
        // Both sides see that there is one; what passed between bank and gateway is the platform's.
        let inside = |view: &Value| view.list("/chargebacks")[0]["reference"].is_string();
        assert!(!inside(&deal.stands().await) && inside(&deal.seen_by(&holdfast.platform).await));
    })
    .await;
}
