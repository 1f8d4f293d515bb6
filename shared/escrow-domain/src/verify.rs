//! What must always hold. Checked on every change before it is committed, and by `verify` on everything that is stored.

use crate::escrow::Escrow;
use crate::journal::{Account, Entry, link};
use crate::milestone::Buckets;
use crate::money::Minor;
use crate::payment::RefundStatus;
use crate::refusal::{Broken, Undecided};
use std::collections::BTreeSet;

/// The money of one escrow: buckets partition the amounts, and the ledger's accounts of the escrow and of refunds under way hold
/// exactly what the state says.
///
/// # Errors
/// [`Broken`] names the first thing that does not hold.
pub fn check_money(escrow: &Escrow) -> Result<(), Undecided> {
    let mut expected = Minor::ZERO;
    for milestone in &escrow.milestones {
        if milestone.money.sum()? != milestone.amount {
            return Err(Broken("the buckets of a milestone are no partition of its amount").into());
        }
        if milestone.ended.is_some() && milestone.money.unfunded != milestone.amount {
            return Err(Broken("a milestone that ended unpaid has money").into());
        }
        expected = expected.plus(milestone.money.held)?.plus(milestone.money.disputed)?.plus(milestone.fee_held()?)?;
    }
    for (index, milestone) in (0_u8..).zip(&escrow.milestones) {
        if milestone.money.disputed.is_zero() == escrow.open_dispute(index).is_some() {
            return Err(Broken("money is locked without a dispute, or a dispute is open without money").into());
        }
    }
    // Entries that moved into pages take their postings with them; their balance is checked with the pages.
    if escrow.journal.paged > 0 {
        return Ok(());
    }
    let (mut held, mut under_way) = (0_i64, 0_i64);
    for posting in escrow.journal.entries.iter().flat_map(|entry| &entry.postings) {
        match posting.account {
            Account::Escrow => held = held.checked_sub(posting.units).ok_or(Broken("a balance left its bounds"))?,
            Account::Refunds(_) => {
                under_way = under_way.checked_sub(posting.units).ok_or(Broken("a balance left its bounds"))?;
            }
            Account::Gateway(_)
            | Account::Wallet(_)
            | Account::Fees
            | Account::Payouts(_)
            | Account::PayoutsByHand
            | Account::PaidByHand
            | Account::Chargebacks(_)
            | Account::Credits(_)
            | Account::Unapplied(_)
            | Account::Exchange
            | Account::Receivable(_) => {}
        }
    }
    if held != expected.units() {
        return Err(Broken("the ledger does not hold what the escrow says").into());
    }
    let waiting =
        escrow.refunds.iter().filter(|refund| matches!(refund.status, RefundStatus::Promised | RefundStatus::Pending));
    if under_way != Minor::sum(waiting.map(|refund| refund.amount))?.units() {
        return Err(Broken("the ledger's refunds under way are not those of the escrow").into());
    }
    Ok(())
}

/// Replays the whole journal of an escrow (with the entries of its pages, oldest first, before those it still holds) and compares
/// it with its state: the chain, the operations, the moves, the postings, the money.
///
/// # Errors
/// [`Broken`] names the first thing that does not hold.
pub fn check_history(escrow: &Escrow, pages: &[Entry]) -> Result<(), Undecided> {
    let entries: Vec<&Entry> = pages.iter().chain(&escrow.journal.entries).collect();
    if entries.len() != escrow.journal.operations.len() || usize::try_from(escrow.journal.paged) != Ok(pages.len()) {
        return Err(Broken("the journal does not have one operation for every entry").into());
    }
    let names: BTreeSet<[u8; 8]> = escrow.journal.operations.iter().map(|operation| operation.name).collect();
    if names.len() != escrow.journal.operations.len() {
        return Err(Broken("an operation happened twice").into());
    }
    let mut money: Vec<Buckets> =
        escrow.milestones.iter().map(|milestone| Buckets::unfunded(milestone.amount)).collect();
    let mut head = [0; 32];
    for (entry, operation) in entries.iter().zip(&escrow.journal.operations) {
        entry.check_balanced()?;
        head = link(&head, operation, entry);
        for moved in &entry.moves {
            let buckets = money.get_mut(usize::from(moved.milestone)).ok_or(Broken("a move of no milestone"))?;
            buckets.shift(moved.from, moved.to, moved.amount)?;
        }
    }
    if head != escrow.journal.head {
        return Err(Broken("the hash chain of the journal is broken").into());
    }
    if !escrow.milestones.iter().map(|milestone| &milestone.money).eq(&money) {
        return Err(Broken("the replayed journal does not give the stored state").into());
    }
    check_money(escrow)
}
