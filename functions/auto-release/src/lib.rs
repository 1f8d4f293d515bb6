//! Lambda on a schedule, every minute: everything whose time has come.
//!
//! Each shard of the index of deadlines is read up to now, every page. The clock's own decisions are made and committed here, those
//! that pay one seller together; what must be done at a gateway goes to `settle` by the id of its escrow or payout; wallets whose
//! owners wish it are paid out. Whatever cannot be helped is put off, further each time: one bad item blocks nothing, not even one
//! that cannot be read.

mod payouts;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use escrow_domain::command::{Attempt, Command};
use escrow_domain::decide::{Change, Outcome, decide};
use escrow_domain::escrow::Escrow;
use escrow_domain::id::Operation;
use escrow_domain::id::UserId;
use escrow_domain::journal::Actor;
use escrow_domain::refusal::Undecided;
use escrow_domain::time::Timestamp;
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_http::metrics::Measure;
use escrow_store::group::{Ended, Planned};
use escrow_store::keys::{DUE_SHARDS, Key, KeyKind};
use escrow_store::lists::{DueEntry, Loaded};
use escrow_store::postpone::{Postponed, Seen};
use escrow_store::{ChangeError, Start, StoreError};
use std::collections::BTreeMap;
use std::fmt::Display;

/// As many keys as one batch of reads takes.
const LOADED_AT_ONCE: usize = 100;

/// What one run has done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Escrows and payouts that a deadline changed.
    pub changed: u32,
    /// Payouts that wallets' owners wished for.
    pub paid_out: u32,
    /// Escrows and payouts handed to `settle`.
    pub woken: u32,
    /// Items put off because they could not be helped.
    pub parked: u32,
}

/// Runs once. The event says nothing that matters.
///
/// # Errors
/// If some of it could not be read; the rest was done, and the next run, a minute later, begins anew.
pub async fn handle(app: &App, _event: EventBridgeEvent, line: Line) -> Result<(Swept, String), StoreError> {
    let swept = sweep(app, &line).await?;
    let Swept { changed, paid_out, woken, parked } = swept;
    Ok((swept, format!("changed {changed}, paid out {paid_out}, woke {woken}, put off {parked}")))
}

/// Does everything that is due now.
///
/// # Errors
/// As [`handle`].
pub async fn sweep(app: &App, line: &Line) -> Result<Swept, StoreError> {
    let now = app.clock.now();
    let mut swept = Swept::default();
    let mut oldest: Option<Timestamp> = None;
    let mut failed = None;
    for shard in 0..DUE_SHARDS {
        // A shard that cannot be read keeps nobody else's money waiting.
        if let Err(error) = sweep_shard(app, shard, now, &mut swept, &mut oldest, line).await {
            line.failure(format!("shard {shard}: {error}"));
            failed = failed.or(Some(error));
        }
    }
    let late = oldest.map(|oldest| now.since(oldest)).unwrap_or_default();
    app.metrics.record(Measure::SweepLateness(late), now);
    app.metrics.record(Measure::SweepParked(swept.parked), now);
    failed.map_or(Ok(swept), Err)
}

