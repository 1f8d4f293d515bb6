//! Payouts: claim, send once, store the answer, by the same protocol as refunds. In doubt the same bytes go out under the same key while
//! the gateway remembers it; after that it is asked first, and believed only when every request of ours is long over.

use super::{Unsettled, may_begin};
use escrow_domain::decide::{Moment, Outcome};
use escrow_domain::effect::{KeyLife, Plan};
use escrow_domain::id::{GatewayName, Operation, PayoutId};
use escrow_domain::journal::Actor;
use escrow_domain::payout::{
    self, Payout, PayoutAttempt, PayoutCommand, PayoutFact, PayoutOutcome, PayoutStatus, PayoutUndecided, PayoutWork,
    Rail, TransferOutcome,
};
use escrow_domain::refusal::Undecided;
use escrow_domain::wallet::Wallet;
use escrow_domain::work::NotFound;
use escrow_gateways::{CallError, Deadline, Gateway, Gateways, Refusal, TransferAsk, TransferStanding, TransferState};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_http::metrics::Measure;
use escrow_store::{ChangeError, Start};
use std::time::Duration;
use tokio::time::Instant;

/// How long a transfer may take. With the question before it, it ends well before the function does, and before the lease.
const PATIENCE: Duration = Duration::from_secs(18);
/// How long the gateway is asked for the charge of a payment.
const CHARGE_PATIENCE: Duration = Duration::from_secs(6);

/// A change of a payout that was not committed.
type Failed = ChangeError<PayoutUndecided, Payout>;

/// A claimed payout on its way to the gateway.
struct Sending<'a> {
    app: &'a App,
    gateway: &'a dyn Gateway,
    /// As it was read with the payout: whether anything may leave it.
    wallet: &'a Wallet,
    token: [u8; 16],
    begun: Instant,
}

/// Does what is due for one payout.
///
/// # Errors
/// [`Unsettled`] if the message must come again. An answer in doubt is no error: it is stored, with the time of the next try.
pub(super) async fn settle(app: &App, gateways: &Gateways, id: PayoutId, line: &Line) -> Result<(), Unsettled> {
    line.payout(id.to_string());
    let begun = Instant::now();
    let payout = app.store.aggregate::<Payout>(&id).await?;
    let payout = payout.ok_or(Unsettled::Broken("a message for a payout that does not exist"))?;
    let Some(work) = payout.work(app.clock.now()) else { return Ok(()) };
    let Some(name) = payout.rail.gateway() else { return Err(Unsettled::Broken("a payout by hand with work")) };
    let gateway = gateways.get(name).ok_or(Unsettled::NotConfigured(name))?;
    let before = payout.status;
    let after = match work {
        PayoutWork::Send(_) => send(app, gateway, payout, begun).await?,
        PayoutWork::LookUp => look_up_pending(app, gateway, payout).await?,
    };
    record(app, &after, before);
    Ok(())
}

async fn send(app: &App, gateway: &dyn Gateway, payout: Payout, begun: Instant) -> Result<Payout, Unsettled> {
    let wallet = app.store.wallet(&payout.owner, payout.money.currency).await?;
    let life = gateway.capabilities().keys.payout.map(|life| life.safe);
    let plan = payout.plan(&wallet, life, app.moment());
    if plan == Plan::Leave {
        return Ok(note(app, payout, |payout| payout::hold_off(payout, &wallet, app.moment())).await?);
    }
    if let Plan::Wait(_) = plan {
        return Ok(payout);
    }
    let token: [u8; 16] = rand::random();
    let payout = claim(app, payout, &wallet, life, &plan, token).await?;
    if payout.claimed_by(token).is_none() {
        return Ok(payout);
    }
    let sending = Sending { app, gateway, wallet: &wallet, token, begun };
    if plan == Plan::LookUp { sending.look_up(payout).await } else { sending.request(payout).await }
}

