//! Why a command was not carried out. Named, so that a client can tell them apart; each says what would change it.
//!
//! In the order in which they are looked for: stranger, key reused, list full, milestone, role, stage, stop, time, amount.

use crate::lifecycle::{Role, Stage, Transition};
use crate::money::Money;
use crate::time::Timestamp;

/// A command that was refused: nothing was changed, nothing was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller is no party of the escrow and holds no scope for it.
    #[error("there is no such escrow")]
    Stranger,
    /// The same idempotency key was used before, for another body.
    #[error("this idempotency key was used before with another body")]
    KeyReused,
    /// A list of the escrow is full for people; gateways and the clock are never refused for it.
    #[error("the escrow has no room for more {what}")]
    Full {
        /// What there is no room for.
        what: &'static str,
    },
    /// There are several milestones, and the command names none.
    #[error("the escrow has several milestones: name one")]
    MilestoneRequired,
    /// No milestone of that name.
    #[error("the escrow has no such milestone")]
    MilestoneUnknown,
    /// The caller's role has no row for this in the lifecycle.
    #[error("{transition} is not for the {role}")]
    WrongRole {
        /// What was tried.
        transition: Transition,
        /// As what.
        role: Role,
    },
    /// An arbiter or operator who is buyer or seller of the escrow.
    #[error("an arbiter or operator may not decide on an escrow of their own")]
    OwnEscrow,
    /// The lifecycle does not allow this from here.
    #[error("{transition} is not possible while the milestone is {stage}")]
    WrongStage {
        /// What was tried.
        transition: Transition,
        /// Where the milestone stands.
        stage: Stage,
    },
    /// A freeze stops everything that moves money out.
    #[error("the escrow is frozen: {reason}")]
    Frozen {
        /// Its reason.
        reason: String,
    },
    /// An operator must decide something first.
    #[error("the escrow waits for an operator's decision")]
    InReview,
    /// Time alone will change it.
    #[error("not before {allowed_at}")]
    TooEarly {
        /// From when on.
        allowed_at: Timestamp,
    },
    /// The window is over.
    #[error("the time for this ended at {ended_at}")]
    TooLate {
        /// When it ended.
        ended_at: Timestamp,
    },
    /// Changes were requested as often as the rules allow.
    #[error("changes were requested three times already")]
    RoundsUsedUp,
    /// The milestone was disputed as often as the rules allow.
    #[error("the milestone was disputed twice already")]
    DisputesUsedUp,
    /// An operator must say why.
    #[error("an operator gives a reason")]
    ReasonRequired,
    /// More than there is.
    #[error("at most {most} {}", most.currency)]
    AmountTooLarge {
        /// What there is.
        most: Money,
    },
    /// A part that no gateway could pay back exactly, or that leaves such a part.
    #[error("with its share of the fee, every part that can go back must be a multiple of {step} {}", step.currency)]
    AmountStep {
        /// The smallest step.
        step: Money,
        /// What names the part, as the API writes it.
        field: &'static str,
    },
    /// The other side has made no offer.
    #[error("the other side has made no offer")]
    NothingProposed,
    /// The offer that was named no longer counts: the latest does.
    #[error("that offer no longer counts")]
    ProposalGone,
    /// The offer is the caller's own.
    #[error("an offer is accepted by the other side")]
    OwnProposal,
    /// The other side has asked for nothing that could be agreed with.
    #[error("the other side has not asked for this")]
    NothingAsked,
    /// Nobody's consent is needed.
    #[error("there is no need to ask: {instead} is possible")]
    NoNeedToAsk {
        /// What can be done instead.
        instead: Transition,
    },
    /// Neither side has said until when.
    #[error("say until when: the other side has asked for no moment")]
    UntilRequired,
    /// Not later than the deadline is now, or later than all extensions together may bring it.
    #[error("the deadline moves to a moment after {after}, and to {most} at most")]
    UntilOutOfBounds {
        /// Where the deadline is now.
        after: Timestamp,
        /// The latest that it may be.
        most: Timestamp,
    },
    /// The milestone's deadlines were moved by as much as the rules allow.
    #[error("the deadlines of the milestone were extended by 30 days already")]
    ExtensionsUsedUp,
    /// Nothing waits for an operator's decision under that name.
    #[error("there is nothing of that kind to decide")]
    NothingToResolve,
    /// No freeze of that cause.
    #[error("the escrow is not frozen for that cause")]
    NotFrozen,
}

