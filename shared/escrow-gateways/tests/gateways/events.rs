//! What each event type says, from fixtures in the shape of Stripe's current API version.

use crate::bed::{escrow, fixtures, post_signed, top_up};
use escrow_domain::id::GatewayName;
use escrow_gateways::{Fact, NoFact, Notice, WebhookRefused};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The fields of objects that are read; every other one may be anything or nothing.
const READ: &[&str] = &[
    "amount",
    "amount_received",
    "amount_refunded",
    "amount_reversed",
    "amount_total",
    "balance_transactions",
    "capabilities",
    "client_reference_id",
    "created",
    "currency",
    "details_submitted",
    "failure_code",
    "failure_reason",
    "id",
    "last_payment_error",
    "metadata",
    "payment_intent",
    "payment_status",
    "payouts_enabled",
    "reason",
    "requirements",
    "status",
];

fn read(event: &Value) -> Result<Notice, WebhookRefused> {
    post_signed(event.to_string().as_bytes())
}

fn fixture(kind: &str) -> Value {
    fixtures().into_iter().find(|(known, _)| known == kind).unwrap().1
}

/// The fixture with its object changed.
fn changed(kind: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut event = fixture(kind);
    change(&mut event["data"]["object"]);
    event
}

fn fact(event: &Value) -> Result<Fact, NoFact> {
    read(event).unwrap().fact
}

#[test]
fn every_event_type_says_its_fact() {
    let table: Vec<String> = fixtures()
        .into_iter()
        .map(|(kind, event)| {
            let notice = read(&event).unwrap();
            assert_eq!(notice.kind, kind);
            let account = notice.account.as_deref().unwrap_or("-");
            format!("{} {} {kind} {account}\n    {:?}\n", notice.event_id, notice.created, notice.fact)
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}

/// Whoever sets a deployment up registers these types at Stripe: one that is missing there would never come.
#[test]
fn the_api_names_every_type_that_is_acted_on() {
    let api = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/openapi.yaml");
    let api = std::fs::read_to_string(api).unwrap();
    let (_, listed) = api.split_once("Register these of Stripe's events").unwrap();
    let (listed, _) = listed.split_once("security:").unwrap();
    let mut named: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
    named.sort_unstable();
    assert_eq!(named, fixtures().iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>());
}

#[test]
fn a_type_that_is_not_acted_on_is_genuine_and_says_nothing() {
    for kind in [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "charge.refund.updated",
        "refund.created",
        "",
    ] {
        let mut event = fixture("checkout.session.completed");
        event["type"] = json!(kind);
        let notice = read(&event).unwrap();
        assert_eq!((notice.kind.as_str(), notice.fact), (kind, Err(NoFact::NotHeeded)));
    }
}

#[test]
fn unknown_fields_and_another_version_change_nothing() {
    fn litter(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.values_mut().for_each(litter);
                map.insert("added_in_2031".to_owned(), json!({ "deep": [1, null, { "id": "x" }] }));
            }
            Value::Array(list) => list.iter_mut().for_each(litter),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    for (kind, event) in fixtures() {
        let plain = read(&event);
        let mut littered = event.clone();
        // Texts of our own are all that metadata holds, so it stays as it is.
        litter(&mut littered);
        if let Some(Value::Object(metadata)) = littered.pointer_mut("/data/object/metadata") {
            metadata.remove("added_in_2031");
        }
        assert_eq!(read(&littered), plain, "{kind}");
        for version in [json!("2019-05-16"), json!("2031-01-01.juniper"), Value::Null] {
            let mut other = event.clone();
            other["api_version"] = version;
            assert_eq!(read(&other), plain, "{kind}");
        }
    }
}

#[test]
fn fields_that_are_not_read_may_be_missing_or_null_or_of_another_form() {
    for (kind, event) in fixtures() {
        let plain = read(&event);
        let names: Vec<String> = event["data"]["object"].as_object().unwrap().keys().cloned().collect();
        for name in names.iter().filter(|name| !READ.contains(&name.as_str())) {
            for form in [None, Some(Value::Null), Some(json!({ "id": 1 })), Some(json!(["x"]))] {
                let mut other = event.clone();
                let object = other["data"]["object"].as_object_mut().unwrap();
                object.remove(name);
                if let Some(form) = form {
                    object.insert(name.clone(), form);
                }
                assert_eq!(read(&other), plain, "{kind} {name}");
            }
        }
        for name in ["pending_webhooks", "request", "api_version"] {
            let mut other = event.clone();
            other.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&other), plain, "{kind} {name}");
        }
    }
}

