//! The stored escrow: its terms, and the lists of its parts.

use super::bytes::Bytes;
use super::chargeback::{StoredChargeback, StoredCredit};
use super::dispute::{StoredDispute, StoredFreeze, StoredReview};
use super::effect::StoredEffect;
use super::journal::{self, Setting, StoredEntry, StoredPosting};
use super::milestone::StoredMilestone;
use super::payment::{StoredPayment, StoredRefund};
use super::{minor, word};
use crate::keys;
use escrow_domain::currency::Currency;
use escrow_domain::dispute::NewEvidence;
use escrow_domain::escrow::{Escrow, Subject, Terms};
use escrow_domain::id::EscrowId;
use escrow_domain::journal::Journal;
use escrow_domain::money::Money;
use escrow_domain::policy::Policy;
use escrow_domain::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An escrow without its envelope. Lists and notes that are empty are left out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Buyer: also the partition of their index.
    b: String,
    /// Seller: also the partition of their index.
    s: String,
    /// Subject: also the partition of its index.
    j: String,
    /// Created, in milliseconds: also the sort key of these three.
    c: i64,
    /// Updated, in milliseconds after the creation.
    up: i64,
    /// Kind.
    k: String,
    /// Unit: a code and its number of digits.
    u: String,
    /// Policy.
    po: StoredPolicy,
    /// Who pays the fee.
    fp: String,
    /// Metadata.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    x: BTreeMap<String, String>,
    /// Milestones.
    m: Vec<StoredMilestone>,
    /// Payments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pa: Vec<StoredPayment>,
    /// Refunds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    re: Vec<StoredRefund>,
    /// Disputes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    di: Vec<StoredDispute>,
    /// Chargebacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cb: Vec<StoredChargeback>,
    /// Credits on their way to a wallet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cr: Vec<StoredCredit>,
    /// Freezes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fr: Vec<StoredFreeze>,
    /// Reviews.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rv: Vec<StoredReview>,
    /// Stopped since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ss: Option<i64>,
    /// Alarm at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    al: Option<i64>,
    /// Effects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ef: Vec<StoredEffect>,
    /// Head of the journal's chain.
    h: Bytes,
    /// How many entries have moved into pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pg: Option<u32>,
    /// What the postings of those leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ca: Vec<StoredPosting>,
    /// The entries since then.
    e: Vec<StoredEntry>,
    /// All operations ever, sixteen bytes each, in one piece.
    o: Bytes,
}

/// A policy; periods in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPolicy {
    /// Auto-release after.
    r: i64,
    /// Deliver within.
    d: i64,
    /// Dispute window.
    w: i64,
    /// Cancel window.
    c: i64,
    /// Checkout expires after.
    x: i64,
    /// Dispute ruled within.
    u: i64,
    /// Dispute default.
    f: String,
}

impl From<&Escrow> for Stored {
    fn from(escrow: &Escrow) -> Self {
        // Named one by one: a field that the domain adds must be stored, and the compiler asks for it here.
        let Escrow {
            id: _,
            terms,
            milestones,
            payments,
            refunds,
            disputes,
            chargebacks,
            credits,
            freezes,
            reviews,
            stopped_since,
            alarm_at,
            effects,
            journal,
            version: _,
            updated_at,
        } = escrow;
        let Terms { kind, subject, buyer, seller, currency, policy, fee_payer, metadata, created_at } = terms;
        let setting = Setting::of_terms(terms);
        Self {
            b: buyer.as_str().to_owned(),
            s: seller.as_str().to_owned(),
            j: keys::subject(&subject.kind, &subject.id),
            c: created_at.as_millis(),
            up: updated_at.as_millis().saturating_sub(created_at.as_millis()),
            k: kind.as_str().to_owned(),
            u: unit(*currency),
            po: StoredPolicy::from(policy),
            fp: fee_payer.as_str().to_owned(),
            x: metadata.clone(),
            m: milestones.iter().map(StoredMilestone::from).collect(),
            pa: payments.iter().map(StoredPayment::from).collect(),
            re: refunds.iter().map(StoredRefund::from).collect(),
            di: disputes.iter().map(StoredDispute::from).collect(),
            cb: chargebacks.iter().map(StoredChargeback::from).collect(),
            cr: credits.iter().map(StoredCredit::from).collect(),
            fr: freezes.iter().map(StoredFreeze::from).collect(),
            rv: reviews.iter().map(StoredReview::from).collect(),
            ss: stopped_since.map(Timestamp::as_millis),
            al: alarm_at.map(Timestamp::as_millis),
            ef: effects.iter().map(StoredEffect::from).collect(),
            h: Bytes(journal.head.to_vec()),
            pg: (journal.paged > 0).then_some(journal.paged),
            ca: journal.carried.iter().map(|posting| StoredPosting::new(posting, *currency)).collect(),
            e: journal.entries.iter().map(|entry| StoredEntry::new(entry, setting)).collect(),
            o: journal::operations(&journal.operations),
        }
    }
}

