//! Sellers: their accounts, the links by which they are onboarded, and what Stripe says of them afterwards.

use super::*;
use escrow_domain::time::Period;
use serde_json::json;

/// A seller's account as the gateway crate asks for it.
pub(super) const ACCOUNT: &str = "country=SA&email=seller%40example.com&capabilities[transfers][requested]=true\
    &controller[fees][payer]=application&controller[losses][payments]=application\
    &controller[requirement_collection]=stripe&controller[stripe_dashboard][type]=express&metadata[seller]=usr_seller";
const RETURN: &str = "http://shop.test/back";
const REFRESH: &str = "http://shop.test/again";

impl Bench {
    async fn account(&self) -> String {
        let made = self.post("accounts", ACCOUNT).await;
        assert_eq!(made.status, 200, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// A seller who may be sent money, and whom everybody has been told of.
    pub(super) async fn seller(&self) -> String {
        let account = self.account().await;
        let path = format!("/_local/sandbox/stripe/accounts/{account}");
        assert_eq!(self.tell(&path, r#"{"outcome": "complete"}"#).await.status, 200);
        self.sandbox.deliver_due().await;
        self.endpoint.forget();
        account
    }

    /// The path of a new link's page.
    async fn link(&self, account: &str) -> String {
        let form = format!("account={account}&type=account_onboarding&return_url={RETURN}&refresh_url={REFRESH}");
        let link = self.post("account_links", &form).await;
        assert_eq!(link.status, 200, "{}", link.text);
        link.json()["url"].as_str().unwrap().strip_prefix(&self.url).unwrap().to_owned()
    }

    /// What a browser meets at a page: its status, and where it is sent.
    async fn browse(&self, path: &str, form: Option<&str>) -> String {
        let url = format!("{}{path}", self.url);
        let request = match form {
            Some(form) => Request::post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Full::new(Bytes::from(form.to_owned()))),
            None => Request::get(url).body(Full::default()),
        };
        let answer = self.send(request.unwrap()).await.unwrap();
        let to = answer.headers.get("location").map(|to| to.to_str().unwrap().to_owned());
        to.map_or_else(|| answer.status.to_string(), |to| format!("{} {to}", answer.status))
    }
}

#[tokio::test]
async fn an_account_has_every_field_that_the_official_sdk_reads() {
    let bench = Bench::new().await;
    let made = bench.try_post("accounts", ACCOUNT, Some("seller-1")).await.unwrap();
    let account: stripe_shared::Account = serde_json::from_str(&made.text).unwrap();
    let id = account.id.as_str().to_owned();
    assert_eq!((account.payouts_enabled, account.details_submitted), (Some(false), Some(false)));
    assert_eq!(account.metadata.unwrap().get("seller").map(String::as_str), Some("usr_seller"));
    let controller = &made.json()["controller"];
    assert_eq!(
        (controller["stripe_dashboard"]["type"].as_str(), controller["fees"]["payer"].as_str()),
        (Some("express"), Some("application"))
    );
    assert!(!account.requirements.unwrap().currently_due.unwrap().is_empty());
    assert_eq!(bench.try_post("accounts", ACCOUNT, Some("seller-1")).await.unwrap().text, made.text, "made once");
    assert_eq!(bench.get(&format!("accounts/{id}")).await.text, made.text);
    assert_eq!(bench.get("accounts").await.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(bench.get("accounts/acct_x").await.verdict(), "403 account_invalid");
    assert!(bench.endpoint.types().is_empty());
}

#[tokio::test]
async fn an_account_that_stripe_would_not_make_is_refused() {
    let bench = Bench::new().await;
    for (form, verdict) in [
        (format!("{ACCOUNT}&type=express"), "400 invalid_request_error"),
        (ACCOUNT.replace("country=SA", "country=Saudi"), "400 country_unsupported"),
        (ACCOUNT.replace("[payer]=application", "[payer]=somebody"), "400 invalid_request_error"),
        (ACCOUNT.replace("[payments]=application", "[payments]=stripe"), "400 invalid_request_error"),
        (ACCOUNT.replace("collection]=stripe", "collection]=application"), "400 invalid_request_error"),
        (format!("{ACCOUNT}&controller[colour]=red"), "400 parameter_unknown"),
        (format!("{ACCOUNT}&capabilities[flying][requested]=true"), "400 parameter_unknown"),
        (format!("{ACCOUNT}&colour=red"), "400 parameter_unknown"),
    ] {
        assert_eq!(bench.post("accounts", &form).await.verdict(), verdict, "{form}");
    }
    assert_eq!(bench.post("accounts", "type=express&country=US").await.json()["type"], "express");
    let account = bench.account().await;
    let link = format!("account={account}&type=account_onboarding&return_url={RETURN}&refresh_url={REFRESH}");
    for (form, verdict) in [
        (link.replace(&account, "acct_x"), "400 resource_missing"),
        (link.replace("_onboarding", "_update"), "400 parameter_invalid"),
        (link.replace("refresh_url", "refresh"), "400 parameter_missing"),
        (link.replace("return_url=http:", "return_url=ftp:"), "400 url_invalid"),
    ] {
        assert_eq!(bench.post("account_links", &form).await.verdict(), verdict, "{form}");
    }
}

#[tokio::test]
async fn every_end_of_the_onboarding_is_told_with_what_it_means() {
    let bench = Bench::new().await;
    for (outcome, transfers, payouts, submitted, reason) in [
        ("complete", "active", true, true, Value::Null),
        ("pending", "pending", false, true, json!("requirements.pending_verification")),
        ("incomplete", "inactive", false, false, json!("requirements.past_due")),
        ("rejected", "inactive", false, false, json!("rejected.other")),
    ] {
        let account = bench.account().await;
        let link = bench.link(&account).await;
        let played = bench.tell(&link, &format!("{{\"outcome\": \"{outcome}\"}}")).await.json();
        assert_eq!(played["capabilities"]["transfers"], transfers);
        bench.sandbox.deliver_due().await;
        let told = bench.endpoint.bodies().pop().unwrap();
        bench.endpoint.forget();
        assert_eq!(
            (told["type"].as_str(), told["account"].as_str()),
            (Some("account.updated"), Some(account.as_str()))
        );
        let object = told["data"]["object"].clone();
        assert_eq!(object["capabilities"]["transfers"], transfers, "{outcome}");
        assert_eq!(object["requirements"]["disabled_reason"], reason, "{outcome}");
        let due = object["requirements"]["currently_due"].as_array().unwrap().len();
        assert_eq!(due > 0, outcome == "incomplete", "{outcome}");
        let read: stripe_shared::Account = serde_json::from_value(object.clone()).unwrap();
        assert_eq!((read.payouts_enabled, read.details_submitted), (Some(payouts), Some(submitted)), "{outcome}");
        assert_eq!(bench.get(&format!("accounts/{account}")).await.json(), object);
    }
}

#[tokio::test]
async fn stripe_may_change_its_mind_about_a_seller() {
    let bench = Bench::new().await;
    let account = bench.seller().await;
    let turn = async |json: &str| {
        let turned = bench.tell(&format!("/_local/sandbox/stripe/accounts/{account}"), json).await;
        bench.sandbox.deliver_due().await;
        let told = bench.endpoint.bodies();
        bench.endpoint.forget();
        (turned.json(), told)
    };
    let (asked, told) = turn(r#"{"outcome": "incomplete", "currently_due": ["individual.id_number"]}"#).await;
    assert_eq!(asked["requirements"]["currently_due"], json!(["individual.id_number"]));
    assert_eq!((asked["payouts_enabled"].as_bool(), asked["details_submitted"].as_bool()), (Some(false), Some(true)));
    assert_eq!(told[0]["data"]["previous_attributes"]["payouts_enabled"], true);
    assert_eq!(turn(r#"{"outcome": "complete"}"#).await.1.len(), 1);
    assert_eq!(turn(r#"{"outcome": "complete"}"#).await.1.len(), 0, "nothing has changed");
    let (stopped, told) = turn(r#"{"outcome": "complete", "payouts_enabled": false}"#).await;
    assert_eq!((stopped["payouts_enabled"].as_bool(), told.len()), (Some(false), 1));
    assert_eq!(stopped["capabilities"]["transfers"], "active", "it may be sent money that then waits");
    assert_eq!(stopped["requirements"]["currently_due"], json!(["external_account"]));
    assert_eq!(turn(r#"{"outcome": "rejected"}"#).await.0["requirements"]["disabled_reason"], "rejected.other");
    let none = bench.tell("/_local/sandbox/stripe/accounts/acct_x", r#"{"outcome": "complete"}"#).await;
    assert_eq!(none.verdict(), "404 not_found");
    assert_eq!(
        bench.tell(&format!("/_local/sandbox/stripe/accounts/{account}"), "{}").await.verdict(),
        "400 body_invalid"
    );
}

#[tokio::test]
async fn a_seller_who_leaves_is_out_of_the_platforms_reach() {
    let bench = Bench::new().await;
    let account = bench.seller().await;
    let link = bench.link(&account).await;
    let path = format!("/_local/sandbox/stripe/accounts/{account}/disconnect");
    assert_eq!(bench.tell(&path, "").await.status, 200);
    bench.sandbox.deliver_due().await;
    let told = bench.endpoint.bodies().pop().unwrap();
    assert_eq!(
        (told["type"].as_str(), told["account"].as_str()),
        (Some("account.application.deauthorized"), Some(account.as_str()))
    );
    assert_eq!(bench.get(&format!("accounts/{account}")).await.verdict(), "403 account_invalid");
    assert_eq!(bench.get("accounts").await.json()["data"], json!([]));
    let transfer = format!("amount=1&currency=sar&destination={account}");
    assert_eq!(bench.post("transfers", &transfer).await.verdict(), "400 resource_missing");
    assert_eq!(bench.browse(&link, None).await, "404");
    assert_eq!(bench.tell(&path, "").await.verdict(), "404 not_found");
}

#[tokio::test]
async fn a_link_is_good_once_and_for_five_minutes() {
    let bench = Bench::new().await;
    let account = bench.account().await;
    let complete = r#"{"outcome": "complete"}"#;
    let again = format!("303 {REFRESH}");
    let link = bench.link(&account).await;
    assert_eq!(bench.browse(&link, None).await, "200");
    assert_eq!(bench.browse(&link, None).await, again, "a second visit wants another link");
    assert_eq!(bench.browse(&link, Some("outcome=flown")).await, "400");
    assert_eq!(bench.browse(&link, Some("outcome=incomplete")).await, format!("303 {RETURN}"));
    assert_eq!(bench.browse(&link, Some("outcome=complete")).await, again);
    assert_eq!(bench.tell(&link, complete).await.verdict(), "409 link_used");
    let link = bench.link(&account).await;
    bench.clock.advance(Period::minutes(5));
    assert_eq!(bench.browse(&link, None).await, again);
    assert_eq!(bench.tell(&link, complete).await.verdict(), "409 link_expired");
    let link = bench.link(&account).await;
    bench.clock.advance(Period::from_millis(299_999));
    assert_eq!(bench.tell(&link, r#"{"outcome": "flown"}"#).await.verdict(), "400 body_invalid");
    assert_eq!(bench.tell(&link, complete).await.status, 200);
    let stranger = bench.account().await;
    let elsewhere = bench.link(&account).await.replace(&account, &stranger);
    assert_eq!(bench.browse(&elsewhere, None).await, "404");
    assert_eq!(bench.tell(&elsewhere, complete).await.verdict(), "404 not_found");
}

#[tokio::test]
async fn the_faults_of_a_call_strike_accounts_and_their_links() {
    let bench = Bench::new().await;
    bench
        .set(r#"{"next": [{"accounts": "lost_after"}, {"account_links": "timeout_before"}, {"accounts": "409"}]}"#)
        .await;
    assert!(bench.try_post("accounts", ACCOUNT, Some("a")).await.is_none());
    assert_eq!(bench.try_post("accounts", ACCOUNT, Some("a")).await.unwrap().verdict(), "409 idempotency_key_in_use");
    let made = bench.try_post("accounts", ACCOUNT, Some("a")).await.unwrap();
    assert_eq!(made.headers["idempotent-replayed"], "true");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let form = format!("account={id}&type=account_onboarding&return_url={RETURN}&refresh_url={REFRESH}");
    assert!(bench.try_post("account_links", &form, Some("b")).await.is_none());
    assert_eq!(bench.try_post("account_links", &form, Some("b")).await.unwrap().status, 200);
    assert_eq!(bench.state().await["accounts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn accounts_and_links_survive_a_kill() {
    let folder = Folder::new();
    let clock = Clock::standing(START);
    let before = Bench::over(Some(&folder.0), clock.clone()).await;
    let account = before.account().await;
    let (used, fresh) = (before.link(&account).await, before.link(&account).await);
    assert_eq!(before.tell(&used, r#"{"outcome": "incomplete"}"#).await.status, 200);
    let known = before.get(&format!("accounts/{account}")).await.text;
    before.sandbox.stop();
    let after = Bench::over(Some(&folder.0), clock).await;
    assert_eq!(after.get(&format!("accounts/{account}")).await.text, known);
    assert_eq!(after.tell(&used, r#"{"outcome": "complete"}"#).await.verdict(), "409 link_used");
    assert_eq!(after.tell(&fresh, r#"{"outcome": "complete"}"#).await.status, 200);
    after.sandbox.deliver_due().await;
    assert_eq!(after.endpoint.types(), ["account.updated"; 2]);
}
