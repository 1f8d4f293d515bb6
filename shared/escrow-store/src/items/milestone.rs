//! The stored milestone.

use super::escrow::period;
use super::{minor, word};
use escrow_domain::fees::Fee;
use escrow_domain::milestone::{Ask, AskFor, Buckets, Ended, Milestone};
use escrow_domain::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};

/// A milestone. Money in minor units, times and periods in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredMilestone {
    /// Title.
    t: String,
    /// Amount.
    a: i64,
    /// Fee: the buyer's, the seller's.
    f: (i64, i64),
    /// Money: unfunded, held, disputed, released, refunding, refunded.
    m: [i64; 6],
    /// How it ended unpaid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// Funded at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fu: Option<i64>,
    /// Delivered at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    de: Option<i64>,
    /// Deliver by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
    /// Auto-release at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ar: Option<i64>,
    /// What one side has asked the other for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<StoredAsk>,
    /// Reminded for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rf: Option<i64>,
    /// Rounds of changes.
    #[serde(default, skip_serializing_if = "is_zero")]
    r: i64,
    /// Extended by.
    #[serde(default, skip_serializing_if = "is_zero")]
    x: i64,
    /// Paused for.
    #[serde(default, skip_serializing_if = "is_zero")]
    p: i64,
}

/// What one side has asked the other for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAsk {
    /// By.
    y: String,
    /// That the deadline moves to this moment; that what is held goes back, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<i64>,
    /// At.
    t: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl From<&Milestone> for StoredMilestone {
    fn from(milestone: &Milestone) -> Self {
        let Milestone {
            title,
            amount,
            fee: Fee { buyer, seller },
            money: Buckets { unfunded, held, disputed, released, refunding, refunded },
            ended,
            funded_at,
            delivered_at,
            deliver_by,
            auto_release_at,
            asked,
            reminded_for,
            rounds,
            extended,
            paused,
        } = milestone;
        Self {
            t: title.clone(),
            a: amount.units(),
            f: (buyer.units(), seller.units()),
            m: [unfunded, held, disputed, released, refunding, refunded].map(|bucket| bucket.units()),
            e: ended.map(|ended| ended.as_str().to_owned()),
            fu: funded_at.map(Timestamp::as_millis),
            de: delivered_at.map(Timestamp::as_millis),
            by: deliver_by.map(Timestamp::as_millis),
            ar: auto_release_at.map(Timestamp::as_millis),
            k: asked.as_ref().map(StoredAsk::from),
            rf: reminded_for.map(Timestamp::as_millis),
            r: i64::from(*rounds),
            x: extended.as_millis(),
            p: paused.as_millis(),
        }
    }
}

impl TryFrom<StoredMilestone> for Milestone {
    type Error = String;

    fn try_from(stored: StoredMilestone) -> Result<Self, String> {
        let [unfunded, held, disputed, released, refunding, refunded] = stored.m;
        let ended: Option<Ended> = stored.e.as_deref().map(word).transpose()?;
        let extended: Period = period(stored.x)?;
        Ok(Self {
            title: stored.t,
            amount: minor(stored.a)?,
            fee: Fee { buyer: minor(stored.f.0)?, seller: minor(stored.f.1)? },
            money: Buckets {
                unfunded: minor(unfunded)?,
                held: minor(held)?,
                disputed: minor(disputed)?,
                released: minor(released)?,
                refunding: minor(refunding)?,
                refunded: minor(refunded)?,
            },
            ended,
            funded_at: stored.fu.map(Timestamp::from_millis),
            delivered_at: stored.de.map(Timestamp::from_millis),
            deliver_by: stored.by.map(Timestamp::from_millis),
            auto_release_at: stored.ar.map(Timestamp::from_millis),
            asked: stored.k.map(TryInto::try_into).transpose()?,
            reminded_for: stored.rf.map(Timestamp::from_millis),
            rounds: u8::try_from(stored.r).map_err(|_| "rounds beyond all bounds")?,
            extended,
            paused: period(stored.p)?,
        })
    }
}

impl From<&Ask> for StoredAsk {
    fn from(ask: &Ask) -> Self {
        let Ask { by, what, at } = ask;
        let until = match what {
            AskFor::Cancel => None,
            AskFor::Extend(until) => Some(until.as_millis()),
        };
        Self { y: by.as_str().to_owned(), u: until, t: at.as_millis() }
    }
}

impl TryFrom<StoredAsk> for Ask {
    type Error = String;

    fn try_from(stored: StoredAsk) -> Result<Self, String> {
        let what = stored.u.map_or(AskFor::Cancel, |until| AskFor::Extend(Timestamp::from_millis(until)));
        Ok(Self { by: word(&stored.y)?, what, at: Timestamp::from_millis(stored.t) })
    }
}
