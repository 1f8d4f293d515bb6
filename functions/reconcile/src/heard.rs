//! What the gateway's lists say, as the notices that should have told it. A notice that came is told once more, and changes nothing.

use escrow_domain::id::PayoutId;
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;
use escrow_gateways::facts::{ChargebackStep, ChargebackTold, PaymentTold, RefundTold, TransferTold};
use escrow_gateways::{
    Fact, NoFact, Notice, Origin, PaymentLine, PaymentStanding, RefundState, ReportLine, TransferStanding, What,
};

/// The notice of a line of the statement; `None` where it tells of nothing by itself.
///
/// Refunds are no facts here: a line stands there from the moment on at which the gateway has them, also while they are pending. Those
/// of ours are looked up by the worker that made them, and the rest is found by the total of their capture ([`of_total`]).
#[must_use]
pub(crate) fn of_line(line: &ReportLine) -> Option<Notice> {
    let fact = match &line.what {
        What::Captured { capture: Some(capture), origin } if origin.is_ours() => {
            line.money.map(|money| Fact::PaymentPaid { payment: told(*origin, None, Some(capture)), money })
        }
        What::RefundFailed { reference, refund: Some(refund), capture } => line.money.map(|money| {
            Fact::RefundMoved(RefundTold {
                escrow: Some(refund.escrow),
                refund: Some(*refund),
                reference: reference.clone(),
                capture: capture.clone(),
                state: RefundState::Failed("the gateway's statement says so".to_owned()),
                money,
            })
        }),
        What::ChargedBack { reference, capture: Some(capture) } => {
            line.money.map(|money| chargeback(reference, capture, ChargebackStep::FundsWithdrawn, money))
        }
        What::ChargebackReversed { reference, capture: Some(capture) } => {
            line.money.map(|money| chargeback(reference, capture, ChargebackStep::FundsReinstated, money))
        }
        What::Announced { .. }
        | What::Captured { .. }
        | What::CaptureFailed { .. }
        | What::Refunded { .. }
        | What::RefundFailed { .. }
        | What::Transferred { .. }
        | What::TransferReversed { .. }
        | What::ChargedBack { .. }
        | What::ChargebackReversed { .. }
        | What::Other { .. } => return None,
    };
    // In a unit that cannot be said exactly in ours somebody has to look at it.
    Some(notice(&line.id, "statement", line.at, fact.ok_or(NoFact::MoneyUnreadable)))
}

/// The notice of something that was opened to be paid; `None` while it can still be paid.
#[must_use]
pub(crate) fn of_payment(line: &PaymentLine) -> Option<Notice> {
    let fact = match &line.standing {
        PaymentStanding::Paid(paid) => Fact::PaymentPaid {
            payment: told(line.origin, Some(&line.reference), Some(&paid.capture)),
            money: paid.money,
        },
        PaymentStanding::Closed => Fact::PaymentClosed(told(line.origin, Some(&line.reference), None)),
        PaymentStanding::Open | PaymentStanding::Processing => return None,
    };
    Some(notice(&line.reference, "payment", line.created_at, Ok(fact)))
}

/// The notice that so much of a capture has gone back.
#[must_use]
pub(crate) fn of_total(origin: Origin, capture: &str, total: Money, told_at: Timestamp) -> Notice {
    let fact = Fact::CaptureRefunded { origin, capture: capture.to_owned(), total };
    notice(capture, "refunds", told_at, Ok(fact))
}

/// The notice that so much of a transfer has come back.
#[must_use]
pub(crate) fn of_reversal(payout: PayoutId, standing: &TransferStanding, told_at: Timestamp) -> Notice {
    let fact = Fact::TransferReversed(TransferTold {
        reference: standing.reference.clone(),
        payout: Some(payout),
        money: standing.money,
        total: standing.reversed,
    });
    notice(&standing.reference, "transfer", told_at, Ok(fact))
}

fn told(origin: Origin, reference: Option<&str>, capture: Option<&str>) -> PaymentTold {
    PaymentTold {
        escrow: origin.escrow,
        payment: origin.payment,
        top_up: origin.top_up,
        reference: reference.map(str::to_owned),
        capture: capture.map(str::to_owned),
    }
}

fn chargeback(reference: &str, capture: &str, step: ChargebackStep, money: Money) -> Fact {
    Fact::ChargebackMoved(ChargebackTold {
        reference: reference.to_owned(),
        capture: Some(capture.to_owned()),
        step,
        money,
        moved: money,
        reason: None,
    })
}

fn notice(id: &str, of: &str, created: Timestamp, fact: Result<Fact, NoFact>) -> Notice {
    let kind = format!("reconcile.{of}");
    Notice { event_id: format!("reconcile {id}"), kind, created, account: None, fact }
}
