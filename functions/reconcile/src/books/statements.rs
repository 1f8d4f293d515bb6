//! Statements: a wallet is what its lines and payouts say, and each line is what a journal says.
//!
//! That every line has its posting and every posting its line, and that each line leads to the next, is compared by sums of hashes, so that
//! nothing has to be kept for each, and nothing has to be read in any order: two lists of millions have the same sum only if they hold the
//! same. Only a wallet whose sums do not fit is read by itself, line by line; mostly it has just moved while the table was read.

use super::lines;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::journal::{Account, Posting};
use escrow_domain::payout::{Payout, PayoutStatus};
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::{LineKind, MovedBy, Wallet, WalletLine};
use escrow_store::{Store, StoreError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Whose, in which unit.
type Name = (UserId, Currency);

/// What is known of each wallet.
#[derive(Debug)]
pub(super) struct Statements {
    cutoff: Option<Timestamp>,
    wallets: BTreeMap<Name, Known>,
}

/// What is known of one wallet.
#[derive(Debug, Default)]
struct Known {
    /// The wallet itself, if it was met.
    wallet: Option<Standing>,
    /// Hashes of what journals have posted.
    posted: u128,
    lines: Lines,
    payouts: Payouts,
}

/// What stands in a wallet, as far as something else says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    lines: u64,
    balance: i64,
    earned: i64,
    payouts: Payouts,
    /// Money is available, and there is debt.
    is_both: bool,
}

/// What lines come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) count: u64,
    /// Hashes of where each leads to, less hashes of where each begins: what lies between the first and the last takes itself away.
    pub(super) chain: u128,
    /// Hashes of those that journals must have.
    pub(super) told: u128,
    /// What was earned, in minor units.
    pub(super) earned: i64,
}

/// What payouts reserve, and what they have taken for good, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Payouts {
    pub(super) reserved: i64,
    pub(super) gone: i64,
}

impl Lines {
    pub(super) fn take(&mut self, line: &WalletLine, counts: bool) {
        self.count = self.count.saturating_add(1);
        let (begins, leads) = (place(line.number, line.before), place(line.number.saturating_add(1), line.after));
        self.chain = self.chain.wrapping_add(leads).wrapping_sub(begins);
        // One that does not even add up breaks the chain.
        if line.before.checked_add(line.units) != Some(line.after) {
            self.chain = self.chain.wrapping_add(1);
        }
        if line.kind == LineKind::Release {
            self.earned = self.earned.saturating_add(line.units);
        }
        if counts {
            self.told = self.told.wrapping_add(movement(line.of, line.entry, line.units));
        }
    }
}

impl Payouts {
    pub(super) fn take(&mut self, payout: &Payout) {
        let units = payout.money.amount.units();
        if payout.status.is_open() {
            self.reserved = self.reserved.saturating_add(units);
        } else if matches!(payout.status, PayoutStatus::Paid | PayoutStatus::Returned) {
            self.gone = self.gone.saturating_add(units.saturating_sub(payout.returned.units()));
        }
    }

    pub(super) const fn of(wallet: &Wallet) -> Self {
        Self { reserved: wallet.pending.units(), gone: wallet.withdrawn.units() }
    }
}

impl Standing {
    const fn of(wallet: &Wallet) -> Self {
        Self {
            lines: wallet.lines,
            balance: wallet.balance(),
            earned: wallet.earned.units(),
            payouts: Payouts::of(wallet),
            is_both: !wallet.available.is_zero() && !wallet.debt.is_zero(),
        }
    }
}

impl Known {
    /// Whether everything that was met fits together.
    fn fits(&self) -> bool {
        let Some(wallet) = self.wallet else {
            return self.lines.count == 0 && self.posted == 0 && self.payouts == Payouts::default();
        };
        let chain = place(wallet.lines, wallet.balance).wrapping_sub(place(0, 0));
        let lines = &self.lines;
        !wallet.is_both
            && (lines.count, lines.chain, lines.earned) == (wallet.lines, chain, wallet.earned)
            && lines.told == self.posted
            && self.payouts == wallet.payouts
    }
}

impl Statements {
    pub(super) const fn new(cutoff: Option<Timestamp>) -> Self {
        Self { cutoff, wallets: BTreeMap::new() }
    }

    fn counts(&self, at: Timestamp) -> bool {
        self.cutoff.is_none_or(|cutoff| at < cutoff)
    }

