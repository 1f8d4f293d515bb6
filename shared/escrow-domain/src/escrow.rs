//! The escrow: one aggregate, one item, one version. Everything that must commit together stands in it.

use crate::chargeback::Chargeback;
use crate::currency::Currency;
use crate::dispute::Dispute;
use crate::effect::Effect;
use crate::fees::FeePayer;
use crate::id::{EscrowId, GatewayName, UserId};
use crate::journal::Journal;
use crate::lifecycle::{Role, Stage};
use crate::milestone::Milestone;
use crate::money::{Minor, Money, OutOfBounds};
use crate::payment::{Payment, Refund, RefundOf};
use crate::policy::{Kind, Policy, words};
use crate::time::Timestamp;
use crate::wallet::LineKind;
use std::collections::BTreeMap;
use std::fmt;

/// The most milestones an escrow has.
pub const MOST_MILESTONES: usize = 50;
/// The most attempts to pay one escrow.
pub const MOST_PAYMENTS: usize = 20;
/// After so many requests by people on one escrow, what a side can do again and again is refused: parts, asks, offers, evidence. What the
/// lifecycle bounds, and facts of gateways and the clock, are never refused.
pub const MOST_OPERATIONS: usize = 512;
/// The longest reason or note, in characters.
pub const LONGEST_NOTE: usize = 500;

/// What the escrow is about, in the marketplace's own words: `job` and `job_42`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `job`, `bounty`, `collaboration`, `order`, `contract` …: 1 to 32 of `a-z0-9_`.
    pub kind: String,
    /// The marketplace's id of it: 1 to 128 characters of a user id's alphabet.
    pub id: String,
}

/// What was agreed at creation and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What is sold.
    pub kind: Kind,
    /// What it is about.
    pub subject: Subject,
    /// Who pays.
    pub buyer: UserId,
    /// Who delivers and is paid.
    pub seller: UserId,
    /// The unit of every amount in the escrow.
    pub currency: Currency,
    /// The pinned rules.
    pub policy: Policy,
    /// Who pays the platform's fee; the amounts are pinned in the milestones.
    pub fee_payer: FeePayer,
    /// The marketplace's own notes: at most 20 keys and 1 KB.
    pub metadata: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Why nothing may leave and no clock runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Who asked for it.
    pub cause: FreezeCause,
    /// Its reason, in words.
    pub reason: String,
    /// Since when. Ending it adds its length to every deadline.
    pub since: Timestamp,
}

/// Who asked for a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FreezeCause {
    /// The card's holder disputes the payment at their bank.
    Chargeback,
    /// An operator: compliance, suspicion.
    Operator,
}

words!(FreezeCause { Chargeback = "chargeback", Operator = "operator" });

/// Something that only an operator can decide. Like a freeze, it stops outward moves and clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What it is about.
    pub cause: ReviewCause,
    /// The number of the payment or refund that it is about.
    pub part: u16,
    /// What an operator should know.
    pub note: String,
    /// Since when.
    pub since: Timestamp,
}

/// What a review is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReviewCause {
    /// The gateway says that a refund failed.
    RefundFailed,
    /// Whether the gateway made a refund could not be found out.
    RefundInDoubt,
    /// The gateway gave back money that nobody here asked for.
    RefundUnasked,
    /// A payment could not be closed at the gateway.
    CloseFailed,
}

words!(ReviewCause {
    RefundFailed = "refund_failed",
    RefundInDoubt = "refund_in_doubt",
    RefundUnasked = "refund_unasked",
    CloseFailed = "close_failed",
});

/// A credit that a commit has promised to a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredCredit {
    /// To whom.
    pub owner: UserId,
    /// How much, in minor units of the escrow's currency.
    pub amount: Minor,
    /// Why.
    pub kind: LineKind,
    /// By which entry of the journal.
    pub entry: u32,
    /// When it was promised; it is due at once.
    pub since: Timestamp,
}

/// Where the escrow stands, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The least advanced milestone that is not final; when all are final, what happened to the money.
    At(Stage),
    /// An operator must decide something.
    Review,
}

