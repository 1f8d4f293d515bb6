//! From a gateway's notice to a command on one escrow: which escrow it is about, and what of it is heeded.

use crate::facts::{ChargebackOutcome, ChargebackStep, Fact, NoFact, Notice, PaymentTold, RefundTold};
use crate::gateway::{Deadline, Gateway, RefundState};
use escrow_domain::command::{ChargebackTold, Fact as Command, RefundOutcome};
use escrow_domain::id::{EscrowId, Operation};

/// What a notice comes to.
pub enum Heard {
    /// Nothing to do; the word says why.
    Nothing(&'static str),
    /// It is ours, but what it means could not be found out now.
    Unclear(String),
    /// A fact about this escrow.
    Fact {
        /// Which escrow.
        escrow: EscrowId,
        /// What has happened.
        fact: Command,
        /// Its name: the gateway's object and what happened to it.
        operation: Operation,
    },
}

/// Reads a notice. An object that does not carry our ids is followed to its parent at the gateway; without one there, it is foreign.
pub async fn hear(gateway: &dyn Gateway, notice: &Notice, deadline: Deadline) -> Heard {
    let fact = match &notice.fact {
        Ok(fact) => fact,
        Err(NoFact::NotHeeded) => return Heard::Nothing("ignored"),
        Err(NoFact::OtherAccount) => return Heard::Nothing("other_account"),
        Err(NoFact::Foreign) => return Heard::Nothing("foreign"),
        Err(NoFact::MoneyUnreadable) => return Heard::Unclear("its amount or currency cannot be read".to_owned()),
    };
    let Some(operation) = fact.operation(gateway.name()) else { return Heard::Nothing("ignored") };
    let heard = |escrow, fact| Heard::Fact { escrow, fact, operation };
    match fact {
        Fact::PaymentPaid { payment, money } => {
            let Some(capture) = payment.capture.clone() else {
                return Heard::Unclear("money arrived without the name of its capture".to_owned());
            };
            let found = which_payment(gateway, payment, deadline).await;
            found.map_or_else(
                |nothing| nothing,
                |(escrow, number)| {
                    let (gateway, reference) = (gateway.name(), payment.reference.clone());
                    heard(escrow, Command::Paid { payment: number, gateway, capture, money: *money, reference })
                },
            )
        }
        Fact::PaymentProcessing(payment) => match which_payment(gateway, payment, deadline).await {
            Ok((escrow, payment)) => heard(escrow, Command::Processing { payment, gateway: gateway.name() }),
            Err(nothing) => nothing,
        },
        // The buyer may try again on the same page: a declined try is no entry.
        Fact::PaymentDeclined { .. } => Heard::Nothing("declined"),
        Fact::PaymentClosed(payment) => match which_payment(gateway, payment, deadline).await {
            Ok((escrow, payment)) => heard(escrow, Command::Closed { payment, gateway: gateway.name() }),
            Err(nothing) => nothing,
        },
        Fact::RefundMoved(refund) => match refund.refund {
            Some(ours) => heard(
                ours.escrow,
                Command::Refund {
                    refund: ours.number,
                    gateway: gateway.name(),
                    reference: refund.reference.clone(),
                    money: refund.money,
                    outcome: outcome(&refund.state),
                },
            ),
            None => unasked(gateway, refund, deadline).await,
        },
        Fact::CaptureRefunded { origin, capture, total } => {
            let escrow = match origin.escrow {
                Some(escrow) => Ok(escrow),
                None => which_escrow(gateway, capture, deadline).await,
            };
            match escrow {
                Ok(escrow) => {
                    let (capture, told_at) = (capture.clone(), notice.created);
                    let gateway = gateway.name();
                    heard(escrow, Command::CaptureRefunded { gateway, capture, total: *total, told_at })
                }
                Err(nothing) => nothing,
            }
        }
        Fact::ChargebackMoved(chargeback) => {
            let Some(capture) = &chargeback.capture else { return Heard::Nothing("foreign") };
            let told = ChargebackTold {
                gateway: gateway.name(),
                reference: chargeback.reference.clone(),
                capture: capture.clone(),
                money: chargeback.money,
            };
            let fact = match &chargeback.step {
                ChargebackStep::Opened => {
                    let reason = chargeback.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
                    Command::ChargebackOpened { chargeback: told, reason }
                }
                ChargebackStep::FundsWithdrawn => {
                    Command::ChargebackFunds { moved: told.money, chargeback: told, back: false }
                }
                ChargebackStep::FundsReinstated => {
                    Command::ChargebackFunds { moved: told.money, chargeback: told, back: true }
                }
                ChargebackStep::Closed(outcome) => {
                    // A warning that ends without a dispute has taken no money: it ends like one that was won.
                    Command::ChargebackClosed { chargeback: told, won: *outcome != ChargebackOutcome::Lost }
                }
                // The state between opening and closing decides nothing.
                ChargebackStep::Updated(_) => return Heard::Nothing("ignored"),
            };
            match which_escrow(gateway, capture, deadline).await {
                Ok(escrow) => heard(escrow, fact),
                Err(nothing) => nothing,
            }
        }
        Fact::TransferReversed(_)
        | Fact::PayoutMoved { .. }
        | Fact::AccountChanged(_)
        | Fact::AccountDisconnected { .. } => Heard::Nothing("not_booked_yet"),
    }
}

/// A refund that nobody here asked for tells nothing that the total of its capture does not tell: that one is booked.
async fn unasked(gateway: &dyn Gateway, refund: &RefundTold, deadline: Deadline) -> Heard {
    match &refund.capture {
        None => Heard::Nothing("foreign"),
        Some(capture) => match which_escrow(gateway, capture, deadline).await {
            Ok(_) => Heard::Nothing("told_by_total"),
            Err(nothing) => nothing,
        },
    }
}

async fn which_payment(
    gateway: &dyn Gateway,
    told: &PaymentTold,
    deadline: Deadline,
) -> Result<(EscrowId, u16), Heard> {
    if let Some(payment) = told.payment {
        return Ok((payment.escrow, payment.number));
    }
    let Some(capture) = &told.capture else { return Err(Heard::Nothing("foreign")) };
    match gateway.trace_capture(capture, deadline).await {
        Ok(origin) => origin.payment.map(|payment| (payment.escrow, payment.number)).ok_or(Heard::Nothing("foreign")),
        Err(error) => Err(Heard::Unclear(error.to_string())),
    }
}

async fn which_escrow(gateway: &dyn Gateway, capture: &str, deadline: Deadline) -> Result<EscrowId, Heard> {
    match gateway.trace_capture(capture, deadline).await {
        Ok(origin) => origin.escrow.or(origin.payment.map(|payment| payment.escrow)).ok_or(Heard::Nothing("foreign")),
        Err(error) => Err(Heard::Unclear(error.to_string())),
    }
}

fn outcome(state: &RefundState) -> RefundOutcome {
    match state {
        RefundState::Pending => RefundOutcome::Pending,
        RefundState::Succeeded => RefundOutcome::Succeeded,
        RefundState::Failed(why) => RefundOutcome::Failed(why.clone()),
    }
}
