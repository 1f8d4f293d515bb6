//! The Stripe sandbox: stands for Stripe on this machine, as a gateway really behaves, so that nothing in the functions
//! needs a special case for it.
//!
//! - `/sandbox/stripe/v1/…` is the API (`STRIPE_API_BASE` is `http://127.0.0.1:{port}/sandbox/stripe`), with idempotency keys.
//! - `/sandbox/stripe/pay/{session or intent}` is the page on which a buyer pays, for a browser and for programs.
//! - `/sandbox/stripe/connect/{account}/{token}` is the page on which a seller is onboarded: where an account link leads.
//! - Events go to the webhook endpoint, signed, and again until they are taken, for three days.
//! - `/_local/sandbox/stripe` looks into it and throws its switches: faults, chargebacks, refunds by hand, forged events.
//!
//! It keeps its promises as a gateway does: whatever it has answered is on the disk before (see `journal.rs`), so killing the
//! process loses nothing and repeats only webhooks. It has its own file, outside the table that is counted.

mod accounts;
mod amounts;
mod api;
mod balance;
mod book;
mod calls;
mod change;
mod checkout;
mod disputes;
mod faults;
mod form;
mod intents;
mod interventions;
mod journal;
mod listing;
mod objects;
mod onboarding;
mod page;
mod page_html;
mod payouts;
mod refunds;
mod refusal;
mod state;
mod switches;
mod transfers;
mod webhooks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use escrow_http::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;

use book::{Book, WebhookSwitches};
use change::{Cause, Change};
use journal::Journal;

pub use journal::JournalError;

/// Its file in the data folder.
const FILE: &str = "stripe-sandbox.jsonl";
/// The largest request that it reads: more than Stripe's largest legal one.
const LARGEST_BODY: usize = 1024 * 1024;
/// How often it looks at the clock by itself; whoever moves the clock does not wait for that.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Where the sandbox stands, and whom it tells.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What this process is called from outside, without a slash at the end: `http://127.0.0.1:3000`.
    pub public_url: String,
    /// Where events are posted: `http://127.0.0.1:3000/v1/webhooks/stripe`. Plain HTTP only.
    pub webhook_url: String,
    /// What events are signed with: `whsec_…`.
    pub webhook_secret: String,
    /// How long a call that is to have no answer is held before its connection is cut.
    pub hold: Duration,
}

/// An event that the gateway has to tell, as it posts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Counts events.
    pub number: u64,
    /// `evt_…`
    pub id: String,
    /// `refund.updated`
    pub kind: String,
    /// The bytes that are signed and posted.
    pub body: String,
}

/// The sandbox. Clones are the same one.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    clock: Clock,
    desk: Mutex<Desk>,
    http: webhooks::Client,
    tasks: Mutex<JoinSet<()>>,
    calls: AtomicUsize,
    /// No webhook is begun any more.
    holding: AtomicBool,
    /// Counts changes, so that whoever waits for quiet is woken.
    changes: watch::Sender<u64>,
}

