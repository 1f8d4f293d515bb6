//! Where log lines go: JSON on standard output in Lambda, text for people on standard error elsewhere.

use crate::config::Variables;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, every field at its top.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// JSON in Lambda, text elsewhere.
    #[must_use]
    pub fn of(variables: &Variables) -> Self {
        if variables.get("AWS_LAMBDA_FUNCTION_NAME").is_some() { Self::Json } else { Self::Text }
    }
}

/// Starts logging for the whole process. A second start changes nothing.
pub fn start(variables: &Variables) {
    let filter =
        EnvFilter::try_new(variables.get("HOLDFAST_LOG").unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = match Format::of(variables) {
        Format::Json => tracing::subscriber::set_global_default(json(filter, std::io::stdout)).is_ok(),
        Format::Text => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_target(false)
            .with_writer(std::io::stderr)
            .finish()
            .try_init()
            .is_ok(),
    };
}

/// JSON lines to a writer.
pub(crate) fn json<W>(filter: EnvFilter, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}
