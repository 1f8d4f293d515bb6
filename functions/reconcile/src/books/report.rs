//! What was found.

use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use serde::Serialize;

/// So many breaks are told of one by one; the rest is counted.
const MOST_BREAKS: usize = 200;

/// What was read and what does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether everything holds.
    pub ok: bool,
    /// How many escrows were read.
    pub escrows: u64,
    /// How many journal entries.
    pub entries: u64,
    /// How many wallets.
    pub wallets: u64,
    /// How many lines of statements.
    pub lines: u64,
    /// How many payouts.
    pub payouts: u64,
    /// How many top-ups.
    pub top_ups: u64,
    /// Events that are parked. No break by itself: an operator looks at them.
    pub parked: u64,
    /// How many breaks were found.
    pub breaks_found: u64,
    /// The first of them.
    pub breaks: Vec<Break>,
    /// The balances of the platform's own accounts, and of everybody else's taken together.
    pub accounts: Vec<AccountSum>,
    /// Wallets that are on hold, and why.
    #[serde(skip)]
    pub(crate) holds: Vec<(UserId, Currency, String)>,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The aggregate: an id, or `wallet:{owner}:{currency}`.
    pub at: String,
    /// What does not hold.
    pub what: String,
    #[serde(skip)]
    wallet: Option<(UserId, Currency)>,
}

impl Break {
    /// The wallet that it touches, where it touches one.
    #[must_use]
    pub const fn wallet(&self) -> Option<&(UserId, Currency)> {
        self.wallet.as_ref()
    }
}

/// The balance of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountSum {
    /// `gateway:stripe`, `fees` …; `escrows`, `wallets`, `credits`, `receivables` are everybody's together.
    pub account: String,
    /// The unit's code.
    pub currency: String,
    /// In minor units of it; a debit is positive. As text, since the sum of a large platform may be longer than a JSON number is exact.
    pub units: String,
    #[serde(skip)]
    pub(crate) unit: Currency,
}

impl Report {
    /// Takes note of a break, and of the wallet that it touches.
    pub(crate) fn broken(&mut self, at: &str, wallet: Option<(&UserId, Currency)>, what: impl Into<String>) {
        self.breaks_found = self.breaks_found.saturating_add(1);
        if self.breaks.len() < MOST_BREAKS {
            let wallet = wallet.map(|(owner, currency)| (owner.clone(), currency));
            self.breaks.push(Break { at: at.to_owned(), what: what.into(), wallet });
        }
    }

    /// Whether every break is told of one by one.
    pub(crate) fn is_complete(&self) -> bool {
        u64::try_from(self.breaks.len()) == Ok(self.breaks_found)
    }

    /// Of what a first reading found, what a second one has found again.
    #[must_use]
    pub fn confirmed_by(mut self, second: Self) -> Self {
        // Of what was cut off nobody knows whether it was found again: then the first reading stands.
        if self.is_complete() && second.is_complete() {
            self.breaks.retain(|found| second.breaks.contains(found));
            self.breaks_found = u64::try_from(self.breaks.len()).unwrap_or(u64::MAX);
        }
        Self { ok: self.breaks_found == 0, breaks: self.breaks, breaks_found: self.breaks_found, ..second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(breaks: std::ops::Range<usize>) -> Report {
        let mut report = Report::default();
        breaks.for_each(|number| report.broken(&format!("esc_{number}"), None, "it does not hold"));
        report
    }

    #[test]
    fn a_break_counts_when_it_was_found_twice() {
        let confirmed = report(0..3).confirmed_by(report(2..5));
        let at: Vec<&str> = confirmed.breaks.iter().map(|found| found.at.as_str()).collect();
        assert_eq!((confirmed.ok, confirmed.breaks_found, at), (false, 1, vec!["esc_2"]));
        assert!(report(0..3).confirmed_by(report(0..0)).ok);
    }

    #[test]
    fn what_was_cut_off_is_not_taken_for_sound() {
        // The second reading has found all of it again, but tells only of the first two hundred.
        let confirmed = report(300..302).confirmed_by(report(0..302));
        assert_eq!((confirmed.ok, confirmed.breaks_found), (false, 2));
        let confirmed = report(0..302).confirmed_by(report(300..302));
        assert_eq!((confirmed.ok, confirmed.breaks_found), (false, 302));
    }
}
