//! Commands carried out through the whole wrapper, on a real DynamoDB API.

use super::*;
use crate::bed;
use crate::deal::{after, by, created, paid, start, user};
use crate::serve::serve;
use escrow_domain::dispute::Evidence;
use escrow_domain::lifecycle::Role;
use escrow_domain::time::Period;
use lambda_http::{Body, RequestExt};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    reason: Option<String>,
}

async fn release(app: &App, incoming: Incoming) -> Answer<Reply> {
    carry_out(app, &incoming, |body: ReleaseBody, _escrow| {
        Ok(Command::Release { milestone: None, amount: None, reason: body.reason })
    })
    .await
}

async fn dispute(app: &App, incoming: Incoming) -> Answer<Reply> {
    let evidence: Vec<Evidence> = Vec::new();
    carry_out(app, &incoming, |_: Value, _escrow| {
        Ok(Command::Dispute { milestone: None, amount: None, reason: "broken".into(), evidence })
    })
    .await
}

/// An app whose table holds this escrow, an hour after it began.
async fn app_with(escrow: &Escrow) -> App {
    let app = bed::app_with_table(start().after(Period::hours(1))).await;
    app.store.commit(0, escrow).await.unwrap();
    app
}

struct Call<'a> {
    id: String,
    sub: &'a str,
    scopes: &'a [&'a str],
    key: Option<&'a str>,
    if_match: Option<&'a str>,
    query: &'a str,
    body: &'a str,
}

impl<'a> Call<'a> {
    fn by(sub: &'a str, escrow: &Escrow) -> Self {
        Self { id: escrow.id.to_string(), sub, scopes: &[], key: Some("key-1"), if_match: None, query: "", body: "" }
    }

    fn request(&self, app: &App) -> crate::Request {
        let mut builder = http::Request::builder()
            .method("POST")
            .uri(format!("/v1/escrows/{}/release{}", self.id, self.query))
            .header("authorization", format!("Bearer {}", bed::token(app, self.sub, self.scopes)))
            .header("content-type", "application/json");
        if let Some(key) = self.key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(version) = self.if_match {
            builder = builder.header("if-match", version);
        }
        let parameters: std::collections::HashMap<String, String> = [("id".to_owned(), self.id.clone())].into();
        builder.body(Body::from(self.body.to_owned())).unwrap().with_path_parameters(parameters)
    }

    async fn release(&self, app: &App) -> (u16, Value, bool) {
        answer(serve(app, "release-escrow", self.request(app), |incoming| release(app, incoming)).await)
    }

    async fn dispute(&self, app: &App) -> (u16, Value, bool) {
        answer(serve(app, "command-escrow", self.request(app), |incoming| dispute(app, incoming)).await)
    }
}

fn answer(response: crate::Response) -> (u16, Value, bool) {
    let Body::Text(text) = response.body() else { panic!("no text") };
    (
        response.status().as_u16(),
        serde_json::from_str(text).unwrap(),
        response.headers().contains_key("idempotency-replayed"),
    )
}

async fn available(app: &App) -> String {
    let wallets = app.store.wallets(&user("usr_seller")).await.unwrap();
    let view = serde_json::to_value(crate::views::wallet(&user("usr_seller"), &wallets)).unwrap();
    view["balances"][0]["available"].as_str().unwrap_or("nothing").to_owned()
}

#[tokio::test]
async fn a_release_credits_the_seller_once_however_often_it_is_sent() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let call = Call::by("usr_buyer", &escrow);
    let (status, first, replayed) = call.release(&app).await;
    assert_eq!((status, first["status"].as_str(), replayed), (200, Some("released"), false), "{first}");
    let (status, again, replayed) = call.release(&app).await;
    assert_eq!((status, again["version"] == first["version"], replayed), (200, true, true));
    assert_eq!(available(&app).await, "135.00");
    assert_eq!(app.metrics.kept().len(), 1, "one transition, counted once");

    let (status, problem, _) =
        Call { body: "{\"reason\": \"other\"}", ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_key_reused")));
    let (status, problem, _) = Call { key: Some("key-2"), ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!(
        (status, problem["code"].as_str(), problem["state"].as_str()),
        (409, Some("transition_refused"), Some("released"))
    );
    assert!(problem["actions"].as_array().is_some_and(|actions| !actions.is_empty()));
    assert_eq!(available(&app).await, "135.00");
}

#[tokio::test]
async fn a_repeated_request_is_answered_before_anything_can_refuse_it() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    // The version that it names has moved since, by itself.
    let call = Call { if_match: Some("\"2\""), ..Call::by("usr_buyer", &escrow) };
    assert_eq!(call.release(&app).await.0, 200);
    let (status, _, replayed) = call.release(&app).await;
    assert_eq!((status, replayed), (200, true));
}

