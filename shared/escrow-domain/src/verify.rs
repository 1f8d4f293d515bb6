//! What must always hold. Checked on every change before it is committed, and by `verify` on everything that is stored.

use crate::chargeback::ChargebackStatus;
use crate::currency::Currency;
use crate::escrow::{Escrow, FreezeCause};
use crate::journal::{Account, Entry, Journal, Posting, link};
use crate::milestone::Buckets;
use crate::money::Minor;
use crate::payment::RefundStatus;
use crate::refusal::{Broken, Undecided};
use std::collections::{BTreeMap, BTreeSet};

/// The money of one escrow: buckets partition the amounts, and the ledger's accounts of the escrow, of refunds and credits under way and
/// of chargebacks hold exactly what the state says, unit by unit. Entries that moved into pages count by what they left behind.
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
    let mut owed = vec![(Account::Escrow, expected.of(escrow.terms.currency))];
    for refund in &escrow.refunds {
        if !matches!(refund.status, RefundStatus::Promised | RefundStatus::Pending) {
            continue;
        }
        let gateway = escrow.refund_gateway(refund).ok_or(Broken("a refund is on its way that no gateway makes"))?;
        owed.push((Account::Refunds(gateway), escrow.refund_money(refund)));
    }
    for credit in &escrow.credits {
        owed.push((Account::Credits(credit.owner.clone()), credit.amount.of(escrow.terms.currency)));
    }
    let mut sums = Sums::default();
    for (account, money) in owed {
        sums.add(&account, money.currency, money.amount.units())?;
    }
    check_chargebacks(escrow, &mut sums)?;
    // What the ledger says takes away what the state says: nothing may be left.
    let here = escrow.journal.entries.iter().flat_map(|entry| &entry.postings);
    for posting in escrow.journal.carried.iter().chain(here).filter(|posting| posting.account.is_counted()) {
        sums.add(&posting.account, posting.currency, posting.units)?;
    }
    match sums.0.iter().find(|(_, sum)| **sum != 0) {
        None => Ok(()),
        Some(((account, _), _)) => Err(Broken(match account {
            Account::Refunds(_) => "the ledger's refunds under way are not those of the escrow",
            Account::Chargebacks(_) => "the ledger's chargebacks are not those of the escrow",
            Account::Credits(_) => "the ledger's credits in transit are not those of the escrow",
            Account::Escrow
            | Account::Gateway(_)
            | Account::Wallet(_)
            | Account::Fees
            | Account::Payouts(_)
            | Account::PayoutsByHand
            | Account::PaidByHand
            | Account::Unapplied(_)
            | Account::Exchange
            | Account::Receivable(_) => "the ledger does not hold what the escrow says",
        })
        .into()),
    }
}

/// Sums of accounts, by unit.
#[derive(Default)]
struct Sums(BTreeMap<(Account, Currency), i64>);

impl Sums {
    fn add(&mut self, account: &Account, currency: Currency, units: i64) -> Result<(), Broken> {
        let sum = self.0.entry((account.clone(), currency)).or_default();
        *sum = sum.checked_add(units).ok_or(Broken("a balance left its bounds"))?;
        Ok(())
    }
}

/// Every open chargeback freezes the escrow, and a lost one is borne in full: what it still has on its account is what the gateway has
/// taken and not given back, less what was lost.
fn check_chargebacks(escrow: &Escrow, sums: &mut Sums) -> Result<(), Undecided> {
    let open = escrow.chargebacks.iter().filter(|chargeback| chargeback.is_open()).count();
    if escrow.freezes.iter().filter(|freeze| freeze.cause == FreezeCause::Chargeback).count() != open {
        return Err(Broken("the freezes of chargebacks are not those of the open ones").into());
    }
    for chargeback in &escrow.chargebacks {
        let payment = escrow.payments.get(usize::from(chargeback.payment));
        let unit = payment.ok_or(Broken("a chargeback of no payment"))?.charged(escrow.terms.currency).currency;
        let account = Account::Chargebacks(chargeback.gateway);
        let lost = if chargeback.status == ChargebackStatus::Lost { chargeback.amount } else { Minor::ZERO };
        for credit in [chargeback.given_back, lost] {
            sums.add(&account, unit, credit.units())?;
        }
        let debit = chargeback.taken.units().checked_neg().ok_or(Broken("a balance left its bounds"))?;
        sums.add(&account, unit, debit)?;
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
    let mut carried = Journal::default();
    pages.iter().flat_map(|entry| &entry.postings).for_each(|posting| carried.carry(posting));
    let same = |one: &[Posting], other: &[Posting]| one.iter().all(|posting| other.contains(posting));
    if !same(&carried.carried, &escrow.journal.carried) || !same(&escrow.journal.carried, &carried.carried) {
        return Err(Broken("what the pages carry over is not what their entries leave").into());
    }
    if head != escrow.journal.head {
        return Err(Broken("the hash chain of the journal is broken").into());
    }
    if !escrow.milestones.iter().map(|milestone| &milestone.money).eq(&money) {
        return Err(Broken("the replayed journal does not give the stored state").into());
    }
    check_money(escrow)
}
