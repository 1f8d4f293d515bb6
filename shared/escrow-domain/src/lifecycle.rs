//! The lifecycle as a table: which command, by whom, from which stages, to what.
//!
//! Everything that must agree about it reads this table: the guards of every decision, the API's `actions`, `docs/LIFECYCLE.md`
//! with its diagram, the exhaustive test. **One actor a row**: a row with several states and several actors is how a clock
//! comes to settle a dispute.

use crate::policy::words;

/// Where a milestone stands. Derived from its money, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Waits for its payment.
    Pending,
    /// Paid; the work is not delivered yet.
    Held,
    /// Delivered; waits for acceptance.
    Delivered,
    /// A part of it is disputed and locked.
    Disputed,
    /// A refund is on its way; nothing else is left.
    Refunding,
    /// All of it went to the seller.
    Released,
    /// All of it went back to the buyer.
    Refunded,
    /// Some went to the seller, the rest back to the buyer.
    Split,
    /// Given up before it was paid.
    Cancelled,
    /// Nobody paid in time.
    Expired,
}

words!(Stage {
    Pending = "pending",
    Held = "held",
    Delivered = "delivered",
    Disputed = "disputed",
    Refunding = "refunding",
    Released = "released",
    Refunded = "refunded",
    Split = "split",
    Cancelled = "cancelled",
    Expired = "expired",
});

impl Stage {
    /// Whether nothing but a gateway's late fact can happen any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Held | Self::Delivered | Self::Disputed | Self::Refunding => false,
            Self::Released | Self::Refunded | Self::Split | Self::Cancelled | Self::Expired => true,
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Pays.
    Buyer,
    /// Delivers.
    Seller,
    /// Rules disputes; never a party of the escrow.
    Arbiter,
    /// Runs the marketplace's support; gives a reason for everything.
    Operator,
    /// The marketplace's own server; creates checkouts.
    Platform,
    /// A payment gateway's fact.
    Gateway,
    /// A deadline that has passed.
    Clock,
}

words!(Role {
    Buyer = "buyer",
    Seller = "seller",
    Arbiter = "arbiter",
    Operator = "operator",
    Platform = "platform",
    Gateway = "gateway",
    Clock = "clock",
});

/// What can happen to a milestone or its escrow. Each is an entry in the journal when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "what each does stands in its row of `rows`, from which the documentation is made")]
pub enum Transition {
    Create,
    AddPayment,
    Fund,
    Expire,
    Cancel,
    ClosePayment,
    AbsorbPayment,
    Deliver,
    RequestChanges,
    Release,
    AutoRelease,
    Refund,
    Withdraw,
    AskCancel,
    AgreeCancel,
    MissDelivery,
    Dispute,
    AddEvidence,
    WithdrawDispute,
    Propose,
    Accept,
    Rule,
    DefaultDispute,
    ConfirmRefund,
    FailRefund,
    AbsorbRefund,
    LookUp,
    Resolve,
    Abandon,
    Freeze,
    Unfreeze,
    AskExtend,
    Extend,
    OperatorRelease,
    OperatorRefund,
    Remind,
    Chargeback,
    LoseChargeback,
    CreditWallet,
}

words!(Transition {
    Create = "create",
    AddPayment = "add_payment",
    Fund = "fund",
    Expire = "expire",
    Cancel = "cancel",
    ClosePayment = "close_payment",
    AbsorbPayment = "absorb_payment",
    Deliver = "deliver",
    RequestChanges = "request_changes",
    Release = "release",
    AutoRelease = "auto_release",
    Refund = "refund",
    Withdraw = "withdraw",
    AskCancel = "ask_cancel",
    AgreeCancel = "agree_cancel",
    MissDelivery = "miss_delivery",
    Dispute = "dispute",
    AddEvidence = "add_evidence",
    WithdrawDispute = "withdraw_dispute",
    Propose = "propose",
    Accept = "accept",
    Rule = "rule",
    DefaultDispute = "default_dispute",
    ConfirmRefund = "confirm_refund",
    FailRefund = "fail_refund",
    AbsorbRefund = "absorb_refund",
    LookUp = "look_up",
    Resolve = "resolve",
    Abandon = "abandon",
    Freeze = "freeze",
    Unfreeze = "unfreeze",
    AskExtend = "ask_extend",
    Extend = "extend",
    OperatorRelease = "operator_release",
    OperatorRefund = "operator_refund",
    Remind = "remind",
    Chargeback = "chargeback",
    LoseChargeback = "lose_chargeback",
    CreditWallet = "credit_wallet",
});

