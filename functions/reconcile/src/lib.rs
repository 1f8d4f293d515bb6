//! Lambda on a schedule, once a day: journals against states, wallets against statements, ours against the gateways'.
//!
//! 1. The gateway's own lists are read and heard as if their webhooks had just come: what was lost is found and booked by the usual
//!    rules (`heard.rs`).
//! 2. The table is read from end to end: every invariant (`books.rs`), the figures of yesterday (`figures.rs`), and whether what we have
//!    booked stands in the gateway's statement (`statement.rs`).
//! 3. A break counts when it is found twice. It is logged as an event, counted for the alarm, and puts a hold on the wallets that it
//!    touches: nothing leaves them until the next run finds them sound.

pub mod books;
pub mod figures;
mod heard;
mod holds;
mod statement;
mod theirs;
mod window;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use books::{Books, Report};
use escrow_domain::time::{Period, Timestamp};
use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_http::metrics::Measure;
use escrow_store::StoreError;
use escrow_store::scan::{ScanPosition, Stored};
use figures::{Day, Figures};
use serde::Serialize;
use theirs::{Theirs, Told};
use window::Window;

/// What was committed less than this ago may be read in one half only.
const SETTLED: Period = Period::minutes(5);
/// How far back the gateway's lists are read: gateways repeat their webhooks for three days, and a day more is the last chance.
const LOOK_BACK: Period = Period::days(4);
/// What the gateway is still busy with is left to its webhooks.
const FRESH: Period = Period::minutes(30);
const DAY: Period = Period::days(1);

/// What one run has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// What was read, and what does not hold.
    pub report: Report,
    /// Facts whose webhooks were lost; they are booked now.
    pub missed: u64,
    /// Wallets that were put on hold.
    pub held: u64,
    /// Wallets whose hold has ended.
    pub freed: u64,
    /// The figures of yesterday, in UTC.
    pub figures: Figures,
    /// Gateways whose lists could not be read to their end.
    pub unread: Vec<String>,
}

/// Why a run could not come to its end. What it has booked stays booked, and the next run begins anew.
#[derive(Debug, thiserror::Error)]
#[error("the table could not be read or written: {0}")]
pub struct Unfinished(#[from] StoreError);

/// Runs once. The event says nothing that matters.
///
/// # Errors
/// [`Unfinished`] if the table could not be read to its end.
pub async fn handle(
    app: &App,
    gateways: &Gateways,
    _event: EventBridgeEvent,
    line: Line,
) -> Result<(Reconciled, String), Unfinished> {
    let done = run(app, gateways, &line).await?;
    let said = format!(
        "{} breaks, {} webhooks missed, {} wallets held, {} freed",
        done.report.breaks_found, done.missed, done.held, done.freed
    );
    Ok((done, said))
}

/// Reads and compares everything once.
///
/// # Errors
/// As [`handle`].
pub async fn run(app: &App, gateways: &Gateways, line: &Line) -> Result<Reconciled, Unfinished> {
    let now = app.clock.now();
    let mut done = Reconciled::default();
    let mut told = Vec::new();
    let window = Window { from: now.before(LOOK_BACK), until: now.before(FRESH) };
    for gateway in gateways.names().filter_map(|name| gateways.get(name)) {
        let mut theirs = Theirs::new(gateway, window);
        if let Err(error) = theirs.hear(app, line).await {
            // Without its list nothing is known about what it has: no break, and no proof.
            line.failure(format!("{}: {error}", gateway.name()));
            done.unread.push(gateway.name().to_string());
            continue;
        }
        let heard = theirs.told();
        done.missed = done.missed.saturating_add(heard.missed);
        told.push(heard);
    }
    let midnight = midnight_before(now);
    let mut day = Day::new(midnight.before(DAY), midnight);
    let first = read(app, &told, Some(&mut day)).await?;
    // What people change while it is read can look broken once. What is broken looks so twice.
    done.report = if first.ok { first } else { first.confirmed_by(read(app, &told, None).await?) };
    done.figures = day.figures();
    for found in &done.report.breaks {
        tracing::error!(at = %found.at, what = %found.what, "a break in the ledger");
    }
    app.metrics.record(Measure::Breaks(done.report.breaks_found), now);
    app.metrics.record(Measure::WebhooksMissed(done.missed), now);
    (done.held, done.freed) = holds::keep(app, &done.report, line).await?;
    Ok(done)
}

/// Reads the whole table.
async fn read(app: &App, told: &[Told], mut day: Option<&mut Day>) -> Result<Report, StoreError> {
    let mut books = Books::open(&app.store, Some(app.clock.now().before(SETTLED)));
    told.iter().for_each(|gateway| gateway.unfit(&mut books));
    let mut after: Option<ScanPosition> = None;
    loop {
        let page = app.store.scan(None, after.as_ref()).await?;
        for item in page.items {
            if let Ok(stored) = &item.stored {
                for gateway in told {
                    gateway.compare(stored, &mut books);
                }
                if let Some(day) = day.as_deref_mut() {
                    count(day, stored);
                }
            }
            books.read(item).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(books.close());
        }
    }
}

/// What an item adds to the figures of a day. What happened yesterday has hardly moved into pages today.
fn count(day: &mut Day, stored: &Stored) {
    match stored {
        Stored::Escrow(escrow) => day.escrow(escrow, &[]),
        Stored::Payout(payout) => day.payout(payout),
        _ => {}
    }
}

/// The beginning of the day, in UTC.
fn midnight_before(now: Timestamp) -> Timestamp {
    let day = DAY.as_millis();
    Timestamp::from_millis(now.as_millis().saturating_sub(now.as_millis().rem_euclid(day)))
}
