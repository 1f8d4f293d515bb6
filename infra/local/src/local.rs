//! A whole system that runs beside its owner: started, asked for its address, stopped or killed. The binary owns one;
//! tests own as many as they like.
//!
//! Each lives in a runtime of its own on a thread of its own, so that a kill drops every task of it at once and nothing of it
//! survives into the next one on the same data.

use std::sync::Arc;
use std::time::Duration;

use escrow_http::clock::Clock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::dynamodb;
use crate::faults::{Fault, Faults};
use crate::folder::{Data, Folder};
use crate::settings::Given;
use crate::system::{StartError, System};

/// How long a graceful stop waits for what is in hand; a gateway call may take half a minute.
const GRACE: Duration = Duration::from_secs(40);
/// How long the end of a runtime may take: a statement of the database that has begun is finished.
const LAST_STATEMENTS: Duration = Duration::from_secs(10);

/// How a system is started.
pub struct Options {
    /// Where its data is.
    pub data: Data,
    /// Its port on 127.0.0.1; 0 lets the operating system choose.
    pub port: u16,
    /// Settings by name, as the environment would have them (`STRIPE_SECRET_KEY`, `HOLDFAST_FEE_BASIS_POINTS` …).
    pub settings: Given,
    /// What goes wrong, for tests.
    pub faults: Option<Arc<dyn Fault>>,
}

impl Options {
    /// In memory, on any port, without settings or faults.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { data: Data::Memory, port: 0, settings: Given::new(), faults: None }
    }

    /// The same with data in a folder.
    #[must_use]
    pub fn in_folder(path: impl Into<std::path::PathBuf>) -> Self {
        Self { data: Data::Folder(path.into()), ..Self::in_memory() }
    }

    /// The same with faults.
    #[must_use]
    pub fn with_faults(self, fault: impl Fault) -> Self {
        Self { faults: Some(Arc::new(fault)), ..self }
    }
}

/// A running system. Dropping it kills it.
pub struct Local {
    started: Started,
    ending: mpsc::UnboundedSender<Ending>,
    ended: watch::Receiver<bool>,
}

#[derive(Clone)]
pub(crate) struct Started {
    pub(crate) url: String,
    pub(crate) clock: Clock,
    pub(crate) dynamodb: String,
    pub(crate) table: String,
    pub(crate) has_sandbox: bool,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Stop,
    Kill,
}

impl Local {
    /// Starts a system and returns once it answers.
    ///
    /// # Errors
    /// When its port, its data or its settings cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (ready, is_ready) = oneshot::channel();
        let (ending, endings) = mpsc::unbounded_channel();
        let (over, ended) = watch::channel(false);
        std::thread::Builder::new()
            .name("holdfast".to_owned())
            .spawn(move || {
                keep(options, ready, endings);
                over.send_replace(true);
            })
            .map_err(StartError::Thread)?;
        let started = is_ready.await.map_err(|_| StartError::Vanished)??;
        Ok(Self { started, ending, ended })
    }

    /// Where it answers: `http://127.0.0.1:3000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.started.url
    }

    /// Its clock. Moving it here moves nothing else; `POST /_local/clock` also does what became due.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.started.clock
    }

    /// Where its DynamoDB answers.
    #[must_use]
    pub fn dynamodb_endpoint(&self) -> &str {
        &self.started.dynamodb
    }

    /// The name of its table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.started.table
    }

    /// Whether its Stripe is the sandbox.
    #[must_use]
    pub fn has_sandbox(&self) -> bool {
        self.started.has_sandbox
    }

    /// A client of its DynamoDB for whoever looks from outside: no fault is injected and nothing is counted.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        dynamodb::client(&self.started.dynamodb, dynamodb::loopback())
    }

    /// Resolves once it has ended, by itself (a fault killed it) or because it was told to.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // The sender only goes away with the thread, which is an end as well.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Finishes what is in hand and ends.
    pub async fn stop(self) {
        let _ = self.ending.send(Ending::Stop);
        self.ended().await;
    }

    /// Ends at once, as `kill -9` would: nothing is finished, no answer is given.
    pub async fn kill(self) {
        let _ = self.ending.send(Ending::Kill);
        self.ended().await;
    }

    /// Ends it when asked to by a signal: gracefully, or at once at the second asking.
    pub(crate) fn ask_to_stop(&self, again: bool) {
        let _ = self.ending.send(if again { Ending::Kill } else { Ending::Stop });
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = self.ending.send(Ending::Kill);
    }
}

/// Runs a system to its end on this thread.
fn keep(
    options: Options,
    ready: oneshot::Sender<Result<Started, StartError>>,
    mut endings: mpsc::UnboundedReceiver<Ending>,
) {
    // The emulator of SQS brings a second TLS library into this binary; rustls then wants to be told which one to use. An error
    // says that somebody has told it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(StartError::Thread(error)))),
    };
    // The port first: its being taken is the likeliest mistake, and nothing else has happened yet.
    let port = options.port;
    let listener = match std::net::TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => listener,
        Err(source) => return drop(ready.send(Err(StartError::Port { port, source }))),
    };
    // Kept outside the runtime: the folder is free for the next process only when the last task of this one is gone.
    let folder = match Folder::open(&options.data) {
        Ok(folder) => Arc::new(folder),
        Err(error) => return drop(ready.send(Err(error.into()))),
    };
    let faults = Faults::new(options.faults);
    let running = async {
        let system = match System::start(listener, Arc::clone(&folder), &options.settings, &faults).await {
            Ok(system) => system,
            Err(error) => return drop(ready.send(Err(error))),
        };
        if ready.send(Ok(system.started())).is_err() {
            return;
        }
        let first = tokio::select! {
            () = faults.killed() => Ending::Kill,
            ending = endings.recv() => ending.unwrap_or(Ending::Kill),
        };
        if let Ending::Kill = first {
            system.silence();
        } else {
            // A second asking, or a kill, ends the patience.
            let _ = tokio::select! {
                done = tokio::time::timeout(GRACE, system.stop()) => done.is_ok(),
                () = faults.killed() => false,
                _ = endings.recv() => false,
            };
        }
    };
    runtime.block_on(running);
    runtime.shutdown_timeout(LAST_STATEMENTS);
    drop(folder);
}

#[cfg(test)]
mod tests;
