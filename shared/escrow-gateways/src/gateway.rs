//! What every gateway can be asked, and the words in which all of them answer.

mod payments;
mod report;
mod sellers;

pub use payments::{
    OpenCheckout, OpenedCheckout, Origin, PaidCapture, PaymentStanding, RefundAsk, RefundStanding, RefundState, Whose,
};
pub use report::{PaymentLine, PaymentsPage, ReportLine, ReportPage, Signed, What};
pub use sellers::{AccountAsk, AccountLink, AccountStanding, TransferAsk, TransferStanding, TransferState};

use crate::capabilities::Capabilities;
use crate::facts::Notice;
use async_trait::async_trait;
use escrow_domain::id::GatewayName;
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// One payment gateway.
///
/// An ask holds everything of which the request is made: the same ask and the same key give the same bytes, so a request can
/// be sent again while nobody knows whether the first one arrived. No method sends anything twice by itself.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Which one it is.
    fn name(&self) -> GatewayName;

    /// What it can do, and within which limits.
    fn capabilities(&self) -> &'static Capabilities {
        Capabilities::of(self.name())
    }

    /// Whether a payment of this amount can be asked for exactly; asked before anything is stored.
    ///
    /// # Errors
    /// [`AmountUnsupported`], with a sentence for the caller.
    fn check_amount(&self, money: Money) -> Result<(), AmountUnsupported>;

    /// Whether a transfer of this amount to a seller can be asked for exactly; asked before anything is stored.
    ///
    /// # Errors
    /// [`AmountUnsupported`], with a sentence for the caller.
    fn check_transfer(&self, money: Money) -> Result<(), AmountUnsupported>;

    /// Opens a page on which the buyer pays, or what a form on the marketplace's own page needs.
    ///
    /// # Errors
    /// [`CallError`]; only its `NotSent` proves that no page was opened, and `Refused` that none will be.
    async fn open_checkout(
        &self,
        ask: &OpenCheckout,
        key: &str,
        deadline: Deadline,
    ) -> Result<OpenedCheckout, CallError>;

    /// How a payment stands; `reference` is that of [`OpenedCheckout`].
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn look_up_payment(&self, reference: &str, deadline: Deadline) -> Result<PaymentStanding, CallError>;

    /// Sees to it that a payment can no longer be paid, and answers how it stands then: `Closed`, or `Paid` if the buyer was
    /// quicker, or `Processing` if a payment is on its way and cannot be stopped.
    ///
    /// # Errors
    /// [`CallError`]: it may or may not be closed.
    async fn close_payment(&self, reference: &str, key: &str, deadline: Deadline)
    -> Result<PaymentStanding, CallError>;

    /// Gives money of a capture back to the buyer.
    ///
    /// # Errors
    /// [`CallError`]; anything but `NotSent` and `Refused` means that the refund may have been made.
    async fn refund(&self, ask: &RefundAsk, key: &str, deadline: Deadline) -> Result<RefundStanding, CallError>;

    /// How a refund stands: by the gateway's id of it where that is `known`, else by looking among the capture's refunds for
    /// the one that carries our id. `None`: the gateway has no such refund (yet: a request may still be on its way).
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn look_up_refund(
        &self,
        ask: &RefundAsk,
        known: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<RefundStanding>, CallError>;

    /// Whose a capture is, by the ids that were put on it when its payment was opened: for objects that do not carry them
    /// themselves, such as a card holder's dispute.
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn trace_capture(&self, capture: &str, deadline: Deadline) -> Result<Origin, CallError>;

    /// The gateway's id of the charge behind a capture, for [`TransferAsk::charge`]. A capture that was paid has one charge for ever, so
    /// that the answer may be kept, and asking again gives the same.
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned. `Refused` if the capture has not been paid, or has no charge.
    async fn charge_of(&self, capture: &str, deadline: Deadline) -> Result<String, CallError>;

    /// Sends money to a seller's account.
    ///
    /// # Errors
    /// [`CallError`]; anything but `NotSent` and `Refused` means that the transfer may have been made. [`CallError::refusal`] tells a refusal
    /// for now from one for good.
    async fn transfer(&self, ask: &TransferAsk, key: &str, deadline: Deadline) -> Result<TransferStanding, CallError>;

    /// How a transfer stands: by the gateway's id of it where that is `known`, else by looking for the one that carries our id. `None`: the
    /// gateway has no such transfer (yet: a request may still be on its way).
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn look_up_transfer(
        &self,
        ask: &TransferAsk,
        known: Option<&str>,
        deadline: Deadline,
    ) -> Result<Option<TransferStanding>, CallError>;

    /// Opens an account for a seller.
    ///
    /// # Errors
    /// [`CallError`]; anything but `NotSent` and `Refused` means that the account may be there. It moves no money: a second one under another
    /// key is only an empty account too many.
    async fn open_account(&self, ask: &AccountAsk, key: &str, deadline: Deadline)
    -> Result<AccountStanding, CallError>;

    /// A page on which the seller gives what the gateway wants to know. A new one each time, because it opens once. Coming back to
    /// `return_url` does not mean that all was given: the account's standing tells.
    ///
    /// # Errors
    /// [`CallError`]: there is no page, and asking again does no harm.
    async fn account_link(
        &self,
        account: &str,
        refresh_url: &str,
        return_url: &str,
        deadline: Deadline,
    ) -> Result<AccountLink, CallError>;

    /// How an account stands.
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn look_up_account(&self, account: &str, deadline: Deadline) -> Result<AccountStanding, CallError>;

    /// A page of the gateway's own statement of the platform's balance, booked from `from` on and before `until` (to the second), newest
    /// first. `page`: what the page before calls `next`.
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn report(
        &self,
        from: Timestamp,
        until: Timestamp,
        page: Option<&str>,
        deadline: Deadline,
    ) -> Result<ReportPage, CallError>;

    /// A page of what was opened to be paid from `from` on and before `until` (to the second), so that a payment whose notice was lost can
    /// be found. `page`: what the page before calls `next`.
    ///
    /// # Errors
    /// [`CallError`]: nothing was learned.
    async fn payments_since(
        &self,
        from: Timestamp,
        until: Timestamp,
        page: Option<&str>,
        deadline: Deadline,
    ) -> Result<PaymentsPage, CallError>;

    /// Checks and reads what the gateway posted. `body` must be the bytes as received: what was parsed and written again is
    /// not what was signed.
    ///
    /// # Errors
    /// [`WebhookRefused`], with the reason; nothing of such a body may be believed.
    fn read_webhook(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookRefused>;

    /// Reads a notice again that [`Gateway::read_webhook`] has read before it was parked: where it is kept nobody else writes, so its
    /// signature, which is stale by now, is not asked for again.
    ///
    /// # Errors
    /// [`WebhookRefused`] if it cannot be read.
    fn read_parked(&self, body: &[u8], received_at: Timestamp) -> Result<Notice, WebhookRefused>;
}

/// The moment by which an answer must be there. A request is not sent after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The longest that a gateway is waited for.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// That long from now on, and no longer than [`Deadline::LONGEST`].
    #[must_use]
    pub fn within(wait: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(wait.min(Self::LONGEST)).unwrap_or(now))
    }

    /// The moment itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_over(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Why a call brought no standing. The variants differ in what is known, because that decides what may be done next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not a byte of the request has left: no connection, or the deadline was over before. Nothing can have happened.
    #[error("the gateway was not reached: {0}")]
    NotSent(String),
    /// Nobody knows whether it was done: no answer in time, the connection was lost, the answer cannot be read, the gateway is
    /// busy with the same key, refuses for its own or our configuration's reasons, or holds us back. The same request with the same key
    /// is the only one that may be sent.
    #[error("the gateway's answer is in doubt: {0}")]
    InDoubt(String),
    /// The gateway answered with a failure of its own, 500 to 599. It may have been done; and a gateway may replay this answer for as long
    /// as it remembers the key.
    #[error("the gateway failed with status {status}")]
    ServerError {
        /// The HTTP status.
        status: u16,
    },
    /// A definite no: this request was not done. It says nothing of an earlier one with the same key.
    #[error("the gateway refused: {message} ({code})")]
    Refused {
        /// The HTTP status; `None` if the request was found impossible here, before it was sent.
        status: Option<u16>,
        /// The gateway's code of the reason.
        code: String,
        /// Its sentence. For logs and operators: it may name things that a caller should not read.
        message: String,
    },
}

