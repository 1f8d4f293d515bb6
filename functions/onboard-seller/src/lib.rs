//! Lambda: accounts where sellers are paid, and how they wish to be.

mod onboarding;
mod policy;

use escrow_domain::id::UserId;
use escrow_domain::seller::Seller;
use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees. A seller's accounts are the seller's and the operators'; for anybody else they do not exist.
pub async fn handle(app: &App, gateways: &Gateways, incoming: Incoming) -> Answer<Reply> {
    let caller = app.auth.authenticate(&incoming, app.clock.now()).await?;
    let owner: UserId = incoming.parameter("id", "seller")?;
    if owner != caller.sub && !caller.scopes.operator {
        return Err(Problem::not_found("seller"));
    }
    incoming.query(&[])?;
    match incoming.last_segment() {
        "onboarding" => onboarding::begin(app, gateways, &incoming, owner).await,
        "payout-policy" => policy::set(app, gateways, &incoming, owner).await,
        _ => {
            let seller = app.store.aggregate::<Seller>(&owner).await?;
            Ok(Reply::ok(&views::seller(&owner, seller.as_ref(), &app.store.wallets(&owner).await?)))
        }
    }
}
