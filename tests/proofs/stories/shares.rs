//! Who gets what when a deal is divided: parts with every payer of the fee, and a deal whose disputes end in every way there is.

use holdfast_tests::json::Look;
use holdfast_tests::on_holdfast;
use serde_json::{Value, json};

/// A decimal amount in its smallest units.
fn units(amount: &str) -> i64 {
    amount.replace('.', "").parse().unwrap()
}

/// What went to an account in the whole journal, credits less debits, in smallest units.
fn went_to(journal: &[Value], account: &str) -> i64 {
    let postings = journal.iter().flat_map(|entry| entry.list("/postings"));
    let ours = postings.filter(|posting| posting["account"] == account);
    ours.map(|posting| units(posting.text("/amount")) * if posting["direction"] == "credit" { 1 } else { -1 }).sum()
}

/// A deal of 100.10 with a fee of 10.01: 33.33 are released, 20.02 given back, 30.00 released, the rest given back. What the gateway
/// was paid, what the seller and the platform got, and what the gateway has given back.
async fn check_parts(payer: &str, charged: &str, wallet: &str, fees: &str, given_back: &str) {
    on_holdfast(async |holdfast| {
        let deal = holdfast.paid(json!({ "amount": "100.10", "fee_payer": payer })).await;
        for (command, part) in [("release", "33.33"), ("refund", "20.02"), ("release", "30.00"), ("refund", "16.75")] {
            let who = if command == "release" { &holdfast.buyer } else { &holdfast.seller };
            deal.does(who, command, json!({ "amount": part })).await.is(200);
            holdfast.settle().await;
        }
        let stands = deal.stands().await;
        stands.shows(json!({
            "status": "split", "charged": charged, "held": "0.00", "refunding": "0.00", "released": "63.33", "refunded": "36.77",
        }));
        let journal = deal.journal().await;
        let found = [
            units(holdfast.balance("usr_seller", "SAR").await.text("/available")),
            went_to(&journal, "fees"),
            deal.refunds_at_gateway().await.iter().map(|refund| refund["amount"].as_i64().unwrap()).sum(),
        ];
        assert_eq!(found, [units(wallet), units(fees), units(given_back)], "{payer}");
        assert_eq!(found.iter().sum::<i64>(), units(charged), "nothing is lost, and nothing made");
        assert_eq!(went_to(&journal, &format!("escrow:{}", deal.id)), 0);
    })
    .await;
}

#[tokio::test]
async fn of_parts_the_seller_pays_the_fee_of_what_was_released() {
    check_parts("seller", "100.10", "57.00", "6.33", "36.77").await;
}

#[tokio::test]
async fn of_parts_the_buyer_gets_the_fee_of_what_was_given_back() {
    check_parts("buyer", "110.11", "63.33", "6.33", "40.45").await;
}

#[tokio::test]
async fn of_parts_both_pay_their_half_of_the_fee() {
    check_parts("split", "105.10", "60.17", "6.32", "38.61").await;
}

#[tokio::test]
async fn the_parts_of_a_deal_are_disputed_and_settled_in_every_way() {
    on_holdfast(async |holdfast| {
        let parts: Vec<Value> = ["Plan", "Draw", "Dig", "Build", "Paint", "Clean"]
            .iter()
            .map(|title| json!({ "title": title, "amount": "100.00" }))
            .collect();
        let deal = holdfast.paid(json!({ "kind": "project", "amount": null, "milestones": parts })).await;
        for number in 1..=6 {
            let milestone = json!({ "milestone": format!("m{number}") });
            deal.does(&holdfast.seller, "deliver", milestone).await.is(200);
            let dispute = json!({ "milestone": format!("m{number}"), "reason": "It is not what we agreed." });
            deal.does(&holdfast.buyer, "dispute", dispute).await.is(200);
        }
        deal.stands().await.shows(json!({ "status": "disputed", "disputed": "600.00", "held": "0.00" }));

        // The first is taken back, and accepted.
        deal.does(&holdfast.buyer, "dispute/withdraw", json!({ "milestone": "m1" })).await.is(200);
        deal.does(&holdfast.buyer, "release", json!({ "milestone": "m1" })).await.is(200);
        // Of the second the sides find a split by themselves, at the second offer.
        deal.does(&holdfast.seller, "dispute/propose", json!({ "milestone": "m2", "to_buyer": "10.00" })).await.is(200);
        let offer = json!({ "milestone": "m2", "to_buyer": "30.00" });
        let offered = deal.does(&holdfast.buyer, "dispute/propose", offer).await.is(200);
        let disputes = offered.list("/disputes").iter();
        let proposal =
            disputes.filter(|one| one["milestone"] == "m2").map(|one| one.text("/proposal/id").to_owned()).next();
        let accept = json!({ "proposal": proposal });
        deal.does(&holdfast.seller, "dispute/accept", accept).await.is(200);
        // The third and the fourth are ruled, each for one side.
        holdfast.advance("P2D").await;
        for (milestone, to_buyer) in [("m3", "100.00"), ("m4", "0")] {
            let ruling = json!({ "milestone": milestone, "to_buyer": to_buyer, "reason": "I have seen both." });
            deal.does(&holdfast.arbiter, "dispute/rule", ruling).await.is(200);
        }
        // An operator gives the fifth to the seller; nobody decides about the sixth.
        let why = json!({ "milestone": "m5", "reason": "The buyer told us by telephone." });
        deal.does(&holdfast.operator, "release", why).await.is(200);
        deal.stands().await.shows(json!({ "status": "disputed", "disputed": "100.00", "held": "0.00" }));
        holdfast.advance("P28D").await;

        let stands = deal.stands().await;
        stands.shows(json!({
            "status": "split", "disputed": "0.00", "refunding": "0.00", "released": "370.00", "refunded": "230.00",
            "milestones": [
                { "status": "released" }, { "status": "split", "refunded": "30.00" }, { "status": "refunded" },
                { "status": "released" }, { "status": "released" }, { "status": "refunded" },
            ],
        }));
        let ends: Vec<&str> = stands.list("/disputes").iter().map(|dispute| dispute.text("/status")).collect();
        assert_eq!(ends, ["withdrawn", "settled", "ruled", "ruled", "overruled", "defaulted"]);
        // One fee of 60.00 for the whole: the seller pays the share of what was released.
        holdfast.balance("usr_seller", "SAR").await.shows(json!({ "available": "333.00" }));
        let given_back: i64 =
            deal.refunds_at_gateway().await.iter().map(|refund| refund["amount"].as_i64().unwrap()).sum();
        assert_eq!(given_back, 23_000);
    })
    .await;
}
