//! The books: every journal replayed and compared with its state, every wallet with its statement, every line with the posting behind
//! it, and the sums of the whole ledger.
//!
//! It reads a table while people use it. Each aggregate is one item, so whatever is compared inside one belongs together. What is compared
//! between aggregates (statements with journals) counts only what happened before a cutoff: the past does not change, and whatever is
//! read later still has it. Memory grows with the number of wallets, a hundred bytes or so each, and with nothing else.

mod ledger;
mod lines;
mod report;
mod statements;

pub use report::{AccountSum, Break, Report};

use escrow_domain::currency::Currency;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{PayoutId, TopUpId, UserId};
use escrow_domain::journal::Entry;
use escrow_domain::payout::{self, Payout};
use escrow_domain::time::Timestamp;
use escrow_domain::top_up::{self, TopUp};
use escrow_domain::verify;
use escrow_domain::wallet::MovedBy;
use escrow_store::keys::{Key, KeyKind};
use escrow_store::scan::{Scanned, Stored};
use escrow_store::{Store, StoreError};
use ledger::Ledger;
use statements::Statements;

/// Books that are being read.
#[derive(Debug)]
pub struct Books<'a> {
    store: &'a Store,
    ledger: Ledger,
    statements: Statements,
    report: Report,
}

impl<'a> Books<'a> {
    /// Of what happened before `cutoff`; of everything if nobody writes meanwhile and there is none.
    #[must_use]
    pub fn open(store: &'a Store, cutoff: Option<Timestamp>) -> Self {
        Self { store, ledger: Ledger::new(cutoff), statements: Statements::new(cutoff), report: Report::default() }
    }

    /// Takes an item in. What it answers are the entries of an escrow's journal that have left its item.
    ///
    /// # Errors
    /// If the rest of its aggregate could not be read: nothing is known about it then.
    pub async fn read(&mut self, item: &Scanned) -> Result<Vec<Entry>, StoreError> {
        match &item.stored {
            Ok(Stored::Escrow(escrow)) => return self.escrow(escrow).await,
            Ok(Stored::Payout(payout)) => self.payout(payout),
            Ok(Stored::TopUp(top_up)) => self.top_up(top_up),
            Ok(Stored::Wallet(wallet)) => {
                self.report.wallets = self.report.wallets.saturating_add(1);
                self.statements.wallet(wallet);
                if let Some(reason) = &wallet.hold {
                    self.report.holds.push((wallet.owner.clone(), wallet.currency, reason.clone()));
                }
            }
            Ok(Stored::Line(line)) => {
                self.report.lines = self.report.lines.saturating_add(1);
                self.statements.line(line);
            }
            Ok(Stored::Parked(parked)) => {
                self.report.parked = self.report.parked.saturating_add(u64::from(parked.is_some()));
            }
            // Parts of aggregates that are read with them, and things without money.
            Ok(Stored::Page(_) | Stored::Evidence(_) | Stored::Seller(_) | Stored::Account(_) | Stored::Beside) => {}
            // It moves nothing as long as nobody can read it, so nothing needs to be held for it.
            Err(unreadable) => self.report.broken(&name(&item.key), None, unreadable.to_string()),
        }
        Ok(Vec::new())
    }

    async fn escrow(&mut self, escrow: &Escrow) -> Result<Vec<Entry>, StoreError> {
        self.report.escrows = self.report.escrows.saturating_add(1);
        let pages = match self.pages(escrow).await {
            Ok(pages) => pages,
            Err(StoreError::Unreadable(unreadable)) => {
                let seller = (&escrow.terms.seller, escrow.terms.currency);
                self.report.broken(&escrow.id.to_string(), Some(seller), unreadable.to_string());
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        if let Err(error) = verify::check_history(escrow, &pages) {
            let seller = (&escrow.terms.seller, escrow.terms.currency);
            self.report.broken(&escrow.id.to_string(), Some(seller), error.to_string());
        }
        self.entries(MovedBy::Escrow(escrow.id), pages.iter().chain(&escrow.journal.entries));
        Ok(pages)
    }

    /// The entries that have left the item of an escrow, oldest first.
    pub(crate) async fn pages(&self, escrow: &Escrow) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut number = 0;
        while u64::try_from(entries.len()).is_ok_and(|read| read < u64::from(escrow.journal.paged)) {
            entries.extend(self.store.journal_page(escrow.id, number).await?.entries);
            number = number.saturating_add(1);
        }
        Ok(entries)
    }

    fn payout(&mut self, payout: &Payout) {
        self.report.payouts = self.report.payouts.saturating_add(1);
        if let Err(error) = payout::verify::check_history(payout) {
            let owner = (&payout.owner, payout.money.currency);
            self.report.broken(&payout.id.to_string(), Some(owner), error.to_string());
        }
        let id: PayoutId = payout.id;
        self.entries(MovedBy::Payout(id), &payout.journal.entries);
        self.statements.payout(payout);
    }

    fn top_up(&mut self, top_up: &TopUp) {
        self.report.top_ups = self.report.top_ups.saturating_add(1);
        if let Err(error) = top_up::verify::check_history(top_up) {
            let owner = (&top_up.owner, top_up.money.currency);
            self.report.broken(&top_up.id.to_string(), Some(owner), error.to_string());
        }
        let id: TopUpId = top_up.id;
        self.entries(MovedBy::TopUp(id), &top_up.journal.entries);
    }

    fn entries<'e, T: 'e>(&mut self, of: MovedBy, entries: impl IntoIterator<Item = &'e Entry<T>>) {
        for (number, entry) in (0_u32..).zip(entries) {
            self.report.entries = self.report.entries.saturating_add(1);
            self.ledger.book(entry.at, &entry.postings);
            self.statements.posted(of, number, entry.at, &entry.postings);
        }
    }

    /// Takes note of a break that somebody else has found, at an aggregate that moves this wallet.
    pub(crate) fn broken(&mut self, at: &str, wallet: Option<(&UserId, Currency)>, what: String) {
        self.report.broken(at, wallet, what);
    }

    /// The wallets that are on hold, as far as was read, and why.
    pub(crate) fn holds(&self) -> &[(UserId, Currency, String)] {
        &self.report.holds
    }

    /// Everything was read: what was found. A wallet that does not fit what was read of its lines and payouts is looked at by itself first:
    /// it may only have moved in between.
    ///
    /// # Errors
    /// If such a wallet could not be read.
    pub async fn close(self) -> Result<Report, StoreError> {
        let Self { store, ledger, statements, mut report } = self;
        for (owner, currency, what) in statements.close(store).await? {
            report.broken(&format!("wallet:{owner}:{currency}"), Some((&owner, currency)), what);
        }
        for currency in ledger.unbalanced() {
            report.broken("ledger", None, format!("the accounts in {currency} do not sum to zero"));
        }
        report.accounts = ledger.sums();
        report.ok = report.breaks_found == 0;
        Ok(report)
    }
}

/// What stands at a key, by the name that it has everywhere else.
pub(crate) fn name(key: &Key) -> String {
    match key.kind() {
        KeyKind::Escrow(id) => id.to_string(),
        KeyKind::Payout(id) => id.to_string(),
        KeyKind::TopUp(id) => id.to_string(),
        KeyKind::Wallet => format!("wallet:{}:{}", key.pk.trim_start_matches("W#"), key.sk),
        _ => key.to_string(),
    }
}
