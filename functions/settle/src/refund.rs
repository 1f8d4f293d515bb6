//! Refunds: claim, send once, store the answer. In doubt the same bytes go out under the same key while the gateway remembers it;
//! after that it is asked first, and believed only when every request of ours is long over.

use super::{Unsettled, book, may_begin, note};
use escrow_domain::command::{Fact, RefundOutcome};
use escrow_domain::decide::Outcome;
use escrow_domain::effect::{Effect, Task};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{GatewayName, Operation, RefundId};
use escrow_domain::refusal::Undecided;
use escrow_domain::work::{KeyLife, NotFound, Plan, after_look_up, doubt, put_off, still_pending};
use escrow_gateways::capabilities::RefundLookUp;
use escrow_gateways::{CallError, Deadline, Gateway, Gateways, RefundAsk, RefundStanding, RefundState};
use escrow_http::app::App;
use escrow_http::metrics::Measure;
use escrow_store::ChangeError;
use std::time::Duration;
use tokio::time::Instant;

/// How long a request may take. Well below the lease, so that a claim outlives its request.
const PATIENCE: Duration = Duration::from_secs(25);

/// Carries out the promise of a refund, as far as that is possible now.
pub(super) async fn send(
    app: &App,
    gateways: &Gateways,
    escrow: Escrow,
    number: u16,
    effect: &Effect,
) -> Result<Escrow, Unsettled> {
    let gateway = gateway_of(gateways, &escrow, number)?;
    let plan = escrow.plan(effect, key_life(gateway), app.moment());
    if matches!(plan, Plan::Leave | Plan::Wait(_)) {
        return Ok(escrow);
    }
    let task = Task::Refund(number);
    let token: [u8; 16] = rand::random();
    let seen = *effect;
    // The claim is decided again on whatever stands there: another worker's claim, a freeze, or the result make it none.
    let escrow = note(app, escrow, |escrow| match escrow.effect(task) {
        Some(there) if *there == seen && escrow.plan(there, key_life(gateway), app.moment()) == plan => {
            Ok(Outcome::Changed(Box::new(escrow.claim(task, token, app.moment())?)))
        }
        Some(_) | None => Ok(Outcome::AlreadyDone),
    })
    .await?;
    if escrow.claimed_by(task, token).is_none() {
        return Ok(escrow);
    }
    if plan == Plan::LookUp {
        return look_up(app, gateway, escrow, number, token).await;
    }
    request(app, gateway, escrow, number, token).await
}

/// Sends the request of a claimed refund, once.
async fn request(
    app: &App,
    gateway: &dyn Gateway,
    escrow: Escrow,
    number: u16,
    token: [u8; 16],
) -> Result<Escrow, Unsettled> {
    let task = Task::Refund(number);
    let Some((effect, claim)) = escrow.claimed_by(task, token) else { return Ok(escrow) };
    let asked_at = app.clock.now();
    if asked_at >= claim.lease_until {
        // Too long between the claim and here: another worker may have it.
        return Ok(escrow);
    }
    let (ask, key) = (ask(&escrow, number)?, escrow.refund_key(number, effect));
    match gateway.refund(&ask, &key, Deadline::within(PATIENCE)).await {
        Ok(standing) => answered(app, gateway.name(), escrow, number, standing).await,
        // A no is as old as the question: what a twin did after it is not in the answer.
        Err(CallError::Refused { code, message, .. }) if Escrow::refusal_is_final(&claim, asked_at) => {
            let operation = Operation::of_gateway(gateway.name(), &key, "refused");
            let outcome = RefundOutcome::Failed(format!("{code}: {message}"));
            let gateway = gateway.name();
            let fact = Fact::Refund { refund: number, gateway, reference: key, money: ask.money, outcome };
            Ok(book(app, escrow, fact, operation).await?.into_escrow())
        }
        // A twin of this request may be alive: its end is found out by looking.
        Err(refused @ CallError::Refused { .. }) => later(app, escrow, task, token, true, &refused).await,
        Err(failed @ CallError::ServerError { .. }) => later(app, escrow, task, token, true, &failed).await,
        Err(unknown @ (CallError::InDoubt(_) | CallError::NotSent(_))) => {
            later(app, escrow, task, token, false, &unknown).await
        }
    }
}

