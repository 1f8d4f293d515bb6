//! What a gateway's own lists say, heard line by line; and what is asked of it by itself where they say nothing.

use crate::books::Books;
use crate::heard;
use crate::statement::{Ask, Compared, Doubt, Shown, Statement, differs};
use crate::window::Window;
use escrow_domain::currency::Currency;
use escrow_domain::id::UserId;
use escrow_domain::journal::Entry;
use escrow_domain::money::{Minor, Money};
use escrow_domain::payment::RefundStatus;
use escrow_domain::time::{Period, Timestamp};
use escrow_domain::top_up::{GivenBack, TopUp};
use escrow_facts::{Booked, What as About, book};
use escrow_gateways::{CallError, Deadline, Gateway, Notice, Origin, PaymentStanding, RefundState, What};
use escrow_http::app::App;
use escrow_http::line::Line;
use escrow_store::StoreError;
use escrow_store::scan::Stored;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// More pages than any four days fill; a gateway that never ends its list is not followed.
const MOST_PAGES: usize = 10_000;
/// A refund and the notice of its total may be so far apart: what is shown within this was told, and is not claimed a second time.
const SAME_MOMENT: Period = Period::minutes(1);
/// So many questions are asked about what the lists do not show; mostly there are none.
const MOST_QUESTIONS: usize = 1_000;

/// A gateway's lists.
pub(crate) struct Theirs<'a> {
    gateway: &'a dyn Gateway,
    window: Window,
    /// When it is given up; never if there is no such moment.
    ends: Option<Instant>,
    shown: Shown,
    /// By capture: what of it somebody gave back by hand.
    by_hand: BTreeMap<String, ByHand>,
    /// Facts that no webhook had told.
    pub(crate) missed: u64,
    /// What it told and could not be booked, and whose wallet that touches.
    unfit: Vec<Unfit>,
    /// What only it can say; made anew by each reading of the table.
    doubts: Vec<Doubt>,
    /// The escrows and payouts that were met by a reading.
    met: BTreeSet<String>,
}

/// Refunds of one capture in the window, by the gateway's ids.
#[derive(Default)]
struct ByHand {
    refunds: BTreeMap<String, (Money, Timestamp)>,
    has_unasked: bool,
}

struct Unfit {
    told: String,
    why: String,
    wallet: Option<(UserId, Currency)>,
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
    #[error("time is up: its lists have more than a run can hear")]
    OutOfTime,
    #[error("its lists lack so much that not everything could be asked")]
    Lacking,
}

