//! Money that pays milestones: from a gateway, in the escrow's unit or in another, or from the buyer's wallet.

use super::closing::close_payments;
use super::delivery::start_inspection;
use super::draft::Draft;
use super::guard::guard;
use crate::id::{GatewayName, PaymentId};
use crate::journal::{Account, Part};
use crate::lifecycle::Transition;
use crate::milestone::Bucket;
use crate::money::Minor;
use crate::payment::{Capture, Payment, PaymentStatus};
use crate::policy::Kind;
use crate::refusal::{Broken, Undecided};
use crate::time::Period;
use crate::wallet::LineKind;

/// The buyer's wallet pays: what was just promised is held in the same commit. The transaction refuses what the wallet does not have.
pub(super) fn from_wallet(draft: &mut Draft, number: u16) -> Result<(), Undecided> {
    let payment = draft.payment(number)?.clone();
    let (role, at, buyer) = (draft.actor().role, draft.at(), draft.escrow.terms.buyer.clone());
    for index in &payment.milestones {
        guard(&draft.escrow, Transition::Fund, role, *index, at)?;
    }
    draft.and_then("fund")?;
    draft.record(Transition::Fund, Some(Part::Payment(number)), None, None)?;
    let id = PaymentId { escrow: draft.escrow.id, number }.to_string();
    let stored = draft.payment(number)?;
    stored.status = PaymentStatus::Paid;
    stored.request = None;
    stored.captures.push(Capture { id, amount: payment.amount, at, applied: true, unasked: Minor::ZERO });
    draft.book(Account::Wallet(buyer.clone()), Account::Escrow, payment.amount)?;
    draft.move_wallet(buyer, LineKind::Funding, payment.amount)?;
    hold(draft, &payment.milestones)
}

/// A gateway has captured it. What was charged in another unit is exchanged: so many units are issued, and held.
pub(super) fn from_gateway(draft: &mut Draft, payment: &Payment, gateway: GatewayName) -> Result<(), Undecided> {
    match payment.pay_in {
        None => draft.book(Account::Gateway(gateway), Account::Escrow, payment.amount)?,
        Some(charged) => {
            draft.book_in(Account::Gateway(gateway), Account::Exchange, charged)?;
            draft.book(Account::Exchange, Account::Escrow, payment.amount)?;
        }
    }
    hold(draft, &payment.milestones)
}

/// The milestones are paid: their clocks begin, and other attempts to pay them end.
fn hold(draft: &mut Draft, milestones: &[u8]) -> Result<(), Undecided> {
    let (at, from) = (draft.at(), draft.clock_starts());
    let (policy, kind) = (draft.escrow.terms.policy, draft.escrow.terms.kind);
    for index in milestones {
        let whole = draft.milestone(*index)?.amount;
        draft.shift(*index, Bucket::Unfunded, Bucket::Held, whole)?;
        let milestone = draft.milestone(*index)?;
        milestone.funded_at = Some(at);
        milestone.deliver_by = Some(from.after(policy.deliver_within));
        // What stopped while nobody had paid took nothing from the buyer's time to think again.
        milestone.paused = Period::ZERO;
        if kind == Kind::Product {
            // Delivered the moment it is paid. Its release is the clock's, even when due at once: funding commits alone.
            start_inspection(draft, *index)?;
        }
    }
    close_payments(draft)
}

/// So much of the escrow's unit stands for this part of what was charged: pro rata between the payment's own two amounts, rounded down, so
/// that parts never make more than the whole. All of it stands for all of it.
///
/// # Errors
/// [`Undecided::Broken`] if the part is larger than the whole.
pub(super) fn worth(payment: &Payment, charged: Minor) -> Result<Minor, Undecided> {
    match payment.pay_in {
        None => Ok(charged),
        Some(whole) if whole.amount.is_zero() => Err(Broken("a payment of nothing").into()),
        Some(whole) => Ok(payment.amount.share(charged, whole.amount)?),
    }
}
