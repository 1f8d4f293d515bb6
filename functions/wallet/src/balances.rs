//! `GET /v1/wallets/{owner}`: what there is now, or was at a moment.

use crate::owner_of;
use escrow_domain::id::UserId;
use escrow_domain::time::Timestamp;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::problem::Answer;
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;

pub(crate) async fn show(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let owner = owner_of(incoming, caller)?;
    let at = incoming.query(&["at"])?.read::<Timestamp>("at", "a moment such as 2026-03-01T09:30:00Z")?;
    match at {
        Some(at) => show_at(app, &owner, at).await,
        None => Ok(Reply::ok(&views::wallet(&owner, &app.store.wallets(&owner).await?))),
    }
}

/// The statement tells what there was: the balance after the last line up to that moment.
async fn show_at(app: &App, owner: &UserId, at: Timestamp) -> Answer<Reply> {
    let mut lines = Vec::new();
    for wallet in app.store.wallets(owner).await? {
        let line = app.store.line_at(&wallet, at).await?;
        lines.extend(line);
    }
    Ok(Reply::ok(&views::wallet_at(owner, at, &lines)?))
}
