//! What connected accounts pay out to their banks. Stripe does that by itself or at the seller's wish, never at the
//! platform's; the platform only hears of it, in events that name the account.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::accounts::Account;
use super::book::{Book, Record};
use super::change::{Change, random_id};
use super::transfers::Transfer;

/// A payout of a connected account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Payout {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) account: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: PayoutStatus,
    /// Stripe's word for why the bank did not take it.
    pub(super) failure: Option<String>,
    pub(super) automatic: bool,
}

/// Stripe's `status` of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PayoutStatus {
    Pending,
    InTransit,
    Paid,
    Failed,
    Canceled,
}

impl PayoutStatus {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InTransit => "in_transit",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether its amount has left the account.
    const fn takes_money(self) -> bool {
        matches!(self, Self::Pending | Self::InTransit | Self::Paid)
    }
}

/// What a bank says most often when it takes no money (docs.stripe.com/api/payouts/failures).
pub(super) const USUAL_FAILURE: &str = "account_closed";

/// What an account has from its transfers, less what was taken back and paid out: now, and when the charges that it comes
/// from have settled (docs.stripe.com/connect/separate-charges-and-transfers: a transfer is pending for as long as its charge).
pub(super) fn balance(book: &Book, now_s: i64, account: &str, currency: &str) -> (i64, i64) {
    let of_account = |transfer: &&Transfer| transfer.destination == account && transfer.currency == currency;
    let (mut available, mut pending) = (0, 0);
    for transfer in book.transfers.values().filter(of_account) {
        let sum = if has_settled(book, now_s, transfer) { &mut available } else { &mut pending };
        *sum += transfer.amount - transfer.reversed();
    }
    let of_account = book.payouts.values().filter(|payout| payout.account == account && payout.currency == currency);
    let paid: i64 = of_account.filter(|payout| payout.status.takes_money()).map(|payout| payout.amount).sum();
    (available - paid, pending)
}

fn has_settled(book: &Book, now_s: i64, transfer: &Transfer) -> bool {
    let charge = transfer.source.as_ref().and_then(|source| book.charge(source));
    let transaction = charge.and_then(|(_, charge)| book.transactions.get(&charge.transaction));
    transaction.is_none_or(|transaction| transaction.available_on <= now_s)
}

/// An account's balance, as Stripe shows it to the platform in the account's name.
pub(super) fn balance_shown(book: &Book, now_s: i64, account: &str) -> Value {
    let transfers = book.transfers.values().filter(|transfer| transfer.destination == account);
    let currencies: std::collections::BTreeSet<&str> = transfers.map(|transfer| transfer.currency.as_str()).collect();
    let list = |pick: fn((i64, i64)) -> i64| -> Vec<Value> {
        let one = |currency: &&str| {
            let amount = pick(balance(book, now_s, account, currency));
            json!({"amount": amount, "currency": currency, "source_types": {"card": amount}})
        };
        currencies.iter().map(one).collect()
    };
    json!({"object": "balance", "available": list(|sums| sums.0), "livemode": false, "pending": list(|sums| sums.1)})
}

/// Makes a payout and brings it to this status at once.
pub(super) fn make(
    change: &mut Change<'_>,
    account: &str,
    (currency, amount): (&str, i64),
    status: PayoutStatus,
    failure: Option<String>,
    automatic: bool,
) -> Payout {
    let payout = Payout {
        id: random_id("po_1", 23),
        number: change.number(),
        created: change.now_s(),
        account: account.to_owned(),
        amount,
        currency: currency.to_owned(),
        status: PayoutStatus::Pending,
        failure: None,
        automatic,
    };
    change.put(Record::Payout(payout.clone()));
    change.event_of(account, "payout.created", shown(&payout), None);
    if status == PayoutStatus::Pending {
        return payout;
    }
    turn(change, &payout, status, failure).unwrap_or(payout)
}

/// Brings a payout further, and tells of it. A bank may send back even what was paid (docs.stripe.com/payouts, "Payout
/// failures"). None when there is no such way.
pub(super) fn turn(
    change: &mut Change<'_>,
    payout: &Payout,
    to: PayoutStatus,
    failure: Option<String>,
) -> Option<Payout> {
    let kind = match (payout.status, to) {
        (PayoutStatus::Pending, PayoutStatus::InTransit) => "payout.updated",
        (PayoutStatus::Pending | PayoutStatus::InTransit, PayoutStatus::Paid) => "payout.paid",
        (PayoutStatus::Pending | PayoutStatus::InTransit | PayoutStatus::Paid, PayoutStatus::Failed) => "payout.failed",
        (PayoutStatus::Pending, PayoutStatus::Canceled) => "payout.canceled",
        _ => return None,
    };
    let mut turned = Payout { status: to, ..payout.clone() };
    if to == PayoutStatus::Failed {
        turned.failure = Some(failure.unwrap_or_else(|| USUAL_FAILURE.to_owned()));
    }
    change.put(Record::Payout(turned.clone()));
    let former = json!({"status": payout.status.word()});
    change.event_of(&turned.account, kind, shown(&turned), Some(former));
    Some(turned)
}

/// Pays out what has just come in, if the switches say so.
pub(super) fn follow(change: &mut Change<'_>, account: &str, currency: &str) {
    let Some(status) = change.book.switches.payouts.automatic else { return };
    if !change.book.account(account).is_some_and(Account::payouts_enabled) {
        return;
    }
    let (amount, _) = balance(change.book, change.now_s(), account, currency);
    if amount > 0 {
        make(change, account, (currency, amount), status, None, true);
    }
}

/// <https://docs.stripe.com/api/payouts/object>
pub(super) fn shown(payout: &Payout) -> Value {
    let failure = payout.failure.as_deref();
    json!({
        "id": payout.id,
        "object": "payout",
        "amount": payout.amount,
        "application_fee": null,
        "application_fee_amount": null,
        "arrival_date": payout.created,
        "automatic": payout.automatic,
        "balance_transaction": payout.id.replacen("po_", "txn_", 1),
        "created": payout.created,
        "currency": payout.currency,
        "description": null,
        "destination": null,
        "failure_balance_transaction": failure.map(|_| payout.id.replacen("po_", "txn_f", 1)),
        "failure_code": failure,
        "failure_message": failure.map(|code| format!("The bank did not take the payout: {}.", code.replace('_', " "))),
        "livemode": false,
        "metadata": {},
        "method": "standard",
        "original_payout": null,
        "payout_method": null,
        "reconciliation_status": if payout.automatic { "completed" } else { "not_applicable" },
        "reversed_by": null,
        "source_type": "card",
        "statement_descriptor": null,
        "status": payout.status.word(),
        "trace_id": null,
        "type": "bank_account",
    })
}