#[tokio::test]
async fn a_stranger_is_told_what_is_told_of_nothing_and_a_party_why_not() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let (status, stranger, _) = Call::by("usr_stranger", &escrow).release(&app).await;
    let nothing = escrow_domain::id::EscrowId::derive("r", "i", "s", "nothing").to_string();
    let (_, missing, _) = Call { id: nothing, ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!((status, &stranger), (404, &missing));

    for (sub, scopes, expected) in [
        ("usr_seller", &[] as &[&str], (403, "forbidden")),
        ("usr_judge", &["arbiter"], (404, "not_found")),
        ("usr_server", &["platform"], (403, "forbidden")),
        ("usr_support", &["operator"], (422, "reason_required")),
        ("usr_seller", &["operator"], (403, "own_escrow")),
    ] {
        let (status, problem, _) = Call { scopes, ..Call::by(sub, &escrow) }.release(&app).await;
        assert_eq!((status, problem["code"].as_str().unwrap()), expected, "{sub} {scopes:?}: {problem}");
    }
    assert_eq!(available(&app).await, "nothing");
}

#[tokio::test]
async fn an_arbiter_meets_what_is_in_dispute() {
    let command = Command::Dispute { milestone: None, amount: None, reason: "broken".into(), evidence: vec![] };
    let disputed = after(&paid(), command, by(Role::Buyer, "usr_buyer"), "dispute", start().after(Period::minutes(5)));
    let app = app_with(&disputed).await;
    let (status, problem, _) = Call { scopes: &["arbiter"], ..Call::by("usr_judge", &disputed) }.release(&app).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
}

#[tokio::test]
async fn a_rehearsal_needs_no_key_and_writes_nothing() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let (status, told, _) =
        Call { key: None, query: "?dry_run=true", ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!((status, told["dry_run"].as_bool(), told["status"].as_str()), (200, Some(true), Some("released")));
    assert_eq!(told["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.store.escrow(escrow.id).await.unwrap(), Some(escrow.clone()));
    assert_eq!(available(&app).await, "nothing");

    let (status, problem, _) = Call { key: None, ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("idempotency_key_missing")));
    let (status, problem, _) = Call { query: "?dry_run=yes", ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("query_invalid")));
}

#[tokio::test]
async fn who_insists_on_a_version_is_told_when_it_has_moved() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let (status, problem, _) = Call { if_match: Some("\"1\""), ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!((status, problem["code"].as_str()), (412, Some("version_mismatch")));
    let (status, _, _) = Call { if_match: Some("\"2\""), ..Call::by("usr_buyer", &escrow) }.release(&app).await;
    assert_eq!(status, 200, "a refused request leaves no trace, so its key is free");
}

#[tokio::test]
async fn a_bad_body_is_refused_and_changes_nothing() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let huge = format!("{{\"reason\": \"{}\"}}", "x".repeat(70_000));
    for (body, expected) in [
        ("{\"price\": 1}", (400, "unknown_field")),
        ("{\"card_number\": \"4242424242424242\"}", (400, "card_data_refused")),
        ("[]", (400, "body_invalid")),
        (huge.as_str(), (413, "body_too_large")),
    ] {
        let (status, problem, _) = Call { body, ..Call::by("usr_buyer", &escrow) }.release(&app).await;
        assert_eq!((status, problem["code"].as_str().unwrap()), expected);
    }
    assert_eq!(app.store.escrow(escrow.id).await.unwrap(), Some(escrow));
}

#[tokio::test]
async fn of_many_at_once_one_wins_and_the_others_are_told() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let keys: Vec<String> = (0..10).map(|number| format!("key-{number}")).collect();
    let calls: Vec<_> = keys.iter().map(|key| Call { key: Some(key), ..Call::by("usr_buyer", &escrow) }).collect();
    let mut racing = tokio::task::JoinSet::new();
    for (number, call) in calls.iter().enumerate() {
        let (app, request) = (app.clone(), call.request(&app));
        racing.spawn(async move {
            let response = if number % 2 == 0 {
                serve(&app, "release-escrow", request, |incoming| release(&app, incoming)).await
            } else {
                serve(&app, "command-escrow", request, |incoming| dispute(&app, incoming)).await
            };
            response.status().as_u16()
        });
    }
    let statuses = racing.join_all().await;
    let won = statuses.iter().filter(|status| **status == 200).count();
    assert!(won == 1 && statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
}

#[tokio::test]
async fn one_request_sent_ten_times_at_once_is_one_operation() {
    let escrow = paid();
    let app = app_with(&escrow).await;
    let call = Call::by("usr_buyer", &escrow);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (app, request) = (app.clone(), call.request(&app));
        racing.spawn(async move {
            answer(serve(&app, "release-escrow", request, |incoming| release(&app, incoming)).await)
        });
    }
    let answers = racing.join_all().await;
    assert!(answers.iter().all(|(status, _, _)| *status == 200));
    assert_eq!(answers.iter().filter(|(_, _, replayed)| !replayed).count(), 1);
    assert_eq!(available(&app).await, "135.00");
}

#[tokio::test]
async fn what_is_not_paid_cannot_be_disputed() {
    let escrow = created();
    let app = app_with(&escrow).await;
    let (status, problem, _) = Call::by("usr_buyer", &escrow).dispute(&app).await;
    assert_eq!((status, problem["state"].as_str()), (409, Some("pending")));
}
