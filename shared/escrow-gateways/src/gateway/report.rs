//! The gateway's own account of what happened, to be compared with ours.
//!
//! Everything here is a list of a window of time, page by page and newest first. A page is one request; its caller asks for the next.

use super::payments::{Origin, PaymentStanding};
use escrow_domain::id::{PayoutId, RefundId};
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;

/// A page of the gateway's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPage {
    /// Newest first; a time that several share leaves their order to the gateway, the same for every page.
    pub lines: Vec<ReportLine>,
    /// What to ask for next; `None`: this was the last.
    pub next: Option<String>,
}

/// One movement of the platform's balance at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// The gateway's id of it (Stripe: `txn_…`).
    pub id: String,
    /// When it was booked, by the gateway's clock.
    pub at: Timestamp,
    /// How much the thing itself is about, in its own currency: what was charged, refunded, sent. `None` if it cannot be said exactly in
    /// ours: somebody has to look at it.
    pub money: Option<Money>,
    /// What it does to the platform's balance before fees, in the currency in which the gateway settles.
    pub settled: Signed,
    /// What the gateway takes for it, in that currency; negative: what it gives back.
    pub fee: Signed,
    /// What happened.
    pub what: What,
}

/// An amount with a direction, in the gateway's own count of the smallest unit and its word for the currency: the platform may settle in
/// a currency that no escrow is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Units; positive: to the platform.
    pub units: i64,
    /// Upper case.
    pub currency: String,
}

/// What a line of the statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A payment by a way that takes time is on its way, and nobody knows yet whether it will arrive; or it did not. A line of its own tells
    /// of its end only if it failed.
    Announced {
        /// The gateway's id of the capture.
        capture: Option<String>,
        /// Whose it is.
        origin: Origin,
    },
    /// Money arrived.
    Captured {
        /// The gateway's id of the capture; `None`: it has none, so it is not ours.
        capture: Option<String>,
        /// Whose it is.
        origin: Origin,
    },
    /// A payment that a line before had announced has failed.
    CaptureFailed {
        /// The gateway's id of the capture.
        capture: Option<String>,
        /// Whose it is.
        origin: Origin,
    },
    /// Money went back to a buyer.
    Refunded {
        /// The gateway's id of the refund.
        reference: String,
        /// Our id of it, if it is one of ours.
        refund: Option<RefundId>,
        /// The capture of which it is.
        capture: Option<String>,
    },
    /// A refund failed after all: its money came back.
    RefundFailed {
        /// The gateway's id of the refund.
        reference: String,
        /// Our id of it, if it is one of ours.
        refund: Option<RefundId>,
        /// The capture of which it was.
        capture: Option<String>,
    },
    /// Money went to a seller's account.
    Transferred {
        /// The gateway's id of the transfer.
        reference: String,
        /// Our id of the payout, if it is one of ours.
        payout: Option<PayoutId>,
    },
    /// Money came back from a seller's account.
    TransferReversed {
        /// The gateway's id of the return.
        reference: String,
        /// The transfer of which it is.
        transfer: Option<String>,
    },
    /// The gateway took what a card's holder disputes.
    ChargedBack {
        /// The gateway's id of the chargeback.
        reference: String,
        /// The capture that is disputed.
        capture: Option<String>,
    },
    /// The gateway gave it back.
    ChargebackReversed {
        /// The gateway's id of the chargeback.
        reference: String,
        /// The capture that was disputed.
        capture: Option<String>,
    },
    /// Something else: fees, payouts to the platform's own bank, reserves.
    Other {
        /// The gateway's word for it.
        kind: String,
    },
}

/// A page of what was opened to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentsPage {
    /// Only what carries an id of ours; newest first within a kind of object. What one payment tells may stand in two lines: its page's and
    /// its capture's.
    pub lines: Vec<PaymentLine>,
    /// What to ask for next; `None`: this was the last.
    pub next: Option<String>,
}

/// Something that was opened to be paid, as it stands at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentLine {
    /// The gateway's id of it (Stripe: `cs_…` of a page, `pi_…` of an intent).
    pub reference: String,
    /// Whose it is.
    pub origin: Origin,
    /// When it was opened, by the gateway's clock.
    pub created_at: Timestamp,
    /// How it stands, as far as this object says: a page that is complete and unpaid is `Processing` although its payment may have failed, and
    /// the intent of such a page is `Open` although nobody can pay it any more. `Paid` and `Closed` are what they say.
    pub standing: PaymentStanding,
}
