//! The parts of one system, wired: what AWS would be around the functions, in one process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use escrow_http::auth::DevKey;
use escrow_http::clock::Clock;
use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;
use tokio::net::TcpListener;
use tokio::sync::{RwLock, watch};
use tokio::task::JoinSet;

use crate::clock::ClockError;
use crate::docs_page::Pages;
use crate::dynamodb::{DynamoDb, DynamoDbError};
use crate::faults::Faults;
use crate::folder::{Folder, FolderError};
use crate::local::Started;
use crate::openapi::{self, Document, DocumentInvalid};
use crate::queue::{Queue, QueueError};
use crate::quiet::{Quiet, StillBusy, Waiting};
use crate::router::Router;
use crate::{clock, server, tokens};

/// A system could not be started.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is the failure of the part it is named after, and says so itself")]
pub enum StartError {
    #[error(
        "port {port} on 127.0.0.1 cannot be used: {source}; is another holdfast running? choose another with --port"
    )]
    Port { port: u16, source: io::Error },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error("the key for tokens: {0}")]
    TokenKey(io::Error),
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Document(#[from] DocumentInvalid),
    #[error("no thread can be had: {0}")]
    Thread(io::Error),
    #[error("the system ended while it was starting")]
    Vanished,
}

/// Settings by name.
pub(crate) type Settings = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// One running system.
pub(crate) struct System {
    pub(crate) clock: Clock,
    pub(crate) folder: Arc<Folder>,
    pub(crate) token_key: DevKey,
    pub(crate) pages: Pages,
    pub(crate) router: Router,
    /// `127.0.0.1:3000`
    pub(crate) host: String,
    /// Held for reading by everything that calls functions, for writing by whoever moves the clock.
    pub(crate) traffic: RwLock<()>,
    quiet: Quiet,
    queue: Queue,
    dynamodb: String,
    // Set once: everything that runs by itself listens to it.
    stopping: watch::Sender<bool>,
    running: tokio::sync::Mutex<JoinSet<()>>,
}

impl System {
    pub(crate) async fn start(
        folder: Arc<Folder>,
        port: u16,
        _settings: &Settings,
        _faults: &Faults,
    ) -> Result<Arc<Self>, StartError> {
        // The port first: its being taken is the likeliest mistake, and nothing else has happened yet.
        let listener =
            TcpListener::bind(("127.0.0.1", port)).await.map_err(|source| StartError::Port { port, source })?;
        let host = listener.local_addr().map_err(|source| StartError::Port { port, source })?.to_string();
        let document = Document::parse(openapi::YAML)?;
        let routes = document.routes();
        let clock = clock::restored(&folder)?;
        let token_key = tokens::key(&folder).map_err(StartError::TokenKey)?;
        let stopping = watch::Sender::new(false);
        let dynamodb = DynamoDb::start(folder.file("dynamodb.sqlite").as_deref(), stopped(&stopping)).await?;
        let queue = Queue::start().await?;
        let system = Arc::new(Self {
            pages: Pages::render(&document, &routes, &format!("http://{host}")),
            router: Router::new(&routes),
            clock,
            folder,
            token_key,
            host,
            traffic: RwLock::new(()),
            quiet: Quiet::default(),
            queue,
            dynamodb: dynamodb.endpoint().to_owned(),
            stopping,
            running: tokio::sync::Mutex::default(),
        });
        system.serve(listener).await;
        Ok(system)
    }

    async fn serve(self: &Arc<Self>, listener: TcpListener) {
        let routes = server::routes(Arc::clone(self)).into_make_service_with_connect_info::<SocketAddr>();
        let stopped = stopped(&self.stopping);
        self.running.lock().await.spawn(async move {
            let served = axum::serve(listener, routes).with_graceful_shutdown(stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the server stopped");
            }
        });
    }

    pub(crate) fn started(&self) -> Started {
        Started {
            url: format!("http://{}", self.host),
            clock: self.clock.clone(),
            dynamodb: self.dynamodb.clone(),
            table: "holdfast".to_owned(),
        }
    }

    /// Finishes what is in hand.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        let mut running = self.running.lock().await;
        while running.join_next().await.is_some() {}
    }

    pub(crate) fn sandbox_routes(&self) -> axum::Router {
        axum::Router::new()
    }

    /// Calls a function as Lambda would.
    pub(crate) async fn call(
        self: &Arc<Self>,
        name: &str,
        _request: lambda_http::Request,
        id: &str,
    ) -> escrow_http::Response {
        let _traffic = self.traffic.read().await;
        let _busy = self.quiet.busy();
        Problem::internal(format!("{name} is not wired")).into_reply(id).into_response()
    }

    /// Does what has become due, and what follows from it.
    pub(crate) async fn catch_up(self: &Arc<Self>, patience: Duration) -> Result<(), StillBusy> {
        self.quiet_reached(patience).await
    }

    /// Returns when there is nothing left to do now.
    pub(crate) async fn quiet_reached(&self, patience: Duration) -> Result<(), StillBusy> {
        let waiting = || async {
            let messages = self.queue.visible().await.unwrap_or(usize::MAX);
            Waiting { messages, webhooks: 0 }
        };
        self.quiet.reached(waiting, patience).await
    }

    pub(crate) fn capacity(&self) -> Reply {
        Reply::ok(&serde_json::json!({ "requests": 0, "read_units": 0, "write_units": 0 }))
    }

    pub(crate) fn capacity_reset(&self) -> Reply {
        self.capacity()
    }

    pub(crate) async fn verify(&self) -> Answer<Reply> {
        Ok(Reply::ok(&serde_json::json!({ "ok": true, "escrows": 0 })))
    }
}

/// Resolves once the system is stopping.
fn stopped(stopping: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static + use<> {
    let mut stopping = stopping.subscribe();
    async move {
        // A sender that is gone is a system that is gone.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
