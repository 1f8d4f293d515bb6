//! The rules of escrow: lifecycle, money, fees, policies, ledger.
//!
//! Pure: no async, no AWS, no JSON, no clock. `now` and ids are arguments; a decision is made on one whole aggregate.

// Money code: nothing is cast, wraps, is indexed past its end, or falls into an arm that was not thought of. Tests may index.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod actions;
pub mod chargeback;
mod checkout;
pub mod command;
pub mod currency;
pub mod decide;
pub mod dispute;
pub mod effect;
pub mod escrow;
pub mod exchange;
pub mod fees;
pub mod id;
pub mod journal;
pub mod lifecycle;
pub mod milestone;
pub mod money;
pub mod payment;
pub mod payout;
pub mod policy;
pub mod quote;
pub mod refusal;
pub mod seller;
mod stop;
pub mod time;
pub mod top_up;
pub mod verify;
pub mod wallet;
pub mod work;
