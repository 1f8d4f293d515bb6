//! The edge: requests, authentication, problems, views, telemetry, configuration.
