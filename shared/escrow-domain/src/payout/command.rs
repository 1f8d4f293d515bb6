//! What can be asked of a payout: by people, by a gateway's facts, by the clock.

use super::status::{BankState, Rail, TiedTo};
use crate::id::{GatewayName, PayoutId, UserId};
use crate::money::{Minor, Money};

/// A payout to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayout {
    /// Derived from the caller and the idempotency key.
    pub id: PayoutId,
    /// Whose wallet.
    pub owner: UserId,
    /// How much.
    pub money: Money,
    /// By which way.
    pub rail: Rail,
    /// The payment whose money it is.
    pub tied_to: Option<TiedTo>,
}

/// What a deployment allows for payouts of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayoutLimits {
    /// No payout is smaller, in minor units: below it the gateway's own fee eats it.
    pub minimum: Minor,
    /// Above this, in minor units, an operator approves; `None`: nobody has to.
    pub approval_above: Option<Minor>,
}

/// How an operator decides a payout in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayoutResolution {
    /// The gateway made it: the money has left.
    Done,
    /// It did not: it is sent again, under another key, after a look at the gateway.
    Retry,
    /// It did not, and it is given up: the money goes back into the wallet.
    Failed,
}

/// What is asked of a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutCommand {
    /// An operator, other than who asked, lets it go.
    Approve {
        /// Why, if the operator says.
        reason: Option<String>,
    },
    /// An operator does not: the money goes back into the wallet.
    Reject {
        /// Why, in words that its owner is shown.
        reason: String,
    },
    /// An operator has made it by hand.
    MarkPaid {
        /// What proves it: a bank's reference.
        reference: String,
    },
    /// An operator could not make it by hand, or it came back: the money goes back into the wallet.
    MarkFailed {
        /// Why, in words that its owner is shown.
        reason: String,
    },
    /// An operator decides one in doubt.
    Resolve {
        /// How.
        resolution: PayoutResolution,
        /// Why.
        reason: String,
    },
    /// What a gateway says has happened.
    Fact(PayoutFact),
    /// A deadline has passed: whatever is due at `now`.
    Tick,
}

/// A gateway's fact about a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutFact {
    /// The transfer moved.
    Transfer {
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of it; of one that was refused, the key of the request.
        reference: String,
        /// How much it sends.
        money: Money,
        /// How it stands.
        outcome: TransferOutcome,
    },
    /// So much of the transfer has come back in all.
    Reversed {
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of the transfer.
        reference: String,
        /// How much the transfer sent.
        money: Money,
        /// What has come back in all.
        total: Money,
        /// Why, where the gateway says.
        reason: Option<String>,
    },
    /// The owner's bank has it, or does not take it. Display only.
    Bank(BankState),
}

/// How a transfer stands at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferOutcome {
    /// The gateway has it, and will say how it ended.
    Pending,
    /// The money has left.
    Sent,
    /// It did not, and says why.
    Failed(String),
}
