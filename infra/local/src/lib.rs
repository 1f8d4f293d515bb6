//! The whole system on one machine: embedded DynamoDB, queue, schedule, gateway sandbox, clock.
//!
//! What AWS is around the functions in the cloud, this crate is here, in one process: [`Local`] is the way in. The functions are
//! the very ones that Lambda runs, and they see the same events.

mod by_hand;
pub mod cli;
mod clock;
mod demo;
mod docs_page;
mod dynamodb;
pub mod faults;
mod folder;
mod functions;
mod gateway_v2;
mod local;
mod local_api;
pub mod openapi;
mod queue;
mod quiet;
mod router;
pub mod sandbox;
mod schedule;
mod server;
mod settings;
mod system;
mod tokens;
mod verify;
mod verify_table;

pub use by_hand::{ByHand, Message};
pub use folder::{Data, FolderError};
pub use local::{Local, Options};
pub use settings::Given;
pub use system::StartError;