/// What a refusal means for the money that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The platform's own balance at the gateway does not suffice yet: it grows as charges settle.
    ///
    /// The same may be asked again later, but **under another key**: a gateway answers the old one with this refusal for as long as it
    /// remembers it (docs.stripe.com/api/idempotent_requests: the first answer of a request that was carried out is kept, whether it
    /// succeeded or failed). Another key is safe only after every request under the old one has been refused like this.
    FundsMissing,
    /// The seller's account cannot get money (yet): its owner has to do something at the gateway.
    AccountNotReady,
    /// For good: the same will be refused again.
    Final,
}

impl CallError {
    /// What a refusal means; `None` of every error that is no refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let Self::Refused { code, .. } = self else { return None };
        Some(match code.as_str() {
            // docs.stripe.com/error-codes, and stripe-node issue 1147: a transfer or payout beyond the available balance.
            "balance_insufficient" => Refusal::FundsMissing,
            // Ibid.: the destination lacks the capability, is closed, is no account of this platform, or may not be sent to from here.
            "insufficient_capabilities_for_transfer"
            | "account_closed"
            | "account_invalid"
            | "transfers_not_allowed" => Refusal::AccountNotReady,
            _ => Refusal::Final,
        })
    }
}

/// An amount that the gateway cannot be asked for exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountUnsupported {
    /// The gateway does not take the currency, or it is a coin of the platform's own.
    #[error("{gateway} does not take {currency}")]
    Currency {
        /// Which gateway.
        gateway: GatewayName,
        /// The currency's code.
        currency: String,
    },
    /// The gateway counts in larger steps than the currency has.
    #[error("{gateway} takes {currency} only in steps of {step}")]
    Step {
        /// Which gateway.
        gateway: GatewayName,
        /// The currency's code.
        currency: String,
        /// The smallest step.
        step: Money,
    },
    /// Too little.
    #[error("{gateway} takes at least {minimum} {currency}")]
    BelowMinimum {
        /// Which gateway.
        gateway: GatewayName,
        /// The currency's code.
        currency: String,
        /// The least that it takes.
        minimum: Money,
    },
    /// Too much.
    #[error("{gateway} takes at most {maximum} {currency}")]
    AboveMaximum {
        /// Which gateway.
        gateway: GatewayName,
        /// The currency's code.
        currency: String,
        /// The most that it takes.
        maximum: Money,
    },
}

