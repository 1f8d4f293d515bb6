//! Bounties: a poster funds, a hunter delivers and is paid out through a connected account; refunds and card disputes change the record.

use super::{onboard, pay_with_form, statement};
use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use holdfast_tests::stack::Stack;
use serde_json::{Value, json};

async fn posted(stack: &Stack, bounty: &str) -> Value {
    let order = json!({
        "kind": "service", "subject": { "type": "bounty", "id": bounty }, "buyer": "usr_buyer", "seller": "usr_seller",
        "currency": "USD", "amount": "200.00", "gateway": "stripe", "mode": "elements",
        "metadata": { "userId": "usr_buyer", "purpose": "bounty", "requestId": "req_7" },
    });
    stack.buyer.post("/v1/checkouts").once().json(&order).send().await.is(201)
}

#[tokio::test]
async fn bounties() {
    on_holdfast(async |stack| {
        // A payment intent for the poster's own page: a secret, and no page of the gateway's.
        let opened = posted(stack, "bounty_1").await;
        opened.shows(json!({ "escrow": { "status": "pending" }, "checkout": { "gateway": "stripe" } }));
        assert!(opened.text("/checkout/client_secret").starts_with("pi_"), "{opened:#}");
        let id = opened.text("/escrow/id").to_owned();
        let escrow = format!("/v1/escrows/{id}");

        // A declined card changes nothing; the next one holds the money and ties it to bounty and request.
        pay_with_form(stack, &opened["checkout"], "declined").await;
        stack.buyer.get(&escrow).send().await.is(200).shows(json!({ "status": "pending" }));
        pay_with_form(stack, &opened["checkout"], "paid").await;
        stack.buyer.get(&escrow).send().await.is(200).shows(json!({
            "status": "held", "subject": { "type": "bounty", "id": "bounty_1" }, "metadata": { "requestId": "req_7" },
        }));
        let history = stack.buyer.get("/v1/payments?subject_type=bounty&subject_id=bounty_1").send().await.is(200);
        history.shows(json!({ "data": [{ "status": "paid", "amount": "200.00" }] }));

        // Whoever has nothing to do with it does not know that it exists, and nobody acts without a token.
        stack.stranger.get(&escrow).send().await.refuses(404, "not_found");
        stack.api.get(&escrow).send().await.is(401);
        stack.seller.post(&format!("{escrow}/release")).once().json(&json!({})).send().await.is(403);

        // Delivered and accepted: the hunter's wallet has it, less the fee.
        let act = async |who: &holdfast_tests::api::Caller, command: &str, body: Value| {
            who.post(&format!("{escrow}/{command}")).once().json(&body).send().await
        };
        act(&stack.seller, "deliver", json!({ "note": "Fixed in the branch." })).await.is(200);
        act(&stack.buyer, "release", json!({})).await.is(200).shows(json!({ "status": "released" }));
        stack.balance("usr_seller", "USD").await.shows(json!({ "available": "180.00", "total_earned": "180.00" }));

        // Nobody is paid who has not told the gateway who they are.
        let payouts = "/v1/wallets/usr_seller/payouts";
        let wish = json!({ "currency": "USD", "amount": "150.00", "gateway": "stripe", "escrow": id });
        stack.seller.post(payouts).once().json(&wish).send().await.refuses(409, "seller_not_ready");
        onboard(stack, &stack.seller).await;
        stack.seller.get("/v1/sellers/usr_seller").send().await.is(200).shows(json!({
            "accounts": [{ "gateway": "stripe", "state": "ready" }],
        }));

        // Paid out once, however often it is asked for under one key.
        let asked = stack.seller.post(payouts).key("payout-1").json(&wish).send().await.is(201);
        let again = stack.seller.post(payouts).key("payout-1").json(&wish).send().await;
        assert!(again.is_replay());
        stack.settle().await;
        let payout = format!("/v1/payouts/{}", asked.text("/id"));
        stack.seller.get(&payout).send().await.is(200).shows(json!({ "status": "paid", "amount": "150.00" }));
        let wallet = stack.balance("usr_seller", "USD").await;
        wallet.shows(json!({ "available": "30.00", "pending": "0.00", "total_withdrawn": "150.00" }));
        let transfers = stack.sandbox().await["transfers"].as_array().unwrap().clone();
        assert_eq!(transfers.len(), 1, "{transfers:#?}");
        transfers[0].shows(json!({ "amount": 15_000, "metadata": { "payout_id": asked["id"] } }));

        // The transfer comes back: the money is the hunter's again, and the reason is kept.
        let back = format!("/_local/sandbox/stripe/transfers/{}/reversals", transfers[0].text("/id"));
        stack.api.post(&back).json(&json!({})).send().await.is(200);
        stack.settle().await;
        stack.seller.get(&payout).send().await.is(200).shows(json!({ "status": "returned" }));
        assert_eq!(
            statement(&stack.seller).await,
            ["release 180.00 -> 180.00", "payout -150.00 -> 30.00", "payout_returned 150.00 -> 180.00"]
        );

        // Another bounty: its holder goes to the bank. Nothing leaves until the bank has decided.
        let disputed = posted(stack, "bounty_2").await;
        pay_with_form(stack, &disputed["checkout"], "paid").await;
        let second = format!("/v1/escrows/{}", disputed.text("/escrow/id"));
        let intents = stack.sandbox().await["payment_intents"].as_array().unwrap().clone();
        let ours = intents.iter().find(|intent| intent["metadata"]["escrow_id"] == disputed["escrow"]["id"]).unwrap();
        let bank = format!("/_local/sandbox/stripe/payment_intents/{}/chargeback", ours.text("/id"));
        stack.api.post(&bank).json(&json!({})).send().await.is(200);
        stack.settle().await;
        stack.buyer.post(&format!("{second}/release")).once().json(&json!({})).send().await.refuses(409, "frozen");
        let dispute = stack.sandbox().await.list("/disputes")[0].text("/id").to_owned();
        let ends = json!({ "status": "lost" });
        stack.api.post(&format!("/_local/sandbox/stripe/disputes/{dispute}")).json(&ends).send().await.is(200);
        stack.settle().await;
        stack.operator.get(&second).send().await.is(200).shows(json!({ "status": "refunded", "frozen": [] }));

        // Everything that happened is in the journal, with who did it; the books agree with the gateway's.
        let journal = stack.operator.get(&format!("{escrow}/events?limit=100")).send().await.is(200);
        let story: Vec<&str> = journal.list("/data").iter().rev().map(|entry| entry.text("/type")).collect();
        assert_eq!(story, ["create", "fund", "deliver", "release"]);
    })
    .await;
}
