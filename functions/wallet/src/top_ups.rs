//! Payments into wallets: `GET /v1/top-ups/{id}`, and all of an owner's, `GET /v1/wallets/{owner}/top-ups`.

use crate::owner_of;
use escrow_domain::id::TopUpId;
use escrow_domain::top_up::TopUp;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::page::Page;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::lists::Listed;

pub(crate) async fn show(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let id: TopUpId = incoming.parameter("id", "top-up")?;
    incoming.query(&[])?;
    let top_up = app.store.aggregate::<TopUp>(&id).await?.ok_or_else(|| Problem::not_found("top-up"))?;
    if top_up.owner != caller.sub && !caller.scopes.operator {
        return Err(Problem::not_found("top-up"));
    }
    Ok(Reply::ok(&views::top_up(&top_up, app.clock.now())?).version(top_up.version))
}

pub(crate) async fn list(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let owner = owner_of(incoming, caller)?;
    let query = incoming.query(&["limit", "cursor"])?;
    let page = Page::read(&query, &["top-ups of", owner.as_str()])?;
    let Listed { items, next } = app.store.top_ups(&owner, page.limit, page.after.as_deref()).await?;
    let now = app.clock.now();
    // One that cannot be read is left out of a list; whoever asks for it by its id is told.
    let readable = items.into_iter().filter_map(|loaded| loaded.escrow.ok());
    let shown = readable.map(|top_up| views::top_up(&top_up, now)).collect::<Answer<Vec<_>>>()?;
    Ok(Reply::ok(&page.listed(shown, next.as_deref())))
}