/// Claims it for this invocation. That is decided again on whatever stands there: another worker's claim, or the result, make it none.
async fn claim(
    app: &App,
    payout: Payout,
    wallet: &Wallet,
    life: KeyLife,
    plan: &Plan,
    token: [u8; 16],
) -> Result<Payout, Failed> {
    let seen = payout.effect;
    note(app, payout, |payout| {
        if payout.effect == seen && payout.plan(wallet, life, app.moment()) == *plan {
            Ok(Outcome::Changed(Box::new(payout.claim(token, app.moment())?)))
        } else {
            Ok(Outcome::AlreadyDone)
        }
    })
    .await
}

impl Sending<'_> {
    /// Sends the request of a claimed payout, once.
    async fn request(&self, payout: Payout) -> Result<Payout, Unsettled> {
        let (app, token) = (self.app, self.token);
        let Some((effect, claim)) = payout.claimed_by(token) else { return Ok(payout) };
        let key = payout.key(effect);
        // Only the first key's request is tied to the payment: what the gateway refuses so may be possible from the platform's own
        // balance. The bytes under one key are always the same.
        let tied = payout.tied_to.as_ref().filter(|_| effect.key_suffix == 0);
        let charge = match tied {
            None => None,
            Some(tied) => match self.gateway.charge_of(&tied.capture, Deadline::within(CHARGE_PATIENCE)).await {
                Ok(charge) => Some(charge),
                Err(refused @ CallError::Refused { .. }) => {
                    return self.not_now(payout, UNTIED, app.moment(), &refused).await;
                }
                Err(unknown) => return self.later(payout, false, &unknown).await,
            },
        };
        let ask = self.ask(&payout, charge)?;
        let asked = app.moment();
        if asked.at >= claim.lease_until {
            // Too long between the claim and here: another worker may have it.
            return Ok(payout);
        }
        let error = match self.gateway.transfer(&ask, &key, Deadline::within(PATIENCE)).await {
            Ok(standing) => return self.answered(payout, standing).await,
            Err(error) => error,
        };
        // A no is as old as the question: what a twin did after it is not in the answer.
        match error.refusal() {
            Some(Refusal::FundsMissing) => self.not_now(payout, FUNDS_MISSING, asked, &error).await,
            Some(Refusal::AccountNotReady) => self.not_now(payout, ACCOUNT_NOT_READY, asked, &error).await,
            Some(Refusal::Final) if ask.charge.is_some() => self.not_now(payout, UNTIED, asked, &error).await,
            Some(Refusal::Final) if claim.refusal_is_final(asked.at) => {
                let outcome = TransferOutcome::Failed(refused_words(self.gateway.name(), &error));
                let operation = Operation::of_gateway(self.gateway.name(), &key, "refused");
                self.book(payout, transfer(self.gateway.name(), key, ask.money, outcome), operation).await
            }
            // A twin of this request may be alive: its end is found out by looking.
            Some(Refusal::Final) => self.later(payout, true, &error).await,
            None => {
                let look_up_first = matches!(error, CallError::ServerError { .. });
                self.later(payout, look_up_first, &error).await
            }
        }
    }

    /// Asks the gateway whether a payout that was, or may have been, sent was made.
    async fn look_up(&self, payout: Payout) -> Result<Payout, Unsettled> {
        let (app, token) = (self.app, self.token);
        if !self.gateway.capabilities().payout_look_up {
            let why = "the gateway cannot say whether it made this payout";
            return Ok(note(app, payout, |payout| payout::doubt(payout, why, app.moment())).await?);
        }
        let ask = self.ask(&payout, None)?;
        // The quiet period counts to the moment at which the gateway was asked, not to that of its answer.
        let asked = app.moment();
        match self.gateway.look_up_transfer(&ask, payout.reference.as_deref(), Deadline::within(PATIENCE)).await {
            Ok(Some(standing)) => self.answered(payout, standing).await,
            Ok(None) => {
                let mut may_send = false;
                let payout = note(app, payout, |payout| {
                    may_send = false;
                    if payout.claimed_by(token).is_none() {
                        return Ok(Outcome::AlreadyDone);
                    }
                    Ok(Outcome::Changed(match payout::after_look_up(payout, self.wallet, token, asked)? {
                        NotFound::LookAgain(change) => change,
                        NotFound::SendAgain(change) => {
                            may_send = true;
                            change
                        }
                    }))
                })
                .await?;
                if may_send && self.wallet.hold.is_none() && may_begin(self.begun) {
                    self.request(payout).await
                } else {
                    Ok(payout)
                }
            }
            Err(error) => self.later(payout, true, &error).await,
        }
    }

    /// The gateway knows the transfer: its state is a fact, and so is what has come back of it.
    async fn answered(&self, payout: Payout, standing: TransferStanding) -> Result<Payout, Unsettled> {
        answered(self.app, self.gateway.name(), payout, standing, Some(self.wallet)).await
    }

    async fn book(&self, payout: Payout, fact: PayoutFact, operation: Operation) -> Result<Payout, Unsettled> {
        Ok(book(self.app, payout, fact, operation, Some(self.wallet)).await?)
    }

    /// The gateway will not do it now; the owner reads why, and it is tried again later, under another key.
    async fn not_now(&self, payout: Payout, why: &str, asked: Moment, error: &CallError) -> Result<Payout, Unsettled> {
        tracing::warn!(payout.id = %payout.id, error = %error, "a gateway refuses a payout for now");
        let token = self.token;
        Ok(note(self.app, payout, |payout| payout::refused_for_now(payout, token, why, asked)).await?)
    }

    /// The answer is in doubt: that is stored, with the time of the next try.
    async fn later(&self, payout: Payout, look_up_first: bool, error: &CallError) -> Result<Payout, Unsettled> {
        tracing::warn!(payout.id = %payout.id, error = %error, "the end of a transfer is in doubt; it is tried again later");
        self.app.metrics.record(Measure::EffectsInDoubt(1), self.app.clock.now());
        let token = self.token;
        Ok(note(self.app, payout, |payout| payout::put_off(payout, token, look_up_first, self.app.moment())).await?)
    }

    fn ask(&self, payout: &Payout, charge: Option<String>) -> Result<TransferAsk, Unsettled> {
        ask(payout, charge)
    }
}

