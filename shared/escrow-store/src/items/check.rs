//! What writing promises and reading checks. One function for both ways, so that nothing is written that could not be read again.

use escrow_domain::effect::Task;
use escrow_domain::escrow::{Escrow, MOST_MILESTONES};
use escrow_domain::id::GatewayName;
use escrow_domain::journal::{Entry, Journal, Part};
use escrow_domain::payment::RefundOf;
use escrow_domain::payout::Payout;
use escrow_domain::payout::verify::check_money as check_payout;
use escrow_domain::seller::Seller;
use escrow_domain::top_up::TopUp;
use escrow_domain::top_up::verify::check_money as check_top_up;
use escrow_domain::verify::check_money;
use escrow_domain::wallet::{Wallet, WalletLine};
use std::collections::BTreeSet;
use std::fmt;

/// An escrow whose parts fit each other and whose money adds up.
pub(super) fn escrow(escrow: &Escrow) -> Result<(), String> {
    let problem = |why: &str| Err(why.to_owned());
    if escrow.version == 0 {
        return problem("version 0 is never stored");
    }
    if escrow.terms.buyer == escrow.terms.seller {
        return problem("the buyer is the seller");
    }
    if escrow.terms.subject.kind.is_empty() || escrow.terms.subject.kind.contains('#') {
        return problem("a subject without a type, or with a # in it");
    }
    if escrow.milestones.is_empty() || escrow.milestones.len() > MOST_MILESTONES {
        return problem("no milestone, or too many");
    }
    journal(escrow)?;
    references(escrow)?;
    check_money(escrow).map_err(|broken| broken.to_string())
}

/// One operation for every entry, and every entry balanced.
fn journal(escrow: &Escrow) -> Result<(), String> {
    let journal = &escrow.journal;
    let paged = usize::try_from(journal.paged).map_err(|error| error.to_string())?;
    if paged.checked_add(journal.entries.len()) != Some(journal.operations.len()) || journal.is_empty() {
        return Err(format!(
            "{} operations for {paged} entries in pages and {} here",
            journal.operations.len(),
            journal.entries.len()
        ));
    }
    journal.entries.iter().try_for_each(|entry| entry.check_balanced()).map_err(|error| error.to_string())
}

/// Whatever names a part by its number names one that exists.
fn references(escrow: &Escrow) -> Result<(), String> {
    let milestone = |index: u8| usize::from(index) < escrow.milestones.len();
    let payment = |number: u16| usize::from(number) < escrow.payments.len();
    let refund = |number: u16| usize::from(number) < escrow.refunds.len();
    let part = |part: Part| match part {
        Part::Milestone(index) => milestone(index),
        Part::Payment(number) => payment(number),
        Part::Refund(number) => refund(number),
        Part::Dispute(number) => usize::from(number) < escrow.disputes.len(),
        Part::Chargeback(number) => usize::from(number) < escrow.chargebacks.len(),
    };
    let payments = escrow.payments.iter().all(|paid| paid.milestones.iter().all(|index| milestone(*index)));
    let refunds = escrow.refunds.iter().all(|back| {
        let capture = escrow.payments.get(usize::from(back.payment)).map_or(0, |paid| paid.captures.len());
        let of = match back.of {
            RefundOf::Milestone(index) => milestone(index),
            RefundOf::Unapplied => true,
        };
        usize::from(back.capture) < capture && of
    });
    let disputes = escrow.disputes.iter().all(|dispute| milestone(dispute.milestone));
    let effects = escrow.effects.iter().all(|effect| match effect.task {
        Task::ClosePayment(number) => payment(number),
        Task::Refund(number) => refund(number),
    });
    let chargebacks = escrow.chargebacks.iter().all(|chargeback| {
        let paid = escrow.payments.get(usize::from(chargeback.payment));
        usize::from(chargeback.capture) < paid.map_or(0, |paid| paid.captures.len())
    });
    let credits = escrow
        .credits
        .iter()
        .all(|credit| usize::try_from(credit.entry).is_ok_and(|entry| entry < escrow.journal.len()));
    let entries = escrow
        .journal
        .entries
        .iter()
        .all(|entry| entry.part.is_none_or(part) && entry.moves.iter().all(|moved| milestone(moved.milestone)));
    for (fits, what) in [
        (payments, "a payment of no milestone"),
        (refunds, "a refund of no capture, or of no milestone"),
        (disputes, "a dispute of no milestone"),
        (chargebacks, "a chargeback of no capture"),
        (credits, "a credit by no entry"),
        (effects, "an effect of no payment or refund"),
        (entries, "a journal entry about no part"),
    ] {
        if !fits {
            return Err(what.to_owned());
        }
    }
    Ok(())
}

/// A payout whose money adds up.
pub(super) fn payout(payout: &Payout) -> Result<(), String> {
    whole(payout.version, &payout.journal)?;
    check_payout(payout).map_err(|broken| broken.to_string())
}

/// A top-up whose money adds up.
pub(super) fn top_up(top_up: &TopUp) -> Result<(), String> {
    whole(top_up.version, &top_up.journal)?;
    check_top_up(top_up).map_err(|broken| broken.to_string())
}

/// A stored version, and a journal that is all there: one operation for every entry, and every entry balanced.
fn whole<T: fmt::Display>(version: u64, journal: &Journal<T>) -> Result<(), String> {
    if version == 0 {
        return Err("version 0 is never stored".to_owned());
    }
    if journal.paged != 0 || journal.is_empty() || journal.entries.len() != journal.operations.len() {
        return Err(format!("{} operations for {} entries", journal.operations.len(), journal.entries.len()));
    }
    journal.entries.iter().try_for_each(Entry::check_balanced).map_err(|error| error.to_string())
}

/// A seller that was stored, with one account at each gateway.
pub(super) fn seller(seller: &Seller) -> Result<(), String> {
    if seller.version == 0 {
        return Err("version 0 is never stored".to_owned());
    }
    let gateways: BTreeSet<GatewayName> = seller.accounts.iter().map(|account| account.gateway).collect();
    if gateways.len() == seller.accounts.len() { Ok(()) } else { Err("two accounts at one gateway".to_owned()) }
}

/// A wallet that was stored, and whose sums can be.
pub(super) fn wallet(wallet: &Wallet) -> Result<(), String> {
    if wallet.version == 0 {
        return Err("version 0 is never stored".to_owned());
    }
    if !wallet.debt.is_zero() && !wallet.available.is_zero() {
        return Err("money available beside a debt".to_owned());
    }
    Ok(())
}

/// A line that leads from one balance to the next.
pub(super) fn line(line: &WalletLine) -> Result<(), String> {
    if line.before.checked_add(line.units) == Some(line.after) {
        Ok(())
    } else {
        Err("a line that does not lead from the balance before to the one after".to_owned())
    }
}