/// Where a transition leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The money that moves arrives there; with parts, the milestone stays where its rest is.
    Becomes(Stage),
    /// To the seller, back to the buyer, or both.
    Settles,
    /// Back where it was before.
    Returns,
    /// The same stage: something else about it changed.
    Stays,
}

/// One row: who may do it, from where, and where it leads.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Who acts.
    pub actor: Role,
    /// In which stages of the milestone.
    pub from: &'static [Stage],
    /// Where it leads.
    pub to: To,
}

const fn row(actor: Role, from: &'static [Stage], to: To) -> Row {
    Row { actor, from, to }
}

/// The table.
#[must_use]
#[rustfmt::skip]
pub const fn rows(transition: Transition) -> &'static [Row] {
    use Role::{Arbiter, Buyer, Clock, Gateway, Operator, Platform, Seller};
    use Stage::{Delivered, Disputed, Expired, Cancelled, Held, Pending, Refunded, Refunding};
    use To::{Becomes, Returns, Settles, Stays};
    const ANY: &[Stage] = Stage::ALL;
    const LIVE: &[Stage] = &[Pending, Held, Delivered, Disputed, Refunding];
    match transition {
        Transition::Create          => const { &[row(Buyer,    &[],                    Becomes(Pending)),
                                                 row(Platform, &[],                    Becomes(Pending))] },
        Transition::AddPayment      => const { &[row(Buyer,    &[Pending],             Stays),
                                                 row(Platform, &[Pending],             Stays)] },
        Transition::Fund            => const { &[row(Gateway,  &[Pending],             Becomes(Held)),
                                                 // From the buyer's wallet.
                                                 row(Buyer,    &[Pending],             Becomes(Held)),
                                                 row(Platform, &[Pending],             Becomes(Held))] },
        Transition::Expire          => const { &[row(Clock,    &[Pending],             Becomes(Expired))] },
        Transition::Cancel          => const { &[row(Buyer,    &[Pending],             Becomes(Cancelled)),
                                                 row(Seller,   &[Pending],             Becomes(Cancelled)),
                                                 row(Operator, &[Pending],             Becomes(Cancelled))] },
        Transition::ClosePayment    => const { &[row(Gateway,  ANY,                    Stays)] },
        Transition::AbsorbPayment   => const { &[row(Gateway,  ANY,                    Stays)] },
        Transition::Deliver         => const { &[row(Seller,   &[Held],                Becomes(Delivered))] },
        Transition::RequestChanges  => const { &[row(Buyer,    &[Delivered],           Becomes(Held))] },
        Transition::Release         => const { &[row(Buyer,    &[Held, Delivered],     Becomes(Stage::Released))] },
        Transition::AutoRelease     => const { &[row(Clock,    &[Delivered],           Becomes(Stage::Released))] },
        Transition::Refund          => const { &[row(Seller,   &[Held, Delivered],     Becomes(Refunding))] },
        Transition::Withdraw        => const { &[row(Buyer,    &[Held],                Becomes(Refunding))] },
        Transition::AskCancel       => const { &[row(Buyer,    &[Held],                Stays),
                                                 row(Seller,   &[Held],                Stays)] },
        Transition::AgreeCancel     => const { &[row(Buyer,    &[Held],                Becomes(Refunding)),
                                                 row(Seller,   &[Held],                Becomes(Refunding))] },
        Transition::MissDelivery    => const { &[row(Clock,    &[Held],                Becomes(Refunding))] },
        Transition::Dispute         => const { &[row(Buyer,    &[Held, Delivered],     Becomes(Disputed))] },
        Transition::AddEvidence     => const { &[row(Buyer,    &[Disputed],            Stays),
                                                 row(Seller,   &[Disputed],            Stays)] },
        Transition::WithdrawDispute => const { &[row(Buyer,    &[Disputed],            Returns)] },
        Transition::Propose         => const { &[row(Buyer,    &[Disputed],            Stays),
                                                 row(Seller,   &[Disputed],            Stays)] },
        Transition::Accept          => const { &[row(Buyer,    &[Disputed],            Settles),
                                                 row(Seller,   &[Disputed],            Settles)] },
        Transition::Rule            => const { &[row(Arbiter,  &[Disputed],            Settles)] },
        Transition::DefaultDispute  => const { &[row(Clock,    &[Disputed],            Settles)] },
        // A refund of what fitted no milestone ends in whatever stage the milestone is.
        Transition::ConfirmRefund   => const { &[row(Gateway,  ANY,                    Becomes(Refunded))] },
        // A gateway may say so even after success.
        Transition::FailRefund      => const { &[row(Gateway,  ANY,                    Becomes(Held))] },
        Transition::AbsorbRefund    => const { &[row(Gateway,  ANY,                    Becomes(Refunded))] },
        Transition::LookUp          => const { &[row(Clock,    ANY,                    Stays)] },
        Transition::Resolve         => const { &[row(Operator, ANY,                    Settles)] },
        Transition::Abandon         => const { &[row(Clock,    &[Pending],             Becomes(Cancelled))] },
        Transition::Freeze          => const { &[row(Gateway,  ANY,                    Stays),
                                                 row(Operator, LIVE,                   Stays)] },
        Transition::Unfreeze        => const { &[row(Gateway,  ANY,                    Stays),
                                                 row(Operator, ANY,                    Stays)] },
        // Whom a later deadline hurts moves it alone: before delivery the buyer waits longer for the work, after it the seller
        // for the money. The other side asks.
        Transition::AskExtend       => const { &[row(Buyer,    &[Delivered],           Stays),
                                                 row(Seller,   &[Held],                Stays)] },
        Transition::Extend          => const { &[row(Buyer,    &[Held],                Stays),
                                                 row(Seller,   &[Delivered],           Stays)] },
        Transition::OperatorRelease => const { &[row(Operator, &[Held, Delivered, Disputed], Becomes(Stage::Released))] },
        Transition::OperatorRefund  => const { &[row(Operator, &[Held, Delivered, Disputed], Becomes(Refunding))] },
        Transition::Remind          => const { &[row(Clock,    &[Held, Delivered, Disputed], Stays)] },
        // The gateway took, or gave back, the money that a card's holder disputes.
        Transition::Chargeback      => const { &[row(Gateway,  ANY,                    Stays)] },
        Transition::LoseChargeback  => const { &[row(Gateway,  ANY,                    Becomes(Refunded))] },
        // A credit that was put off lands.
        Transition::CreditWallet    => const { &[row(Clock,    ANY,                    Stays)] },
    }
}

