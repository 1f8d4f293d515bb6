//! From a notice to a command: which aggregate it is about, and what of it is heeded.

use crate::bed::{KEY, SECRET, escrow, fixtures, gateways, payment, post_signed, soon, top_up};
use crate::server::{Server, Then};
use escrow_domain::id::GatewayName;
use escrow_gateways::{Heard, SellerTold, hear};
use serde_json::{Value, json};

/// What an event comes to where the gateway answers a look-up of its intent like this, and how many requests that took.
async fn heard(event: &Value, intent: Then) -> (Heard, usize) {
    let notice = post_signed(event.to_string().as_bytes()).unwrap();
    let server = Server::start(vec![intent]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let heard = hear(all.get(GatewayName::Stripe).unwrap(), &notice, soon()).await;
    (heard, server.received().len())
}

fn intent_with(metadata: &Value) -> Then {
    Then::Answer(200, "", json!({ "id": "pi_3HoldfastIntent0001", "metadata": metadata }).to_string())
}

fn of_the_escrow() -> Value {
    json!({ "escrow_id": escrow().to_string(), "payment_id": payment().to_string() })
}

fn of_the_top_up() -> Value {
    json!({ "top_up_id": top_up().to_string() })
}

fn render(heard: &Heard) -> String {
    match heard {
        Heard::Nothing(word) => format!("nothing: {word}"),
        Heard::Unclear(why) => format!("unclear: {why}"),
        Heard::Escrow { escrow, fact, .. } => format!("{escrow} {fact:?}"),
        Heard::TopUp { top_up, fact, .. } => format!("{top_up} {fact:?}"),
        Heard::Payout { payout, fact, .. } => format!("{payout} {fact:?}"),
        Heard::Seller { gateway, account, owner, told } => {
            let owner = owner.as_ref().map_or("-", |owner| owner.as_str());
            match told {
                SellerTold::Account(told) => format!("{gateway} {account} {owner} {told:?}"),
                SellerTold::Bank(bank) => format!("{gateway} {account} {owner} {bank:?}"),
            }
        }
    }
}

#[tokio::test]
async fn every_event_type_becomes_its_command_on_an_escrow_a_payout_or_a_seller() {
    let mut lines = Vec::new();
    for (kind, event) in fixtures() {
        let (heard, asked) = heard(&event, intent_with(&of_the_escrow())).await;
        lines.push(format!("{kind} ({asked} asked)\n    {}\n", render(&heard)));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// The same events, about money that went into a wallet.
#[tokio::test]
async fn what_a_top_up_paid_becomes_its_command_and_no_escrows() {
    let mut lines = Vec::new();
    for (kind, mut event) in fixtures() {
        if ["transfer.", "payout.", "account.", "refund."].iter().any(|other| kind.starts_with(other)) {
            continue;
        }
        let object = event["data"]["object"].as_object_mut().unwrap();
        object.insert("metadata".to_owned(), if kind.contains("dispute") { json!({}) } else { of_the_top_up() });
        if object.contains_key("client_reference_id") {
            object.insert("client_reference_id".to_owned(), json!(top_up().to_string()));
        }
        let (heard, asked) = heard(&event, intent_with(&of_the_top_up())).await;
        assert!(!matches!(heard, Heard::Escrow { .. } | Heard::Payout { .. }), "{kind}");
        lines.push(format!("{kind} ({asked} asked)\n    {}\n", render(&heard)));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// A seller can make such events about objects of an own account, with any ids in them.
#[tokio::test]
async fn nothing_that_a_connected_account_tells_becomes_money_of_ours() {
    for ids in [of_the_escrow(), of_the_top_up(), json!({ "payout_id": "pyt_4f7k2m9q8r3t5v6w1x0y2z7abc" })] {
        for (kind, mut event) in fixtures() {
            event["account"] = json!("acct_1SomebodyElse");
            event["data"]["object"]["metadata"] = ids.clone();
            let (heard, asked) = heard(&event, intent_with(&ids)).await;
            match heard {
                Heard::Nothing(_) => {}
                // Told of the account that the event comes from, and of no other.
                Heard::Seller { account, .. } => assert_eq!(account, "acct_1SomebodyElse", "{kind}"),
                other => panic!("{kind}: {}", render(&other)),
            }
            assert_eq!(asked, 0, "{kind}");
        }
    }
}

/// The owner is a claim of the object; the account is who speaks. Another account's name in it is not believed.
#[tokio::test]
async fn an_account_speaks_only_for_itself() {
    let (_, event) = fixtures().into_iter().find(|(kind, _)| kind == "account.updated").unwrap();
    let (own, _) = heard(&event, Then::Close).await;
    let Heard::Seller { account, owner, .. } = own else { panic!("{}", render(&own)) };
    assert_eq!((account.as_str(), owner.unwrap().as_str()), ("acct_1HoldfastSeller01", "usr_seller"));

    let mut foreign = event.clone();
    foreign["account"] = json!("acct_1SomebodyElse");
    assert_eq!(render(&heard(&foreign, Then::Close).await.0), "nothing: other_account");
    // The platform's own account is no seller's.
    let mut platform = event;
    platform.as_object_mut().unwrap().remove("account");
    assert_eq!(render(&heard(&platform, Then::Close).await.0), "nothing: ignored");
}

#[tokio::test]
async fn the_platforms_own_payouts_are_nobodys_here() {
    for (_, mut event) in fixtures().into_iter().filter(|(kind, _)| kind.starts_with("payout.")) {
        event.as_object_mut().unwrap().remove("account");
        assert_eq!(render(&heard(&event, Then::Close).await.0), "nothing: ignored");
    }
}

#[tokio::test]
async fn what_cannot_be_traced_now_is_unclear_and_what_is_not_ours_is_foreign() {
    let find = |wanted: &str| fixtures().into_iter().find(|(kind, _)| kind == wanted).unwrap().1;
    let mut bare = find("payment_intent.succeeded");
    bare["data"]["object"]["metadata"] = json!({});
    let mut both = of_the_escrow();
    both["top_up_id"] = json!(top_up().to_string());
    let mut by_hand = find("refund.updated");
    by_hand["data"]["object"]["metadata"] = json!({});
    for event in [bare, find("charge.dispute.created"), by_hand] {
        let kind = event["type"].clone();
        for answer in [Then::Close, Then::Answer(500, "", String::new()), Then::Answer(200, "", "{}".to_owned())] {
            let (unclear, asked) = heard(&event, answer).await;
            assert!(matches!(unclear, Heard::Unclear(_)) && asked == 1, "{kind}: {}", render(&unclear));
        }
        for metadata in [json!({}), both.clone()] {
            let (foreign, _) = heard(&event, intent_with(&metadata)).await;
            assert_eq!(render(&foreign), "nothing: foreign", "{kind}");
        }
    }
    let mut stranger = find("transfer.reversed");
    stranger["data"]["object"]["metadata"] = json!({ "payout_id": "17" });
    assert_eq!(render(&heard(&stranger, Then::Close).await.0), "nothing: foreign");
}

/// Part by part, each return once: the total tells how much of it is new.
#[tokio::test]
async fn each_return_of_a_transfer_has_a_name_of_its_own() {
    let (_, event) = fixtures().into_iter().find(|(kind, _)| kind == "transfer.reversed").unwrap();
    let mut names = Vec::new();
    for (id, total) in [("evt_1", 3_500), ("evt_2", 13_500), ("evt_3", 3_500)] {
        let mut event = event.clone();
        event["id"] = json!(id);
        event["data"]["object"]["amount_reversed"] = json!(total);
        let (heard, _) = heard(&event, Then::Close).await;
        let Heard::Payout { operation, .. } = heard else { panic!("{}", render(&heard)) };
        names.push(operation.name);
    }
    assert_ne!(names[0], names[1]);
    assert_eq!(names[0], names[2], "told again");
}

#[tokio::test]
async fn a_chargebacks_step_tells_how_much_moved() {
    let find = |wanted: &str| fixtures().into_iter().find(|(kind, _)| kind == wanted).unwrap().1;
    let sar = |units: i64| json!({ "amount": units, "currency": "sar" });
    for (kind, movements, moved) in [
        // Less than is disputed: a part had been refunded before.
        ("charge.dispute.funds_withdrawn", json!([sar(-10_000)]), 10_000),
        ("charge.dispute.funds_withdrawn", json!([sar(-10_000), sar(4_000)]), 10_000),
        ("charge.dispute.funds_reinstated", json!([sar(-10_000), sar(4_000)]), 4_000),
        // Settled in another currency: only what is disputed is known in the charge's.
        ("charge.dispute.funds_withdrawn", json!([{ "amount": -2_700, "currency": "usd" }]), 15_000),
        ("charge.dispute.funds_withdrawn", json!([]), 15_000),
        ("charge.dispute.funds_reinstated", Value::Null, 15_000),
    ] {
        let mut event = find(kind);
        event["data"]["object"]["balance_transactions"] = movements.clone();
        let (heard, _) = heard(&event, intent_with(&of_the_escrow())).await;
        let Heard::Escrow { fact: escrow_domain::command::Fact::ChargebackFunds { moved: told, back, .. }, .. } = heard
        else {
            panic!("{kind}: {}", render(&heard))
        };
        assert_eq!((told.amount.units(), back), (moved, kind.ends_with("reinstated")), "{kind} {movements}");
    }
    // Nothing is guessed where it cannot be said exactly.
    let mut event = find("charge.dispute.funds_withdrawn");
    event["data"]["object"]["balance_transactions"] = json!([sar(i64::MIN)]);
    assert!(matches!(heard(&event, intent_with(&of_the_escrow())).await.0, Heard::Unclear(_)));
}
