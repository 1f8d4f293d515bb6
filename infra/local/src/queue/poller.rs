//! What Lambda's event source does for a queue: receives batches, calls the function, deletes what it did, and leaves
//! what it could not do to come back.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Queue, QueueError};
use crate::quiet::{Busy, Quiet};

/// Messages in one batch: the most that one receipt can bring.
const BATCH: i32 = 10;
/// Batches at work at once, as Lambda runs several instances of the function.
const AT_ONCE: usize = 8;
/// A message that became visible again is noticed after this long at the latest.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The settle function: does a batch, names what it could not do. An error is the whole batch's.
pub(crate) type SettleBatch =
    Arc<dyn Fn(SqsEvent) -> Pin<Box<dyn Future<Output = Result<SqsBatchResponse, String>> + Send>> + Send + Sync>;

/// Feeds the settle function from the queue.
pub(crate) struct Poller {
    queue: Queue,
    settle: SettleBatch,
    quiet: Quiet,
}

impl Poller {
    /// A poller that has not begun.
    #[must_use]
    pub(crate) fn new(queue: Queue, settle: SettleBatch, quiet: Quiet) -> Self {
        Self { queue, settle, quiet }
    }

    /// Polls until `shutdown` resolves, then finishes the batches in hand.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let poller = Arc::new(self);
        let mut batches = JoinSet::new();
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = poller.take_all(&mut batches, &slots) => {}
            }
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                // A ring, or the time to look again: both lead to the next receipt.
                _ = timeout(LOOK_AGAIN, poller.queue.notice.rung()) => {}
            }
            while batches.try_join_next().is_some() {}
        }
        batches.join_all().await;
    }

    /// Receives until the queue shows nothing more.
    async fn take_all(self: &Arc<Self>, batches: &mut JoinSet<()>, slots: &Arc<Semaphore>) {
        loop {
            let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
            // In hand before the message becomes invisible: no moment at which it is nowhere.
            let busy = self.quiet.busy();
            let messages = match self.receive().await {
                Ok(messages) if messages.is_empty() => return,
                Ok(messages) => messages,
                Err(error) => {
                    tracing::error!(%error, "the queue could not be read");
                    return;
                }
            };
            let poller = Arc::clone(self);
            batches.spawn(async move {
                poller.settle(messages, busy).await;
                drop(slot);
            });
        }
    }

    async fn receive(&self) -> Result<Vec<Message>, QueueError> {
        let received = self
            .queue
            .client
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(BATCH)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn settle(&self, messages: Vec<Message>, _busy: Busy) {
        let event = match event(&messages) {
            Ok(event) => event,
            Err(error) => return tracing::error!(%error, "a batch could not become an event"),
        };
        let failed: HashSet<String> = match (self.settle)(event).await {
            Ok(response) => response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect(),
            Err(error) => return tracing::error!(error, "settle failed; its batch comes back"),
        };
        let done = messages.iter().filter(|message| !failed.contains(message.message_id().unwrap_or_default()));
        if let Err(error) = self.delete(done).await {
            tracing::error!(%error, "messages that were done could not be deleted; they come back");
        }
    }

    async fn delete(&self, messages: impl Iterator<Item = &Message>) -> Result<(), QueueError> {
        let entries: Vec<_> = messages
            .enumerate()
            .filter_map(|(at, message)| {
                let handle = message.receipt_handle()?;
                DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(handle).build().ok()
            })
            .collect();
        if !entries.is_empty() {
            let delete = self.queue.client.delete_message_batch().queue_url(&self.queue.url);
            delete.set_entries(Some(entries)).send().await?;
        }
        Ok(())
    }
}

/// The event as Lambda would send it.
fn event(messages: &[Message]) -> Result<SqsEvent, serde_json::Error> {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "messageId": message.message_id(),
                "receiptHandle": message.receipt_handle(),
                "body": message.body(),
                "md5OfBody": message.md5_of_body(),
                "attributes": message.attributes().map(|all| {
                    all.iter().map(|(name, value)| (name.as_str().to_owned(), json!(value))).collect::<Value>()
                }).unwrap_or_else(|| json!({})),
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": crate::dynamodb::REGION,
            })
        })
        .collect();
    serde_json::from_value(json!({ "Records": records }))
}
