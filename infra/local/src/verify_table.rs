//! `holdfast verify --table holdfast`: proof on one's own data. Reads a live table from end to end, replays every journal, and checks every
//! invariant, while people go on using it. It writes nothing: `dynamodb:Scan`, `Query`, `GetItem` and `DescribeTable` are enough.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use escrow_domain::time::{Period, Timestamp};
use escrow_http::aws::Aws;
use escrow_http::clock::Clock;
use escrow_http::config::{AwsSettings, Variables};
use escrow_http::outgoing::Outgoing;
use escrow_store::{Store, StoreError};
use indicatif::{ProgressBar, ProgressStyle};
use reconcile::books::{Books, Report};

use crate::cli::say;

/// What was committed less than this ago may be read in one half only: it is checked by itself, and not yet against the rest.
const SETTLED: Period = Period::minutes(5);
/// Everything holds.
const SOUND: u8 = 0;
/// Something does not hold.
const BROKEN: u8 = 1;
/// Nobody knows: the table could not be read to its end.
const UNKNOWN: u8 = 2;

/// Which table.
#[derive(Debug, Args)]
pub(crate) struct VerifyTable {
    /// Name of the table
    #[arg(long, env = "HOLDFAST_TABLE", value_name = "NAME")]
    table: String,
    /// Where it is
    #[arg(long, env = "AWS_REGION", value_name = "REGION")]
    region: String,
    /// Another DynamoDB than that of AWS
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Nobody writes: compare what was committed in the last five minutes as well
    #[arg(long)]
    at_rest: bool,
    /// Print the whole report as JSON instead of a summary
    #[arg(long)]
    json: bool,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(
        "{0}; the keys are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: `aws configure export-credentials --format env` prints them"
    )]
    Settings(String),
    #[error("the table cannot be read: {0}; nothing is known about what was not read")]
    Store(#[from] StoreError),
}

impl VerifyTable {
    /// Checks it. 0: everything holds, 1: something does not, 2: it could not be read to its end.
    pub(crate) async fn run(self, keys: BTreeMap<String, String>) -> ExitCode {
        match self.read(keys).await {
            Ok(report) => {
                let shown = if self.json {
                    serde_json::to_string_pretty(&report).unwrap_or_default()
                } else {
                    summary(&report)
                };
                say(&format!("{shown}\n"));
                ExitCode::from(if report.ok { SOUND } else { BROKEN })
            }
            Err(unread) => {
                crate::cli::complain(&unread);
                ExitCode::from(UNKNOWN)
            }
        }
    }

    async fn read(&self, mut keys: BTreeMap<String, String>) -> Result<Report, Unread> {
        keys.insert("AWS_REGION".to_owned(), self.region.clone());
        if let Some(url) = &self.endpoint_url {
            keys.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url.clone());
        }
        let settings = |error: &dyn std::fmt::Display| Unread::Settings(error.to_string());
        let outgoing = Outgoing::new().map_err(|error| settings(&error))?;
        let aws = AwsSettings::from_variables(&Variables::new(keys)).map_err(|error| settings(&error))?;
        let aws = Aws::new(&aws, &outgoing);
        // DynamoDB counts items every six hours or so: good enough for a bar, and for nothing else.
        let described = aws.dynamodb.describe_table().table_name(&self.table).send().await;
        let about =
            described.ok().and_then(|answer| answer.table?.item_count).and_then(|count| u64::try_from(count).ok());
        let bar = bar(about);
        let store = Store::new(&aws.dynamodb, self.table.clone());
        let cutoff = || (!self.at_rest).then(|| Clock::system().now().before(SETTLED));
        let mut report = read(&store, cutoff(), |items| bar.inc(items)).await?;
        if !report.ok && !self.at_rest {
            // What people change while it is read can look broken once. What is broken looks so twice.
            bar.reset();
            report = report.confirmed_by(read(&store, cutoff(), |items| bar.inc(items)).await?);
        }
        bar.finish_and_clear();
        Ok(report)
    }
}

/// Reads a table from end to end. `read` is told how many items more were read.
pub(crate) async fn read(
    store: &Store,
    cutoff: Option<Timestamp>,
    mut progress: impl FnMut(u64),
) -> Result<Report, StoreError> {
    let mut books = Books::open(store, cutoff);
    let mut after = None;
    loop {
        let page = store.scan(None, after.as_ref()).await?;
        let items = u64::try_from(page.items.len()).unwrap_or_default();
        for item in page.items {
            books.read(&item).await?;
        }
        progress(items);
        after = page.next;
        if after.is_none() {
            return books.close().await;
        }
    }
}

fn bar(about: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match about {
        Some(count) if count > 0 => {
            (ProgressBar::new(count), "{bar:40} {pos} of about {len} items, {per_sec}, {eta} left")
        }
        Some(_) | None => (ProgressBar::new_spinner(), "{spinner} {pos} items, {per_sec}"),
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    // The template is ours: should it not be understood, the usual bar does.
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A report for people.
fn summary(report: &Report) -> String {
    let mut text = format!(
        "Read {} escrows, {} payouts, {} top-ups, {} wallets with {} lines, {} journal entries; {} events are parked.\n",
        report.escrows, report.payouts, report.top_ups, report.wallets, report.lines, report.entries, report.parked,
    );
    if !report.accounts.is_empty() {
        text.push_str("\nBalances in minor units (a debit is positive):\n");
        for sum in &report.accounts {
            text.push_str(&format!("  {:<24} {:>20} {}\n", sum.account, sum.units, sum.currency));
        }
    }
    if report.ok {
        text.push_str("\nEverything holds.");
        return text;
    }
    text.push_str(&format!("\n{} things do not hold:\n", report.breaks_found));
    for found in &report.breaks {
        text.push_str(&format!("  {}: {}\n", found.at, found.what));
    }
    let more = report.breaks_found.saturating_sub(u64::try_from(report.breaks.len()).unwrap_or_default());
    if more > 0 {
        text.push_str(&format!("  … and {more} more (--json shows no more either)\n"));
    }
    text.push_str("\nThe runbook says what to do: docs/OPERATING.md, \"A break in the ledger\".");
    text
}
