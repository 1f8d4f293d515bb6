//! The platform's balance: every movement of it as a balance transaction, and what may be paid out of it.
//!
//! Charges count as available at once, unless `balance.available_after_s` says how many seconds later by the one clock; what
//! takes money takes it at once. Nothing is converted: a charge in one currency is a balance in that currency.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::book::{Book, ChargeStatus, Record};
use super::change::{Change, random_id};
use super::refusal::Refusal;

/// One movement. Amounts are in the smallest unit; what leaves is negative.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Transaction {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) available_on: i64,
    pub(super) amount: i64,
    /// Stripe's own fee; `net` is the amount less the fee.
    pub(super) fee: i64,
    pub(super) currency: String,
    pub(super) cause: Cause,
    /// The object that it comes from.
    pub(super) source: Option<String>,
}

/// Why the balance moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    Charge,
    /// The charge of a way to pay that takes time: it is there from its beginning, pending.
    Payment,
    /// What was begun did not come.
    PaymentFailure,
    Refund,
    /// A refund that did not arrive has come back.
    RefundFailure,
    Dispute,
    DisputeReversal,
    Transfer,
    TransferReversal,
    /// The platform's own doing: a deposit into the balance, or a withdrawal from it.
    Adjustment,
}

impl Cause {
    /// Stripe's `type` and `reporting_category` (docs.stripe.com/reports/balance-transaction-types).
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Charge => ("charge", "charge"),
            Self::Payment => ("payment", "charge"),
            Self::PaymentFailure => ("payment_failure_refund", "charge_failure"),
            Self::Refund => ("refund", "refund"),
            Self::RefundFailure => ("refund_failure", "refund_failure"),
            Self::Dispute => ("adjustment", "dispute"),
            Self::DisputeReversal => ("adjustment", "dispute_reversal"),
            Self::Transfer => ("transfer", "transfer"),
            Self::TransferReversal => ("transfer_refund", "transfer_reversal"),
            Self::Adjustment => ("adjustment", "other_adjustment"),
        }
    }
}

/// A movement that is to be written down.
pub(super) struct Movement<'m> {
    /// The id that the object already names.
    pub(super) id: &'m str,
    pub(super) cause: Cause,
    pub(super) amount: i64,
    pub(super) fee: i64,
    pub(super) currency: &'m str,
    pub(super) source: Option<&'m str>,
}

/// Stripe's fee in this sandbox, in the smallest unit: 2.9 % of the amount, rounded down.
pub(super) const fn fee(amount: i64) -> i64 {
    amount * 29 / 1_000
}

/// When money is available that has not come yet: as far away as Stripe's timestamps go in its SDKs.
const NEVER: i64 = 253_402_300_799;

/// Writes a movement down.
pub(super) fn book(change: &mut Change<'_>, movement: &Movement<'_>) {
    let now = change.now_s();
    let wait = change.book.switches.balance.available_after_s;
    let transaction = Transaction {
        id: movement.id.to_owned(),
        number: change.number(),
        created: now,
        available_on: match movement.cause {
            Cause::Charge => now.saturating_add(wait),
            Cause::Payment => NEVER,
            _ => now,
        },
        amount: movement.amount,
        fee: movement.fee,
        currency: movement.currency.to_owned(),
        cause: movement.cause,
        source: movement.source.map(str::to_owned),
    };
    change.put(Record::Transaction(transaction));
}

/// The movements that a sandbox of before there were balance transactions has not written down. They are dated as what they
/// come from, and count as available.
pub(super) fn missing(book: &mut Book) -> Vec<Record> {
    let mut found: Vec<Transaction> = Vec::new();
    let mut add = |id: &str, created: i64, cause: Cause, amount: i64, fee: i64, currency: &str, source: &str| {
        let (id, currency, source) = (id.to_owned(), currency.to_owned(), Some(source.to_owned()));
        found.push(Transaction { id, number: 0, created, available_on: created, amount, fee, currency, cause, source });
    };
    for intent in book.intents.values() {
        for charge in intent.charges.iter().filter(|charge| charge.status == ChargeStatus::Succeeded) {
            let (amount, currency) = (intent.amount, &intent.currency);
            add(&charge.transaction, charge.created, Cause::Charge, amount, fee(amount), currency, &charge.id);
        }
    }
    // A refund that has failed since then took and brought the same.
    for refund in book.refunds.values().filter(|refund| refund.status.takes_money()) {
        add(&refund.transaction, refund.created, Cause::Refund, -refund.amount, 0, &refund.currency, &refund.id);
    }
    for dispute in book.disputes.values() {
        let (amount, currency, source) = (dispute.amount, &dispute.currency, &dispute.id);
        if let Some(id) = &dispute.withdrawal {
            add(id, dispute.created, Cause::Dispute, -amount, fee(amount), currency, source);
        }
        if let Some(id) = &dispute.reinstatement {
            add(id, dispute.created, Cause::DisputeReversal, amount, 0, currency, source);
        }
    }
    found.retain(|transaction| !book.transactions.contains_key(&transaction.id));
    found.sort_by_key(|transaction| transaction.created);
    let mut records = Vec::new();
    for transaction in found {
        book.last += 1;
        let record = Record::Transaction(Transaction { number: book.last, ..transaction });
        book.apply(record.clone());
        records.push(record);
    }
    records
}

