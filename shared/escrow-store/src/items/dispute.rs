//! The stored dispute with its evidence, the stored freeze, the stored review.

use super::escrow::period;
use super::{minor, word};
use escrow_domain::dispute::{Dispute, Evidence};
use escrow_domain::escrow::{Freeze, Review};
use escrow_domain::money::Minor;
use escrow_domain::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};

/// A dispute. Money in minor units, times and periods in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredDispute {
    /// Milestone.
    m: u8,
    /// Amount.
    a: i64,
    /// Reason.
    n: String,
    /// Evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    v: Vec<StoredEvidence>,
    /// Status.
    st: String,
    /// Opened at.
    o: i64,
    /// Evidence until.
    u: i64,
    /// Rule by.
    r: i64,
    /// Left of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<i64>,
    /// To the buyer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<i64>,
    /// Ended at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
}

/// A piece of evidence.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEvidence {
    /// Kind.
    k: String,
    /// Where it is.
    u: String,
    /// Its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<String>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// By.
    b: String,
    /// At.
    t: i64,
}

impl From<&Dispute> for StoredDispute {
    fn from(dispute: &Dispute) -> Self {
        let Dispute {
            milestone,
            amount,
            reason,
            evidence,
            status,
            opened_at,
            evidence_until,
            rule_by,
            clock_left,
            to_buyer,
            ended_at,
        } = dispute;
        Self {
            m: *milestone,
            a: amount.units(),
            n: reason.clone(),
            v: evidence.iter().map(StoredEvidence::from).collect(),
            st: status.as_str().to_owned(),
            o: opened_at.as_millis(),
            u: evidence_until.as_millis(),
            r: rule_by.as_millis(),
            c: clock_left.map(Period::as_millis),
            b: to_buyer.map(Minor::units),
            e: ended_at.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<StoredDispute> for Dispute {
    type Error = String;

    fn try_from(stored: StoredDispute) -> Result<Self, String> {
        Ok(Self {
            milestone: stored.m,
            amount: minor(stored.a)?,
            reason: stored.n,
            evidence: stored.v.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            status: word(&stored.st)?,
            opened_at: Timestamp::from_millis(stored.o),
            evidence_until: Timestamp::from_millis(stored.u),
            rule_by: Timestamp::from_millis(stored.r),
            clock_left: stored.c.map(period).transpose()?,
            to_buyer: stored.b.map(minor).transpose()?,
            ended_at: stored.e.map(Timestamp::from_millis),
        })
    }
}

impl From<&Evidence> for StoredEvidence {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { kind, uri, sha256, note, by, at } = evidence;
        Self {
            k: kind.clone(),
            u: uri.clone(),
            h: sha256.clone(),
            n: note.clone(),
            b: by.as_str().to_owned(),
            t: at.as_millis(),
        }
    }
}

impl TryFrom<StoredEvidence> for Evidence {
    type Error = String;

    fn try_from(stored: StoredEvidence) -> Result<Self, String> {
        Ok(Self {
            kind: stored.k,
            uri: stored.u,
            sha256: stored.h,
            note: stored.n,
            by: word(&stored.b)?,
            at: Timestamp::from_millis(stored.t),
        })
    }
}

/// Why nothing may leave.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredFreeze {
    /// Cause.
    k: String,
    /// Reason.
    n: String,
    /// Since.
    t: i64,
}

impl From<&Freeze> for StoredFreeze {
    fn from(freeze: &Freeze) -> Self {
        let Freeze { cause, reason, since } = freeze;
        Self { k: cause.as_str().to_owned(), n: reason.clone(), t: since.as_millis() }
    }
}

impl TryFrom<StoredFreeze> for Freeze {
    type Error = String;

    fn try_from(stored: StoredFreeze) -> Result<Self, String> {
        Ok(Self { cause: word(&stored.k)?, reason: stored.n, since: Timestamp::from_millis(stored.t) })
    }
}

/// What waits for an operator.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredReview {
    /// Cause.
    k: String,
    /// Part.
    i: u16,
    /// Note.
    n: String,
    /// Since.
    t: i64,
}

impl From<&Review> for StoredReview {
    fn from(review: &Review) -> Self {
        let Review { cause, part, note, since } = review;
        Self { k: cause.as_str().to_owned(), i: *part, n: note.clone(), t: since.as_millis() }
    }
}

impl TryFrom<StoredReview> for Review {
    type Error = String;

    fn try_from(stored: StoredReview) -> Result<Self, String> {
        Ok(Self { cause: word(&stored.k)?, part: stored.i, note: stored.n, since: Timestamp::from_millis(stored.t) })
    }
}
