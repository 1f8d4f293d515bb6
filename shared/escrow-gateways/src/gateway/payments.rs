//! Money that comes in and goes back: what is asked of a gateway, and the words in which it answers.

use escrow_domain::id::{EscrowId, PaymentId, RefundId, TopUpId};
use escrow_domain::money::Money;
use escrow_domain::payment::{Method, Mode};
use escrow_domain::time::Timestamp;
use std::fmt;

/// The wish to be paid: everything of which the request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCheckout {
    /// Whose payment it is.
    pub whose: Whose,
    /// Where the buyer pays.
    pub mode: Mode,
    /// What the buyer is charged.
    pub money: Money,
    /// What the buyer reads on the page and on the receipt.
    pub description: String,
    /// How the buyer pays; `None` leaves the choice to the gateway's page or form.
    pub method: Option<Method>,
    /// Where the buyer goes after paying. It proves nothing: anybody can open it. Of no use to [`Mode::Elements`]: the marketplace's own
    /// page names it when the buyer pays there.
    pub success_url: String,
    /// Where the buyer goes after giving up. Likewise.
    pub cancel_url: String,
    /// When the page shall end. What is opened for [`Mode::Elements`] does not end by itself: it must be closed.
    pub expires_at: Timestamp,
}

/// Whose a payment is: the aggregate that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// An escrow's; the id leads to the escrow.
    Payment(PaymentId),
    /// A payment into a wallet.
    TopUp(TopUpId),
}

/// A way to pay that is open to the buyer.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedCheckout {
    /// The gateway's id of it (Stripe: `cs_…` of a page, `pi_…` of what a form pays).
    pub reference: String,
    /// The page; `None` for [`Mode::Elements`].
    pub url: Option<String>,
    /// With what the marketplace's own page lets the buyer pay; `None` for [`Mode::Hosted`]. For that buyer alone.
    pub client_secret: Option<String>,
    /// When it ends, as the gateway says; as it was asked where the gateway ends nothing by itself.
    pub expires_at: Timestamp,
}

/// Without the client secret: whoever has it can pay, and read what the buyer entered.
impl fmt::Debug for OpenedCheckout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedCheckout")
            .field("reference", &self.reference)
            .field("url", &self.url)
            .field("client_secret", &self.client_secret.as_ref().map(|_| "…"))
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// How a payment stands at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentStanding {
    /// The buyer can still pay.
    Open,
    /// The buyer has paid by a way that takes time.
    Processing,
    /// The money has arrived.
    Paid(PaidCapture),
    /// Nobody can pay it any more: expired, cancelled, or failed for good.
    Closed,
}

/// Money that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidCapture {
    /// The gateway's id of the capture (Stripe: the payment intent, `pi_…`).
    pub capture: String,
    /// How much, as the gateway says; it is for the caller to compare it with what was asked.
    pub money: Money,
}

/// The wish to give money back: everything of which the request is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundAsk {
    /// The escrow that held it.
    pub escrow: EscrowId,
    /// Our id of the refund.
    pub refund: RefundId,
    /// The gateway's id of the capture that is given back, in whole or in part.
    pub capture: String,
    /// How much.
    pub money: Money,
}

/// A refund as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundStanding {
    /// The gateway's id of it (Stripe: `re_…`).
    pub reference: String,
    /// How far it is.
    pub state: RefundState,
    /// How much goes back, as the gateway says.
    pub money: Money,
}

/// How far a refund is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundState {
    /// The gateway has it and will say how it ended. Also every state that is not known here: the default is to wait.
    Pending,
    /// The money went back. A bank can still return it, so `Failed` may follow.
    Succeeded,
    /// The money did not go back, and why in the gateway's word.
    Failed(String),
}

/// Whose a gateway's object is, by the ids that we put on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// The escrow; `None` if the object carries no id of ours: then it is not ours.
    pub escrow: Option<EscrowId>,
    /// The payment; never one of another escrow.
    pub payment: Option<PaymentId>,
    /// The top-up; never beside an escrow: no request of ours names both.
    pub top_up: Option<TopUpId>,
}

impl Origin {
    /// Whether the object carries any id of ours.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.escrow.is_some() || self.payment.is_some() || self.top_up.is_some()
    }
}
