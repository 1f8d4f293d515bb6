//! A table of its own for every test, and a wire on which faults can be made: below the SDK, where networks make them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use escrow_store::keys::{Item, Key};
use escrow_store::{Store, schema};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

const TABLE: &str = "holdfast";

/// What happens to one request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is done, and its answer is lost.
    LoseAnswer,
    /// It is done twice; the second answer arrives.
    Twice,
    /// It is done twice, so far apart that the database has forgotten the first one's request token; the second answer arrives.
    TwiceForgotten,
    /// It is done, and its answer never ends.
    Hang,
    /// It never arrives.
    NotSent,
    /// It never arrives; this is answered instead.
    Answer(u16, String),
    /// It goes through: a place in the row of faults for one that is well.
    Pass,
}

impl Fault {
    /// An error of DynamoDB's, by its name.
    pub(crate) fn error(status: u16, name: &str) -> Self {
        Self::Answer(status, format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{name}","message":"made up"}}"#))
    }

    /// A transaction cancelled for these reasons, one for each member.
    pub(crate) fn cancelled(codes: &[&str]) -> Self {
        let reasons: Vec<String> = codes.iter().map(|code| format!(r#"{{"Code":"{code}"}}"#)).collect();
        let name = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let body =
            format!(r#"{{"__type":"{name}","Message":"made up","CancellationReasons":[{}]}}"#, reasons.join(","));
        Self::Answer(400, body)
    }
}

/// The wire between the SDK and the database.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Operations and what happens to their next request, in order.
    script: VecDeque<(String, Fault)>,
    /// Every operation that was asked for.
    log: Vec<String>,
}

impl Wire {
    /// Makes a fault of the next request of this operation that no earlier fault takes.
    pub(crate) fn next(&self, operation: &str, fault: Fault) {
        self.state.lock().unwrap().script.push_back((operation.to_owned(), fault));
    }

    /// The same fault so many times.
    pub(crate) fn always(&self, operation: &str, fault: &Fault) {
        for _ in 0..1_000 {
            self.next(operation, fault.clone());
        }
    }

    /// No more faults.
    pub(crate) fn heal(&self) {
        self.state.lock().unwrap().script.clear();
    }

    /// Whether every fault has happened.
    pub(crate) fn all_fired(&self) -> bool {
        self.state.lock().unwrap().script.is_empty()
    }

    /// The operations asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, state: Arc::clone(&self.state) })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    state: Arc<Mutex<State>>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.log.push(operation.clone());
            let place = state.script.iter().position(|(wanted, _)| *wanted == operation);
            place.and_then(|place| state.script.remove(place)).map_or(Fault::Pass, |(_, fault)| fault)
        };
        let inner = self.inner.clone();
        let lost = || ConnectorError::io("the connection was lost".into());
        HttpConnectorFuture::new(async move {
            match fault {
                Fault::Pass => inner.call(request).await,
                Fault::Twice => {
                    let again = request.try_clone().unwrap();
                    inner.call(request).await?;
                    inner.call(again).await
                }
                Fault::TwiceForgotten => {
                    let mut again = request.try_clone().unwrap();
                    let body = std::str::from_utf8(request.body().bytes().unwrap()).unwrap();
                    let (before, token) = body.split_once(r#""ClientRequestToken":""#).unwrap();
                    // Another token of the same length.
                    let other = if token.starts_with('0') { '1' } else { '0' };
                    let body = format!(r#"{before}"ClientRequestToken":"{other}{}"#, &token[1..]);
                    *again.body_mut() = SdkBody::from(body);
                    inner.call(request).await?;
                    inner.call(again).await
                }
                Fault::LoseAnswer => {
                    inner.call(request).await?;
                    Err(lost())
                }
                Fault::Hang => {
                    inner.call(request).await?;
                    std::future::pending().await
                }
                Fault::NotSent => Err(lost()),
                Fault::Answer(status, body) => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
            }
        })
    }
}

/// A store on an empty table.
pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) wire: Wire,
    /// The bare SDK, past the store and past the wire: what an operator's hand, another release or a bug could do.
    pub(crate) bare: Client,
}

pub(crate) async fn bed() -> Bed {
    let database = Database::memory().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { dynoxide::server::serve_on(listener, database).await });
    let plain = aws_smithy_http_client::Builder::new().build_http();
    let wire = Wire { inner: plain.clone(), state: Arc::default() };
    let client = |http: SharedHttpClient| {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(&endpoint)
            .http_client(http)
            .build();
        Client::from_conf(config)
    };
    let bare = client(plain);
    schema::create_table(&bare, TABLE).await.unwrap();
    let store = Store::new(&client(SharedHttpClient::new(wire.clone())), TABLE);
    Bed { store, wire, bare }
}

impl Bed {
    /// Another invocation's store on the same table: its own wire is sound.
    pub(crate) fn other(&self) -> Store {
        Store::new(&self.bare, TABLE)
    }

    /// The item as it stands.
    pub(crate) async fn item(&self, key: &Key) -> Option<Item> {
        self.bare.get_item().table_name(TABLE).set_key(Some(key.to_item())).send().await.unwrap().item
    }

    /// Puts an item as it is.
    #[expect(clippy::disallowed_methods, reason = "what the store itself would never write must be written by hand")]
    pub(crate) async fn put(&self, item: Item) {
        self.bare.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    }

    /// Changes single attributes of an item by hand; `None` takes one away.
    pub(crate) async fn tamper(&self, key: &Key, changes: &[(&str, Option<AttributeValue>)]) {
        let mut item = self.item(key).await.unwrap();
        for (name, value) in changes {
            match value {
                Some(value) => item.insert((*name).to_owned(), value.clone()),
                None => item.remove(*name),
            };
        }
        self.put(item).await;
    }

    /// How many entries an index has.
    pub(crate) async fn entries(&self, index: &str) -> usize {
        self.bare.scan().table_name(TABLE).index_name(index).send().await.unwrap().items().len()
    }
}

pub(crate) fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn b(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}
