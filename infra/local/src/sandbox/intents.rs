//! Payment Intents: what becomes of their charges, and those that a merchant's own page pays, without a session.

use serde_json::Value;

use super::balance::{self, Cause, Movement};
use super::book::{Book, Charge, ChargeStatus, Intent, IntentData, IntentStatus, Record};
use super::change::{Change, random_id};
use super::checkout::{self, Outcome, Stage};
use super::form::Params;
use super::refusal::Refusal;
use super::{amounts, objects};

/// `POST /v1/payment_intents`
pub(super) fn create(change: &mut Change<'_>, mut form: Params) -> Result<Value, Refusal> {
    let intent = asked(change, &mut form)?;
    form.finish()?;
    let shown = objects::intent(&intent);
    change.put(Record::Intent(intent));
    Ok(shown)
}

fn asked(change: &mut Change<'_>, form: &mut Params) -> Result<Intent, Refusal> {
    for known in ["payment_method_options", "receipt_email", "setup_future_usage", "statement_descriptor"] {
        form.ignore(known);
    }
    for known in [
        "application_fee_amount",
        "confirm",
        "confirmation_token",
        "customer",
        "customer_account",
        "error_on_requires_action",
        "excluded_payment_method_types",
        "hooks",
        "mandate",
        "mandate_data",
        "off_session",
        "on_behalf_of",
        "payment_method",
        "payment_method_configuration",
        "payment_method_data",
        "radar_options",
        "return_url",
        "shipping",
        "transfer_data",
        "use_stripe_sdk",
    ] {
        form.refuse(known)?;
    }
    form.choice("capture_method", &["automatic", "automatic_async"])?;
    form.choice("confirmation_method", &["automatic"])?;
    let amount = form.whole("amount")?.ok_or_else(|| form.missing("amount"))?;
    let currency = amounts::currency(&form.required("currency")?, "currency".to_owned())?;
    amounts::exact(amount, &currency, "amount".to_owned())?;
    amounts::chargeable(amount, &currency, "Amount")
        .map_err(|refusal| Refusal { param: Some("amount".to_owned()), ..refusal })?;
    let usual = || "always".to_owned();
    let redirects = match form.hash("automatic_payment_methods")? {
        Some(mut automatic) => {
            let redirects = automatic.choice("allow_redirects", &["always", "never"])?.unwrap_or_else(usual);
            let enabled = automatic.choice("enabled", &["true", "false"])?;
            let enabled = enabled.ok_or_else(|| automatic.missing("enabled"))?;
            automatic.finish()?;
            (enabled == "true").then_some(redirects)
        }
        // Since 2023-08-16 an intent that names no ways to pay has the automatic ones
        // (docs.stripe.com/upgrades#2023-08-16).
        None => (!form.has("payment_method_types")).then(usual),
    };
    if redirects.is_some() && form.has("payment_method_types") {
        let message = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.";
        return Err(Refusal::invalid(message));
    }
    let id = random_id("pi_3", 23);
    Ok(Intent {
        number: change.number(),
        secret: random_id(&format!("{id}_secret_"), 25),
        id,
        session: None,
        created: change.now_s(),
        amount,
        currency,
        status: IntentStatus::RequiresPaymentMethod,
        canceled_at: None,
        cancellation_reason: None,
        redirects,
        method_types: checkout::method_types(form)?,
        data: IntentData {
            metadata: form.metadata("metadata")?,
            description: form.short_text("description", 1_000)?,
            transfer_group: form.short_text("transfer_group", 255)?,
            statement_descriptor_suffix: form.short_text("statement_descriptor_suffix", 22)?,
        },
        charges: Vec::new(),
    })
}

/// `GET /v1/payment_intents/{id}`
pub(super) fn find<'b>(book: &'b Book, id: &str) -> Result<&'b Intent, Refusal> {
    book.intents.get(id).ok_or_else(|| Refusal::missing("payment_intent", id, "intent"))
}

/// `POST /v1/payment_intents/{id}/cancel`
pub(super) fn cancel(change: &mut Change<'_>, id: &str, mut form: Params) -> Result<Value, Refusal> {
    let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
    let reason = form.choice("cancellation_reason", &reasons)?;
    form.finish()?;
    let intent = find(change.book, id)?.clone();
    let refused = |message: String| Err(Refusal::state(Some("payment_intent_unexpected_state"), None, message));
    // As at Stripe: the intent of a session ends with its session.
    if intent.session.is_some() && intent.status == IntentStatus::RequiresPaymentMethod {
        let message =
            "You cannot cancel a PaymentIntent that was made by a Checkout Session. Expire the session instead.";
        return refused(message.to_owned());
    }
    if intent.status != IntentStatus::RequiresPaymentMethod {
        let message = format!(
            "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
             following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
             requires_action.",
            intent.status.word()
        );
        return refused(message);
    }
    end(change, intent, reason);
    find(change.book, id).map(objects::intent)
}