/// What was pending has come, and waits like any other charge; or it has not, and what takes it away again comes with it.
/// False if nothing was pending under this id.
pub(super) fn end_waiting(change: &mut Change<'_>, id: &str, has_come: bool) -> bool {
    let wait = if has_come { change.book.switches.balance.available_after_s } else { 0 };
    let available_on = change.now_s().saturating_add(wait);
    let Some(transaction) = change.book.transactions.get(id).cloned() else { return false };
    change.put(Record::Transaction(Transaction { available_on, ..transaction }));
    true
}

/// Money that the platform puts into its balance or takes out of it, by hand.
pub(super) fn adjust(change: &mut Change<'_>, currency: &str, amount: i64) {
    let id = random_id("txn_1", 23);
    book(change, &Movement { id: &id, cause: Cause::Adjustment, amount, fee: 0, currency, source: None });
}

/// What is there now and what is still to come, by currency.
pub(super) fn sums(book: &Book, now_s: i64) -> BTreeMap<&str, (i64, i64)> {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for transaction in book.transactions.values() {
        let (available, pending) = sums.entry(&transaction.currency).or_default();
        let net = transaction.amount - transaction.fee;
        if transaction.available_on <= now_s { *available += net } else { *pending += net }
    }
    sums
}

/// # Errors
/// 400 `balance_insufficient` when less than this is available.
pub(super) fn suffices(book: &Book, now_s: i64, currency: &str, amount: i64) -> Result<(), Refusal> {
    if sums(book, now_s).get(currency).is_some_and(|(available, _)| *available >= amount) {
        return Ok(());
    }
    let message = "You have insufficient available funds in your Stripe account. Try adding funds directly to your available \
        balance, or transfer with a source_transaction.";
    Err(Refusal::state(Some("balance_insufficient"), None, message))
}

/// <https://docs.stripe.com/api/balance/balance_object>
pub(super) fn balance(book: &Book, now_s: i64) -> Value {
    let sums = sums(book, now_s);
    let list = |pick: fn(&(i64, i64)) -> i64| -> Vec<Value> {
        let one = |(currency, sum): (&&str, &(i64, i64))| json!({"amount": pick(sum), "currency": currency, "source_types": {"card": pick(sum)}});
        sums.iter().map(one).collect()
    };
    json!({"object": "balance", "available": list(|sum| sum.0), "livemode": false, "pending": list(|sum| sum.1)})
}

/// <https://docs.stripe.com/api/balance_transactions/object>
pub(super) fn shown(transaction: &Transaction, now_s: i64) -> Value {
    let (kind, category) = transaction.cause.words();
    let fees: &[Value] = &[json!({"amount": transaction.fee, "application": null, "currency": transaction.currency,
                                  "description": "Stripe processing fees", "type": "stripe_fee"})];
    json!({
        "id": transaction.id,
        "object": "balance_transaction",
        "amount": transaction.amount,
        "available_on": transaction.available_on,
        "balance_type": "payments",
        "created": transaction.created,
        "currency": transaction.currency,
        "description": null,
        "exchange_rate": null,
        "fee": transaction.fee,
        "fee_details": if transaction.fee == 0 { &[] } else { fees },
        "net": transaction.amount - transaction.fee,
        "reporting_category": category,
        "source": transaction.source,
        "status": if transaction.available_on <= now_s { "available" } else { "pending" },
        "type": kind,
    })
}
