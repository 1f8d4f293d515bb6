//! Contracts: funded milestone by milestone, delivered, accepted, changed, disputed and settled part by part.

use super::statement;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::json;

#[tokio::test]
async fn contracts() {
    on_holdfast(async |stack| {
        let parts = json!([
            { "title": "Design", "amount": "100.00" },
            { "title": "Build", "amount": "300.00" },
            { "title": "Launch", "amount": "200.00" },
        ]);
        // Awarded: only the first part is paid now.
        let deal = stack
            .checkout(json!({
                "kind": "project", "subject": { "type": "contract", "id": "ctr_1" }, "amount": null, "milestones": parts, "fund": ["m1"],
                "fee_payer": "split",
            }))
            .await;
        deal.pay(json!({ "outcome": "paid", "duplicates": 3, "shuffle": true })).await;
        deal.stands().await.shows(json!({
            "status": "pending", "amount": "600.00", "held": "100.00",
            "milestones": [{ "id": "m1", "status": "held" }, { "status": "pending" }, { "status": "pending" }],
        }));
        // A command has to say which part it means.
        deal.does(&stack.seller, "deliver", json!({})).await.refuses(422, "milestone_required");
        deal.does(&stack.seller, "deliver", json!({ "milestone": "m1" })).await.is(200);
        deal.does(&stack.buyer, "request-changes", json!({ "milestone": "m1", "note": "Larger." })).await.is(200);
        deal.does(&stack.seller, "deliver", json!({ "milestone": "m1" })).await.is(200);

        // Two clicks on *accept* pay once.
        let path = deal.path("release");
        let click = || stack.buyer.post(&path).key("accept-m1").json(&json!({ "milestone": "m1" })).send();
        let (first, second) = tokio::join!(click(), click());
        first.is(200);
        second.is(200);
        assert_eq!(statement(&stack.seller).await, ["release 95.00 -> 95.00"]);

        // The next two parts in one payment.
        let next = json!({ "gateway": "stripe", "milestones": ["m2", "m3"] });
        let opened = stack.buyer.post(&deal.path("checkouts")).once().json(&next).send().await.is(201);
        deal.pay_at(opened.text("/checkout/url"), json!({ "outcome": "paid" })).await;
        deal.stands().await.shows(json!({ "status": "held", "held": "500.00", "released": "100.00" }));

        // A part of *Build* is paid early; of the rest a third is disputed, and the other parts go on.
        let early = json!({ "milestone": "m2", "amount": "60.00" });
        deal.does(&stack.buyer, "release", early).await.is(200).shows(json!({ "released": "160.00" }));
        deal.does(&stack.seller, "deliver", json!({ "milestone": "m2" })).await.is(200);
        let objection = json!({
            "milestone": "m2", "amount": "80.00", "reason": "The search is missing.",
            "evidence": [{ "type": "screenshot", "uri": "https://files.example/1.png", "sha256": "ab".repeat(32), "note": "Nothing." }],
        });
        deal.does(&stack.buyer, "dispute", objection).await.is(200).shows(json!({
            "disputed": "80.00", "milestones": [{}, { "status": "disputed", "held": "160.00" }, { "status": "held" }],
        }));
        deal.does(&stack.seller, "deliver", json!({ "milestone": "m3" })).await.is(200);
        deal.does(&stack.buyer, "release", json!({ "milestone": "m3" })).await.is(200);
        let answer = json!({ "evidence": [{ "type": "message", "uri": "https://files.example/2.txt", "note": "It was cut." }] });
        deal.does(&stack.seller, "dispute/evidence", answer).await.is(200);
        let shown = stack.arbiter.get(&deal.path("evidence")).send().await.is(200);
        assert_eq!(shown.list("/data").len(), 2, "{shown:#}");
        let open = stack.arbiter.get("/v1/disputes").send().await.is(200);
        open.shows(json!({ "data": [{ "escrow": deal.id }] }));
        // Nobody rules while evidence is still being brought.
        let ruling = json!({ "to_buyer": "80.00", "reason": "No." });
        deal.does(&stack.arbiter, "dispute/rule", ruling).await.refuses(409, "too_early");

        // They settle it themselves: the later offer counts.
        deal.does(&stack.seller, "dispute/propose", json!({ "to_buyer": "20.00" })).await.is(200);
        let offer = deal.does(&stack.buyer, "dispute/propose", json!({ "to_buyer": "50.00" })).await.is(200);
        let offer = offer.text("/dispute/proposal/id").to_owned();
        deal.does(&stack.buyer, "dispute/accept", json!({ "proposal": offer })).await.is(409);
        deal.does(&stack.seller, "dispute/accept", json!({ "proposal": offer })).await.is(200);
        stack.settle().await;
        deal.stands().await.shows(json!({ "disputed": "0.00", "refunded": "50.00" }));

        // Silence is acceptance of the rest, with a reminder the day before.
        stack.advance("P6D").await;
        stack.advance("P1D").await;
        deal.stands().await.shows(json!({
            "status": "split", "held": "0.00", "released": "550.00", "refunded": "50.00",
        }));
        let story = deal.story().await;
        assert!(story.ends_with("remind auto_release"), "{story}");
        // The fee is the platform's on what was released, and the buyer's half of the rest came back with it.
        stack.balance("usr_seller", "SAR").await.shows(json!({ "available": "522.50" }));
    })
    .await;
}
