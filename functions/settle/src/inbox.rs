//! Parked events, tried again: perhaps what they are about is there by now, or the gateway answers the look-up that failed.

use super::Unsettled;
use escrow_domain::id::GatewayName;
use escrow_facts::{Booked, book};
use escrow_gateways::{Deadline, Gateways};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::keys;
use serde::Deserialize;
use std::time::Duration;

/// How long the gateway is waited for: less than the function has.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which event.
#[derive(Debug, Deserialize)]
pub(super) struct ParkedEvent {
    gateway: String,
    event: String,
}

/// Tries a parked event again. If it still does not fit it stays where it is: the sweep comes back to it, later and later, and an
/// operator sees it in the metric of parked items.
pub(super) async fn retry(app: &App, gateways: &Gateways, which: &ParkedEvent, line: &Line) -> Result<(), Unsettled> {
    let name: GatewayName = which.gateway.parse().map_err(|_| Unsettled::Broken("a parked event of no gateway"))?;
    let gateway = gateways.get(name).ok_or(Unsettled::NotConfigured(name))?;
    let key = keys::inbox(name, &which.event);
    let stored = app.store.parked(std::slice::from_ref(&key)).await?;
    let Some(Ok(Some(parked))) = stored.into_iter().next().map(|loaded| loaded.event) else { return Ok(()) };
    let notice = gateway
        .read_parked(&parked.payload, parked.received_at)
        .map_err(|_| Unsettled::Broken("a parked event that cannot be read any more"))?;
    match book(app, gateway, &notice, Deadline::within(PATIENCE), line).await? {
        Booked::Nothing(_) | Booked::Known(_) | Booked::Applied(_) => {}
        Booked::Kept { .. } => return Ok(()),
    }
    app.store.finish(&key, app.clock.now()).await?;
    Ok(())
}
