//! A system in which nothing runs by itself: for proofs that must know what happens next. Every invocation of a function is
//! asked for, one message, one event, one sweep at a time, and a fault that kills hits the one invocation that made the call.
//!
//! It lives in the runtime of its owner and keeps nothing.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use bytes::Bytes;
use escrow_http::clock::Clock;
use escrow_store::Counters;
use http_body_util::BodyExt;

use crate::faults::{Fault, Faults};
use crate::folder::{Data, Folder};
use crate::gateway_v2;
use crate::queue::QueueError;
use crate::sandbox::Told;
use crate::server::{self, Incoming};
use crate::settings::Given;
use crate::system::{StartError, System};

/// The body of a message to `settle`.
pub type Message = String;

/// A system that waits to be told.
pub struct ByHand {
    system: Arc<System>,
    faults: Faults,
    url: String,
}

impl ByHand {
    /// Starts a system in memory, on any port.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(settings: &Given, fault: impl Fault) -> Result<Self, StartError> {
        // As for every other system here; an error says that somebody has done it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(StartError::Listen)?;
        let folder = Arc::new(Folder::open(&Data::Memory)?);
        let faults = Faults::new(Some(Arc::new(fault)));
        let system = System::serving(listener, folder, settings, &faults).await?;
        let url = format!("http://{}", system.host);
        Ok(Self { system, faults, url })
    }

    /// Where its local calls and its gateway's sandbox answer. A request to the API there is an invocation that nobody watches.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its clock. Moving it does nothing else.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.system.clock
    }

    /// What its functions have used of the table so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.system.functions.app.store.counters()
    }

    /// Calls the function that answers this request. `None` if it was killed.
    pub async fn request(&self, request: http::Request<Bytes>) -> Option<http::Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let path = gateway_v2::decoded_path(parts.uri.path()).unwrap_or_default();
        let from = SocketAddr::from(([127, 0, 0, 1], 9));
        let incoming = Incoming { parts, body, from, id: "req_by_hand".to_owned(), path };
        let response = self.mortal(Box::pin(server::function(&self.system, incoming))).await?;
        let (parts, body) = response.into_parts();
        // Its body is in memory: reading it cannot fail.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Some(http::Response::from_parts(parts, body))
    }

    /// Calls `settle` with one message; whether it was done. `None` if it was killed.
    pub async fn settle(&self, message: &Message) -> Option<bool> {
        let mut record = SqsMessage::default();
        record.message_id = Some("by-hand".to_owned());
        record.body = Some(message.clone());
        let mut event = SqsEvent::default();
        event.records.push(record);
        let done = self.mortal(Box::pin(self.system.functions.settle(event))).await?;
        Some(done.batch_item_failures.is_empty())
    }

    /// Calls `auto-release`; whether it came to its end. `None` if it was killed.
    pub async fn sweep(&self) -> Option<bool> {
        Some(self.mortal(Box::pin(self.system.functions.auto_release())).await?.is_ok())
    }

    /// Calls `reconcile`: what it found, or why it did not come to its end. `None` if it was killed.
    pub async fn reconcile(&self) -> Option<Result<reconcile::Reconciled, String>> {
        self.mortal(Box::pin(self.system.functions.reconcile())).await
    }

    /// The same, with so much real time for it.
    pub async fn reconcile_within(
        &self,
        patience: std::time::Duration,
    ) -> Option<Result<reconcile::Reconciled, String>> {
        self.mortal(Box::pin(self.system.functions.reconcile_within(patience))).await
    }

    /// Takes every message off the queue.
    ///
    /// # Errors
    /// When the queue's emulator fails.
    pub async fn take_messages(&self) -> Result<Vec<Message>, QueueError> {
        self.system.queue.take_all().await
    }

    /// What the gateway has to tell, from this number on, in the order in which it happened.
    #[must_use]
    pub fn told_since(&self, number: u64) -> Vec<Told> {
        self.system.sandbox.as_ref().map(|sandbox| sandbox.told_since(number)).unwrap_or_default()
    }

    /// Sees an invocation to its end, or to its death.
    async fn mortal<T>(&self, invocation: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
        tokio::select! {
            biased;
            ended = invocation => Some(ended),
            () = self.faults.killed() => {
                self.faults.revive();
                None
            }
        }
    }
}
