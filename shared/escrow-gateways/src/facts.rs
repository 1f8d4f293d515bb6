//! What a gateway's notice says, in words that are the same for all gateways.
//!
//! A fact is about the gateway's object and what happened to it, never about the event that told it: one refund arrives under
//! three events. [`Fact::operation`] makes that name, so that the same fact is booked once however often it is told.

use crate::gateway::{AccountStanding, Origin, RefundState};
use escrow_domain::id::{EscrowId, GatewayName, Operation, PaymentId, PayoutId, RefundId, TopUpId};
use escrow_domain::money::Money;
use escrow_domain::payout::BankState;
use escrow_domain::time::Timestamp;

/// A notice that has proved to come from the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of the event: for logs and the inbox, never for deciding whether something has happened.
    pub event_id: String,
    /// The gateway's word for its type.
    pub kind: String,
    /// When it happened, by the gateway's clock.
    pub created: Timestamp,
    /// The connected account that it is about; `None`: the platform's own.
    pub account: Option<String>,
    /// What it says, or why it says nothing to us.
    pub fact: Result<Fact, NoFact>,
}

/// Why a genuine notice changes nothing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoFact {
    /// Its type is not acted on: count it and answer 200.
    NotHeeded,
    /// It tells of money on a connected account. A seller can make such events about objects of his own and write any id into them, so
    /// nothing about our money is learned from them.
    OtherAccount,
    /// Its object cannot have come from a request of ours.
    Foreign,
    /// Its amount or currency cannot be said exactly in ours: somebody has to look at it.
    MoneyUnreadable,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Money arrived.
    PaymentPaid {
        /// Which payment.
        payment: PaymentTold,
        /// How much.
        money: Money,
    },
    /// The buyer has paid by a way that takes time; `PaymentPaid` or `PaymentClosed` will follow.
    PaymentProcessing(PaymentTold),
    /// One try failed; the buyer may try again on the same page. Nothing changes.
    PaymentDeclined {
        /// Which payment.
        payment: PaymentTold,
        /// The gateway's code of the reason.
        reason: Option<String>,
    },
    /// Nobody can pay it any more: expired, cancelled, or failed for good.
    PaymentClosed(PaymentTold),
    /// A refund moved.
    RefundMoved(RefundTold),
    /// So much of a capture has gone back in all, whoever asked for it.
    CaptureRefunded {
        /// Whose the capture is, where it says so.
        origin: Origin,
        /// The gateway's id of the capture.
        capture: String,
        /// All that has gone back.
        total: Money,
    },
    /// A card holder disputes a capture at the bank. Not a dispute between buyer and seller here.
    ChargebackMoved(ChargebackTold),
    /// Money that had been transferred to a seller's account came back.
    TransferReversed(TransferTold),
    /// The gateway pays a seller's account out to a bank. Changes only what the seller is shown.
    BankMoved {
        /// The gateway's id of the account.
        account: String,
        /// How the bank stands to it.
        bank: BankState,
    },
    /// What a seller's account may do.
    AccountChanged(AccountTold),
    /// A seller has cut the account's tie to the platform.
    AccountDisconnected {
        /// The gateway's id of the account.
        account: String,
        /// When, by the gateway's clock.
        told_at: Timestamp,
    },
}

/// Which payment a fact is about: every name that the gateway gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentTold {
    /// The escrow that the object names as ours.
    pub escrow: Option<EscrowId>,
    /// The payment that it names; never one of another escrow.
    pub payment: Option<PaymentId>,
    /// The top-up that it names; never beside an escrow.
    pub top_up: Option<TopUpId>,
    /// The gateway's id of the page (Stripe: `cs_…`).
    pub reference: Option<String>,
    /// The gateway's id of the capture (Stripe: `pi_…`).
    pub capture: Option<String>,
}

/// A refund, as a notice tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundTold {
    /// The escrow that it names as ours.
    pub escrow: Option<EscrowId>,
    /// Our id of it; `None` if it was made by hand at the gateway.
    pub refund: Option<RefundId>,
    /// The gateway's id of it.
    pub reference: String,
    /// The gateway's id of the capture that is given back.
    pub capture: Option<String>,
    /// How far it is.
    pub state: RefundState,
    /// How much.
    pub money: Money,
}

