//! The stored seller with the accounts at gateways, the pointer from an account to its seller, and how a bank stands to a payout.

use super::word;
use crate::keys::Key;
use escrow_domain::id::UserId;
use escrow_domain::payout::BankState;
use escrow_domain::seller::{Seller, SellerAccount};
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A seller. Who it is stands in the key. Times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Accounts.
    a: Vec<StoredAccount>,
    /// Created at.
    g: i64,
    /// Updated, in milliseconds after the creation.
    up: i64,
}

/// An account at a gateway.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAccount {
    /// Gateway.
    g: String,
    /// The gateway's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<String>,
    /// Attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u8>,
    /// State.
    st: String,
    /// What the gateway still wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    c: Vec<String>,
    /// Why it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// Its bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<StoredBank>,
    /// Told at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<i64>,
}

/// How a bank stands to a payout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredBank {
    /// Status.
    st: String,
    /// Reference.
    r: String,
    /// Reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// Told at.
    t: i64,
}

/// Whose account it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPointer {
    /// The seller.
    pub(super) o: String,
}

impl From<&Seller> for Stored {
    fn from(seller: &Seller) -> Self {
        let Seller { owner: _, accounts, created_at, updated_at, version: _ } = seller;
        Self {
            a: accounts.iter().map(StoredAccount::from).collect(),
            g: created_at.as_millis(),
            up: updated_at.as_millis().saturating_sub(created_at.as_millis()),
        }
    }
}

impl Stored {
    pub(super) fn into_seller(self, key: &Key, version: u64) -> Result<Seller, String> {
        let owner: UserId = word(key.pk.strip_prefix("S#").ok_or("a seller without a name")?)?;
        Ok(Seller {
            owner,
            accounts: self.a.into_iter().map(TryInto::try_into).collect::<Result<_, String>>()?,
            created_at: Timestamp::from_millis(self.g),
            updated_at: Timestamp::from_millis(self.g.checked_add(self.up).ok_or("a time beyond all times")?),
            version,
        })
    }
}

impl From<&SellerAccount> for StoredAccount {
    fn from(account: &SellerAccount) -> Self {
        let SellerAccount { gateway, account, attempt, state, currently_due, disabled_reason, bank, told_at } = account;
        Self {
            g: gateway.as_str().to_owned(),
            i: account.clone(),
            n: (*attempt > 0).then_some(*attempt),
            st: state.as_str().to_owned(),
            c: currently_due.clone(),
            x: disabled_reason.clone(),
            k: bank.as_ref().map(StoredBank::from),
            t: told_at.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<StoredAccount> for SellerAccount {
    type Error = String;

    fn try_from(stored: StoredAccount) -> Result<Self, String> {
        Ok(Self {
            gateway: word(&stored.g)?,
            account: stored.i,
            attempt: stored.n.unwrap_or_default(),
            state: word(&stored.st)?,
            currently_due: stored.c,
            disabled_reason: stored.x,
            bank: stored.k.map(TryInto::try_into).transpose()?,
            told_at: stored.t.map(Timestamp::from_millis),
        })
    }
}

impl From<&BankState> for StoredBank {
    fn from(bank: &BankState) -> Self {
        let BankState { status, reference, reason, told_at } = bank;
        Self { st: status.as_str().to_owned(), r: reference.clone(), x: reason.clone(), t: told_at.as_millis() }
    }
}

impl TryFrom<StoredBank> for BankState {
    type Error = String;

    fn try_from(stored: StoredBank) -> Result<Self, String> {
        Ok(Self {
            status: word(&stored.st)?,
            reference: stored.r,
            reason: stored.x,
            told_at: Timestamp::from_millis(stored.t),
        })
    }
}
