//! The stored wallet and the stored line of its statement. Owner, unit's code and number stand in the key. No name here is that of
//! an index key (see [`crate::keys::attribute`]): neither has a place in any index.

use super::escrow::{read_unit, unit};
use super::{minor, word};
use crate::keys::{self, Key};
use escrow_domain::currency::Currency;
use escrow_domain::id::{EscrowId, UserId};
use escrow_domain::time::Timestamp;
use escrow_domain::wallet::{Wallet, WalletLine};
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
    /// On hold.
    h: bool,
    /// Lines.
    l: u64,
}

impl From<&Wallet> for Stored {
    fn from(wallet: &Wallet) -> Self {
        let Wallet { owner: _, currency, available, pending, debt, earned, withdrawn, on_hold, lines, version: _ } =
            wallet;
        Self {
            u: unit(*currency),
            a: available.units(),
            p: pending.units(),
            g: debt.units(),
            e: earned.units(),
            o: withdrawn.units(),
            h: *on_hold,
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
            on_hold: self.h,
            lines: self.l,
            version,
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
    /// The escrow behind it, without its prefix.
    i: String,
    /// The entry behind it.
    g: u32,
}

impl From<&WalletLine> for StoredLine {
    fn from(line: &WalletLine) -> Self {
        let WalletLine { owner: _, currency, number: _, at, kind, units, before, after, escrow, entry } = line;
        Self {
            u: unit(*currency),
            a: at.as_millis(),
            k: kind.as_str().to_owned(),
            m: *units,
            x: *before,
            y: *after,
            i: escrow.body().to_owned(),
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
            escrow: EscrowId::from_body(&self.i).map_err(|_| "a line without an escrow")?,
            entry: self.g,
        })
    }
}
