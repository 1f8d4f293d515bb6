//! A top-up: one payment into a wallet, of the same unit or, where a coin is bought, at the rate that was pinned. One aggregate, one
//! item, one version.
//!
//! Every capture of it is credited once, also a late or a second one: the money is the owner's. So it needs no effects.

mod create;
mod draft;
mod facts;

pub mod command;
pub mod verify;

pub use command::{NewTopUp, TopUpFact};
pub use create::{checkout_opened, checkout_refused, create, next_attempt};
pub use facts::decide;

use crate::chargeback::ChargebackStatus;
use crate::command::Attempt;
use crate::decide::Outcome;
use crate::id::{TopUpId, UserId};
use crate::journal::Journal;
use crate::money::{Minor, Money};
use crate::payment::{Payment, PaymentStatus};
use crate::policy::words;
use crate::time::Timestamp;
use crate::wallet::WalletMove;

/// What can happen to a top-up. Each is an entry in the journal when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the event of that name")]
pub enum TopUpTransition {
    Create,
    Credit,
    AbsorbRefund,
    Chargeback,
    WinChargeback,
    LoseChargeback,
}

words!(TopUpTransition {
    Create = "create",
    Credit = "credit",
    AbsorbRefund = "absorb_refund",
    Chargeback = "chargeback",
    WinChargeback = "win_chargeback",
    LoseChargeback = "lose_chargeback",
});

/// Where a top-up stands, as clients see it. Derived from its payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TopUpStatus {
    /// Can be paid.
    Open,
    /// Paid by a way that takes time.
    Processing,
    /// The money is in the wallet.
    Paid,
    /// Nobody paid in time, or the gateway says that nobody can any more.
    Expired,
    /// The gateway refused to open it.
    Refused,
}

words!(TopUpStatus {
    Open = "open",
    Processing = "processing",
    Paid = "paid",
    Expired = "expired",
    Refused = "refused",
});

/// One top-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    /// Its name, which is also the name of its payment at the gateway.
    pub id: TopUpId,
    /// Whose wallet.
    pub owner: UserId,
    /// What the wallet gets for each capture.
    pub money: Money,
    /// The payment: `amount` is `money`'s, `pay_in` what the gateway charges where that is another unit; it pays no milestones. Amounts
    /// of its captures are in the unit that is charged.
    pub payment: Payment,
    /// What was given back of captures by hand at the gateway, the newest total of each.
    pub refunded: Vec<GivenBack>,
    /// Disputes of the card's holder at the bank.
    pub chargebacks: Vec<TopUpChargeback>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the last entry was made.
    pub updated_at: Timestamp,
    /// Everything that happened.
    pub journal: Journal<TopUpTransition>,
    /// Counts the commits: 1 is the creation. Every write is conditional on it.
    pub version: u64,
}

/// What was given back of a capture by hand. Amounts in minor units of what is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenBack {
    /// Of which capture, by index.
    pub capture: u8,
    /// In all. Totals also shrink, when a refund fails.
    pub total: Minor,
    /// When the gateway saw it so, by its own clock. The newest counts.
    pub told_at: Timestamp,
}

/// A chargeback of a top-up. Amounts in minor units of what is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUpChargeback {
    /// The gateway's id of it.
    pub reference: String,
    /// Of which capture, by index.
    pub capture: u8,
    /// How much is disputed.
    pub amount: Minor,
    /// The bank's reason, in the gateway's word.
    pub reason: Option<String>,
    /// Where it stands.
    pub status: ChargebackStatus,
    /// What the gateway took.
    pub taken: Minor,
    /// What the gateway gave back.
    pub given_back: Minor,
    /// When it was first told of.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A decided change of a top-up. All of it commits together, or nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUpChange {
    /// The whole next top-up; its version is one more than that of the top-up it was decided on.
    pub top_up: TopUp,
    /// What it does to the owner's wallet.
    pub moves: Vec<WalletMove>,
}

/// What a decision about a top-up comes to.
pub type TopUpOutcome = Outcome<TopUpChange>;
/// A gateway's fact about a top-up, under its operation.
pub type TopUpAttempt = Attempt<TopUpFact>;

impl TopUp {
    /// What the gateway charges.
    #[must_use]
    pub fn pay_in(&self) -> Money {
        self.payment.pay_in.unwrap_or(self.money)
    }

    /// Where it stands. That nobody paid in time is only shown: a payment that comes late is credited like any other.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> TopUpStatus {
        match self.payment.status {
            PaymentStatus::Paid | PaymentStatus::Absorbed => TopUpStatus::Paid,
            PaymentStatus::Processing => TopUpStatus::Processing,
            PaymentStatus::Refused => TopUpStatus::Refused,
            PaymentStatus::Closing | PaymentStatus::Closed => TopUpStatus::Expired,
            PaymentStatus::Opening | PaymentStatus::Open if now >= self.payment.expires_at => TopUpStatus::Expired,
            PaymentStatus::Opening | PaymentStatus::Open => TopUpStatus::Open,
        }
    }

    /// The key under which the gateway knows the request that opens it.
    #[must_use]
    pub fn key(&self) -> String {
        self.payment.key(self.id)
    }
}