impl Refusal {
    /// The stable code that clients rely on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stranger => "not_found",
            Self::KeyReused => "idempotency_key_reused",
            Self::Full { .. } => "limit_reached",
            Self::MilestoneRequired => "milestone_required",
            Self::MilestoneUnknown => "milestone_unknown",
            Self::WrongRole { .. } => "forbidden",
            Self::OwnEscrow => "own_escrow",
            Self::WrongStage { .. } => "transition_refused",
            Self::Frozen { .. } => "frozen",
            Self::InReview => "in_review",
            Self::TooEarly { .. } => "too_early",
            Self::TooLate { .. } => "too_late",
            Self::RoundsUsedUp => "rounds_used_up",
            Self::DisputesUsedUp => "disputes_used_up",
            Self::ReasonRequired => "reason_required",
            Self::AmountTooLarge { .. } => "amount_too_large",
            Self::AmountStep { .. } => "amount_not_supported",
            Self::NothingProposed => "nothing_proposed",
            Self::ProposalGone => "proposal_replaced",
            Self::OwnProposal => "own_proposal",
            Self::NothingAsked => "nothing_asked",
            Self::NoNeedToAsk { .. } => "no_need_to_ask",
            Self::UntilRequired => "until_required",
            Self::UntilOutOfBounds { .. } => "until_out_of_bounds",
            Self::ExtensionsUsedUp => "extensions_used_up",
            Self::NothingToResolve => "nothing_to_resolve",
            Self::NotFrozen => "not_frozen",
        }
    }

    /// When time alone will allow it.
    #[must_use]
    pub const fn allowed_at(&self) -> Option<Timestamp> {
        match self {
            Self::TooEarly { allowed_at } => Some(*allowed_at),
            Self::Stranger
            | Self::KeyReused
            | Self::Full { .. }
            | Self::MilestoneRequired
            | Self::MilestoneUnknown
            | Self::WrongRole { .. }
            | Self::OwnEscrow
            | Self::WrongStage { .. }
            | Self::Frozen { .. }
            | Self::InReview
            | Self::TooLate { .. }
            | Self::RoundsUsedUp
            | Self::DisputesUsedUp
            | Self::ReasonRequired
            | Self::AmountTooLarge { .. }
            | Self::AmountStep { .. }
            | Self::NothingProposed
            | Self::ProposalGone
            | Self::OwnProposal
            | Self::NothingAsked
            | Self::NoNeedToAsk { .. }
            | Self::UntilRequired
            | Self::UntilOutOfBounds { .. }
            | Self::ExtensionsUsedUp
            | Self::NothingToResolve
            | Self::NotFrozen => None,
        }
    }
}

/// A fact of a gateway that cannot be booked as it is: an operator must look at it. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The escrow has no payment of that number.
    #[error("the escrow has no such payment")]
    PaymentUnknown,
    /// The escrow has no refund of that number, and nothing is known of that capture.
    #[error("the escrow has no such refund or capture")]
    RefundUnknown,
    /// The payment was made for another gateway.
    #[error("the payment belongs to another gateway")]
    OtherGateway,
    /// Money was sent for a payout that is not to be sent, is over, or was sent before under another name.
    #[error("the gateway tells of a transfer that this payout does not expect")]
    TransferUnexpected,
    /// The amount or the currency is not what was asked for.
    #[error("the gateway tells of {told}, but {expected} was asked for")]
    OtherAmount {
        /// What the gateway says, with its currency.
        told: String,
        /// What is stored, with its currency.
        expected: String,
    },
}

impl Misfit {
    /// The gateway tells of one amount, and another is stored.
    #[must_use]
    pub fn other_amount(told: Money, expected: Money) -> Self {
        let words = |money: Money| format!("{money} {}", money.currency);
        Self::OtherAmount { told: words(told), expected: words(expected) }
    }
}

/// An invariant of the money does not hold. The change is thrown away, the caller sees an internal error, an alarm sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an invariant is broken: {0}")]
pub struct Broken(pub &'static str);

/// Why there is no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided<R = Refusal> {
    /// The rules say no.
    #[error(transparent)]
    Refused(R),
    /// A gateway's fact does not fit what is stored.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A bug or corrupt data.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<Refusal> for Undecided {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<R> From<crate::money::OutOfBounds> for Undecided<R> {
    fn from(_: crate::money::OutOfBounds) -> Self {
        Self::Broken(Broken("an amount left its bounds"))
    }
}

impl<R> From<crate::journal::Unbalanced> for Undecided<R> {
    fn from(_: crate::journal::Unbalanced) -> Self {
        Self::Broken(Broken("an entry's postings do not sum to zero"))
    }
}
