//! The rules of escrow: lifecycle, money, fees, policies, ledger.
//!
//! Pure: no async, no AWS, no JSON, no clock. `now` and ids are arguments; a decision is made on one whole aggregate.

pub mod currency;
pub mod id;
pub mod money;
pub mod time;
