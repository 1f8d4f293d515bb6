//! Wallets and their statements.

use super::{amount, signed, time};
use escrow_domain::id::{EventId, UserId};
use escrow_domain::wallet::{Wallet, WalletLine};
use serde::Serialize;

/// What belongs to a user.
#[derive(Debug, Clone, Serialize)]
pub struct WalletView {
    owner: String,
    balances: Vec<BalanceView>,
}

#[derive(Debug, Clone, Serialize)]
struct BalanceView {
    currency: String,
    available: String,
    pending: String,
    debt: String,
    total_earned: String,
    total_withdrawn: String,
}

/// A line of a statement.
#[derive(Debug, Clone, Serialize)]
pub struct LineView {
    number: u64,
    at: String,
    r#type: &'static str,
    currency: String,
    amount: String,
    balance_before: String,
    balance_after: String,
    escrow: String,
    event: String,
}

/// A user's wallets together.
#[must_use]
pub fn wallet(owner: &UserId, wallets: &[Wallet]) -> WalletView {
    let balance = |wallet: &Wallet| BalanceView {
        currency: wallet.currency.to_string(),
        available: amount(wallet.available, wallet.currency),
        pending: amount(wallet.pending, wallet.currency),
        debt: amount(wallet.debt, wallet.currency),
        total_earned: amount(wallet.earned, wallet.currency),
        total_withdrawn: amount(wallet.withdrawn, wallet.currency),
    };
    WalletView { owner: owner.to_string(), balances: wallets.iter().map(balance).collect() }
}

/// A line.
#[must_use]
pub fn line(line: &WalletLine) -> LineView {
    let event = EventId { escrow: line.escrow, number: u16::try_from(line.entry).unwrap_or(u16::MAX) };
    LineView {
        number: line.number,
        at: time(line.at),
        r#type: line.kind.as_str(),
        currency: line.currency.to_string(),
        amount: signed(line.units, line.currency),
        balance_before: signed(line.before, line.currency),
        balance_after: signed(line.after, line.currency),
        escrow: line.escrow.to_string(),
        event: event.to_string(),
    }
}
