//! A part of a milestone's money is given to one side: by the other side, or by an operator, who gives a reason.

use super::disputes;
use super::draft::Draft;
use super::guard::{check_room, guard, pick};
use super::moves::{operators_bucket, part_of};
use super::payable;
use crate::journal::Part;
use crate::lifecycle::{Role, Transition};
use crate::milestone::Bucket;
use crate::money::Minor;
use crate::refusal::{Refusal, Undecided};

/// To whom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Seller,
    Buyer,
}

impl Side {
    /// What it is called when the other side does it, and when an operator does.
    const fn transitions(self) -> (Transition, Transition) {
        match self {
            Self::Seller => (Transition::Release, Transition::OperatorRelease),
            Self::Buyer => (Transition::Refund, Transition::OperatorRefund),
        }
    }
}

/// Gives `amount` of a milestone to a side; all that there is if none is named.
pub(super) fn give(
    draft: &mut Draft,
    to: Side,
    milestone: Option<u8>,
    amount: Option<Minor>,
    reason: Option<String>,
) -> Result<(), Undecided> {
    let index = pick(&draft.escrow, milestone)?;
    let (role, now) = (draft.actor().role, draft.at());
    let (by_a_party, by_an_operator) = to.transitions();
    let is_operator = role == Role::Operator;
    let transition = if is_operator { by_an_operator } else { by_a_party };
    guard(&draft.escrow, transition, role, index, now)?;
    if amount.is_some() && !is_operator {
        check_room(&draft.escrow)?;
    }
    if is_operator && reason.is_none() {
        return Err(Refusal::ReasonRequired.into());
    }
    draft.record(transition, Some(Part::Milestone(index)), None, reason)?;
    let from = if is_operator { operators_bucket(draft, index)? } else { Bucket::Held };
    let part = part_of(draft, index, from, amount)?;
    if from == Bucket::Disputed {
        let to_buyer = if to == Side::Buyer { part } else { Minor::ZERO };
        disputes::overrule(draft, index, part, to_buyer)?;
    }
    let (is_part, known) = (part < draft.milestone(index)?.money.get(from), draft.escrow.refunds.len());
    match to {
        Side::Seller => draft.pay_seller(index, from, part)?,
        Side::Buyer => draft.refund_buyer(index, from, part)?,
    }
    if is_part { payable::check(draft, index, known, "amount") } else { Ok(()) }
}
