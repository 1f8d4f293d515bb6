//! What every function is given: the store, the clock, the wake-up, the authenticator, the configuration, the metrics.

use crate::auth::jwks::{Fetch, Keys};
use crate::auth::{Authenticator, Issuer};
use crate::aws::Aws;
use crate::clock::Clock;
use crate::config::{AwsSettings, Config, ConfigError, KeySource, Variables};
use crate::line::Line;
use crate::metrics::Metrics;
use crate::outgoing::Outgoing;
use crate::telemetry::Format;
use crate::wake::Wake;
use crate::{secrets, telemetry};
use escrow_domain::decide::Moment;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::EscrowId;
use escrow_domain::payout::Payout;
use escrow_store::Store;
use std::time::Duration;

/// Longer than this no function waits at its start for something that the first request would get by itself.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// The parts of the system that a handler speaks with.
#[derive(Debug, Clone)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The one clock.
    pub clock: Clock,
    /// Wakes `settle`.
    pub wake: Wake,
    /// Verifies tokens.
    pub auth: Authenticator,
    /// What the deployment chose.
    pub config: Config,
    /// What is counted.
    pub metrics: Metrics,
}

/// Why a function could not start. Its sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client.
    #[error("the HTTP client could not be made")]
    Client(#[from] aws_smithy_http_client::HttpClientError),
    /// Lambda's runtime ended.
    #[error("Lambda's runtime ended: {0}")]
    Runtime(String),
}

impl App {
    /// Makes a function's parts from the environment, as in Lambda: logging, secrets, clients, keys of issuers.
    ///
    /// # Errors
    /// [`StartError`] if a setting is missing or wrong, or a secret cannot be read.
    pub async fn from_env() -> Result<Self, StartError> {
        let variables = Variables::from_env();
        telemetry::start(&variables);
        let in_lambda = Format::of(&variables) == Format::Json;
        let app = Self::from_variables(variables).await?;
        if in_lambda {
            app.connect().await;
        }
        Ok(app)
    }

    /// Opens the connection to the table. A function starts with a whole processor and is slow afterwards: the handshake belongs
    /// here, and costs half a read unit. Whether it succeeds, the first request will see.
    async fn connect(&self) {
        let nobody = EscrowId::derive("connect", "", "", "");
        let _ = tokio::time::timeout(CONNECT_PATIENCE, self.store.escrow(nobody)).await;
    }

    /// The same, from given variables and without starting the log.
    ///
    /// # Errors
    /// As [`App::from_env`].
    pub async fn from_variables(mut variables: Variables) -> Result<Self, StartError> {
        let in_lambda = Format::of(&variables) == Format::Json;
        let outgoing = Outgoing::new()?;
        let aws_settings = AwsSettings::from_variables(&variables)?;
        if secrets::are_named(&mut variables) {
            secrets::resolve(&mut variables, &aws_settings, &outgoing).await?;
        }
        let config = Config::from_variables(variables)?;
        if config.development_key.is_some() && in_lambda {
            tracing::warn!("HOLDFAST_DEVELOPMENT_KEY is set: whoever has it can act as anybody. Never in production.");
        }
        let aws = Aws::new(&aws_settings, &outgoing);
        let auth = authenticator(&config, &outgoing.fetch_key_sets())?;
        Ok(Self {
            store: Store::new(&aws.dynamodb, config.table.clone()),
            clock: Clock::system(),
            wake: config.queue_url.clone().map_or_else(Wake::by_schedule, |url| Wake::queue(aws.sqs.clone(), url)),
            auth,
            config,
            metrics: if in_lambda { Metrics::to_cloudwatch() } else { Metrics::nowhere() },
        })
    }

    /// Now, by the one clock, in this deployment's epoch.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { at: self.clock.now(), epoch: self.config.epoch }
    }

    /// Wakes `settle` if something can be done for this escrow at a gateway now.
    pub async fn wake_for(&self, escrow: &Escrow, line: &Line) {
        if escrow.wants_work(self.clock.now()) {
            self.wake.escrow(escrow.id, line).await;
        }
    }

    /// The same for a payout.
    pub async fn wake_for_payout(&self, payout: &Payout, line: &Line) {
        if payout.work(self.clock.now()).is_some() {
            self.wake.payout(payout.id, line).await;
        }
    }
}

/// The authenticator that the settings describe.
///
/// # Errors
/// [`ConfigError`] if an inline key set cannot be used.
pub fn authenticator(config: &Config, fetch: &Fetch) -> Result<Authenticator, ConfigError> {
    let mut issuers = Vec::with_capacity(config.issuers.len());
    for settings in &config.issuers {
        let keys = match &settings.keys {
            KeySource::Url(url) => Keys::at(url.clone(), fetch.clone()),
            KeySource::Inline(set) => Keys::inline(set).map_err(|error| {
                let problem = format!("has a jwks of {:?} that cannot be used ({error})", settings.issuer);
                ConfigError::new(
                    "HOLDFAST_ISSUERS",
                    problem,
                    "Copy the issuer's published key set, or name its jwks_url.",
                )
            })?,
        };
        issuers.push(Issuer {
            name: settings.issuer.clone(),
            audience: settings.audience.clone(),
            algorithms: settings.algorithms.clone(),
            keys,
        });
    }
    Ok(Authenticator::new(issuers, config.development_key.clone()))
}
