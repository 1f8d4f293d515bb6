//! Lambda on SQS: does at the gateways what commits have promised.
//!
//! A message names an escrow, a payout or a parked event, and nothing else: what is to be done stands in its item. So a message that comes twice, late, or for
//! nothing does no harm, and a lost one is found by the index of what is due.

mod close;
mod inbox;
mod payout;
mod refund;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use escrow_domain::command::{Attempt, Command, Fact};
use escrow_domain::decide::{Outcome, decide};
use escrow_domain::effect::Task;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, Operation, PayoutId};
use escrow_domain::journal::Actor;
use escrow_domain::payout::{Payout, PayoutUndecided};
use escrow_domain::refusal::Undecided;
use escrow_domain::work::Work;
use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::{ChangeError, Changed, Start, StoreError};
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

/// A change that was not committed.
type Failed = ChangeError<Undecided>;

/// More steps than any escrow's work needs; a bound on what one message can cost.
const MOST_STEPS: usize = 40;

/// After so long no further call to a gateway is begun: with its deadline of 25 seconds it must end within the function's 30.
const LAST_BEGINNING: Duration = Duration::from_secs(4);

/// The body of a message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wake {
    /// Something is to be done at a gateway for this escrow.
    Escrow(String),
    /// Something is to be done at a gateway for this payout.
    Payout(String),
    /// A parked event is to be tried again.
    Parked(inbox::ParkedEvent),
}

/// Why a message must come again.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// The store did not take or give what was needed.
    #[error(transparent)]
    Change(#[from] ChangeError<Undecided>),
    /// The same, of a payout.
    #[error(transparent)]
    Payout(#[from] ChangeError<PayoutUndecided, Payout>),
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An effect of a gateway that this deployment has no keys for.
    #[error("the gateway {0} is not set up in this deployment")]
    NotConfigured(escrow_domain::id::GatewayName),
    /// A bug or corrupt data.
    #[error("{0}")]
    Broken(&'static str),
}

/// Works through a batch; the answer names the messages that must come again, and says in words what was done.
///
/// # Errors
/// None: what fails is one message, never the batch.
pub async fn handle(
    app: &App,
    gateways: &Gateways,
    event: SqsEvent,
    line: Line,
) -> Result<(SqsBatchResponse, String), Infallible> {
    let mut failed = Vec::new();
    let messages = event.records.len();
    for message in event.records {
        let body = message.body.unwrap_or_default();
        let settled = match serde_json::from_str::<Wake>(&body) {
            Ok(Wake::Escrow(id)) => match id.parse::<EscrowId>() {
                Ok(id) => {
                    line.escrow(id.to_string());
                    settle(app, gateways, id).await
                }
                Err(_) => Err(Unsettled::Broken("a message that names no escrow")),
            },
            Ok(Wake::Payout(id)) => match id.parse::<PayoutId>() {
                Ok(id) => payout::settle(app, gateways, id, &line).await,
                Err(_) => Err(Unsettled::Broken("a message that names no payout")),
            },
            Ok(Wake::Parked(parked)) => inbox::retry(app, gateways, &parked, &line).await,
            // Nobody but our functions writes to this queue; what they cannot have written ends in the dead-letter queue.
            Err(_) => Err(Unsettled::Broken("a message that cannot be read")),
        };
        if let Err(error) = settled {
            line.failure(format!("{body:.100}: {error}"));
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message.message_id.unwrap_or_default();
            failed.push(failure);
        }
    }
    let done = format!("settled {} of {messages} messages", messages.saturating_sub(failed.len()));
    let mut answer = SqsBatchResponse::default();
    answer.batch_item_failures = failed;
    Ok((answer, done))
}

/// Does everything that is due for one escrow, one thing after the other.
///
/// # Errors
/// [`Unsettled`] if the message must come again. An answer in doubt is no error: it is stored, with the time of the next try.
pub async fn settle(app: &App, gateways: &Gateways, id: EscrowId) -> Result<(), Unsettled> {
    let Some(mut escrow) = app.store.escrow(id).await? else {
        return Err(Unsettled::Broken("a message for an escrow that does not exist"));
    };
    let begun = Instant::now();
    let mut tried: Vec<Work> = Vec::new();
    for _step in 0..MOST_STEPS {
        // Each thing once a message: what is still due afterwards has its own time, or another worker.
        let next = escrow.work(app.clock.now()).into_iter().find(|work| !tried.iter().any(|done| same(done, work)));
        let Some(work) = next else { return Ok(()) };
        if !may_begin(begun) {
            return Ok(());
        }
        tried.push(work);
        escrow = match work {
            Work::Effect(effect) => match effect.task {
                Task::Refund(number) => refund::send(app, gateways, escrow, number, &effect).await?,
                Task::ClosePayment(number) => close::send(app, gateways, escrow, number, &effect).await?,
            },
            Work::LookUpRefund(number) => refund::look_up_pending(app, gateways, escrow, number).await?,
        };
    }
    Ok(())
}

/// Whether there is time for another call to a gateway: begun later, it could outlast the function, and its answer would be lost for
/// nothing. What is left is due, and the sweep comes within a minute.
fn may_begin(begun: Instant) -> bool {
    begun.elapsed() < LAST_BEGINNING
}

fn same(one: &Work, other: &Work) -> bool {
    match (one, other) {
        (Work::Effect(one), Work::Effect(other)) => one.task == other.task,
        (Work::LookUpRefund(one), Work::LookUpRefund(other)) => one == other,
        (Work::Effect(_), Work::LookUpRefund(_)) | (Work::LookUpRefund(_), Work::Effect(_)) => false,
    }
}

/// Commits what a gateway has said.
async fn book(app: &App, escrow: Escrow, fact: Fact, operation: Operation) -> Result<Changed, Failed> {
    let attempt = Attempt { command: Command::Fact(fact), actor: Actor::gateway(), operation };
    app.store.change(Start::From(Box::new(escrow)), |escrow| decide(escrow, &attempt, app.moment())).await
}

/// Commits a change that is no fact: a claim, a later time.
async fn note(
    app: &App,
    escrow: Escrow,
    change: impl Fn(&Escrow) -> Result<Outcome, Undecided>,
) -> Result<Escrow, Failed> {
    Ok(app.store.change(Start::From(Box::new(escrow)), change).await?.into_escrow())
}
