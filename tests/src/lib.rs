//! What every proof stands on: a Holdfast of its own, people who call it over HTTP, and a reader that holds each of its answers
//! against the API's document.
//!
//! A proof plays on a system that nobody else uses, in memory and on a port of its own, so all of them run side by side. It waits by
//! asking the system to become quiet, never by the clock on the wall, and it ends with the ledger verified.
//!
//! - [`on_holdfast`] starts, plays, verifies and stops; [`stack::Stack`] is what a story is told on.
//! - [`api`] is HTTP: calls, answers, and what an answer must be. Every answer passes [`contract`].
//! - [`deal`] is an escrow and its people.
//! - [`json`] compares what matters of a document, and says where it differs.
//! - [`process`] is a system that can be killed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a proof says what must hold by stopping when it does not; this crate is nothing but proofs"
)]

pub mod api;
pub mod contract;
pub mod deal;
pub mod json;
pub mod process;
pub mod stack;

pub use stack::{on, on_holdfast};