/// Every page of one shard.
async fn sweep_shard(
    app: &App,
    shard: u8,
    now: Timestamp,
    swept: &mut Swept,
    oldest: &mut Option<Timestamp>,
    line: &Line,
) -> Result<(), StoreError> {
    let mut after: Option<DueEntry> = None;
    loop {
        let page = app.store.due(shard, now, after.as_ref()).await?;
        *oldest = page.entries.first().map(|entry| entry.due_at).into_iter().chain(*oldest).min();
        for entries in page.entries.chunks(LOADED_AT_ONCE) {
            visit(app, entries, swept, line).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Loads a chunk of what is due and deals with each.
async fn visit(app: &App, entries: &[DueEntry], swept: &mut Swept, line: &Line) -> Result<(), StoreError> {
    let keys = Keys::of(entries);
    visit_escrows(app, &keys.escrows, swept, line).await?;
    if !keys.payouts.is_empty() {
        payouts::visit(app, &keys.payouts, swept, line).await?;
    }
    if !keys.wallets.is_empty() {
        payouts::pay_out(app, &keys.wallets, swept, line).await?;
    }
    for parked in app.store.parked(&keys.others).await? {
        let why = match &parked.event {
            Ok(Some(event)) => {
                // Only `settle` has the gateways' keys: it tries the event again. Until that helps, it is due later and later.
                app.wake.parked(event.gateway, &event.event, line).await;
                format!("parked: {}", event.why)
            }
            Ok(None) => continue,
            Err(unreadable) => unreadable.to_string(),
        };
        put_off(app, &parked.key, &parked.seen, &why, swept, line).await;
    }
    Ok(())
}

async fn visit_escrows(app: &App, keys: &[Key], swept: &mut Swept, line: &Line) -> Result<(), StoreError> {
    let mut paying: BTreeMap<UserId, Vec<Waiting>> = BTreeMap::new();
    let mut single: Vec<Waiting> = Vec::new();
    for loaded in app.store.load(keys).await? {
        match tick(app, &loaded) {
            Ticked::Changed(change) => {
                let waiting = Waiting { key: loaded.key, seen: loaded.seen, change: *change };
                // Those that pay one seller are committed together, so that the wallet is written once for all of them.
                match waiting.change.moves.first() {
                    Some(moved) => paying.entry(moved.owner.clone()).or_default().push(waiting),
                    None => single.push(waiting),
                }
            }
            Ticked::Waits(escrow) => {
                wake(app, &escrow, swept, line).await;
                // It stays due until the gateway's answer is stored. Should that take long, it is not woken every minute. The index
                // is behind the items: one that is no longer due keeps its own time.
                let now = app.clock.now();
                if escrow.due_at().is_some_and(|due| due <= now) {
                    postpone(app, &loaded.key, &loaded.seen, line).await;
                }
            }
            Ticked::Stuck(why) => put_off(app, &loaded.key, &loaded.seen, &why, swept, line).await,
        }
    }
    for waiting in single {
        commit_alone(app, waiting, swept, line).await;
    }
    for group in paying.into_values() {
        commit_group(app, group, swept, line).await;
    }
    Ok(())
}

/// What is due, by kind.
#[derive(Default)]
struct Keys {
    escrows: Vec<Key>,
    payouts: Vec<Key>,
    wallets: Vec<Key>,
    /// Parked events, and whatever this release does not know.
    others: Vec<Key>,
}

impl Keys {
    fn of(entries: &[DueEntry]) -> Self {
        let mut keys = Self::default();
        for DueEntry { key, .. } in entries {
            let kind = match key.kind() {
                KeyKind::Escrow(_) => &mut keys.escrows,
                KeyKind::Payout(_) => &mut keys.payouts,
                KeyKind::Wallet => &mut keys.wallets,
                _ => &mut keys.others,
            };
            kind.push(key.clone());
        }
        keys
    }
}

/// A decided change that waits for its commit.
struct Waiting {
    key: Key,
    seen: Seen,
    change: Change,
}

/// Commits changes that pay one seller; what has moved meanwhile is decided again by itself.
async fn commit_group(app: &App, group: Vec<Waiting>, swept: &mut Swept, line: &Line) {
    let planned: Vec<Planned> = group
        .iter()
        .map(|waiting| Planned { was: waiting.change.escrow.version.saturating_sub(1), change: waiting.change.clone() })
        .collect();
    for (waiting, ended) in group.into_iter().zip(app.store.commit_group(&planned).await) {
        match ended {
            Ended::Applied => done(app, &waiting.change.escrow, swept, line).await,
            Ended::Moved(_) => commit_alone(app, waiting, swept, line).await,
            Ended::Refused(refused) => {
                put_off(app, &waiting.key, &waiting.seen, &refused.refusal.to_string(), swept, line).await;
            }
            Ended::Failed(error) => put_off(app, &waiting.key, &waiting.seen, &error.to_string(), swept, line).await,
        }
    }
}

/// One escrow by itself, decided again on whatever stands there.
async fn commit_alone(app: &App, waiting: Waiting, swept: &mut Swept, line: &Line) {
    let start = Start::Load(waiting.change.escrow.id);
    match app.store.change(start, |escrow| decide_tick(app, escrow)).await {
        Ok(changed) => done(app, changed.escrow(), swept, line).await,
        Err(error) => put_off(app, &waiting.key, &waiting.seen, &why(&error), swept, line).await,
    }
}

fn why<Why: Display, A>(error: &ChangeError<Why, A>) -> String {
    match error {
        ChangeError::Undecided { why, .. } => why.to_string(),
        ChangeError::Wallet { refused, .. } => format!("{refused}: {}", refused.refusal),
        ChangeError::NotFound => "it is not there any more".to_owned(),
        ChangeError::Store(error) => error.to_string(),
    }
}

/// After a commit: count it, and wake whoever must go on.
async fn done(app: &App, escrow: &Escrow, swept: &mut Swept, line: &Line) {
    swept.changed = swept.changed.saturating_add(1);
    record(app, escrow);
    wake(app, escrow, swept, line).await;
}

/// What a visit comes to.
enum Ticked {
    /// A deadline has passed: this must be committed.
    Changed(Box<Change>),
    /// Nothing for the clock; perhaps something for a gateway.
    Waits(Box<Escrow>),
    /// It cannot be helped now.
    Stuck(String),
}

fn tick(app: &App, loaded: &Loaded) -> Ticked {
    let escrow = match &loaded.escrow {
        Ok(escrow) => escrow,
        Err(unreadable) => return Ticked::Stuck(unreadable.to_string()),
    };
    match decide_tick(app, escrow) {
        Ok(Outcome::Changed(change)) => Ticked::Changed(change),
        Ok(Outcome::AlreadyDone) => Ticked::Waits(escrow.clone()),
        Err(undecided) => Ticked::Stuck(undecided.to_string()),
    }
}

/// The clock's decision about one escrow.
pub(crate) fn decide_tick(app: &App, escrow: &Escrow) -> Result<Outcome, Undecided> {
    let now = app.moment();
    // The operations of a tick are those of the deadlines that it finds; this name is never stored.
    let attempt =
        Attempt { command: Command::Tick, actor: Actor::clock(), operation: Operation::of_clock("tick", 0, now.at) };
    decide(escrow, &attempt, now)
}

/// Hands an escrow to `settle`, if there is something to do at a gateway.
async fn wake(app: &App, escrow: &Escrow, swept: &mut Swept, line: &Line) {
    if escrow.wants_work(app.clock.now()) {
        swept.woken = swept.woken.saturating_add(1);
        app.wake.escrow(escrow.id, line).await;
    }
}

/// Moves an item back in the index, further each time, and says so.
async fn put_off(app: &App, key: &Key, seen: &Seen, why: &str, swept: &mut Swept, line: &Line) {
    swept.parked = swept.parked.saturating_add(1);
    line.failure(format!("{key}: {why}"));
    postpone(app, key, seen, line).await;
}

/// Moves an item back in the index. One that cannot be moved is met again in a minute; whatever lies behind it is not to wait for that.
async fn postpone(app: &App, key: &Key, seen: &Seen, line: &Line) {
    match app.store.postpone(key, seen, app.clock.now()).await {
        Ok(Postponed::Until(_) | Postponed::Moved) => {}
        Ok(Postponed::Stopped) => line.failure(format!("{key} is tried no more: an operator must look at it")),
        Err(error) => line.failure(format!("{key} could not be put off: {error}")),
    }
}

/// Counts what the clock did, and the alarm of a stop, which repeats daily.
fn record(app: &App, escrow: &Escrow) {
    let now = app.clock.now();
    if escrow.is_stopped() {
        app.metrics.record(Measure::Stopped(1), now);
    }
    if let Some(entry) = escrow.journal.entries.last().filter(|entry| entry.at == escrow.updated_at) {
        app.metrics.record(Measure::Transition(entry.transition), now);
    }
}
