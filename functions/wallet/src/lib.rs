//! Lambda: what belongs to a user, and how it came about.

use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::wallet::WalletLine;
use escrow_http::app::App;
use escrow_http::page::Page;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::{Incoming, Query};
use escrow_http::views;
use escrow_store::lists::{ListError, Listed};

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees. A wallet is its owner's and the operators'; for anybody else it does not exist.
pub async fn handle(app: &App, incoming: Incoming) -> Answer<Reply> {
    let caller = app.auth.authenticate(&incoming, app.clock.now()).await?;
    let owner: UserId = incoming.parameter("owner", "wallet")?;
    if owner != caller.sub && !caller.scopes.operator {
        return Err(Problem::not_found("wallet"));
    }
    match incoming.last_segment() {
        "transactions" => statement(app, &incoming, &owner).await,
        _ => {
            incoming.query(&[])?;
            Ok(Reply::ok(&views::wallet(&owner, &app.store.wallets(&owner).await?)))
        }
    }
}

/// The lines of one wallet, newest first.
async fn statement(app: &App, incoming: &Incoming, owner: &UserId) -> Answer<Reply> {
    let query = incoming.query(&["currency", "limit", "cursor"])?;
    let filters = query.sorted_without(&["limit", "cursor"]);
    let page = Page::read(&query, &["transactions", owner.as_str(), &filters])?;
    let Some(currency) = currency(app, &query, owner).await? else {
        return Ok(Reply::ok(&page.listed(Vec::<views::LineView>::new(), None)));
    };
    let read = app.store.statement(owner, currency, page.limit, page.after.as_deref()).await;
    let Listed { items, next } = read.map_err(|error| match error {
        ListError::Cursor(_) => Page::cursor_unknown(),
        ListError::Store(store) => store.into(),
    })?;
    // A statement with a line left out would not add up: better none than a wrong one.
    let lines = items.into_iter().collect::<Result<Vec<WalletLine>, _>>().map_err(Problem::internal)?;
    Ok(Reply::ok(&page.listed(lines.iter().map(views::line).collect(), next.as_deref())))
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
