//! The stored wallet and the stored line of its statement. Owner, unit's code and number stand in the key. No name here is that of
//! an index key (see [`crate::keys::attribute`]): neither has a place in any index.

use super::escrow::{period, read_unit, unit};
use super::{minor, word};
use crate::keys::{self, Key};
use escrow_domain::currency::Currency;
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::wallet::{AutoPayout, MovedBy, Wallet, WalletLine};
use serde::{Deserialize, Serialize};

/// A wallet. Money in minor units.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Unit.
    u: String,
    /// Available.
    a: i64,
    /// Pending.
    p: i64,
    /// Debt.
    g: i64,
    /// Earned.
    e: i64,
    /// Withdrawn.
    o: i64,
    /// On hold, in format 1, which could not say why.
    #[serde(default, skip_serializing)]
    h: bool,
    /// Why it is on hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// How it is paid out without being asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<StoredAutoPayout>,
    /// Lines.
    l: u64,
}

/// A standing wish to be paid out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAutoPayout {
    /// Gateway; by hand if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
    /// Minimum.
    m: i64,
    /// Every.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
    /// Next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<i64>,
}

/// What format 1 says of a wallet on hold.
const HELD_BEFORE: &str = "on hold";

impl From<&Wallet> for Stored {
    fn from(wallet: &Wallet) -> Self {
        let Wallet {
            owner: _,
            currency,
            available,
            pending,
            debt,
            earned,
            withdrawn,
            hold,
            auto_payout,
            lines,
            version: _,
        } = wallet;
        Self {
            u: unit(*currency),
            a: available.units(),
            p: pending.units(),
            g: debt.units(),
            e: earned.units(),
            o: withdrawn.units(),
            h: false,
            y: hold.clone(),
            x: auto_payout.as_ref().map(StoredAutoPayout::from),
            l: *lines,
        }
    }
}

impl Stored {
    pub(super) fn into_wallet(self, key: &Key, version: u64) -> Result<Wallet, String> {
        let currency = read_unit(&self.u)?;
        let owner: UserId = word(key.pk.strip_prefix("W#").ok_or("a wallet without an owner")?)?;
        if keys::wallet(&owner, currency) != *key {
            return Err("a wallet with another unit than its key says".to_owned());
        }
        Ok(Wallet {
            owner,
            currency,
            available: minor(self.a)?,
            pending: minor(self.p)?,
            debt: minor(self.g)?,
            earned: minor(self.e)?,
            withdrawn: minor(self.o)?,
            hold: self.y.or_else(|| self.h.then(|| HELD_BEFORE.to_owned())),
            auto_payout: self.x.map(TryInto::try_into).transpose()?,
            lines: self.l,
            version,
        })
    }
}

impl From<&AutoPayout> for StoredAutoPayout {
    fn from(auto: &AutoPayout) -> Self {
        let AutoPayout { gateway, minimum, every, next } = auto;
        Self {
            g: gateway.map(|gateway| gateway.as_str().to_owned()),
            m: minimum.units(),
            e: every.map(Period::as_millis),
            n: next.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<StoredAutoPayout> for AutoPayout {
    type Error = String;

    fn try_from(stored: StoredAutoPayout) -> Result<Self, String> {
        Ok(Self {
            gateway: stored.g.as_deref().map(word).transpose()?,
            minimum: minor(stored.m)?,
            every: stored.e.map(period).transpose()?,
            next: stored.n.map(Timestamp::from_millis),
        })
    }
}

/// A line. Money in minor units, times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredLine {
    /// Unit.
    u: String,
    /// At.
    a: i64,
    /// Kind.
    k: String,
    /// What changed.
    m: i64,
    /// Balance before.
    x: i64,
    /// Balance after.
    y: i64,
    /// The aggregate behind it: an escrow without its prefix, a payout or a top-up with it.
    i: String,
    /// The entry behind it.
    g: u32,
}

impl From<&WalletLine> for StoredLine {
    fn from(line: &WalletLine) -> Self {
        let WalletLine { owner: _, currency, number: _, at, kind, units, before, after, of, entry } = line;
        Self {
            u: unit(*currency),
            a: at.as_millis(),
            k: kind.as_str().to_owned(),
            m: *units,
            x: *before,
            y: *after,
            i: aggregate(*of),
            g: *entry,
        }
    }
}

impl StoredLine {
    pub(super) fn into_line(self, key: &Key) -> Result<WalletLine, String> {
        let currency: Currency = read_unit(&self.u)?;
        let place = key.pk.strip_prefix("W#").and_then(|rest| rest.rsplit_once('#')).map(|(owner, _)| owner);
        let owner: UserId = word(place.ok_or("a line without an owner")?)?;
        let number: u64 = word(key.sk.strip_prefix("L#").ok_or("a line without a number")?)?;
        if keys::wallet_line(&owner, currency, number) != *key {
            return Err("a line with another unit or number than its key says".to_owned());
        }
        Ok(WalletLine {
            owner,
            currency,
            number,
            at: Timestamp::from_millis(self.a),
            kind: word(&self.k)?,
            units: self.m,
            before: self.x,
            after: self.y,
            of: read_aggregate(&self.i)?,
            entry: self.g,
        })
    }
}

fn aggregate(of: MovedBy) -> String {
    match of {
        MovedBy::Escrow(id) => id.body().to_owned(),
        MovedBy::Payout(id) => id.to_string(),
        MovedBy::TopUp(id) => id.to_string(),
    }
}

/// An escrow's 26 characters have no underscore, so no prefix is mistaken for one.
fn read_aggregate(text: &str) -> Result<MovedBy, String> {
    let escrow = EscrowId::from_body(text).map(MovedBy::Escrow);
    let other = || text.parse().map(MovedBy::Payout).or_else(|_| text.parse().map(MovedBy::TopUp));
    escrow.or_else(|_| other()).map_err(|_| format!("{text:?} is no aggregate that a wallet changes with"))
}
