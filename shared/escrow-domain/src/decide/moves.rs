//! Money on its way back: which captures a refund is taken from, and what it moves.

use super::draft::{Draft, next_number};
use super::funding::worth;
use crate::effect::Task;
use crate::escrow::Escrow;
use crate::fees;
use crate::id::GatewayName;
use crate::journal::Account;
use crate::milestone::Bucket;
use crate::money::Minor;
use crate::payment::{Payment, Refund, RefundOf, RefundStatus};
use crate::refusal::{Broken, Refusal, Undecided};
use crate::wallet::LineKind;

/// The gateway that makes this refund. One that went into a wallet was over in the commit that decided it.
pub(super) fn gateway_of(escrow: &Escrow, refund: &Refund) -> Result<GatewayName, Undecided> {
    escrow.refund_gateway(refund).ok_or(Undecided::Broken(Broken("a wallet's money was sent to a gateway")))
}

impl Draft {
    /// Promises to give the buyer `principal` of a milestone back, out of `from`, with the share of the buyer's fee.
    ///
    /// The money leaves the escrow now; the captures it goes back to are chosen oldest first.
    pub(super) fn refund_buyer(&mut self, milestone: u8, from: Bucket, principal: Minor) -> Result<(), Undecided> {
        if principal.is_zero() {
            return Ok(());
        }
        let before = self.milestone(milestone)?.clone();
        self.shift(milestone, from, Bucket::Refunding, principal)?;
        let gone = before.money.refunding.plus(before.money.refunded)?;
        let fee = fees::returned(before.fee.buyer, gone.plus(principal)?, before.amount)?.minus(fees::returned(
            before.fee.buyer,
            gone,
            before.amount,
        )?)?;
        let (mut total_left, mut principal_left) = (principal.plus(fee)?, principal);
        for payment in 0..next_number(self.escrow.payments.len())? {
            for capture in 0..self.captures_of(payment)? {
                let room = self.refundable(payment, capture, milestone)?;
                let amount = room.min(total_left);
                if amount.is_zero() {
                    continue;
                }
                total_left = total_left.minus(amount)?;
                // The last part takes what is left of the principal, so that the parts sum to it.
                let part = if total_left.is_zero() { principal_left } else { principal_left.min(amount) };
                principal_left = principal_left.minus(part)?;
                self.give_back(payment, capture, milestone, part, amount)?;
            }
        }
        if total_left.is_zero() { Ok(()) } else { self.keep_fraction(milestone, total_left, principal_left) }
    }

    /// One capture's part of a refund. What a wallet has paid, and what was charged in another unit, goes into the buyer's wallet, and is
    /// there in the same commit; for everything else a refund at the gateway is promised.
    fn give_back(
        &mut self,
        payment: u16,
        capture: u8,
        milestone: u8,
        principal: Minor,
        amount: Minor,
    ) -> Result<(), Undecided> {
        let of = RefundOf::Milestone(milestone);
        let paid = self.payment(payment)?;
        if let (Some(gateway), None) = (paid.gateway(), paid.pay_in) {
            self.book(Account::Escrow, Account::Refunds(gateway), amount)?;
            return self.promise_refund(payment, capture, of, principal, amount);
        }
        let buyer = self.escrow.terms.buyer.clone();
        self.shift(milestone, Bucket::Refunding, Bucket::Refunded, principal)?;
        self.book(Account::Escrow, Account::Wallet(buyer.clone()), amount)?;
        self.push_refund(payment, capture, of, principal, amount, RefundStatus::Succeeded)?;
        self.move_wallet(buyer, LineKind::Refund, amount)
    }

    /// Where refunds failed and money went back by hand in between, the platform has borne fractions of the buyer's fee: a unit each at
    /// most. A gateway gives back no more than it captured, so what the last refund lacks is what the platform gave before.
    fn keep_fraction(&mut self, milestone: u8, lacking: Minor, principal: Minor) -> Result<(), Undecided> {
        let fractions = i64::try_from(self.escrow.journal.len()).unwrap_or(i64::MAX);
        let mut captures = self.escrow.payments.iter().flat_map(|payment| &payment.captures);
        let mut lost = self.escrow.chargebacks.iter();
        let may_lack = captures.any(|capture| !capture.unasked.is_zero()) || lost.any(|lost| !lost.of_escrow.is_zero());
        if lacking.units() > fractions || !may_lack {
            return Err(Broken("a refund of more than was captured").into());
        }
        self.book(Account::Escrow, Account::Fees, lacking)?;
        let promised_now = self.at();
        let last = self.escrow.refunds.last_mut().filter(|refund| {
            refund.status == RefundStatus::Promised
                && refund.of == RefundOf::Milestone(milestone)
                && refund.promised_at == promised_now
        });
        match last {
            Some(refund) => refund.principal = refund.principal.plus(principal)?,
            // Nothing of it is left at the gateway: it is back already.
            None => self.shift(milestone, Bucket::Refunding, Bucket::Refunded, principal)?,
        }
        Ok(())
    }

