//! Paying sellers: transfers, and the accounts that get them.

use crate::bed::{KEY, SECRET, account, gateways, money, soon, transfer};
use crate::server::{Server, Then};
use crate::wire::{answer, one_request, transferred};
use escrow_domain::currency::Currencies;
use escrow_domain::id::GatewayName;
use escrow_domain::time::Timestamp;
use escrow_gateways::{CallError, Refusal, TransferAsk, TransferState};
use serde_json::{Value, json};

#[tokio::test]
async fn a_transfer_that_is_there_has_left_and_tells_what_came_back() {
    for (reversed, came_back) in [(0, "0.00"), (3_500, "35.00"), (13_500, "135.00")] {
        let mut body = transferred();
        body["amount_reversed"] = json!(reversed);
        let (_, standing) =
            one_request(answer(&body), async |stripe| stripe.transfer(&transfer(), "eff_1", soon()).await).await;
        assert_eq!((standing.reference.as_str(), standing.state), ("tr_1", TransferState::Sent));
        let sar = Currencies::default().find("SAR").unwrap();
        let came_back = escrow_domain::money::Money::parse_or_zero(came_back, sar).unwrap();
        assert_eq!((standing.money, standing.reversed), (money("135.00", "SAR"), came_back));
    }
}

#[tokio::test]
async fn a_transfer_whose_money_cannot_be_read_leaves_doubt() {
    for (name, value) in [
        ("amount", Value::Null),
        ("amount", json!(-1)),
        ("amount_reversed", Value::Null),
        ("currency", Value::Null),
        ("currency", json!("zzz")),
    ] {
        let mut body = transferred();
        body[name] = value;
        let server = Server::start(vec![answer(&body)]).await;
        let all = gateways(&server.base, KEY, SECRET);
        let outcome = all.get(GatewayName::Stripe).unwrap().transfer(&transfer(), "eff_1", soon()).await;
        assert!(matches!(outcome, Err(CallError::InDoubt(_))), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_transfer_is_found_among_its_accounts_by_our_id_and_no_other() {
    let other = |number: u32, ids: Value| {
        json!({ "id": format!("tr_other_{number}"), "amount": 100, "amount_reversed": 0, "currency": "sar",
            "metadata": ids })
    };
    let stranger = json!({ "payout_id": "pyt_00000000000000000000000000" });
    let server = Server::start(vec![
        answer(&json!({ "data": [other(1, json!({})), other(2, stranger)], "has_more": true })),
        answer(&json!({ "data": [other(3, Value::Null), transferred()], "has_more": true })),
    ])
    .await;
    let all = gateways(&server.base, KEY, SECRET);
    let found = all.get(GatewayName::Stripe).unwrap().look_up_transfer(&transfer(), None, soon()).await.unwrap();
    assert_eq!(found.unwrap().reference, "tr_1");
    let lines: Vec<String> = server.received().into_iter().map(|request| request.line).collect();
    // Whatever group it is in, and from a day before it was asked for.
    let all = "GET /v1/transfers?created[gte]=1789913600&destination=acct_1HoldfastSeller01&limit=100 HTTP/1.1";
    assert!(lines.len() == 2 && lines[0] == all, "{lines:?}");
    assert!(lines[1].contains("starting_after=tr_other_2"), "{}", lines[1]);
}

/// Another try of the buyer would bring another charge: only what has succeeded has one for ever.
#[tokio::test]
async fn the_charge_of_a_capture_is_told_once_it_was_paid() {
    for (status, charge, expected) in [
        ("succeeded", json!("ch_1"), Ok("ch_1".to_owned())),
        ("succeeded", Value::Null, Err("capture_not_paid")),
        ("processing", json!("py_1"), Err("capture_not_paid")),
        ("requires_payment_method", json!("ch_1"), Err("capture_not_paid")),
    ] {
        let body = json!({ "id": "pi_1", "status": status, "latest_charge": charge });
        let server = Server::start(vec![answer(&body)]).await;
        let all = gateways(&server.base, KEY, SECRET);
        let outcome = all.get(GatewayName::Stripe).unwrap().charge_of("pi_1", soon()).await;
        let outcome = outcome.map_err(|error| match error {
            CallError::Refused { status: None, code, .. } => code,
            other => panic!("{other}"),
        });
        assert_eq!(outcome, expected.map_err(str::to_owned), "{status} {charge}");
    }
}

#[tokio::test]
async fn a_refusal_says_whether_it_is_for_now() {
    for (status, code, means) in [
        (400, "balance_insufficient", Refusal::FundsMissing),
        (400, "insufficient_capabilities_for_transfer", Refusal::AccountNotReady),
        (400, "account_invalid", Refusal::AccountNotReady),
        (400, "transfers_not_allowed", Refusal::AccountNotReady),
        (404, "resource_missing", Refusal::Final),
        (400, "", Refusal::Final),
    ] {
        let body = json!({ "error": { "type": "invalid_request_error", "code": code, "message": "Because." } });
        let server = Server::start(vec![Then::Answer(status, "", body.to_string())]).await;
        let all = gateways(&server.base, KEY, SECRET);
        let refused = all.get(GatewayName::Stripe).unwrap().transfer(&transfer(), "eff_1", soon()).await;
        assert_eq!(refused.unwrap_err().refusal(), Some(means), "{code}");
    }
    // What is no refusal means nothing of the kind, whatever its words.
    for error in [
        CallError::NotSent("balance_insufficient".to_owned()),
        CallError::InDoubt("balance_insufficient".to_owned()),
        CallError::ServerError { status: 500 },
    ] {
        assert_eq!(error.refusal(), None);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_here() {
    let server = Server::start(vec![]).await;
    let all = gateways(&server.base, KEY, SECRET);
    let stripe = all.get(GatewayName::Stripe).unwrap();
    let step = TransferAsk { money: money("5.124", "KWD"), ..transfer() };
    let refused = stripe.transfer(&step, "eff_1", soon()).await.unwrap_err();
    assert!(matches!(&refused, CallError::Refused { status: None, code, .. } if code == "amount_not_supported"));
    for elsewhere in ["", "acct_1/reject", "acct_1?x=1", "../transfers", "acct_1%2f"] {
        let ask = TransferAsk { account: elsewhere.to_owned(), ..transfer() };
        let refused = [
            stripe.transfer(&ask, "eff_1", soon()).await.unwrap_err(),
            stripe.look_up_transfer(&transfer(), Some(elsewhere), soon()).await.unwrap_err(),
            stripe.charge_of(elsewhere, soon()).await.unwrap_err(),
            stripe.look_up_account(elsewhere, soon()).await.unwrap_err(),
            stripe.account_link(elsewhere, "https://a.example", "https://b.example", soon()).await.unwrap_err(),
        ];
        for error in refused {
            let CallError::Refused { status: None, code, .. } = &error else { panic!("{elsewhere}: {error}") };
            assert_eq!(code, "reference_invalid", "{elsewhere}");
        }
    }
    assert_eq!(server.received().len(), 0);
}

#[tokio::test]
async fn an_account_may_do_what_it_says_and_nothing_else() {
    let whole = json!({
        "id": "acct_1", "payouts_enabled": true, "details_submitted": true, "capabilities": { "transfers": "active" },
        "requirements": { "currently_due": ["external_account"], "disabled_reason": "listed" },
        "metadata": { "seller": "usr_seller" },
    });
    let look_up = async |body: &Value| {
        one_request(answer(body), async |stripe| stripe.look_up_account("acct_1", soon()).await).await.1
    };
    let standing = look_up(&whole).await;
    assert_eq!((standing.account.as_str(), standing.owner.as_ref()), ("acct_1", Some(&account().owner)));
    assert!(standing.payouts_enabled && standing.transfers_active && standing.details_submitted);
    assert_eq!(standing.currently_due, ["external_account"]);
    assert_eq!(standing.disabled_reason.as_deref(), Some("listed"));
    let at = Timestamp::from_seconds(1_790_000_000);
    let told = standing.told(GatewayName::Stripe, at);
    assert!(told.transfers && told.payouts && told.submitted && !told.disconnected);
    assert_eq!((told.account.as_str(), told.told_at), ("acct_1", at));

    for transfers in [json!("inactive"), json!("pending"), json!("thinking"), Value::Null] {
        let mut body = whole.clone();
        body["capabilities"]["transfers"] = transfers;
        assert!(!look_up(&body).await.transfers_active, "{body}");
    }
    let bare = look_up(&json!({ "id": "acct_1" })).await;
    assert!(!bare.payouts_enabled && !bare.transfers_active && !bare.details_submitted);
    assert_eq!((bare.owner, bare.currently_due.len(), bare.disabled_reason), (None, 0, None));
    // A name that cannot be a user of ours is nobody's.
    let odd = look_up(&json!({ "id": "acct_1", "metadata": { "seller": "a b" } })).await;
    assert_eq!(odd.owner, None);
}
