//! Why a payout's command was not carried out.

use super::rows::PayoutTransition;
use super::status::PayoutStatus;
use crate::lifecycle::Role;
use crate::money::Money;
use crate::refusal::{Broken, Undecided};
use crate::wallet::WalletRefusal;

/// A command that was refused: nothing was changed, nothing was kept. In the order in which they are looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayoutRefusal {
    /// The caller is neither the owner nor holds a scope for it.
    #[error("there is no such payout")]
    Stranger,
    /// The same idempotency key was used before, for another body.
    #[error("this idempotency key was used before with another body")]
    KeyReused,
    /// The caller's role has no row for this.
    #[error("{transition} is not for the {role}")]
    WrongRole {
        /// What was tried.
        transition: PayoutTransition,
        /// As what.
        role: Role,
    },
    /// An operator on a payout of their own, or the approval of one that they asked for themselves.
    #[error("somebody else has to decide on a payout of one's own")]
    OwnPayout,
    /// The table does not allow this from here.
    #[error("{transition} is not possible while the payout is {status}")]
    WrongStatus {
        /// What was tried.
        transition: PayoutTransition,
        /// Where it stands.
        status: PayoutStatus,
    },
    /// An operator must say why.
    #[error("an operator gives a reason")]
    ReasonRequired,
    /// The reference of a payout made by hand is missing.
    #[error("a payout made by hand is marked with a reference that proves it")]
    ReferenceRequired,
    /// The owner cannot be paid there yet.
    #[error("the seller cannot be paid yet: {reason}")]
    NotReady {
        /// What the seller must do next.
        reason: String,
    },
    /// Too little.
    #[error("a payout is at least {minimum} {}", minimum.currency)]
    BelowMinimum {
        /// The least.
        minimum: Money,
    },
    /// More digits than the gateway can move.
    #[error("a payout at this gateway is a multiple of {step} {}", step.currency)]
    AmountStep {
        /// The smallest step.
        step: Money,
    },
    /// A standing wish for payouts that are too frequent or too far apart.
    #[error("automatic payouts are made at once, or every PT1H to P365D")]
    ScheduleInvalid,
    /// The wallet has not so much.
    #[error("only {available} {} can be paid out", available.currency)]
    Insufficient {
        /// What there is.
        available: Money,
    },
    /// Nothing may leave the wallet.
    #[error("the wallet is on hold: {reason}")]
    OnHold {
        /// Why.
        reason: String,
    },
}

impl PayoutRefusal {
    /// The stable code that clients rely on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stranger => "not_found",
            Self::KeyReused => "idempotency_key_reused",
            Self::WrongRole { .. } => "forbidden",
            Self::OwnPayout => "own_payout",
            Self::WrongStatus { .. } => "transition_refused",
            Self::ReasonRequired => "reason_required",
            Self::ReferenceRequired => "reference_required",
            Self::NotReady { .. } => "seller_not_ready",
            Self::BelowMinimum { .. } => "below_minimum",
            Self::AmountStep { .. } => "amount_not_supported",
            Self::ScheduleInvalid => "schedule_invalid",
            Self::Insufficient { .. } => "insufficient_funds",
            Self::OnHold { .. } => "wallet_on_hold",
        }
    }

    /// What a wallet's refusal means for a payout of that unit.
    #[must_use]
    pub fn of_wallet(refusal: WalletRefusal, money: Money) -> Undecided<Self> {
        match refusal {
            WalletRefusal::Insufficient { available } => {
                Undecided::Refused(Self::Insufficient { available: available.of(money.currency) })
            }
            WalletRefusal::OnHold { reason } => Undecided::Refused(Self::OnHold { reason }),
            WalletRefusal::Broken => Broken("a wallet's sums leave their bounds").into(),
        }
    }
}

impl From<PayoutRefusal> for Undecided<PayoutRefusal> {
    fn from(refusal: PayoutRefusal) -> Self {
        Self::Refused(refusal)
    }
}
