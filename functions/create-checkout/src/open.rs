//! Asking the gateway for a payment page, and storing its answer.
//!
//! The request's bytes come only from the stored payment, and its key from the payment's id, so a repetition by whoever comes later
//! is the same request to the gateway. Opening a page moves no money: if the answer is lost for good, the payment expires.

use escrow_domain::decide::{Moment, Outcome, Page, checkout_opened, checkout_refused, next_attempt};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::PaymentId;
use escrow_domain::payment::{Payment, PaymentStatus};
use escrow_domain::refusal::Undecided;
use escrow_gateways::{CallError, Deadline, Gateway, OpenCheckout, Whose};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_http::metrics::{Measure, PaymentOutcome};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_store::Start;
use std::time::Duration;

/// How long the gateway may take: the function ends after 29 seconds, and the caller should hear from us before that.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Sees to it that the payment of that number has a page, and returns the escrow as it is then.
///
/// # Errors
/// 503 `gateway_unavailable` if the gateway cannot be asked or its answer is in doubt: the same request later carries on. 422 if the
/// gateway refuses to open the page at all.
pub(crate) async fn open(app: &App, gateway: &dyn Gateway, line: &Line, escrow: Escrow, number: u16) -> Answer<Escrow> {
    let Some(payment) = escrow.payments.get(usize::from(number)) else {
        return Err(Problem::internal("a payment that was just stored is not there"));
    };
    if payment.status != PaymentStatus::Opening {
        return Ok(escrow);
    }
    let id = PaymentId { escrow: escrow.id, number };
    let ask = ask(&escrow, payment, id)?;
    let attempt = payment.attempt;
    match gateway.open_checkout(&ask, &payment.key(id), Deadline::within(PATIENCE)).await {
        Ok(opened) => {
            let page = Page { url: opened.url.as_deref(), client_secret: opened.client_secret.as_deref() };
            let stored = |escrow: &Escrow, now| {
                checkout_opened(escrow, number, &opened.reference, &page, opened.expires_at, now)
            };
            app.metrics.record(Measure::Payment(gateway.name(), PaymentOutcome::Opened), app.clock.now());
            store(app, line, escrow, stored).await
        }
        Err(CallError::Refused { code, message, .. }) => {
            app.metrics.record(Measure::Payment(gateway.name(), PaymentOutcome::Refused), app.clock.now());
            store(app, line, escrow, |escrow, now| checkout_refused(escrow, number, now)).await?;
            let detail =
                "The gateway refuses to open a payment page for this. Nothing is charged, and the escrow expires.";
            Err(Problem::new(Code::GatewayRefused, detail).inside(format!("{code}: {message}")))
        }
        Err(failed @ CallError::ServerError { .. }) => {
            // The gateway would repeat this answer for the key's life: whoever carries on asks under the next key.
            store(app, line, escrow, |escrow, now| next_attempt(escrow, number, attempt, now)).await?;
            Err(Problem::gateway_unavailable(failed))
        }
        Err(unknown @ (CallError::NotSent(_) | CallError::InDoubt(_))) => Err(Problem::gateway_unavailable(unknown)),
    }
}

fn ask(escrow: &Escrow, payment: &Payment, id: PaymentId) -> Answer<OpenCheckout> {
    let request =
        payment.request.as_ref().ok_or_else(|| Problem::internal("a payment that is opening has no request"))?;
    Ok(OpenCheckout {
        whose: Whose::Payment(id),
        mode: payment.mode,
        money: payment.pay_in.unwrap_or(payment.amount.of(escrow.terms.currency)),
        description: request.description.clone(),
        method: payment.method,
        success_url: request.success_url.clone(),
        cancel_url: request.cancel_url.clone(),
        expires_at: payment.expires_at,
    })
}

/// Merges an answer into what stands there: the webhook may have been faster, or somebody may have cancelled.
async fn store(
    app: &App,
    line: &Line,
    escrow: Escrow,
    merge: impl Fn(&Escrow, Moment) -> Result<Outcome, Undecided>,
) -> Answer<Escrow> {
    let changed = app.store.change(Start::From(Box::new(escrow)), |escrow| merge(escrow, app.moment())).await?;
    app.wake_for(changed.escrow(), line).await;
    Ok(changed.into_escrow())
}
