//! Holds: nothing leaves a wallet that a break touches, until a run finds it sound again.

use crate::books::Report;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::{ChangeError, StoreError};
use std::collections::BTreeMap;

/// What begins every reason of a hold that was made here.
const BY_RECONCILER: &str = "the ledger is being checked";

/// Puts a hold on every wallet that a break touches, and ends the holds of those that none touches any more. How many of each.
///
/// `is_whole`: everything could be compared. Otherwise nothing is found sound.
pub(crate) async fn keep(app: &App, report: &Report, is_whole: bool, line: &Line) -> Result<(u64, u64), StoreError> {
    let mut touched: BTreeMap<(UserId, Currency), String> = BTreeMap::new();
    for found in &report.breaks {
        if let Some((owner, currency)) = found.wallet() {
            touched.entry((owner.clone(), *currency)).or_insert_with(|| format!("{BY_RECONCILER}: {}", found.at));
        }
    }
    let (mut held, mut freed) = (0_u64, 0_u64);
    for ((owner, currency), reason) in &touched {
        if hold(app, owner, *currency, Some(reason)).await? {
            line.failure(format!("wallet:{owner}:{currency} is on hold"));
            held = held.saturating_add(1);
        }
    }
    // A report that was cut off names not every break: then nothing is freed.
    if is_whole && report.is_complete() {
        for (owner, currency, reason) in &report.holds {
            let sound = !touched.contains_key(&(owner.clone(), *currency));
            if sound && reason.starts_with(BY_RECONCILER) && hold(app, owner, *currency, None).await? {
                freed = freed.saturating_add(1);
            }
        }
    }
    Ok((held, freed))
}

/// The aggregate on whose account the reconciler has put this hold on a wallet; `None` if somebody else has.
pub(crate) fn cause(reason: &str) -> Option<&str> {
    reason.strip_prefix(BY_RECONCILER)?.strip_prefix(": ")
}

/// Puts a wallet on hold, or ends its hold. Whether that changes anything.
async fn hold(app: &App, owner: &UserId, currency: Currency, reason: Option<&str>) -> Result<bool, StoreError> {
    let mut changes = false;
    let changed = app.store.change_wallet(owner, currency, |wallet| {
        changes = wallet.hold.as_deref() != reason;
        // A hold of somebody else stays.
        let theirs = wallet.hold.as_ref().is_some_and(|held| !held.starts_with(BY_RECONCILER));
        changes &= !theirs;
        if changes { wallet.held(reason).map(Some) } else { Ok(None) }
    });
    match changed.await {
        Ok(_) => Ok(changes),
        // A wallet that cannot be read, whose version has no end, or that is gone: nothing can leave it, and the report names it.
        Err(ChangeError::Store(StoreError::Unreadable(_))) => Ok(false),
        Err(ChangeError::Store(error)) => Err(error),
        Err(ChangeError::NotFound | ChangeError::Undecided { .. } | ChangeError::Wallet { .. }) => Ok(false),
    }
}