/// What a row says about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// The row allows it; other guards (time, amount, freezes) still speak.
    Granted(To),
    /// The actor has a row, but not from this stage.
    WrongStage,
    /// The actor has no row at all.
    WrongActor,
}

/// Looks an attempt up in the table, for a milestone whose money is in these stages.
#[must_use]
pub fn permission(transition: Transition, actor: Role, stages: &[Stage]) -> Permission {
    let mut found = Permission::WrongActor;
    for row in rows(transition) {
        if row.actor == actor {
            if row.from.iter().any(|stage| stages.contains(stage)) {
                return Permission::Granted(row.to);
            }
            found = Permission::WrongStage;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_settles_a_dispute_except_by_its_pinned_default() {
        for transition in Transition::ALL {
            if permission(*transition, Role::Clock, &[Stage::Disputed]) != Permission::WrongActor
                && permission(*transition, Role::Clock, &[Stage::Disputed]) != Permission::WrongStage
            {
                assert!(
                    matches!(
                        transition,
                        Transition::DefaultDispute | Transition::LookUp | Transition::Remind | Transition::CreditWallet
                    ),
                    "{transition}"
                );
            }
        }
    }

    #[test]
    fn terminal_stages_have_no_way_out_for_people_and_the_clock() {
        for stage in Stage::ALL.iter().filter(|stage| stage.is_final()) {
            for transition in Transition::ALL {
                for row in rows(*transition).iter().filter(|row| row.from.contains(stage)) {
                    let person_or_clock = !matches!(row.actor, Role::Gateway | Role::Operator);
                    let moves = row.to != To::Stays;
                    assert!(!(person_or_clock && moves), "{transition} by {} leaves {stage}", row.actor);
                }
            }
        }
    }

    #[test]
    fn every_stage_that_is_not_final_has_an_exit_that_needs_nobody() {
        for stage in Stage::ALL.iter().filter(|stage| !stage.is_final()) {
            let timed = Transition::ALL.iter().any(|transition| {
                rows(*transition).iter().any(|row| row.actor == Role::Clock && row.from.contains(stage))
            });
            assert!(timed, "{stage} could last for ever");
        }
    }

    #[test]
    fn an_actor_has_one_row_a_transition() {
        for transition in Transition::ALL {
            let mut actors: Vec<_> = rows(*transition).iter().map(|row| row.actor).collect();
            actors.sort_unstable();
            actors.dedup();
            assert_eq!(actors.len(), rows(*transition).len(), "{transition}");
        }
    }
}
