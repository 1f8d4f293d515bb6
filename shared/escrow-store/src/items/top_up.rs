//! The stored top-up.

use super::bytes::Bytes;
use super::escrow::{money, read_money};
use super::journal::{Setting, StoredEntry, StoredJournal};
use super::payment::StoredPayment;
use super::{minor, word};
use crate::keys;
use escrow_domain::id::{TopUpId, UserId};
use escrow_domain::time::Timestamp;
use escrow_domain::top_up::{GivenBack, TopUp, TopUpChargeback};
use serde::{Deserialize, Serialize};

/// A top-up without its envelope. Money in minor units, times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Owner, apart from the escrows that they buy: also the partition in the index by buyer.
    b: String,
    /// Created, in milliseconds: also the sort key there.
    c: i64,
    /// Updated, in milliseconds after the creation.
    up: i64,
    /// Money: amount, unit.
    m: (i64, String),
    /// Payment.
    pa: StoredPayment,
    /// Given back by hand: capture, total, told at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gb: Vec<(u8, i64, i64)>,
    /// Chargebacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cb: Vec<StoredChargeback>,
    /// Head, entries and operations of the journal.
    h: Bytes,
    e: Vec<StoredEntry>,
    o: Bytes,
}

/// A chargeback.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredChargeback {
    /// Reference.
    r: String,
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
    /// Opened at.
    o: i64,
    /// Ended at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
}

impl From<&TopUp> for Stored {
    fn from(top_up: &TopUp) -> Self {
        let TopUp {
            id: _,
            owner,
            money: amount,
            payment,
            refunded,
            chargebacks,
            created_at,
            updated_at,
            journal,
            version: _,
        } = top_up;
        let setting = Setting { buyer: Some(owner), seller: None, currency: amount.currency };
        let StoredJournal { head, entries, operations } = StoredJournal::new(journal, setting);
        Self {
            b: keys::top_ups(owner),
            c: created_at.as_millis(),
            up: updated_at.as_millis().saturating_sub(created_at.as_millis()),
            m: money(*amount),
            pa: StoredPayment::from(payment),
            gb: refunded
                .iter()
                .map(|GivenBack { capture, total, told_at }| (*capture, total.units(), told_at.as_millis()))
                .collect(),
            cb: chargebacks.iter().map(StoredChargeback::from).collect(),
            h: head,
            e: entries,
            o: operations,
        }
    }
}

impl Stored {
    pub(super) fn into_top_up(self, id: TopUpId, version: u64) -> Result<TopUp, String> {
        let owner: UserId = word(self.b.strip_prefix(keys::TOP_UPS).ok_or("a top-up without an owner")?)?;
        let amount = read_money(self.m)?;
        let back = |(capture, total, told_at): (u8, i64, i64)| -> Result<GivenBack, String> {
            Ok(GivenBack { capture, total: minor(total)?, told_at: Timestamp::from_millis(told_at) })
        };
        let setting = Setting { buyer: Some(&owner), seller: None, currency: amount.currency };
        let journal = StoredJournal { head: self.h, entries: self.e, operations: self.o }.into_journal(setting)?;
        Ok(TopUp {
            id,
            money: amount,
            payment: self.pa.try_into()?,
            refunded: self.gb.into_iter().map(back).collect::<Result<_, _>>()?,
            chargebacks: self.cb.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            created_at: Timestamp::from_millis(self.c),
            updated_at: Timestamp::from_millis(self.c.checked_add(self.up).ok_or("a time beyond all times")?),
            journal,
            version,
            owner,
        })
    }
}

impl From<&TopUpChargeback> for StoredChargeback {
    fn from(chargeback: &TopUpChargeback) -> Self {
        let TopUpChargeback { reference, capture, amount, reason, status, taken, given_back, opened_at, ended_at } =
            chargeback;
        Self {
            r: reference.clone(),
            c: *capture,
            a: amount.units(),
            n: reason.clone(),
            st: status.as_str().to_owned(),
            k: taken.units(),
            b: given_back.units(),
            o: opened_at.as_millis(),
            e: ended_at.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<StoredChargeback> for TopUpChargeback {
    type Error = String;

    fn try_from(stored: StoredChargeback) -> Result<Self, String> {
        Ok(Self {
            reference: stored.r,
            capture: stored.c,
            amount: minor(stored.a)?,
            reason: stored.n,
            status: word(&stored.st)?,
            taken: minor(stored.k)?,
            given_back: minor(stored.b)?,
            opened_at: Timestamp::from_millis(stored.o),
            ended_at: stored.e.map(Timestamp::from_millis),
        })
    }
}
