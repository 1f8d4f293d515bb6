//! DynamoDB: keys, items, load, commit. The only crate that may write.
//!
//! One aggregate is one item with a version. Every write is conditional on the version that was read; what moves money between
//! aggregates is one transaction of such writes. There is no other way to write, and one file does it: `write.rs`.

pub mod aggregate;
pub mod change;
pub mod count;
pub mod error;
pub mod group;
pub mod history;
pub mod inbox;
pub mod items;
pub mod keys;
pub mod lists;
pub mod member;
pub mod owners;
pub mod postpone;
pub mod scan;
pub mod schema;
pub mod sheets;
mod statement;
pub mod store;

mod cursor;
mod index;
mod patience;
mod read;
mod wallets;
mod write;

pub use aggregate::Aggregate;
pub use change::{ChangeError, Changed, CreateError, Start};
pub use count::Counters;
pub use error::{StoreError, Unreadable};
pub use member::{Failed, Member, Stands};
pub use store::{Outcome, Store, Together};
pub use wallets::WalletRefused;
