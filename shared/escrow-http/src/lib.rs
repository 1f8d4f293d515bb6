//! The edge: requests, authentication, problems, views, telemetry, configuration.

pub mod auth;
pub mod clock;
pub mod line;
pub mod problem;
pub mod reply;
pub mod request;

/// What Lambda hands over.
pub type Request = lambda_http::Request;
/// What goes back.
pub type Response = lambda_http::Response<lambda_http::Body>;