/// Asks the gateway whether a refund that was, or may have been, sent was made.
async fn look_up(
    app: &App,
    gateway: &dyn Gateway,
    escrow: Escrow,
    number: u16,
    token: [u8; 16],
) -> Result<Escrow, Unsettled> {
    let task = Task::Refund(number);
    if matches!(gateway.capabilities().refund_look_up, RefundLookUp::Nothing) {
        let why = "the gateway cannot say whether it made this refund";
        app.metrics.record(Measure::EffectsInDoubt(1), app.clock.now());
        return Ok(note(app, escrow, |escrow| doubt(escrow, number, why, app.moment())).await?);
    }
    let ask = ask(&escrow, number)?;
    let known = escrow.refunds.get(usize::from(number)).and_then(|refund| refund.reference.clone());
    // The quiet period counts to the moment at which the gateway was asked, not to that of its answer.
    let (asked, begun) = (app.moment(), Instant::now());
    match gateway.look_up_refund(&ask, known.as_deref(), Deadline::within(PATIENCE)).await {
        Ok(Some(standing)) => answered(app, gateway.name(), escrow, number, standing).await,
        Ok(None) => {
            // The claim is this worker's, so nobody else changes this effect; the rest of the escrow may have moved meanwhile.
            let escrow = note(app, escrow, |escrow| match escrow.claimed_by(task, token) {
                None => Ok(Outcome::AlreadyDone),
                // Nothing may leave now, and what was found says nothing about the end of the stop: it is looked up again then.
                Some(_) if escrow.is_stopped() => put_off(escrow, task, token, true, app.moment()),
                Some(_) => match after_look_up(escrow, task, token, asked)? {
                    NotFound::LookAgain(change) | NotFound::SendAgain(change) => Ok(Outcome::Changed(change)),
                },
            })
            .await?;
            if escrow.is_stopped() || !may_begin(begun) {
                Ok(escrow)
            } else {
                request(app, gateway, escrow, number, token).await
            }
        }
        Err(error) => later(app, escrow, task, token, true, &error).await,
    }
}

/// Looks up a refund that the gateway has called pending.
pub(super) async fn look_up_pending(
    app: &App,
    gateways: &Gateways,
    escrow: Escrow,
    number: u16,
) -> Result<Escrow, Unsettled> {
    let gateway = gateway_of(gateways, &escrow, number)?;
    let ask = ask(&escrow, number)?;
    let known = escrow.refunds.get(usize::from(number)).and_then(|refund| refund.reference.clone());
    match gateway.look_up_refund(&ask, known.as_deref(), Deadline::within(PATIENCE)).await {
        Ok(Some(standing)) if standing.state != RefundState::Pending => {
            answered(app, gateway.name(), escrow, number, standing).await
        }
        Ok(Some(_) | None) | Err(_) => {
            Ok(note(app, escrow, |escrow| still_pending(escrow, number, app.moment())).await?)
        }
    }
}

/// The gateway knows the refund: its state is a fact.
async fn answered(
    app: &App,
    gateway: GatewayName,
    escrow: Escrow,
    number: u16,
    standing: RefundStanding,
) -> Result<Escrow, Unsettled> {
    let (outcome, happening) = match standing.state {
        RefundState::Pending => (RefundOutcome::Pending, "pending"),
        RefundState::Succeeded => (RefundOutcome::Succeeded, "succeeded"),
        RefundState::Failed(why) => (RefundOutcome::Failed(why), "failed"),
    };
    let operation = Operation::of_gateway(gateway, &standing.reference, happening);
    let RefundStanding { reference, money, .. } = standing;
    let fact = Fact::Refund { refund: number, gateway, reference, money, outcome };
    match book(app, escrow, fact, operation).await {
        Ok(changed) => Ok(changed.into_escrow()),
        // It carries our name, but is not what was promised: asking again would bring the same answer for ever.
        Err(ChangeError::Undecided { why: Undecided::Misfit(misfit), escrow }) => {
            let why = misfit.to_string();
            app.metrics.record(Measure::EffectsInDoubt(1), app.clock.now());
            Ok(note(app, *escrow, |escrow| doubt(escrow, number, &why, app.moment())).await?)
        }
        Err(failed) => Err(failed.into()),
    }
}

/// The answer is in doubt: that is stored, with the time of the next try.
async fn later(
    app: &App,
    escrow: Escrow,
    task: Task,
    token: [u8; 16],
    look_up_first: bool,
    error: &CallError,
) -> Result<Escrow, Unsettled> {
    tracing::warn!(escrow.id = %escrow.id, error = %error, "the end of a gateway call is in doubt; it is tried again later");
    app.metrics.record(Measure::EffectsInDoubt(1), app.clock.now());
    Ok(note(app, escrow, |escrow| put_off(escrow, task, token, look_up_first, app.moment())).await?)
}

fn ask(escrow: &Escrow, number: u16) -> Result<RefundAsk, Unsettled> {
    let refund = escrow.refunds.get(usize::from(number)).ok_or(Unsettled::Broken("an effect without its refund"))?;
    let payment = escrow.payments.get(usize::from(refund.payment));
    let capture = payment.and_then(|payment| payment.captures.get(usize::from(refund.capture)));
    let capture = capture.ok_or(Unsettled::Broken("a refund without its capture"))?;
    Ok(RefundAsk {
        escrow: escrow.id,
        refund: RefundId { escrow: escrow.id, number },
        capture: capture.id.clone(),
        money: escrow.refund_money(refund),
    })
}

fn gateway_of<'a>(gateways: &'a Gateways, escrow: &Escrow, number: u16) -> Result<&'a dyn Gateway, Unsettled> {
    let refund = escrow.refunds.get(usize::from(number)).ok_or(Unsettled::Broken("an effect without its refund"))?;
    super::close::gateway_of_payment(gateways, escrow, refund.payment)
}

fn key_life(gateway: &dyn Gateway) -> KeyLife {
    gateway.capabilities().keys.refund.map(|life| life.safe)
}
