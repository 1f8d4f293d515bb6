//! The parts of one system, wired: what AWS would be around the functions, in one process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use escrow_gateways::{Gateways, SettingsInvalid};
use escrow_http::app::{self, App};
use escrow_http::auth::DevKey;
use escrow_http::clock::Clock;
use escrow_http::config::{Config, ConfigError};
use escrow_http::metrics::Metrics;
use escrow_http::outgoing::Outgoing;
use escrow_http::wake::Wake;
use escrow_store::schema::{self, SchemaError};
use escrow_store::{Counters, Store};
use tokio::net::TcpListener;
use tokio::sync::{RwLock, watch};
use tokio::task::JoinSet;

use crate::clock::{self, ClockError};
use crate::docs_page::Pages;
use crate::dynamodb::{self, DynamoDb, DynamoDbError};
use crate::faults::{Faults, FaultyHttp, Target};
use crate::folder::{Folder, FolderError};
use crate::functions::Functions;
use crate::local::Started;
use crate::openapi::{self, Document, DocumentInvalid};
use crate::queue::{self, Poller, Queue, QueueError, SettleBatch};
use crate::quiet::{Quiet, StillBusy, Waiting};
use crate::router::Router;
use crate::sandbox::{JournalError, Sandbox, Settings as SandboxSettings};
use crate::settings::{self, Given, Stripe, TABLE};
use crate::{schedule, server, tokens};

/// How long the sandbox holds a call that is to have no answer: longer than a function waits for a gateway.
const SANDBOX_HOLD: Duration = Duration::from_secs(35);
/// Rounds of sweeping and settling after the clock was moved. Each one moves what it visits on in time, so few are needed.
const MOST_ROUNDS: usize = 20;

