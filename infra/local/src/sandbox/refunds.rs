//! Money going back to buyers.

use serde_json::{Value, json};

use super::amounts;
use super::balance::{self, Cause, Movement};
use super::book::{Book, Charge, Intent, Record, Refund, RefundStatus};
use super::change::{Change, random_id};
use super::form::Params;
use super::objects;
use super::refusal::Refusal;

/// `POST /v1/refunds`; `status` is how it stands at once.
pub(super) fn create(change: &mut Change<'_>, mut form: Params, status: RefundStatus) -> Result<Value, Refusal> {
    let by_intent = form.text("payment_intent")?;
    let by_charge = form.text("charge")?;
    let amount = form.whole("amount")?;
    let reason = form.choice("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let metadata = form.metadata("metadata")?;
    for known in ["reverse_transfer", "refund_application_fee"] {
        if form.flag(known)? {
            let message = format!("The charge has nothing for `{known}` to take back.");
            return Err(Refusal { param: Some(known.to_owned()), ..Refusal::invalid(message) });
        }
    }
    form.ignore("instructions_email");
    form.refuse("customer")?;
    form.refuse("origin")?;
    form.refuse("currency")?;
    form.finish()?;
    let (intent, charge) = refundable(change.book, by_intent.as_deref(), by_charge.as_deref())?;
    let refund = new(change, &intent, &charge, amount)?;
    let refund = Refund { status, reason, metadata, ..refund };
    tell(change, &intent, &charge, &refund);
    Ok(objects::refund(&refund))
}

fn refundable(book: &Book, intent: Option<&str>, charge: Option<&str>) -> Result<(Intent, Charge), Refusal> {
    let found = match (intent, charge) {
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal { code: Some("parameter_missing"), ..Refusal::invalid(message) });
        }
        (Some(id), _) => {
            let intent =
                book.intents.get(id).ok_or_else(|| Refusal::missing("payment_intent", id, "payment_intent"))?;
            let unpaid = || {
                let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
                Refusal::state(Some("payment_intent_unexpected_state"), Some("payment_intent"), message)
            };
            (intent, intent.paid_charge().ok_or_else(unpaid)?)
        }
        (None, Some(id)) => {
            let (intent, found) = book.charge(id).ok_or_else(|| Refusal::missing("charge", id, "charge"))?;
            let message = format!("Charge {id} has not succeeded; it cannot be refunded.");
            let unpaid = || Refusal::state(Some("charge_not_refundable"), Some("charge"), message);
            (intent, intent.paid_charge().filter(|paid| paid.id == found.id).ok_or_else(unpaid)?)
        }
    };
    if let (Some(_), Some(asked)) = (intent, charge)
        && found.1.id != asked
    {
        return Err(Refusal::invalid("The charge does not belong to the payment_intent."));
    }
    Ok((found.0.clone(), found.1.clone()))
}

/// A refund of so much, or of what is left; nothing is put yet.
pub(super) fn new(
    change: &mut Change<'_>,
    intent: &Intent,
    charge: &Charge,
    amount: Option<i64>,
) -> Result<Refund, Refusal> {
    // While the bank only asks a refund is possible, and the best answer; after a chargeback it would pay twice.
    if change.book.disputes_about(&charge.id).any(|dispute| !dispute.leaves_refundable()) {
        let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
        return Err(Refusal::state(Some("charge_disputed"), None, message));
    }
    let left = intent.amount - change.book.refunded(&charge.id);
    if left <= 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(Refusal::state(Some("charge_already_refunded"), None, message));
    }
    let amount = amount.unwrap_or(left);
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Refusal::param("parameter_invalid_integer", "amount".to_owned(), message));
    }
    amounts::exact(amount, &intent.currency, "amount".to_owned())?;
    if amount > left {
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            amounts::shown(amount, &intent.currency),
            amounts::shown(left, &intent.currency)
        );
        return Err(Refusal::state(None, Some("amount"), message));
    }
    Ok(Refund {
        id: random_id("re_3", 23),
        number: change.number(),
        created: change.now_s(),
        intent: intent.id.clone(),
        charge: charge.id.clone(),
        amount,
        currency: intent.currency.clone(),
        status: RefundStatus::Succeeded,
        reason: None,
        metadata: std::collections::BTreeMap::new(),
        transaction: random_id("txn_3", 23),
        failure_transaction: None,
        by_hand: false,
    })
}

/// Puts a new refund and tells of it.
pub(super) fn tell(change: &mut Change<'_>, intent: &Intent, charge: &Charge, refund: &Refund) {
    let before = change.book.refunded(&charge.id);
    change.put(Record::Refund(refund.clone()));
    if refund.status.takes_money() {
        move_balance(change, refund, &refund.transaction, Cause::Refund);
        let former = json!({"amount_refunded": before, "refunded": false});
        change.event_about("charge.refunded", objects::charge(change.book, intent, charge), Some(former));
    }
    change.event("refund.created", objects::refund(refund));
    match refund.status {
        RefundStatus::Pending => {}
        RefundStatus::Succeeded => {
            // The card network's reference arrives a moment later, and Stripe tells of that as well.
            let former = json!({"destination_details": {"card": {"reference": null, "reference_status": "pending"}}});
            let mut shown = objects::refund(refund);
            shown["destination_details"]["card"]["reference"] = json!("123456789012");
            shown["destination_details"]["card"]["reference_status"] = json!("available");
            change.event_about("refund.updated", shown, Some(former));
        }
        RefundStatus::Failed | RefundStatus::Canceled => tell_end(change, refund, RefundStatus::Pending),
    }
}

/// A refund that is already known ends, or turns: pending to anything, succeeded to failed (docs.stripe.com/refunds says
/// that a bank may send the money back later). False when it cannot.
pub(super) fn turn(change: &mut Change<'_>, refund: &Refund, to: RefundStatus) -> bool {
    let possible = match (refund.status, to) {
        (RefundStatus::Pending, RefundStatus::Succeeded | RefundStatus::Failed | RefundStatus::Canceled)
        | (RefundStatus::Succeeded, RefundStatus::Failed) => true,
        (RefundStatus::Pending, RefundStatus::Pending)
        | (RefundStatus::Succeeded, RefundStatus::Succeeded | RefundStatus::Pending | RefundStatus::Canceled)
        | (RefundStatus::Failed | RefundStatus::Canceled, _) => false,
    };
    if possible {
        let mut turned = Refund { status: to, ..refund.clone() };
        if !to.takes_money() {
            let id = random_id("txn_3", 23);
            move_balance(change, refund, &id, Cause::RefundFailure);
            turned.failure_transaction = Some(id);
        }
        change.put(Record::Refund(turned.clone()));
        tell_end(change, &turned, refund.status);
    }
    possible
}

/// The money of a refund leaves the balance, or comes back to it.
fn move_balance(change: &mut Change<'_>, refund: &Refund, id: &str, cause: Cause) {
    let amount = if cause == Cause::RefundFailure { refund.amount } else { -refund.amount };
    let movement = Movement { id, cause, amount, fee: 0, currency: &refund.currency, source: Some(&refund.id) };
    balance::book(change, &movement);
}

fn tell_end(change: &mut Change<'_>, refund: &Refund, before: RefundStatus) {
    let former = json!({"status": before.word()});
    change.event_about("refund.updated", objects::refund(refund), Some(former.clone()));
    if refund.status == RefundStatus::Failed {
        change.event_about("refund.failed", objects::refund(refund), Some(former));
    }
}
