//! Lambda: accounts where sellers are paid, and how they wish to be.

use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees. A seller's accounts are the seller's and the operators'; for anybody else they do not exist.
pub async fn handle(app: &App, _gateways: &Gateways, incoming: Incoming) -> Answer<Reply> {
    app.auth.authenticate(&incoming, app.clock.now()).await?;
    Err(Problem::not_found("seller"))
}
