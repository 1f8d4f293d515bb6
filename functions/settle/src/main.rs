//! Wires the function `settle` to Lambda.

// The future of one message holds those of every gateway call that it may make: deeper than the compiler expects.
#![recursion_limit = "256"]

use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::serve::run_events;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::from_env().await?;
    let gateways = Gateways::from_settings(&|name| app.config.setting(name))?;
    run_events("settle", |event, line| settle::handle(&app, &gateways, event, line)).await?;
    Ok(())
}
