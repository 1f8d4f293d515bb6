//! Bad days. A seed draws a small marketplace: people who do whatever they may, a gateway whose answers get lost, a table that
//! throttles, functions that are killed at any call, events that come late, twice and in disorder, a clock that jumps. Then the bad luck
//! ends, everybody tries again, time passes, and everything must come to its end: no escrow stuck, no ledger that does not add up, and
//! the gateway's books must say what ours say.
//!
//! A day is replayed by its number: `HOLDFAST_SEED=17 cargo test -p holdfast-tests simulation`. `HOLDFAST_SEEDS=20000` plays that many.

mod acts;
mod end;
mod gateway;
mod luck;
mod payouts;
mod world;

use luck::Fired;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use world::World;

/// How many days are played where nobody says otherwise: some minutes of two processors.
const SEEDS: u64 = 150;
/// How many are played side by side.
const AT_ONCE: u64 = 4;

/// What was asked for in the environment.
#[expect(clippy::disallowed_methods, reason = "how long a proof runs is said by whoever runs it")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// One day, from its first request to its last account.
async fn day(seed: u64) -> Fired {
    let mut world = World::begin(seed).await;
    world.live().await;
    world.come_to_its_end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_bad_day_every_ledger_balances_and_nothing_is_stuck() {
    let (first, end) = match asked("HOLDFAST_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, asked("HOLDFAST_SEEDS").unwrap_or(SEEDS)),
    };
    let next = Arc::new(AtomicU64::new(first));
    let mut players = tokio::task::JoinSet::new();
    for _player in 0..AT_ONCE {
        let next = Arc::clone(&next);
        players.spawn(async move {
            let mut fired = Fired::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    return fired;
                }
                match tokio::spawn(day(seed)).await {
                    Ok(day) => fired.add(&day),
                    Err(error) => panic!("seed {seed}: {error}; HOLDFAST_SEED={seed} plays that day again"),
                }
            }
        });
    }
    let mut fired = Fired::default();
    for day in players.join_all().await {
        fired.add(&day);
    }
    // Luck that never strikes, and people who never do a thing, prove nothing.
    if end - first >= SEEDS {
        fired.check();
    }
}