    /// Takes a failed refund's money back into the milestone (`from` its bucket to `held`), or out again when it goes back after all.
    ///
    /// The share of the buyer's fee in a refund depends on what had gone back before it, so that the escrow may owe a unit more or
    /// less when an earlier one fails. The platform bears that fraction until the refund is made again, for the same amount.
    pub(super) fn undo_refund(
        &mut self,
        milestone: u8,
        refund: &Refund,
        from: Bucket,
        to: Bucket,
        other: Account,
    ) -> Result<(), Undecided> {
        let fee_before = self.milestone(milestone)?.fee_held()?;
        self.shift(milestone, from, to, refund.principal)?;
        let fee_after = self.milestone(milestone)?.fee_held()?;
        let (debit, credit) = if to == Bucket::Held { (other, Account::Escrow) } else { (Account::Escrow, other) };
        self.book(debit, credit, refund.amount)?;
        // What the escrow holds now must be what its state says: principal and the fee beside it.
        let fee_moved = if to == Bucket::Held { fee_after.minus(fee_before)? } else { fee_before.minus(fee_after)? };
        let said = refund.principal.plus(fee_moved)?;
        let (too_much, too_little) =
            if to == Bucket::Held { (Account::Escrow, Account::Fees) } else { (Account::Fees, Account::Escrow) };
        if refund.amount > said {
            self.book(too_much, too_little, refund.amount.minus(said)?)
        } else {
            self.book(too_little, too_much, said.minus(refund.amount)?)
        }
    }

    /// Promises a refund of one capture.
    pub(super) fn promise_refund(
        &mut self,
        payment: u16,
        capture: u8,
        of: RefundOf,
        principal: Minor,
        amount: Minor,
    ) -> Result<(), Undecided> {
        let number = self.push_refund(payment, capture, of, principal, amount, RefundStatus::Promised)?;
        self.promise(Task::Refund(number));
        Ok(())
    }

    /// Adds a refund to the list; its number.
    pub(super) fn push_refund(
        &mut self,
        payment: u16,
        capture: u8,
        of: RefundOf,
        principal: Minor,
        amount: Minor,
        status: RefundStatus,
    ) -> Result<u16, Undecided> {
        let number = next_number(self.escrow.refunds.len())?;
        let promised_at = self.at();
        self.escrow.refunds.push(Refund {
            payment,
            capture,
            of,
            principal,
            amount,
            status,
            reference: None,
            promised_at,
            look_up_at: None,
            look_ups: 0,
        });
        Ok(number)
    }

    pub(super) fn payment(&mut self, number: u16) -> Result<&mut Payment, Undecided> {
        let missing = Undecided::Broken(Broken("a payment that does not exist"));
        self.escrow.payments.get_mut(usize::from(number)).ok_or(missing)
    }

    pub(super) fn refund(&mut self, number: u16) -> Result<&mut Refund, Undecided> {
        let missing = Undecided::Broken(Broken("a refund that does not exist"));
        self.escrow.refunds.get_mut(usize::from(number)).ok_or(missing)
    }

    fn captures_of(&mut self, payment: u16) -> Result<u8, Undecided> {
        u8::try_from(self.payment(payment)?.captures.len()).map_err(|_| Broken("captures without end").into())
    }

    /// What of a capture can still go back for this milestone, in the escrow's unit: what arrived, less every refund that took or may take
    /// from it, what the gateway gave back by itself, and what a lost chargeback took from here.
    fn refundable(&mut self, payment: u16, capture: u8, milestone: u8) -> Result<Minor, Undecided> {
        let paid = self.payment(payment)?.clone();
        let Some(arrived) = paid.captures.get(usize::from(capture)) else { return Ok(Minor::ZERO) };
        if !arrived.applied || !paid.milestones.contains(&milestone) {
            return Ok(Minor::ZERO);
        }
        let refunds = self.escrow.refunds.iter().filter(|refund| {
            (refund.payment, refund.capture) == (payment, capture)
                && !matches!(refund.status, RefundStatus::Failed | RefundStatus::Replaced)
        });
        let lost = self.escrow.chargebacks.iter().filter(|lost| (lost.payment, lost.capture) == (payment, capture));
        let taken = Minor::sum(refunds.map(|refund| refund.amount).chain(lost.map(|lost| lost.of_escrow)))?;
        let taken = taken.plus(worth(&paid, arrived.unasked)?)?;
        Ok(paid.amount.minus(taken.min(paid.amount))?)
    }
}

/// An operator decides about what is disputed, where something is; else about what is held.
pub(super) fn operators_bucket(draft: &mut Draft, index: u8) -> Result<Bucket, Undecided> {
    Ok(if draft.milestone(index)?.money.disputed.is_zero() { Bucket::Held } else { Bucket::Disputed })
}

/// The amount that is meant: the named one, or all that the bucket holds.
pub(super) fn part_of(draft: &mut Draft, index: u8, bucket: Bucket, amount: Option<Minor>) -> Result<Minor, Undecided> {
    let there = draft.milestone(index)?.money.get(bucket);
    match amount {
        None => Ok(there),
        Some(part) if part.is_zero() => Err(Broken("the edge let an amount of nothing through").into()),
        Some(part) if part <= there => Ok(part),
        Some(_) => Err(Refusal::AmountTooLarge { most: there.of(draft.escrow.terms.currency) }.into()),
    }
}
