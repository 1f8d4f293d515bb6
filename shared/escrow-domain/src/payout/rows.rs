//! The life of a payout as a table: which transition, by whom, from where, to what. Guards, `actions`, the documentation, `verify` and
//! the tests read it. One actor a row.

use super::refusal::PayoutRefusal;
use super::status::PayoutStatus;
use crate::lifecycle::Role;
use crate::policy::words;

/// What can happen to a payout. Each is an entry in the journal when it happens, but for [`PayoutTransition::Send`]: a claim is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "what each does stands in the documentation that is made from `rows`")]
pub enum PayoutTransition {
    Ask,
    Approve,
    Reject,
    Lapse,
    Send,
    Pay,
    Fail,
    GiveUp,
    Doubt,
    Resolve,
    MarkPaid,
    MarkFailed,
    Return,
}

words!(PayoutTransition {
    Ask = "ask",
    Approve = "approve",
    Reject = "reject",
    Lapse = "lapse",
    Send = "send",
    Pay = "pay",
    Fail = "fail",
    GiveUp = "give_up",
    Doubt = "doubt",
    Resolve = "resolve",
    MarkPaid = "mark_paid",
    MarkFailed = "mark_failed",
    Return = "return",
});

/// One row: who may do it, from where, and to where it can lead.
#[derive(Debug, Clone, Copy)]
pub struct PayoutRow {
    /// Who acts. The owner of the wallet acts as the seller.
    pub actor: Role,
    /// From which statuses; empty is the beginning.
    pub from: &'static [PayoutStatus],
    /// To one of these.
    pub to: &'static [PayoutStatus],
}

const fn row(actor: Role, from: &'static [PayoutStatus], to: &'static [PayoutStatus]) -> PayoutRow {
    PayoutRow { actor, from, to }
}

/// The table.
#[must_use]
#[rustfmt::skip]
pub const fn rows(transition: PayoutTransition) -> &'static [PayoutRow] {
    use PayoutStatus::{Approval, Failed, Owed, Paid, Ready, Rejected, Returned, Review, Sending};
    use Role::{Clock, Gateway, Operator, Seller};
    const ASKED: &[PayoutStatus] = &[Approval, Ready, Owed];
    match transition {
        // The clock asks by the wallet's own policy.
        PayoutTransition::Ask        => const { &[row(Seller,   &[],                       ASKED),
                                                  row(Operator, &[],                       ASKED),
                                                  row(Clock,    &[],                       ASKED)] },
        PayoutTransition::Approve    => const { &[row(Operator, &[Approval],               &[Ready, Owed])] },
        PayoutTransition::Reject     => const { &[row(Operator, &[Approval],               &[Rejected])] },
        PayoutTransition::Lapse      => const { &[row(Clock,    &[Approval],               &[Rejected])] },
        PayoutTransition::Send       => const { &[row(Clock,    &[Ready],                  &[Sending])] },
        // A fact may come before the answer, or to one that a restored backup knows only as ready.
        PayoutTransition::Pay        => const { &[row(Gateway,  &[Ready, Sending, Review], &[Paid])] },
        PayoutTransition::Fail       => const { &[row(Gateway,  &[Ready, Sending, Review], &[Failed])] },
        PayoutTransition::GiveUp     => const { &[row(Clock,    &[Ready],                  &[Failed])] },
        PayoutTransition::Doubt      => const { &[row(Clock,    &[Sending],                &[Review])] },
        PayoutTransition::Resolve    => const { &[row(Operator, &[Review],                 &[Paid, Ready, Failed])] },
        PayoutTransition::MarkPaid   => const { &[row(Operator, &[Owed],                   &[Paid])] },
        // One that was made by hand may come back after it was marked as paid.
        PayoutTransition::MarkFailed => const { &[row(Operator, &[Owed, Paid],             &[Failed, Returned])] },
        // In parts it stays paid until all of it is back.
        PayoutTransition::Return     => const { &[row(Gateway,  &[Paid],                   &[Paid, Returned])] },
    }
}

/// Whether a row lets this actor do this from here; where it leads.
///
/// # Errors
/// [`PayoutRefusal::WrongRole`] if the actor has no row at all, [`PayoutRefusal::WrongStatus`] if not from this status.
pub fn permitted(
    transition: PayoutTransition,
    role: Role,
    status: PayoutStatus,
) -> Result<&'static [PayoutStatus], PayoutRefusal> {
    let own = rows(transition).iter().find(|row| row.actor == role);
    let own = own.ok_or(PayoutRefusal::WrongRole { transition, role })?;
    if own.from.contains(&status) { Ok(own.to) } else { Err(PayoutRefusal::WrongStatus { transition, status }) }
}