impl<'a> Theirs<'a> {
    pub(crate) fn new(gateway: &'a dyn Gateway, window: Window, ends: Option<Instant>) -> Self {
        Self {
            gateway,
            window,
            ends,
            shown: Shown::default(),
            by_hand: BTreeMap::new(),
            missed: 0,
            unfit: Vec::new(),
            doubts: Vec::new(),
            met: BTreeSet::new(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        self.gateway.name().to_string()
    }

    /// Reads the lists to their end, and books what no webhook has told.
    pub(crate) async fn hear(&mut self, app: &App, line: &Line) -> Result<(), Unread> {
        let Window { from, until } = self.window;
        let mut next = None;
        for _page in 0..MOST_PAGES {
            let page = self.gateway.report(from, until, next.as_deref(), deadline()).await?;
            for entry in &page.lines {
                self.shown.line(entry);
                self.given_back(&entry.what, entry.money, entry.at);
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
                // The statement has told of it already.
                if matches!(&payment.standing, PaymentStanding::Paid(paid) if self.shown.has(&paid.capture)) {
                    continue;
                }
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

    /// Takes note of a refund.
    fn given_back(&mut self, what: &What, money: Option<Money>, at: Timestamp) {
        if let (Some(money), What::Refunded { reference, refund, capture: Some(capture) }) = (money, what) {
            let known = self.by_hand.entry(capture.clone()).or_default();
            known.has_unasked |= refund.is_none();
            known.refunds.insert(reference.clone(), (money, at));
        }
    }

    /// Money that somebody gave back by hand shows by the total of its capture. What is known of that is the least that it can be: all
    /// refunds of the window that did not fail, and ours from before it that succeeded.
    async fn totals(&mut self, app: &App, line: &Line) -> Result<(), Unread> {
        for (capture, given) in std::mem::take(&mut self.by_hand) {
            let stands = given.refunds.into_iter().filter(|(reference, _)| !self.shown.has_failed(reference));
            let mut stands: BTreeMap<String, (Money, Timestamp)> = stands.collect();
            let Some((first, _)) = stands.values().next().filter(|_| given.has_unasked) else { continue };
            let unit = first.currency;
            let origin = self.gateway.trace_capture(&capture, deadline()).await?;
            let mut before = before(app, origin, &capture, unit, &stands).await?;
            // Of a top-up the newest total counts, also a smaller one: what is known of it is a part of this one.
            if let Some(known) = known_of_top_up(app, origin, &capture).await? {
                stands.retain(|_, (_, at)| *at > known.told_at.after(SAME_MOMENT));
                before.push(known.total);
            }
            let sum = Minor::sum(stands.values().map(|(money, _)| money.amount).chain(before));
            let last = stands.values().map(|(_, at)| *at).max();
            if let (Ok(total), Some(told_at)) = (sum, last) {
                self.book(app, &heard::of_total(origin, &capture, total.of(unit), told_at), line).await?;
            }
        }
        Ok(())
    }

    async fn book(&mut self, app: &App, notice: &Notice, line: &Line) -> Result<(), Unread> {
        if self.ends.is_some_and(|ends| Instant::now() >= ends) {
            return Err(Unread::OutOfTime);
        }
        match book(app, self.gateway, notice, deadline(), line).await? {
            Booked::Nothing(_) | Booked::Known(_) => {}
            Booked::Applied(what) => {
                tracing::warn!(at = %what.id(), by = %notice.event_id, "a webhook was missed; what it would have told is booked now");
                self.missed = self.missed.saturating_add(1);
            }
            Booked::Kept { why, about } => {
                let wallet = about.as_ref().and_then(About::wallet).map(|(owner, currency)| (owner.clone(), currency));
                let told =
                    about.map_or_else(|| format!("{} {}", self.gateway.name(), notice.event_id), |what| what.id());
                self.unfit.push(Unfit { told, why: format!("{}: {why}", notice.event_id), wallet });
            }
        }
        Ok(())
    }

    /// Another reading of the table begins.
    pub(crate) fn begin(&mut self, books: &mut Books<'_>) {
        self.doubts.clear();
        self.met.clear();
        for unfit in &self.unfit {
            let wallet = unfit.wallet.as_ref().map(|(owner, currency)| (owner, *currency));
            books.broken(&unfit.told, wallet, unfit.why.clone());
        }
    }

    /// What is stored and what its statement shows must say the same.
    pub(crate) fn compare(&mut self, stored: &Stored, pages: &[Entry], books: &mut Books<'_>) {
        self.take_in(stored, pages, Some(self.window), books);
    }

    /// Something is stored that cannot be read: it is there, and more is not known.
    pub(crate) fn cannot_compare(&mut self, name: String) {
        self.met.insert(name);
    }

    /// The same of something that was broken before, whenever it was booked.
    pub(crate) fn compare_again(&mut self, stored: &Stored, pages: &[Entry], books: &mut Books<'_>) {
        self.take_in(stored, pages, None, books);
    }

    fn take_in(&mut self, stored: &Stored, pages: &[Entry], window: Option<Window>, books: &mut Books<'_>) {
        let statement = Statement { gateway: self.gateway.name(), window, shown: &self.shown };
        let Compared { breaks, doubts } = statement.compare(stored, pages);
        let (at, wallet) = match stored {
            Stored::Escrow(escrow) => (escrow.id.to_string(), (&escrow.terms.seller, escrow.terms.currency)),
            Stored::TopUp(top_up) => (top_up.id.to_string(), (&top_up.owner, top_up.money.currency)),
            Stored::Payout(payout) => (payout.id.to_string(), (&payout.owner, payout.money.currency)),
            _ => return,
        };
        if window.is_some() {
            breaks.into_iter().for_each(|what| books.broken(&at, Some(wallet), what));
        }
        self.met.insert(at);
        for doubt in doubts {
            if !self.doubts.contains(&doubt) {
                self.doubts.push(doubt);
            }
        }
    }

    /// The table was read: what is in doubt is asked, and what was never met is told of.
    pub(crate) async fn end(&mut self, app: &App, books: &mut Books<'_>, line: &Line) -> Result<(), Unread> {
        for name in self.shown.names() {
            if !self.met.contains(&name) {
                books.broken(&name, None, format!("{} shows money of it, and it is not here", self.gateway.name()));
            }
        }
        let doubts = std::mem::take(&mut self.doubts);
        if doubts.len() > MOST_QUESTIONS {
            return Err(Unread::Lacking);
        }
        for doubt in doubts {
            if let Some(what) = self.ask(app, &doubt, line).await? {
                books.broken(&doubt.at, Some((&doubt.wallet.0, doubt.wallet.1)), what);
            }
        }
        Ok(())
    }

    /// Asks about one thing; what does not hold, if something does not.
    async fn ask(&mut self, app: &App, doubt: &Doubt, line: &Line) -> Result<Option<String>, Unread> {
        let (gateway, name) = (self.gateway, self.gateway.name());
        let reference = doubt.reference.as_str();
        let unknown = || format!("{} is booked, and {name} does not know it", doubt.what);
        let compare = |theirs: Money| (theirs != doubt.money).then(|| differs(name, &doubt.what, doubt.money, theirs));
        Ok(match &doubt.ask {
            Ask::Capture => match known(gateway.look_up_payment(reference, deadline()).await)? {
                Some(PaymentStanding::Paid(paid)) if paid.capture == reference => compare(paid.money),
                Some(_) => Some(format!("{} is booked, and {name} says that it was not paid", doubt.what)),
                None => Some(unknown()),
            },
            Ask::Refund(ask) => {
                match known(gateway.look_up_refund(ask, Some(reference), deadline()).await)?.flatten() {
                    Some(standing) => compare(standing.money),
                    None => Some(unknown()),
                }
            }
            Ask::Failure(ask) => {
                match known(gateway.look_up_refund(ask, Some(reference), deadline()).await)?.flatten() {
                    Some(standing) if !matches!(standing.state, RefundState::Failed(_)) => {
                        Some(format!("{name} shows {reference} as made, and here it is not"))
                    }
                    Some(_) | None => None,
                }
            }
            Ask::Transfer(ask) => {
                match known(gateway.look_up_transfer(ask, Some(reference), deadline()).await)?.flatten() {
                    Some(standing) => compare(standing.money),
                    None => Some(unknown()),
                }
            }
            Ask::Reversed(ask) => {
                match known(gateway.look_up_transfer(ask, Some(reference), deadline()).await)?.flatten() {
                    Some(standing) if standing.reversed.amount > doubt.money.amount => {
                        let notice = heard::of_reversal(ask.payout, &standing, app.clock.now());
                        let before = self.unfit.len();
                        self.book(app, &notice, line).await?;
                        self.unfit.get(before).map(|unfit| unfit.why.clone())
                    }
                    Some(_) | None => None,
                }
            }
        })
    }
}

/// What a gateway says it knows; a definite no is an answer.
fn known<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(standing) => Ok(Some(standing)),
        Err(CallError::Refused { .. }) => Ok(None),
        Err(error @ (CallError::NotSent(_) | CallError::InDoubt(_) | CallError::ServerError { .. })) => Err(error),
    }
}

/// Our own refunds of that capture that succeeded before the window, in that unit.
async fn before(
    app: &App,
    origin: Origin,
    capture: &str,
    unit: Currency,
    shown: &BTreeMap<String, (Money, Timestamp)>,
) -> Result<Vec<Minor>, Unread> {
    let Some(id) = origin.escrow else { return Ok(Vec::new()) };
    // One that cannot be read is told of by the notice itself.
    let escrow = match app.store.escrow(id).await {
        Ok(Some(escrow)) => escrow,
        Ok(None) | Err(StoreError::Unreadable(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let of_capture = |refund: &&escrow_domain::payment::Refund| {
        let payment = escrow.payments.get(usize::from(refund.payment));
        payment.and_then(|payment| payment.captures.get(usize::from(refund.capture))).is_some_and(|it| it.id == capture)
    };
    let ours = escrow.refunds.iter().filter(of_capture).filter(|refund| {
        refund.status == RefundStatus::Succeeded
            && escrow.refund_gateway(refund).is_some()
            && refund.reference.as_ref().is_some_and(|reference| !shown.contains_key(reference))
            && escrow.refund_money(refund).currency == unit
    });
    Ok(ours.map(|refund| refund.amount).collect())
}

/// What is known to have been given back of a capture that went into a wallet.
async fn known_of_top_up(app: &App, origin: Origin, capture: &str) -> Result<Option<GivenBack>, Unread> {
    let Some(id) = origin.top_up else { return Ok(None) };
    // One that cannot be read is told of by the notice itself.
    let top_up = match app.store.aggregate::<TopUp>(&id).await {
        Ok(Some(top_up)) => top_up,
        Ok(None) | Err(StoreError::Unreadable(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let place = top_up.payment.capture(capture).map(|(index, _)| index);
    let known = top_up.refunded.iter().find(|known| Some(usize::from(known.capture)) == place);
    Ok(known.copied())
}

fn deadline() -> Deadline {
    Deadline::within(Deadline::LONGEST)
}
