//! The rules of escrow: lifecycle, money, fees, policies, ledger.
//!
//! Pure: no async, no AWS, no JSON, no clock. `now` and ids are arguments; a decision is made on one whole aggregate.

pub mod actions;
pub mod command;
pub mod currency;
pub mod decide;
pub mod dispute;
pub mod effect;
pub mod escrow;
pub mod fees;
pub mod id;
pub mod journal;
pub mod lifecycle;
pub mod milestone;
pub mod money;
pub mod payment;
pub mod policy;
pub mod quote;
pub mod refusal;
pub mod time;
pub mod verify;
pub mod wallet;
pub mod work;