#[test]
fn fields_that_are_read_may_be_missing_without_another_fact_being_told() {
    for (kind, event) in fixtures() {
        let plain = std::mem::discriminant(&read(&event).unwrap().fact.unwrap());
        for name in READ {
            for value in [None, Some(Value::Null)] {
                let mut other = event.clone();
                let object = other["data"]["object"].as_object_mut().unwrap();
                object.remove(*name);
                object.extend(value.map(|value| ((*name).to_owned(), value)));
                match read(&other) {
                    // Without a name of its own nothing can be said of an object.
                    Err(WebhookRefused::BodyInvalid(_)) => assert_eq!(*name, "id", "{kind}"),
                    Err(refused) => panic!("{kind} {name}: {refused}"),
                    Ok(Notice { fact: Err(why), .. }) => {
                        assert!(matches!(why, NoFact::MoneyUnreadable | NoFact::Foreign), "{kind} {name}: {why:?}");
                    }
                    Ok(Notice { fact: Ok(Fact::PaymentProcessing(_)), .. }) if kind.starts_with("checkout.") => {
                        assert_eq!((kind.as_str(), *name), ("checkout.session.completed", "payment_status"));
                    }
                    Ok(Notice { fact: Ok(fact), .. }) => {
                        assert_eq!(std::mem::discriminant(&fact), plain, "{kind} {name}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_completed_session_is_paid_only_if_it_says_so() {
    for (status, paid) in [("paid", true), ("no_payment_required", true), ("unpaid", false), ("perhaps", false)] {
        let event = changed("checkout.session.completed", |session| session["payment_status"] = json!(status));
        match fact(&event).unwrap() {
            Fact::PaymentPaid { .. } => assert!(paid, "{status}"),
            Fact::PaymentProcessing(_) => assert!(!paid, "{status}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_state_that_is_not_known_is_pending() {
    for status in [json!("pending"), json!("requires_action"), json!("thinking"), Value::Null] {
        let event = changed("refund.updated", |refund| refund["status"] = status);
        let Ok(Fact::RefundMoved(refund)) = fact(&event) else { panic!("no refund") };
        assert_eq!(refund.state, escrow_gateways::RefundState::Pending);
    }
}

#[test]
fn an_object_without_our_ids_or_with_wrong_ones_is_not_taken_for_ours() {
    let ids = |metadata: Value, reference: Value| {
        let event = changed("checkout.session.completed", |session| {
            session["metadata"] = metadata;
            session["client_reference_id"] = reference;
        });
        let Ok(Fact::PaymentPaid { payment, .. }) = fact(&event) else { panic!("not paid") };
        (payment.escrow.map(|id| id.to_string()), payment.payment.map(|id| id.to_string()))
    };
    let ours = escrow().to_string();
    let payment = format!("pay_{}00", escrow().body());
    let stranger = "pay_0000000000000000000000000000";
    assert_eq!(ids(json!({}), Value::Null), (None, None));
    assert_eq!(ids(Value::Null, json!("order-17")), (None, None));
    assert_eq!(ids(json!({ "escrow_id": "17", "payment_id": "x" }), Value::Null), (None, None));
    assert_eq!(ids(json!({}), json!(ours)), (Some(ours.clone()), None));
    assert_eq!(ids(json!({ "payment_id": payment }), json!(ours)), (Some(ours.clone()), Some(payment.clone())));
    assert_eq!(ids(json!({ "escrow_id": ours, "payment_id": stranger }), Value::Null), (Some(ours.clone()), None));
    assert_eq!(ids(json!({ "payment_id": stranger }), json!(ours)), (Some(ours.clone()), None));
    // What names an escrow and a top-up has come from no request of ours.
    let wallet = top_up().to_string();
    assert_eq!(
        ids(json!({ "escrow_id": ours, "payment_id": payment, "top_up_id": wallet }), Value::Null),
        (None, None)
    );
    assert_eq!(ids(json!({ "escrow_id": ours, "payment_id": payment }), json!(wallet)), (None, None));
}

#[test]
fn a_top_up_is_known_by_its_own_id_only() {
    let named = |metadata: Value, reference: Value| {
        let event = changed("checkout.session.completed", |session| {
            session["metadata"] = metadata;
            session["client_reference_id"] = reference;
        });
        let Ok(Fact::PaymentPaid { payment, .. }) = fact(&event) else { panic!("not paid") };
        payment.top_up
    };
    let wallet = top_up().to_string();
    assert_eq!(named(json!({ "top_up_id": wallet }), Value::Null), Some(top_up()));
    assert_eq!(named(json!({}), json!(wallet)), Some(top_up()));
    for other in [escrow().to_string(), "top_1".to_owned(), wallet.replace("top_", "pyt_")] {
        assert_eq!(named(json!({ "top_up_id": other }), Value::Null), None, "{other}");
    }
    assert_eq!(named(json!({ "top_up_id": wallet }), json!(escrow().to_string())), None);
}

#[test]
fn money_that_cannot_be_said_exactly_is_looked_at_by_somebody() {
    for (amount, currency) in [(550, "isk"), (15_000, "xyz"), (-1, "sar"), (i64::MAX, "sar")] {
        let event = changed("payment_intent.succeeded", |intent| {
            intent["amount_received"] = json!(amount);
            intent["currency"] = json!(currency);
        });
        assert_eq!(fact(&event), Err(NoFact::MoneyUnreadable), "{amount} {currency}");
    }
}

/// A seller can create an intent on the own account and write the platform's ids into it.
#[test]
fn an_event_of_a_connected_account_never_moves_the_platforms_money() {
    for (kind, mut event) in fixtures() {
        event["account"] = json!("acct_1SomebodyElse");
        let notice = read(&event).unwrap();
        assert_eq!(notice.account.as_deref(), Some("acct_1SomebodyElse"));
        // Of an account's own state it tells itself, and its bank's; what names another account as itself does not.
        let about_itself = kind.starts_with("payout.") || kind == "account.application.deauthorized";
        assert_eq!(notice.fact.is_ok(), about_itself, "{kind}");
        assert!(about_itself || notice.fact == Err(NoFact::OtherAccount), "{kind}");
    }
}

#[test]
fn a_charge_that_was_made_without_an_intent_is_foreign() {
    let event = changed("charge.refunded", |charge| charge["payment_intent"] = Value::Null);
    assert_eq!(fact(&event), Err(NoFact::Foreign));
}

#[test]
fn the_same_happening_has_one_name_however_it_is_told() {
    let name = |event: &Value| fact(event).unwrap().operation(GatewayName::Stripe);
    let paid = name(&fixture("payment_intent.succeeded"));
    assert_eq!(name(&fixture("checkout.session.completed")), paid);
    assert_eq!(name(&fixture("checkout.session.async_payment_succeeded")), paid);
    let mut again = fixture("payment_intent.succeeded");
    again["id"] = json!("evt_another");
    again["created"] = json!(1_800_000_000);
    assert_eq!(name(&again), paid);
    // One refund's end, told twice; its failure afterwards is news.
    let failed = changed("refund.updated", |refund| refund["status"] = json!("failed"));
    assert_eq!(name(&failed), name(&fixture("refund.failed")));
    assert_ne!(name(&fixture("refund.updated")), name(&fixture("refund.failed")));
    // A chargeback that is lost after an inquiry had ended, or after it was won, is news.
    let ended = |status: &str| name(&changed("charge.dispute.closed", |dispute| dispute["status"] = json!(status)));
    assert_eq!(ended("warning_closed"), ended("won"));
    assert_ne!(ended("lost"), ended("won"));
    // A total that has grown is news; another gateway's object of that name is another thing.
    let part = changed("charge.refunded", |charge| charge["amount_refunded"] = json!(5_000));
    assert_ne!(name(&part), name(&fixture("charge.refunded")));
    assert_ne!(fact(&fixture("payment_intent.succeeded")).unwrap().operation(GatewayName::PayPal), paid);

    let mut names: Vec<_> = fixtures().iter().filter_map(|(_, event)| name(event)).map(|one| one.name).collect();
    names.sort_unstable();
    names.dedup();
    // 24 types; three say that one intent is paid, two that it is closed (intent, page), and seven are told of an account, which has no
    // names: its state, its end, and five of its bank.
    assert_eq!(names.len(), 24 - 2 - 1 - 7);
}

/// The fixtures are read by types that were generated from Stripe's published description of its current version, which
/// demand every field that the version has; the same types refuse an object that lacks one, and so they are not used to read.
#[test]
fn the_fixtures_have_the_shape_of_the_current_version() {
    fn whole<T: DeserializeOwned>(kind: &str, object: &Value) {
        if let Err(error) = serde_json::from_value::<T>(object.clone()) {
            panic!("{kind}: {error}");
        }
    }
    for (kind, event) in fixtures() {
        let object = &event["data"]["object"];
        match object["object"].as_str().unwrap() {
            "checkout.session" => whole::<stripe_shared::CheckoutSession>(&kind, object),
            "payment_intent" => whole::<stripe_shared::PaymentIntent>(&kind, object),
            "charge" => whole::<stripe_shared::Charge>(&kind, object),
            "refund" => whole::<stripe_shared::Refund>(&kind, object),
            "dispute" => whole::<stripe_shared::Dispute>(&kind, object),
            "transfer" => whole::<stripe_shared::Transfer>(&kind, object),
            "payout" => whole::<stripe_shared::Payout>(&kind, object),
            "account" => whole::<stripe_shared::Account>(&kind, object),
            "application" => whole::<stripe_shared::Application>(&kind, object),
            other => panic!("{kind}: {other}"),
        }
        assert_eq!(event["api_version"], json!(stripe_client_core::VERSION.to_string()), "{kind}");
    }
    let mut older = fixture("checkout.session.completed")["data"]["object"].take();
    older.as_object_mut().unwrap().remove("custom_text");
    assert!(serde_json::from_value::<stripe_shared::CheckoutSession>(older).is_err());
}
