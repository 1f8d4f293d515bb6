//! What a commit has promised to do at a gateway, and how sure we are that it was done.
//!
//! Opening a checkout is not among them: it moves no money, and the payment that is `opening` holds its request. The caller's
//! retry sends the same bytes under the same key, or the payment expires.
//!
//! `Ready` means that no request was ever sent. A worker claims an effect before it sends; while its answer is in doubt it never
//! goes back to `Ready`. Two workers that both believe that they own one claim pay twice, so a claim is known by its token: a
//! random number of the invocation, never by the operation or the fence alone.
//!
//! The protocol is written once, here, on one effect; escrows ([`crate::work`]) and payouts ([`crate::payout`]) commit what it says.

use crate::decide::Moment;
use crate::policy::words;
use crate::refusal::Broken;
use crate::time::{Period, Timestamp};
use std::fmt;

/// A claim lasts this long. It outlives the function's time-out with the request's own deadline of 30 seconds.
pub const LEASE: Period = Period::minutes(1);
/// After the last lease, this long must pass before the gateway's "I know of no such thing" is believed.
pub const QUIET: Period = Period::minutes(15);
/// No interval between two tries is longer.
const LONGEST_BACK_OFF: Period = Period::hours(1);
/// The token of a claim that its worker has given up: no worker's own, since theirs are random.
const NOBODY: [u8; 16] = [0; 16];

/// How long the gateway repeats its answer to one key, with a margin; `None` if it knows no keys.
pub type KeyLife = Option<Period>;

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

/// Whether an effect may be sent, apart from the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It moves no money: it may always be sent, and sent again.
    Harmless,
    /// It moves money, and nothing stops it.
    Free,
    /// It moves money, and a freeze, a review or a hold stops it.
    Stopped,
}

/// What a worker does with an effect that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing before this moment.
    Wait(Timestamp),
    /// Claim it, and send with this key.
    Send,
    /// Claim it, and ask the gateway whether it was done; only if not, see [`Effect::not_found`].
    LookUp,
    /// Nothing: an operator decides, or it is no longer wanted.
    Leave,
}

/// What a look-up that found nothing allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Believed {
    /// Too early to be believed: a request may still be on its way. The claim is given up, and the look-up comes again.
    NotYet,
    /// It was not done: the claim's holder may send it, under the key that it now has.
    Yes,
}

impl<T> Effect<T> {
    /// A promise that is due at once.
    #[must_use]
    pub const fn promised(task: T, now: Moment) -> Self {
        Self {
            task,
            progress: Progress::Ready,
            due_at: now.at,
            tries: 0,
            key_suffix: 0,
            look_up_first: false,
            epoch: now.epoch,
        }
    }

    /// What to do with it now.
    #[must_use]
    pub fn plan(&self, way: Way, key_life: KeyLife, now: Moment) -> Plan {
        match (self.progress, way) {
            (Progress::InDoubt(_), Way::Harmless | Way::Free | Way::Stopped) => Plan::Leave,
            (Progress::Ready, Way::Harmless) => Plan::Send,
            // A promise that was never sent waits for the end of a stop. One that may have been sent must be found out.
            (Progress::Ready, Way::Stopped) => Plan::Leave,
            // Promised before a restore, or sent before by an operator's account: perhaps it is there.
            (Progress::Ready, Way::Free) if self.epoch < now.epoch || self.look_up_first => Plan::LookUp,
            (Progress::Ready, Way::Free) => Plan::Send,
            (Progress::Sending(claim), Way::Harmless | Way::Free | Way::Stopped) if now.at < claim.lease_until => {
                Plan::Wait(claim.lease_until)
            }
            (Progress::Sending(_), Way::Harmless) => Plan::Send,
            // The first request may never have arrived: then another would pay in spite of the stop. Looking pays nothing.
            (Progress::Sending(_), Way::Stopped) => Plan::LookUp,
            (Progress::Sending(claim), Way::Free) => match key_life {
                Some(life)
                    if !self.look_up_first && self.epoch >= now.epoch && now.at < claim.first_sent.after(life) =>
                {
                    Plan::Send
                }
                Some(_) | None => Plan::LookUp,
            },
        }
    }

    /// Claims it for the holder of this token, as its plan allows.
    ///
    /// # Errors
    /// [`Broken`] if another's lease is running or an operator decides: the caller planned on another state.
    pub fn claim(&mut self, token: [u8; 16], now: Moment) -> Result<(), Broken> {
        let lease_until = now.at.after(LEASE);
        let claim = match self.progress {
            Progress::Ready => Claim { token, fence: 1, lease_until, first_sent: now.at, earlier_lease: None },
            Progress::Sending(before) if now.at >= before.lease_until => Claim {
                token,
                fence: before.fence.checked_add(1).ok_or(Broken("claims without end"))?,
                lease_until,
                first_sent: before.first_sent,
                earlier_lease: Some(before.lease_until),
            },
            Progress::Sending(_) | Progress::InDoubt(_) => return Err(Broken("a claim on what is claimed")),
        };
        self.progress = Progress::Sending(claim);
        self.due_at = lease_until;
        self.tries = self.tries.saturating_add(1);
        Ok(())
    }

