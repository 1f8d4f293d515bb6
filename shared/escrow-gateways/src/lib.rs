//! The payment gateways: what Holdfast asks of them and what it hears from them.
//!
//! A gateway is stateless. What it is asked comes whole in the ask, so that a repeated request has the same bytes; what it says
//! becomes a standing (an answer) or a fact (a notice), in words that are the same for all of them. Nothing here decides, stores
//! or reads a clock, and nothing is ever sent twice by itself.

pub mod capabilities;
pub mod facts;
pub mod gateway;
pub mod hear;
pub mod http_client;
pub mod registry;
pub mod secret;
pub mod signature;
pub mod stripe;

pub use capabilities::Capabilities;
pub use facts::{Fact, NoFact, Notice};
pub use gateway::{
    AccountAsk, AccountLink, AccountStanding, AmountUnsupported, CallError, Deadline, Gateway, OpenCheckout,
    OpenedCheckout, Origin, PaidCapture, PaymentLine, PaymentStanding, PaymentsPage, RefundAsk, RefundStanding,
    RefundState, Refusal, ReportLine, ReportPage, Signed, TransferAsk, TransferStanding, TransferState, WebhookRefused,
    What, Whose,
};
pub use hear::{Heard, SellerTold, hear};
pub use registry::{Gateways, SettingsInvalid};