    fn known(&mut self, owner: &UserId, currency: Currency) -> &mut Known {
        self.wallets.entry((owner.clone(), currency)).or_default()
    }

    /// What an entry of an aggregate gave to wallets, or took from them.
    pub(super) fn posted(&mut self, of: MovedBy, entry: u32, at: Timestamp, postings: &[Posting]) {
        if !self.counts(at) {
            return;
        }
        for posting in postings {
            if let Account::Wallet(owner) = &posting.account {
                // A credit is negative in the ledger and an income in a statement.
                let hash = movement(of, entry, posting.units.saturating_neg());
                let known = self.known(owner, posting.currency);
                known.posted = known.posted.wrapping_add(hash);
            }
        }
    }

    pub(super) fn line(&mut self, line: &WalletLine) {
        let counts = self.counts(line.at);
        self.known(&line.owner, line.currency).lines.take(line, counts);
    }

    pub(super) fn payout(&mut self, payout: &Payout) {
        self.known(&payout.owner, payout.money.currency).payouts.take(payout);
    }

    pub(super) fn wallet(&mut self, wallet: &Wallet) {
        self.known(&wallet.owner, wallet.currency).wallet = Some(Standing::of(wallet));
    }

    /// Everything was read: what does not fit, by wallet.
    pub(super) async fn close(self, store: &Store) -> Result<Vec<(UserId, Currency, String)>, StoreError> {
        let mut breaks = Vec::new();
        for ((owner, currency), known) in &self.wallets {
            if known.fits() {
                continue;
            }
            let Some((told, mut broken)) = lines::read(store, owner, *currency, self.cutoff).await? else { continue };
            if told != known.posted {
                broken.push("its lines are not what the journals have posted".to_owned());
            }
            breaks.extend(broken.into_iter().map(|what| (owner.clone(), *currency, what)));
        }
        Ok(breaks)
    }
}

/// One movement of a wallet, as the journal behind it and the line that tells of it both have it.
fn movement(of: MovedBy, entry: u32, units: i64) -> u128 {
    match of {
        MovedBy::Escrow(id) => hash(&format!("{id} {entry} {units}")),
        MovedBy::Payout(id) => hash(&format!("{id} {entry} {units}")),
        MovedBy::TopUp(id) => hash(&format!("{id} {entry} {units}")),
    }
}

/// Where a statement stands before the line of that number.
fn place(number: u64, balance: i64) -> u128 {
    hash(&format!("at {number} {balance}"))
}

fn hash(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use escrow_domain::id::EscrowId;

    fn lines(balances: &[i64]) -> Vec<WalletLine> {
        let line = |number: usize, before: i64, after: i64| WalletLine {
            owner: "usr_seller".parse().unwrap(),
            currency: Currencies::default().find("SAR").unwrap(),
            number: u64::try_from(number).unwrap(),
            at: Timestamp::from_seconds(1),
            kind: LineKind::Release,
            units: after - before,
            before,
            after,
            of: MovedBy::Escrow(EscrowId::derive("r", "i", "s", "k")),
            entry: 3,
        };
        balances.windows(2).enumerate().map(|(number, pair)| line(number, pair[0], pair[1])).collect()
    }

    fn chain(lines: &[WalletLine]) -> u128 {
        let mut sum = Lines::default();
        lines.iter().for_each(|line| sum.take(line, true));
        sum.chain
    }

    #[test]
    fn lines_in_any_order_lead_from_nothing_to_the_balance_or_show_that_they_do_not() {
        let whole = lines(&[0, 100, 70, 250]);
        let sound = place(3, 250).wrapping_sub(place(0, 0));
        assert_eq!(chain(&whole), sound);
        let mut backwards = whole.clone();
        backwards.reverse();
        assert_eq!(chain(&backwards), sound);
        // One is missing, one stands twice, two have changed places, one tells another amount.
        assert_ne!(chain(&whole[1..]), sound);
        assert_ne!(chain(&[&whole[..], &whole[1..2]].concat()), sound);
        let mut swapped = whole.clone();
        (swapped[0].number, swapped[1].number) = (1, 0);
        assert_ne!(chain(&swapped), sound);
        let mut altered = whole;
        altered[1].units += 5;
        assert_ne!(chain(&altered), sound);
    }
}
