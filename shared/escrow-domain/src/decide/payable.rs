//! Card networks move some currencies only in steps of several minor units. A milestone as a whole is such an amount; whoever names a
//! part of it must name one that can go back exactly, and leave only such parts.

use super::draft::Draft;
use crate::lifecycle::Transition;
use crate::milestone::Bucket;
use crate::money::Minor;
use crate::payment::RefundStatus;
use crate::refusal::{Refusal, Undecided};

/// Refuses a part of this milestone that was just moved, if it, or what it leaves, could not go back exactly. `known` is how many refunds
/// there were before; `field` is what named the part.
pub(super) fn check(draft: &mut Draft, index: u8, known: usize, field: &'static str) -> Result<(), Undecided> {
    let currency = draft.escrow.terms.currency;
    let step = Minor::new(currency.payable_step())?;
    if step == Minor::new(1)? || !goes_back_to_a_card(draft, index) {
        return Ok(());
    }
    let there = draft.milestone(index)?.clone();
    let rest = there.money.held.plus(there.money.disputed)?.plus(there.fee_held()?)?;
    let mut payable = in_steps(rest, step) && promised_in_steps(draft, known, step);
    // What is locked and what is held may go back one without the other.
    for bucket in [Bucket::Held, Bucket::Disputed] {
        let mut trial = draft.trial(Transition::Refund)?;
        trial.refund_buyer(index, bucket, there.money.get(bucket))?;
        payable = payable && promised_in_steps(&trial, draft.escrow.refunds.len(), step);
    }
    if payable { Ok(()) } else { Err(Refusal::AmountStep { step: step.of(currency), field }.into()) }
}

fn in_steps(amount: Minor, step: Minor) -> bool {
    amount.units().checked_rem(step.units()) == Some(0)
}

/// Whether every refund promised since is one that a gateway can make.
fn promised_in_steps(draft: &Draft, known: usize, step: Minor) -> bool {
    let mut promised = draft.escrow.refunds.iter().skip(known);
    promised.all(|refund| refund.status != RefundStatus::Promised || in_steps(refund.amount, step))
}

/// Whether what goes back of this milestone goes through a gateway in the escrow's unit. A wallet takes any amount.
fn goes_back_to_a_card(draft: &Draft, index: u8) -> bool {
    draft.escrow.payments.iter().any(|payment| {
        let pays = payment.milestones.contains(&index) && payment.captures.iter().any(|capture| capture.applied);
        pays && payment.gateway().is_some() && payment.pay_in.is_none()
    })
}
