//! The gateways from outside: what leaves on the wire, what comes back, what is believed of what is posted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bed;
mod bytes;
mod calls;
mod events;
mod hearing;
mod reports;
mod sellers;
mod server;
mod settings;
mod webhooks;
mod wire;
