//! Decisions: one whole escrow and one attempt in, the whole next escrow or a named reason out. Pure.
//!
//! The order is the same for everything: *has this operation happened?*, then who, then the lifecycle's table, then stops, then
//! time, then amounts. A replay is answered before anything that may have changed since can refuse it.

mod chargebacks;
mod closing;
mod consent;
mod create;
mod deferred;
mod delivery;
mod disputes;
mod draft;
mod facts;
mod funding;
mod giving;
mod guard;
mod lapse;
mod moves;
mod offers;
mod overlays;
mod payable;
mod tick;
mod unasked;

pub(crate) use chargebacks::needless_refund;
pub use create::{NewEscrow, create};
pub use draft::{Change, Moment};
pub use facts::{Page, checkout_opened, checkout_refused, next_attempt};
pub use guard::{guard, pick};
pub(crate) use overlays::{check_frozen, check_not_frozen};
pub use tick::Deadline;

use crate::command::{Attempt, Command};
use crate::escrow::Escrow;
use crate::id::UserId;
use crate::journal::{Actor, Seen};
use crate::lifecycle::Role;
use crate::refusal::{Refusal, Undecided};
use draft::Draft;
use giving::{Side, give};

/// What an attempt comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<C = Change> {
    /// This must be committed, all of it or nothing.
    Changed(Box<C>),
    /// It has happened before, or nothing is due: there is nothing to write.
    AlreadyDone,
}

/// Decides one attempt.
///
/// # Errors
/// [`Undecided::Refused`] if the rules say no, [`Undecided::Misfit`] if a gateway's fact does not fit what is stored,
/// [`Undecided::Broken`] if an invariant of the money would not hold. In all three nothing has changed.
pub fn decide(escrow: &Escrow, attempt: &Attempt, now: Moment) -> Result<Outcome, Undecided> {
    if let Command::Tick = attempt.command {
        return tick::tick(escrow, now);
    }
    match escrow.journal.seen(&attempt.operation) {
        Seen::Before(_) => return facts::known(escrow, attempt, now),
        Seen::Otherwise => return Err(Refusal::KeyReused.into()),
        Seen::New => {}
    }
    if let Command::Fact(fact) = &attempt.command {
        // Only what a gateway has signed, or answered, is a fact.
        if attempt.actor.role != Role::Gateway {
            return Err(Refusal::Stranger.into());
        }
        return facts::apply(escrow, fact, attempt, now);
    }
    check_person(escrow, &attempt.actor)?;
    let mut draft = Draft::new(escrow, attempt.actor.clone(), attempt.operation, now);
    match &attempt.command {
        Command::AddPayment(payment) => create::add_payment(&mut draft, payment)?,
        Command::Cancel { milestone, reason } => closing::cancel(&mut draft, *milestone, reason.clone())?,
        Command::Deliver { milestone, note } => delivery::deliver(&mut draft, *milestone, note.clone())?,
        Command::RequestChanges { milestone, note } => delivery::request_changes(&mut draft, *milestone, note.clone())?,
        Command::Release { milestone, amount, reason } => {
            give(&mut draft, Side::Seller, *milestone, *amount, reason.clone())?;
        }
        Command::Refund { milestone, amount, reason } => {
            give(&mut draft, Side::Buyer, *milestone, *amount, reason.clone())?;
        }
        Command::Dispute { milestone, amount, reason, evidence } => {
            disputes::open(&mut draft, *milestone, *amount, reason, evidence)?;
        }
        Command::AddEvidence { milestone, evidence } => disputes::add_evidence(&mut draft, *milestone, evidence)?,
        Command::Propose { milestone, to_buyer } => offers::propose(&mut draft, *milestone, *to_buyer)?,
        Command::Accept { proposal } => offers::accept(&mut draft, *proposal)?,
        Command::Extend { milestone, until, reason } => {
            consent::extend(&mut draft, *milestone, *until, reason.clone())?;
        }
        Command::WithdrawDispute { milestone } => disputes::withdraw(&mut draft, *milestone)?,
        Command::Rule { milestone, to_buyer, reason } => disputes::rule(&mut draft, *milestone, *to_buyer, reason)?,
        Command::Freeze { reason } => overlays::freeze(&mut draft, reason)?,
        Command::Unfreeze { reason } => overlays::unfreeze(&mut draft, reason)?,
        Command::Resolve { resolution, reason } => overlays::resolve(&mut draft, *resolution, reason)?,
        Command::Fact(_) | Command::Tick => return Ok(Outcome::AlreadyDone),
    }
    Ok(Outcome::Changed(Box::new(draft.finish()?)))
}

/// Whether this person is who the actor claims to be.
fn check_person(escrow: &Escrow, actor: &Actor) -> Result<(), Refusal> {
    let is = |party: &UserId| actor.sub.as_ref() == Some(party);
    match actor.role {
        Role::Buyer if !is(&escrow.terms.buyer) => return Err(Refusal::Stranger),
        Role::Seller if !is(&escrow.terms.seller) => return Err(Refusal::Stranger),
        Role::Arbiter | Role::Operator if is(&escrow.terms.buyer) || is(&escrow.terms.seller) => {
            return Err(Refusal::OwnEscrow);
        }
        Role::Gateway | Role::Clock => return Err(Refusal::Stranger),
        Role::Buyer | Role::Seller | Role::Arbiter | Role::Operator | Role::Platform => {}
    }
    Ok(())
}