    /// The claim that this token holds, if it still does.
    #[must_use]
    pub fn claimed_by(&self, token: [u8; 16]) -> Option<Claim> {
        match self.progress {
            Progress::Sending(claim) if claim.token == token => Some(claim),
            Progress::Sending(_) | Progress::Ready | Progress::InDoubt(_) => None,
        }
    }

    /// The answer is in doubt: it stays claimed, and is tried again later. After a 5xx the gateway is asked first.
    pub fn put_off(&mut self, look_up_first: bool, now: Moment) {
        self.look_up_first = self.look_up_first || look_up_first;
        self.due_at = self.due_at.max(now.at.after(back_off(self.tries)));
    }

    /// The gateway says that it knows of no such thing. Believed only after the quiet period; then another key is used, unless no
    /// request was ever sent.
    ///
    /// `now` is the moment at which the gateway was **asked**: what it did between that and its answer is not in the answer.
    ///
    /// # Errors
    /// [`Broken`] if this token does not hold the claim, or there are no more keys.
    pub fn not_found(&mut self, token: [u8; 16], now: Moment) -> Result<Believed, Broken> {
        let claim = self.claimed_by(token).ok_or(Broken("a look-up without a claim"))?;
        match claim.earlier_lease {
            Some(ended) if now.at < ended.after(QUIET) => {
                // This claim sent nothing, so it does not count as a request: the quiet period runs from the one before. It is given
                // up with that: whoever still held it would read here that no request was ever sent.
                let waiting = Claim { token: NOBODY, lease_until: ended, earlier_lease: None, ..claim };
                self.progress = Progress::Sending(waiting);
                self.due_at = ended.after(QUIET);
                Ok(Believed::NotYet)
            }
            earlier => {
                let fresh = Claim { first_sent: now.at, ..claim };
                if earlier.is_some() {
                    self.key_suffix = self.key_suffix.checked_add(1).ok_or(Broken("keys without end"))?;
                }
                self.progress = Progress::Sending(fresh);
                self.look_up_first = false;
                self.epoch = now.epoch;
                Ok(Believed::Yes)
            }
        }
    }

    /// Nobody can find out whether it was done: an operator decides.
    pub fn in_doubt(&mut self) {
        if let Progress::Sending(claim) = self.progress {
            self.progress = Progress::InDoubt(claim);
        }
    }

    /// An operator says that it was not done: promised anew, under another key. Operators err, and looking costs nothing: the gateway
    /// is asked first.
    ///
    /// # Errors
    /// [`Broken`] if there are no more keys.
    pub fn retry(&mut self, now: Moment) -> Result<(), Broken> {
        self.key_suffix = self.key_suffix.checked_add(1).ok_or(Broken("keys without end"))?;
        self.progress = Progress::Ready;
        self.look_up_first = true;
        self.due_at = now.at;
        self.epoch = now.epoch;
        self.tries = 0;
        Ok(())
    }

    /// The gateway said no for now, and that no is final ([`Claim::refusal_is_final`]): nothing of it is under way any more. It is sent
    /// again later, under another key: the gateway would repeat its no for the life of this one.
    ///
    /// # Errors
    /// [`Broken`] if there are no more keys.
    pub fn not_now(&mut self, later: Timestamp, now: Moment) -> Result<(), Broken> {
        self.key_suffix = self.key_suffix.checked_add(1).ok_or(Broken("keys without end"))?;
        self.progress = Progress::Ready;
        self.look_up_first = false;
        self.due_at = later;
        self.epoch = now.epoch;
        Ok(())
    }

    /// The key under which the gateway knows its request: the id of what it does, and a suffix where another key was needed.
    #[must_use]
    pub fn key(&self, id: impl fmt::Display) -> String {
        if self.key_suffix == 0 { id.to_string() } else { format!("{id}-{}", self.key_suffix) }
    }
}

impl Claim {
    /// Whether a gateway's definite no may be believed: no other request of this effect was ever sent, or the last one was long ago.
    /// A twin of this request may be alive, and may still succeed.
    #[must_use]
    pub fn refusal_is_final(&self, now: Timestamp) -> bool {
        self.earlier_lease.is_none_or(|ended| now >= ended.after(QUIET))
    }
}

/// 1, 2, 4 … minutes, up to an hour.
fn back_off(tries: u8) -> Period {
    let minutes = 1_u32.checked_shl(u32::from(tries).saturating_sub(1)).unwrap_or(u32::MAX);
    Period::minutes(minutes.min(60)).min(LONGEST_BACK_OFF)
}

/// When something that the gateway calls pending is looked up again, after so many look-ups: 1, 2, 4 … hours, up to a day.
#[must_use]
pub(crate) fn next_look_up(look_ups: u8, now: Timestamp) -> Timestamp {
    let hours = 1_u32.checked_shl(u32::from(look_ups)).unwrap_or(u32::MAX).min(24);
    now.after(Period::hours(hours))
}
