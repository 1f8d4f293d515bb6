//! A top-up: one payment into a wallet, of the same unit or, where a coin is bought, at the rate that was pinned. One aggregate, one
//! item, one version.
//!
//! Every capture of it is credited once, also a late or a second one: the money is the owner's. So it needs no effects.

pub mod command;

pub use command::{NewTopUp, TopUpFact};

use crate::chargeback::Chargeback;
use crate::decide::Outcome;
use crate::id::{TopUpId, UserId};
use crate::journal::Journal;
use crate::money::Money;
use crate::payment::Payment;
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
    /// Disputes of the card's holder at the bank, by number; amounts in the unit that was charged.
    pub chargebacks: Vec<Chargeback>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the last entry was made.
    pub updated_at: Timestamp,
    /// Everything that happened.
    pub journal: Journal<TopUpTransition>,
    /// Counts the commits: 1 is the creation. Every write is conditional on it.
    pub version: u64,
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

impl TopUp {
    /// What the gateway charges.
    #[must_use]
    pub fn pay_in(&self) -> Money {
        self.payment.pay_in.unwrap_or(self.money)
    }
}
