//! Closing pages that nobody shall pay any more. Closing moves no money and may be repeated; if the buyer was faster, the payment is
//! a fact like any other, and goes back.

use super::{Unsettled, book, note};
use escrow_domain::command::Fact;
use escrow_domain::decide::Outcome;
use escrow_domain::effect::{Effect, Task};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{Operation, PaymentId};
use escrow_domain::payment::Source;
use escrow_domain::work::{Plan, put_off};
use escrow_gateways::{CallError, Deadline, Gateway, Gateways, PaymentStanding};
use escrow_http::app::App;
use std::time::Duration;

/// How long one call may take: two of them, begun within the first seconds, end before the function does.
const PATIENCE: Duration = Duration::from_secs(12);

/// Tells the gateway, and stores how the page ended.
pub(super) async fn send(
    app: &App,
    gateways: &Gateways,
    escrow: Escrow,
    number: u16,
    effect: &Effect,
) -> Result<Escrow, Unsettled> {
    let gateway = gateway_of_payment(gateways, &escrow, number)?;
    let task = Task::ClosePayment(number);
    if escrow.plan(effect, None, app.moment()) != Plan::Send {
        return Ok(escrow);
    }
    let (token, seen): ([u8; 16], Effect) = (rand::random(), *effect);
    let escrow = note(app, escrow, |escrow| match escrow.effect(task) {
        Some(there) if *there == seen => Ok(Outcome::Changed(Box::new(escrow.claim(task, token, app.moment())?))),
        Some(_) | None => Ok(Outcome::AlreadyDone),
    })
    .await?;
    if escrow.claimed_by(task, token).is_none() {
        return Ok(escrow);
    }
    let payment = escrow.payments.get(usize::from(number));
    let reference = payment.and_then(|payment| payment.reference.clone());
    let reference = reference.ok_or(Unsettled::Broken("a page to close that has no name"))?;
    let id = PaymentId { escrow: escrow.id, number };
    let answer = match gateway.close_payment(&reference, &format!("close-{id}"), Deadline::within(PATIENCE)).await {
        // It cannot be closed, for example because it was paid: its standing tells.
        Err(CallError::Refused { .. }) => gateway.look_up_payment(&reference, Deadline::within(PATIENCE)).await,
        other => other,
    };
    match answer {
        Ok(PaymentStanding::Closed) => {
            let operation = Operation::of_gateway(gateway.name(), &reference, "closed");
            Ok(book(app, escrow, Fact::Closed { payment: number, gateway: gateway.name() }, operation)
                .await?
                .into_escrow())
        }
        Ok(PaymentStanding::Paid(paid)) => {
            let operation = Operation::of_gateway(gateway.name(), &paid.capture, "paid");
            let (gateway, reference) = (gateway.name(), Some(reference));
            let fact = Fact::Paid { payment: number, gateway, capture: paid.capture, money: paid.money, reference };
            Ok(book(app, escrow, fact, operation).await?.into_escrow())
        }
        Ok(PaymentStanding::Open | PaymentStanding::Processing) => {
            Ok(note(app, escrow, |escrow| put_off(escrow, task, token, false, app.moment())).await?)
        }
        Err(error) => {
            tracing::warn!(escrow.id = %escrow.id, error = %error, "a page could not be closed yet; it is tried again later");
            Ok(note(app, escrow, |escrow| put_off(escrow, task, token, false, app.moment())).await?)
        }
    }
}

/// The gateway at which a payment was made.
pub(super) fn gateway_of_payment<'a>(
    gateways: &'a Gateways,
    escrow: &Escrow,
    number: u16,
) -> Result<&'a dyn Gateway, Unsettled> {
    match escrow.payments.get(usize::from(number)).map(|payment| payment.source) {
        Some(Source::Gateway(name)) => gateways.get(name).ok_or(Unsettled::NotConfigured(name)),
        Some(Source::Wallet) | None => Err(Unsettled::Broken("an effect of a payment that no gateway made")),
    }
}
