//! Holds: nothing leaves a wallet that a break touches, until a run finds it sound again.

use crate::books::Report;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::StoreError;
use std::collections::BTreeMap;

/// What begins every reason of a hold that was made here.
const BY_RECONCILER: &str = "the ledger is being checked";

/// Puts a hold on every wallet that a break touches, and ends the holds of those that none touches any more. How many of each.
pub(crate) async fn keep(app: &App, report: &Report, line: &Line) -> Result<(u64, u64), StoreError> {
    let mut touched: BTreeMap<(UserId, Currency), String> = BTreeMap::new();
    for found in &report.breaks {
        if let Some((owner, currency)) = found.wallet() {
            touched.entry((owner.clone(), *currency)).or_insert_with(|| format!("{BY_RECONCILER}: {}", found.at));
        }
    }
    let (mut held, mut freed) = (0_u64, 0_u64);
    for ((owner, currency), reason) in &touched {
        if app.store.hold_wallet(owner, *currency, Some(reason)).await? {
            line.failure(format!("wallet:{owner}:{currency} is on hold"));
            held = held.saturating_add(1);
        }
    }
    // A report that was cut off names not every break: then nothing is freed.
    if report.is_complete() {
        for (owner, currency, reason) in &report.holds {
            let sound = !touched.contains_key(&(owner.clone(), *currency));
            if sound && reason.starts_with(BY_RECONCILER) && app.store.hold_wallet(owner, *currency, None).await? {
                freed = freed.saturating_add(1);
            }
        }
    }
    Ok((held, freed))
}
