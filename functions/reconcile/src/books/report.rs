//! What was found.

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
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The aggregate: an id, or `wallet:{owner}:{currency}`.
    pub at: String,
    /// What does not hold.
    pub what: String,
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
}

impl Report {
    pub(crate) fn broken(&mut self, at: &str, what: impl Into<String>) {
        self.breaks_found = self.breaks_found.saturating_add(1);
        if self.breaks.len() < MOST_BREAKS {
            self.breaks.push(Break { at: at.to_owned(), what: what.into() });
        }
    }

    /// Takes note of breaks of one aggregate.
    pub(crate) fn breaks_of<'a>(&'a mut self, at: &'a str) -> impl FnMut(String) + 'a {
        move |what| self.broken(at, what)
    }
}