impl Stored {
    /// The evidence that stood inside its disputes in format 1, as the items of its own that it becomes.
    pub(super) fn into_evidence(self, escrow: EscrowId) -> Result<Vec<NewEvidence>, String> {
        let mut all = Vec::new();
        for (dispute, stored) in (0_u16..).zip(self.di) {
            for (number, within) in (0_u16..).zip(stored.into_evidence()) {
                all.push(NewEvidence { escrow, dispute, number, evidence: within.try_into()? });
            }
        }
        Ok(all)
    }

    pub(super) fn into_escrow(self, id: EscrowId, version: u64) -> Result<Escrow, String> {
        let (kind, subject) = self.j.split_once('#').ok_or("a subject without a type")?;
        let terms = Terms {
            kind: word(&self.k)?,
            subject: Subject { kind: kind.to_owned(), id: subject.to_owned() },
            buyer: word(&self.b)?,
            seller: word(&self.s)?,
            currency: read_unit(&self.u)?,
            policy: self.po.try_into()?,
            fee_payer: word(&self.fp)?,
            metadata: self.x,
            created_at: Timestamp::from_millis(self.c),
        };
        let setting = Setting::of_terms(&terms);
        let entries = self.e.into_iter().map(|entry| entry.into_entry(setting)).collect::<Result<_, _>>()?;
        let carried = self.ca.into_iter().map(|posting| posting.into_posting(terms.currency));
        let carried = carried.collect::<Result<_, _>>()?;
        Ok(Escrow {
            id,
            milestones: self.m.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            payments: self.pa.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            refunds: self.re.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            disputes: self.di.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            chargebacks: self.cb.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            credits: self.cr.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            freezes: self.fr.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            reviews: self.rv.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            stopped_since: self.ss.map(Timestamp::from_millis),
            alarm_at: self.al.map(Timestamp::from_millis),
            effects: self.ef.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            journal: Journal {
                head: self.h.exactly()?,
                paged: self.pg.unwrap_or_default(),
                carried,
                entries,
                operations: journal::read_operations(&self.o)?,
            },
            version,
            updated_at: Timestamp::from_millis(self.c.checked_add(self.up).ok_or("a time beyond all times")?),
            terms,
        })
    }
}

impl From<&Policy> for StoredPolicy {
    fn from(policy: &Policy) -> Self {
        let Policy {
            auto_release_after,
            deliver_within,
            dispute_window,
            cancel_window,
            checkout_expires_after,
            dispute_rule_within,
            dispute_default,
        } = policy;
        Self {
            r: auto_release_after.as_millis(),
            d: deliver_within.as_millis(),
            w: dispute_window.as_millis(),
            c: cancel_window.as_millis(),
            x: checkout_expires_after.as_millis(),
            u: dispute_rule_within.as_millis(),
            f: dispute_default.as_str().to_owned(),
        }
    }
}

impl TryFrom<StoredPolicy> for Policy {
    type Error = String;

    fn try_from(stored: StoredPolicy) -> Result<Self, String> {
        Ok(Self {
            auto_release_after: period(stored.r)?,
            deliver_within: period(stored.d)?,
            dispute_window: period(stored.w)?,
            cancel_window: period(stored.c)?,
            checkout_expires_after: period(stored.x)?,
            dispute_rule_within: period(stored.u)?,
            dispute_default: word(&stored.f)?,
        })
    }
}

/// A period, which is never negative.
pub(super) fn period(millis: i64) -> Result<Period, String> {
    if millis < 0 { Err("a period below zero".to_owned()) } else { Ok(Period::from_millis(millis)) }
}

/// A unit of money: its code, and behind it how many digits stand after the point. Stored, because a platform's coin may be taken
/// off its list while escrows still use it.
pub(super) fn unit(currency: Currency) -> String {
    format!("{}{}", currency.code(), currency.exponent())
}

/// Reads what [`unit`] wrote.
pub(super) fn read_unit(text: &str) -> Result<Currency, String> {
    let unknown = || format!("{text:?} is no unit of money");
    let (code, digits) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(unknown)?;
    Currency::coin(code, digits.parse().map_err(|_| unknown())?).map_err(|_| unknown())
}

/// Money of a unit of its own.
pub(super) fn money(money: Money) -> (i64, String) {
    let Money { amount, currency } = money;
    (amount.units(), unit(currency))
}

/// Reads what [`money`] wrote.
pub(super) fn read_money((amount, unit): (i64, String)) -> Result<Money, String> {
    Ok(Money { amount: minor(amount)?, currency: read_unit(&unit)? })
}