/// A system could not be started.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is the failure of the part it is named after, and says so itself")]
pub enum StartError {
    #[error(
        "port {port} on 127.0.0.1 cannot be used: {source}; is another holdfast running? choose another with --port"
    )]
    Port { port: u16, source: io::Error },
    #[error("loopback cannot be listened on: {0}")]
    Listen(io::Error),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error("a key in the data folder: {0}")]
    Key(io::Error),
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    #[error(transparent)]
    Table(#[from] SchemaError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Document(#[from] DocumentInvalid),
    #[error("infra/openapi.yaml names the function {0}, which does not exist")]
    UnknownFunction(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Gateways(#[from] SettingsInvalid),
    #[error("the functions' HTTP client cannot be made: {0}")]
    Client(String),
    #[error("the Stripe sandbox: {0}")]
    Sandbox(#[from] JournalError),
    #[error("no thread can be had: {0}")]
    Thread(io::Error),
    #[error("the system ended while it was starting")]
    Vanished,
}

/// One running system.
pub(crate) struct System {
    pub(crate) clock: Clock,
    pub(crate) folder: Arc<Folder>,
    pub(crate) token_key: DevKey,
    pub(crate) pages: Pages,
    pub(crate) router: Router,
    /// `127.0.0.1:3000`
    pub(crate) host: String,
    /// Held for reading by everything that calls functions, for writing by whoever needs that none is at work.
    pub(crate) traffic: RwLock<()>,
    pub(crate) functions: Functions,
    // Looks at the same table without being counted and without faults.
    observer: Store,
    counted_from: Mutex<Counters>,
    quiet: Quiet,
    pub(crate) queue: Queue,
    dynamodb: String,
    pub(crate) sandbox: Option<Sandbox>,
    parts: Parts,
}

/// What runs by itself.
struct Parts {
    // Everything that takes work in hand listens to the first; the database, which they need to finish it, to the second.
    stopping: watch::Sender<bool>,
    last: watch::Sender<bool>,
    running: tokio::sync::Mutex<JoinSet<()>>,
    database: tokio::sync::Mutex<Option<DynamoDb>>,
}

impl System {
    /// A system in which everything runs that runs by itself.
    pub(crate) async fn start(
        listener: std::net::TcpListener,
        folder: Arc<Folder>,
        given: &Given,
        faults: &Faults,
    ) -> Result<Arc<Self>, StartError> {
        let system = Self::serving(listener, folder, given, faults).await?;
        system.run().await;
        Ok(system)
    }

    /// A system that answers, and in which nothing else runs by itself.
    pub(crate) async fn serving(
        listener: std::net::TcpListener,
        folder: Arc<Folder>,
        given: &Given,
        faults: &Faults,
    ) -> Result<Arc<Self>, StartError> {
        listener.set_nonblocking(true).map_err(StartError::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(StartError::Listen)?;
        let host = listener.local_addr().map_err(StartError::Listen)?.to_string();
        let url = format!("http://{host}");
        let document = Document::parse(openapi::YAML)?;
        let routes = document.routes();
        let router = Router::new(&routes);
        if let Some(unknown) = router.functions().into_iter().find(|name| !Functions::answers_http(name)) {
            return Err(StartError::UnknownFunction(unknown.to_owned()));
        }
        let clock = clock::restored(&folder)?;
        let token_key = tokens::key(&folder).map_err(StartError::Key)?;

        let last = watch::Sender::new(false);
        let database = DynamoDb::start(folder.file("dynamodb.sqlite").as_deref(), told(&last)).await?;
        let observing = dynamodb::client(database.endpoint(), dynamodb::loopback());
        schema::create_table(&observing, TABLE).await?;
        let queue = Queue::start().await?;
        let stripe = settings::which_stripe(given, &folder).map_err(StartError::Key)?;
        let sandbox = match &stripe {
            Stripe::Real => None,
            Stripe::Sandbox(secret) => {
                let settings = SandboxSettings {
                    public_url: url.clone(),
                    webhook_url: settings::webhooks_go_to(given, &url),
                    webhook_secret: secret.clone(),
                    hold: SANDBOX_HOLD,
                };
                Some(Sandbox::open(folder.path(), settings, clock.clone())?)
            }
        };

        let variables = settings::variables(given, &stripe, &url, queue.url(), token_key.as_bytes(), faults)
            .await
            .map_err(StartError::Listen)?;
        let config = Config::from_variables(variables)?;
        let outgoing = Outgoing::new().map_err(|error| StartError::Client(error.to_string()))?;
        let table = FaultyHttp::around(dynamodb::loopback(), Target::DynamoDb, faults);
        let waking = queue::client(FaultyHttp::around(queue.http(), Target::Queue, faults));
        let gateways = Gateways::from_settings(&|name| config.setting(name))?;
        let app = App {
            store: Store::new(&dynamodb::client(database.endpoint(), table), TABLE),
            clock: clock.clone(),
            wake: Wake::queue(waking, queue.url().to_owned()),
            auth: app::authenticator(&config, &outgoing.fetch_key_sets())?,
            metrics: Metrics::nowhere(),
            config,
        };

        let system = Arc::new(Self {
            pages: Pages::render(&document, &routes, &url),
            router,
            clock,
            folder,
            token_key,
            host,
            traffic: RwLock::new(()),
            functions: Functions { app, gateways },
            observer: Store::new(&observing, TABLE),
            counted_from: Mutex::default(),
            quiet: Quiet::default(),
            queue,
            dynamodb: database.endpoint().to_owned(),
            sandbox,
            parts: Parts {
                stopping: watch::Sender::new(false),
                last,
                running: tokio::sync::Mutex::default(),
                database: tokio::sync::Mutex::new(Some(database)),
            },
        });
        system.serve(listener).await;
        Ok(system)
    }

    async fn serve(self: &Arc<Self>, listener: TcpListener) {
        let routes = server::routes(Arc::clone(self)).into_make_service_with_connect_info::<SocketAddr>();
        let stopping = told(&self.parts.stopping);
        self.parts.running.lock().await.spawn(async move {
            let served = axum::serve(listener, routes).with_graceful_shutdown(stopping).await;
            if let Err(error) = served {
                tracing::error!(%error, "the server stopped");
            }
        });
    }

    /// Sets everything going that runs by itself.
    async fn run(self: &Arc<Self>) {
        let mut running = self.parts.running.lock().await;
        let poller = Poller::new(self.queue.clone(), self.settle_function(), self.quiet.clone());
        running.spawn(poller.run(told(&self.parts.stopping)));
        let (system, stopping) = (Arc::clone(self), told(&self.parts.stopping));
        running.spawn(async move { schedule::run(schedule::EVERY_MINUTE, || system.sweep(), stopping).await });
        let (system, stopping) = (Arc::clone(self), told(&self.parts.stopping));
        running.spawn(async move { schedule::run(schedule::EVERY_DAY, || system.reconcile_daily(), stopping).await });
        if let Some(sandbox) = self.sandbox.clone() {
            let stopping = told(&self.parts.stopping);
            running.spawn(async move {
                tokio::select! {
                    () = stopping => {}
                    () = sandbox.run() => {}
                }
            });
        }
    }

    fn settle_function(self: &Arc<Self>) -> SettleBatch {
        let system = Arc::clone(self);
        Arc::new(move |event: SqsEvent| {
            let system = Arc::clone(&system);
            Box::pin(async move {
                let _traffic = system.traffic.read().await;
                Ok(system.functions.settle(event).await)
            })
        })
    }

    pub(crate) fn started(&self) -> Started {
        Started {
            url: format!("http://{}", self.host),
            clock: self.clock.clone(),
            dynamodb: self.dynamodb.clone(),
            table: TABLE.to_owned(),
            has_sandbox: self.sandbox.is_some(),
        }
    }

    /// Finishes what is in hand.
    pub(crate) async fn stop(&self) {
        self.parts.stopping.send_replace(true);
        let mut running = self.parts.running.lock().await;
        while running.join_next().await.is_some() {}
        self.silence();
        self.parts.last.send_replace(true);
        if let Some(database) = self.parts.database.lock().await.take() {
            database.stopped().await;
        }
    }

    /// The sandbox says and writes nothing any more.
    pub(crate) fn silence(&self) {
        if let Some(sandbox) = &self.sandbox {
            sandbox.stop();
        }
    }

    pub(crate) fn sandbox_routes(&self) -> axum::Router {
        self.sandbox.as_ref().map(Sandbox::router).unwrap_or_default()
    }

    /// Calls a function as Lambda would.
    pub(crate) async fn call(&self, name: &str, request: escrow_http::Request, id: &str) -> escrow_http::Response {
        let _busy = self.quiet.busy();
        let _traffic = self.traffic.read().await;
        self.functions.http(name, request, id).await
    }

    /// Runs the sweep once.
    async fn sweep(&self) {
        let _busy = self.quiet.busy();
        let _traffic = self.traffic.read().await;
        if let Err(error) = self.functions.auto_release().await {
            tracing::error!(error, "the sweep failed; the next one comes in a minute");
        }
    }

    /// Runs the reconciler once.
    pub(crate) async fn reconcile(&self) -> Result<reconcile::Reconciled, String> {
        let _busy = self.quiet.busy();
        let _traffic = self.traffic.read().await;
        self.functions.reconcile().await
    }

    /// The reconciler's day is over.
    async fn reconcile_daily(&self) {
        if let Err(error) = self.reconcile().await {
            tracing::error!(error, "the reconciler did not come to its end; it begins anew tomorrow");
        }
    }

    /// Does what has become due, and what follows from it, until a round changes nothing any more.
    pub(crate) async fn catch_up(&self, patience: Duration) -> Result<(), StillBusy> {
        for _round in 0..MOST_ROUNDS {
            let before = self.functions.app.store.counters().write_units;
            if let Some(sandbox) = &self.sandbox {
                sandbox.deliver_due().await;
            }
            self.sweep().await;
            self.quiet_reached(patience).await?;
            if self.functions.app.store.counters().write_units == before {
                return Ok(());
            }
        }
        tracing::warn!(MOST_ROUNDS, "the moved clock still finds work; the schedule goes on with it");
        Ok(())
    }

    /// Returns when there is nothing left to do now.
    pub(crate) async fn quiet_reached(&self, patience: Duration) -> Result<(), StillBusy> {
        let waiting = || async {
            // A queue that cannot be asked is not known to be empty.
            let messages = self.queue.visible().await.unwrap_or(usize::MAX);
            Waiting { messages, webhooks: self.sandbox.as_ref().map_or(0, Sandbox::webhooks_due) }
        };
        self.quiet.reached(waiting, patience).await
    }

    /// What was used since the start or the last [`System::forget_capacity`].
    pub(crate) fn capacity(&self) -> Counters {
        let from = *self.counted_from.lock().unwrap_or_else(PoisonError::into_inner);
        self.functions.app.store.counters().since(from)
    }

    /// Counts from now on.
    pub(crate) fn forget_capacity(&self) {
        *self.counted_from.lock().unwrap_or_else(PoisonError::into_inner) = self.functions.app.store.counters();
    }

    /// The table as it stands, for whoever holds `traffic` for writing.
    pub(crate) fn observer(&self) -> &Store {
        &self.observer
    }
}

/// Resolves once the part is told to.
fn told(by: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static + use<> {
    let mut word = by.subscribe();
    async move {
        // A sender that is gone is a system that is gone.
        let _ = word.wait_for(|said| *said).await;
    }
}
