//! The proofs, in one binary. Each plays on a Holdfast of its own, over HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a proof says what must hold by stopping when it does not"
)]

mod authorization;
mod bad_input;
mod contract;
mod counters;
mod crashes;
mod hand;
mod lists;
mod marketplaces;
mod payouts;
mod races;
mod reconcile;
mod refunds;
mod reports;
mod restart;
mod simulation;
mod stories;
mod structure;
mod unreadable;
mod webhooks;
