//! The one way in which people's commands are carried out. It reads as it happens: authenticate, load, look for the operation's
//! own record, and only then read the body and ask the rules; commit; wake; answer with the escrow as it stands.
//!
//! The order matters. A repeated request is answered before anything that may have changed since could refuse it; and the rules
//! are asked on the escrow that will be written, never on one that was read before.

use crate::app::App;
use crate::auth::Caller;
use crate::metrics::Measure;
use crate::problem::{Answer, Problem};
use crate::reply::Reply;
use crate::request::{IdempotencyKey, Incoming};
use crate::standing::standing_of;
use crate::views::{EscrowView, rehearsal, rehearsal_of_nothing};
use escrow_domain::command::{Attempt, Command};
use escrow_domain::decide::{Moment, Outcome, decide};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, Operation};
use escrow_domain::journal::{Actor, Entry, Seen};
use escrow_domain::refusal::{Refusal, Undecided};
use escrow_domain::wallet::{LineKind, WalletMove};
use escrow_store::Start;
use serde::de::DeserializeOwned;

/// Who asks for what, before the escrow is known.
struct Asked {
    caller: Caller,
    escrow: EscrowId,
    operation: Operation,
    /// The version on which the caller insists.
    if_match: Option<u64>,
    dry_run: bool,
}

/// A command that was carried out, now or before.
pub struct Done {
    /// The escrow as it stands.
    pub escrow: Escrow,
    /// Who asked.
    pub caller: Caller,
    /// What was asked, for ever.
    pub operation: Operation,
    /// Whether it had been carried out before, and nothing was done now.
    pub replayed: bool,
}

/// What became of a command.
pub enum Carried {
    /// It was only rehearsed; this is the answer.
    Rehearsed(Reply),
    /// It was carried out.
    Done(Box<Done>),
}

/// Carries out a command on `/v1/escrows/{id}/…` and answers with the escrow. `read` makes it from the body, with the loaded escrow
/// at hand for its currency.
///
/// # Errors
/// The problem that the caller sees. Nothing was written then, except that after 503 it may be unknown.
pub async fn carry_out<Body: DeserializeOwned>(
    app: &App,
    incoming: &Incoming,
    read: impl FnOnce(Body, &Escrow) -> Answer<Command>,
) -> Answer<Reply> {
    match carry(app, incoming, read).await? {
        Carried::Rehearsed(reply) => Ok(reply),
        Carried::Done(done) => {
            let standing = standing_of(&done.caller, &done.escrow)?;
            let view = EscrowView::new(&done.escrow, &standing, app.clock.now())?;
            let reply = Reply::ok(&view).version(done.escrow.version);
            Ok(if done.replayed { reply.replayed() } else { reply })
        }
    }
}

/// The same for whoever has more to do before the answer.
///
/// # Errors
/// As [`carry_out`].
pub async fn carry<Body: DeserializeOwned>(
    app: &App,
    incoming: &Incoming,
    read: impl FnOnce(Body, &Escrow) -> Answer<Command>,
) -> Answer<Carried> {
    let asked = Asked::by(app, incoming).await?;
    let escrow = app.store.escrow(asked.escrow).await?.ok_or_else(|| Problem::not_found("escrow"))?;
    standing_of(&asked.caller, &escrow)?;

    if let Seen::Before(_) = asked.record_in(&escrow)? {
        return asked.done_before(incoming, escrow);
    }
    let command = read(incoming.json()?, &escrow)?;
    if asked.dry_run {
        return asked.rehearse(app, &escrow, &command).await;
    }

    let changed =
        app.store.change(Start::From(Box::new(escrow)), |escrow| asked.decide(escrow, &command, app.moment())).await?;
    if !changed.is_committed() {
        // The same request, sent twice at once: the other one was faster.
        return asked.done_before(incoming, changed.into_escrow());
    }
    let escrow = changed.into_escrow();
    asked.count(app, incoming, &escrow);
    app.wake_for(&escrow, incoming.line()).await;
    Ok(asked.done(escrow, false))
}

/// The key of a request. A rehearsal writes nothing, so it needs none; the empty one is nobody's.
///
/// # Errors
/// 400 if it is missing or cannot be one.
pub fn key_of(incoming: &Incoming, dry_run: bool) -> Answer<IdempotencyKey> {
    match incoming.idempotency_key() {
        Err(_) if dry_run && !incoming.has_idempotency_key() => Ok(IdempotencyKey::none()),
        key => key,
    }
}

