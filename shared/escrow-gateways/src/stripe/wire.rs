//! Stripe's JSON, as far as it is read: answers and the objects inside events.
//!
//! The SDK's own response types are not used. They demand every field of one API version and refuse an answer (or a stored
//! event) of another, older or newer one, although nothing that we need has changed; a refusal to read `paid` would leave money
//! in doubt. Here a field is demanded only if nothing can be said without it, and a state that is not known is `Other`.
//!
//! `miniserde` reads answers, because the SDK's client does; `serde` reads events.

use super::amounts;
use crate::gateway::{Origin, RefundState};
use escrow_domain::id::{EscrowId, PaymentId, RefundId};
use escrow_domain::money::Money;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Texts that we put on an object. Stripe keeps them apart per object.
pub(super) type Metadata = BTreeMap<String, String>;

/// The names of our ids in metadata.
pub(super) const ESCROW_ID: &str = "escrow_id";
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const REFUND_ID: &str = "refund_id";
pub(super) const PAYOUT_ID: &str = "payout_id";

/// `checkout.session`, as the answer to the wish for one.
#[derive(Debug, miniserde::Deserialize)]
pub(super) struct NewSession {
    pub(super) id: String,
    pub(super) url: Option<String>,
    pub(super) expires_at: Option<i64>,
}

/// `checkout.session`
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) payment_status: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) amount_total: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) client_reference_id: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

/// A session's `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionStatus {
    Open,
    Complete,
    Expired,
    Other,
}

/// A session's `payment_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaymentStatus {
    /// `paid`, and `no_payment_required`.
    Paid,
    Unpaid,
    Other,
}

impl Session {
    pub(super) fn status(&self) -> SessionStatus {
        match self.status.as_deref() {
            Some("open") => SessionStatus::Open,
            Some("complete") => SessionStatus::Complete,
            Some("expired") => SessionStatus::Expired,
            _ => SessionStatus::Other,
        }
    }

    pub(super) fn payment_status(&self) -> PaymentStatus {
        match self.payment_status.as_deref() {
            Some("paid" | "no_payment_required") => PaymentStatus::Paid,
            Some("unpaid") => PaymentStatus::Unpaid,
            _ => PaymentStatus::Other,
        }
    }

    pub(super) fn money(&self) -> Option<Money> {
        amounts::from_stripe(self.amount_total?, self.currency.as_deref()?)
    }

    /// Whose it is: by its metadata, else by `client_reference_id`.
    pub(super) fn origin(&self) -> Origin {
        let metadata = self.metadata.as_ref();
        let reference = || self.client_reference_id.as_deref().and_then(|text| text.parse().ok());
        of_one_escrow(text(metadata, ESCROW_ID).or_else(reference), text(metadata, PAYMENT_ID))
    }
}

/// `payment_intent`
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) amount: Option<i64>,
    pub(super) amount_received: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) last_payment_error: Option<PaymentError>,
}

/// Why the newest try to pay failed.
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct PaymentError {
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
}

/// An intent's `status`, as far as its session's state does not say it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntentStatus {
    Succeeded,
    /// Cancelled, or back at the start after a try that took time: its session is complete, so no other try can be made.
    Over,
    Other,
}

impl Intent {
    pub(super) fn status(&self) -> IntentStatus {
        match self.status.as_deref() {
            Some("succeeded") => IntentStatus::Succeeded,
            Some("canceled" | "requires_payment_method") => IntentStatus::Over,
            _ => IntentStatus::Other,
        }
    }

    /// What arrived; what was asked for where an old version does not say what arrived.
    pub(super) fn money(&self) -> Option<Money> {
        amounts::from_stripe(self.amount_received.or(self.amount)?, self.currency.as_deref()?)
    }

    pub(super) fn origin(&self) -> Origin {
        origin(self.metadata.as_ref())
    }

    /// The bank's code where there is one, else Stripe's.
    pub(super) fn decline(self) -> Option<String> {
        self.last_payment_error.and_then(|error| error.decline_code.or(error.code))
    }
}

/// `refund`
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) status: Option<String>,
    pub(super) failure_reason: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

impl Refund {
    pub(super) fn money(&self) -> Option<Money> {
        amounts::from_stripe(self.amount?, self.currency.as_deref()?)
    }

    /// `requires_action` (the buyer must give a bank account) is pending too, like everything that is not known.
    pub(super) fn state(&self) -> RefundState {
        match self.status.as_deref() {
            Some("succeeded") => RefundState::Succeeded,
            Some(over @ ("failed" | "canceled")) => {
                RefundState::Failed(self.failure_reason.as_deref().unwrap_or(over).to_owned())
            }
            _ => RefundState::Pending,
        }
    }

    pub(super) fn escrow(&self) -> Option<EscrowId> {
        origin(self.metadata.as_ref()).escrow
    }

    /// Our id of it; never one of another escrow than it names.
    pub(super) fn refund(&self) -> Option<RefundId> {
        let refund: RefundId = text(self.metadata.as_ref(), REFUND_ID)?;
        self.escrow().is_none_or(|escrow| escrow == refund.escrow).then_some(refund)
    }
}

/// A page of refunds.
#[derive(Debug, miniserde::Deserialize)]
pub(super) struct Refunds {
    pub(super) data: Vec<Refund>,
    pub(super) has_more: Option<bool>,
}

/// `charge`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Charge {
    pub(super) payment_intent: Option<String>,
    pub(super) amount_refunded: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

/// `dispute`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) status: Option<String>,
    pub(super) reason: Option<String>,
}

/// `transfer`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Transfer {
    pub(super) id: String,
    pub(super) amount_reversed: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) reversals: Option<Reversals>,
}

/// The first page of a transfer's reversals, newest first.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Reversals {
    pub(super) data: Vec<Reversal>,
}

/// `transfer_reversal`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Reversal {
    pub(super) id: String,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
}

/// `payout`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Payout {
    pub(super) id: String,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) failure_code: Option<String>,
}

/// `account`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) payouts_enabled: Option<bool>,
    pub(super) details_submitted: Option<bool>,
    pub(super) requirements: Option<Requirements>,
}

/// What an account still has to show.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Requirements {
    pub(super) disabled_reason: Option<String>,
    pub(super) currently_due: Option<Vec<String>>,
}

/// The body of an answer that is an error.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Failure {
    pub(super) error: ApiError,
}

/// Stripe's error object.
#[derive(Debug, serde::Deserialize)]
pub(super) struct ApiError {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) message: Option<String>,
}

/// Whose an object is, by its metadata.
pub(super) fn origin(metadata: Option<&Metadata>) -> Origin {
    of_one_escrow(text(metadata, ESCROW_ID), text(metadata, PAYMENT_ID))
}

/// A payment of another escrow than the one that is named is no payment of ours.
fn of_one_escrow(escrow: Option<EscrowId>, payment: Option<PaymentId>) -> Origin {
    let fits = |payment: &PaymentId| escrow.is_none_or(|escrow| escrow == payment.escrow);
    Origin { escrow, payment: payment.filter(fits) }
}

/// One of our ids; what is missing or is no id of that kind is not ours.
pub(super) fn text<T: FromStr>(metadata: Option<&Metadata>, name: &str) -> Option<T> {
    metadata?.get(name)?.parse().ok()
}
