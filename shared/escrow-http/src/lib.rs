//! The edge: requests, authentication, problems, views, telemetry, configuration.
//!
//! A function's `main.rs` makes an [`app::App`] from the environment and runs its handler; the local stack makes the same parts
//! itself and calls [`serve::serve`] with the same handler.

pub mod amount;
pub mod app;
pub mod auth;
pub mod aws;
#[cfg(test)]
mod bed;
pub mod clock;
pub mod command;
pub mod config;
#[cfg(test)]
mod deal;
pub mod export;
pub mod fields;
pub mod line;
pub mod metrics;
pub mod outgoing;
pub mod page;
pub mod problem;
pub mod reply;
pub mod request;
pub mod secrets;
pub mod serve;
pub mod standing;
pub mod telemetry;
pub mod views;
pub mod wake;

pub use app::{App, StartError};
pub use auth::{Authenticator, Caller, DevKey, Scopes};
pub use clock::Clock;
pub use config::{Config, Variables};
pub use line::Line;
pub use metrics::{Measure, Metrics};
pub use problem::{Answer, Code, Problem};
pub use reply::Reply;
pub use request::Incoming;
pub use serve::{carry_out, run_events, run_http, serve};
pub use wake::Wake;

/// What Lambda hands over.
pub type Request = lambda_http::Request;
/// What goes back.
pub type Response = lambda_http::Response<lambda_http::Body>;