/// Whether the wallets would let go what a rehearsed change takes out of them. The commit itself asks them in its transaction.
///
/// # Errors
/// 409 as the commit would answer.
pub async fn check_wallets(app: &App, moves: &[WalletMove]) -> Answer<()> {
    for spent in moves.iter().filter(|moved| moved.kind == LineKind::Funding) {
        let wallet = app.store.wallet(&spent.owner, spent.currency).await?;
        wallet.moved(spent).map_err(|refusal| Problem::wallet_refused(&refusal, spent.currency))?;
    }
    Ok(())
}

impl Asked {
    /// Reads everything but the body, which counts only if the operation is new.
    async fn by(app: &App, incoming: &Incoming) -> Answer<Self> {
        let caller = app.auth.authenticate(incoming, app.clock.now()).await?;
        let escrow: EscrowId = incoming.parameter("id", "escrow")?;
        incoming.line().escrow(escrow.to_string());
        let dry_run = incoming.query(&["dry_run"])?.dry_run()?;
        incoming.check_size()?;
        let key = key_of(incoming, dry_run)?;
        if dry_run {
            incoming.line().dry_run(true);
        }
        let operation = incoming.operation(&caller.issuer, caller.sub.as_str(), &key);
        Ok(Self { escrow, operation, if_match: incoming.if_match()?, dry_run, caller })
    }

    /// Whether this operation has happened.
    fn record_in(&self, escrow: &Escrow) -> Answer<Seen> {
        match escrow.journal.seen(&self.operation) {
            Seen::Otherwise => Err(Problem::key_reused()),
            seen @ (Seen::New | Seen::Before(_)) => Ok(seen),
        }
    }

    /// Asks the rules, on the escrow that will be written.
    fn decide(&self, escrow: &Escrow, command: &Command, now: Moment) -> Answer<Outcome> {
        let standing = standing_of(&self.caller, escrow)?;
        if let Seen::Before(_) = self.record_in(escrow)? {
            return Ok(Outcome::AlreadyDone);
        }
        if self.if_match.is_some_and(|version| version != escrow.version) {
            return Err(Problem::version_mismatch(escrow.version));
        }
        let mut refused: Option<Refusal> = None;
        for role in &standing.roles {
            let attempt = Attempt {
                command: command.clone(),
                actor: Actor::person(*role, self.caller.sub.clone()),
                operation: self.operation,
            };
            match decide(escrow, &attempt, now) {
                Ok(outcome) => return Ok(outcome),
                Err(Undecided::Refused(refusal)) => {
                    // "Not for this role" says least: a refusal of another of the caller's roles comes before it.
                    if refused.as_ref().is_none_or(|first| matches!(first, Refusal::WrongRole { .. })) {
                        refused = Some(refusal);
                    }
                }
                Err(broken @ (Undecided::Broken(_) | Undecided::Misfit(_))) => return Err(broken.into()),
            }
        }
        Err(Problem::refused(&refused.unwrap_or(Refusal::Stranger), escrow, &standing, now.at))
    }

    /// Says what would happen.
    async fn rehearse(&self, app: &App, escrow: &Escrow, command: &Command) -> Answer<Carried> {
        let rehearsal = match self.decide(escrow, command, app.moment())? {
            Outcome::Changed(change) => {
                check_wallets(app, &change.moves).await?;
                rehearsal(escrow, &change)?
            }
            Outcome::AlreadyDone => rehearsal_of_nothing(escrow)?,
        };
        Ok(Carried::Rehearsed(Reply::ok(&rehearsal)))
    }

    /// A request that was carried out before: nothing is done again.
    fn done_before(self, incoming: &Incoming, escrow: Escrow) -> Answer<Carried> {
        incoming.line().replayed(true);
        if self.dry_run {
            return Ok(Carried::Rehearsed(Reply::ok(&rehearsal_of_nothing(&escrow)?)));
        }
        Ok(self.done(escrow, true))
    }

    fn done(self, escrow: Escrow, replayed: bool) -> Carried {
        Carried::Done(Box::new(Done { escrow, caller: self.caller, operation: self.operation, replayed }))
    }

    /// Counts what was committed.
    fn count(&self, app: &App, incoming: &Incoming, escrow: &Escrow) {
        for entry in self.entries(escrow) {
            incoming.line().command(entry.transition.as_str());
            app.metrics.record(Measure::Transition(entry.transition), app.clock.now());
        }
    }

    /// The entries that this operation has made.
    fn entries<'a>(&'a self, escrow: &'a Escrow) -> impl Iterator<Item = &'a Entry> {
        let paged = usize::try_from(escrow.journal.paged).unwrap_or(usize::MAX);
        let operations = escrow.journal.operations.iter().skip(paged);
        let made =
            operations.zip(&escrow.journal.entries).filter(|(operation, _)| operation.name == self.operation.name);
        made.map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests;
