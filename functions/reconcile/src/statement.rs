//! Ours against theirs: what our journals say has happened at a gateway must stand in its statement, with the same amount; and what stands
//! there under our names must be what we have of it.
//!
//! Times are no help: a fact is booked here when it is told, days after it happened perhaps, and stands there where it happened. So what a
//! statement does not show is only a [`Doubt`], until the gateway itself was asked.

use crate::window::Window;
use escrow_domain::currency::Currency;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::{EscrowId, GatewayName, PayoutId, UserId};
use escrow_domain::journal::{Account, Entry, Part};
use escrow_domain::lifecycle::{Role, Transition};
use escrow_domain::money::Money;
use escrow_domain::payment::RefundStatus;
use escrow_domain::payout::{Payout, PayoutStatus, PayoutTransition, Rail};
use escrow_domain::top_up::{TopUp, TopUpTransition};
use escrow_gateways::{RefundAsk, ReportLine, TransferAsk, What};
use escrow_store::scan::Stored;
use std::collections::{BTreeMap, BTreeSet};

/// What the gateway's statement shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Captures, refunds and transfers by the gateway's ids; no amount where it cannot be said in our units.
    amounts: BTreeMap<String, Option<Money>>,
    /// Refunds that carry our id, by escrow: the refund's number, and the gateway's id of it.
    refunds: BTreeMap<EscrowId, Vec<(u16, String)>>,
    /// Refunds that failed after all.
    failed: BTreeSet<String>,
    /// Transfers that carry our id, by payout.
    transfers: BTreeMap<PayoutId, Vec<String>>,
    /// Transfers of which something came back.
    reversed: BTreeSet<String>,
}

impl Shown {
    /// Takes a line in.
    pub(crate) fn line(&mut self, line: &ReportLine) {
        match &line.what {
            What::Captured { capture: Some(capture), .. } => {
                self.amounts.insert(capture.clone(), line.money);
            }
            What::Refunded { reference, refund, .. } => {
                self.amounts.insert(reference.clone(), line.money);
                if let Some(refund) = refund {
                    self.refunds.entry(refund.escrow).or_default().push((refund.number, reference.clone()));
                }
            }
            What::RefundFailed { reference, .. } => {
                self.failed.insert(reference.clone());
            }
            What::Transferred { reference, payout } => {
                self.amounts.insert(reference.clone(), line.money);
                if let Some(payout) = payout {
                    self.transfers.entry(*payout).or_default().push(reference.clone());
                }
            }
            What::TransferReversed { transfer: Some(transfer), .. } => {
                self.reversed.insert(transfer.clone());
            }
            What::Captured { capture: None, .. }
            | What::TransferReversed { transfer: None, .. }
            | What::Announced { .. }
            | What::CaptureFailed { .. }
            | What::ChargedBack { .. }
            | What::ChargebackReversed { .. }
            | What::Other { .. } => {}
        }
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.amounts.contains_key(id)
    }

    /// Whether a refund failed after all.
    pub(crate) fn has_failed(&self, refund: &str) -> bool {
        self.failed.contains(refund)
    }

    /// The escrows and payouts that it names as ours.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        let (escrows, payouts) = (self.refunds.keys(), self.transfers.keys());
        escrows.map(ToString::to_string).chain(payouts.map(ToString::to_string))
    }
}

/// What only the gateway itself can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// The aggregate.
    pub(crate) at: String,
    /// The wallet that it touches.
    pub(crate) wallet: (UserId, Currency),
    /// What is booked: `fund pi_1`.
    pub(crate) what: String,
    /// As how much.
    pub(crate) money: Money,
    /// The gateway's id.
    pub(crate) reference: String,
    /// What to ask for.
    pub(crate) ask: Ask,
}

/// What to ask the gateway for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Money that came in.
    Capture,
    /// Money that went back.
    Refund(RefundAsk),
    /// Money that did not go back after all.
    Failure(RefundAsk),
    /// Money that went to a seller.
    Transfer(TransferAsk),
    /// How much of a transfer came back: more than is booked, perhaps.
    Reversed(TransferAsk),
}

/// What a comparison comes to.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// What does not hold.
    pub(crate) breaks: Vec<String>,
    /// What must be asked.
    pub(crate) doubts: Vec<Doubt>,
}

/// A posting on the gateway's account.
struct AtGateway<'a> {
    what: String,
    reference: &'a str,
    money: Money,
}

