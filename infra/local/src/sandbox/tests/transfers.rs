//! Transfers to sellers, what is taken back of them, the balance that pays for them, and what sellers do with the money.

use super::*;
use escrow_domain::time::Period;
use serde_json::json;

impl Bench {
    /// The charge of a new payment of 150.00 SAR in the group `esc_1`.
    async fn charge(&self) -> String {
        let intent = self.paid().await;
        let intent = self.get(&format!("payment_intents/{intent}")).await.json();
        intent["latest_charge"].as_str().unwrap().to_owned()
    }

    /// What is available and what is pending, in halalas.
    async fn sar(&self) -> (i64, i64) {
        let balance = self.get("balance").await.json();
        let of = |kind: &str| {
            let sums = balance[kind].as_array().unwrap();
            sums.iter().find(|sum| sum["currency"] == "sar").map_or(0, |sum| sum["amount"].as_i64().unwrap())
        };
        (of("available"), of("pending"))
    }

    /// Asks for something in a connected account's name.
    async fn get_of(&self, account: &str, path: &str) -> Answer {
        let request = Request::get(format!("{}/sandbox/stripe/v1/{path}", self.url))
            .header("authorization", "Bearer sk_test_local")
            .header("stripe-account", account)
            .body(Full::default());
        self.send(request.unwrap()).await.unwrap()
    }

    /// The events since the last look: `type account`, in order.
    async fn heard(&self) -> Vec<String> {
        self.sandbox.deliver_due().await;
        let heard = self.endpoint.bodies();
        self.endpoint.forget();
        let line = |event: &Value| {
            let account = event["account"].as_str().map_or("", |_| " of the account");
            format!("{}{account}", event["type"].as_str().unwrap())
        };
        heard.iter().map(line).collect()
    }
}

