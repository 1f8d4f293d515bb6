//! Lambda: everything that only reads: escrows, their journals, payments, quotes, the figures of a day.

mod chargeback_evidence;
mod journal;
mod lists;
mod reports;

use escrow_domain::actions::Standing;
use escrow_domain::escrow::Escrow;
use escrow_domain::fees::FeePayer;
use escrow_domain::id::{EscrowId, PaymentId};
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::policy::Kind;
use escrow_domain::quote::Quote;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::page::Page;
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views::{self, EscrowView};
use serde_json::json;

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees. What the caller is no party to does not exist for them.
pub async fn handle(app: &App, incoming: Incoming) -> Answer<Reply> {
    let caller = app.auth.authenticate(&incoming, app.clock.now()).await?;
    let path: Vec<&str> = incoming.path().split('/').filter(|segment| !segment.is_empty()).collect();
    match path.as_slice() {
        ["v1", "escrows"] => lists::escrows(app, &incoming, &caller).await,
        ["v1", "escrows", _] => escrow(app, &incoming, &caller).await,
        ["v1", "escrows", _, "events"] => events(app, &incoming, &caller).await,
        ["v1", "escrows", _, "evidence"] => evidence(app, &incoming, &caller).await,
        ["v1", "escrows", _, "chargeback-evidence"] => chargeback_evidence(app, &incoming, &caller).await,
        ["v1", "disputes"] => lists::disputes(app, &incoming, &caller).await,
        ["v1", "payments"] => lists::payments(app, &incoming, &caller).await,
        ["v1", "payments", _] => payment(app, &incoming, &caller).await,
        ["v1", "reports", "figures"] => reports::figures(app, &incoming, &caller).await,
        ["v1", "quote"] => quote(app, &incoming),
        _ => Err(Problem::not_found("route")),
    }
}

/// The escrow, and how the caller stands to it.
async fn load(app: &App, incoming: &Incoming, caller: &Caller, id: EscrowId) -> Answer<(Escrow, Standing)> {
    incoming.line().escrow(id.to_string());
    let escrow = app.store.escrow(id).await?.ok_or_else(|| Problem::not_found("escrow"))?;
    let standing = escrow.standing(&caller.sub, caller.scopes);
    if standing.roles.is_empty() { Err(Problem::not_found("escrow")) } else { Ok((escrow, standing)) }
}

async fn escrow(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    incoming.query(&[])?;
    let (escrow, standing) = load(app, incoming, caller, incoming.parameter("id", "escrow")?).await?;
    Ok(Reply::ok(&EscrowView::new(&escrow, &standing, app.clock.now())?).version(escrow.version))
}

/// The journal, newest first. A cursor is the number of the entry before which the next page ends.
async fn events(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let query = incoming.query(&["limit", "cursor"])?;
    let (escrow, _standing) = load(app, incoming, caller, incoming.parameter("id", "escrow")?).await?;
    let page = Page::read(&query, &["events", caller.sub.as_str(), &escrow.id.to_string()])?;
    let before: u32 = match &page.after {
        None => u32::MAX,
        Some(mark) => mark.parse().map_err(|_| Page::cursor_unknown())?,
    };
    let limit = usize::from(page.limit);
    let mut shown = journal::newest_first(app, &escrow, before, limit.saturating_add(1)).await?;
    let more = shown.len() > limit;
    shown.truncate(limit);
    let next = shown.last().filter(|_| more).map(|(number, _)| number.to_string());
    let data = shown.into_iter().map(|(_, event)| event).collect();
    Ok(Reply::ok(&page.listed(data, next.as_deref())))
}

/// What both sides have brought to the escrow's disputes, in the order in which they brought it. A cursor is the number of pieces that
/// were shown.
async fn evidence(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    let query = incoming.query(&["limit", "cursor"])?;
    let (escrow, _standing) = load(app, incoming, caller, incoming.parameter("id", "escrow")?).await?;
    let page = Page::read(&query, &["evidence", caller.sub.as_str(), &escrow.id.to_string()])?;
    let from: usize = match &page.after {
        None => 0,
        Some(mark) => mark.parse().map_err(|_| Page::cursor_unknown())?,
    };
    let limit = usize::from(page.limit);
    let mut brought = app.store.evidence(&escrow, from, limit.saturating_add(1)).await?;
    let more = brought.len() > limit;
    brought.truncate(limit);
    let next = more.then(|| from.saturating_add(limit).to_string());
    Ok(Reply::ok(&page.listed(brought.iter().map(views::brought).collect(), next.as_deref())))
}

/// What the escrow's chargebacks can be answered with.
async fn chargeback_evidence(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    /// More pieces of evidence than belong into one answer to a bank.
    const MOST_PIECES: usize = 100;
    incoming.query(&[])?;
    let (escrow, standing) = load(app, incoming, caller, incoming.parameter("id", "escrow")?).await?;
    if standing.is_party || !standing.roles.iter().any(|role| matches!(role, Role::Operator | Role::Platform)) {
        return Err(Problem::forbidden(
            "Whoever answers a chargeback for the platform reads this: operators, and its server.",
        ));
    }
    let entries = journal::whole(app, &escrow).await?;
    let brought = app.store.evidence(&escrow, 0, MOST_PIECES).await?;
    Ok(Reply::ok(&json!({ "data": chargeback_evidence::compose(&escrow, &entries, &brought) })))
}

async fn payment(app: &App, incoming: &Incoming, caller: &Caller) -> Answer<Reply> {
    incoming.query(&[])?;
    let id: PaymentId = incoming.parameter("id", "payment")?;
    // Whoever may not see the escrow hears the same as about a payment that does not exist.
    let found = load(app, incoming, caller, id.escrow).await;
    let (escrow, _standing) = found
        .map_err(|problem| if problem.code() == Code::NotFound { Problem::not_found("payment") } else { problem })?;
    let view = views::payment(&escrow, id.number).ok_or_else(|| Problem::not_found("payment"))?;
    Ok(Reply::ok(&view).version(escrow.version))
}

fn quote(app: &App, incoming: &Incoming) -> Answer<Reply> {
    let query = incoming.query(&["kind", "currency", "amount", "fee_payer"])?;
    let kind: Kind = query.required("kind", "product, service or project")?;
    let code: String = query.required("currency", "a code of ISO 4217, such as SAR, or a registered coin")?;
    let currency = app.config.currencies.find(&code).ok_or_else(|| {
        Problem::input(
            Code::CurrencyUnknown,
            "?currency",
            "a code of ISO 4217 in capitals, such as SAR, or a registered coin",
        )
    })?;
    let text: String = query.required("amount", "a decimal such as 150.00")?;
    let invalid = |detail: String| Problem::input(Code::AmountInvalid, "?amount", detail);
    let amount = Money::parse(&text, currency).map_err(|wrong| invalid(wrong.to_string()))?;
    let payer: FeePayer = query.read("fee_payer", "buyer, seller or split")?.unwrap_or(app.config.fee_payer);
    let quote = Quote::new(kind, amount, payer, &app.config.fees)
        .map_err(|_| invalid("with its fee, this is more than can be handled".to_owned()))?;
    Ok(Reply::ok(&views::quote(&quote)?))
}