impl Status {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::At(stage) => stage.as_str(),
            Self::Review => "review",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escrow {
    /// Its name.
    pub id: EscrowId,
    /// What was agreed.
    pub terms: Terms,
    /// The parts of the work, each with its money. At least one, at most [`MOST_MILESTONES`].
    pub milestones: Vec<Milestone>,
    /// Attempts to pay, by number.
    pub payments: Vec<Payment>,
    /// Refunds, by number; from the commit that promised them on.
    pub refunds: Vec<Refund>,
    /// Disputes, by number.
    pub disputes: Vec<Dispute>,
    /// Disputes of card holders at their banks, by number.
    pub chargebacks: Vec<Chargeback>,
    /// Credits that were put off, so that a wallet in demand does not slow a release. They land within minutes.
    pub credits: Vec<DeferredCredit>,
    /// Why nothing may leave.
    pub freezes: Vec<Freeze>,
    /// What waits for an operator.
    pub reviews: Vec<Review>,
    /// Since when, without a break, a freeze or a review has stopped the clocks.
    pub stopped_since: Option<Timestamp>,
    /// When the alarm of a stop sounds next; it repeats daily.
    pub alarm_at: Option<Timestamp>,
    /// What commits have promised to do at a gateway, until its result is a fact.
    pub effects: Vec<Effect>,
    /// Everything that happened.
    pub journal: Journal,
    /// Counts the commits: 1 is the creation. Every write is conditional on it.
    pub version: u64,
    /// When the last entry was made.
    pub updated_at: Timestamp,
}

/// The sums of the milestones' money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// What all milestones cost, without the buyer's fee.
    pub amount: Minor,
    /// The buyer's and the seller's fee.
    pub fee: Minor,
    /// What the buyer pays in all.
    pub charged: Minor,
    /// See [`crate::milestone::Buckets`].
    pub held: Minor,
    /// See [`crate::milestone::Buckets`].
    pub disputed: Minor,
    /// See [`crate::milestone::Buckets`].
    pub released: Minor,
    /// See [`crate::milestone::Buckets`].
    pub refunding: Minor,
    /// See [`crate::milestone::Buckets`].
    pub refunded: Minor,
}

impl Escrow {
    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        if !self.reviews.is_empty() {
            return Status::Review;
        }
        let stages: Vec<Stage> = self.milestones.iter().map(Milestone::stage).collect();
        if let Some(least) = stages.iter().copied().filter(|stage| !stage.is_final()).min() {
            return Status::At(least);
        }
        // All are final. Those that were never paid say nothing about the money unless no milestone was.
        let moved: Vec<Stage> =
            stages.iter().copied().filter(|stage| !matches!(stage, Stage::Cancelled | Stage::Expired)).collect();
        let told = if moved.is_empty() { &stages } else { &moved };
        match told.first() {
            Some(first) if told.iter().all(|stage| stage == first) => Status::At(*first),
            Some(_) if moved.is_empty() => Status::At(Stage::Cancelled),
            Some(_) | None => Status::At(Stage::Split),
        }
    }

    /// The role of this user as a party; `None` for a stranger.
    #[must_use]
    pub fn party(&self, user: &UserId) -> Option<Role> {
        if *user == self.terms.buyer {
            Some(Role::Buyer)
        } else if *user == self.terms.seller {
            Some(Role::Seller)
        } else {
            None
        }
    }

    /// Whether a freeze or a review stops outward moves and clocks.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        !self.freezes.is_empty() || !self.reviews.is_empty()
    }

    /// Whether every milestone is final and nothing is owed to a gateway any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.milestones.iter().all(|milestone| milestone.stage().is_final())
            && self.effects.is_empty()
            && self.refunds.iter().all(Refund::is_over)
            && self.reviews.is_empty()
            && self.credits.is_empty()
            && !self.chargebacks.iter().any(Chargeback::is_open)
    }

    /// The sums over all milestones.
    ///
    /// # Errors
    /// [`OutOfBounds`] if a sum is no amount, which creation has excluded.
    pub fn totals(&self) -> Result<Totals, OutOfBounds> {
        let mut totals = Totals::default();
        for milestone in &self.milestones {
            totals.amount = totals.amount.plus(milestone.amount)?;
            totals.fee = totals.fee.plus(milestone.fee.total()?)?;
            totals.charged = totals.charged.plus(milestone.charged()?)?;
            totals.held = totals.held.plus(milestone.money.held)?;
            totals.disputed = totals.disputed.plus(milestone.money.disputed)?;
            totals.released = totals.released.plus(milestone.money.released)?;
            totals.refunding = totals.refunding.plus(milestone.money.refunding)?;
            totals.refunded = totals.refunded.plus(milestone.money.refunded)?;
        }
        Ok(totals)
    }

    /// What a refund gives back, with its unit.
    #[must_use]
    pub fn refund_money(&self, refund: &Refund) -> Money {
        let unit = match (refund.of, self.payments.get(usize::from(refund.payment))) {
            (RefundOf::Unapplied, Some(payment)) => payment.charged(self.terms.currency).currency,
            (RefundOf::Unapplied, None) | (RefundOf::Milestone(_), _) => self.terms.currency,
        };
        refund.amount.of(unit)
    }

    /// The gateway that makes a refund; `None` where it went into the buyer's wallet: what a wallet had paid, and a part of what was
    /// charged in another unit than the escrow's.
    #[must_use]
    pub fn refund_gateway(&self, refund: &Refund) -> Option<GatewayName> {
        let payment = self.payments.get(usize::from(refund.payment))?;
        match refund.of {
            RefundOf::Milestone(_) if payment.pay_in.is_some() => None,
            RefundOf::Milestone(_) | RefundOf::Unapplied => payment.gateway(),
        }
    }

    /// The open dispute of a milestone, if there is one.
    #[must_use]
    pub fn open_dispute(&self, milestone: u8) -> Option<&Dispute> {
        self.disputes.iter().find(|dispute| dispute.milestone == milestone && dispute.is_open())
    }
}
