//! A user's wallet: what is theirs, line by line. It never changes alone: what changes it is always in the same transaction.

use crate::currency::Currency;
use crate::id::{EscrowId, GatewayName, PayoutId, TopUpId, UserId};
use crate::money::{Minor, OutOfBounds};
use crate::policy::words;
use crate::time::{Period, Timestamp};

/// One wallet: a user's money in one unit. All amounts in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Whose.
    pub owner: UserId,
    /// The unit.
    pub currency: Currency,
    /// What can be paid out or spent.
    pub available: Minor,
    /// Reserved by payouts on their way.
    pub pending: Minor,
    /// Owed after the fact; netted from the next credit. While there is debt nothing is available.
    pub debt: Minor,
    /// Everything ever earned: credited by releases.
    pub earned: Minor,
    /// Everything ever paid out.
    pub withdrawn: Minor,
    /// Why nothing may leave it: the reconciler found a break.
    pub hold: Option<String>,
    /// How it is paid out without being asked.
    pub auto_payout: Option<AutoPayout>,
    /// How many lines the statement has; the next line has this number.
    pub lines: u64,
    /// Counts the commits; 0 is a wallet that was never stored.
    pub version: u64,
}

/// The seller's standing wish to be paid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoPayout {
    /// At which gateway; by hand if `None`.
    pub gateway: Option<GatewayName>,
    /// Only when so much is available, in minor units.
    pub minimum: Minor,
    /// At most once in this time; `None`: as soon as there is enough.
    pub every: Option<Period>,
    /// When it is tried next; `None` while there was never enough. Every move of the wallet keeps it.
    pub next: Option<Timestamp>,
}

/// Why a wallet changed. It says what the change does to the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// A milestone was released to this seller: earned. Debt is paid first.
    Release,
    /// This buyer's money came back into the wallet. Debt is paid first.
    Refund,
    /// Money was paid in. Debt is paid first.
    TopUp,
    /// This buyer paid an escrow from the wallet.
    Funding,
    /// A card's holder got back what this user had received: what is not available becomes debt.
    Chargeback,
    /// Somebody gave a top-up back by hand at the gateway: what is not available becomes debt.
    TopUpRefunded,
    /// The gateway gave back what a chargeback had taken. Debt is paid first.
    ChargebackWon,
    /// A payout was asked for: available becomes pending.
    Payout,
    /// A payout arrived: pending becomes withdrawn. No line: the balance is the same.
    PayoutPaid,
    /// A payout did not leave: pending becomes available again. Debt is paid first.
    PayoutFailed,
    /// A payout came back after it had arrived: withdrawn becomes available again. Debt is paid first.
    PayoutReturned,
}

words!(LineKind {
    Release = "release",
    Refund = "refund",
    TopUp = "top_up",
    Funding = "funding",
    Chargeback = "chargeback",
    TopUpRefunded = "top_up_refunded",
    ChargebackWon = "chargeback_won",
    Payout = "payout",
    PayoutPaid = "payout_paid",
    PayoutFailed = "payout_failed",
    PayoutReturned = "payout_returned",
});

/// The aggregate with which a wallet changed, in one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MovedBy {
    /// An escrow.
    Escrow(EscrowId),
    /// A payout.
    Payout(PayoutId),
    /// A top-up.
    TopUp(TopUpId),
}

/// One line of the statement. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletLine {
    /// Whose.
    pub owner: UserId,
    /// The unit.
    pub currency: Currency,
    /// Counts from 0.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub kind: LineKind,
    /// What changed, in minor units; a credit is positive.
    pub units: i64,
    /// Available less debt before, in minor units.
    pub before: i64,
    /// Available less debt after, in minor units.
    pub after: i64,
    /// The aggregate behind it.
    pub of: MovedBy,
    /// The number of that aggregate's journal entry behind it.
    pub entry: u32,
}

/// What a decision does to a wallet; it must commit together with the aggregate that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletMove {
    /// Whose wallet.
    pub owner: UserId,
    /// The unit.
    pub currency: Currency,
    /// How much, in minor units; never nothing.
    pub amount: Minor,
    /// Why, and so in which direction.
    pub kind: LineKind,
    /// Decided by which aggregate.
    pub of: MovedBy,
    /// By which entry of its journal.
    pub entry: u32,
    /// When.
    pub at: Timestamp,
}

/// Why a wallet cannot change so. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletRefusal {
    /// There is not so much.
    #[error("only {} minor units are available", available.units())]
    Insufficient {
        /// What there is, in minor units.
        available: Minor,
    },
    /// Nothing may leave it.
    #[error("the wallet is on hold: {reason}")]
    OnHold {
        /// Why.
        reason: String,
    },
    /// A sum is no amount, or the move is another wallet's: never in a sound system.
    #[error("the wallet's sums leave their bounds")]
    Broken,
}

impl From<OutOfBounds> for WalletRefusal {
    fn from(_: OutOfBounds) -> Self {
        Self::Broken
    }
}

