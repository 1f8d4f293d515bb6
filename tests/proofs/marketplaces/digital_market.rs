//! A digital market: products that complete by themselves, services that wait, disputes with evidence, and withdrawals.

use super::onboard;
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::json;

#[tokio::test]
async fn digital_market() {
    on_holdfast(async |stack| {
        // Order, payment and escrow are created together, by whichever way the buyer pays.
        let file = json!({ "kind": "product", "subject": { "type": "order", "id": "ord_1" }, "method": "card" });
        let product = stack.checkout(file).await;
        product
            .stands()
            .await
            .shows(json!({ "status": "pending", "payments": [{ "status": "open", "method": "card" }] }));
        assert_eq!(stack.balance("usr_seller", "SAR").await, serde_json::Value::Null);
        product.pay(json!({ "outcome": "paid" })).await;
        // Delivered the moment it is paid, and nobody has to say anything.
        stack.advance("PT1M").await;
        product.stands().await.shows(json!({ "status": "released" }));
        stack.balance("usr_seller", "SAR").await.shows(json!({ "available": "135.00" }));

        // A service waits; the buyer finds it by role, state and market.
        let service = stack.delivered(json!({ "subject": { "type": "order", "id": "ord_2" } })).await;
        let mine = stack.buyer.get("/v1/escrows?role=buyer&status=delivered&kind=service&limit=5").send().await.is(200);
        mine.shows(json!({ "data": [{ "id": service.id }] }));
        // Unhappy within seven days: the release by itself stops.
        stack.advance("P6D").await;
        let complaint = json!({
            "reason": "It is another song.",
            "evidence": [{ "type": "audio", "uri": "https://files.example/song.mp3", "note": "Listen." }],
        });
        service.does(&stack.buyer, "dispute", complaint).await.is(200);
        stack.advance("P3D").await;
        service.stands().await.shows(json!({ "status": "disputed", "disputed": "150.00" }));
        let ruling = json!({ "to_buyer": "50.00", "reason": "Half of it is what was ordered." });
        service.does(&stack.arbiter, "dispute/rule", ruling).await.is(200);
        stack.settle().await;
        service.stands().await.shows(json!({ "status": "split", "released": "100.00", "refunded": "50.00" }));

        // A project is released by an administrator, with a reason.
        let project =
            stack.delivered(json!({ "kind": "project", "subject": { "type": "order", "id": "ord_3" } })).await;
        project.does(&stack.operator, "release", json!({})).await.refuses(422, "reason_required");
        let reason = json!({ "reason": "Both agreed by phone." });
        project.does(&stack.operator, "release", reason).await.is(200).shows(json!({ "status": "released" }));

        // And one by itself, seven days after delivery, with a reminder to both before.
        let silent = stack.delivered(json!({ "subject": { "type": "order", "id": "ord_4" } })).await;
        stack.advance("P6D").await;
        stack.advance("P1D").await;
        silent.stands().await.shows(json!({ "status": "released" }));
        assert_eq!(silent.story().await, "create fund deliver remind auto_release");

        // The seller withdraws: automatically, from fifty on, as soon as there is enough.
        onboard(stack, &stack.seller).await;
        let policy = json!({ "currency": "SAR", "automatic": true, "gateway": "stripe", "minimum": "50.00" });
        stack.seller.post("/v1/sellers/usr_seller/payout-policy").once().json(&policy).send().await.is(200);
        stack.advance("PT5M").await;
        let wallet = stack.balance("usr_seller", "SAR").await;
        wallet.shows(json!({ "available": "0.00", "pending": "0.00", "total_withdrawn": wallet["total_earned"] }));
        let payouts = stack.seller.get("/v1/wallets/usr_seller/payouts").send().await.is(200);
        payouts.shows(json!({ "data": [{ "status": "paid", "amount": wallet["total_earned"] }] }));
    })
    .await;
}