/// Why a posted body is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefused {
    /// No signing secret is set for this gateway.
    #[error("no webhook secret is configured")]
    NotConfigured,
    /// More than [`WebhookRefused::LARGEST_BODY`] bytes.
    #[error("the body is larger than 1 MB")]
    TooLarge,
    /// There is no signature header.
    #[error("the signature header is missing")]
    HeaderMissing,
    /// The signature header cannot be read.
    #[error("the signature header is malformed: {0}")]
    HeaderMalformed(&'static str),
    /// Signed too long ago: perhaps recorded and sent again.
    #[error("the signature is older than the tolerance")]
    Stale,
    /// Signed in the future: a clock is wrong, or somebody prepares a replay.
    #[error("the signature's time lies in the future")]
    Early,
    /// No signature fits the body under any secret.
    #[error("no signature fits")]
    SignatureMismatch,
    /// Rightly signed, but not what the gateway's documentation describes.
    #[error("the body cannot be read: {0}")]
    BodyInvalid(String),
    /// Rightly signed, but a notification of another kind, without the object itself.
    #[error("the body is not a snapshot event")]
    NotAnEvent,
    /// A live event at a test deployment, or the other way round.
    #[error("the event's mode (live or test) is not that of the configured key")]
    WrongMode,
}

impl WebhookRefused {
    /// A short name for metrics and log lines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured => "not_configured",
            Self::TooLarge => "too_large",
            Self::HeaderMissing => "header_missing",
            Self::HeaderMalformed(_) => "header_malformed",
            Self::Stale => "stale",
            Self::Early => "early",
            Self::SignatureMismatch => "signature_mismatch",
            Self::BodyInvalid(_) => "body_invalid",
            Self::NotAnEvent => "not_an_event",
            Self::WrongMode => "wrong_mode",
        }
    }

    /// The largest body that is read, in bytes.
    pub const LARGEST_BODY: usize = 1_048_576;
}
