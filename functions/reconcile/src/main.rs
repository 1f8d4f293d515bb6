//! Wires the function `reconcile` to Lambda.

use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::serve::run_events;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::from_env().await?;
    let gateways = Gateways::from_settings(&|name| app.config.setting(name))?;
    run_events("reconcile", |event, line| reconcile::handle(&app, &gateways, event, line)).await?;
    Ok(())
}
