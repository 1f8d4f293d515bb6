//! Wires the function `auto-release` to Lambda.

// The future of a run holds those of every commit that it may make: deeper than the compiler expects.
#![recursion_limit = "256"]

use escrow_http::app::App;
use escrow_http::serve::run_events;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::from_env().await?;
    run_events("auto-release", |event, line| auto_release::handle(&app, event, line)).await?;
    Ok(())
}
