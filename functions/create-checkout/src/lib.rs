//! Lambda: `POST /v1/checkouts`, further attempts to pay, `POST /v1/escrows/{id}/checkouts`, and payments into wallets,
//! `POST /v1/wallets/{owner}/top-ups`.
//!
//! The escrow's id is derived from the caller and the idempotency key, and put if absent: the item is its own idempotency record,
//! for ever. Two writes and one call to the gateway when all goes well; whatever crashes in between, the same request carries on.

mod attempt;
mod open;
mod order;
mod pay;
mod top_up;

use attempt::Attempt;
use escrow_domain::command::Command;
use escrow_domain::decide::{Change, create};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, Operation};
use escrow_domain::journal::{Actor, Part, Seen};
use escrow_domain::lifecycle::Role;
use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::command::{Carried, Done, carry, check_wallets, key_of};
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::Outcome;
use order::Order;

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees.
pub async fn handle(app: &App, gateways: &Gateways, incoming: Incoming) -> Answer<Reply> {
    match incoming.path() {
        "/v1/checkouts" => create_escrow(app, gateways, &incoming).await,
        path if path.ends_with("/top-ups") => top_up::handle(app, gateways, &incoming).await,
        _ => add_payment(app, gateways, &incoming).await,
    }
}

async fn create_escrow(app: &App, gateways: &Gateways, incoming: &Incoming) -> Answer<Reply> {
    let caller = app.auth.authenticate(incoming, app.clock.now()).await?;
    let dry_run = incoming.query(&["dry_run"])?.dry_run()?;
    let key = key_of(incoming, dry_run)?;
    let operation = incoming.operation(&caller.issuer, caller.sub.as_str(), &key);
    let id = EscrowId::derive("POST /v1/checkouts", &caller.issuer, caller.sub.as_str(), key.as_str());
    incoming.line().escrow(id.to_string());
    if dry_run {
        return rehearse(app, gateways, incoming, &caller, id, operation).await;
    }
    let (escrow, replayed) = match put_new(app, gateways, incoming, &caller, id, operation).await {
        Ok(done) => done,
        // Whatever refuses it now may not have been so when it was done: look for its own record before refusing.
        Err(problem) => match app.store.escrow(id).await? {
            Some(escrow) if escrow.journal.seen(&operation) == Seen::Before(0) => (escrow, true),
            Some(_) => return Err(Problem::key_reused()),
            None => return Err(problem),
        },
    };
    finish(app, gateways, incoming, Done { escrow, caller, operation, replayed }, 0).await
}

/// Puts the escrow that the body asks for, unless it is there; and says whether it was.
async fn put_new(
    app: &App,
    gateways: &Gateways,
    incoming: &Incoming,
    caller: &Caller,
    id: EscrowId,
    operation: Operation,
) -> Answer<(Escrow, bool)> {
    let change = ordered(app, gateways, incoming, caller, id, operation)?;
    match app.store.create::<Escrow>(&change, Vec::new()).await? {
        Outcome::Applied => Ok((change.escrow, false)),
        Outcome::Moved(stands) if stands.journal.seen(&operation) == Seen::Before(0) => Ok((*stands, true)),
        Outcome::Moved(_) => Err(Problem::key_reused()),
        Outcome::Missing => Err(Problem::internal("a new escrow was neither written nor there")),
    }
}

/// The escrow that the body asks for.
fn ordered(
    app: &App,
    gateways: &Gateways,
    incoming: &Incoming,
    caller: &Caller,
    id: EscrowId,
    operation: Operation,
) -> Answer<Change> {
    let mut order: Order = incoming.json()?;
    let wish = order.wish();
    let way = wish.way(gateways)?;
    let role = if order.buyer()? == caller.sub { Role::Buyer } else { Role::Platform };
    let now = app.moment();
    let new = order.read(wish, way, id, caller, &app.config, now.at)?;
    create(&new, Actor::person(role, caller.sub.clone()), operation, now).map_err(Problem::internal)
}

/// Says what would be created. Nothing is written, and no gateway is asked.
async fn rehearse(
    app: &App,
    gateways: &Gateways,
    incoming: &Incoming,
    caller: &Caller,
    id: EscrowId,
    operation: Operation,
) -> Answer<Reply> {
    incoming.line().dry_run(true);
    let rehearsal = match app.store.escrow(id).await? {
        Some(escrow) if escrow.journal.seen(&operation) == Seen::Before(0) => views::rehearsal_of_nothing(&escrow)?,
        Some(_) => return Err(Problem::key_reused()),
        None => {
            let change = ordered(app, gateways, incoming, caller, id, operation)?;
            check_wallets(app, &change.moves).await?;
            views::rehearsal_of_creation(&change)?
        }
    };
    Ok(Reply::ok(&rehearsal))
}

async fn add_payment(app: &App, gateways: &Gateways, incoming: &Incoming) -> Answer<Reply> {
    let read = |body: Attempt, escrow: &Escrow| {
        let (wish, named) = body.split();
        let way = wish.way(gateways)?;
        let payment = attempt::payment(wish, named.as_deref(), way, escrow, &app.config, app.clock.now())?;
        Ok(Command::AddPayment(payment))
    };
    match carry(app, incoming, read).await? {
        Carried::Rehearsed(reply) => Ok(reply),
        Carried::Done(done) => {
            let number = payment_of(app, &done.escrow, done.operation).await?;
            finish(app, gateways, incoming, *done, number).await
        }
    }
}

/// The payment that this operation has added. Of an old one the entry stands in a page of the journal.
async fn payment_of(app: &App, escrow: &Escrow, operation: Operation) -> Answer<u16> {
    let missing = || Problem::internal("an attempt to pay that left no payment");
    let Seen::Before(at) = escrow.journal.seen(&operation) else { return Err(missing()) };
    let paged = usize::try_from(escrow.journal.paged).map_err(Problem::internal)?;
    let part = match at.checked_sub(paged) {
        Some(place) => escrow.journal.entries.get(place).ok_or_else(missing)?.part,
        None => app.store.paged_entry(escrow.id, at).await?.part,
    };
    match part {
        Some(Part::Payment(number)) => Ok(number),
        Some(Part::Milestone(_) | Part::Refund(_) | Part::Dispute(_) | Part::Chargeback(_)) | None => Err(missing()),
    }
}

/// Opens the page if it is not open yet, and answers. What the wallet has paid needs none.
async fn finish(app: &App, gateways: &Gateways, incoming: &Incoming, done: Done, number: u16) -> Answer<Reply> {
    let payment = done.escrow.payments.get(usize::from(number));
    let payment = payment.ok_or_else(|| Problem::internal("a payment that was just stored is not there"))?;
    let escrow = match payment.gateway() {
        Some(name) => {
            let gateway = pay::configured(gateways, name)?;
            open::open(app, gateway, incoming.line(), done.escrow, number).await?
        }
        None => done.escrow,
    };
    let standing = escrow.standing(&done.caller.sub, done.caller.scopes);
    let view = views::checkout(&escrow, number, &standing, app.clock.now())?;
    let reply = Reply::created(&view).version(escrow.version);
    Ok(if done.replayed { reply.replayed() } else { reply })
}
