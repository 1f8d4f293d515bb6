//! The stored effect: a promise to a gateway, whatever was promised.

use super::bytes::Bytes;
use super::word;
use escrow_domain::effect::{Claim, Effect, Progress, ProgressName, Task};
use escrow_domain::payout::Transfer;
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What can be promised, as it is stored: a word, and the number of the part that it is about.
pub(super) trait StoredTask: Sized {
    fn write(&self) -> (&'static str, u16);
    fn read(word: &str, number: u16) -> Result<Self, String>;
}

const CLOSE: &str = "close";
const REFUND: &str = "refund";
const TRANSFER: &str = "transfer";

impl StoredTask for Task {
    fn write(&self) -> (&'static str, u16) {
        match self {
            Self::ClosePayment(number) => (CLOSE, *number),
            Self::Refund(number) => (REFUND, *number),
        }
    }

    fn read(word: &str, number: u16) -> Result<Self, String> {
        match word {
            CLOSE => Ok(Self::ClosePayment(number)),
            REFUND => Ok(Self::Refund(number)),
            other => Err(format!("{other:?} is no task")),
        }
    }
}

impl StoredTask for Transfer {
    fn write(&self) -> (&'static str, u16) {
        let Self = self;
        (TRANSFER, 0)
    }

    fn read(word: &str, number: u16) -> Result<Self, String> {
        if (word, number) == (TRANSFER, 0) { Ok(Self) } else { Err(format!("{word:?} is no task of a payout")) }
    }
}

/// A promise to a gateway.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredEffect {
    /// Task: `close`, `refund` or `transfer`.
    k: String,
    /// Of the payment or refund of this number.
    i: u16,
    /// Progress.
    st: String,
    /// Claim; one that is ready has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<StoredClaim>,
    /// Due at.
    d: i64,
    /// Tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u8>,
    /// Key suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<u8>,
    /// Look up before another send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<bool>,
    /// Epoch.
    e: u32,
}

/// A worker's claim.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredClaim {
    /// Token.
    w: Bytes,
    /// Fence.
    f: u32,
    /// Lease until.
    l: i64,
    /// First sent.
    s: i64,
    /// End of the newest lease before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
}

impl<T: StoredTask> From<&Effect<T>> for StoredEffect {
    fn from(effect: &Effect<T>) -> Self {
        let Effect { task, progress, due_at, tries, key_suffix, look_up_first, epoch } = effect;
        let (task, number) = task.write();
        let claim = match progress {
            Progress::Ready => None,
            Progress::Sending(claim) | Progress::InDoubt(claim) => Some(claim),
        };
        Self {
            k: task.to_owned(),
            i: number,
            st: progress.name().as_str().to_owned(),
            c: claim.map(StoredClaim::from),
            d: due_at.as_millis(),
            n: (*tries > 0).then_some(*tries),
            y: (*key_suffix > 0).then_some(*key_suffix),
            l: look_up_first.then_some(true),
            e: *epoch,
        }
    }
}

impl<T: StoredTask> TryFrom<StoredEffect> for Effect<T> {
    type Error = String;

    fn try_from(stored: StoredEffect) -> Result<Self, String> {
        let claim = stored.c.map(Claim::try_from).transpose()?;
        Ok(Self {
            task: T::read(&stored.k, stored.i)?,
            progress: match (word(&stored.st)?, claim) {
                (ProgressName::Ready, None) => Progress::Ready,
                (ProgressName::Sending, Some(claim)) => Progress::Sending(claim),
                (ProgressName::InDoubt, Some(claim)) => Progress::InDoubt(claim),
                (name, _) => return Err(format!("an effect that is {name} with this claim, or without one")),
            },
            due_at: Timestamp::from_millis(stored.d),
            tries: stored.n.unwrap_or_default(),
            key_suffix: stored.y.unwrap_or_default(),
            look_up_first: stored.l.unwrap_or_default(),
            epoch: stored.e,
        })
    }
}

impl From<&Claim> for StoredClaim {
    fn from(claim: &Claim) -> Self {
        let Claim { token, fence, lease_until, first_sent, earlier_lease } = claim;
        Self {
            w: Bytes(token.to_vec()),
            f: *fence,
            l: lease_until.as_millis(),
            s: first_sent.as_millis(),
            e: earlier_lease.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<StoredClaim> for Claim {
    type Error = String;

    fn try_from(stored: StoredClaim) -> Result<Self, String> {
        Ok(Self {
            token: stored.w.exactly()?,
            fence: stored.f,
            lease_until: Timestamp::from_millis(stored.l),
            first_sent: Timestamp::from_millis(stored.s),
            earlier_lease: stored.e.map(Timestamp::from_millis),
        })
    }
}
