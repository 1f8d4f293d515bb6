//! What must always hold of a payout. Checked on every change before it is committed, and by `verify` on everything that is stored.

use super::draft::accounts;
use super::rows::{PayoutTransition, rows};
use super::status::{PayoutStatus, Rail};
use super::{Payout, PayoutUndecided};
use crate::effect::Progress;
use crate::id::Operation;
use crate::journal::{Account, Entry, link};
use crate::refusal::Broken;
use std::collections::BTreeSet;

/// The money of one payout: what the ledger says is what the status says; and so is what is promised to be sent.
///
/// # Errors
/// [`Broken`] names the first thing that does not hold.
pub fn check_money(payout: &Payout) -> Result<(), PayoutUndecided> {
    let (amount, returned) = (payout.money.amount, payout.returned);
    let left = amount.minus(returned)?.units();
    // How much stands debited to the wallet, credited to what is under way, credited to what is gone.
    let (wallet, under_way, gone) = match payout.status {
        PayoutStatus::Approval
        | PayoutStatus::Ready
        | PayoutStatus::Sending
        | PayoutStatus::Owed
        | PayoutStatus::Review => (amount.units(), amount.units(), 0),
        PayoutStatus::Paid => (left, 0, left),
        PayoutStatus::Returned | PayoutStatus::Failed | PayoutStatus::Rejected => (0, 0, 0),
    };
    let came_back = match payout.status {
        PayoutStatus::Paid => returned < amount,
        PayoutStatus::Returned => returned == amount,
        PayoutStatus::Approval
        | PayoutStatus::Ready
        | PayoutStatus::Sending
        | PayoutStatus::Owed
        | PayoutStatus::Review
        | PayoutStatus::Failed
        | PayoutStatus::Rejected => returned.is_zero(),
    };
    if !came_back || amount.is_zero() {
        return Err(Broken("what came back of a payout is not what its status says").into());
    }
    let (under_way_account, gone_account) = accounts(payout);
    let owner = Account::Wallet(payout.owner.clone());
    let mut found = (0_i64, 0_i64, 0_i64);
    for posting in payout.journal.entries.iter().flat_map(|entry| &entry.postings) {
        if posting.currency != payout.money.currency {
            return Err(Broken("a payout moved another unit").into());
        }
        let (place, units) = if posting.account == owner {
            (&mut found.0, posting.units)
        } else if posting.account == under_way_account {
            (&mut found.1, posting.units.saturating_neg())
        } else if posting.account == gone_account {
            (&mut found.2, posting.units.saturating_neg())
        } else {
            return Err(Broken("a payout moved money that is not its own").into());
        };
        *place = place.checked_add(units).ok_or(Broken("a balance left its bounds"))?;
    }
    if found != (wallet, under_way, gone) {
        return Err(Broken("the ledger does not hold what the payout says").into());
    }
    check_promise(payout)
}

/// What is promised at the gateway fits the status: nothing is sent that is not reserved, and nothing that is reserved is forgotten.
fn check_promise(payout: &Payout) -> Result<(), PayoutUndecided> {
    let progress = payout.effect.map(|effect| effect.progress);
    let by_gateway = payout.rail != Rail::ByHand;
    let fits = match (payout.status, progress) {
        (PayoutStatus::Ready, Some(Progress::Ready)) => by_gateway,
        (PayoutStatus::Sending, Some(Progress::Sending(_))) => by_gateway && payout.look_up_at.is_none(),
        (PayoutStatus::Sending, None) => by_gateway && payout.look_up_at.is_some(),
        (PayoutStatus::Review, Some(Progress::InDoubt(_)) | None) => by_gateway && payout.look_up_at.is_none(),
        (PayoutStatus::Owed, None) => !by_gateway,
        (
            PayoutStatus::Approval
            | PayoutStatus::Paid
            | PayoutStatus::Returned
            | PayoutStatus::Failed
            | PayoutStatus::Rejected,
            None,
        ) => payout.look_up_at.is_none(),
        (
            PayoutStatus::Approval
            | PayoutStatus::Ready
            | PayoutStatus::Sending
            | PayoutStatus::Owed
            | PayoutStatus::Review
            | PayoutStatus::Paid
            | PayoutStatus::Returned
            | PayoutStatus::Failed
            | PayoutStatus::Rejected,
            _,
        ) => false,
    };
    if !fits {
        return Err(Broken("what is promised of a payout does not fit its status").into());
    }
    if payout.alarm_at.is_some() != payout.status.needs_operator() {
        return Err(Broken("a payout waits for an operator without an alarm").into());
    }
    Ok(())
}

/// Replays the whole journal of a payout and compares it with its state: the chain, the operations, the table, the postings.
///
/// # Errors
/// [`Broken`] names the first thing that does not hold.
pub fn check_history(payout: &Payout) -> Result<(), PayoutUndecided> {
    let journal = &payout.journal;
    if journal.entries.len() != journal.operations.len() || journal.paged != 0 {
        return Err(Broken("the journal does not have one operation for every entry").into());
    }
    let names: BTreeSet<[u8; 8]> = journal.operations.iter().map(|operation| operation.name).collect();
    if names.len() != journal.operations.len() {
        return Err(Broken("an operation happened twice").into());
    }
    let mut head = [0; 32];
    // Where it can stand after each entry; several, where a row leads to several.
    let mut standing: BTreeSet<PayoutStatus> = BTreeSet::new();
    for (number, (entry, operation)) in journal.entries.iter().zip(&journal.operations).enumerate() {
        let entry: &Entry<PayoutTransition> = entry;
        let operation: &Operation = operation;
        entry.check_balanced()?;
        head = link(&head, operation, entry);
        if (number == 0) != (entry.transition == PayoutTransition::Ask) {
            return Err(Broken("a payout is asked for once, first").into());
        }
        let own = rows(entry.transition).iter().find(|row| row.actor == entry.actor.role);
        let row = own.ok_or(Broken("an entry by somebody who has no row for it"))?;
        if number > 0 && !row.from.iter().any(|status| standing.contains(status)) {
            return Err(Broken("an entry from where the table does not allow it").into());
        }
        standing = row.to.iter().copied().collect();
        // Claims, and answers that are no facts, move between these two without an entry.
        if standing.contains(&PayoutStatus::Ready) {
            standing.insert(PayoutStatus::Sending);
        }
    }
    if head != journal.head {
        return Err(Broken("the hash chain of the journal is broken").into());
    }
    if !standing.contains(&payout.status) {
        return Err(Broken("the replayed journal does not give the stored state").into());
    }
    check_money(payout)
}
