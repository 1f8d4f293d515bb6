//! What clients see: escrows, payments, journals, wallets, quotes, rehearsals, as JSON.
//!
//! Every view is a struct whose fields stand in the order of the API's document. Amounts are decimal strings with all digits of
//! their currency, times are RFC 3339 in UTC, durations ISO 8601.

mod chargeback;
mod dispute;
mod escrow;
mod event;
mod payment;
mod payout;
mod quote;
mod rehearsal;
mod seller;
mod top_up;
mod wallet;

pub use dispute::{BroughtView, DisputeListed, brought, dispute_listed};
pub use escrow::{ActionView, ESCROW_COLUMNS, EscrowView, actions};
pub use event::{EventView, PostingView, event, events, postings};
pub use payment::{CheckoutCreated, PaymentView, checkout, payment};
pub use payout::{PayoutRehearsal, PayoutView, payout, payout_actions, payout_rehearsal};
pub use quote::{QuoteView, quote};
pub use rehearsal::{Rehearsal, WalletMoveView, rehearsal, rehearsal_of_creation, rehearsal_of_nothing, wallet_moves};
pub use seller::{SellerLinked, SellerView, seller, seller_linked};
pub use top_up::{TopUpCreated, TopUpView, top_up, top_up_created};
pub use wallet::{LINE_COLUMNS, LineView, WalletAtView, WalletView, line, wallet, wallet_at};

use crate::problem::{Answer, Problem};
use escrow_domain::currency::Currency;
use escrow_domain::money::{Minor, Money, OutOfBounds};
use escrow_domain::time::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

/// An amount with its unit, where it may be another than the one beside it.
#[derive(Debug, Clone, Serialize)]
struct MoneyView {
    amount: String,
    currency: String,
}

impl MoneyView {
    fn new(money: Money) -> Self {
        Self { amount: money.to_string(), currency: money.currency.to_string() }
    }
}

/// `150.00`.
fn amount(amount: Minor, currency: Currency) -> String {
    amount.of(currency).to_string()
}

/// The same for a balance or a change, which may be negative.
fn signed(units: i64, currency: Currency) -> String {
    Decimal::new(units, u32::from(currency.exponent())).to_string()
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn time_or_null(at: Option<Timestamp>) -> Option<String> {
    at.map(time)
}

/// A milestone's name: `m1` for index 0.
#[must_use]
pub fn milestone_name(index: u8) -> String {
    format!("m{}", u16::from(index).saturating_add(1))
}

/// The index of a milestone that a client names; `None` for what is no such name.
#[must_use]
pub fn milestone_index(name: &str) -> Option<u8> {
    let digits = name.strip_prefix('m')?;
    let plain = !digits.starts_with('0') && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse::<u8>().ok()?.checked_sub(1) } else { None }
}

/// Sums of stored money always are amounts; if not, the data is corrupt.
fn whole<T>(sum: Result<T, OutOfBounds>) -> Answer<T> {
    sum.map_err(|error| Problem::internal(format!("a view of money: {error}")))
}

#[cfg(test)]
mod tests;
