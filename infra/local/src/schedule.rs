//! What EventBridge does: runs the sweep every minute of real time, beginning at the start, when there may be work that a
//! killed process has left.

use std::future::Future;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// As `rate(1 minute)` in `infra/template.yaml`.
const EVERY: Duration = Duration::from_secs(60);

/// Sweeps until `shutdown` resolves; a sweep that has begun is finished.
pub(crate) async fn run<F: Future<Output = ()>>(sweep: impl Fn() -> F, shutdown: impl Future<Output = ()>) {
    let mut minutes = interval(EVERY);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            _ = minutes.tick() => sweep().await,
        }
    }
}
