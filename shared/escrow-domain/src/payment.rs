//! Money coming in (payments and what they captured) and going back (refunds).

use crate::currency::Currency;
use crate::id::GatewayName;
use crate::money::{Minor, Money};
use crate::policy::words;
use crate::time::Timestamp;
use std::fmt;

/// Where the money of a payment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A payment gateway.
    Gateway(GatewayName),
    /// The buyer's wallet.
    Wallet,
}

/// How the buyer pays. `None` in a payment leaves the choice to the gateway's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the payment method of that name")]
pub enum Method {
    Card,
    Visa,
    Mastercard,
    Mada,
    ApplePay,
    GooglePay,
    StcPay,
    PayPal,
}

words!(Method {
    Card = "card",
    Visa = "visa",
    Mastercard = "mastercard",
    Mada = "mada",
    ApplePay = "apple_pay",
    GooglePay = "google_pay",
    StcPay = "stc_pay",
    PayPal = "paypal",
});

/// Where the buyer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// On a page of the gateway's.
    #[default]
    Hosted,
    /// On the marketplace's own page, with the gateway's form in it (Stripe: a payment intent and its client secret).
    Elements,
}

words!(Mode { Hosted = "hosted", Elements = "elements" });

/// Where an attempt to pay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentStatus {
    /// The gateway has been asked for a page, and its answer is not stored yet.
    Opening,
    /// The buyer can pay.
    Open,
    /// The buyer has paid by a way that takes time; the gateway will say how it ended.
    Processing,
    /// Captured, and held for its milestones.
    Paid,
    /// Captured, but it fitted nothing: it goes back.
    Absorbed,
    /// Cancelled or expired here; the gateway is being told.
    Closing,
    /// Nobody can pay it any more.
    Closed,
    /// The gateway refused to open it.
    Refused,
}

words!(PaymentStatus {
    Opening = "opening",
    Open = "open",
    Processing = "processing",
    Paid = "paid",
    Absorbed = "absorbed",
    Closing = "closing",
    Closed = "closed",
    Refused = "refused",
});

/// What a gateway was asked to open; kept until its answer is stored, so that a retry sends the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutRequest {
    /// What the buyer reads on the page.
    pub description: String,
    /// Where the buyer goes after paying.
    pub success_url: String,
    /// Where the buyer goes after giving up.
    pub cancel_url: String,
}

/// A capture: money that arrived. The same capture again is the same fact; another capture is more money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The gateway's id of it (Stripe: the payment intent).
    pub id: String,
    /// What arrived, in minor units of what was charged: see [`Payment::charged`].
    pub amount: Minor,
    /// When.
    pub at: Timestamp,
    /// Whether it pays for milestones; if not, it was absorbed, and goes back.
    pub applied: bool,
    /// What the gateway gave back of it that nobody here had asked for, in the same unit.
    pub unasked: Minor,
}

/// One attempt to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Where the money comes from.
    pub source: Source,
    /// How, where the caller chose.
    pub method: Option<Method>,
    /// Where the buyer pays.
    pub mode: Mode,
    /// What it pays: the milestones' amounts with the buyer's fees, in the escrow's unit.
    pub amount: Minor,
    /// What the gateway charges for it, where that is another unit: a coin's price at the rate that was pinned.
    pub pay_in: Option<Money>,
    /// The milestones that it pays, by index.
    pub milestones: Vec<u8>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What the gateway was asked, until its answer is stored.
    pub request: Option<CheckoutRequest>,
    /// How often another key was needed (a gateway replays a stored failure for the key's life).
    pub attempt: u8,
    /// The gateway's id of the page (Stripe: the checkout session).
    pub reference: Option<String>,
    /// The page, while the buyer can pay.
    pub url: Option<String>,
    /// What the marketplace's own page needs to let the buyer pay, while they can. For the buyer alone: it is never logged.
    pub client_secret: Option<String>,
    /// When the page ends.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// What arrived.
    pub captures: Vec<Capture>,
}

impl Payment {
    /// What is charged at the gateway: the amount in the escrow's unit, or what was pinned for it in another.
    #[must_use]
    pub fn charged(&self, unit: Currency) -> Money {
        self.pay_in.unwrap_or_else(|| self.amount.of(unit))
    }

    /// The gateway at which it is made; `None` for one from the buyer's wallet.
    #[must_use]
    pub const fn gateway(&self) -> Option<GatewayName> {
        match self.source {
            Source::Gateway(name) => Some(name),
            Source::Wallet => None,
        }
    }

    /// Whether the buyer could still pay it, as far as is known here.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.status, PaymentStatus::Opening | PaymentStatus::Open | PaymentStatus::Processing)
    }

    /// The capture with that id, and its index.
    #[must_use]
    pub fn capture(&self, id: &str) -> Option<(usize, &Capture)> {
        self.captures.iter().enumerate().find(|(_, capture)| capture.id == id)
    }

    /// The key under which the gateway knows the request that opens it: `{payment}-{attempt}`, and for the first only `{payment}`.
    #[must_use]
    pub fn key(&self, payment: impl fmt::Display) -> String {
        if self.attempt == 0 { payment.to_string() } else { format!("{payment}-{}", self.attempt) }
    }
}

/// What a refund gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundOf {
    /// Money of a milestone, by its index.
    Milestone(u8),
    /// A payment that fitted nothing.
    Unapplied,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// A commit promised it; its effect carries it to the gateway.
    Promised,
    /// The gateway has it and will say how it ended.
    Pending,
    /// The buyer has it.
    Succeeded,
    /// The gateway could not: an operator decides.
    Failed,
    /// An operator has found that the buyer has it.
    Resolved,
    /// It failed or was withdrawn, and something else took its place: another refund, a credit to the buyer's wallet, a lost chargeback.
    /// No gateway has made it.
    Replaced,
}

words!(RefundStatus {
    Promised = "promised",
    Pending = "pending",
    Succeeded = "succeeded",
    Failed = "failed",
    Resolved = "resolved",
    Replaced = "replaced",
});

/// Money on its way back to the buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Of which payment, by number.
    pub payment: u16,
    /// Of which of its captures, by index.
    pub capture: u8,
    /// What it gives back.
    pub of: RefundOf,
    /// What leaves the milestone's buckets, in minor units. Nothing for an unapplied payment.
    pub principal: Minor,
    /// What the buyer gets: the principal and the share of the buyer's fee. Of a payment that fitted nothing, in minor units of what was
    /// charged; else in minor units of the escrow's currency. See [`crate::escrow::Escrow::refund_money`].
    pub amount: Minor,
    /// Where it stands.
    pub status: RefundStatus,
    /// The gateway's id of it.
    pub reference: Option<String>,
    /// When it was promised.
    pub promised_at: Timestamp,
    /// When a refund that the gateway calls pending is looked up next.
    pub look_up_at: Option<Timestamp>,
    /// How often it was looked up; the intervals grow.
    pub look_ups: u8,
}

impl Refund {
    /// Whether nothing more is expected of it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.status, RefundStatus::Succeeded | RefundStatus::Resolved | RefundStatus::Replaced)
    }
}
