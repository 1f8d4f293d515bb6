//! Wires the function `query-escrow` to Lambda.

use escrow_http::app::App;
use escrow_http::serve::run_http;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::from_env().await?;
    run_http("query-escrow", &app, |incoming| query_escrow::handle(&app, incoming)).await?;
    Ok(())
}
