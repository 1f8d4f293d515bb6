//! What a commit has promised to do at a gateway, and how sure we are that it was done.
//!
//! Opening a checkout is not among them: it moves no money, and the payment that is `opening` holds its request. The caller's
//! retry sends the same bytes under the same key, or the payment expires.
//!
//! `Ready` means that no request was ever sent. A worker claims an effect before it sends; while its answer is in doubt it never
//! goes back to `Ready`. Two workers that both believe that they own one claim pay twice, so a claim is known by its token: a
//! random number of the invocation, never by the operation or the fence alone.

use crate::policy::words;
use crate::time::Timestamp;

/// What is to be done at a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// See to it that the payment of that number can no longer be paid.
    ClosePayment(u16),
    /// Make the refund of that number.
    Refund(u16),
}

/// A worker's claim on an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Random, of this invocation: the only proof that a claim is one's own.
    pub token: [u8; 16],
    /// Counts the claims of this effect.
    pub fence: u32,
    /// After this moment another worker may claim it.
    pub lease_until: Timestamp,
    /// When the first request under the present key was sent. Never moves: it decides until when that key may be sent again.
    pub first_sent: Timestamp,
    /// The end of the lease under which the request before this one was sent; `None` if this claim is the first.
    pub earlier_lease: Option<Timestamp>,
}

/// How far an effect is. One that is over is no longer in the item: its result is a fact in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Never sent.
    Ready,
    /// A request is, or may be, on its way.
    Sending(Claim),
    /// Neither an answer nor a look-up could tell; an operator decides.
    InDoubt(Claim),
}

words!(ProgressName { Ready = "ready", Sending = "sending", InDoubt = "in_doubt" });

/// The name of a [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "see `Progress`")]
pub enum ProgressName {
    Ready,
    Sending,
    InDoubt,
}

impl Progress {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> ProgressName {
        match self {
            Self::Ready => ProgressName::Ready,
            Self::Sending(_) => ProgressName::Sending,
            Self::InDoubt(_) => ProgressName::InDoubt,
        }
    }
}

/// One promise: of an escrow's tasks, or of another aggregate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect<T = Task> {
    /// What.
    pub task: T,
    /// How far.
    pub progress: Progress,
    /// When it is to be tried (again).
    pub due_at: Timestamp,
    /// How often it was tried; the intervals grow: 1, 2, 4 … minutes up to an hour.
    pub tries: u8,
    /// Another key was needed so often: a gateway replays a stored 5xx for the key's life.
    pub key_suffix: u8,
    /// Look before sending again: the gateway answered with a 5xx, which it may replay for the key's life, or an operator says that a
    /// refund in doubt was not made.
    pub look_up_first: bool,
    /// The deployment's epoch when it was promised. After a restore from backup the epoch is raised, and effects of an older
    /// one are looked up before anything is sent.
    pub epoch: u32,
}
