//! The stored dispute, the stored freeze, the stored review.

use super::escrow::period;
use super::evidence::StoredWithin;
use super::{minor, word};
use escrow_domain::dispute::{Dispute, Proposal};
use escrow_domain::escrow::{Freeze, Review};
use escrow_domain::lifecycle::Role;
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
    /// Evidence, in format 1; since then it stands in items of its own.
    #[serde(default, skip_serializing)]
    v: Vec<StoredWithin>,
    /// How many pieces the buyer has brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eb: Option<u8>,
    /// How many the seller has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    es: Option<u8>,
    /// The offer that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<StoredProposal>,
    /// How many offers were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pn: Option<u8>,
    /// Reminded for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rf: Option<i64>,
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

/// An offer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredProposal {
    /// Number.
    i: u16,
    /// By.
    y: String,
    /// To the buyer.
    b: i64,
    /// At.
    t: i64,
}

impl StoredDispute {
    /// The evidence that stood inside it in format 1.
    pub(super) fn into_evidence(self) -> Vec<StoredWithin> {
        self.v
    }
}

impl From<&Dispute> for StoredDispute {
    fn from(dispute: &Dispute) -> Self {
        let Dispute {
            milestone,
            amount,
            reason,
            evidence_of_buyer,
            evidence_of_seller,
            proposal,
            proposals,
            reminded_for,
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
            v: Vec::new(),
            eb: (*evidence_of_buyer > 0).then_some(*evidence_of_buyer),
            es: (*evidence_of_seller > 0).then_some(*evidence_of_seller),
            p: proposal.as_ref().map(StoredProposal::from),
            pn: (*proposals > 0).then_some(*proposals),
            rf: reminded_for.map(Timestamp::as_millis),
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
        let within = |role: Role, counted: Option<u8>| -> Result<u8, String> {
            let within = stored.v.iter().filter(|piece| piece.is_by(role)).count();
            match (counted, u8::try_from(within)) {
                (Some(counted), Ok(0)) => Ok(counted),
                (None, Ok(within)) => Ok(within),
                (Some(_), Ok(_)) | (_, Err(_)) => Err("evidence of two formats, or without end".to_owned()),
            }
        };
        Ok(Self {
            milestone: stored.m,
            amount: minor(stored.a)?,
            reason: stored.n,
            evidence_of_buyer: within(Role::Buyer, stored.eb)?,
            evidence_of_seller: within(Role::Seller, stored.es)?,
            proposal: stored.p.map(TryInto::try_into).transpose()?,
            proposals: stored.pn.unwrap_or_default(),
            reminded_for: stored.rf.map(Timestamp::from_millis),
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

impl From<&Proposal> for StoredProposal {
    fn from(proposal: &Proposal) -> Self {
        let Proposal { number, by, to_buyer, at } = proposal;
        Self { i: *number, y: by.as_str().to_owned(), b: to_buyer.units(), t: at.as_millis() }
    }
}

impl TryFrom<StoredProposal> for Proposal {
    type Error = String;

    fn try_from(stored: StoredProposal) -> Result<Self, String> {
        Ok(Self {
            number: stored.i,
            by: word(&stored.y)?,
            to_buyer: minor(stored.b)?,
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
