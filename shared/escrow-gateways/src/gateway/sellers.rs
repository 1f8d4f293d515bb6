//! Money that goes to sellers: their accounts at a gateway, and transfers to them.

use escrow_domain::id::{GatewayName, PayoutId, UserId};
use escrow_domain::money::Money;
use escrow_domain::seller::AccountTold;
use escrow_domain::time::Timestamp;
use std::fmt;

/// The wish to send money to a seller's account: everything of which the request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferAsk {
    /// Our id of the payout.
    pub payout: PayoutId,
    /// The gateway's id of the account that gets it (Stripe: `acct_…`).
    pub account: String,
    /// How much.
    pub money: Money,
    /// The charge whose money it is, as [`crate::Gateway::charge_of`] names it; `None` takes it from the platform's balance.
    ///
    /// At Stripe a transfer with a charge is made at once, also while the charge's own money is on its way (docs.stripe.com/connect/
    /// separate-charges-and-transfers, "Transfer availability"). It must be in the currency in which the charge settled, and all
    /// transfers of one charge together can be no more than the charge. A refusal of such an ask may be about the tie alone: the same
    /// without a charge, under another key, is another request.
    pub charge: Option<String>,
    /// When the payout was asked for, by our clock. It is not sent: a look-up need not go back further.
    pub asked_at: Timestamp,
}

/// A transfer as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferStanding {
    /// The gateway's id of it (Stripe: `tr_…`).
    pub reference: String,
    /// How far it is.
    pub state: TransferState,
    /// How much was sent, as the gateway says.
    pub money: Money,
    /// How much of it has come back in all.
    pub reversed: Money,
}

/// How far a transfer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferState {
    /// The gateway has it and will say how it ended. Also every state that is not known here: the default is to wait.
    Pending,
    /// The money is in the seller's account. It can come back: see [`TransferStanding::reversed`].
    Sent,
    /// The money did not leave, and why in the gateway's word.
    Failed(String),
}

/// The wish for an account of a seller: everything of which the request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAsk {
    /// Whose it is.
    pub owner: UserId,
    /// To prefill the gateway's form.
    pub email: Option<String>,
    /// Two letters of ISO 3166; without it the gateway takes the platform's own. It cannot be changed later.
    pub country: Option<String>,
}

/// An account of a seller as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStanding {
    /// The gateway's id of it.
    pub account: String,
    /// Whose it is, by what we put on it; `None` of an account that no request of ours made.
    pub owner: Option<UserId>,
    /// Whether the gateway pays it out to a bank. `false` where it says nothing.
    pub payouts_enabled: bool,
    /// Whether money can be transferred to it. `false` where the gateway says nothing.
    pub transfers_active: bool,
    /// Whether its owner has given all that was asked at first.
    pub details_submitted: bool,
    /// What the gateway wants to know next, in its words.
    pub currently_due: Vec<String>,
    /// Why it is held back, in the gateway's word.
    pub disabled_reason: Option<String>,
}

impl AccountStanding {
    /// As the seller's own item takes it in, true at that moment.
    #[must_use]
    pub fn told(self, gateway: GatewayName, told_at: Timestamp) -> AccountTold {
        AccountTold {
            gateway,
            account: self.account,
            transfers: self.transfers_active,
            payouts: self.payouts_enabled,
            submitted: self.details_submitted,
            disconnected: false,
            currently_due: self.currently_due,
            disabled_reason: self.disabled_reason,
            told_at,
        }
    }
}

/// A page of the gateway's on which a seller says what it must know. It opens once, and soon ends: who comes back to an old one is sent
/// to `refresh_url`, where another must be made.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountLink {
    /// The page. For that seller alone: whoever opens it acts as them.
    pub url: String,
    /// When it ends; `None` where the gateway does not say.
    pub expires_at: Option<Timestamp>,
}

/// Without the address: whoever has it can open the page.
impl fmt::Debug for AccountLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountLink").field("url", &"…").field("expires_at", &self.expires_at).finish()
    }
}
