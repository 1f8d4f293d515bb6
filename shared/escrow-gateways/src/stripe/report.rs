//! Stripe's own account of what happened: the balance transactions of the platform, and what was opened to be paid.
//!
//! Sources: docs.stripe.com/api/balance_transactions and docs.stripe.com/reports/balance-transaction-types. A type is read only as far as
//! it says which object is meant; the object itself comes with it (`expand[]=data.source`).

use super::call::Call;
use super::payments::{paid, standing_of_intent};
use super::wire::{self, PaymentStatus, SessionStatus};
use super::{PAGE, Stripe, amounts, requests};
use crate::gateway::{
    CallError, Deadline, Origin, PaymentLine, PaymentStanding, PaymentsPage, ReportLine, ReportPage, Signed, What,
};
use escrow_domain::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use stripe_checkout::checkout_session::ListCheckoutSession;
use stripe_client_core::{StripeClientErr, StripeRequest};
use stripe_core::balance_transaction::ListBalanceTransaction;
use stripe_core::payment_intent::ListPaymentIntent;

/// The place between the two lists of [`Stripe::opened`]: all pages were told, no intent yet.
const INTENTS: &str = "pi_";

/// A page of balance transactions.
#[derive(Deserialize)]
struct Statement<'a> {
    #[serde(borrow)]
    data: Vec<Movement<'a>>,
    has_more: bool,
}

/// `balance_transaction`. Without these fields it says nothing, and a statement with a gap in it is none.
#[derive(Deserialize)]
struct Movement<'a> {
    id: String,
    created: i64,
    amount: i64,
    fee: i64,
    currency: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
}

/// Which object the source is.
#[derive(Deserialize)]
struct Kind {
    object: String,
}

/// What the source of a charge is read for: `charge`.
#[derive(Deserialize)]
struct Charged {
    status: Option<String>,
    amount_captured: Option<i64>,
    amount: Option<i64>,
    currency: Option<String>,
    payment_intent: Option<String>,
    metadata: Option<wire::Metadata>,
}

/// `transfer_reversal`
#[derive(Deserialize)]
struct Returned {
    id: String,
    amount: Option<i64>,
    currency: Option<String>,
    transfer: Option<String>,
}

impl Stripe {
    pub(super) async fn statement(
        &self,
        from: Timestamp,
        until: Timestamp,
        page: Option<&str>,
        deadline: Deadline,
    ) -> Result<ReportPage, CallError> {
        let mut request = ListBalanceTransaction::new()
            .created(requests::window(from, until))
            .expand(vec!["data.source".to_owned()])
            .limit(PAGE);
        if let Some(page) = page {
            request = request.starting_after(page);
        }
        let body = Call { stripe: self, deadline }.exchange(request.build(), None).await?;
        let page: Statement<'_> = serde_json::from_slice(&body).map_err(CallError::deserialize_err)?;
        let next = page.data.last().filter(|_| page.has_more).map(|movement| movement.id.clone());
        let lines: Result<_, serde_json::Error> = page.data.into_iter().map(line).collect();
        Ok(ReportPage { lines: lines.map_err(CallError::deserialize_err)?, next })
    }

    /// Pages first, then intents; what is asked for next begins with the object's prefix, so it says in which list it is.
    pub(super) async fn opened(
        &self,
        from: Timestamp,
        until: Timestamp,
        page: Option<&str>,
        deadline: Deadline,
    ) -> Result<PaymentsPage, CallError> {
        let call = Call { stripe: self, deadline };
        let window = requests::window(from, until);
        if let Some(after) = page.filter(|page| page.starts_with(INTENTS)) {
            let mut request = ListPaymentIntent::new().created(window).limit(PAGE);
            if after != INTENTS {
                request = request.starting_after(after);
            }
            let page: wire::Page<wire::Intent> = request.build().customize().send(&call).await?;
            let next = page.next(|intent| &intent.id);
            let lines: Result<Vec<_>, _> = page.data.into_iter().filter_map(intent_line).collect();
            return Ok(PaymentsPage { lines: lines?, next });
        }
        let mut request = ListCheckoutSession::new().created(window).limit(PAGE);
        if let Some(after) = page {
            request = request.starting_after(after);
        }
        let page: wire::Page<wire::Session> = request.build().customize().send(&call).await?;
        let next = page.next(|session| &session.id).unwrap_or_else(|| INTENTS.to_owned());
        let lines: Result<Vec<_>, _> = page.data.into_iter().filter_map(session_line).collect();
        Ok(PaymentsPage { lines: lines?, next: Some(next) })
    }
}

fn session_line(session: wire::Session) -> Option<Result<PaymentLine, CallError>> {
    let origin = session.origin();
    let standing = match (session.payment_status(), session.status()) {
        (PaymentStatus::Paid, _) => paid(session.payment_intent.as_deref(), session.money()),
        (_, SessionStatus::Open) => Ok(PaymentStanding::Open),
        (_, SessionStatus::Expired) => Ok(PaymentStanding::Closed),
        (PaymentStatus::Unpaid | PaymentStatus::Other, SessionStatus::Complete | SessionStatus::Other) => {
            Ok(PaymentStanding::Processing)
        }
    };
    payment_line(session.id, session.created, origin, standing)
}

