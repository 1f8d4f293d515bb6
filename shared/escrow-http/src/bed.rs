//! What tests stand on: an app with a clock that stands still, tokens, and a real DynamoDB API in this process.

use crate::app::App;
use crate::auth::scopes_of;
use crate::clock::Clock;
use crate::config::Variables;
use crate::metrics::Metrics;
use crate::outgoing::Outgoing;
use crate::{aws, config};
use escrow_domain::time::{Period, Timestamp};
use escrow_store::schema;

const TABLE: &str = "holdfast-test";

/// An app that can reach nothing.
pub(crate) async fn app(now: Timestamp) -> App {
    at("http://127.0.0.1:1", now).await
}

/// An app on an empty table.
pub(crate) async fn app_with_table(now: Timestamp) -> App {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(async move { dynoxide::server::serve_on(listener, database).await });
    let settings = config::AwsSettings::from_variables(&variables(&endpoint)).unwrap();
    let client = aws::Aws::new(&settings, &Outgoing::new().unwrap()).dynamodb;
    schema::create_table(&client, TABLE).await.unwrap();
    at(&endpoint, now).await
}

async fn at(endpoint: &str, now: Timestamp) -> App {
    let app = App::from_variables(variables(endpoint)).await.unwrap();
    App { clock: Clock::standing(now), metrics: Metrics::in_memory(), ..app }
}

fn variables(endpoint: &str) -> Variables {
    let variables = [
        ("HOLDFAST_TABLE", TABLE),
        ("HOLDFAST_DEVELOPMENT_KEY", "0707070707070707070707070707070707070707070707070707070707070707"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    Variables::new(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// A token that is good for an hour.
pub(crate) fn token(app: &App, sub: &str, scopes: &[&str]) -> String {
    let key = app.config.development_key.clone().unwrap();
    let scopes = scopes_of(scopes.iter().copied());
    key.mint(&sub.parse().unwrap(), scopes, app.clock.now().after(Period::hours(1))).unwrap()
}
