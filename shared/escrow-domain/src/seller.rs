//! A seller, as somebody who is paid: accounts at gateways, whether they can be paid there, and if not, what is missing.

use crate::id::{GatewayName, UserId};
use crate::payout::BankState;
use crate::policy::words;
use crate::time::Timestamp;

/// A seller's accounts. No money stands here: it is in the wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// Who.
    pub owner: UserId,
    /// At most one for each gateway.
    pub accounts: Vec<SellerAccount>,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// When something last changed.
    pub updated_at: Timestamp,
    /// Counts the commits; 0 is a seller that was never stored.
    pub version: u64,
}

/// An account of a seller at a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerAccount {
    /// Which gateway.
    pub gateway: GatewayName,
    /// The gateway's id of it (Stripe: `acct_…`); `None` until the gateway's answer is stored.
    pub account: Option<String>,
    /// How often another key was needed to open it (a gateway replays a stored failure for the key's life).
    pub attempt: u8,
    /// How far it is.
    pub state: AccountState,
    /// What the gateway still wants to know of the seller, in its words (Stripe: `requirements.currently_due`); at most 50.
    pub currently_due: Vec<String>,
    /// Why the gateway has disabled it, in its word (Stripe: `requirements.disabled_reason`).
    pub disabled_reason: Option<String>,
    /// How the newest of the gateway's own payouts to the seller's bank stands.
    pub bank: Option<BankState>,
    /// When the gateway told of this state, by its own clock. The newest counts.
    pub told_at: Option<Timestamp>,
}

/// How far an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountState {
    /// The gateway has been asked for it, and its answer is not stored yet.
    Opening,
    /// The seller has to give what the gateway asks.
    Onboarding,
    /// The seller has given it; the gateway checks.
    Checking,
    /// Can be paid.
    Ready,
    /// The gateway has disabled it.
    Disabled,
    /// The seller has disconnected it.
    Disconnected,
}

words!(AccountState {
    Opening = "opening",
    Onboarding = "onboarding",
    Checking = "checking",
    Ready = "ready",
    Disabled = "disabled",
    Disconnected = "disconnected",
});

/// What a gateway tells of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTold {
    /// Which gateway.
    pub gateway: GatewayName,
    /// The gateway's id of the account.
    pub account: String,
    /// Whether transfers to it are possible (Stripe: `capabilities.transfers` is `active`).
    pub transfers: bool,
    /// Whether it is paid out to a bank (Stripe: `payouts_enabled`).
    pub payouts: bool,
    /// Whether the seller has given everything that was asked (Stripe: `details_submitted`).
    pub submitted: bool,
    /// Whether the seller took away the platform's access (Stripe: `account.application.deauthorized`).
    pub disconnected: bool,
    /// What the gateway still wants to know.
    pub currently_due: Vec<String>,
    /// Why it is disabled.
    pub disabled_reason: Option<String>,
    /// When it was so, by the gateway's clock.
    pub told_at: Timestamp,
}