/// What the owner reads while a payout waits.
const FUNDS_MISSING: &str = "the platform's balance at the gateway does not suffice yet";
/// Likewise.
const ACCOUNT_NOT_READY: &str =
    "the gateway cannot pay this account now: look at GET /v1/sellers/{id} for what is missing";
/// Likewise.
const UNTIED: &str =
    "the gateway does not take it from the payment itself; it is taken from the platform's balance instead";

/// Looks up a transfer that the gateway has called pending.
async fn look_up_pending(app: &App, gateway: &dyn Gateway, payout: Payout) -> Result<Payout, Unsettled> {
    let ask = ask(&payout, None)?;
    match gateway.look_up_transfer(&ask, payout.reference.as_deref(), Deadline::within(PATIENCE)).await {
        Ok(Some(standing)) if standing.state != TransferState::Pending => {
            answered(app, gateway.name(), payout, standing, None).await
        }
        Ok(Some(_) | None) | Err(_) => {
            Ok(note(app, payout, |payout| payout::still_pending(payout, app.moment())).await?)
        }
    }
}

async fn answered(
    app: &App,
    gateway: GatewayName,
    payout: Payout,
    standing: TransferStanding,
    seen: Option<&Wallet>,
) -> Result<Payout, Unsettled> {
    let TransferStanding { reference, state, money, reversed } = standing;
    let (outcome, happening) = match state {
        TransferState::Pending => (TransferOutcome::Pending, "pending"),
        TransferState::Sent => (TransferOutcome::Sent, "sent"),
        TransferState::Failed(why) => (TransferOutcome::Failed(why), "failed"),
    };
    let operation = Operation::of_gateway(gateway, &reference, happening);
    let payout = match book(app, payout, transfer(gateway, reference.clone(), money, outcome), operation, seen).await {
        Ok(payout) => payout,
        // It carries our name, but is not what was promised: asking again would bring the same answer for ever.
        Err(ChangeError::Undecided { why: Undecided::Misfit(misfit), escrow }) => {
            let why = misfit.to_string();
            return Ok(note(app, *escrow, |payout| payout::doubt(payout, &why, app.moment())).await?);
        }
        Err(failed) => return Err(failed.into()),
    };
    if reversed.amount.is_zero() || payout.status != PayoutStatus::Paid {
        return Ok(payout);
    }
    // The same name as that of the notice, so that it is booked once.
    let operation = Operation::of_gateway(gateway, &reference, &format!("reversed {reversed}"));
    let fact = PayoutFact::Reversed { gateway, reference, money, total: reversed, reason: None };
    // By now the wallet is another.
    Ok(book(app, payout, fact, operation, None).await?)
}

