//! A payout: money that leaves a wallet for its owner's bank. One aggregate, one item, one version.
//!
//! From the moment it is asked for its amount is reserved in the wallet: available becomes pending in the same commit. It is sent at
//! most once, by the same protocol as a refund ([`crate::effect`]); what never left, or came back, is available again.

mod actions;
mod ask;
mod auto;
mod draft;
mod facts;
mod operators;
mod status;
mod tick;
mod tie;
mod work;

pub mod command;
pub mod refusal;
pub mod rows;
pub mod verify;

pub use ask::ask;
pub use auto::{Auto, auto_payout};
pub use command::{NewPayout, PayoutCommand, PayoutFact, PayoutLimits, PayoutResolution, TransferOutcome};
pub use refusal::PayoutRefusal;
pub use rows::PayoutTransition;
pub use status::{BankState, BankStatus, PayoutStatus, Rail, TiedTo, WaitCause, Waiting};
pub use work::{PayoutWork, after_look_up, doubt, hold_off, put_off, refused_for_now, still_pending};

use crate::actions::Action;
use crate::command::Attempt;
use crate::decide::{Moment, Outcome};
use crate::effect::Effect;
use crate::id::{PayoutId, UserId};
use crate::journal::{Actor, Journal, Seen};
use crate::lifecycle::Role;
use crate::money::{Minor, Money};
use crate::time::{Period, Timestamp};
use crate::wallet::WalletMove;

/// A payout that nobody approves goes back into the wallet after this long.
pub const LAPSES_AFTER: Period = Period::days(30);
/// A payout that the gateway refuses for now is given up after this long, and goes back into the wallet.
pub const GIVEN_UP_AFTER: Period = Period::days(14);
/// A payout of which nobody can find out whether it was made is put before an operator after this long.
pub const IN_DOUBT_FOR: Period = Period::days(3);
/// A payout that the gateway calls pending is put before an operator after this long.
pub const PENDING_FOR: Period = Period::days(30);

/// The only thing that is ever done at a gateway for a payout: send its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transfer;

/// One payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Its name; the key under which the gateway knows the transfer begins with it.
    pub id: PayoutId,
    /// Whose wallet it leaves.
    pub owner: UserId,
    /// How much, in the wallet's unit.
    pub money: Money,
    /// By which way.
    pub rail: Rail,
    /// The payment whose money it is, where the gateway can tie the two: then it does not wait for the platform's balance.
    pub tied_to: Option<TiedTo>,
    /// Who asked: the owner, an operator for them, or the clock by the wallet's own policy.
    pub asked_by: Actor,
    /// Where it stands.
    pub status: PayoutStatus,
    /// The gateway's id of the transfer; by hand, what the operator noted (a bank's reference).
    pub reference: Option<String>,
    /// Why it failed, was rejected or came back, in words that its owner is shown.
    pub reason: Option<String>,
    /// Why it has not been sent yet although it may be.
    pub waiting: Option<Waiting>,
    /// What has come back of it after it was paid, in minor units.
    pub returned: Minor,
    /// How the owner's own bank stands to it, as far as the gateway tells. It moves no money here.
    pub bank: Option<BankState>,
    /// The promise to send it, until the result is a fact.
    pub effect: Option<Effect<Transfer>>,
    /// Since when its money is, or may be, on its way; `None` while nothing of it is.
    pub sending_since: Option<Timestamp>,
    /// When a transfer that the gateway has, but calls pending, is looked up next.
    pub look_up_at: Option<Timestamp>,
    /// How often it was looked up; the intervals grow.
    pub look_ups: u8,
    /// When the alarm sounds next while it waits for an operator; it repeats daily.
    pub alarm_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the last entry was made.
    pub updated_at: Timestamp,
    /// Everything that happened.
    pub journal: Journal<PayoutTransition>,
    /// Counts the commits: 1 is the creation. Every write is conditional on it.
    pub version: u64,
}

/// A decided change of a payout. All of it commits together, or nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutChange {
    /// The whole next payout; its version is one more than that of the payout it was decided on.
    pub payout: Payout,
    /// What it does to the owner's wallet.
    pub moves: Vec<WalletMove>,
}

/// What an attempt at a payout comes to.
pub type PayoutOutcome = Outcome<PayoutChange>;
/// One attempt at a change of a payout.
pub type PayoutAttempt = Attempt<PayoutCommand>;
/// One command, as a person may or may not give it now.
pub type PayoutAction = Action<PayoutTransition, PayoutRefusal>;
/// Why there is no change of a payout.
pub type PayoutUndecided = crate::refusal::Undecided<PayoutRefusal>;

/// Decides one attempt.
///
/// # Errors
/// [`PayoutUndecided::Refused`] if the rules say no, [`PayoutUndecided::Misfit`] if a gateway's fact does not fit what is stored,
/// [`PayoutUndecided::Broken`] if an invariant of the money would not hold. In all three nothing has changed.
pub fn decide(payout: &Payout, attempt: &PayoutAttempt, now: Moment) -> Result<PayoutOutcome, PayoutUndecided> {
    if let PayoutCommand::Tick = attempt.command {
        return tick::tick(payout, now);
    }
    match payout.journal.seen(&attempt.operation) {
        Seen::Before(_) => return Ok(Outcome::AlreadyDone),
        Seen::Otherwise => return Err(PayoutRefusal::KeyReused.into()),
        Seen::New => {}
    }
    if let PayoutCommand::Fact(fact) = &attempt.command {
        // Only what a gateway has signed, or answered, is a fact.
        if attempt.actor.role != Role::Gateway {
            return Err(PayoutRefusal::Stranger.into());
        }
        return facts::apply(payout, fact, attempt, now);
    }
    operators::decide(payout, attempt, now)
}