/// A chargeback, as a notice tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargebackTold {
    /// The gateway's id of it.
    pub reference: String,
    /// The gateway's id of the capture. It carries no id of ours: the capture has to be traced.
    pub capture: Option<String>,
    /// What happened to it.
    pub step: ChargebackStep,
    /// How much is disputed.
    pub money: Money,
    /// How much this step took or gave back, without the gateway's fee; what is disputed, of a step that moves nothing.
    pub moved: Money,
    /// The bank's reason, in the gateway's word.
    pub reason: Option<String>,
}

/// What happened to a chargeback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargebackStep {
    /// It was opened. Money has not moved by that.
    Opened,
    /// It changed; the gateway's word for its state.
    Updated(String),
    /// The gateway took the money.
    FundsWithdrawn,
    /// The gateway gave the money back.
    FundsReinstated,
    /// It is over.
    Closed(ChargebackOutcome),
}

/// How a chargeback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChargebackOutcome {
    /// The money stays here.
    Won,
    /// The money stays with the card holder.
    Lost,
    /// It ended as an inquiry, or in a way not known here: no money was decided about.
    Neither,
}

/// A transfer that came back, in part or in whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTold {
    /// The gateway's id of the transfer.
    pub reference: String,
    /// Our id of the payout, as the transfer carries it.
    pub payout: Option<PayoutId>,
    /// How much had been sent.
    pub money: Money,
    /// All that has come back so far. A transfer can come back in parts; each grows this total, so that a return is known by it.
    pub total: Money,
}

/// A seller's account, as a notice tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTold {
    /// How it stands, and whose it is by what it carries.
    pub standing: AccountStanding,
    /// When it was so, by the gateway's clock. The newest counts.
    pub told_at: Timestamp,
}

impl Fact {
    /// The fact's name: the gateway's object and what happened to it. Two events that tell the same have the same name.
    ///
    /// A payment's object is its capture where that is told, because page and capture are told of in events of their own.
    /// `None` for what is told of an account: it is not booked, and the newest counts.
    #[must_use]
    pub fn operation(&self, gateway: GatewayName) -> Option<Operation> {
        let of = |object: &str, happening: &str| Some(Operation::of_gateway(gateway, object, happening));
        match self {
            Self::PaymentPaid { payment, .. } => of(payment.object(), "paid"),
            Self::PaymentProcessing(payment) => of(payment.object(), "processing"),
            Self::PaymentDeclined { payment, .. } => of(payment.object(), "declined"),
            Self::PaymentClosed(payment) => of(payment.object(), "closed"),
            Self::RefundMoved(refund) => of(&refund.reference, refund.state.happening()),
            // A total is told anew each time that it grows.
            Self::CaptureRefunded { capture, total, .. } => of(capture, &format!("refunded {total}")),
            Self::ChargebackMoved(chargeback) => of(&chargeback.reference, &chargeback.step.happening()),
            Self::TransferReversed(transfer) => of(&transfer.reference, &format!("reversed {}", transfer.total)),
            Self::BankMoved { .. } | Self::AccountChanged(_) | Self::AccountDisconnected { .. } => None,
        }
    }
}

impl PaymentTold {
    fn object(&self) -> &str {
        self.capture.as_deref().or(self.reference.as_deref()).unwrap_or_default()
    }
}

impl RefundState {
    const fn happening(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
        }
    }
}

impl ChargebackStep {
    fn happening(&self) -> String {
        match self {
            Self::Opened => "opened".to_owned(),
            Self::Updated(state) => format!("updated {state}"),
            Self::FundsWithdrawn => "funds withdrawn".to_owned(),
            Self::FundsReinstated => "funds reinstated".to_owned(),
            // An inquiry that ends can still become a chargeback that is lost, and so can one that was won: that is news.
            Self::Closed(ChargebackOutcome::Won | ChargebackOutcome::Neither) => "closed won".to_owned(),
            Self::Closed(ChargebackOutcome::Lost) => "closed lost".to_owned(),
        }
    }
}
