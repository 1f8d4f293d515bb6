//! Items that a function cannot read: a newer release wrote them, or something has damaged them.

use aws_sdk_dynamodb::types::AttributeValue;
use holdfast::faults::{Call, Verdict};
use holdfast::{Local, Options};
use holdfast_tests::json::Look;
use holdfast_tests::stack::Stack;
use serde_json::json;

/// While the story is played the only escrow looks as a newer release would write it.
async fn with_the_format_of_a_newer_release(local: &Local, story: impl AsyncFnOnce()) {
    let database = local.dynamodb();
    let everything = database.scan().table_name(local.table()).send().await.unwrap();
    let is_escrow = |key: &str| key == "E";
    let escrow =
        everything.items().iter().find(|item| item["sk"].as_s().is_ok_and(|key| is_escrow(key))).expect("an escrow");
    let put = async |value: AttributeValue| {
        #[expect(clippy::disallowed_methods, reason = "the damage that must be survived")]
        let update = database.update_item().table_name(local.table());
        let update = update.key("pk", escrow["pk"].clone()).key("sk", escrow["sk"].clone());
        let update = update.update_expression("SET #f = :f").expression_attribute_names("#f", "f");
        update.expression_attribute_values(":f", value).send().await.unwrap();
    };
    put(AttributeValue::N("99".to_owned())).await;
    story().await;
    put(escrow["f"].clone()).await;
}

#[tokio::test]
async fn a_payment_told_while_its_escrow_cannot_be_read_is_kept_and_booked_later() {
    let local = Local::start(Options::in_memory()).await.unwrap();
    let holdfast = Stack::at(local.url()).await;
    let deal = holdfast.checkout(json!({})).await;
    with_the_format_of_a_newer_release(&local, async || {
        holdfast.buyer.get(&format!("/v1/escrows/{}", deal.id)).send().await.refuses(500, "internal");
        deal.pay(json!({ "outcome": "paid" })).await;
        let sandbox = holdfast.sandbox().await;
        assert!(!sandbox.list("/webhooks").is_empty());
        for webhook in sandbox.list("/webhooks") {
            webhook.shows(json!({ "last_status": 200, "attempts": 1 }));
        }
    })
    .await;
    holdfast.advance("PT5M").await;
    deal.stands().await.shows(json!({ "status": "held" }));
    holdfast.verify().await;
    local.stop().await;
}

#[tokio::test]
async fn an_item_that_can_neither_be_read_nor_put_off_blocks_nothing() {
    // Putting an item off is the only update that a function makes.
    let refused = |call: &Call<'_>| match call.operation {
        "UpdateItem" => Verdict::Answer { status: 400, code: "ValidationException".to_owned() },
        _ => Verdict::Pass,
    };
    let local = Local::start(Options::in_memory().with_faults(refused)).await.unwrap();
    let holdfast = Stack::at(local.url()).await;
    holdfast.checkout(json!({ "seller": "usr_bad" })).await;
    with_the_format_of_a_newer_release(&local, async || {
        let mut deals = Vec::new();
        // As many sellers as it takes for some to lie in every part of the index of deadlines.
        for number in 0..12 {
            deals.push(holdfast.checkout(json!({ "seller": format!("usr_{number}") })).await);
        }
        holdfast.advance("P1D").await;
        for deal in deals {
            deal.stands().await.shows(json!({ "status": "expired" }));
        }
    })
    .await;
    local.stop().await;
}
