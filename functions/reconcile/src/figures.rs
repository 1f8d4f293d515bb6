//! The figures of a day: what a marketplace wants to see in a curve. They are made from journals, so any day can be counted again.

use escrow_domain::currency::Currency;
use escrow_domain::escrow::Escrow;
use escrow_domain::journal::{Account, Entry};
use escrow_domain::lifecycle::Transition;
use escrow_domain::payout::{Payout, PayoutTransition};
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many different reasons are told apart; all others are one.
const MOST_REASONS: usize = 50;
/// What all others are called.
const OTHER: &str = "other";

/// One day, in UTC, by unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// By the code of the unit.
    pub units: BTreeMap<String, Unit>,
}

/// One day in one unit. Amounts are minor units of it, times milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unit {
    /// Escrows that were created.
    pub created: u64,
    /// Payments that arrived and were held.
    pub paid: u64,
    /// What arrived with them.
    pub paid_amount: i64,
    /// Milestones that expired, were cancelled or given up before they were paid.
    pub unpaid: u64,
    /// What became the sellers', fees included.
    pub released: i64,
    /// What the platform earned.
    pub fees: i64,
    /// Refunds that were confirmed.
    pub refunds: u64,
    /// What went back to buyers.
    pub refunded: i64,
    /// Refunds that failed.
    pub refunds_failed: u64,
    /// Disputes that were opened.
    pub disputes: u64,
    /// Chargebacks that were lost.
    pub chargebacks_lost: u64,
    /// Payouts that arrived.
    pub payouts: u64,
    /// What they took.
    pub paid_out: i64,
    /// From asking to paying, all of them together, in milliseconds.
    pub payout_time: i64,
    /// Why payouts and refunds failed, and how often.
    pub failures: BTreeMap<String, u64>,
}

/// A day that is being counted.
#[derive(Debug)]
pub struct Day {
    from: Timestamp,
    until: Timestamp,
    figures: Figures,
}

impl Day {
    /// From `from` until before `until`.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until, figures: Figures::default() }
    }

    /// What was counted.
    #[must_use]
    pub fn figures(self) -> Figures {
        self.figures
    }

    fn is_on(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    fn unit(&mut self, currency: Currency) -> &mut Unit {
        self.figures.units.entry(currency.code().to_owned()).or_default()
    }

    /// Counts what happened to an escrow; `pages` are the entries that have left its item.
    pub fn escrow<'e>(&mut self, escrow: &'e Escrow, pages: &'e [Entry]) {
        let currency = escrow.terms.currency;
        for entry in pages.iter().chain(&escrow.journal.entries) {
            if !self.is_on(entry.at) {
                continue;
            }
            let fees = credited(entry, currency, |account| matches!(account, Account::Fees));
            let unit = self.unit(currency);
            unit.fees = unit.fees.saturating_add(fees);
            match entry.transition {
                Transition::Create => add(&mut unit.created),
                Transition::Fund => {
                    add(&mut unit.paid);
                    let held = credited(entry, currency, |account| matches!(account, Account::Escrow));
                    unit.paid_amount = unit.paid_amount.saturating_add(held);
                }
                Transition::Expire | Transition::Cancel | Transition::Abandon => add(&mut unit.unpaid),
                Transition::ConfirmRefund | Transition::AbsorbRefund => add(&mut unit.refunds),
                Transition::FailRefund => {
                    add(&mut unit.refunds_failed);
                    failed(unit, "refund", entry.note.as_deref());
                }
                Transition::Dispute => add(&mut unit.disputes),
                Transition::LoseChargeback => add(&mut unit.chargebacks_lost),
                _ => {}
            }
            for moved in &entry.moves {
                let unit = self.unit(currency);
                match moved.to {
                    escrow_domain::milestone::Bucket::Released => {
                        unit.released = unit.released.saturating_add(moved.amount.units());
                    }
                    escrow_domain::milestone::Bucket::Refunded => {
                        unit.refunded = unit.refunded.saturating_add(moved.amount.units());
                    }
                    _ => {}
                }
            }
        }
    }

    /// Counts what happened to a payout.
    pub fn payout(&mut self, payout: &Payout) {
        for entry in payout.journal.entries.iter().filter(|entry| self.is_on(entry.at)).cloned().collect::<Vec<_>>() {
            let unit = self.unit(payout.money.currency);
            match entry.transition {
                PayoutTransition::Pay | PayoutTransition::MarkPaid => {
                    add(&mut unit.payouts);
                    unit.paid_out = unit.paid_out.saturating_add(payout.money.amount.units());
                    let took = entry.at.since(payout.created_at).as_millis();
                    unit.payout_time = unit.payout_time.saturating_add(took);
                }
                PayoutTransition::Fail
                | PayoutTransition::GiveUp
                | PayoutTransition::MarkFailed
                | PayoutTransition::Reject
                | PayoutTransition::Return => failed(unit, "payout", entry.note.as_deref()),
                _ => {}
            }
        }
    }
}

const fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// One more failure for this reason, as long as there are not too many reasons.
fn failed(unit: &mut Unit, of: &str, reason: Option<&str>) {
    let reason = format!("{of}: {}", reason.unwrap_or("no reason given"));
    let known = unit.failures.contains_key(&reason) || unit.failures.len() < MOST_REASONS;
    add(unit.failures.entry(if known { reason } else { OTHER.to_owned() }).or_default());
}

/// What an entry gave to these accounts in that unit, in minor units.
fn credited(entry: &Entry, currency: Currency, of: impl Fn(&Account) -> bool) -> i64 {
    let postings = entry.postings.iter().filter(|posting| posting.currency == currency && of(&posting.account));
    postings.map(|posting| posting.units.saturating_neg()).fold(0, i64::saturating_add)
}