fn end(change: &mut Change<'_>, mut intent: Intent, reason: Option<String>) {
    intent.status = IntentStatus::Canceled;
    intent.canceled_at = Some(change.now_s());
    intent.cancellation_reason = reason;
    change.put(Record::Intent(intent.clone()));
    change.event("payment_intent.canceled", objects::intent(&intent));
}

/// How far an intent without a session has come.
pub(super) const fn stage(intent: &Intent) -> Stage {
    match intent.status {
        IntentStatus::RequiresPaymentMethod => Stage::Open,
        IntentStatus::Processing => Stage::Processing,
        IntentStatus::Succeeded => Stage::Paid,
        IntentStatus::Canceled => Stage::Canceled,
    }
}

/// Plays the buyer on the merchant's own page. False when the intent is past that.
pub(super) fn play(change: &mut Change<'_>, mut intent: Intent, outcome: Outcome, late: bool) -> bool {
    match (stage(&intent), outcome) {
        (Stage::Open | Stage::Processing, Outcome::Paid) => take(change, &mut intent),
        (Stage::Canceled, Outcome::Paid) if late => {
            (intent.canceled_at, intent.cancellation_reason) = (None, None);
            take(change, &mut intent);
        }
        (Stage::Open | Stage::Processing, Outcome::Declined) => {
            fail(change, &mut intent);
            change.event("payment_intent.payment_failed", objects::intent(&intent));
        }
        (Stage::Open, Outcome::Pending) => {
            begin(change, &mut intent);
            change.event("payment_intent.processing", objects::intent(&intent));
        }
        // An intent has no end of its own; what comes nearest is that the shop gives it up.
        (Stage::Open, Outcome::Expired) => end(change, intent, Some("abandoned".to_owned())),
        _ => return false,
    }
    true
}

/// The same buyer's money is taken once more, by another intent of the same words. Answers the intent's id.
pub(super) fn capture_again(change: &mut Change<'_>, intent: &Intent, amount: Option<i64>) -> String {
    let id = random_id("pi_3", 23);
    let mut second = Intent {
        number: change.number(),
        secret: random_id(&format!("{id}_secret_"), 25),
        id,
        created: change.now_s(),
        amount: amount.unwrap_or(intent.amount),
        canceled_at: None,
        cancellation_reason: None,
        charges: Vec::new(),
        ..intent.clone()
    };
    take(change, &mut second);
    second.id
}

/// The money is taken, and told of.
pub(super) fn take(change: &mut Change<'_>, intent: &mut Intent) {
    let charge = charge(change, intent, ChargeStatus::Succeeded);
    // What was pending is in the balance already.
    if !balance::end_waiting(change, &charge.transaction, true) {
        move_balance(change, intent, &charge, Cause::Charge);
    }
    intent.status = IntentStatus::Succeeded;
    change.put(Record::Intent(intent.clone()));
    change.event("payment_intent.succeeded", objects::intent(intent));
    change.event("charge.succeeded", objects::charge(change.book, intent, &charge));
}

/// The card was declined, or the money did not come: the buyer may try again. The caller tells of it.
pub(super) fn fail(change: &mut Change<'_>, intent: &mut Intent) {
    let charge = charge(change, intent, ChargeStatus::Failed);
    if balance::end_waiting(change, &charge.transaction, false) {
        move_balance(change, intent, &charge, Cause::PaymentFailure);
    }
    intent.status = IntentStatus::RequiresPaymentMethod;
    change.put(Record::Intent(intent.clone()));
}

/// The money is on its way. The caller tells of it.
pub(super) fn begin(change: &mut Change<'_>, intent: &mut Intent) {
    let charge = charge(change, intent, ChargeStatus::Pending);
    move_balance(change, intent, &charge, Cause::Payment);
    intent.status = IntentStatus::Processing;
    change.put(Record::Intent(intent.clone()));
}

/// The latest charge gets this status if it was pending; otherwise a new one is made.
fn charge(change: &Change<'_>, intent: &mut Intent, status: ChargeStatus) -> Charge {
    let pending = intent.charges.pop_if(|charge| charge.status == ChargeStatus::Pending);
    let mut charge = pending.unwrap_or_else(|| Charge {
        id: random_id("ch_3", 23),
        created: change.now_s(),
        status,
        method: random_id("pm_1", 23),
        transaction: random_id("txn_3", 23),
        failure_transaction: None,
    });
    if charge.status == ChargeStatus::Pending && status == ChargeStatus::Failed {
        charge.failure_transaction = Some(random_id("txn_3", 23));
    }
    charge.status = status;
    intent.charges.push(charge.clone());
    charge
}

fn move_balance(change: &mut Change<'_>, intent: &Intent, charge: &Charge, cause: Cause) {
    let fee = balance::fee(intent.amount);
    let (id, amount, fee) = match (&charge.failure_transaction, cause) {
        (Some(failure), Cause::PaymentFailure) => (failure, -intent.amount, -fee),
        _ => (&charge.transaction, intent.amount, fee),
    };
    let movement = Movement { id, cause, amount, fee, currency: &intent.currency, source: Some(&charge.id) };
    balance::book(change, &movement);
}
