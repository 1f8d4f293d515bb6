//! The sums of the ledger.

use super::report::AccountSum;
use escrow_domain::currency::Currency;
use escrow_domain::journal::{Account, Posting};
use escrow_domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What all entries before the cutoff leave on each account.
#[derive(Debug)]
pub(super) struct Ledger {
    cutoff: Option<Timestamp>,
    sums: BTreeMap<(String, Currency), i128>,
}

impl Ledger {
    pub(super) const fn new(cutoff: Option<Timestamp>) -> Self {
        Self { cutoff, sums: BTreeMap::new() }
    }

    pub(super) fn book(&mut self, at: Timestamp, postings: &[Posting]) {
        if self.cutoff.is_some_and(|cutoff| at >= cutoff) {
            return;
        }
        for posting in postings {
            let sum = self.sums.entry((name(&posting.account), posting.currency)).or_default();
            *sum = sum.saturating_add(i128::from(posting.units));
        }
    }

    /// The units in which the accounts do not sum to zero.
    pub(super) fn unbalanced(&self) -> BTreeSet<Currency> {
        let mut totals: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((_, currency), sum) in &self.sums {
            let total = totals.entry(*currency).or_default();
            *total = total.saturating_add(*sum);
        }
        totals.into_iter().filter(|(_, total)| *total != 0).map(|(currency, _)| currency).collect()
    }

    pub(super) fn sums(self) -> Vec<AccountSum> {
        let shown = |((account, currency), units): ((String, Currency), i128)| AccountSum {
            account,
            currency: currency.code().to_owned(),
            units: units.to_string(),
            unit: currency,
        };
        self.sums.into_iter().map(shown).collect()
    }
}

/// The platform's own accounts by name, everybody else's together: there are as many of them as people and escrows.
fn name(account: &Account) -> String {
    match account {
        Account::Escrow => "escrows".to_owned(),
        Account::Wallet(_) => "wallets".to_owned(),
        Account::Credits(_) => "credits".to_owned(),
        Account::Receivable(_) => "receivables".to_owned(),
        Account::Gateway(_)
        | Account::Fees
        | Account::Refunds(_)
        | Account::Payouts(_)
        | Account::PayoutsByHand
        | Account::PaidByHand
        | Account::Chargebacks(_)
        | Account::Unapplied(_)
        | Account::Exchange => account.to_string(),
    }
}
