//! What each type of Stripe's events says: the mapping from its objects to facts.

use super::amounts;
use super::wire::{self, PaymentStatus};
use crate::facts::{
    AccountTold, ChargebackOutcome, ChargebackStep, ChargebackTold, Fact, NoFact, Notice, PaymentTold, RefundTold,
    TransferTold,
};
use crate::gateway::{Origin, WebhookRefused};
use escrow_domain::payout::{BankState, BankStatus};
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
    let created = event.created.map_or(signed_at, Timestamp::from_seconds);
    let fact = fact(&kind, object, event.account.as_deref(), created)?;
    Ok(Notice { event_id: event.id, kind, created, account: event.account, fact })
}

/// What is told, or why nothing is.
type Told = Result<Fact, NoFact>;

/// The one table of event types.
fn fact(kind: &str, object: &str, account: Option<&str>, created: Timestamp) -> Result<Told, WebhookRefused> {
    let told = match kind {
        "checkout.session.completed" => session_completed(parse(object)?),
        "checkout.session.async_payment_succeeded" => session_paid(parse(object)?),
        // A session is complete by now and allows no other try.
        "checkout.session.async_payment_failed" | "checkout.session.expired" => {
            Ok(Fact::PaymentClosed(session_told(parse(object)?)))
        }
        "payment_intent.succeeded" => intent_succeeded(parse(object)?),
        "payment_intent.processing" => Ok(Fact::PaymentProcessing(intent_told(&parse(object)?))),
        // With or without a page: the buyer may try again. A page that allows no other try has an event of its own.
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
        "payout.created" => bank(parse(object)?, account, created, |_| BankStatus::Pending),
        "payout.updated" => bank(parse(object)?, account, created, bank_status),
        "payout.paid" => bank(parse(object)?, account, created, |_| BankStatus::Paid),
        "payout.failed" => bank(parse(object)?, account, created, |_| BankStatus::Failed),
        "payout.canceled" => bank(parse(object)?, account, created, |_| BankStatus::Cancelled),
        "account.updated" => account_changed(parse(object)?, account, created),
        // The object is the application; the account stands on the event.
        "account.application.deauthorized" => account
            .map(|account| Fact::AccountDisconnected { account: account.to_owned(), told_at: created })
            .ok_or(NoFact::Foreign),
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
        Fact::BankMoved { .. } | Fact::AccountChanged(_) | Fact::AccountDisconnected { .. } => false,
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
    let Origin { escrow, payment, top_up } = session.origin();
    PaymentTold { escrow, payment, top_up, reference: Some(session.id), capture: session.payment_intent }
}

fn intent_succeeded(intent: wire::Intent) -> Told {
    let money = intent.money().ok_or(NoFact::MoneyUnreadable)?;
    Ok(Fact::PaymentPaid { payment: intent_told(&intent), money })
}

fn intent_declined(intent: wire::Intent) -> Fact {
    Fact::PaymentDeclined { payment: intent_told(&intent), reason: intent.decline() }
}

fn intent_told(intent: &wire::Intent) -> PaymentTold {
    let Origin { escrow, payment, top_up } = intent.origin();
    PaymentTold { escrow, payment, top_up, reference: None, capture: Some(intent.id.clone()) }
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
    let money = dispute.money().ok_or(NoFact::MoneyUnreadable)?;
    let step = step(&dispute);
    let moved = match step {
        ChargebackStep::FundsWithdrawn => dispute.moved(true),
        ChargebackStep::FundsReinstated => dispute.moved(false),
        ChargebackStep::Opened | ChargebackStep::Updated(_) | ChargebackStep::Closed(_) => Some(money),
    };
    Ok(Fact::ChargebackMoved(ChargebackTold {
        step,
        money,
        moved: moved.ok_or(NoFact::MoneyUnreadable)?,
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
    let (money, total) = transfer.money().zip(transfer.reversed()).ok_or(NoFact::MoneyUnreadable)?;
    Ok(Fact::TransferReversed(TransferTold { payout: transfer.payout(), reference: transfer.id, money, total }))
}

/// Only of a connected account: the platform's own payouts to its bank are nobody's here.
fn bank(
    payout: wire::Payout,
    account: Option<&str>,
    told_at: Timestamp,
    status: impl Fn(&wire::Payout) -> BankStatus,
) -> Told {
    let account = account.ok_or(NoFact::NotHeeded)?.to_owned();
    let status = status(&payout);
    // A payout that was paid first and failed later keeps its reason; one that did not fail has none.
    let reason = payout.failure_code.filter(|_| status == BankStatus::Failed);
    Ok(Fact::BankMoved { account, bank: BankState { status, reference: payout.id, reason, told_at } })
}

/// `pending` and `in_transit`, and whatever is not known, is on its way.
fn bank_status(payout: &wire::Payout) -> BankStatus {
    match payout.status.as_deref() {
        Some("paid") => BankStatus::Paid,
        Some("failed") => BankStatus::Failed,
        Some("canceled") => BankStatus::Cancelled,
        _ => BankStatus::Pending,
    }
}

/// Stripe tells an account's own events of it only; what names another one is not believed.
fn account_changed(object: wire::Account, account: Option<&str>, told_at: Timestamp) -> Told {
    match account {
        None => Err(NoFact::NotHeeded),
        Some(account) if account == object.id => {
            Ok(Fact::AccountChanged(AccountTold { standing: object.standing(), told_at }))
        }
        Some(_) => Err(NoFact::OtherAccount),
    }
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
