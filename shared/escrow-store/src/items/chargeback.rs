//! The stored chargeback, and the stored credit on its way to a wallet.

use super::{minor, word};
use escrow_domain::chargeback::Chargeback;
use escrow_domain::escrow::DeferredCredit;
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A dispute of a card's holder at the bank. Money in minor units, times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredChargeback {
    /// Reference.
    r: String,
    /// Gateway.
    g: String,
    /// Payment.
    p: u16,
    /// Capture.
    c: u8,
    /// Amount.
    a: i64,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// Status.
    st: String,
    /// Taken.
    k: i64,
    /// Given back.
    b: i64,
    /// Borne by the escrow.
    #[serde(default, skip_serializing_if = "is_zero")]
    be: i64,
    /// Borne by the seller.
    #[serde(default, skip_serializing_if = "is_zero")]
    bs: i64,
    /// Owed by the buyer.
    #[serde(default, skip_serializing_if = "is_zero")]
    bb: i64,
    /// Opened at.
    o: i64,
    /// Ended at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl From<&Chargeback> for StoredChargeback {
    fn from(chargeback: &Chargeback) -> Self {
        let Chargeback {
            reference,
            gateway,
            payment,
            capture,
            amount,
            reason,
            status,
            taken,
            given_back,
            of_escrow,
            of_seller,
            of_buyer,
            opened_at,
            ended_at,
        } = chargeback;
        Self {
            r: reference.clone(),
            g: gateway.as_str().to_owned(),
            p: *payment,
            c: *capture,
            a: amount.units(),
            n: reason.clone(),
            st: status.as_str().to_owned(),
            k: taken.units(),
            b: given_back.units(),
            be: of_escrow.units(),
            bs: of_seller.units(),
            bb: of_buyer.units(),
            o: opened_at.as_millis(),
            e: ended_at.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<StoredChargeback> for Chargeback {
    type Error = String;

    fn try_from(stored: StoredChargeback) -> Result<Self, String> {
        Ok(Self {
            reference: stored.r,
            gateway: word(&stored.g)?,
            payment: stored.p,
            capture: stored.c,
            amount: minor(stored.a)?,
            reason: stored.n,
            status: word(&stored.st)?,
            taken: minor(stored.k)?,
            given_back: minor(stored.b)?,
            of_escrow: minor(stored.be)?,
            of_seller: minor(stored.bs)?,
            of_buyer: minor(stored.bb)?,
            opened_at: Timestamp::from_millis(stored.o),
            ended_at: stored.e.map(Timestamp::from_millis),
        })
    }
}

/// A credit that a commit has promised to a wallet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredCredit {
    /// To whom.
    o: String,
    /// Amount.
    a: i64,
    /// Kind.
    k: String,
    /// Entry.
    e: u32,
    /// Since.
    t: i64,
}

impl From<&DeferredCredit> for StoredCredit {
    fn from(credit: &DeferredCredit) -> Self {
        let DeferredCredit { owner, amount, kind, entry, since } = credit;
        Self {
            o: owner.as_str().to_owned(),
            a: amount.units(),
            k: kind.as_str().to_owned(),
            e: *entry,
            t: since.as_millis(),
        }
    }
}

impl TryFrom<StoredCredit> for DeferredCredit {
    type Error = String;

    fn try_from(stored: StoredCredit) -> Result<Self, String> {
        Ok(Self {
            owner: word(&stored.o)?,
            amount: minor(stored.a)?,
            kind: word(&stored.k)?,
            entry: stored.e,
            since: Timestamp::from_millis(stored.t),
        })
    }
}
