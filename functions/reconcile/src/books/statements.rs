//! Statements: a wallet is what its lines and payouts say, and each line is what a journal says.
//!
//! That every line has its posting and every posting its line is compared by sums of hashes, so that nothing has to be kept for each:
//! two lists of millions have the same sum only if they hold the same.

use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::journal::{Account, Posting};
use escrow_domain::payout::{Payout, PayoutStatus};
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::{LineKind, MovedBy, Wallet, WalletLine};
use escrow_store::lists::ListError;
use escrow_store::{Store, StoreError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Lines of one read.
const PAGE: u8 = 100;

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
    /// Hashes of postings less hashes of lines.
    difference: u128,
    /// What stood in the wallet, if it was met.
    wallet: Option<(i64, i64)>,
    has_lines: bool,
    /// What its payouts reserve, and what they have taken for good, in minor units.
    reserved: i64,
    gone: i64,
}

impl Statements {
    pub(super) const fn new(cutoff: Option<Timestamp>) -> Self {
        Self { cutoff, wallets: BTreeMap::new() }
    }

    fn counts(&self, at: Timestamp) -> bool {
        self.cutoff.is_none_or(|cutoff| at < cutoff)
    }

    /// What an entry of an aggregate gave to wallets, or took from them.
    pub(super) fn posted(&mut self, of: MovedBy, entry: u32, at: Timestamp, postings: &[Posting]) {
        if !self.counts(at) {
            return;
        }
        for posting in postings {
            if let Account::Wallet(owner) = &posting.account {
                // A credit is negative in the ledger and an income in a statement.
                let hash = hash(of, entry, posting.units.saturating_neg());
                let known = self.wallets.entry((owner.clone(), posting.currency)).or_default();
                known.difference = known.difference.wrapping_add(hash);
            }
        }
    }

    /// A line was met. It is read with its wallet; here only that there must be one.
    pub(super) fn line(&mut self, line: &WalletLine) {
        self.wallets.entry((line.owner.clone(), line.currency)).or_default().has_lines = true;
    }

    pub(super) fn payout(&mut self, payout: &Payout) {
        let known = self.wallets.entry((payout.owner.clone(), payout.money.currency)).or_default();
        let units = payout.money.amount.units();
        if payout.status.is_open() {
            known.reserved = known.reserved.saturating_add(units);
        } else if matches!(payout.status, PayoutStatus::Paid | PayoutStatus::Returned) {
            known.gone = known.gone.saturating_add(units.saturating_sub(payout.returned.units()));
        }
    }

    /// Reads the statement of a wallet and compares the two; how many lines it has.
    pub(super) async fn wallet(
        &mut self,
        store: &Store,
        wallet: &Wallet,
        broken: &mut Vec<String>,
    ) -> Result<u64, StoreError> {
        // Newest first: from what stands in the wallet back to nothing.
        let (mut balance, mut earned, mut left) = (wallet.balance(), 0_i64, wallet.lines);
        let mut lines_hash = 0_u128;
        let mut cursor: Option<String> = None;
        loop {
            let page = match store.statement_of(wallet, 0..wallet.lines, PAGE, cursor.as_deref()).await {
                Ok(page) => page,
                Err(ListError::Store(error)) => return Err(error),
                Err(ListError::Cursor(error)) => {
                    broken.push(error.to_string());
                    break;
                }
            };
            for line in page.items {
                let line = match line {
                    Ok(line) => line,
                    Err(unreadable) => {
                        broken.push(unreadable.to_string());
                        continue;
                    }
                };
                left = left.saturating_sub(1);
                if line.number != left {
                    broken.push(format!("line {left} is missing"));
                    left = line.number;
                }
                if line.after != balance || line.before.checked_add(line.units) != Some(line.after) {
                    broken.push(format!("line {} does not lead to what follows it", line.number));
                }
                balance = line.before;
                if line.kind == LineKind::Release {
                    earned = earned.saturating_add(line.units);
                }
                if self.counts(line.at) {
                    lines_hash = lines_hash.wrapping_add(hash(line.of, line.entry, line.units));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if left != 0 || balance != 0 {
            broken.push(format!("its statement does not begin with nothing: {left} lines and {balance} are missing"));
        }
        if wallet.earned.units() != earned {
            broken.push("what was earned is not what its lines sum up to".to_owned());
        }
        if !wallet.available.is_zero() && !wallet.debt.is_zero() {
            broken.push("money is available while there is debt".to_owned());
        }
        let known = self.wallets.entry((wallet.owner.clone(), wallet.currency)).or_default();
        known.difference = known.difference.wrapping_sub(lines_hash);
        known.wallet = Some((wallet.pending.units(), wallet.withdrawn.units()));
        Ok(wallet.lines)
    }

    /// Everything was read: what does not fit, by wallet.
    pub(super) fn close(self) -> Vec<(UserId, Currency, &'static str)> {
        let live = self.cutoff.is_some();
        let mut breaks = Vec::new();
        for ((owner, currency), known) in self.wallets {
            let mut broken = |what| breaks.push((owner.clone(), currency, what));
            match known.wallet {
                None if known.has_lines => broken("lines without a wallet"),
                // A payout that is still being decided on while the table is read.
                None => {}
                // Payouts and wallets that people use meanwhile are compared only where nobody writes.
                Some((pending, withdrawn)) if !live => {
                    if pending != known.reserved {
                        broken("what it has reserved is not what its payouts reserve");
                    }
                    if withdrawn != known.gone {
                        broken("what was withdrawn is not what its payouts have paid out");
                    }
                }
                Some(_) => {}
            }
            if known.difference != 0 {
                broken("its lines are not what the journals have posted");
            }
        }
        breaks
    }
}

/// One movement of a wallet, as the journal behind it and the line that tells of it both have it.
fn hash(of: MovedBy, entry: u32, units: i64) -> u128 {
    let name = match of {
        MovedBy::Escrow(id) => id.to_string(),
        MovedBy::Payout(id) => id.to_string(),
        MovedBy::TopUp(id) => id.to_string(),
    };
    let digest = Sha256::digest(format!("{name} {entry} {units}").as_bytes());
    digest.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte))
}
