//! What must always hold of a top-up. Checked on every change before it is committed, and by `verify` on everything that is stored.

use super::TopUp;
use crate::journal::{Account, link};
use crate::money::OutOfBounds;
use crate::payment::PaymentStatus;
use crate::refusal::{Broken, Undecided};
use std::collections::BTreeSet;

/// The money of one top-up: every capture stands credited once, less what was taken back of it.
///
/// # Errors
/// [`Broken`] names the first thing that does not hold.
pub fn check_money(top_up: &TopUp) -> Result<(), Undecided> {
    let (pay_in, money) = (top_up.pay_in(), top_up.money);
    // Credited to the wallet; debited at the gateway; owed by the owner.
    let (mut wallet, mut gateway, mut owed) = (0_i64, 0_i64, 0_i64);
    for (index, capture) in (0_u8..).zip(&top_up.payment.captures) {
        if capture.amount != pay_in.amount || !capture.applied {
            return Err(Broken("a capture of a top-up that is not what was asked for").into());
        }
        let taken = top_up.taken(index)?;
        wallet = sum(wallet, money.amount.minus(taken.wallet)?.units())?;
        gateway = sum(gateway, sum(capture.amount.units(), taken.gateway.units().saturating_neg())?)?;
        owed = sum(owed, taken.owed.units())?;
    }
    if (top_up.payment.status == PaymentStatus::Paid) == top_up.payment.captures.is_empty() {
        return Err(Broken("a top-up is paid without a capture, or has one and is not paid").into());
    }
    let (mut in_wallet, mut at_gateway, mut by_owner) = (0_i64, 0_i64, 0_i64);
    let (owner, place) = (Account::Wallet(top_up.owner.clone()), Account::Gateway(top_up.gateway()?));
    let receivable = Account::Receivable(top_up.owner.clone());
    for posting in top_up.journal.entries.iter().flat_map(|entry| &entry.postings) {
        if posting.account == owner && posting.currency == money.currency {
            in_wallet = sum(in_wallet, posting.units.saturating_neg())?;
        } else if posting.account == place && posting.currency == pay_in.currency {
            at_gateway = sum(at_gateway, posting.units)?;
        } else if posting.account == receivable && posting.currency == pay_in.currency {
            by_owner = sum(by_owner, posting.units)?;
        } else if posting.account != Account::Exchange || pay_in.currency == money.currency {
            return Err(Broken("a top-up moved money that is not its own").into());
        }
    }
    if (in_wallet, at_gateway, by_owner) == (wallet, gateway, owed) {
        Ok(())
    } else {
        Err(Broken("the ledger does not hold what the top-up says").into())
    }
}

fn sum(one: i64, other: i64) -> Result<i64, OutOfBounds> {
    one.checked_add(other).ok_or(OutOfBounds)
}

/// Replays the whole journal of a top-up and compares it with its state: the chain, the operations, the postings.
///
/// # Errors
/// [`Broken`] names the first thing that does not hold.
pub fn check_history(top_up: &TopUp) -> Result<(), Undecided> {
    let journal = &top_up.journal;
    if journal.entries.len() != journal.operations.len() || journal.paged != 0 {
        return Err(Broken("the journal does not have one operation for every entry").into());
    }
    let names: BTreeSet<[u8; 8]> = journal.operations.iter().map(|operation| operation.name).collect();
    if names.len() != journal.operations.len() {
        return Err(Broken("an operation happened twice").into());
    }
    let mut head = [0; 32];
    for (entry, operation) in journal.entries.iter().zip(&journal.operations) {
        entry.check_balanced()?;
        head = link(&head, operation, entry);
    }
    if head != journal.head {
        return Err(Broken("the hash chain of the journal is broken").into());
    }
    check_money(top_up)
}
