//! `GET /_local/verify`: everything that `holdfast verify` checks of a table, while no function is at work: so nothing is too fresh to be
//! compared.

use escrow_http::problem::{Answer, Problem};
use escrow_http::reply::Reply;

use crate::system::System;
use crate::verify_table;

/// Answers the call.
pub(crate) async fn answer(system: &System) -> Answer<Reply> {
    let report = {
        let _alone = system.traffic.write().await;
        verify_table::read(system.observer(), None, |_| {}).await.map_err(Problem::unavailable)?
    };
    if !report.ok {
        tracing::error!(breaks = report.breaks_found, "the ledger does not hold");
    }
    Ok(Reply::ok(&report))
}
