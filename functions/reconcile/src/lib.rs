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
use escrow_domain::id::{EscrowId, PayoutId, TopUpId};
use escrow_domain::journal::Entry;
use escrow_domain::payout::Payout;
use escrow_domain::time::Period;
use escrow_domain::top_up::TopUp;
use escrow_gateways::Gateways;
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_http::metrics::Measure;
use escrow_store::StoreError;
use escrow_store::scan::{ScanPosition, Stored};
use escrow_store::sheets::Day;
use figures::Figures;
use serde::Serialize;
use std::time::Duration;
use theirs::{Theirs, Unread};
use tokio::time::Instant;
use window::Window;

/// What was committed less than this ago may be read in one half only.
const SETTLED: Period = Period::minutes(5);
/// How far back the gateway's lists are read: gateways repeat their webhooks for three days, a day more is the last chance, and another
/// one leaves a whole day of ours to compare with it.
const LOOK_BACK: Period = Period::days(5);
/// What the gateway is still busy with is left to its webhooks.
const FRESH: Period = Period::minutes(30);
const DAY: Period = Period::days(1);
/// Lambda ends a function after fifteen minutes without asking. It is better to say that time is up.
const PATIENCE: Duration = Duration::from_secs(14 * 60);

/// What one run has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
pub enum Unfinished {
    /// The table could not be read or written.
    #[error("the table could not be read or written: {0}")]
    Store(#[from] StoreError),
    /// It is too large for the time that a function has.
    #[error(
        "time is up after {items} items: what was not read was not checked; the table has grown too large for this function, `holdfast verify` has no limit"
    )]
    OutOfTime {
        /// How many items this reading had come to.
        items: usize,
    },
}

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
    let done = run(app, gateways, PATIENCE, &line).await?;
    let said = format!(
        "{} breaks, {} webhooks missed, {} wallets held, {} freed",
        done.report.breaks_found, done.missed, done.held, done.freed
    );
    Ok((done, said))
}

/// Reads and compares everything once, within so much real time.
///
/// # Errors
/// As [`handle`].
pub async fn run(app: &App, gateways: &Gateways, patience: Duration, line: &Line) -> Result<Reconciled, Unfinished> {
    let now = app.clock.now();
    let mut reading =
        Reading { app, line, ends: Instant::now().checked_add(patience), theirs: Vec::new(), unread: Vec::new() };
    let window = Window { from: now.before(LOOK_BACK), until: now.before(FRESH) };
    for gateway in gateways.names().filter_map(|name| gateways.get(name)) {
        let mut theirs = Theirs::new(gateway, window, reading.ends);
        // Without its list nothing is known about what it has: no break, and no proof. What was booked before stays booked.
        let heard = theirs.hear(app, line).await;
        reading.theirs.push((theirs, heard.is_ok()));
        if let Err(error) = heard {
            let name = gateway.name().to_string();
            reading.unread(name, &error);
        }
    }
    let yesterday = Day::of(now.before(DAY));
    let mut counting = figures::Counting::new(yesterday);
    let first = reading.read(Some(&mut counting)).await?;
    // What people change while it is read can look broken once. What is broken looks so twice.
    let report = if first.ok { first } else { first.confirmed_by(reading.read(None).await?) };
    let figures = counting.figures(&report, now);
    figures::keep(&app.store, yesterday, &figures).await?;
    for found in &report.breaks {
        tracing::error!(at = %found.at, what = %found.what, "a break in the ledger");
    }
    let missed = reading.theirs.iter().map(|(theirs, _)| theirs.missed).fold(0, u64::saturating_add);
    app.metrics.record(Measure::Breaks(report.breaks_found), now);
    app.metrics.record(Measure::WebhooksMissed(missed), now);
    app.metrics.record(Measure::ListsUnread(u32::try_from(reading.unread.len()).unwrap_or(u32::MAX)), now);
    let unread = reading.unread;
    let (held, freed) = holds::keep(app, &report, unread.is_empty(), line).await?;
    Ok(Reconciled { report, missed, held, freed, figures, unread })
}