/// Everything that only one may touch at a time.
struct Desk {
    book: Book,
    journal: Journal,
    /// Keys of calls that are being held without having been done.
    keys_in_use: BTreeSet<String>,
    /// Batches of webhooks that a task is sending, and single deliveries that are being tried again.
    batches_in_hand: BTreeSet<u64>,
    retries_in_hand: BTreeSet<u64>,
    /// How often each API call came, and what became of it, since the start.
    counts: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the sandbox with what it knew before, kept in this folder; without a folder it forgets everything at the end.
    ///
    /// # Errors
    /// When its file cannot be read or written, or is damaged before its last line.
    pub fn open(data: Option<&Path>, settings: Settings, clock: Clock) -> Result<Self, JournalError> {
        let mut book = Book::default();
        let mut journal = Journal::Memory;
        if let Some(folder) = data {
            let (opened, records) = Journal::open(&folder.join(FILE))?;
            journal = opened;
            let written = records.len();
            for record in records {
                book.apply(record);
            }
            let missing = balance::missing(&mut book);
            if !missing.is_empty() {
                journal.append(&missing)?;
            }
            book.forget(clock.now().as_seconds());
            let needed = book.records();
            // Most of what a long day writes is over and done; a short file also starts faster.
            if written > 2 * needed.len() + 1_000 {
                journal.rewrite(&needed)?;
            }
        }
        let desk = Desk {
            book,
            journal,
            keys_in_use: BTreeSet::new(),
            batches_in_hand: BTreeSet::new(),
            retries_in_hand: BTreeSet::new(),
            counts: BTreeMap::new(),
        };
        let shared = Shared {
            settings,
            clock,
            desk: Mutex::new(desk),
            http: webhooks::client(),
            tasks: Mutex::new(JoinSet::new()),
            calls: AtomicUsize::new(0),
            holding: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Its routes, with their whole paths: `/sandbox/stripe/…` and `/_local/sandbox/stripe/…`.
    pub fn router(&self) -> Router {
        let switches = "/_local/sandbox/stripe";
        Router::new()
            .route("/sandbox/stripe/v1/{*path}", any(api::call))
            .route("/sandbox/stripe/pay/{id}", get(page::show).post(page::submit))
            .route("/sandbox/stripe/connect/{account}/{token}", get(onboarding::show).post(onboarding::submit))
            .route(switches, get(switches::state).post(switches::set))
            .route(&format!("{switches}/payment_intents/{{id}}/chargeback"), post(interventions::chargeback))
            .route(&format!("{switches}/payment_intents/{{id}}/refund"), post(interventions::refund_by_hand))
            .route(&format!("{switches}/disputes/{{id}}"), post(interventions::rule))
            .route(&format!("{switches}/disputes/{{id}}/funds"), post(interventions::move_funds))
            .route(&format!("{switches}/refunds/{{id}}"), post(interventions::turn_refund))
            .route(&format!("{switches}/sessions/{{id}}/second_capture"), post(interventions::second_capture))
            .route(&format!("{switches}/payment_intents/{{id}}/second_capture"), post(interventions::second_capture))
            .route(&format!("{switches}/accounts/{{id}}"), post(interventions::turn_account))
            .route(&format!("{switches}/accounts/{{id}}/disconnect"), post(interventions::disconnect_account))
            .route(&format!("{switches}/accounts/{{id}}/payouts"), post(interventions::pay_out))
            .route(&format!("{switches}/payouts/{{id}}"), post(interventions::turn_payout))
            .route(&format!("{switches}/transfers/{{id}}/reversals"), post(interventions::reverse_transfer))
            .route(&format!("{switches}/balance"), post(interventions::adjust_balance))
            .route(&format!("{switches}/events"), post(switches::send_raw))
            .route(&format!("{switches}/events/{{id}}/resend"), post(switches::resend))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(self.clone())
    }

    /// Sends webhooks and lets sessions expire as long as it is polled; dropping it leaves what is unsent for the next run.
    pub async fn run(&self) {
        let mut changes = self.changes();
        loop {
            if let Err(error) = self.tend() {
                tracing::error!(%error, "the Stripe sandbox has stopped: start again to continue from what is on the disk");
                return;
            }
            // Either something changed, or it is time to look at the clock: both lead back to the same look.
            let _ = tokio::time::timeout(LOOK_EVERY, changes.changed()).await;
        }
    }

    /// Does what is due by the clock, and returns when all of it has been tried: sessions expire, webhooks are sent, and
    /// webhooks that were refused before are sent again if their time has come.
    pub async fn deliver_due(&self) {
        let mut changes = self.changes();
        while self.tend().is_ok() && !self.shared.holding.load(Ordering::SeqCst) && !self.is_quiet() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether nothing is left to do now. Webhooks that wait for a retry later by the clock do not count.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.webhooks_due() == 0
    }

    /// How many webhooks are being sent, or are to be sent now; a session whose expiry has not been told counts as one.
    #[must_use]
    pub fn webhooks_due(&self) -> usize {
        let now = self.shared.clock.now();
        let desk = self.desk();
        let due = |delivery: &&book::Delivery| {
            delivery.attempts == 0 || delivery.due <= now.as_millis() || desk.retries_in_hand.contains(&delivery.number)
        };
        desk.book.waiting_deliveries().filter(due).count() + desk.book.expired_by(now.as_seconds()).count()
    }

    /// Every event from this number on, whether or not it was posted. Sessions whose time is over expire before.
    #[must_use]
    pub fn told_since(&self, number: u64) -> Vec<Told> {
        // A sandbox that has ended tells nothing new.
        let _ = self.change(Cause::default(), None, |_| ());
        let desk = self.desk();
        let events = desk.book.events.values().filter(|event| event.number >= number);
        let mut told: Vec<Told> = events
            .map(|event| Told {
                number: event.number,
                id: event.id.clone(),
                kind: event.kind.clone(),
                body: event.body.clone(),
            })
            .collect();
        told.sort_by_key(|event| event.number);
        told
    }

    /// Changes its value with every change of the sandbox.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// How many API calls are being answered, those included that are held because they are to have no answer.
    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// Begins no more webhooks; those on their way arrive. For an orderly end: an endpoint that is going away would refuse
    /// them, and they would come a minute later by the clock instead of with the next start.
    pub fn hold_webhooks(&self) {
        self.shared.holding.store(true, Ordering::SeqCst);
    }

    /// Ends as a kill would: nothing is written or sent after it, and what was not yet written never happened.
    pub fn stop(&self) {
        self.desk().journal.close();
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.changed();
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic in between can only have left a change that was not written: the journal's next reader decides.
        self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.shared.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Makes one change: worked out, written, and only then told. Sessions whose time is over expire before.
    fn change<T>(
        &self,
        cause: Cause,
        travel: Option<WebhookSwitches>,
        work: impl FnOnce(&mut Change<'_>) -> T,
    ) -> Result<T, JournalError> {
        self.change_on(&mut self.desk(), cause, travel, work)
    }

    fn change_on<T>(
        &self,
        desk: &mut Desk,
        cause: Cause,
        travel: Option<WebhookSwitches>,
        work: impl FnOnce(&mut Change<'_>) -> T,
    ) -> Result<T, JournalError> {
        if desk.journal.is_closed() {
            return Err(JournalError::Closed);
        }
        let now = self.shared.clock.now();
        let usual = desk.book.switches.webhooks.clone();
        let mut records = Vec::new();
        if desk.book.expired_by(now.as_seconds()).next().is_some() {
            let mut expiry = Change::new(&mut desk.book, now, Cause::default(), usual.clone());
            checkout::expire_due(&mut expiry);
            records = expiry.finish();
        }
        let mut change = Change::new(&mut desk.book, now, cause, travel.unwrap_or(usual));
        let answer = work(&mut change);
        records.extend(change.finish());
        if !records.is_empty() {
            // If this fails the book is ahead of the disk; the journal is then closed, and nobody is told anything more.
            desk.journal.append(&records)?;
            self.changed();
        }
        Ok(answer)
    }
}