/// A gateway's statement, to be compared with what is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) gateway: GatewayName,
    /// What was booked in this time is looked for; at any time if there is none.
    pub(crate) window: Option<Window>,
    pub(crate) shown: &'a Shown,
}

impl Statement<'_> {
    /// Compares an aggregate; `pages` are the entries that have left its item.
    pub(crate) fn compare(&self, stored: &Stored, pages: &[Entry]) -> Compared {
        match stored {
            Stored::Escrow(escrow) => self.escrow(escrow, pages),
            Stored::TopUp(top_up) => self.top_up(top_up),
            Stored::Payout(payout) => self.payout(payout),
            _ => Compared::default(),
        }
    }

    fn escrow(&self, escrow: &Escrow, pages: &[Entry]) -> Compared {
        let mut compared = Compared::default();
        let wallet = (escrow.terms.seller.clone(), escrow.terms.currency);
        let at = escrow.id.to_string();
        for entry in pages.iter().chain(&escrow.journal.entries) {
            let counts =
                matches!(entry.transition, Transition::Fund | Transition::AbsorbPayment | Transition::ConfirmRefund)
                    && entry.actor.role == Role::Gateway;
            let Some(found) = self.at_gateway(entry, counts) else { continue };
            let ask = match (entry.transition, entry.part) {
                (Transition::ConfirmRefund, Some(Part::Refund(number))) => refund_ask(escrow, number),
                (Transition::ConfirmRefund, _) => None,
                (_, _) => Some(Ask::Capture),
            };
            if let Some(ask) = ask {
                self.judge(&at, &wallet, found, ask, &mut compared);
            }
        }
        for (capture, kept) in escrow.payments.iter().flat_map(|payment| {
            let unit = payment.charged(escrow.terms.currency).currency;
            payment.captures.iter().map(move |capture| (&capture.id, capture.amount.of(unit)))
        }) {
            if let Some(Some(shown)) = self.shown.amounts.get(capture)
                && *shown != kept
            {
                compared.breaks.push(differs(self.gateway, capture, kept, *shown));
            }
        }
        for (number, reference) in self.shown.refunds.get(&escrow.id).into_iter().flatten() {
            self.refund(escrow, *number, reference, &mut compared);
        }
        compared
    }

    /// A refund that the gateway shows under our name.
    fn refund(&self, escrow: &Escrow, number: u16, reference: &str, compared: &mut Compared) {
        let gateway = self.gateway;
        let Some(refund) = escrow.refunds.get(usize::from(number)) else {
            compared.breaks.push(format!("{gateway} shows {reference} as its refund {number}, and it has none"));
            return;
        };
        let money = escrow.refund_money(refund);
        if let Some(Some(shown)) = self.shown.amounts.get(reference)
            && *shown != money
        {
            compared.breaks.push(differs(gateway, reference, money, *shown));
        }
        if refund.reference.as_deref().is_some_and(|known| known != reference) && !self.shown.failed.contains(reference)
        {
            compared.breaks.push(format!("{gateway} shows {reference} as a second refund of the same name"));
        }
        match refund.status {
            // Whether it was made is being found out, or is known.
            RefundStatus::Promised | RefundStatus::Pending | RefundStatus::Succeeded | RefundStatus::Resolved => {}
            RefundStatus::Failed | RefundStatus::Replaced => {
                if let Some(Ask::Refund(ask)) = refund_ask(escrow, number) {
                    compared.doubts.push(Doubt {
                        at: escrow.id.to_string(),
                        wallet: (escrow.terms.seller.clone(), escrow.terms.currency),
                        what: format!("refund {reference}"),
                        money,
                        reference: reference.to_owned(),
                        ask: Ask::Failure(ask),
                    });
                }
            }
        }
    }

    fn top_up(&self, top_up: &TopUp) -> Compared {
        let mut compared = Compared::default();
        let wallet = (top_up.owner.clone(), top_up.money.currency);
        for entry in &top_up.journal.entries {
            let counts = entry.transition == TopUpTransition::Credit;
            if let Some(found) = self.at_gateway(entry, counts) {
                self.judge(&top_up.id.to_string(), &wallet, found, Ask::Capture, &mut compared);
            }
        }
        compared
    }

    fn payout(&self, payout: &Payout) -> Compared {
        let mut compared = Compared::default();
        let (gateway, at) = (self.gateway, payout.id.to_string());
        let wallet = (payout.owner.clone(), payout.money.currency);
        let Some(ask) = transfer_ask(payout, gateway) else { return compared };
        for entry in &payout.journal.entries {
            let counts = entry.transition == PayoutTransition::Pay;
            if let Some(found) = self.at_gateway(entry, counts) {
                self.judge(&at, &wallet, found, Ask::Transfer(ask.clone()), &mut compared);
            }
        }
        let known = payout.reference.as_deref();
        let shown = self.shown.transfers.get(&payout.id);
        for reference in shown.into_iter().flatten() {
            if let Some(Some(shown)) = self.shown.amounts.get(reference)
                && *shown != payout.money
            {
                compared.breaks.push(differs(gateway, reference, payout.money, *shown));
            }
            if known.is_some_and(|known| known != reference) {
                compared.breaks.push(format!("{gateway} shows {reference} as a second transfer of the same payout"));
            }
            match payout.status {
                // Whether it was made is being found out, or is known.
                PayoutStatus::Ready
                | PayoutStatus::Sending
                | PayoutStatus::Review
                | PayoutStatus::Paid
                | PayoutStatus::Returned => {}
                PayoutStatus::Approval | PayoutStatus::Owed | PayoutStatus::Failed | PayoutStatus::Rejected => {
                    compared.breaks.push(format!("{gateway} shows {reference}, and here it is {}", payout.status));
                }
            }
        }
        let back = known.into_iter().chain(shown.into_iter().flatten().map(String::as_str));
        if let Some(reference) = back.into_iter().find(|reference| self.shown.reversed.contains(*reference)) {
            let (what, reference) = (format!("return of {reference}"), reference.to_owned());
            let money = payout.returned.of(payout.money.currency);
            compared.doubts.push(Doubt { at, wallet, what, money, reference, ask: Ask::Reversed(ask) });
        }
        compared
    }

    /// What an entry has booked on this gateway's account, if it counts and is of the window.
    fn at_gateway<'e, T: std::fmt::Display>(&self, entry: &'e Entry<T>, counts: bool) -> Option<AtGateway<'e>> {
        if !counts || self.window.is_some_and(|window| !window.is_inside(entry.at)) {
            return None;
        }
        let reference = entry.reference.as_deref()?;
        let account = Account::Gateway(self.gateway);
        let mut here = entry.postings.iter().filter(|posting| posting.account == account);
        let first = here.next()?;
        let units = here
            .filter(|other| other.currency == first.currency)
            .fold(first.units, |sum, other| sum.saturating_add(other.units));
        let amount = escrow_domain::money::Minor::new(units.checked_abs()?).ok()?;
        let what = format!("{} {reference}", entry.transition);
        Some(AtGateway { what, reference, money: amount.of(first.currency) })
    }

    fn judge(&self, at: &str, wallet: &(UserId, Currency), found: AtGateway<'_>, ask: Ask, compared: &mut Compared) {
        match self.shown.amounts.get(found.reference) {
            // What cannot be said in our units was told of by its line.
            Some(None) => {}
            Some(Some(shown)) if *shown == found.money => {}
            Some(Some(shown)) => compared.breaks.push(differs(self.gateway, &found.what, found.money, *shown)),
            None => compared.doubts.push(Doubt {
                at: at.to_owned(),
                wallet: wallet.clone(),
                what: found.what,
                money: found.money,
                reference: found.reference.to_owned(),
                ask,
            }),
        }
    }
}

/// The sentence about two amounts that should be one.
pub(crate) fn differs(gateway: GatewayName, what: &str, ours: Money, theirs: Money) -> String {
    format!("{what} is {ours} {} here, and {theirs} {} at {gateway}", ours.currency.code(), theirs.currency.code())
}

fn refund_ask(escrow: &Escrow, number: u16) -> Option<Ask> {
    let refund = escrow.refunds.get(usize::from(number))?;
    let payment = escrow.payments.get(usize::from(refund.payment))?;
    let capture = payment.captures.get(usize::from(refund.capture))?;
    Some(Ask::Refund(RefundAsk {
        escrow: escrow.id,
        refund: escrow_domain::id::RefundId { escrow: escrow.id, number },
        capture: capture.id.clone(),
        money: escrow.refund_money(refund),
    }))
}

fn transfer_ask(payout: &Payout, gateway: GatewayName) -> Option<TransferAsk> {
    match &payout.rail {
        Rail::Gateway { gateway: name, account } if *name == gateway => Some(TransferAsk {
            payout: payout.id,
            account: account.clone(),
            money: payout.money,
            charge: None,
            asked_at: payout.created_at,
        }),
        Rail::Gateway { .. } | Rail::ByHand => None,
    }
}
