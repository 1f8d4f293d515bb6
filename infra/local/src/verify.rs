//! `GET /_local/verify`: replays every journal and compares it with its state, every wallet with its statement, every line
//! with the posting behind it. It runs while no function is at work, so what it reads belongs together.

// The lead is moving these checks into `functions/reconcile/src/books.rs` (local verify, `holdfast verify` and the daily function share
// them): please do not extend them here.

use std::collections::{BTreeMap, BTreeSet};

use escrow_domain::escrow::Escrow;
use escrow_domain::id::EscrowId;
use escrow_domain::journal::{Account, Entry};
use escrow_domain::verify::check_history;
use escrow_domain::wallet::{Wallet, WalletLine};
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use escrow_store::Store;
use escrow_store::scan::Stored;
use serde::Serialize;

use crate::system::System;

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    escrows: usize,
    entries: usize,
    wallets: usize,
    lines: usize,
    parked: usize,
    breaks: Vec<Break>,
}

/// Something that does not hold.
#[derive(Debug, Serialize)]
struct Break {
    /// The aggregate: an escrow's id, or `wallet:{owner}:{currency}`.
    at: String,
    what: String,
}

/// Owner and unit.
type WalletName = (String, String);

/// Everything there is.
#[derive(Default)]
struct Contents {
    escrows: BTreeMap<String, Escrow>,
    wallets: BTreeMap<WalletName, Wallet>,
    lines: BTreeMap<WalletName, Vec<WalletLine>>,
    parked: usize,
    breaks: Vec<Break>,
}

/// Answers the call.
pub(crate) async fn answer(system: &System) -> Answer<Reply> {
    let contents = {
        let _alone = system.traffic.write().await;
        read(system.observer()).await?
    };
    let report = contents.check();
    if !report.ok {
        tracing::error!(breaks = report.breaks.len(), "the ledger does not hold");
    }
    Ok(Reply::ok(&report))
}

async fn read(store: &Store) -> Answer<Contents> {
    let mut contents = Contents::default();
    let mut after = None;
    loop {
        let page = store.scan(None, after.as_ref()).await.map_err(Problem::unavailable)?;
        for item in page.items {
            match item.stored {
                Ok(stored) => contents.add(stored),
                Err(error) => contents.broken(item.key.to_string(), error.to_string()),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(contents);
        }
    }
}

impl Contents {
    fn add(&mut self, stored: Stored) {
        match stored {
            Stored::Escrow(escrow) => drop(self.escrows.insert(escrow.id.to_string(), *escrow)),
            Stored::Wallet(wallet) => {
                let name = (wallet.owner.to_string(), wallet.currency.code().to_owned());
                self.wallets.insert(name, wallet);
            }
            Stored::Line(line) => {
                let name = (line.owner.to_string(), line.currency.code().to_owned());
                self.lines.entry(name).or_default().push(line);
            }
            Stored::Parked(parked) => self.parked = self.parked.saturating_add(usize::from(parked.is_some())),
        }
    }

    fn broken(&mut self, at: String, what: impl Into<String>) {
        self.breaks.push(Break { at, what: what.into() });
    }

    fn check(mut self) -> Report {
        let escrows = std::mem::take(&mut self.escrows);
        let mut lines = std::mem::take(&mut self.lines);
        let mut report = Report { escrows: escrows.len(), parked: self.parked, ..Report::default() };
        for (id, escrow) in &escrows {
            report.entries = report.entries.saturating_add(escrow.journal.len());
            if let Err(error) = check_history(escrow, &[]) {
                self.broken(id.clone(), error.to_string());
            }
        }
        for (name, wallet) in std::mem::take(&mut self.wallets) {
            let mut own = lines.remove(&name).unwrap_or_default();
            own.sort_by_key(|line| line.number);
            report.wallets = report.wallets.saturating_add(1);
            report.lines = report.lines.saturating_add(own.len());
            for what in statement_breaks(&wallet, &own, &escrows) {
                self.broken(format!("wallet:{}:{}", name.0, name.1), what);
            }
        }
        for (owner, currency) in lines.into_keys() {
            self.broken(format!("wallet:{owner}:{currency}"), "lines without a wallet");
        }
        if let Some(what) = postings_without_lines(&escrows, report.lines) {
            self.broken("ledger".to_owned(), what);
        }
        report.ok = self.breaks.is_empty();
        report.breaks = self.breaks;
        report
    }
}

/// A wallet is what its lines say, and each line is what a journal says.
fn statement_breaks(wallet: &Wallet, lines: &[WalletLine], escrows: &BTreeMap<String, Escrow>) -> Vec<String> {
    let mut breaks = Vec::new();
    let mut balance = 0_i64;
    let mut earned = 0_i64;
    let mut sources = BTreeSet::new();
    for (number, line) in (0_u64..).zip(lines) {
        if line.number != number {
            breaks.push(format!("line {number} is missing"));
        }
        let after = line.before.checked_add(line.units);
        if line.before != balance || after != Some(line.after) {
            breaks.push(format!("line {} does not follow from the one before", line.number));
        }
        balance = line.after;
        earned = earned.saturating_add(line.units.max(0));
        if !sources.insert((line.escrow.to_string(), line.entry)) {
            breaks.push(format!("line {} books an entry that another line has booked", line.number));
        }
        if posted(escrows, &line.escrow, line) != Some(line.units) {
            breaks.push(format!("line {} has no posting of its amount behind it", line.number));
        }
    }
    if u64::try_from(lines.len()) != Ok(wallet.lines) {
        breaks.push(format!("it has {} lines and counts {}", lines.len(), wallet.lines));
    }
    if wallet.balance() != balance || wallet.earned.units() != earned {
        breaks.push("it is not what its lines sum up to".to_owned());
    }
    breaks
}

/// What the entry behind a line gave to the line's owner, in minor units.
fn posted(escrows: &BTreeMap<String, Escrow>, escrow: &EscrowId, line: &WalletLine) -> Option<i64> {
    let journal = &escrows.get(&escrow.to_string())?.journal;
    let at = line.entry.checked_sub(journal.paged)?;
    let entry = journal.entries.get(usize::try_from(at).ok()?)?;
    let given = entry.postings.iter().filter(|posting| {
        posting.currency == line.currency && matches!(&posting.account, Account::Wallet(owner) if *owner == line.owner)
    });
    // A credit is negative in the ledger and an income in a statement.
    given.map(|posting| posting.units).sum::<i64>().checked_neg()
}

/// Each line has its own entry behind it, so equal numbers leave no entry without a line.
fn postings_without_lines(escrows: &BTreeMap<String, Escrow>, lines: usize) -> Option<String> {
    let to_wallets =
        |entry: &&Entry| entry.postings.iter().any(|posting| matches!(posting.account, Account::Wallet(_)));
    let entries = escrows.values().flat_map(|escrow| &escrow.journal.entries).filter(to_wallets).count();
    (entries != lines).then(|| format!("{entries} entries moved money of wallets, and statements have {lines} lines"))
}