impl Wallet {
    /// A wallet before its first change.
    #[must_use]
    pub const fn empty(owner: UserId, currency: Currency) -> Self {
        Self {
            owner,
            currency,
            available: Minor::ZERO,
            pending: Minor::ZERO,
            debt: Minor::ZERO,
            earned: Minor::ZERO,
            withdrawn: Minor::ZERO,
            hold: None,
            auto_payout: None,
            lines: 0,
            version: 0,
        }
    }

    /// What the statement calls the balance: available less debt.
    #[must_use]
    pub const fn balance(&self) -> i64 {
        self.available.units().saturating_sub(self.debt.units())
    }

    /// The wallet after a move, and the line that tells of it; none where the balance stays the same.
    ///
    /// # Errors
    /// [`WalletRefusal::Insufficient`] and [`WalletRefusal::OnHold`] only for what its owner spends or asks for; facts are never refused.
    pub fn moved(&self, moved: &WalletMove) -> Result<(Self, Option<WalletLine>), WalletRefusal> {
        if moved.owner != self.owner || moved.currency != self.currency || moved.amount.is_zero() {
            return Err(WalletRefusal::Broken);
        }
        let (mut after, amount) = (self.clone(), moved.amount);
        match moved.kind {
            LineKind::Release => {
                after.receive(amount)?;
                after.earned = after.earned.plus(amount)?;
            }
            LineKind::Refund | LineKind::TopUp | LineKind::ChargebackWon => after.receive(amount)?,
            LineKind::Funding => after.spend(amount)?,
            LineKind::Chargeback | LineKind::TopUpRefunded => {
                let there = after.available.min(amount);
                after.available = after.available.minus(there)?;
                after.debt = after.debt.plus(amount.minus(there)?)?;
            }
            LineKind::Payout => {
                after.spend(amount)?;
                after.pending = after.pending.plus(amount)?;
            }
            LineKind::PayoutPaid => {
                after.pending = after.pending.minus(amount)?;
                after.withdrawn = after.withdrawn.plus(amount)?;
            }
            LineKind::PayoutFailed => {
                after.pending = after.pending.minus(amount)?;
                after.receive(amount)?;
            }
            LineKind::PayoutReturned => {
                after.withdrawn = after.withdrawn.minus(amount)?;
                after.receive(amount)?;
            }
        }
        after.auto_payout = after.auto_payout.map(|policy| policy.after(moved.kind, moved.at));
        after.version = self.version.checked_add(1).ok_or(OutOfBounds)?;
        let units = after.balance().checked_sub(self.balance()).ok_or(OutOfBounds)?;
        if units == 0 {
            return Ok((after, None));
        }
        after.lines = self.lines.checked_add(1).ok_or(OutOfBounds)?;
        let line = WalletLine {
            owner: self.owner.clone(),
            currency: self.currency,
            number: self.lines,
            at: moved.at,
            kind: moved.kind,
            units,
            before: self.balance(),
            after: after.balance(),
            of: moved.of,
            entry: moved.entry,
        };
        Ok((after, Some(line)))
    }

    /// Money comes in: debt first.
    fn receive(&mut self, amount: Minor) -> Result<(), OutOfBounds> {
        let paid_off = self.debt.min(amount);
        self.debt = self.debt.minus(paid_off)?;
        self.available = self.available.plus(amount.minus(paid_off)?)?;
        Ok(())
    }

    /// Its owner lets money go.
    fn spend(&mut self, amount: Minor) -> Result<(), WalletRefusal> {
        if let Some(reason) = &self.hold {
            return Err(WalletRefusal::OnHold { reason: reason.clone() });
        }
        if amount > self.available {
            return Err(WalletRefusal::Insufficient { available: self.available });
        }
        self.available = self.available.minus(amount)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currencies;

    #[test]
    fn a_credit_pays_debt_first_and_the_line_tells_the_balance_before_and_after() {
        let sar = Currencies::default().find("SAR").unwrap();
        let owner: UserId = "usr_seller".parse().unwrap();
        let minor = |units| Minor::new(units).unwrap();
        let mut wallet = Wallet::empty(owner.clone(), sar);
        wallet.debt = minor(40);
        let of = MovedBy::Escrow(EscrowId::derive("r", "i", "s", "k"));
        let at = Timestamp::from_seconds(5);
        let credit = WalletMove { owner, currency: sar, amount: minor(100), kind: LineKind::Release, of, entry: 4, at };
        let (after, line) = wallet.moved(&credit).unwrap();
        assert_eq!((after.available, after.debt, after.earned), (minor(60), Minor::ZERO, minor(100)));
        let line = line.unwrap();
        assert_eq!((line.before, line.units, line.after, line.number), (-40, 100, 60, 0));
        assert_eq!((after.lines, after.version), (1, 1));
        let other = Currencies::default().find("USD").unwrap();
        assert!(wallet.moved(&WalletMove { currency: other, ..credit }).is_err());
    }
}
