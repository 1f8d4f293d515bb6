//! Stripe's JSON, as far as it is read: answers and the objects inside events.
//!
//! The SDK's own response types are not used. They demand every field of one API version and refuse an answer (or a stored
//! event) of another, older or newer one, although nothing that we need has changed; a refusal to read `paid` would leave money
//! in doubt. Here a field is demanded only if nothing can be said without it, and a state that is not known is `Other`.
//!
//! `miniserde` reads answers, because the SDK's client does; `serde` reads events.

use super::amounts;
use crate::gateway::{AccountStanding, Origin, RefundState};
use escrow_domain::id::{EscrowId, PaymentId, PayoutId, RefundId, TopUpId};
use escrow_domain::money::Money;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Texts that we put on an object. Stripe keeps them apart per object.
pub(super) type Metadata = BTreeMap<String, String>;

/// The names of our ids in metadata.
pub(super) const ESCROW_ID: &str = "escrow_id";
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const REFUND_ID: &str = "refund_id";
pub(super) const TOP_UP_ID: &str = "top_up_id";
pub(super) const PAYOUT_ID: &str = "payout_id";
pub(super) const SELLER: &str = "seller";

/// `checkout.session`, as the answer to the wish for one.
#[derive(Debug, miniserde::Deserialize)]
pub(super) struct NewSession {
    pub(super) id: String,
    pub(super) url: Option<String>,
    pub(super) expires_at: Option<i64>,
}

/// `payment_intent`, as the answer to the wish for one.
#[derive(miniserde::Deserialize)]
pub(super) struct NewIntent {
    pub(super) id: String,
    pub(super) client_secret: Option<String>,
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
    pub(super) created: Option<i64>,
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
        let reference = self.client_reference_id.as_deref().unwrap_or_default();
        of_one(
            text(metadata, ESCROW_ID).or_else(|| reference.parse().ok()),
            text(metadata, PAYMENT_ID),
            text(metadata, TOP_UP_ID).or_else(|| reference.parse().ok()),
        )
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
    pub(super) created: Option<i64>,
}

/// `payment_intent`, as far as it leads to its charge.
#[derive(Debug, miniserde::Deserialize)]
pub(super) struct IntentOfCharge {
    pub(super) status: Option<String>,
    pub(super) latest_charge: Option<String>,
}

/// Why the newest try to pay failed.
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct PaymentError {
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
}

/// An intent's `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntentStatus {
    Succeeded,
    /// `canceled`
    Cancelled,
    /// `requires_payment_method`: not paid yet, or back at the start after a try that failed.
    AtTheStart,
    /// `requires_confirmation`, `requires_action`: the buyer is in the middle of a try.
    Trying,
    /// `processing`, and whatever is not known.
    Other,
}

