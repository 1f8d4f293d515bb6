//! A user's wallet: what is theirs, line by line. It never changes alone: what changes it is always in the same transaction.

use crate::currency::Currency;
use crate::id::{EscrowId, UserId};
use crate::money::{Minor, OutOfBounds};
use crate::policy::words;
use crate::time::Timestamp;

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
    /// Everything ever credited.
    pub earned: Minor,
    /// Everything ever paid out.
    pub withdrawn: Minor,
    /// While set nothing leaves: the reconciler found a break.
    pub on_hold: bool,
    /// How many lines the statement has; the next line has this number.
    pub lines: u64,
    /// Counts the commits; 0 is a wallet that was never stored.
    pub version: u64,
}

/// Why a wallet changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// A milestone was released to this seller.
    Release,
}

words!(LineKind { Release = "release" });

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
    /// The escrow behind it.
    pub escrow: EscrowId,
    /// The number of the escrow's journal entry behind it.
    pub entry: u32,
}

/// Money that a decision gives to a wallet; it must commit together with the escrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// To whom.
    pub owner: UserId,
    /// The unit.
    pub currency: Currency,
    /// How much.
    pub amount: Minor,
    /// Why.
    pub kind: LineKind,
    /// From which escrow.
    pub escrow: EscrowId,
    /// By which entry of its journal.
    pub entry: u32,
    /// When.
    pub at: Timestamp,
}

impl Wallet {
    /// A wallet before its first credit.
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
            on_hold: false,
            lines: 0,
            version: 0,
        }
    }

    /// What the statement calls the balance: available less debt.
    #[must_use]
    pub const fn balance(&self) -> i64 {
        self.available.units().saturating_sub(self.debt.units())
    }

    /// The wallet after a credit, and the line that tells of it. Debt is paid first.
    ///
    /// # Errors
    /// [`OutOfBounds`] if a sum is no amount, or the credit is for another wallet.
    pub fn credited(&self, credit: &Credit) -> Result<(Self, WalletLine), OutOfBounds> {
        if credit.owner != self.owner || credit.currency != self.currency {
            return Err(OutOfBounds);
        }
        let paid_off = self.debt.min(credit.amount);
        let mut after = self.clone();
        after.debt = self.debt.minus(paid_off)?;
        after.available = self.available.plus(credit.amount.minus(paid_off)?)?;
        after.earned = self.earned.plus(credit.amount)?;
        after.lines = self.lines.checked_add(1).ok_or(OutOfBounds)?;
        after.version = self.version.checked_add(1).ok_or(OutOfBounds)?;
        let line = WalletLine {
            owner: self.owner.clone(),
            currency: self.currency,
            number: self.lines,
            at: credit.at,
            kind: credit.kind,
            units: credit.amount.units(),
            before: self.balance(),
            after: after.balance(),
            escrow: credit.escrow,
            entry: credit.entry,
        };
        Ok((after, line))
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
        let escrow = EscrowId::derive("r", "i", "s", "k");
        let at = Timestamp::from_seconds(5);
        let credit = Credit { owner, currency: sar, amount: minor(100), kind: LineKind::Release, escrow, entry: 4, at };
        let (after, line) = wallet.credited(&credit).unwrap();
        assert_eq!((after.available, after.debt, after.earned), (minor(60), Minor::ZERO, minor(100)));
        assert_eq!((line.before, line.units, line.after, line.number), (-40, 100, 60, 0));
        assert_eq!((after.lines, after.version), (1, 1));
        let other = Currencies::default().find("USD").unwrap();
        assert!(wallet.credited(&Credit { currency: other, ..credit }).is_err());
    }
}