#[tokio::test]
async fn a_transfer_has_every_field_that_the_official_sdk_reads() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let form =
        format!("amount=13500&currency=sar&destination={seller}&source_transaction={charge}&metadata[payout_id]=pyt_1");
    let made = bench.try_post("transfers", &form, Some("pyt_1-1")).await.unwrap();
    let transfer: stripe_shared::Transfer = serde_json::from_str(&made.text).unwrap();
    assert_eq!((transfer.amount, transfer.amount_reversed, transfer.reversed), (13_500, 0, false));
    assert_eq!(transfer.transfer_group.as_deref(), Some("esc_1"), "it is in the group of its charge");
    assert_eq!(transfer.metadata.get("payout_id").map(String::as_str), Some("pyt_1"));
    let again = bench.try_post("transfers", &form, Some("pyt_1-1")).await.unwrap();
    assert_eq!((&again.text, bench.state().await["transfer_effects"].clone()), (&made.text, json!({"pyt_1": 1})));
    assert_eq!(bench.heard().await, ["transfer.created"]);
    let id = transfer.id.as_str();
    let expand =
        "expand%5B%5D=source_transaction.payment_intent&expand%5B%5D=destination&expand%5B%5D=balance_transaction";
    let shown = bench.get(&format!("transfers/{id}?{expand}")).await;
    assert_eq!(shown.json()["source_transaction"]["payment_intent"]["metadata"]["payment_id"], "pay_1");
    let expanded: stripe_shared::Transfer = serde_json::from_str(&shown.text).unwrap();
    assert_eq!(expanded.destination.unwrap().into_object().unwrap().id.as_str(), seller);
    assert_eq!(expanded.balance_transaction.unwrap().into_object().unwrap().amount, -13_500);
    for (query, count) in [
        ("transfer_group=esc_1".to_owned(), 1),
        ("transfer_group=esc_2".to_owned(), 0),
        (format!("destination={seller}"), 1),
        ("destination=acct_x".to_owned(), 0),
        ("created%5Bgte%5D=1795226400&created%5Blt%5D=1795226401".to_owned(), 1),
        ("created%5Blt%5D=1795226400".to_owned(), 0),
    ] {
        let listed = bench.get(&format!("transfers?{query}")).await.json();
        assert_eq!(listed["data"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn a_transfer_that_stripe_would_not_make_is_refused() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let newcomer = bench.post("accounts", super::accounts::ACCOUNT).await.json()["id"].as_str().unwrap().to_owned();
    let good = format!("amount=5000&currency=sar&destination={seller}&source_transaction={charge}");
    for (form, verdict) in [
        (good.replace("amount=5000&", ""), "400 parameter_missing"),
        (good.replace("amount=5000", "amount=0"), "400 parameter_invalid_integer"),
        (good.replace(&seller, "acct_x"), "400 resource_missing"),
        (good.replace(&seller, &newcomer), "400 insufficient_capabilities_for_transfer"),
        (good.replace(&charge, "ch_x"), "400 resource_missing"),
        (good.replace("currency=sar", "currency=usd"), "400 invalid_request_error"),
        (good.replace("amount=5000", "amount=15001"), "400 invalid_request_error"),
        (format!("{good}&transfer_group=esc_2"), "400 invalid_request_error"),
        (format!("{good}&colour=red"), "400 parameter_unknown"),
        (good.replace("5000", "10000"), "200"),
        (good.replace("5000", "5001"), "400 invalid_request_error"),
        (good.clone(), "400 balance_insufficient"),
        (good.replace("5000", "4000"), "200"),
        (good.replace("5000", "1001"), "400 invalid_request_error"),
    ] {
        assert_eq!(bench.post("transfers", &form).await.verdict(), verdict, "{form}");
    }
    let turn = format!("/_local/sandbox/stripe/accounts/{seller}");
    bench.tell(&turn, r#"{"outcome": "rejected"}"#).await;
    let charge = bench.charge().await;
    let form = format!("amount=1&currency=sar&destination={seller}&source_transaction={charge}");
    assert_eq!(bench.post("transfers", &form).await.verdict(), "400 insufficient_capabilities_for_transfer");
}

#[tokio::test]
async fn what_went_back_to_the_buyer_is_not_there_for_the_seller() {
    let bench = Bench::new().await;
    // Pending, so that it is the charge that bounds, and not the balance.
    bench.set(r#"{"balance": {"available_after_s": 60}}"#).await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    bench.post("refunds", &format!("charge={charge}&amount=6000")).await;
    let form = |amount: u32| format!("amount={amount}&currency=sar&destination={seller}&source_transaction={charge}");
    assert_eq!(bench.post("transfers", &form(9_001)).await.verdict(), "400 invalid_request_error");
    assert_eq!(bench.post("transfers", &form(9_000)).await.status, 200);
}

#[tokio::test]
async fn a_transfer_is_in_the_group_of_its_charge_and_a_charge_without_one_gets_one() {
    let bench = Bench::new().await;
    let seller = bench.seller().await;
    let pay = async |form: &str| {
        let intent = bench.post("payment_intents", form).await.json()["id"].as_str().unwrap().to_owned();
        bench.play(&intent, r#"{"outcome": "paid"}"#).await;
        let charge = bench.get(&format!("payment_intents/{intent}")).await.json()["latest_charge"].clone();
        (intent, charge.as_str().unwrap().to_owned())
    };
    let form = |charge: &str| format!("amount=100&currency=sar&destination={seller}&source_transaction={charge}");
    let (_, grouped) = pay("amount=15000&currency=sar&transfer_group=esc_1").await;
    let refused = bench.post("transfers", &format!("{}&transfer_group=pyt_1", form(&grouped))).await;
    let message = "You cannot use `transfer_group` if the `source_transaction` already has one set.";
    assert_eq!((refused.status, refused.json()["error"]["message"].as_str()), (400, Some(message)));
    assert_eq!(bench.post("transfers", &format!("{}&transfer_group=esc_1", form(&grouped))).await.status, 200);
    let (intent, charge) = pay("amount=15000&currency=sar").await;
    let made = bench.post("transfers", &form(&charge)).await.json();
    assert_eq!(made["transfer_group"], format!("group_{intent}"));
    assert_eq!(bench.get(&format!("charges/{charge}")).await.json()["transfer_group"], format!("group_{intent}"));
}

#[tokio::test]
async fn without_a_source_the_available_balance_must_suffice() {
    let bench = Bench::new().await;
    let seller = bench.seller().await;
    let form = |amount: i64| format!("amount={amount}&currency=sar&destination={seller}&transfer_group=esc_9");
    assert_eq!(
        bench.post("transfers", &form(1)).await.verdict(),
        "400 balance_insufficient",
        "nothing is there at all"
    );
    bench.paid().await;
    // 150.00 less Stripe's 2.9 %.
    assert_eq!(bench.sar().await, (14_565, 0));
    assert_eq!(bench.post("transfers", &form(14_566)).await.verdict(), "400 balance_insufficient");
    let made = bench.post("transfers", &form(14_565)).await.json();
    assert_eq!((made["source_transaction"].as_str(), made["transfer_group"].as_str()), (None, Some("esc_9")));
    assert_eq!(bench.sar().await, (0, 0));
    let adjust = async |amount: i64| {
        let json = format!("{{\"currency\": \"sar\", \"amount\": {amount}}}");
        bench.tell("/_local/sandbox/stripe/balance", &json).await.status
    };
    assert_eq!((adjust(500).await, bench.sar().await), (200, (500, 0)));
    assert_eq!((adjust(-200).await, bench.sar().await), (200, (300, 0)));
    assert_eq!(adjust(0).await, 400);
    assert_eq!(bench.post("transfers", &form(300)).await.status, 200);
}

#[tokio::test]
async fn captured_money_may_be_pending_and_a_source_reaches_it_nevertheless() {
    let bench = Bench::new().await;
    let seller = bench.seller().await;
    bench.set(r#"{"balance": {"available_after_s": 172800}}"#).await;
    let charge = bench.charge().await;
    assert_eq!(bench.sar().await, (0, 14_565));
    let form = format!("amount=5000&currency=sar&destination={seller}");
    assert_eq!(bench.post("transfers", &form).await.verdict(), "400 balance_insufficient");
    assert_eq!(bench.post("transfers", &format!("{form}&source_transaction={charge}")).await.status, 200);
    let of_seller = bench.get_of(&seller, "balance").await.json();
    assert_eq!(
        (of_seller["available"][0]["amount"].as_i64(), of_seller["pending"][0]["amount"].as_i64()),
        (Some(0), Some(5_000))
    );
    let pay_out = format!("/_local/sandbox/stripe/accounts/{seller}/payouts");
    assert_eq!(bench.tell(&pay_out, "").await.verdict(), "409 nothing_to_pay_out", "it waits with its charge");
    let more = format!("amount=9600&currency=sar&destination={seller}&source_transaction={charge}");
    let listed = bench.get("balance_transactions?type=charge").await.json();
    assert_eq!(
        (listed["data"][0]["status"].as_str(), listed["data"][0]["available_on"].as_i64()),
        (Some("pending"), Some(START.as_seconds() + 172_800))
    );
    bench.clock.advance(Period::days(2));
    assert_eq!(bench.sar().await, (9_565, 0));
    assert_eq!(bench.tell(&pay_out, "").await.json()["amount"], 5_000);
    assert_eq!(bench.get("balance_transactions?type=charge").await.json()["data"][0]["status"], "available");
    assert_eq!(
        bench.post("transfers", &more).await.verdict(),
        "400 balance_insufficient",
        "settled, it is like any other"
    );
    assert_eq!(bench.post("transfers", &form).await.status, 200);
    assert_eq!(bench.tell("/_local/sandbox/stripe", r#"{"balance": {"available_after_s": -1}}"#).await.status, 400);
}

#[tokio::test]
async fn a_transfer_is_taken_back_in_parts_and_no_further_than_it_went() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let form = format!("amount=9000&currency=sar&destination={seller}&source_transaction={charge}");
    let transfer = bench.post("transfers", &form).await.json()["id"].as_str().unwrap().to_owned();
    bench.heard().await;
    let reverse = async |form: &str, key: &str| {
        bench.try_post(&format!("transfers/{transfer}/reversals"), form, Some(key)).await.unwrap()
    };
    assert_eq!(reverse("amount=9001", "a").await.verdict(), "400 invalid_request_error");
    let part = reverse("amount=4000&metadata[why]=dispute", "b").await;
    let reversal: stripe_shared::TransferReversal = serde_json::from_str(&part.text).unwrap();
    assert_eq!((reversal.amount, reversal.transfer.id().as_str()), (4_000, transfer.as_str()));
    assert_eq!(reverse("amount=4000&metadata[why]=dispute", "b").await.text, part.text, "once");
    bench.sandbox.deliver_due().await;
    let told = bench.endpoint.bodies().pop().unwrap();
    let object: stripe_shared::Transfer = serde_json::from_value(told["data"]["object"].clone()).unwrap();
    assert_eq!(
        (told["type"].as_str(), object.amount_reversed, object.reversals.data.len()),
        (Some("transfer.reversed"), 4_000, 1)
    );
    assert_eq!(told["data"]["previous_attributes"]["amount_reversed"], 0);
    bench.endpoint.forget();
    let by_hand = format!("/_local/sandbox/stripe/transfers/{transfer}/reversals");
    assert_eq!(bench.tell(&by_hand, r#"{"amount": 1000}"#).await.json()["amount_reversed"], 5_000);
    assert_eq!(reverse("", "c").await.json()["amount"], 4_000, "the rest");
    assert_eq!(bench.heard().await, ["transfer.reversed"; 2]);
    assert_eq!(reverse("", "d").await.verdict(), "400 invalid_request_error");
    assert_eq!(bench.tell(&by_hand, "").await.verdict(), "409 reversal_refused");
    assert!(bench.get(&format!("transfers/{transfer}")).await.json()["reversed"].as_bool().unwrap());
    let listed = bench.get(&format!("transfers/{transfer}/reversals")).await.json();
    let amounts: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|reversal| reversal["amount"].as_i64()).collect();
    assert_eq!(amounts, [Some(4_000), Some(1_000), Some(4_000)]);
    let one = format!("transfers/{transfer}/reversals/{}", listed["data"][1]["id"].as_str().unwrap());
    assert_eq!(bench.get(&one).await.json()["amount"], 1_000);
    assert_eq!(bench.sar().await, (14_565, 0), "all of it is back");
}

#[tokio::test]
async fn what_a_seller_has_paid_out_cannot_be_taken_back_but_by_hand() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let form = format!("amount=9000&currency=sar&destination={seller}&source_transaction={charge}");
    let transfer = bench.post("transfers", &form).await.json()["id"].as_str().unwrap().to_owned();
    bench.tell(&format!("/_local/sandbox/stripe/accounts/{seller}/payouts"), r#"{"amount": 8000}"#).await;
    let path = format!("transfers/{transfer}/reversals");
    assert_eq!(bench.post(&path, "amount=1001").await.verdict(), "400 balance_insufficient");
    assert_eq!(bench.post(&path, "amount=1000").await.status, 200);
    assert_eq!(bench.tell(&format!("/_local/sandbox/stripe/{path}"), "").await.status, 200);
    assert_eq!(bench.get_of(&seller, "balance").await.json()["available"][0]["amount"], -8_000);
}

#[tokio::test]
async fn a_seller_pays_out_and_the_bank_takes_it_or_not() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let pay_out = format!("/_local/sandbox/stripe/accounts/{seller}/payouts");
    assert_eq!(bench.tell(&pay_out, "").await.verdict(), "409 nothing_to_pay_out");
    let form = format!("amount=9000&currency=sar&destination={seller}&source_transaction={charge}");
    bench.post("transfers", &form).await;
    bench.heard().await;
    let failed = bench.tell(&pay_out, r#"{"status": "failed", "failure_code": "no_account"}"#).await;
    let read: stripe_shared::Payout = serde_json::from_str(&failed.text).unwrap();
    assert_eq!(
        (read.amount, read.status.as_str(), read.failure_code.as_deref()),
        (9_000, "failed", Some("no_account"))
    );
    assert_eq!(bench.heard().await, ["payout.created of the account", "payout.failed of the account"]);
    let part = bench.tell(&pay_out, r#"{"amount": 4000, "status": "pending"}"#).await.json();
    let payout = format!("/_local/sandbox/stripe/payouts/{}", part["id"].as_str().unwrap());
    assert_eq!(bench.tell(&pay_out, r#"{"amount": 5001}"#).await.verdict(), "409 nothing_to_pay_out");
    for (status, verdict) in [
        ("in_transit", "200"),
        ("canceled", "409 payout_final"),
        ("paid", "200"),
        ("failed", "200 account_closed"),
        ("paid", "409 payout_final"),
    ] {
        let turned = bench.tell(&payout, &format!("{{\"status\": \"{status}\"}}")).await;
        let code = turned.json()["failure_code"].as_str().map(|code| format!("200 {code}"));
        assert_eq!(code.unwrap_or_else(|| turned.verdict()), verdict, "{status}");
    }
    let told = ["payout.created", "payout.updated", "payout.paid", "payout.failed"];
    assert_eq!(bench.heard().await, told.map(|kind| format!("{kind} of the account")));
    assert_eq!(bench.tell(&pay_out, "").await.json()["status"], "paid", "what failed is there again");
    assert_eq!(bench.get_of(&seller, "balance").await.json()["available"][0]["amount"], 0);
    assert_eq!(bench.get_of(&seller, "payouts?status=failed").await.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(bench.get_of("acct_x", "payouts").await.verdict(), "403 account_invalid");
    assert_eq!(bench.get_of(&seller, "transfers").await.verdict(), "404 invalid_request_error");
}

#[tokio::test]
async fn payouts_may_follow_transfers_by_themselves() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let form = format!("amount=100&currency=sar&destination={seller}&source_transaction={charge}");
    for (switch, told) in [
        (r#""paid""#, &["transfer.created", "payout.created of the account", "payout.paid of the account"][..]),
        (r#""failed""#, &["transfer.created", "payout.created of the account", "payout.failed of the account"]),
        (r#""pending""#, &["transfer.created", "payout.created of the account"]),
        ("null", &["transfer.created"]),
    ] {
        bench.set(&format!("{{\"payouts\": {{\"automatic\": {switch}}}}}")).await;
        assert_eq!(bench.post("transfers", &form).await.status, 200);
        assert_eq!(bench.heard().await, told);
    }
    bench.set(r#"{"payouts": {"automatic": "paid"}}"#).await;
    let stop = r#"{"outcome": "complete", "payouts_enabled": false}"#;
    bench.tell(&format!("/_local/sandbox/stripe/accounts/{seller}"), stop).await;
    bench.heard().await;
    assert_eq!(bench.post("transfers", &form).await.status, 200);
    assert_eq!(bench.heard().await, ["transfer.created"], "it waits until the seller has done what is asked");
}

#[tokio::test]
async fn the_faults_of_a_call_strike_transfers_and_reversals() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let form =
        format!("amount=100&currency=sar&destination={seller}&source_transaction={charge}&metadata[payout_id]=p");
    let mut done = 0;
    for (fault, does) in [
        ("timeout_before", 0),
        ("timeout_after", 1),
        ("lost_before", 0),
        ("lost_after", 1),
        ("400", 0),
        ("409", 0),
        ("429", 0),
        ("500", 0),
        ("500_after", 1),
    ] {
        bench.set(&format!("{{\"next\": [{{\"transfers\": \"{fault}\"}}]}}")).await;
        let answer = bench.try_post("transfers", &form, Some(fault)).await;
        let silent = fault.starts_with("timeout") || fault.starts_with("lost");
        assert_eq!(answer.is_none(), silent, "{fault}");
        assert!(answer.is_none_or(|answer| answer.status.to_string() == fault[..3]), "{fault}");
        done += does;
        assert_eq!(bench.state().await["transfer_effects"]["p"].as_u64().unwrap_or(0), done, "{fault}");
    }
    let transfer = bench.get("transfers?limit=1").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    bench.set(r#"{"next": [{"reversals": "500_after"}], "webhooks": {"duplicates": 1}}"#).await;
    bench.heard().await;
    let reverse = bench.try_post(&format!("transfers/{transfer}/reversals"), "", Some("r")).await.unwrap();
    assert_eq!((reverse.verdict().as_str(), bench.heard().await.len()), ("500 api_error", 2));
    assert!(bench.get(&format!("transfers/{transfer}")).await.json()["reversed"].as_bool().unwrap());
}

#[tokio::test]
async fn a_transfers_key_is_forgotten_after_a_day_like_any_other() {
    let bench = Bench::new().await;
    let (seller, charge) = (bench.seller().await, bench.charge().await);
    let form =
        format!("amount=100&currency=sar&destination={seller}&source_transaction={charge}&metadata[payout_id]=p");
    let mut effects = Vec::new();
    for wait in [Period::ZERO, Period::from_millis(86_399_000), Period::seconds(1)] {
        bench.clock.advance(wait);
        assert_eq!(bench.try_post("transfers", &form, Some("k")).await.unwrap().status, 200);
        effects.push(bench.state().await["transfer_effects"]["p"].as_u64().unwrap());
    }
    assert_eq!(effects, [1, 1, 2], "this is the danger that a key's life brings");
}

#[tokio::test]
async fn transfers_payouts_and_the_balance_survive_a_kill() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let (seller, charge) = (before.seller().await, before.charge().await);
    let form = format!("amount=9000&currency=sar&destination={seller}&source_transaction={charge}");
    let made = before.try_post("transfers", &form, Some("k")).await.unwrap();
    let path = format!("transfers/{}/reversals", made.json()["id"].as_str().unwrap());
    before.post(&path, "amount=1000").await;
    before.set(r#"{"payouts": {"automatic": "paid"}, "balance": {"available_after_s": 60}}"#).await;
    before.tell(&format!("/_local/sandbox/stripe/accounts/{seller}/payouts"), r#"{"amount": 3000}"#).await;
    let known = async |bench: &Bench| {
        let lists = ["transfers", "balance_transactions", "balance"];
        let mut texts = vec![bench.get_of(&seller, "payouts").await.text, bench.get_of(&seller, "balance").await.text];
        for list in lists {
            texts.push(bench.get(list).await.text);
        }
        texts.push(bench.state().await["switches"].to_string());
        texts
    };
    let knew = known(&before).await;
    before.sandbox.stop();
    let after = Bench::over(Some(&folder.0), clock.clone()).await;
    assert_eq!(known(&after).await, knew);
    assert_eq!(after.try_post("transfers", &form, Some("k")).await.unwrap().text, made.text);
    assert_eq!(
        after.heard().await,
        ["transfer.created", "transfer.reversed", "payout.created of the account", "payout.paid of the account"]
    );
    // Rewritten from the book alone, it is the same.
    let records = after.sandbox.desk().book.records();
    after.sandbox.desk().journal.rewrite(&records).unwrap();
    after.sandbox.stop();
    assert_eq!(known(&Bench::over(Some(&folder.0), clock).await).await, knew);
}