/// The table, read from end to end, beside what the gateways' lists have told.
struct Reading<'a> {
    app: &'a App,
    line: &'a Line,
    /// When it is given up; never if there is no such moment.
    ends: Option<Instant>,
    /// With whether its lists were read to their end.
    theirs: Vec<(Theirs<'a>, bool)>,
    unread: Vec<String>,
}

impl Reading<'_> {
    fn unread(&mut self, gateway: String, why: &dyn std::error::Error) {
        self.line.failure(format!("{gateway}: {why}"));
        tracing::error!(gateway = %gateway, error = %why, "a gateway's own lists could not be read to their end");
        if !self.unread.contains(&gateway) {
            self.unread.push(gateway);
        }
    }

    /// Reads it once.
    async fn read(&mut self, mut counting: Option<&mut figures::Counting>) -> Result<Report, Unfinished> {
        let mut books = Books::open(&self.app.store, Some(self.app.clock.now().before(SETTLED)));
        self.theirs.iter_mut().for_each(|(theirs, _)| theirs.begin(&mut books));
        let (mut after, mut items): (Option<ScanPosition>, usize) = (None, 0);
        loop {
            if self.ends.is_some_and(|ends| Instant::now() >= ends) {
                return Err(Unfinished::OutOfTime { items });
            }
            let page = self.app.store.scan(None, after.as_ref()).await?;
            items = items.saturating_add(page.items.len());
            for item in page.items {
                let pages = books.read(&item).await?;
                let Ok(stored) = &item.stored else {
                    let name = books::name(&item.key);
                    self.theirs.iter_mut().for_each(|(theirs, _)| theirs.cannot_compare(name.clone()));
                    continue;
                };
                for (theirs, _) in self.theirs.iter_mut().filter(|(_, is_read)| *is_read) {
                    theirs.compare(stored, &pages, &mut books);
                }
                if let Some(counting) = counting.as_deref_mut() {
                    counting.count(stored, &pages);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.look_again(&mut books).await?;
        let mut lacking = Vec::new();
        for (theirs, is_read) in &mut self.theirs {
            if !*is_read {
                continue;
            }
            match theirs.end(self.app, &mut books, self.line).await {
                Ok(()) => {}
                Err(Unread::Store(error)) => return Err(error.into()),
                Err(error) => lacking.push((theirs.name(), error)),
            }
        }
        lacking.into_iter().for_each(|(gateway, error)| self.unread(gateway, &error));
        Ok(books.close().await?)
    }

    /// What a wallet is on hold for is compared again whenever it was booked: it does not become sound by leaving the window.
    async fn look_again(&mut self, books: &mut Books<'_>) -> Result<(), Unfinished> {
        let causes: Vec<String> =
            books.holds().iter().filter_map(|(_, _, reason)| holds::cause(reason).map(str::to_owned)).collect();
        for cause in causes {
            let Some((stored, pages)) = self.again(books, &cause).await? else { continue };
            for (theirs, _) in self.theirs.iter_mut().filter(|(_, is_read)| *is_read) {
                theirs.compare_again(&stored, &pages, books);
            }
        }
        Ok(())
    }

    /// The aggregate of that name; `None` if it is none that a gateway knows of, or cannot be read, which was told of before.
    async fn again(&self, books: &Books<'_>, cause: &str) -> Result<Option<(Stored, Vec<Entry>)>, StoreError> {
        let store = &self.app.store;
        let read = async {
            if let Ok(id) = cause.parse::<EscrowId>() {
                let Some(escrow) = store.escrow(id).await? else { return Ok(None) };
                let pages = books.pages(&escrow).await?;
                return Ok(Some((Stored::Escrow(Box::new(escrow)), pages)));
            }
            if let Ok(id) = cause.parse::<PayoutId>() {
                let payout = store.aggregate::<Payout>(&id).await?;
                return Ok(payout.map(|payout| (Stored::Payout(Box::new(payout)), Vec::new())));
            }
            if let Ok(id) = cause.parse::<TopUpId>() {
                let top_up = store.aggregate::<TopUp>(&id).await?;
                return Ok(top_up.map(|top_up| (Stored::TopUp(Box::new(top_up)), Vec::new())));
            }
            Ok(None)
        };
        match read.await {
            Ok(found) => Ok(found),
            Err(StoreError::Unreadable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