fn transfer(
    gateway: GatewayName,
    reference: String,
    money: escrow_domain::money::Money,
    outcome: TransferOutcome,
) -> PayoutFact {
    PayoutFact::Transfer { gateway, reference, money, outcome }
}

fn ask(payout: &Payout, charge: Option<String>) -> Result<TransferAsk, Unsettled> {
    match &payout.rail {
        Rail::Gateway { account, .. } => {
            let (account, asked_at) = (account.clone(), payout.created_at);
            Ok(TransferAsk { payout: payout.id, account, money: payout.money, charge, asked_at })
        }
        Rail::ByHand => Err(Unsettled::Broken("a payout by hand at a gateway")),
    }
}

/// The gateway's own sentence is for operators: it may name things that a seller should not read.
fn refused_words(gateway: GatewayName, error: &CallError) -> String {
    match error {
        CallError::Refused { code, .. } => format!("{gateway} refused it ({code})"),
        CallError::NotSent(_) | CallError::InDoubt(_) | CallError::ServerError { .. } => format!("{gateway} failed"),
    }
}

/// Commits what a gateway has said. A wallet that was seen before is not read again, unless it has moved.
async fn book(
    app: &App,
    payout: Payout,
    fact: PayoutFact,
    operation: Operation,
    seen: Option<&Wallet>,
) -> Result<Payout, Failed> {
    let attempt = PayoutAttempt { command: PayoutCommand::Fact(fact), actor: Actor::gateway(), operation };
    let (start, seen) = (Start::From(Box::new(payout)), seen.cloned().into_iter().collect());
    let decide = |payout: &Payout| payout::decide(payout, &attempt, app.moment());
    Ok(app.store.change_having_seen(start, seen, decide).await?.into_aggregate())
}

/// Commits a change, and gives what stands then.
async fn note(
    app: &App,
    payout: Payout,
    change: impl FnMut(&Payout) -> Result<PayoutOutcome, PayoutUndecided>,
) -> Result<Payout, Failed> {
    Ok(app.store.change_aggregate(Start::From(Box::new(payout)), change).await?.into_aggregate())
}

/// Counts what this came to.
fn record(app: &App, payout: &Payout, before: PayoutStatus) {
    if payout.status == before {
        return;
    }
    let now = app.clock.now();
    app.metrics.record(Measure::Payout(payout.status), now);
    match payout.status {
        PayoutStatus::Paid => app.metrics.record(Measure::PayoutTime(now.since(payout.created_at)), now),
        PayoutStatus::Review => app.metrics.record(Measure::PayoutsInReview(1), now),
        PayoutStatus::Approval
        | PayoutStatus::Ready
        | PayoutStatus::Sending
        | PayoutStatus::Owed
        | PayoutStatus::Returned
        | PayoutStatus::Failed
        | PayoutStatus::Rejected => {}
    }
}
