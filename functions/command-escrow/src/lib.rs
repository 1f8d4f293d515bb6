//! Lambda: the commands of buyers, sellers, arbiters and operators, but for release, which has a function of its own.

mod bodies;
mod evidence;

use bodies::{
    Accept, AddEvidence, Cancel, Deliver, Dispute, Extend, Freeze, Propose, Refund, RequestChanges, Resolve, Rule,
    Unfreeze, WithdrawDispute,
};
use escrow_http::app::App;
use escrow_http::command::carry_out;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;

/// Answers one request: one row a route.
///
/// # Errors
/// The problem that the caller sees.
pub async fn handle(app: &App, incoming: Incoming) -> Answer<Reply> {
    let path: Vec<&str> = incoming.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let ["v1", "escrows", _, command @ ..] = path.as_slice() else { return Err(Problem::not_found("route")) };
    let now = app.clock.now();
    match command {
        ["deliver"] => carry_out(app, &incoming, |body: Deliver, _| body.read()).await,
        ["request-changes"] => carry_out(app, &incoming, |body: RequestChanges, _| body.read()).await,
        ["refund"] => carry_out(app, &incoming, |body: Refund, escrow| body.read(escrow)).await,
        ["cancel"] => carry_out(app, &incoming, |body: Cancel, _| body.read()).await,
        ["dispute"] => carry_out(app, &incoming, |body: Dispute, escrow| body.read(escrow, now)).await,
        ["extend"] => carry_out(app, &incoming, |body: Extend, _| body.read()).await,
        ["dispute", "evidence"] => carry_out(app, &incoming, |body: AddEvidence, _| body.read(now)).await,
        ["dispute", "propose"] => carry_out(app, &incoming, |body: Propose, escrow| body.read(escrow)).await,
        ["dispute", "accept"] => carry_out(app, &incoming, |body: Accept, escrow| body.read(escrow)).await,
        ["dispute", "withdraw"] => carry_out(app, &incoming, |body: WithdrawDispute, _| body.read()).await,
        ["dispute", "rule"] => carry_out(app, &incoming, |body: Rule, escrow| body.read(escrow)).await,
        ["freeze"] => carry_out(app, &incoming, |body: Freeze, _| body.read()).await,
        ["unfreeze"] => carry_out(app, &incoming, |body: Unfreeze, _| body.read()).await,
        ["resolve"] => carry_out(app, &incoming, |body: Resolve, _| body.read()).await,
        _ => Err(Problem::not_found("route")),
    }
}
