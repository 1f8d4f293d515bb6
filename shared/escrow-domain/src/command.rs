//! What can be asked of an escrow: by people, by a gateway's facts, by the clock.

use crate::dispute::Evidence;
use crate::id::{GatewayName, Operation};
use crate::journal::Actor;
use crate::money::{Minor, Money};
use crate::payment::{CheckoutRequest, Method, Mode, Source};
use crate::time::Timestamp;

/// One attempt at a change: what, by whom, under which operation. Of an escrow, or of another aggregate with commands of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt<C = Command> {
    /// What is asked.
    pub command: C,
    /// Who asks. A person's role is checked against the loaded aggregate, never only before.
    pub actor: Actor,
    /// Its fingerprint: the same again is answered, not done.
    pub operation: Operation,
}

/// A payment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Where the money comes from.
    pub source: Source,
    /// How, where the caller chose.
    pub method: Option<Method>,
    /// Which milestones it pays, by index.
    pub milestones: Vec<u8>,
    /// Where the buyer pays.
    pub mode: Mode,
    /// What the gateway charges, where that is another unit than the escrow's.
    pub pay_in: Option<Money>,
    /// What the gateway will be asked.
    pub request: CheckoutRequest,
    /// When it can no longer be paid.
    pub expires_at: Timestamp,
}

/// How an operator decides a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The money did go back (or the thing is settled): book it so.
    Done,
    /// It did not: try again.
    Retry,
    /// It cannot: the buyer's wallet gets it instead.
    CreditWallet,
}

/// What is asked of an escrow. `milestone` is an index; `None` is right where there is one milestone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Another attempt to pay.
    AddPayment(NewPayment),
    /// Gives up an unpaid escrow; of a paid one, within the window, the buyer's money back.
    /// Of what is held otherwise: asks the other side, or agrees with what it has asked.
    Cancel {
        /// Which; all that wait for their payment if `None` and nothing is held.
        milestone: Option<u8>,
        /// Why.
        reason: Option<String>,
    },
    /// The seller has done the work.
    Deliver {
        /// Which.
        milestone: Option<u8>,
        /// What the buyer should know.
        note: Option<String>,
    },
    /// The buyer wants it done again.
    RequestChanges {
        /// Which.
        milestone: Option<u8>,
        /// What is missing.
        note: Option<String>,
    },
    /// The buyer accepts; or an operator decides so.
    Release {
        /// Which.
        milestone: Option<u8>,
        /// How much of it; all that is held if `None`.
        amount: Option<Minor>,
        /// An operator's reason.
        reason: Option<String>,
    },
    /// The seller gives the money back; or an operator decides so.
    Refund {
        /// Which.
        milestone: Option<u8>,
        /// How much of it; all that is held if `None`.
        amount: Option<Minor>,
        /// Why.
        reason: Option<String>,
    },
    /// The buyer disputes.
    Dispute {
        /// Which.
        milestone: Option<u8>,
        /// How much of it; all that is held if `None`.
        amount: Option<Minor>,
        /// Why.
        reason: String,
        /// What proves it.
        evidence: Vec<Evidence>,
    },
    /// A side brings evidence to an open dispute.
    AddEvidence {
        /// Which; the only open one if `None`.
        milestone: Option<u8>,
        /// What proves it; at least one piece.
        evidence: Vec<Evidence>,
    },
    /// A side offers a split of what is disputed.
    Propose {
        /// Which; the only open one if `None`.
        milestone: Option<u8>,
        /// What goes back to the buyer, in minor units; nothing is allowed.
        to_buyer: Minor,
    },
    /// The other side accepts an offer.
    Accept {
        /// Which, by number: the one that counts, or nothing happens.
        proposal: u16,
    },
    /// A running deadline is moved, or the other side is asked whether it may be.
    Extend {
        /// Which.
        milestone: Option<u8>,
        /// To when; what the other side asked for if `None`.
        until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    },
    /// The buyer takes the dispute back.
    WithdrawDispute {
        /// Which; the only open one if `None`.
        milestone: Option<u8>,
    },
    /// An arbiter rules: so much to the buyer, the rest to the seller.
    Rule {
        /// Which; the only open one if `None`.
        milestone: Option<u8>,
        /// What goes back to the buyer, in minor units; nothing is allowed.
        to_buyer: Minor,
        /// Why.
        reason: String,
    },
    /// An operator stops everything.
    Freeze {
        /// Why.
        reason: String,
    },
    /// An operator lets it go on.
    Unfreeze {
        /// Why.
        reason: String,
    },
    /// An operator decides the oldest review.
    Resolve {
        /// How.
        resolution: Resolution,
        /// Why.
        reason: String,
    },
    /// What a gateway says has happened.
    Fact(Fact),
    /// A deadline has passed: whatever is due at `now`.
    Tick,
}

/// A gateway's fact about this escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Money arrived.
    Paid {
        /// For which payment, by number.
        payment: u16,
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of the capture.
        capture: String,
        /// How much.
        money: Money,
        /// The gateway's id of the page, where the fact tells it.
        reference: Option<String>,
    },
    /// The buyer paid by a way that takes time.
    Processing {
        /// Which payment.
        payment: u16,
        /// At which gateway.
        gateway: GatewayName,
    },
    /// The payment can no longer be paid.
    Closed {
        /// Which payment.
        payment: u16,
        /// At which gateway.
        gateway: GatewayName,
    },
    /// A refund moved.
    Refund {
        /// Which, by number.
        refund: u16,
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of it.
        reference: String,
        /// How much the gateway gives back by it.
        money: Money,
        /// How it stands.
        outcome: RefundOutcome,
    },
    /// So much of a capture has gone back in all, whoever asked for it.
    CaptureRefunded {
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of the capture.
        capture: String,
        /// In all.
        total: Money,
        /// When the gateway saw it so, by its own clock. Totals also shrink, when a refund fails: one that was told before a failure
        /// says nothing about what happened after it.
        told_at: Timestamp,
    },
    /// A card's holder disputes a capture.
    ChargebackOpened {
        /// What is told of it.
        chargeback: ChargebackTold,
        /// The gateway's reason.
        reason: String,
    },
    /// The gateway took the disputed money, or gave it back.
    ChargebackFunds {
        /// What is told of it.
        chargeback: ChargebackTold,
        /// How much moved.
        moved: Money,
        /// Whether it came back.
        back: bool,
    },
    /// That dispute is over.
    ChargebackClosed {
        /// What is told of it.
        chargeback: ChargebackTold,
        /// Whether the money stays.
        won: bool,
    },
}

impl Fact {
    /// Which gateway tells it.
    #[must_use]
    pub const fn gateway(&self) -> GatewayName {
        match self {
            Self::Paid { gateway, .. }
            | Self::Processing { gateway, .. }
            | Self::Closed { gateway, .. }
            | Self::Refund { gateway, .. }
            | Self::CaptureRefunded { gateway, .. } => *gateway,
            Self::ChargebackOpened { chargeback, .. }
            | Self::ChargebackFunds { chargeback, .. }
            | Self::ChargebackClosed { chargeback, .. } => chargeback.gateway,
        }
    }
}

/// What every notice about a chargeback tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargebackTold {
    /// Which gateway tells it.
    pub gateway: GatewayName,
    /// The gateway's id of the chargeback.
    pub reference: String,
    /// The gateway's id of the capture.
    pub capture: String,
    /// How much is disputed.
    pub money: Money,
}

/// How a refund stands at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOutcome {
    /// It has it, and will say how it ended.
    Pending,
    /// The buyer has it.
    Succeeded,
    /// It could not, and says why.
    Failed(String),
}
