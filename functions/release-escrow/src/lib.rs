//! Lambda: `POST /v1/escrows/{id}/release`: the buyer accepts, or an operator decides so, and the seller's wallet is credited in the
//! same transaction, exactly once.

use escrow_domain::command::Command;
use escrow_http::amount::AmountField;
use escrow_http::app::App;
use escrow_http::command::carry_out;
use escrow_http::fields::{milestone, note, part};
use escrow_http::problem::Answer;
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    milestone: Option<String>,
    amount: Option<AmountField>,
    reason: Option<String>,
}

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees.
pub async fn handle(app: &App, incoming: Incoming) -> Answer<Reply> {
    carry_out(app, &incoming, |body: Body, escrow| {
        Ok(Command::Release {
            milestone: milestone(body.milestone.as_deref(), "/milestone")?,
            amount: part(body.amount.as_ref(), escrow.terms.currency, "/amount")?,
            reason: note(body.reason, "/reason")?,
        })
    })
    .await
}
