//! The figures of a day: what a marketplace wants to see in a curve. They are made from journals, so any day can be counted again; they are
//! written down in the words in which they are read (`GET /v1/reports/figures`), amounts as decimals.

use crate::books::Report;
use escrow_domain::currency::Currency;
use escrow_domain::escrow::Escrow;
use escrow_domain::journal::{Account, Entry};
use escrow_domain::lifecycle::Transition;
use escrow_domain::milestone::Bucket;
use escrow_domain::payout::{Payout, PayoutTransition};
use escrow_domain::time::Timestamp;
use escrow_store::scan::Stored;
use escrow_store::sheets::{Day, Sheet};
use escrow_store::{Store, StoreError};
use serde::Serialize;
use std::collections::BTreeMap;

/// So many different reasons are told apart; all others are one.
const MOST_REASONS: usize = 50;
/// What all others are called.
const OTHER: &str = "other";

/// One day, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// When it began.
    pub day: String,
    /// What happened, by unit.
    pub units: Vec<UnitFigures>,
    /// The balances of the ledger's accounts as the run found them, and when.
    pub balances: Vec<Balance>,
    /// When that was.
    pub balances_at: String,
}

/// One day in one unit. Amounts are decimals of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitFigures {
    /// Its code.
    pub currency: String,
    /// Escrows that were created.
    pub created: u64,
    /// Payments that arrived and were held.
    pub paid: u64,
    /// What arrived with them, and what that is for each.
    pub paid_amount: String,
    /// Rounded down to the minor unit; `None` if there was none.
    pub average_amount: Option<String>,
    /// Checkouts and milestones that expired, were cancelled or given up before they were paid.
    pub unpaid: u64,
    /// Of what was paid or ended unpaid, the part that was paid: from 0 to 1 with four digits. `None` if there was nothing.
    pub success_rate: Option<String>,
    /// What became the sellers', their fees included.
    pub released: String,
    /// What the platform earned, less what it bore.
    pub fees: String,
    /// Refunds that arrived, money given back by hand included.
    pub refunds: u64,
    /// What went back to buyers.
    pub refunded: String,
    /// Refunds that failed.
    pub refunds_failed: u64,
    /// Disputes that were opened.
    pub disputes: u64,
    /// Chargebacks that were lost.
    pub chargebacks_lost: u64,
    /// Payouts that left.
    pub payouts: u64,
    /// What they took.
    pub paid_out: String,
    /// From asking for a payout to its leaving, on average, in milliseconds. `None` if none left.
    pub payout_time_ms: Option<i64>,
    /// Why payouts and refunds failed, and how often.
    pub failures: Vec<Failure>,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `payout: …` or `refund: …`.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// The balance of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// `gateway:stripe`, `fees` …; `escrows`, `wallets`, `credits`, `receivables` are everybody's together.
    pub account: String,
    /// The unit's code.
    pub currency: String,
    /// A decimal of it; a debit is positive.
    pub amount: String,
}

/// Writes the figures of a day over what stands there: they are the same, or were counted with less.
///
/// # Errors
/// If the store could not do it. Another run that is faster is none.
pub async fn keep(store: &Store, day: Day, figures: &Figures) -> Result<(), StoreError> {
    let text = serde_json::to_string(figures).map_err(|error| StoreError::Unwritable(error.to_string()))?;
    let was = store.sheet(Sheet::Figures(day)).await?.map_or(0, |sheet| sheet.version);
    store.write_sheet(Sheet::Figures(day), was, &text).await?;
    Ok(())
}

/// What is counted of a day in one unit; amounts in minor units, times in milliseconds.
#[derive(Debug, Default)]
struct Unit {
    created: u64,
    paid: u64,
    paid_amount: i128,
    unpaid: u64,
    released: i128,
    fees: i128,
    refunds: u64,
    refunded: i128,
    refunds_failed: u64,
    disputes: u64,
    chargebacks_lost: u64,
    payouts: u64,
    paid_out: i128,
    payout_time: i128,
    failures: BTreeMap<String, u64>,
}

/// A day that is being counted.
#[derive(Debug)]
pub struct Counting {
    day: Day,
    units: BTreeMap<Currency, Unit>,
}

impl Counting {
    /// Nothing of that day yet.
    #[must_use]
    pub const fn new(day: Day) -> Self {
        Self { day, units: BTreeMap::new() }
    }

    /// Counts what happened to something; `pages` are the entries of an escrow that have left its item.
    pub fn count(&mut self, stored: &Stored, pages: &[Entry]) {
        match stored {
            Stored::Escrow(escrow) => self.escrow(escrow, pages),
            Stored::Payout(payout) => self.payout(payout),
            _ => {}
        }
    }

