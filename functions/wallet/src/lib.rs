//! Lambda: what belongs to a user, how it came about, and how it leaves.

mod balances;
mod bulk;
mod commands;
mod payouts;
mod statement;
mod top_ups;

use escrow_domain::id::UserId;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees. A wallet is its owner's and the operators'; for anybody else it does not exist.
pub async fn handle(app: &App, incoming: Incoming) -> Answer<Reply> {
    let caller = app.auth.authenticate(&incoming, app.clock.now()).await?;
    let parts: Vec<&str> = incoming.path().split('/').skip(2).collect();
    match (incoming.method().as_str(), parts.as_slice()) {
        ("GET", ["wallets", _]) => balances::show(app, &incoming, &caller).await,
        ("GET", ["wallets", _, "transactions"]) => statement::list(app, &incoming, &caller).await,
        ("GET", ["wallets", _, "payouts"]) => payouts::list_of_owner(app, &incoming, &caller).await,
        ("POST", ["wallets", _, "payouts"]) => payouts::ask(app, &incoming, &caller).await,
        ("GET", ["wallets", _, "top-ups"]) => top_ups::list(app, &incoming, &caller).await,
        ("GET", ["top-ups", _]) => top_ups::show(app, &incoming, &caller).await,
        ("GET", ["payouts"]) => payouts::list_waiting(app, &incoming, &caller).await,
        ("POST", ["payouts"]) => bulk::ask_all(app, &incoming, &caller).await,
        ("GET", ["payouts", _]) => payouts::show(app, &incoming, &caller).await,
        ("POST", ["payouts", _, _]) => commands::carry_out(app, &incoming, caller).await,
        _ => Err(Problem::not_found("wallet")),
    }
}

/// Whose wallet it is, if the caller may look at it.
fn owner_of(incoming: &Incoming, caller: &Caller) -> Answer<UserId> {
    let owner: UserId = incoming.parameter("owner", "wallet")?;
    if owner == caller.sub || caller.scopes.operator { Ok(owner) } else { Err(Problem::not_found("wallet")) }
}

/// Whatever only operators may do.
fn only_operators(caller: &Caller) -> Answer<()> {
    if caller.scopes.operator { Ok(()) } else { Err(Problem::forbidden("This is for operators.")) }
}
