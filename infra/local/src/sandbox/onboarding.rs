//! The onboarding page: where an account link leads, for a browser and for programs.
//!
//! `POST {link's url}` `{"outcome": "complete" | "pending" | "incomplete" | "rejected", "currently_due"?: [field],
//! "payouts_enabled"?: bool}` plays the seller and is answered with how the account stands then. The link is used up by it. As at Stripe, a browser that comes a
//! second time, or too late, is sent to the link's `refresh_url`, and one that has finished to its `return_url`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::Sandbox;
use super::accounts::{self, Account, AccountLink, Outcome, Played};
use super::book::{Book, Record};
use super::change::Cause;
use super::page::{LocalRefusal, html, see_other, with_type};
use super::page_html::{escaped, framed, minute, notice};
use super::{form, refusal::Refusal};

/// `GET`: the page, once.
pub(super) async fn show(State(sandbox): State<Sandbox>, Path((account, token)): Path<(String, String)>) -> Response {
    let opened = sandbox.change(Cause::default(), None, |change| {
        let now = change.now;
        let (account, link) = find(change.book, &account, &token)?;
        if link.opened || link.used || link.expires_at <= now.as_seconds() {
            return Some(see_other(link.refresh_url));
        }
        change.put(Record::AccountLink(AccountLink { opened: true, ..link }));
        Some(html(StatusCode::OK, page(&account, &token, &minute(now.as_seconds()))))
    });
    match opened {
        Ok(Some(response)) => response,
        Ok(None) => nothing_here(),
        Err(error) => LocalRefusal::from(error).into_response(),
    }
}

fn find(book: &Book, account: &str, token: &str) -> Option<(Account, AccountLink)> {
    let link = book.links.get(token).filter(|link| link.account == account)?;
    Some((book.account(account)?.clone(), link.clone()))
}

fn nothing_here() -> Response {
    html(StatusCode::NOT_FOUND, notice("No such link", "There is no onboarding under this address."))
}

/// `POST`: the seller has come to an end.
pub(super) async fn submit(
    State(sandbox): State<Sandbox>,
    Path((account, token)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        return submitted_by_page(&sandbox, &account, &token, &body);
    }
    let played: Result<Played, _> = serde_json::from_slice(&body);
    let done = played.map_err(|error| LocalRefusal::invalid(error.to_string()));
    match done.and_then(|played| play_seller(&sandbox, &account, &token, &played)) {
        Ok((_, summary)) => with_type(StatusCode::OK, format!("{summary:#}"), "application/json"),
        Err(refusal) => refusal.into_response(),
    }
}

fn submitted_by_page(sandbox: &Sandbox, account: &str, token: &str, body: &[u8]) -> Response {
    let outcome = form::parse(body).and_then(|mut form| {
        let outcome = match form.required("outcome")?.as_str() {
            "complete" => Outcome::Complete,
            "pending" => Outcome::Pending,
            "incomplete" => Outcome::Incomplete,
            "rejected" => Outcome::Rejected,
            _ => return Err(Refusal::invalid("The page has four buttons: complete, pending, incomplete, rejected.")),
        };
        form.finish()?;
        Ok(outcome)
    });
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(refusal) => return html(StatusCode::BAD_REQUEST, notice("Not understood", &refusal.message)),
    };
    let link = find(&sandbox.desk().book, account, token).map(|(_, link)| link);
    match (play_seller(sandbox, account, token, &Played { outcome, currently_due: None, payouts_enabled: true }), link)
    {
        (Ok((link, _)), _) => see_other(link.return_url),
        (Err(refusal), Some(link)) if refusal.status == StatusCode::CONFLICT => see_other(link.refresh_url),
        (Err(refusal), Some(_)) => html(refusal.status, notice("That did not work", &refusal.detail)),
        (Err(_), None) => nothing_here(),
    }
}

/// Does it, durably with its webhooks.
fn play_seller(
    sandbox: &Sandbox,
    account: &str,
    token: &str,
    played: &Played,
) -> Result<(AccountLink, Value), LocalRefusal> {
    sandbox.change(Cause::default(), None, |change| {
        let found = find(change.book, account, token);
        let (account, link) = found.ok_or_else(|| LocalRefusal::missing("account link"))?;
        if link.used {
            return Err(LocalRefusal::conflict("link_used", "The link was used before; ask for another one."));
        }
        if link.expires_at <= change.now_s() {
            return Err(LocalRefusal::conflict("link_expired", "The link has expired; ask for another one."));
        }
        let link = AccountLink { used: true, ..link };
        change.put(Record::AccountLink(link.clone()));
        let turned = accounts::turn(change, &account, played);
        let shown = accounts::shown(&turned);
        let events: Vec<Value> = change.events().iter().map(|(id, kind)| json!({"id": id, "type": kind})).collect();
        let summary = json!({
            "account": turned.id, "details_submitted": shown["details_submitted"],
            "payouts_enabled": shown["payouts_enabled"], "capabilities": shown["capabilities"],
            "requirements": shown["requirements"], "return_url": link.return_url, "events": events,
        });
        Ok((link, summary))
    })?
}

fn page(account: &Account, token: &str, time: &str) -> String {
    let due: String = account
        .currently_due
        .iter()
        .map(|field| format!("<li><span>{}</span><b>asked for</b></li>", escaped(field)))
        .collect();
    let buttons = "<button class=\"pay\" name=\"outcome\" value=\"complete\">Complete</button><div class=\"others\">\
        <button name=\"outcome\" value=\"pending\">Being checked</button>\
        <button name=\"outcome\" value=\"incomplete\">Leave it open</button>\
        <button name=\"outcome\" value=\"rejected\">Rejected</button></div>";
    let body = format!(
        "<main><section class=\"card\"><h1>To be paid by this shop</h1><div class=\"amount\">Onboarding</div>\
         <ul class=\"lines\">{due}</ul><dl><dt>Account</dt><dd>{}</dd><dt>Country</dt><dd>{}</dd></dl></section>\
         <section class=\"card\"><h2>Play the seller</h2><p>Choose how it ends; the webhook follows. It is {time}.</p>\
         <form method=\"post\" action=\"/sandbox/stripe/connect/{}/{}\" autocomplete=\"off\">{buttons}</form></section></main>",
        escaped(&account.id),
        escaped(&account.country),
        escaped(&account.id),
        escaped(token),
    );
    framed("Onboarding", &body)
}