    /// What was counted, beside the balances that the run found at that moment.
    #[must_use]
    pub fn figures(self, report: &Report, now: Timestamp) -> Figures {
        let balances = report.accounts.iter().map(|sum| Balance {
            account: sum.account.clone(),
            currency: sum.unit.code().to_owned(),
            amount: decimal(sum.units.parse().unwrap_or_default(), sum.unit),
        });
        Figures {
            day: self.day.begins().to_string(),
            units: self.units.into_iter().map(|(currency, unit)| unit.figures(currency)).collect(),
            balances: balances.collect(),
            balances_at: now.to_string(),
        }
    }

    fn is_on(&self, at: Timestamp) -> bool {
        self.day.begins() <= at && at < self.day.next().begins()
    }

    fn unit(&mut self, currency: Currency) -> &mut Unit {
        self.units.entry(currency).or_default()
    }

    /// Counts what happened to an escrow; `pages` are the entries that have left its item.
    fn escrow(&mut self, escrow: &Escrow, pages: &[Entry]) {
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
                    Bucket::Released => {
                        unit.released = unit.released.saturating_add(moved.amount.units().into());
                    }
                    Bucket::Refunded => {
                        unit.refunded = unit.refunded.saturating_add(moved.amount.units().into());
                    }
                    _ => {}
                }
            }
        }
    }

    fn payout(&mut self, payout: &Payout) {
        for entry in &payout.journal.entries {
            if !self.is_on(entry.at) {
                continue;
            }
            let unit = self.unit(payout.money.currency);
            match entry.transition {
                PayoutTransition::Pay | PayoutTransition::MarkPaid => {
                    add(&mut unit.payouts);
                    unit.paid_out = unit.paid_out.saturating_add(payout.money.amount.units().into());
                    let took = entry.at.since(payout.created_at).as_millis();
                    unit.payout_time = unit.payout_time.saturating_add(took.into());
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
fn credited(entry: &Entry, currency: Currency, of: impl Fn(&Account) -> bool) -> i128 {
    let postings = entry.postings.iter().filter(|posting| posting.currency == currency && of(&posting.account));
    postings.map(|posting| i128::from(posting.units).saturating_neg()).fold(0, i128::saturating_add)
}

impl Unit {
    fn figures(self, currency: Currency) -> UnitFigures {
        let amount = |units| decimal(units, currency);
        let each = |sum: i128, count: u64| sum.checked_div(i128::from(count));
        let ended = i128::from(self.paid).saturating_add(i128::from(self.unpaid));
        let rate = i128::from(self.paid).saturating_mul(10_000).checked_div(ended);
        let failures = self.failures.into_iter().map(|(reason, count)| Failure { reason, count });
        UnitFigures {
            currency: currency.code().to_owned(),
            created: self.created,
            paid: self.paid,
            paid_amount: amount(self.paid_amount),
            average_amount: each(self.paid_amount, self.paid).map(amount),
            unpaid: self.unpaid,
            success_rate: rate.map(|rate| fixed(rate, 4)),
            released: amount(self.released),
            fees: amount(self.fees),
            refunds: self.refunds,
            refunded: amount(self.refunded),
            refunds_failed: self.refunds_failed,
            disputes: self.disputes,
            chargebacks_lost: self.chargebacks_lost,
            payouts: self.payouts,
            paid_out: amount(self.paid_out),
            payout_time_ms: each(self.payout_time, self.payouts).and_then(|time| i64::try_from(time).ok()),
            failures: failures.collect(),
        }
    }
}

fn decimal(units: i128, currency: Currency) -> String {
    fixed(units, usize::from(currency.exponent()))
}

/// So many units, of which ten to the power of `digits` are one.
fn fixed(units: i128, digits: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", units.unsigned_abs(), width = digits.saturating_add(1));
    let (whole, fraction) = text.split_at(text.len().saturating_sub(digits));
    if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_their_unit() {
        let cases = [
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-1_234, 2, "-12.34"),
            (1_234, 3, "1.234"),
            (-7, 0, "-7"),
            (9_300, 4, "0.9300"),
        ];
        for (units, digits, text) in cases {
            assert_eq!(fixed(units, digits), text);
        }
    }

    #[test]
    fn a_day_without_payments_has_no_rate_and_no_average() {
        let sar = escrow_domain::currency::Currencies::default().find("SAR").unwrap();
        let none = Unit::default().figures(sar);
        assert_eq!((none.success_rate, none.average_amount, none.payout_time_ms), (None, None, None));
        let some = Unit { paid: 2, paid_amount: 30_001, unpaid: 1, ..Unit::default() }.figures(sar);
        assert_eq!((some.success_rate.as_deref(), some.average_amount.as_deref()), (Some("0.6666"), Some("150.00")));
    }
}
