//! Wallets and their statements.

use super::{amount, signed, time, time_or_null};
use crate::problem::{Answer, Problem};
use escrow_domain::currency::Currency;
use escrow_domain::id::{EventId, UserId};
use escrow_domain::money::Minor;
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::{AutoPayout, MovedBy, Wallet, WalletLine};
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
    hold: Option<String>,
    automatic_payout: Option<PolicyView>,
}

/// A standing wish to be paid out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PolicyView {
    gateway: &'static str,
    minimum: String,
    every: Option<String>,
    next_at: Option<String>,
}

/// What belonged to a user at a moment.
#[derive(Debug, Clone, Serialize)]
pub struct WalletAtView {
    owner: String,
    at: String,
    balances: Vec<BalanceAtView>,
}

#[derive(Debug, Clone, Serialize)]
struct BalanceAtView {
    currency: String,
    available: String,
    debt: String,
    line: u64,
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
    escrow: Option<String>,
    payout: Option<String>,
    top_up: Option<String>,
    event: Option<String>,
}

/// The fields of a line, as CSV has them.
pub const LINE_COLUMNS: &[&str] = &[
    "number",
    "at",
    "type",
    "currency",
    "amount",
    "balance_before",
    "balance_after",
    "escrow",
    "payout",
    "top_up",
    "event",
];

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
        hold: wallet.hold.clone(),
        automatic_payout: wallet.auto_payout.as_ref().map(|policy| PolicyView::new(policy, wallet.currency)),
    };
    WalletView { owner: owner.to_string(), balances: wallets.iter().map(balance).collect() }
}

/// What there was, by the last line before that moment of each statement that had one.
///
/// # Errors
/// 500 for a balance that is no amount: corrupt data.
pub fn wallet_at(owner: &UserId, at: Timestamp, lines: &[WalletLine]) -> Answer<WalletAtView> {
    let balance = |line: &WalletLine| {
        let part = |units: i64| Minor::new(units.max(0)).map_err(Problem::internal);
        let debt = line.after.checked_neg().ok_or_else(|| Problem::internal("a debt without end"))?;
        Ok(BalanceAtView {
            currency: line.currency.to_string(),
            available: amount(part(line.after)?, line.currency),
            debt: amount(part(debt)?, line.currency),
            line: line.number,
        })
    };
    let balances = lines.iter().map(balance).collect::<Answer<_>>()?;
    Ok(WalletAtView { owner: owner.to_string(), at: time(at), balances })
}

/// A line.
#[must_use]
pub fn line(line: &WalletLine) -> LineView {
    let (mut escrow, mut payout, mut top_up, mut event) = (None, None, None, None);
    match line.of {
        MovedBy::Escrow(id) => {
            escrow = Some(id.to_string());
            let number = u16::try_from(line.entry).unwrap_or(u16::MAX);
            event = Some(EventId { escrow: id, number }.to_string());
        }
        MovedBy::Payout(id) => payout = Some(id.to_string()),
        MovedBy::TopUp(id) => top_up = Some(id.to_string()),
    }
    LineView {
        number: line.number,
        at: time(line.at),
        r#type: line.kind.as_str(),
        currency: line.currency.to_string(),
        amount: signed(line.units, line.currency),
        balance_before: signed(line.before, line.currency),
        balance_after: signed(line.after, line.currency),
        escrow,
        payout,
        top_up,
        event,
    }
}

impl PolicyView {
    pub(super) fn new(policy: &AutoPayout, currency: Currency) -> Self {
        Self {
            gateway: policy.gateway.map_or("manual", |gateway| gateway.as_str()),
            minimum: amount(policy.minimum, currency),
            every: policy.every.map(|every| every.to_string()),
            next_at: time_or_null(policy.next),
        }
    }
}
