//! Money on its way to sellers: transfers to connected accounts, and what is taken back of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::balance::{self, Cause, Movement};
use super::book::{Book, ChargeStatus, Record};
use super::change::{Change, random_id};
use super::form::Params;
use super::refusal::Refusal;
use super::{amounts, objects, payouts};

/// A transfer. Its money is in the account as soon as it is made; Stripe has no transfer that waits or fails.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Transfer {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) destination: String,
    /// What the account has got: `py_…`.
    pub(super) destination_payment: String,
    /// The charge whose money it is.
    pub(super) source: Option<String>,
    pub(super) group: Option<String>,
    pub(super) description: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) transaction: String,
    /// Oldest first.
    pub(super) reversals: Vec<Reversal>,
}

/// Money that was taken back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reversal {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) transaction: String,
    /// `pyr_…`
    pub(super) refund: String,
}

impl Transfer {
    pub(super) fn reversed(&self) -> i64 {
        self.reversals.iter().map(|reversal| reversal.amount).sum()
    }
}

/// `POST /v1/transfers`
pub(super) fn create(change: &mut Change<'_>, mut form: Params) -> Result<Value, Refusal> {
    let currency = amounts::currency(&form.required("currency")?, "currency".to_owned())?;
    let destination = form.required("destination")?;
    let amount = form.whole("amount")?;
    let source = form.text("source_transaction")?;
    let group = form.short_text("transfer_group", 255)?;
    let description = form.short_text("description", 1_000)?;
    let metadata = form.metadata("metadata")?;
    form.choice("source_type", &["card", "bank_account", "fpx"])?;
    form.finish()?;
    let Some(amount) = amount else {
        let message = "You must specify an amount for the transfer.";
        return Err(Refusal::param("parameter_missing", "amount".to_owned(), message));
    };
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Refusal::param("parameter_invalid_integer", "amount".to_owned(), message));
    }
    let account = change.book.account(&destination);
    let account = account
        .ok_or_else(|| Refusal { status: 400, ..Refusal::missing("destination", &destination, "destination") })?;
    if !account.takes_transfers() {
        let message = "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments";
        return Err(Refusal::state(Some("insufficient_capabilities_for_transfer"), None, message));
    }
    let settled = match &source {
        Some(charge) => bounded_by_source(change.book, change.now_s(), charge, &currency, amount)?,
        None => true,
    };
    if settled {
        balance::suffices(change.book, change.now_s(), &currency, amount)?;
    }
    let group = match &source {
        Some(charge) => Some(group_of_source(change, charge, group)?),
        None => group,
    };
    let transfer = Transfer {
        id: random_id("tr_1", 23),
        number: change.number(),
        created: change.now_s(),
        amount,
        currency,
        destination,
        destination_payment: random_id("py_1", 23),
        source,
        group,
        description,
        metadata,
        transaction: random_id("txn_1", 23),
        reversals: Vec::new(),
    };
    change.put(Record::Transfer(transfer.clone()));
    let movement = Movement {
        id: &transfer.transaction,
        cause: Cause::Transfer,
        amount: -transfer.amount,
        fee: 0,
        currency: &transfer.currency,
        source: Some(&transfer.id),
    };
    balance::book(change, &movement);
    change.event("transfer.created", shown(&transfer));
    payouts::follow(change, &transfer.destination, &transfer.currency);
    Ok(shown(&transfer))
}

/// A transfer that is tied to a charge takes no more than the charge has brought, in its currency. Answers whether the charge
/// has settled: only before that does the transfer succeed whatever the balance is
/// (docs.stripe.com/connect/separate-charges-and-transfers, "Transfer availability").
fn bounded_by_source(book: &Book, now_s: i64, charge: &str, currency: &str, amount: i64) -> Result<bool, Refusal> {
    let missing = || Refusal { status: 400, ..Refusal::missing("charge", charge, "source_transaction") };
    let (intent, found) = book.charge(charge).ok_or_else(missing)?;
    if found.status != ChargeStatus::Succeeded {
        let message = format!("Charge {charge} has not succeeded; it cannot be the source of a transfer.");
        return Err(Refusal::state(None, Some("source_transaction"), message));
    }
    if intent.currency != currency {
        let message = format!(
            "The currency of source_transaction's balance transaction ({}) must be the same as the transfer currency ({currency})",
            intent.currency
        );
        return Err(Refusal::state(None, Some("currency"), message));
    }
    let of_charge = book.transfers.values().filter(|transfer| transfer.source.as_deref() == Some(charge));
    let taken: i64 = of_charge.map(|transfer| transfer.amount - transfer.reversed()).sum();
    // What went back to the buyer is not there for the seller. Stripe does not say so; a platform that needs it is wrong.
    let bound = intent.amount - book.refunded(charge);
    if amount > bound - taken {
        let message = format!(
            "Transfers using this transaction as a source must not exceed the source amount of {}. (There is already a \
             transfer using this source, amounting to {}.)",
            amounts::shown(bound, currency),
            amounts::shown(taken, currency)
        );
        return Err(Refusal::state(None, Some("amount"), message));
    }
    let waiting = |transaction: &balance::Transaction| transaction.available_on > now_s;
    Ok(!book.transactions.get(&found.transaction).is_some_and(waiting))
}

