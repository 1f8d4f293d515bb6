//! What EventBridge does: runs the sweep every minute of real time, beginning at the start, when there may be work that a
//! killed process has left, and the reconciler once a day.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// As `rate(1 minute)` in `infra/template.yaml`; the first run is at once.
pub(crate) const EVERY_MINUTE: Rhythm = Rhythm { first: Duration::ZERO, every: Duration::from_secs(60) };
/// As the reconciler's in `infra/template.yaml`: a system that has just begun has nothing to compare yet.
pub(crate) const EVERY_DAY: Rhythm = Rhythm { first: DAY, every: DAY };
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When a function is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm {
    first: Duration,
    every: Duration,
}

/// Runs `function` in its rhythm until `shutdown` resolves; a run that has begun is finished.
pub(crate) async fn run<F: Future<Output = ()>>(
    rhythm: Rhythm,
    function: impl Fn() -> F,
    shutdown: impl Future<Output = ()>,
) {
    let now = Instant::now();
    let mut ticks = interval_at(now.checked_add(rhythm.first).unwrap_or(now), rhythm.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            _ = ticks.tick() => function().await,
        }
    }
}
