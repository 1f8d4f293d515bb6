//! Where a payout stands, and by which way it goes.

use crate::id::{EscrowId, GatewayName};
use crate::policy::words;
use crate::time::Timestamp;

/// Where a payout stands. Stored; each change is a row of [`super::rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PayoutStatus {
    /// Waits for an operator to approve it: it is above the limit.
    Approval,
    /// May be sent, and no request of it is under way.
    Ready,
    /// A request is, or may be, on its way; or the gateway has it and will say how it ended.
    Sending,
    /// To be made by hand: owed to the owner until an operator says that it was.
    Owed,
    /// Whether the gateway made it cannot be found out: an operator decides.
    Review,
    /// The money has left.
    Paid,
    /// The money had left, and all of it came back.
    Returned,
    /// The money did not leave: the gateway refused, or an operator says so.
    Failed,
    /// An operator did not approve it, or nobody did in time.
    Rejected,
}

words!(PayoutStatus {
    Approval = "approval",
    Ready = "ready",
    Sending = "sending",
    Owed = "owed",
    Review = "review",
    Paid = "paid",
    Returned = "returned",
    Failed = "failed",
    Rejected = "rejected",
});

impl PayoutStatus {
    /// Whether its money is reserved in the wallet: asked for, and neither gone nor given back.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Approval | Self::Ready | Self::Sending | Self::Owed | Self::Review => true,
            Self::Paid | Self::Returned | Self::Failed | Self::Rejected => false,
        }
    }

    /// Whether it waits for a person: an operator finds it in a queue, and an alarm repeats daily.
    #[must_use]
    pub const fn needs_operator(self) -> bool {
        match self {
            Self::Approval | Self::Owed | Self::Review => true,
            Self::Ready | Self::Sending | Self::Paid | Self::Returned | Self::Failed | Self::Rejected => false,
        }
    }
}

/// By which way money leaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rail {
    /// To the owner's account at a gateway.
    Gateway {
        /// Which gateway.
        gateway: GatewayName,
        /// The gateway's id of the account (Stripe: `acct_…`), as it was when the payout was asked for.
        account: String,
    },
    /// An operator makes it, outside of every gateway.
    ByHand,
}

impl Rail {
    /// The gateway that carries it; `None` by hand.
    #[must_use]
    pub const fn gateway(&self) -> Option<GatewayName> {
        match self {
            Self::Gateway { gateway, .. } => Some(*gateway),
            Self::ByHand => None,
        }
    }

    /// As the API writes it: the gateway's name, or `manual`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Gateway { gateway, .. } => gateway.as_str(),
            Self::ByHand => "manual",
        }
    }
}

/// The payment whose money a payout hands on. Stripe takes the charge as `source_transaction`, and the transfer then succeeds before
/// the charge's money is available (Stripe, *Create separate charges and transfers*, Transfer availability).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TiedTo {
    /// The escrow that was released.
    pub escrow: EscrowId,
    /// The gateway's id of the capture that funded it.
    pub capture: String,
}

/// Why a payout that may be sent is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What it waits for.
    pub cause: WaitCause,
    /// In words that its owner is shown.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What a payout waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitCause {
    /// The gateway said no for now: the platform's balance there does not suffice yet, or the like.
    Gateway,
    /// The wallet is on hold.
    Hold,
}

words!(WaitCause { Gateway = "gateway", Hold = "hold" });

/// How the owner's bank stands to a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankState {
    /// Where it stands.
    pub status: BankStatus,
    /// The gateway's id of its own payout to the bank (Stripe: `po_…`).
    pub reference: String,
    /// Why it failed, in the gateway's words.
    pub reason: Option<String>,
    /// When the gateway told so, by its own clock. The newest counts.
    pub told_at: Timestamp,
}

impl BankState {
    /// Whether this says more than what is known. Gateways tell the time in whole seconds: of two that were told in one second, the
    /// one that lies later in a payout's life counts, so that it does not matter which comes first.
    #[must_use]
    pub fn is_newer_than(&self, known: &Self) -> bool {
        (self.told_at, self.status) > (known.told_at, known.status)
    }
}

/// Where a gateway's own payout to a bank stands (Stripe, *The Payout object*, `status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BankStatus {
    /// Not sent to the bank yet, or under way.
    Pending,
    /// The bank has it.
    Paid,
    /// It was given up; the money is in the owner's account at the gateway.
    Cancelled,
    /// The bank did not take it; the money is in the owner's account at the gateway.
    Failed,
}

words!(BankStatus { Pending = "pending", Paid = "paid", Cancelled = "cancelled", Failed = "failed" });
