//! Wires the function `onboard-seller` to Lambda.

use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::serve::run_http;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::from_env().await?;
    let gateways = Gateways::from_settings(&|name| app.config.setting(name))?;
    run_http("onboard-seller", &app, |incoming| onboard_seller::handle(&app, &gateways, incoming)).await?;
    Ok(())
}
