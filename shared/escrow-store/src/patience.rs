//! How long to go on trying, and which failures are worth it. The only retries in the process: the SDK's own are off, so that
//! every request is counted and every doubt is known.

use crate::count::Meter;
use crate::error::Source;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// The most requests for one call.
pub(crate) const MOST_ATTEMPTS: u32 = 8;
/// No further attempt starts after this long. Longer than the five seconds after which DynamoDB finishes a transaction that got
/// stuck under our token, shorter than what API Gateway waits for.
const PATIENCE: Duration = Duration::from_secs(10);
/// One request may take this long; an ordinary one takes ten milliseconds.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause before the second attempt is random between nothing and this; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a failed attempt says about the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Surely not done, and worth trying again: throttled, or another transaction was in the way.
    Busy,
    /// Perhaps done: no answer, a broken one, a 5xx. Worth trying again.
    InDoubt,
    /// An answer that another attempt would not change.
    Final,
}

/// Why a call has ended without success.
pub(crate) struct Failure<E> {
    /// The last thing heard.
    pub(crate) error: SdkError<E, HttpResponse>,
    pub(crate) fault: Fault,
    /// Whether any attempt may have been done, the last one or one before.
    pub(crate) doubt: bool,
    pub(crate) attempts: u32,
}

impl<E: Error + Send + Sync + 'static> Failure<E> {
    pub(crate) fn into_source(self) -> Source {
        Box::new(self.error)
    }
}

/// What a failure means wherever no operation says otherwise.
/// Source: Amazon DynamoDB Developer Guide, *Error handling with DynamoDB*.
pub(crate) fn judge<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Fault {
    match error {
        SdkError::ConstructionFailure(_) => Fault::Final,
        SdkError::ServiceError(service) => match service.err().code() {
            Some(
                "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "Throttling"
                | "RequestLimitExceeded"
                | "LimitExceededException"
                | "TransactionConflictException"
                | "ReplicatedWriteConflictException",
            ) => Fault::Busy,
            // An earlier attempt of ours is still at work.
            Some("TransactionInProgressException") => Fault::InDoubt,
            Some(_) | None if service.raw().status().is_server_error() => Fault::InDoubt,
            Some(_) | None => Fault::Final,
        },
        // Timeouts, lost connections, unreadable answers, and whatever the SDK will add.
        _ => Fault::InDoubt,
    }
}

/// Calls until it succeeds, is refused for good, or patience ends.
pub(crate) async fn patiently<T, E, Call, Attempt>(
    meter: &Meter,
    judge: impl Fn(&SdkError<E, HttpResponse>) -> Fault,
    call: Call,
) -> Result<T, Failure<E>>
where
    Call: FnMut() -> Attempt,
    Attempt: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    less_patiently(meter, MOST_ATTEMPTS, judge, call).await
}

/// The same for a caller who knows another way than to wait for others: it ends when they have been in the way so often.
pub(crate) async fn less_patiently<T, E, Call, Attempt>(
    meter: &Meter,
    most_busy: u32,
    judge: impl Fn(&SdkError<E, HttpResponse>) -> Fault,
    mut call: Call,
) -> Result<T, Failure<E>>
where
    Call: FnMut() -> Attempt,
    Attempt: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let started = Instant::now();
    let mut doubt = false;
    let (mut attempts, mut busy) = (0_u32, 0_u32);
    loop {
        attempts = attempts.saturating_add(1);
        meter.request();
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let fault = judge(&error);
        doubt |= fault == Fault::InDoubt;
        busy = busy.saturating_add(u32::from(fault == Fault::Busy));
        if fault == Fault::Final || attempts >= MOST_ATTEMPTS || busy >= most_busy || started.elapsed() >= PATIENCE {
            return Err(Failure { error, fault, doubt, attempts });
        }
        pause(attempts).await;
    }
}

/// Waits before another attempt, after so many. Full jitter: callers that failed together do not come back together.
pub(crate) async fn pause(attempts: u32) {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    tokio::time::sleep(Duration::from_micros(rand::random_range(0..=micros))).await;
}
