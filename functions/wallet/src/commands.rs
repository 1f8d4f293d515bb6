//! What operators do with a payout: `POST /v1/payouts/{id}/approve`, `reject`, `mark-paid`, `mark-failed`, `resolve`.
//!
//! The order is that of every command: authenticate, load, look for the operation's own record, and only then read the body and ask the
//! rules, on the payout that will be written.

use escrow_domain::decide::Outcome;
use escrow_domain::id::{Operation, PayoutId};
use escrow_domain::journal::{Actor, Seen};
use escrow_domain::payout::{
    Payout, PayoutAttempt, PayoutCommand, PayoutOutcome, PayoutRefusal, PayoutResolution, decide,
};
use escrow_domain::refusal::Undecided;
use escrow_http::app::App;
use escrow_http::auth::Caller;
use escrow_http::command::key_of;
use escrow_http::fields::{invalid, note, words};
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_http::views;
use escrow_store::Start;
use serde::Deserialize;

/// The longest reference of a payout by hand, in characters.
const LONGEST_REFERENCE: usize = 128;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkPaid {
    reference: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve {
    resolution: String,
    reason: Option<String>,
}

/// Who asks for what.
struct Asked {
    caller: Caller,
    operation: Operation,
    /// The version on which the caller insists.
    if_match: Option<u64>,
    dry_run: bool,
}

/// Carries out the command that the path names, and answers with the payout.
pub(crate) async fn carry_out(app: &App, incoming: &Incoming, caller: Caller) -> Answer<Reply> {
    let id: PayoutId = incoming.parameter("id", "payout")?;
    incoming.line().payout(id.to_string());
    let dry_run = incoming.query(&["dry_run"])?.dry_run()?;
    incoming.check_size()?;
    let key = key_of(incoming, dry_run)?;
    let operation = incoming.operation(&caller.issuer, caller.sub.as_str(), &key);
    let asked = Asked { operation, if_match: incoming.if_match()?, dry_run, caller };
    if dry_run {
        incoming.line().dry_run(true);
    }
    let payout = app.store.aggregate::<Payout>(&id).await?.ok_or_else(|| Problem::not_found("payout"))?;
    asked.meets(&payout)?;

    if asked.record_in(&payout)? {
        return asked.done_before(incoming, &payout);
    }
    let command = read(incoming)?;
    if dry_run {
        let after = match asked.decide(&payout, &command, app)? {
            Outcome::Changed(change) => change.payout,
            Outcome::AlreadyDone => payout.clone(),
        };
        return Ok(Reply::ok(&views::payout_rehearsal(payout.journal.len(), &after)?));
    }
    let changed =
        app.store.change_aggregate(Start::From(Box::new(payout)), |payout| asked.decide(payout, &command, app)).await?;
    if !changed.is_committed() {
        // The same request, sent twice at once: the other one was faster.
        return asked.done_before(incoming, changed.aggregate());
    }
    let payout = changed.aggregate();
    if let Some(entry) = payout.journal.entries.last() {
        incoming.line().command(entry.transition.as_str());
    }
    app.wake_for_payout(payout, incoming.line()).await;
    Ok(asked.reply(payout))
}

/// The command that the path and the body ask for.
fn read(incoming: &Incoming) -> Answer<PayoutCommand> {
    let why =
        |reason: Option<String>| note(reason, "/reason")?.ok_or_else(|| Problem::from(&PayoutRefusal::ReasonRequired));
    Ok(match incoming.last_segment() {
        "approve" => {
            let Because { reason } = incoming.json()?;
            PayoutCommand::Approve { reason: note(reason, "/reason")? }
        }
        "reject" => {
            let Because { reason } = incoming.json()?;
            PayoutCommand::Reject { reason: why(reason)? }
        }
        "mark-paid" => {
            let MarkPaid { reference } = incoming.json()?;
            let reference = reference.ok_or_else(|| Problem::from(&PayoutRefusal::ReferenceRequired))?;
            PayoutCommand::MarkPaid { reference: words(reference, LONGEST_REFERENCE, "/reference")? }
        }
        "mark-failed" => {
            let Because { reason } = incoming.json()?;
            PayoutCommand::MarkFailed { reason: why(reason)? }
        }
        "resolve" => {
            let Resolve { resolution, reason } = incoming.json()?;
            let resolution = match resolution.as_str() {
                "done" => PayoutResolution::Done,
                "retry" => PayoutResolution::Retry,
                "failed" => PayoutResolution::Failed,
                _ => return Err(invalid("/resolution", "done, retry or failed")),
            };
            PayoutCommand::Resolve { resolution, reason: why(reason)? }
        }
        _ => return Err(Problem::not_found("payout")),
    })
}

impl Asked {
    /// A stranger is told that there is no such payout.
    fn meets(&self, payout: &Payout) -> Answer<()> {
        let standing = payout.standing(&self.caller.sub, self.caller.scopes);
        if standing.roles.is_empty() { Err(Problem::not_found("payout")) } else { Ok(()) }
    }

    /// Whether this operation has happened.
    fn record_in(&self, payout: &Payout) -> Answer<bool> {
        match payout.journal.seen(&self.operation) {
            Seen::Otherwise => Err(Problem::key_reused()),
            Seen::Before(_) => Ok(true),
            Seen::New => Ok(false),
        }
    }

    /// Asks the rules, for each role in which the caller meets the payout.
    fn decide(&self, payout: &Payout, command: &PayoutCommand, app: &App) -> Answer<PayoutOutcome> {
        if self.record_in(payout)? {
            return Ok(Outcome::AlreadyDone);
        }
        if self.if_match.is_some_and(|version| version != payout.version) {
            return Err(Problem::version_mismatch(payout.version));
        }
        let standing = payout.standing(&self.caller.sub, self.caller.scopes);
        let mut refused: Option<PayoutRefusal> = None;
        for role in &standing.roles {
            let actor = Actor::person(*role, self.caller.sub.clone());
            let attempt = PayoutAttempt { command: command.clone(), actor, operation: self.operation };
            match decide(payout, &attempt, app.moment()) {
                Ok(outcome) => return Ok(outcome),
                Err(Undecided::Refused(refusal)) => {
                    // "Not for this role" says least: a refusal of another of the caller's roles comes before it.
                    if refused.as_ref().is_none_or(|first| matches!(first, PayoutRefusal::WrongRole { .. })) {
                        refused = Some(refusal);
                    }
                }
                Err(broken @ (Undecided::Broken(_) | Undecided::Misfit(_))) => return Err(broken.into()),
            }
        }
        let refusal = refused.unwrap_or(PayoutRefusal::Stranger);
        Err(Problem::payout_refused(&refusal, payout, &self.caller.sub, &standing))
    }

    /// A request that was carried out before: nothing is done again.
    fn done_before(&self, incoming: &Incoming, payout: &Payout) -> Answer<Reply> {
        incoming.line().replayed(true);
        if self.dry_run {
            return Ok(Reply::ok(&views::payout_rehearsal(payout.journal.len(), payout)?));
        }
        Ok(self.reply(payout).replayed())
    }

    fn reply(&self, payout: &Payout) -> Reply {
        let standing = payout.standing(&self.caller.sub, self.caller.scopes);
        Reply::ok(&views::payout(payout, &self.caller.sub, &standing)).version(payout.version)
    }
}
