//! Lambda: `POST /v1/webhooks/{gateway}`.
//!
//! A signed event is a fact: it is mapped to a command and committed, and 200 is answered only after the commit. What cannot be booked
//! yet is parked durably before the 200; what cannot even be parked is a 503, so that the gateway tries again.

use escrow_domain::id::GatewayName;
use escrow_domain::lifecycle::Transition;
use escrow_domain::time::Period;
use escrow_facts::{Booked, What, book};
use escrow_gateways::{Deadline, Gateway, Gateways, Notice};
use escrow_http::app::App;
use escrow_http::metrics::{Measure, PaymentOutcome};
use escrow_http::problem::{Answer, Code, Problem};
use escrow_http::reply::Reply;
use escrow_http::request::Incoming;
use escrow_store::inbox::Parked;
use serde_json::json;
use std::time::Duration;

/// How long the gateway is waited for when an event has to be traced there. Then the event is parked: the gateway that posted it does
/// not wait much longer for our answer, and this function must not end before it has kept the event.
const TRACED_WITHIN: Duration = Duration::from_secs(8);
/// A parked event is tried again for the first time after this.
const FIRST_RETRY: Period = Period::minutes(1);

/// Answers one notice of a gateway.
///
/// # Errors
/// 400 if it is not signed as it must be or cannot be read, 404 for a gateway that this deployment does not have, 413 above 1 MB, 503
/// if what it says could not be made durable.
pub async fn handle(app: &App, gateways: &Gateways, incoming: Incoming) -> Answer<Reply> {
    let name: GatewayName = incoming.parameter("gateway", "gateway")?;
    let gateway = gateways.get(name).ok_or_else(|| Problem::not_found("gateway"))?;
    let body = incoming.webhook_body()?;
    incoming.line().gateway(name.as_str());
    let now = app.clock.now();
    let notice = gateway.read_webhook(incoming.headers(), body, now).map_err(|refused| {
        app.metrics.record(Measure::WebhookRefused(name, refused.code()), now);
        // One code for all: a forger learns nothing, the log line has the reason.
        Problem::new(Code::SignatureInvalid, "The notice is not signed as it must be, or cannot be read.")
            .inside(refused)
    })?;
    incoming.line().event_type(notice.kind.clone());
    app.metrics.record(Measure::WebhookLatency(name, now.since(notice.created)), now);
    let outcome = apply(app, gateway, &notice, &incoming).await?;
    incoming.line().outcome(format!("{outcome} {}", notice.event_id));
    Ok(Reply::ok(&json!({ "received": true, "outcome": outcome })))
}

/// Books what the notice says. The word says what became of it.
async fn apply(app: &App, gateway: &dyn Gateway, notice: &Notice, incoming: &Incoming) -> Answer<&'static str> {
    match book(app, gateway, notice, Deadline::within(TRACED_WITHIN), incoming.line()).await? {
        Booked::Nothing(word) => {
            if word == "declined" {
                app.metrics.record(Measure::Payment(gateway.name(), PaymentOutcome::Declined), app.clock.now());
            }
            Ok(word)
        }
        Booked::Known(_) => Ok("known"),
        Booked::Applied(what) => {
            record(app, gateway.name(), &what);
            Ok("applied")
        }
        Booked::Kept { why, .. } => park(app, gateway.name(), notice, incoming, why).await,
    }
}

/// Counts what the newest entry tells.
fn record(app: &App, gateway: GatewayName, what: &What) {
    let now = app.clock.now();
    match what {
        What::Escrow(escrow) => {
            let Some(entry) = escrow.journal.entries.last() else { return };
            app.metrics.record(Measure::Transition(entry.transition), now);
            let outcome = match entry.transition {
                Transition::Fund => PaymentOutcome::Paid,
                Transition::AbsorbPayment => PaymentOutcome::Absorbed,
                Transition::ClosePayment => PaymentOutcome::Closed,
                _ => return,
            };
            app.metrics.record(Measure::Payment(gateway, outcome), now);
        }
        What::TopUp(top_up) if top_up.updated_at == now => {
            app.metrics.record(Measure::Payment(gateway, PaymentOutcome::Paid), now);
        }
        What::TopUp(_) | What::Payout(_) | What::Seller(_) => {}
    }
}

/// Keeps the event for a later try or an operator. Only then may the gateway forget it.
async fn park(
    app: &App,
    gateway: GatewayName,
    notice: &Notice,
    incoming: &Incoming,
    why: String,
) -> Answer<&'static str> {
    let now = app.clock.now();
    incoming.line().failure(format!("parked: {why}"));
    app.metrics.record(Measure::Parked(gateway), now);
    let parked = Parked {
        gateway,
        event: notice.event_id.clone(),
        payload: incoming.webhook_body()?.to_vec(),
        why,
        received_at: now,
        due_at: now.after(FIRST_RETRY),
    };
    app.store.park(&parked).await?;
    Ok("parked")
}
