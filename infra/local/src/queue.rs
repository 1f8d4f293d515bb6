//! SQS inside this process: the real SDK, an emulator under it, and the poller that Lambda's event source would be.
//!
//! The emulator keeps messages in memory and measures visibility by the system's clock. Both are as they should be: the
//! queue is speed, the table's due index is the truth, and a message lost with the process is found by the schedule.

mod notice;
mod poller;

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::error::{BoxError, DisplayErrorContext, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use winterbaume_core::MockAws;
use winterbaume_sqs::SqsService;

use crate::dynamodb::{REGION, credentials};
use notice::Notice;
pub(crate) use poller::{Poller, SettleBatch};

/// How long a received message is invisible, in seconds: longer than a settle function may run.
const VISIBILITY: &str = "120";
/// After so many receipts a message goes to the dead letters, as `infra/template.yaml` has it.
const MAX_RECEIVES: u8 = 5;

/// The queue cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the embedded queue failed: {0}")]
pub struct QueueError(String);

impl<E: std::error::Error + Send + Sync + 'static, R: std::fmt::Debug + Send + Sync + 'static> From<SdkError<E, R>>
    for QueueError
{
    fn from(error: SdkError<E, R>) -> Self {
        let error: BoxError = error.into();
        Self(DisplayErrorContext(&*error).to_string())
    }
}

/// The settle queue with its dead letters.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    http: SharedHttpClient,
    // The poller's own client: no fault is injected into the machinery.
    client: Client,
    url: String,
    notice: Notice,
}

impl Queue {
    /// Creates the queues.
    ///
    /// # Errors
    /// When the emulator refuses.
    pub(crate) async fn start() -> Result<Self, QueueError> {
        let emulator = MockAws::builder().with_service(SqsService::new()).build();
        let notice = Notice::default();
        let http = notice.around(emulator.http_client());
        let client = client(http.clone());

        let dead = client.create_queue().queue_name("holdfast-settle-dead").send().await?;
        let attributes = client
            .get_queue_attributes()
            .queue_url(dead.queue_url().unwrap_or_default())
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await?;
        let arn = attributes.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn)).cloned();
        let redrive = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES });
        let made = client
            .create_queue()
            .queue_name("holdfast-settle")
            .attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY)
            .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
            .send()
            .await?;
        let url = made.queue_url().unwrap_or_default().to_owned();
        Ok(Self { http, client, url, notice })
    }

    /// What the functions send to.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The HTTP client that leads to the emulator, for the functions' own SDK client.
    #[must_use]
    pub(crate) fn http(&self) -> SharedHttpClient {
        self.http.clone()
    }

    /// Takes every message off the queue that can be received now; whoever takes them answers for them.
    ///
    /// # Errors
    /// When the emulator refuses.
    pub(crate) async fn take_all(&self) -> Result<Vec<String>, QueueError> {
        let mut taken = Vec::new();
        loop {
            let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
            let messages = receive.send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(taken);
            }
            for message in messages {
                let delete = self.client.delete_message().queue_url(&self.url);
                delete.set_receipt_handle(message.receipt_handle).send().await?;
                taken.extend(message.body);
            }
        }
    }

    /// How many messages could be received now.
    ///
    /// # Errors
    /// When the emulator refuses.
    pub(crate) async fn visible(&self) -> Result<usize, QueueError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let answer =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone()).send().await?;
        let count = answer.attributes().and_then(|all| all.get(&name)).and_then(|count| count.parse().ok());
        Ok(count.unwrap_or_default())
    }
}

/// The real SDK's client over the HTTP client given.
#[must_use]
pub(crate) fn client(http: SharedHttpClient) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(credentials())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_initial_backoff(FIRST_PAUSE))
        .build();
    Client::from_conf(config)
}

/// The longest first pause between attempts: as short as that of the functions in the cloud.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
