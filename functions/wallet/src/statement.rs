//! `GET /v1/wallets/{owner}/transactions`: the lines of one wallet, newest first.

use crate::owner_of;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::WalletLine;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::export::Format;
use escrow_http::page::Page;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::{Incoming, Query};
use escrow_http::views;
use escrow_store::lists::Listed;

/// What a moment looks like.
const MOMENT: &str = "a moment such as 2026-03-01T09:30:00Z";

pub(crate) async fn list(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let owner = owner_of(incoming, caller)?;
    let query = incoming.query(&["currency", "from", "to", "format", "limit", "cursor"])?;
    let format = Format::read(&query)?;
    let (from, to) = (query.read::<Timestamp>("from", MOMENT)?, query.read::<Timestamp>("to", MOMENT)?);
    let filters = query.sorted_without(&["limit", "cursor", "format"]);
    let page = Page::read(&query, &["transactions", owner.as_str(), &filters])?;
    let Some(currency) = currency(app, &query, &owner).await? else {
        return format.reply(&page.listed(Vec::<views::LineView>::new(), None), views::LINE_COLUMNS);
    };
    let after = page.after.as_deref();
    let Listed { items, next } = if from.is_none() && to.is_none() {
        app.store.statement(&owner, currency, page.limit, after).await?
    } else {
        let wallet = app.store.wallet(&owner, currency).await?;
        let first = match from {
            Some(from) => app.store.lines_before(&wallet, from).await?,
            None => 0,
        };
        let end = match to {
            Some(to) => app.store.lines_before(&wallet, to).await?,
            None => wallet.lines,
        };
        app.store.statement_of(&wallet, first..end, page.limit, after).await?
    };
    // A statement with a line left out would not add up: better none than a wrong one.
    let lines = items.into_iter().collect::<Result<Vec<WalletLine>, _>>().map_err(Problem::internal)?;
    format.reply(&page.listed(lines.iter().map(views::line).collect(), next.as_deref()), views::LINE_COLUMNS)
}

/// The unit of the statement: the named one, or that of the owner's only wallet. `None` where there is no wallet at all.
async fn currency(app: &App, query: &Query, owner: &UserId) -> Answer<Option<Currency>> {
    if let Some(code) = query.get("currency") {
        let unknown = || {
            Problem::input(Code::CurrencyUnknown, "?currency", "a code of ISO 4217 in capitals, or a registered coin")
        };
        return app.config.currencies.find(code).map(Some).ok_or_else(unknown);
    }
    match app.store.wallets(owner).await?.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.currency)),
        several => {
            let codes: Vec<&str> = several.iter().map(|wallet| wallet.currency.code()).collect();
            let detail = format!("There are several wallets: name the currency, one of {}.", codes.join(", "));
            Err(Problem::input(Code::QueryInvalid, "?currency", detail))
        }
    }
}
