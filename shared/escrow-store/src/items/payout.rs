//! The stored payout.

use super::account::StoredBank;
use super::bytes::Bytes;
use super::effect::StoredEffect;
use super::escrow::{money, read_money};
use super::journal::{Setting, StoredEntry, StoredJournal};
use super::{minor, word};
use crate::keys;
use escrow_domain::id::{EscrowId, PayoutId, UserId};
use escrow_domain::journal::Actor;
use escrow_domain::payout::{Payout, Rail, TiedTo, Waiting};
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A payout without its envelope. Money in minor units, times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Owner, apart from the escrows that they sell: also the partition in the index by seller.
    s: String,
    /// Created, in milliseconds: also the sort key there.
    c: i64,
    /// Updated, in milliseconds after the creation.
    up: i64,
    /// Money: amount, unit.
    m: (i64, String),
    /// Rail: gateway and account; by hand if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<(String, String)>,
    /// Tied to this escrow's capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ti: Option<(String, String)>,
    /// Asked by: role.
    y: String,
    /// Asked by: who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ys: Option<String>,
    /// Status.
    st: String,
    /// Reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rf: Option<String>,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// Waiting: cause, reason, since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wa: Option<(String, String, i64)>,
    /// Returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<i64>,
    /// Bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<StoredBank>,
    /// Effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ef: Option<StoredEffect>,
    /// Sending since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ss: Option<i64>,
    /// Look up at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lo: Option<i64>,
    /// Look-ups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lc: Option<u8>,
    /// Alarm at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    al: Option<i64>,
    /// Head, entries and operations of the journal.
    h: Bytes,
    e: Vec<StoredEntry>,
    o: Bytes,
}

impl From<&Payout> for Stored {
    fn from(payout: &Payout) -> Self {
        let Payout {
            id: _,
            owner,
            money: amount,
            rail,
            tied_to,
            asked_by,
            status,
            reference,
            reason,
            waiting,
            returned,
            bank,
            effect,
            sending_since,
            look_up_at,
            look_ups,
            alarm_at,
            created_at,
            updated_at,
            journal,
            version: _,
        } = payout;
        let Actor { role, sub } = asked_by;
        let setting = Setting { buyer: None, seller: Some(owner), currency: amount.currency };
        let StoredJournal { head, entries, operations } = StoredJournal::new(journal, setting);
        Self {
            s: keys::payouts(owner),
            c: created_at.as_millis(),
            up: updated_at.as_millis().saturating_sub(created_at.as_millis()),
            m: money(*amount),
            l: match rail {
                Rail::Gateway { gateway, account } => Some((gateway.as_str().to_owned(), account.clone())),
                Rail::ByHand => None,
            },
            ti: tied_to.as_ref().map(|TiedTo { escrow, capture }| (escrow.body().to_owned(), capture.clone())),
            y: role.as_str().to_owned(),
            ys: sub.as_ref().map(|sub| sub.as_str().to_owned()),
            st: status.as_str().to_owned(),
            rf: reference.clone(),
            x: reason.clone(),
            wa: waiting
                .as_ref()
                .map(|Waiting { cause, reason, since }| (cause.as_str().to_owned(), reason.clone(), since.as_millis())),
            z: (!returned.is_zero()).then_some(returned.units()),
            k: bank.as_ref().map(StoredBank::from),
            ef: effect.as_ref().map(StoredEffect::from),
            ss: sending_since.map(Timestamp::as_millis),
            lo: look_up_at.map(Timestamp::as_millis),
            lc: (*look_ups > 0).then_some(*look_ups),
            al: alarm_at.map(Timestamp::as_millis),
            h: head,
            e: entries,
            o: operations,
        }
    }
}

impl Stored {
    pub(super) fn into_payout(self, id: PayoutId, version: u64) -> Result<Payout, String> {
        let owner: UserId = word(self.s.strip_prefix(keys::PAYOUTS).ok_or("a payout without an owner")?)?;
        let amount = read_money(self.m)?;
        let rail = |(gateway, account): (String, String)| -> Result<Rail, String> {
            Ok(Rail::Gateway { gateway: word(&gateway)?, account })
        };
        let tied = |(escrow, capture): (String, String)| -> Result<TiedTo, String> {
            Ok(TiedTo { escrow: EscrowId::from_body(&escrow).map_err(|_| "tied to no escrow")?, capture })
        };
        let waiting = |(cause, reason, since): (String, String, i64)| -> Result<Waiting, String> {
            Ok(Waiting { cause: word(&cause)?, reason, since: Timestamp::from_millis(since) })
        };
        let setting = Setting { buyer: None, seller: Some(&owner), currency: amount.currency };
        let journal = StoredJournal { head: self.h, entries: self.e, operations: self.o }.into_journal(setting)?;
        Ok(Payout {
            id,
            money: amount,
            rail: self.l.map_or(Ok(Rail::ByHand), rail)?,
            tied_to: self.ti.map(tied).transpose()?,
            asked_by: Actor { role: word(&self.y)?, sub: self.ys.as_deref().map(word).transpose()? },
            status: word(&self.st)?,
            reference: self.rf,
            reason: self.x,
            waiting: self.wa.map(waiting).transpose()?,
            returned: minor(self.z.unwrap_or_default())?,
            bank: self.k.map(TryInto::try_into).transpose()?,
            effect: self.ef.map(TryInto::try_into).transpose()?,
            sending_since: self.ss.map(Timestamp::from_millis),
            look_up_at: self.lo.map(Timestamp::from_millis),
            look_ups: self.lc.unwrap_or_default(),
            alarm_at: self.al.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(self.c),
            updated_at: Timestamp::from_millis(self.c.checked_add(self.up).ok_or("a time beyond all times")?),
            journal,
            version,
            owner,
        })
    }
}
