//! A payout: money that leaves a wallet for its owner's bank. One aggregate, one item, one version.
//!
//! From the moment it is asked for its amount is reserved in the wallet: available becomes pending in the same commit. It is sent at
//! most once, by the same protocol as a refund ([`crate::effect`]); what never left, or came back, is available again.

mod status;

pub mod command;
pub mod refusal;
pub mod rows;

pub use command::{NewPayout, PayoutCommand, PayoutFact, PayoutLimits, PayoutResolution, TransferOutcome};
pub use refusal::PayoutRefusal;
pub use rows::PayoutTransition;
pub use status::{BankState, BankStatus, PayoutStatus, Rail, TiedTo, WaitCause, Waiting};

use crate::actions::Action;
use crate::command::Attempt;
use crate::decide::Outcome;
use crate::effect::Effect;
use crate::id::{PayoutId, UserId};
use crate::journal::{Actor, Journal};
use crate::money::{Minor, Money};
use crate::time::Timestamp;
use crate::wallet::WalletMove;

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