impl Intent {
    pub(super) fn status(&self) -> IntentStatus {
        match self.status.as_deref() {
            Some("succeeded") => IntentStatus::Succeeded,
            Some("canceled") => IntentStatus::Cancelled,
            Some("requires_payment_method") => IntentStatus::AtTheStart,
            Some("requires_confirmation" | "requires_action") => IntentStatus::Trying,
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

/// A page of a list, newest first.
#[derive(Debug, miniserde::Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: Option<bool>,
}

impl<T> Page<T> {
    /// After which object the next page begins; `None`: this was the last.
    pub(super) fn next(&self, id: impl Fn(&T) -> &String) -> Option<String> {
        self.data.last().filter(|_| self.has_more.unwrap_or_default()).map(|last| id(last).clone())
    }
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
    pub(super) balance_transactions: Option<Vec<DisputeMovement>>,
}

/// A `balance_transaction` of a dispute: at most one that took the money and one that gave it back.
#[derive(Debug, serde::Deserialize)]
pub(super) struct DisputeMovement {
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<String>,
}

impl Dispute {
    /// What is disputed.
    pub(super) fn money(&self) -> Option<Money> {
        amounts::from_stripe(self.amount?, self.currency.as_deref()?)
    }

    /// How much was taken (or given back), without Stripe's fee. Movements are in the currency in which the platform's account settles;
    /// where that is another than the charge's, only what is disputed is known in the charge's.
    pub(super) fn moved(&self, taken: bool) -> Option<Money> {
        let ours = |movement: &&DisputeMovement| movement.currency.is_some() && movement.currency == self.currency;
        let listed = self.balance_transactions.iter().flatten().filter(ours);
        let units: Vec<i64> = listed
            .filter_map(|movement| movement.amount)
            .filter(|units| if taken { *units < 0 } else { *units > 0 })
            .collect();
        if units.is_empty() {
            return self.money();
        }
        let sum = units.into_iter().try_fold(0_i64, |sum, units| sum.checked_add(units.checked_abs()?))?;
        amounts::from_stripe(sum, self.currency.as_deref()?)
    }
}

/// `transfer`
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct Transfer {
    pub(super) id: String,
    pub(super) amount: Option<i64>,
    pub(super) amount_reversed: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

impl Transfer {
    pub(super) fn money(&self) -> Option<Money> {
        amounts::from_stripe(self.amount?, self.currency.as_deref()?)
    }

    /// All that has come back.
    pub(super) fn reversed(&self) -> Option<Money> {
        amounts::from_stripe(self.amount_reversed?, self.currency.as_deref()?)
    }

    /// Our id of the payout.
    pub(super) fn payout(&self) -> Option<PayoutId> {
        text(self.metadata.as_ref(), PAYOUT_ID)
    }
}

/// `payout`
#[derive(Debug, serde::Deserialize)]
pub(super) struct Payout {
    pub(super) id: String,
    pub(super) status: Option<String>,
    pub(super) failure_code: Option<String>,
}

/// `account`
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) payouts_enabled: Option<bool>,
    pub(super) details_submitted: Option<bool>,
    pub(super) capabilities: Option<AccountCapabilities>,
    pub(super) requirements: Option<Requirements>,
    pub(super) metadata: Option<Metadata>,
}

/// What an account may do, as far as we ask for it.
#[derive(Debug, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct AccountCapabilities {
    pub(super) transfers: Option<String>,
}

/// What an account still has to show.
#[derive(Debug, Default, serde::Deserialize, miniserde::Deserialize)]
pub(super) struct Requirements {
    pub(super) disabled_reason: Option<String>,
    pub(super) currently_due: Option<Vec<String>>,
}

impl Account {
    /// How it stands. What it does not say it may not do.
    pub(super) fn standing(self) -> AccountStanding {
        let requirements = self.requirements.unwrap_or_default();
        let transfers = self.capabilities.and_then(|capabilities| capabilities.transfers);
        AccountStanding {
            owner: text(self.metadata.as_ref(), SELLER),
            account: self.id,
            payouts_enabled: self.payouts_enabled.unwrap_or_default(),
            transfers_active: transfers.as_deref() == Some("active"),
            details_submitted: self.details_submitted.unwrap_or_default(),
            currently_due: requirements.currently_due.unwrap_or_default(),
            disabled_reason: requirements.disabled_reason,
        }
    }
}

/// `account_link`
#[derive(miniserde::Deserialize)]
pub(super) struct Link {
    pub(super) url: String,
    pub(super) expires_at: Option<i64>,
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
    of_one(text(metadata, ESCROW_ID), text(metadata, PAYMENT_ID), text(metadata, TOP_UP_ID))
}

/// A payment of another escrow than the one that is named is no payment of ours; and what names an escrow's payment and a top-up has
/// come from no request of ours, so that none of them is believed.
fn of_one(escrow: Option<EscrowId>, payment: Option<PaymentId>, top_up: Option<TopUpId>) -> Origin {
    if top_up.is_some() && (escrow.is_some() || payment.is_some()) {
        return Origin::default();
    }
    let fits = |payment: &PaymentId| escrow.is_none_or(|escrow| escrow == payment.escrow);
    Origin { escrow, payment: payment.filter(fits), top_up }
}

/// One of our ids; what is missing or is no id of that kind is not ours.
pub(super) fn text<T: FromStr>(metadata: Option<&Metadata>, name: &str) -> Option<T> {
    metadata?.get(name)?.parse().ok()
}
