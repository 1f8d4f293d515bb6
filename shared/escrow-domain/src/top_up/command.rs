//! What can be asked of a top-up. People only create it; everything after that is a gateway's fact.

use crate::command::ChargebackTold;
use crate::id::{GatewayName, TopUpId, UserId};
use crate::money::Money;
use crate::payment::{CheckoutRequest, Method, Mode};
use crate::time::Timestamp;

/// A top-up to be created, validated at the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopUp {
    /// Derived from the caller and the idempotency key.
    pub id: TopUpId,
    /// Whose wallet.
    pub owner: UserId,
    /// What the wallet gets.
    pub money: Money,
    /// What the gateway charges: the same, or the coins' price at the rate of this moment.
    pub pay_in: Money,
    /// Where it is paid.
    pub gateway: GatewayName,
    /// How, where the caller chose.
    pub method: Option<Method>,
    /// On whose page.
    pub mode: Mode,
    /// What the gateway will be asked.
    pub request: CheckoutRequest,
    /// When it can no longer be paid.
    pub expires_at: Timestamp,
}

/// A gateway's fact about a top-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopUpFact {
    /// Money arrived.
    Paid {
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of the capture.
        capture: String,
        /// How much, in the unit that is charged.
        money: Money,
        /// The gateway's id of the page, where the fact tells it.
        reference: Option<String>,
    },
    /// Paid by a way that takes time.
    Processing {
        /// At which gateway.
        gateway: GatewayName,
    },
    /// It can no longer be paid.
    Closed {
        /// At which gateway.
        gateway: GatewayName,
    },
    /// So much of a capture has gone back in all: somebody did it by hand at the gateway.
    CaptureRefunded {
        /// At which gateway.
        gateway: GatewayName,
        /// The gateway's id of the capture.
        capture: String,
        /// In all.
        total: Money,
        /// When the gateway saw it so, by its own clock.
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
