//! What can be asked of an escrow: by people, by a gateway's facts, by the clock.

use crate::dispute::Evidence;
use crate::id::{GatewayName, Operation};
use crate::journal::Actor;
use crate::money::{Minor, Money};
use crate::payment::{CheckoutRequest, Method, Source};
use crate::time::Timestamp;

/// One attempt at a change: what, by whom, under which operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What is asked.
    pub command: Command,
    /// Who asks. A person's role is checked against the loaded escrow, never only before.
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
}

/// What is asked of an escrow. `milestone` is an index; `None` is right where there is one milestone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Another attempt to pay.
    AddPayment(NewPayment),
    /// Gives up an unpaid escrow; of a paid one, within the window, the buyer's money back.
    Cancel {
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
    },
    /// The payment can no longer be paid.
    Closed {
        /// Which payment.
        payment: u16,
    },
    /// A refund moved.
    Refund {
        /// Which, by number.
        refund: u16,
        /// The gateway's id of it.
        reference: String,
        /// How much the gateway gives back by it.
        money: Money,
        /// How it stands.
        outcome: RefundOutcome,
    },
    /// So much of a capture has gone back in all, whoever asked for it.
    CaptureRefunded {
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
        /// The gateway's id of the dispute.
        reference: String,
        /// The gateway's reason.
        reason: String,
    },
    /// That dispute is over.
    ChargebackClosed {
        /// The gateway's id of the dispute.
        reference: String,
        /// Whether the money stays.
        won: bool,
    },
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
