//! Lambda: `POST /v1/checkouts`, and further attempts to pay, `POST /v1/escrows/{id}/checkouts`.
//!
//! The escrow's id is derived from the caller and the idempotency key, and put if absent: the item is its own idempotency record,
//! for ever. Two writes and one call to the gateway when all goes well; whatever crashes in between, the same request carries on.

mod open;
mod order;

use escrow_domain::command::Command;
use escrow_domain::decide::{Change, create};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, Operation};
use escrow_domain::journal::{Actor, Part, Seen};
use escrow_domain::lifecycle::Role;
use escrow_gateways::{Gateway, Gateways};
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::command::{Carried, Done, carry, key_of};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::Outcome;
use order::{Attempt as AttemptBody, Order};

/// Answers one request.
///
/// # Errors
/// The problem that the caller sees.
pub async fn handle(app: &App, gateways: &Gateways, incoming: Incoming) -> Answer<Reply> {
    match incoming.path() {
        "/v1/checkouts" => create_escrow(app, gateways, &incoming).await,
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
    match app.store.commit(0, &change.escrow).await? {
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
    let order: Order = incoming.json()?;
    let gateway = configured(gateways, order.gateway()?)?;
    let role = if order.buyer()? == caller.sub { Role::Buyer } else { Role::Platform };
    let now = app.moment();
    let new = order.read(id, caller, &app.config, gateway, now.at)?;
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
        Some(escrow) if escrow.journal.seen(&operation) == Seen::Before(0) => views::rehearsal(&escrow, &escrow)?,
        Some(_) => return Err(Problem::key_reused()),
        None => {
            let change = ordered(app, gateways, incoming, caller, id, operation)?;
            views::rehearsal_of_creation(&change.escrow)?
        }
    };
    Ok(Reply::ok(&rehearsal))
}

async fn add_payment(app: &App, gateways: &Gateways, incoming: &Incoming) -> Answer<Reply> {
    let read = |body: AttemptBody, escrow: &Escrow| {
        let gateway = configured(gateways, order::gateway_name(&body.gateway)?)?;
        let charged = escrow.totals().map_err(Problem::internal)?.charged.of(escrow.terms.currency);
        gateway
            .check_amount(charged)
            .map_err(|unsupported| Problem::new(Code::AmountNotSupported, unsupported.to_string()))?;
        Ok(Command::AddPayment(body.read(escrow, &app.config, gateway, app.clock.now())?))
    };
    match carry(app, incoming, read).await? {
        Carried::Rehearsed(reply) => Ok(reply),
        Carried::Done(done) => {
            let number = payment_of(&done.escrow, done.operation)?;
            finish(app, gateways, incoming, *done, number).await
        }
    }
}

/// The payment that this operation has added.
fn payment_of(escrow: &Escrow, operation: Operation) -> Answer<u16> {
    let missing = || Problem::internal("an attempt to pay that left no payment");
    let Seen::Before(at) = escrow.journal.seen(&operation) else { return Err(missing()) };
    let paged = usize::try_from(escrow.journal.paged).map_err(Problem::internal)?;
    let entry = at.checked_sub(paged).and_then(|at| escrow.journal.entries.get(at)).ok_or_else(missing)?;
    match entry.part {
        Some(Part::Payment(number)) => Ok(number),
        Some(Part::Milestone(_) | Part::Refund(_) | Part::Dispute(_)) | None => Err(missing()),
    }
}

/// Opens the page if it is not open yet, and answers.
async fn finish(app: &App, gateways: &Gateways, incoming: &Incoming, done: Done, number: u16) -> Answer<Reply> {
    let gateway = gateway_of(gateways, &done.escrow, number)?;
    let escrow = open::open(app, gateway, incoming.line(), done.escrow, number).await?;
    let standing = escrow.standing(&done.caller.sub, done.caller.scopes);
    let view = views::checkout(&escrow, number, &standing, app.clock.now())?;
    let reply = Reply::created(&view).version(escrow.version);
    Ok(if done.replayed { reply.replayed() } else { reply })
}

fn gateway_of<'a>(gateways: &'a Gateways, escrow: &Escrow, number: u16) -> Answer<&'a dyn Gateway> {
    match escrow.payments.get(usize::from(number)).map(|payment| payment.source) {
        Some(escrow_domain::payment::Source::Gateway(name)) => configured(gateways, name),
        Some(escrow_domain::payment::Source::Wallet) | None => Err(Problem::internal("a payment without a gateway")),
    }
}

fn configured(gateways: &Gateways, name: escrow_domain::id::GatewayName) -> Answer<&dyn Gateway> {
    gateways.get(name).ok_or_else(|| {
        Problem::input(Code::GatewayNotConfigured, "/gateway", format!("{name} is not set up in this deployment"))
    })
}
