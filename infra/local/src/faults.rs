//! Faults below the SDK, for tests: what networks and machines do to a call, at any call, on purpose.
//!
//! A [`Fault`] is asked before every call that a function makes to DynamoDB, to the queue or to a gateway. It sits under
//! the SDK's retries, so "done, but the answer was lost" is real. The machinery around the functions (the queue's
//! poller, tokens, verification) is not asked: it is not what is being proved.

mod gateway;
mod overtake;
mod sdk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

pub use gateway::GatewayProxy;
pub use sdk::FaultyHttp;
pub(crate) use sdk::operation;

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The table.
    DynamoDb,
    /// The settle queue.
    Queue,
    /// A payment gateway.
    Gateway,
}

/// One call that is about to leave a function.
#[derive(Debug)]
pub struct Call<'a> {
    /// How many calls were asked about before it, since the start: 0 for the first.
    pub number: u64,
    /// Whom it is for.
    pub target: Target,
    /// `TransactWriteItems`, `SendMessage`, or a gateway's `POST /v1/refunds`.
    pub operation: &'a str,
    /// The request's body as it will be sent.
    pub body: &'a [u8],
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes through.
    Pass,
    /// It never arrives.
    FailBeforeSending,
    /// It arrives and is done; the answer is lost on the way back.
    LoseAnswer,
    /// It arrives and is done, twice; the second answer comes back.
    SendTwice,
    /// It never arrives; the other side is said to have answered with this error.
    Answer {
        /// HTTP status.
        status: u16,
        /// The error's name: `ThrottlingException`, `TransactionConflictException`, or the whole body as JSON.
        code: String,
    },
    /// Somebody else is faster: the item that this member of a write (0 for a single put) is about to replace is one version
    /// further when it arrives, or, where nothing may stand yet, it stands there under somebody else's token.
    Overtake {
        /// Which member of the transaction.
        member: usize,
    },
    /// The process is killed before the call is sent.
    KillBefore,
    /// The process is killed after the call was done, before its answer is read.
    KillAfter,
}

/// Decides about every call. Called from many tasks at once.
pub trait Fault: Send + Sync + 'static {
    /// What is to happen to this call.
    fn decide(&self, call: &Call<'_>) -> Verdict;
}

impl<F: Fn(&Call<'_>) -> Verdict + Send + Sync + 'static> Fault for F {
    fn decide(&self, call: &Call<'_>) -> Verdict {
        self(call)
    }
}

/// The faults of one running system: the decider, the count of calls, and the switch that kills everything.
#[derive(Clone)]
pub struct Faults {
    fault: Option<Arc<dyn Fault>>,
    calls: Arc<AtomicU64>,
    killed: watch::Sender<bool>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Faults {
    /// No decider: every call passes.
    #[must_use]
    pub fn new(fault: Option<Arc<dyn Fault>>) -> Self {
        Self { fault, calls: Arc::default(), killed: watch::Sender::new(false) }
    }

    /// Whether anything may be injected at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.fault.is_some()
    }

    /// What is to happen to this call. After a kill nothing is sent any more.
    pub(crate) fn decide(&self, target: Target, operation: &str, body: &[u8]) -> Verdict {
        let Some(fault) = &self.fault else { return Verdict::Pass };
        if *self.killed.borrow() {
            return Verdict::KillBefore;
        }
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        fault.decide(&Call { number, target, operation, body })
    }

    /// Kills the process, as far as the functions can tell: the call that asked for it never returns.
    pub(crate) async fn kill<T>(&self) -> T {
        self.killed.send_replace(true);
        std::future::pending().await
    }

    /// After a kill that hit one invocation only: the next one begins on a new machine.
    pub(crate) fn revive(&self) {
        self.killed.send_replace(false);
    }

    /// Resolves once a fault has killed the process.
    pub(crate) async fn killed(&self) {
        let mut killed = self.killed.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = killed.wait_for(|killed| *killed).await;
    }
}

#[cfg(test)]
mod tests;
