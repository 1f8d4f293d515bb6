//! The clients of AWS: DynamoDB and SQS over the one HTTP client, with the keys that stand in the environment.
//!
//! Lambda puts a function's keys into its environment and replaces the whole sandbox before they end, so nothing else is asked:
//! the usual chain of providers (profiles, SSO, containers, instance metadata) is code and waiting that no function needs.
//! Elsewhere `aws configure export-credentials --format env` does the same.

use crate::config::AwsSettings;
use crate::outgoing::Outgoing;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::time::Duration;

/// One attempt, from the first byte sent to the last byte read.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// All attempts together: shorter than what API Gateway waits for.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);
/// The first attempt and two more. DynamoDB's retries are the store's own.
const MOST_ATTEMPTS: u32 = 3;
/// The longest first pause between attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Clients that share one pool of connections.
#[derive(Debug, Clone)]
pub struct Aws {
    /// The table.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The queue.
    pub sqs: aws_sdk_sqs::Client,
}

impl Aws {
    /// Clients with these settings. Nothing is connected yet.
    #[must_use]
    pub fn new(settings: &AwsSettings, outgoing: &Outgoing) -> Self {
        let keys = Credentials::new(
            &settings.access_key_id,
            &settings.secret_access_key,
            settings.session_token.clone(),
            None,
            "environment",
        );
        let region = Region::new(settings.region.clone());
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(MOST_ATTEMPTS).with_initial_backoff(FIRST_PAUSE);

        let mut dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(outgoing.for_sdk())
            .region(region.clone())
            .credentials_provider(keys.clone())
            .timeout_config(timeouts.clone())
            .retry_config(retries.clone());
        dynamodb.set_endpoint_url(settings.dynamodb_endpoint.clone());

        let mut sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(outgoing.for_sdk())
            .region(region)
            .credentials_provider(keys)
            .timeout_config(timeouts)
            .retry_config(retries);
        sqs.set_endpoint_url(settings.sqs_endpoint.clone());

        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
        }
    }
}
