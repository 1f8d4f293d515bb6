//! Waking `settle`: after a commit that promises something to a gateway, the escrow's id goes to a queue.
//!
//! The queue is speed, the index of deadlines is truth: a message that is lost costs a minute, so a failure is noted in the log and
//! never becomes the caller's.

use crate::line::Line;
use escrow_domain::id::{EscrowId, GatewayName, PayoutId};
use serde_json::json;
use std::time::Duration;

/// Longer than this nobody waits for a wake-up: the schedule finds the work.
const PATIENCE: Duration = Duration::from_secs(2);

/// Wakes the worker that keeps what commits have promised.
#[derive(Debug, Clone)]
pub struct Wake(Option<Queue>);

#[derive(Debug, Clone)]
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Wake {
    /// By a message to this queue.
    #[must_use]
    pub fn queue(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Some(Queue { client, url }))
    }

    /// Not at all: the schedule finds the work within a minute.
    #[must_use]
    pub fn by_schedule() -> Self {
        Self(None)
    }

    /// Says that this escrow has something to do at a gateway.
    pub async fn escrow(&self, id: EscrowId, line: &Line) {
        self.send(json!({"escrow": id.to_string()}).to_string(), line).await;
    }

    /// Says that this payout has something to do at a gateway.
    pub async fn payout(&self, id: PayoutId, line: &Line) {
        self.send(json!({"payout": id.to_string()}).to_string(), line).await;
    }

    /// Says that a parked event is to be tried again.
    pub async fn parked(&self, gateway: GatewayName, event: &str, line: &Line) {
        self.send(json!({"parked": {"gateway": gateway.as_str(), "event": event}}).to_string(), line).await;
    }

    async fn send(&self, message: String, line: &Line) {
        let Some(queue) = &self.0 else { return };
        let send = queue.client.send_message().queue_url(&queue.url).message_body(message).send();
        match tokio::time::timeout(PATIENCE, send).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                line.failure(format!("the wake-up was not sent: {}", aws_sdk_sqs::error::DisplayErrorContext(error)));
            }
            Err(_) => line.failure("the wake-up was not sent in time"),
        }
    }
}