/// A transfer is in the group of its charge; a charge without one gets one (ibid.). Naming another is refused: this is what
/// platforms report that Stripe answers.
fn group_of_source(change: &mut Change<'_>, charge: &str, asked: Option<String>) -> Result<String, Refusal> {
    let (intent, _) = change.book.charge(charge).ok_or_else(Refusal::broken)?;
    match (asked, &intent.data.transfer_group) {
        (Some(asked), Some(known)) if asked != *known => {
            let message = "You cannot use `transfer_group` if the `source_transaction` already has one set.";
            Err(Refusal::state(None, Some("transfer_group"), message))
        }
        (_, Some(known)) => Ok(known.clone()),
        (asked, None) => {
            let mut intent = intent.clone();
            let group = asked.unwrap_or_else(|| format!("group_{}", intent.id));
            intent.data.transfer_group = Some(group.clone());
            change.put(Record::Intent(intent));
            Ok(group)
        }
    }
}

/// `GET /v1/transfers/{id}`
pub(super) fn find<'b>(book: &'b Book, id: &str) -> Result<&'b Transfer, Refusal> {
    book.transfers.get(id).ok_or_else(|| Refusal::missing("transfer", id, "transfer"))
}

/// `POST /v1/transfers/{id}/reversals`
pub(super) fn reverse(change: &mut Change<'_>, id: &str, mut form: Params) -> Result<Value, Refusal> {
    let amount = form.whole("amount")?;
    let metadata = form.metadata("metadata")?;
    form.ignore("description");
    if form.flag("refund_application_fee")? {
        let message = "The transfer has no application fee to refund.";
        return Err(Refusal { param: Some("refund_application_fee".to_owned()), ..Refusal::invalid(message) });
    }
    form.finish()?;
    let transfer = find(change.book, id)?.clone();
    let amount = reversible(&transfer, amount)?;
    let (available, pending) = payouts::balance(change.book, change.now_s(), &transfer.destination, &transfer.currency);
    if available + pending < amount {
        let message = format!("Account {} has insufficient available funds for this reversal.", transfer.destination);
        return Err(Refusal::state(Some("balance_insufficient"), None, message));
    }
    let turned = take_back(change, transfer, amount, metadata);
    turned.reversals.last().map(|reversal| reversal_shown(&turned, reversal)).ok_or_else(Refusal::broken)
}

/// So much, or what is left of it.
///
/// # Errors
/// 400 when that is nothing, or more than is left.
pub(super) fn reversible(transfer: &Transfer, amount: Option<i64>) -> Result<i64, Refusal> {
    let left = transfer.amount - transfer.reversed();
    if left == 0 {
        let message = format!("Transfer {} is already fully reversed.", transfer.id);
        return Err(Refusal::state(None, None, message));
    }
    let amount = amount.unwrap_or(left);
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Refusal::param("parameter_invalid_integer", "amount".to_owned(), message));
    }
    if amount > left {
        let message = format!(
            "Reversal amount ({}) is greater than unreversed amount on transfer ({})",
            amounts::shown(amount, &transfer.currency),
            amounts::shown(left, &transfer.currency)
        );
        return Err(Refusal::state(None, Some("amount"), message));
    }
    Ok(amount)
}

/// Puts a reversal and tells of it.
pub(super) fn take_back(
    change: &mut Change<'_>,
    mut transfer: Transfer,
    amount: i64,
    metadata: BTreeMap<String, String>,
) -> Transfer {
    let before = transfer.reversed();
    let reversal = Reversal {
        id: random_id("trr_1", 23),
        number: change.number(),
        created: change.now_s(),
        amount,
        metadata,
        transaction: random_id("txn_1", 23),
        refund: random_id("pyr_1", 23),
    };
    let movement = Movement {
        id: &reversal.transaction,
        cause: Cause::TransferReversal,
        amount,
        fee: 0,
        currency: &transfer.currency,
        source: Some(&reversal.id),
    };
    balance::book(change, &movement);
    transfer.reversals.push(reversal);
    change.put(Record::Transfer(transfer.clone()));
    let former = json!({"amount_reversed": before, "reversed": false});
    change.event_about("transfer.reversed", shown(&transfer), Some(former));
    transfer
}

/// <https://docs.stripe.com/api/transfers/object>
pub(super) fn shown(transfer: &Transfer) -> Value {
    // Newest first, at most ten, as in every list inside an object.
    let reversals =
        transfer.reversals.iter().rev().take(10).map(|reversal| reversal_shown(transfer, reversal)).collect();
    let url = format!("/v1/transfers/{}/reversals", transfer.id);
    json!({
        "id": transfer.id,
        "object": "transfer",
        "amount": transfer.amount,
        "amount_reversed": transfer.reversed(),
        "balance_transaction": transfer.transaction,
        "created": transfer.created,
        "currency": transfer.currency,
        "description": transfer.description,
        "destination": transfer.destination,
        "destination_payment": transfer.destination_payment,
        "livemode": false,
        "metadata": transfer.metadata,
        "reversals": objects::list(&url, reversals, transfer.reversals.len() > 10),
        "reversed": transfer.reversed() == transfer.amount,
        "source_transaction": transfer.source,
        "source_type": "card",
        "transfer_group": transfer.group,
    })
}

/// <https://docs.stripe.com/api/transfer_reversals/object>
pub(super) fn reversal_shown(transfer: &Transfer, reversal: &Reversal) -> Value {
    json!({
        "id": reversal.id,
        "object": "transfer_reversal",
        "amount": reversal.amount,
        "balance_transaction": reversal.transaction,
        "created": reversal.created,
        "currency": transfer.currency,
        "destination_payment_refund": reversal.refund,
        "metadata": reversal.metadata,
        "source_refund": null,
        "transfer": transfer.id,
    })
}