fn intent_line(intent: wire::Intent) -> Option<Result<PaymentLine, CallError>> {
    let (origin, standing) = (intent.origin(), standing_of_intent(&intent));
    payment_line(intent.id, intent.created, origin, standing)
}

fn payment_line(
    reference: String,
    created: Option<i64>,
    origin: Origin,
    standing: Result<PaymentStanding, CallError>,
) -> Option<Result<PaymentLine, CallError>> {
    let created = created.ok_or_else(|| CallError::deserialize_err("an object in a window of time without its time"));
    let line = |created| -> Result<PaymentLine, CallError> {
        Ok(PaymentLine { reference, origin, created_at: Timestamp::from_seconds(created), standing: standing? })
    };
    origin.is_ours().then(|| created.and_then(line))
}

fn line(movement: Movement<'_>) -> Result<ReportLine, serde_json::Error> {
    let currency = movement.currency.to_ascii_uppercase();
    let signed = |units| Signed { units, currency: currency.clone() };
    let (settled, fee) = (signed(movement.amount), signed(movement.fee));
    let (money, what) = what(&movement)?;
    Ok(ReportLine { id: movement.id, at: Timestamp::from_seconds(movement.created), money, settled, fee, what })
}

/// What a movement is about and how much that is in its own currency.
fn what(movement: &Movement<'_>) -> Result<(Option<escrow_domain::money::Money>, What), serde_json::Error> {
    let source = movement.source.map_or("null", RawValue::get);
    // A source that is no object with a name (a bare id, or none) tells nothing.
    let object = serde_json::from_str::<Kind>(source).map(|kind| kind.object).unwrap_or_default();
    let money = |units: Option<i64>, code: Option<&str>| {
        units.zip(code).and_then(|(units, code)| amounts::from_stripe(units, code))
    };
    Ok(match (movement.kind.as_str(), object.as_str()) {
        // `payment` is a charge that is no card's. By a way that takes time it stands here from its beginning, when it is not paid yet: the
        // charge's own state, as it is now, tells whether it was.
        ("charge" | "payment", "charge") => {
            let charge: Charged = parse(source)?;
            let money = money(charge.amount_captured.or(charge.amount), charge.currency.as_deref());
            let (capture, origin) = (charge.payment_intent, wire::origin(charge.metadata.as_ref()));
            let what = match charge.status.as_deref() {
                Some("succeeded") => What::Captured { capture, origin },
                _ => What::Announced { capture, origin },
            };
            (money, what)
        }
        // This takes an announced payment away again.
        ("payment_failure_refund", "charge") => {
            let charge: Charged = parse(source)?;
            let money = money(charge.amount, charge.currency.as_deref());
            let origin = wire::origin(charge.metadata.as_ref());
            (money, What::CaptureFailed { capture: charge.payment_intent, origin })
        }
        // A failed refund's money comes back under the refund's own type, under one for failures, or as an adjustment: the sign tells.
        ("refund" | "payment_refund" | "refund_failure" | "adjustment", "refund") => {
            let refund: wire::Refund = parse(source)?;
            let (money, ours) = (refund.money(), refund.refund());
            let (reference, capture) = (refund.id, refund.payment_intent);
            let what = if movement.amount < 0 {
                What::Refunded { reference, refund: ours, capture }
            } else {
                What::RefundFailed { reference, refund: ours, capture }
            };
            (money, what)
        }
        ("transfer", "transfer") => {
            let transfer: wire::Transfer = parse(source)?;
            let (money, payout) = (transfer.money(), transfer.payout());
            (money, What::Transferred { reference: transfer.id, payout })
        }
        ("transfer_refund" | "transfer_cancel" | "transfer_failure", "transfer_reversal") => {
            let back: Returned = parse(source)?;
            let money = money(back.amount, back.currency.as_deref());
            (money, What::TransferReversed { reference: back.id, transfer: back.transfer })
        }
        // Where the source is the transfer itself, the return has no other name than its line's.
        ("transfer_refund" | "transfer_cancel" | "transfer_failure", "transfer") => {
            let transfer: wire::Transfer = parse(source)?;
            let money = money(movement.amount.checked_abs(), Some(&movement.currency));
            (money, What::TransferReversed { reference: movement.id.clone(), transfer: Some(transfer.id) })
        }
        // Both directions of a chargeback are adjustments; the sign tells which.
        ("adjustment", "dispute") => {
            let dispute: wire::Dispute = parse(source)?;
            let money = dispute.moved(movement.amount < 0);
            let (reference, capture) = (dispute.id, dispute.payment_intent);
            let what = if movement.amount < 0 {
                What::ChargedBack { reference, capture }
            } else {
                What::ChargebackReversed { reference, capture }
            };
            (money, what)
        }
        (kind, _) => (None, What::Other { kind: kind.to_owned() }),
    })
}

fn parse<T: DeserializeOwned>(source: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(source)
}
