//! What a gateway's own lists say, heard line by line.

use crate::books::Books;
use crate::heard;
use crate::statement::{self, Shown};
use crate::window::Window;
use escrow_domain::id::GatewayName;
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;
use escrow_facts::{Booked, book};
use escrow_gateways::{CallError, Deadline, Gateway, Notice, What};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::StoreError;
use escrow_store::scan::Stored;
use std::collections::BTreeMap;

/// More pages than any four days fill; a gateway that never ends its list is not followed.
const MOST_PAGES: usize = 10_000;

/// A gateway's lists, while they are read.
pub(crate) struct Theirs<'a> {
    gateway: &'a dyn Gateway,
    window: Window,
    shown: Shown,
    /// By capture: what has gone back of it in this window, and when the last of it was told.
    refunded: BTreeMap<String, (Money, Timestamp)>,
    missed: u64,
    unfit: Vec<(String, String)>,
}

/// A gateway's lists, read to their end.
pub(crate) struct Told {
    gateway: GatewayName,
    window: Window,
    shown: Shown,
    pub(crate) missed: u64,
    unfit: Vec<(String, String)>,
}

/// Why a list was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its list has no end")]
    Endless,
}

impl<'a> Theirs<'a> {
    pub(crate) fn new(gateway: &'a dyn Gateway, window: Window) -> Self {
        Self { gateway, window, shown: Shown::default(), refunded: BTreeMap::new(), missed: 0, unfit: Vec::new() }
    }

    /// Reads the lists to their end, and books what no webhook has told.
    pub(crate) async fn hear(&mut self, app: &App, line: &Line) -> Result<(), Unread> {
        let Window { from, until } = self.window;
        let mut next = None;
        for _page in 0..MOST_PAGES {
            let page = self.gateway.report(from, until, next.as_deref(), deadline()).await?;
            for entry in &page.lines {
                self.shown.line(entry);
                self.total(&entry.what, entry.money, entry.at);
                if let Some(notice) = heard::of_line(entry) {
                    self.book(app, &notice, line).await?;
                }
            }
            next = page.next;
            if next.is_none() {
                self.payments(app, line).await?;
                return self.totals(app, line).await;
            }
        }
        Err(Unread::Endless)
    }

    /// What was opened to be paid, as it stands at the gateway.
    async fn payments(&mut self, app: &App, line: &Line) -> Result<(), Unread> {
        let Window { from, until } = self.window;
        let mut next = None;
        for _page in 0..MOST_PAGES {
            let page = self.gateway.payments_since(from, until, next.as_deref(), deadline()).await?;
            for payment in &page.lines {
                if let Some(notice) = heard::of_payment(payment) {
                    self.book(app, &notice, line).await?;
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
        Err(Unread::Endless)
    }

    /// Adds a refund to what has gone back of its capture.
    fn total(&mut self, what: &What, money: Option<Money>, at: Timestamp) {
        let (
            Some(money),
            What::Refunded { capture: Some(capture), .. } | What::RefundFailed { capture: Some(capture), .. },
        ) = (money, what)
        else {
            return;
        };
        let known = self
            .refunded
            .entry(capture.clone())
            .or_insert_with(|| (escrow_domain::money::Minor::ZERO.of(money.currency), at));
        known.1 = known.1.max(at);
        let sum = match what {
            What::Refunded { .. } => known.0.amount.plus(money.amount),
            // The failure of a refund from before the window is no less than nothing.
            _ => Ok(known.0.amount.minus(money.amount).unwrap_or(escrow_domain::money::Minor::ZERO)),
        };
        if let Ok(sum) = sum {
            known.0 = sum.of(money.currency);
        }
    }

    /// What has gone back of each capture in this window is the least that has gone back in all: money that somebody gave back by hand
    /// shows by that.
    async fn totals(&mut self, app: &App, line: &Line) -> Result<(), Unread> {
        for (capture, (total, told_at)) in std::mem::take(&mut self.refunded) {
            if !total.amount.is_zero() {
                self.book(app, &heard::of_total(&capture, total, told_at), line).await?;
            }
        }
        Ok(())
    }

    async fn book(&mut self, app: &App, notice: &Notice, line: &Line) -> Result<(), Unread> {
        match book(app, self.gateway, notice, deadline(), line).await? {
            Booked::Nothing(_) | Booked::Known(_) => {}
            Booked::Applied(what) => {
                tracing::warn!(at = %what.id(), by = %notice.event_id, "a webhook was missed; what it would have told is booked now");
                self.missed = self.missed.saturating_add(1);
            }
            Booked::Kept(why) => self.unfit.push((notice.event_id.clone(), why)),
        }
        Ok(())
    }

    pub(crate) fn told(self) -> Told {
        Told {
            gateway: self.gateway.name(),
            window: self.window,
            shown: self.shown,
            missed: self.missed,
            unfit: self.unfit,
        }
    }
}

impl Told {
    /// What our journals say has happened there must stand in its statement.
    pub(crate) fn compare(&self, stored: &Stored, books: &mut Books<'_>) {
        let (not_shown, owner, currency) = match stored {
            Stored::Escrow(escrow) => (
                statement::of_escrow(escrow, self.gateway, self.window, &self.shown),
                &escrow.terms.seller,
                escrow.terms.currency,
            ),
            Stored::TopUp(top_up) => (
                statement::of_top_up(top_up, self.gateway, self.window, &self.shown),
                &top_up.owner,
                top_up.money.currency,
            ),
            Stored::Payout(payout) => (
                statement::of_payout(payout, self.gateway, self.window, &self.shown),
                &payout.owner,
                payout.money.currency,
            ),
            _ => return,
        };
        for missing in not_shown {
            let what = format!("{} is booked, and {} does not show it", missing.what, self.gateway);
            books.broken(&missing.at, Some((owner, currency)), what);
        }
    }

    /// What it told and could not be booked.
    pub(crate) fn unfit(&self, books: &mut Books<'_>) {
        for (notice, why) in &self.unfit {
            books.broken(&format!("{} {notice}", self.gateway), None, why.clone());
        }
    }
}

fn deadline() -> Deadline {
    Deadline::within(Deadline::LONGEST)
}
