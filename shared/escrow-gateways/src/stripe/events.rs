//! What each type of Stripe's events says: the mapping from its objects to facts.

use super::amounts;
use super::wire::{self, PaymentStatus};
use crate::facts::{
    AccountTold, ChargebackOutcome, ChargebackStep, ChargebackTold, Fact, NoFact, Notice, PaymentTold, PayoutState,
    RefundTold, Reversal, TransferTold,
};
use crate::gateway::{Origin, WebhookRefused};
use escrow_domain::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// An event around its object, which is read by the event's type.
#[derive(serde::Deserialize)]
struct Event<'a> {
    id: String,
    object: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    created: Option<i64>,
    livemode: Option<bool>,
    account: Option<String>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(serde::Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

/// Reads the body of an event whose signature fits. `signed_at` stands in where it does not say when it happened.
pub(super) fn read(body: &[u8], live: bool, signed_at: Timestamp) -> Result<Notice, WebhookRefused> {
    let event: Event<'_> = serde_json::from_slice(body).map_err(|error| invalid("the event", &error))?;
    // A "thin" event of the newer kind has `object: v2.core.event` and no object in it.
    if event.object.as_deref() != Some("event") {
        return Err(WebhookRefused::NotAnEvent);
    }
    let kind = event.kind.ok_or_else(|| WebhookRefused::BodyInvalid("the event has no type".to_owned()))?;
    if event.livemode.unwrap_or_default() != live {
        return Err(WebhookRefused::WrongMode);
    }
    let object = event.data.and_then(|data| data.object).map_or("null", RawValue::get);
    let fact = fact(&kind, object, event.account.as_deref())?;
    let created = event.created.map_or(signed_at, Timestamp::from_seconds);
    Ok(Notice { event_id: event.id, kind, created, account: event.account, fact })
}

/// What is told, or why nothing is.
type Told = Result<Fact, NoFact>;

/// The one table of event types.
fn fact(kind: &str, object: &str, account: Option<&str>) -> Result<Told, WebhookRefused> {
    let told = match kind {
        "checkout.session.completed" => session_completed(parse(object)?),
        "checkout.session.async_payment_succeeded" => session_paid(parse(object)?),
        // A session is complete by now and allows no other try.
        "checkout.session.async_payment_failed" | "checkout.session.expired" => {
            Ok(Fact::PaymentClosed(session_told(parse(object)?)))
        }
        "payment_intent.succeeded" => intent_succeeded(parse(object)?),
        "payment_intent.payment_failed" => Ok(intent_declined(parse(object)?)),
        "payment_intent.canceled" => Ok(Fact::PaymentClosed(intent_told(&parse(object)?))),
        "charge.refunded" => charge_refunded(parse(object)?),
        "refund.updated" | "refund.failed" => refund_moved(parse(object)?),
        "charge.dispute.created" => chargeback(parse(object)?, |_| ChargebackStep::Opened),
        "charge.dispute.updated" => {
            chargeback(parse(object)?, |dispute| ChargebackStep::Updated(dispute.status.clone().unwrap_or_default()))
        }
        "charge.dispute.funds_withdrawn" => chargeback(parse(object)?, |_| ChargebackStep::FundsWithdrawn),
        "charge.dispute.funds_reinstated" => chargeback(parse(object)?, |_| ChargebackStep::FundsReinstated),
        "charge.dispute.closed" => chargeback(parse(object)?, |dispute| ChargebackStep::Closed(outcome(dispute))),
        "transfer.reversed" => transfer_reversed(parse(object)?),
        "payout.paid" => payout(parse(object)?, |_| PayoutState::Paid),
        "payout.failed" => payout(parse(object)?, |payout| PayoutState::Failed(payout.failure_code.clone())),
        "payout.canceled" => payout(parse(object)?, |_| PayoutState::Cancelled),
        "account.updated" => Ok(account_changed(parse(object)?)),
        // The object is the application; the account stands on the event.
        "account.application.deauthorized" => {
            account.map(|account| Fact::AccountDisconnected { account: account.to_owned() }).ok_or(NoFact::Foreign)
        }
        _ => Err(NoFact::NotHeeded),
    };
    Ok(told.and_then(
        |fact| if account.is_some() && is_about_our_money(&fact) { Err(NoFact::OtherAccount) } else { Ok(fact) },
    ))
}

/// Whether a fact moves money of the platform's own account: then it must come from that account.
const fn is_about_our_money(fact: &Fact) -> bool {
    match fact {
        Fact::PaymentPaid { .. }
        | Fact::PaymentProcessing(_)
        | Fact::PaymentDeclined { .. }
        | Fact::PaymentClosed(_)
        | Fact::RefundMoved(_)
        | Fact::CaptureRefunded { .. }
        | Fact::ChargebackMoved(_)
        | Fact::TransferReversed(_) => true,
        Fact::PayoutMoved { .. } | Fact::AccountChanged(_) | Fact::AccountDisconnected { .. } => false,
    }
}

fn session_completed(session: wire::Session) -> Told {
    match session.payment_status() {
        PaymentStatus::Paid => session_paid(session),
        PaymentStatus::Unpaid | PaymentStatus::Other => Ok(Fact::PaymentProcessing(session_told(session))),
    }
}

fn session_paid(session: wire::Session) -> Told {
    let money = session.money().ok_or(NoFact::MoneyUnreadable)?;
    Ok(Fact::PaymentPaid { payment: session_told(session), money })
}

fn session_told(session: wire::Session) -> PaymentTold {
    let Origin { escrow, payment } = session.origin();
    PaymentTold { escrow, payment, reference: Some(session.id), capture: session.payment_intent }
}

fn intent_succeeded(intent: wire::Intent) -> Told {
    let money = intent.money().ok_or(NoFact::MoneyUnreadable)?;
    Ok(Fact::PaymentPaid { payment: intent_told(&intent), money })
}

fn intent_declined(intent: wire::Intent) -> Fact {
    Fact::PaymentDeclined { payment: intent_told(&intent), reason: intent.decline() }
}

fn intent_told(intent: &wire::Intent) -> PaymentTold {
    let Origin { escrow, payment } = intent.origin();
    PaymentTold { escrow, payment, reference: None, capture: Some(intent.id.clone()) }
}

fn charge_refunded(charge: wire::Charge) -> Told {
    // Every payment of ours is an intent.
    let capture = charge.payment_intent.ok_or(NoFact::Foreign)?;
    let total = money(charge.amount_refunded, charge.currency.as_deref())?;
    // Stripe copies an intent's metadata to the charge that it makes.
    Ok(Fact::CaptureRefunded { origin: wire::origin(charge.metadata.as_ref()), capture, total })
}

fn refund_moved(refund: wire::Refund) -> Told {
    let money = refund.money().ok_or(NoFact::MoneyUnreadable)?;
    Ok(Fact::RefundMoved(RefundTold {
        escrow: refund.escrow(),
        refund: refund.refund(),
        state: refund.state(),
        money,
        capture: refund.payment_intent,
        reference: refund.id,
    }))
}

fn chargeback(dispute: wire::Dispute, step: impl Fn(&wire::Dispute) -> ChargebackStep) -> Told {
    let money = money(dispute.amount, dispute.currency.as_deref())?;
    Ok(Fact::ChargebackMoved(ChargebackTold {
        step: step(&dispute),
        money,
        reference: dispute.id,
        capture: dispute.payment_intent,
        reason: dispute.reason,
    }))
}

/// `warning_closed` was an inquiry, `prevented` never became a dispute: neither took money.
fn outcome(dispute: &wire::Dispute) -> ChargebackOutcome {
    match dispute.status.as_deref() {
        Some("won") => ChargebackOutcome::Won,
        Some("lost") => ChargebackOutcome::Lost,
        _ => ChargebackOutcome::Neither,
    }
}

fn transfer_reversed(transfer: wire::Transfer) -> Told {
    let total = money(transfer.amount_reversed, transfer.currency.as_deref())?;
    let listed = transfer.reversals.map(|list| list.data).unwrap_or_default();
    let reversals: Result<Vec<Reversal>, NoFact> = listed
        .into_iter()
        .map(|one| Ok(Reversal { money: money(one.amount, one.currency.as_deref())?, reference: one.id }))
        .collect();
    Ok(Fact::TransferReversed(TransferTold {
        payout: wire::text(transfer.metadata.as_ref(), wire::PAYOUT_ID),
        reference: transfer.id,
        destination: transfer.destination,
        total,
        reversals: reversals?,
    }))
}

fn payout(payout: wire::Payout, state: impl Fn(&wire::Payout) -> PayoutState) -> Told {
    let money = money(payout.amount, payout.currency.as_deref())?;
    Ok(Fact::PayoutMoved { state: state(&payout), money, reference: payout.id })
}

fn account_changed(account: wire::Account) -> Fact {
    let requirements = account.requirements.unwrap_or_default();
    Fact::AccountChanged(AccountTold {
        account: account.id,
        payouts_enabled: account.payouts_enabled.unwrap_or_default(),
        details_submitted: account.details_submitted.unwrap_or_default(),
        disabled_reason: requirements.disabled_reason,
        currently_due: requirements.currently_due.unwrap_or_default(),
    })
}

fn money(units: Option<i64>, currency: Option<&str>) -> Result<escrow_domain::money::Money, NoFact> {
    units.zip(currency).and_then(|(units, code)| amounts::from_stripe(units, code)).ok_or(NoFact::MoneyUnreadable)
}

/// The object of a type that is acted on. Without it the event says nothing that could be believed.
fn parse<T: DeserializeOwned>(object: &str) -> Result<T, WebhookRefused> {
    serde_json::from_str(object).map_err(|error| invalid("its object", &error))
}

/// serde's messages name fields and kinds, not values; the position is of no use to a reader of logs without the body.
fn invalid(what: &str, error: &serde_json::Error) -> WebhookRefused {
    WebhookRefused::BodyInvalid(format!("{what}: {error}"))
}
