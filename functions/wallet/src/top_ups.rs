//! `GET /v1/top-ups/{id}`.

use escrow_domain::id::TopUpId;
use escrow_domain::top_up::TopUp;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;

pub(crate) async fn show(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let id: TopUpId = incoming.parameter("id", "top-up")?;
    incoming.query(&[])?;
    let top_up = app.store.aggregate::<TopUp>(&id).await?.ok_or_else(|| Problem::not_found("top-up"))?;
    if top_up.owner != caller.sub && !caller.scopes.operator {
        return Err(Problem::not_found("top-up"));
    }
    Ok(Reply::ok(&views::top_up(&top_up, app.clock.now())?).version(top_up.version))
}
