//! What the sandbox knows, by id: sessions, intents, refunds, disputes, accounts and their links, transfers, payouts,
//! balance transactions, kept answers, events and their deliveries.
//!
//! A change is a list of [`Record`]s, each the whole new state of one object. It is computed from the book, written to the
//! journal, and only then applied; replaying the journal gives the same book.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::accounts::{Account, AccountLink};
use super::balance::Transaction;
use super::faults::ArmedFault;
use super::payouts::{Payout, PayoutStatus};
use super::transfers::Transfer;

/// The new state of one object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Session(Session),
    Intent(Intent),
    Refund(Refund),
    Dispute(Dispute),
    Account(Account),
    AccountLink(AccountLink),
    Transfer(Transfer),
    Payout(Payout),
    Transaction(Transaction),
    Kept(KeptAnswer),
    Event(Event),
    Delivery(Delivery),
    Switches(Switches),
}

/// A Checkout Session. Amounts are in Stripe's smallest unit, times in seconds since 1970 by the one clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    /// Counts up with every object, so that lists are newest first even within one second.
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) expires_at: i64,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: SessionStatus,
    pub(super) paid: bool,
    pub(super) client_reference_id: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) lines: Vec<Line>,
    pub(super) success_url: String,
    pub(super) cancel_url: Option<String>,
    pub(super) customer_email: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) method_types: Vec<String>,
    pub(super) intent_data: IntentData,
    /// The intent of the last attempt; as at Stripe there is none before the buyer submits the page.
    pub(super) intent: Option<String>,
    pub(super) url: String,
}

/// Stripe's `status` of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SessionStatus {
    Open,
    Complete,
    Expired,
}

impl SessionStatus {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Expired => "expired",
        }
    }
}

/// One line of what is bought.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) price: String,
    pub(super) product: String,
    pub(super) name: String,
    pub(super) details: Option<String>,
    pub(super) unit_amount: i64,
    pub(super) quantity: i64,
}

/// What a session says about the intent that it will make.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct IntentData {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) description: Option<String>,
    pub(super) transfer_group: Option<String>,
    pub(super) statement_descriptor_suffix: Option<String>,
}

/// A Payment Intent with its charges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) secret: String,
    pub(super) session: Option<String>,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: IntentStatus,
    pub(super) canceled_at: Option<i64>,
    /// Stripe's word for why it was cancelled.
    #[serde(default)]
    pub(super) cancellation_reason: Option<String>,
    /// With automatic payment methods: whether they may lead away from the page (`always`, `never`).
    #[serde(default)]
    pub(super) redirects: Option<String>,
    pub(super) method_types: Vec<String>,
    pub(super) data: IntentData,
    /// Oldest first; the last one is `latest_charge`.
    pub(super) charges: Vec<Charge>,
}

/// Those of Stripe's statuses that a hosted page with automatic capture comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IntentStatus {
    RequiresPaymentMethod,
    Processing,
    Succeeded,
    Canceled,
}

impl IntentStatus {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// One attempt to take the money.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) status: ChargeStatus,
    pub(super) method: String,
    pub(super) transaction: String,
    /// By which the money that was pending left the balance again.
    #[serde(default)]
    pub(super) failure_transaction: Option<String>,
}

/// Stripe's `status` of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChargeStatus {
    Succeeded,
    Pending,
    Failed,
}

impl ChargeStatus {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// Money on its way back to the buyer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) intent: String,
    pub(super) charge: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) status: RefundStatus,
    pub(super) reason: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) transaction: String,
    /// By which its money came back to the balance.
    #[serde(default)]
    pub(super) failure_transaction: Option<String>,
    /// Asked for in the gateway's dashboard, not over the API.
    pub(super) by_hand: bool,
}

/// Stripe's `status` of a refund. The page's cards never need `requires_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
    Canceled,
}

impl RefundStatus {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether its amount is taken from what can still be refunded.
    pub(super) const fn takes_money(self) -> bool {
        matches!(self, Self::Pending | Self::Succeeded)
    }
}

/// A chargeback.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) created: i64,
    pub(super) intent: String,
    pub(super) charge: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) reason: String,
    pub(super) status: DisputeStatus,
    /// The balance transactions by which its money went and came back.
    pub(super) withdrawal: Option<String>,
    pub(super) reinstatement: Option<String>,
}

impl Dispute {
    /// Whether its charge may still be refunded.
    pub(super) const fn leaves_refundable(&self) -> bool {
        self.status.is_inquiry() || matches!(self.status, DisputeStatus::Won)
    }
}

/// Those of Stripe's statuses that a card's dispute comes through. A bank that only asks is a `warning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DisputeStatus {
    WarningNeedsResponse,
    WarningUnderReview,
    WarningClosed,
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
}

impl DisputeStatus {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::WarningNeedsResponse => "warning_needs_response",
            Self::WarningUnderReview => "warning_under_review",
            Self::WarningClosed => "warning_closed",
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::WarningClosed)
    }

    pub(super) const fn is_inquiry(self) -> bool {
        matches!(self, Self::WarningNeedsResponse | Self::WarningUnderReview | Self::WarningClosed)
    }
}

/// The first answer given under an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptAnswer {
    pub(super) key: String,
    /// Hash of method, path and body.
    pub(super) fingerprint: String,
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) at: i64,
}

/// Something that happened, in the bytes that are sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) kind: String,
    pub(super) created: i64,
    pub(super) body: String,
}

/// One copy of an event on its way to the webhook endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delivery {
    pub(super) number: u64,
    pub(super) event: String,
    /// Deliveries of one occasion share a batch; steps of a batch follow each other, those of one step go out together.
    pub(super) batch: u64,
    pub(super) step: u32,
    /// Real milliseconds that the batch waits before its first step.
    pub(super) delay_ms: u64,
    pub(super) attempts: u32,
    /// Milliseconds since 1970, by the one clock.
    pub(super) first_try: Option<i64>,
    pub(super) due: i64,
    pub(super) state: DeliveryState,
    /// The endpoint's last status; none when there was no answer.
    pub(super) status: Option<u16>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeliveryState {
    Waiting,
    Delivered,
    /// Three days of retries are over.
    GivenUp,
}

/// What is set to happen out of the ordinary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Switches {
    pub(super) next: Vec<ArmedFault>,
    pub(super) webhooks: WebhookSwitches,
    pub(super) balance: BalanceSwitches,
    pub(super) payouts: PayoutSwitches,
}

/// When money counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BalanceSwitches {
    /// How many seconds after a charge its money is available; before, it is pending.
    pub(super) available_after_s: i64,
}

/// What connected accounts do by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PayoutSwitches {
    /// Every transfer is followed by a payout of the account, which comes to this; none without it.
    pub(super) automatic: Option<PayoutStatus>,
}

/// How the events of API calls and of the clock are delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WebhookSwitches {
    pub(super) duplicates: u32,
    pub(super) delay_ms: u64,
    pub(super) shuffle: bool,
    /// Event types that are not sent at all; `*` means every one.
    pub(super) drop: Vec<String>,
}

/// Everything, by id.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) intents: BTreeMap<String, Intent>,
    pub(super) refunds: BTreeMap<String, Refund>,
    pub(super) disputes: BTreeMap<String, Dispute>,
    pub(super) accounts: BTreeMap<String, Account>,
    /// By their token.
    pub(super) links: BTreeMap<String, AccountLink>,
    pub(super) transfers: BTreeMap<String, Transfer>,
    pub(super) payouts: BTreeMap<String, Payout>,
    pub(super) transactions: BTreeMap<String, Transaction>,
    pub(super) kept: BTreeMap<String, KeptAnswer>,
    pub(super) events: BTreeMap<String, Event>,
    pub(super) deliveries: BTreeMap<u64, Delivery>,
    /// Which deliveries still wait, so that asking does not walk through history.
    pub(super) waiting: BTreeSet<u64>,
    /// Open sessions by the second in which they expire.
    pub(super) open: BTreeSet<(i64, String)>,
    pub(super) switches: Switches,
    /// The last number given to any object.
    pub(super) last: u64,
}

/// Stripe shows events for 30 days (docs.stripe.com/api/events).
const EVENTS_KEPT_S: i64 = 30 * 86_400;
/// Stripe keeps answers for at least 24 hours (docs.stripe.com/api/idempotent_requests).
pub(super) const ANSWERS_KEPT_S: i64 = 86_400;

impl Book {
    /// Takes in one record.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Session(session) => {
                self.last = self.last.max(session.number);
                let place = (session.expires_at, session.id.clone());
                match session.status {
                    SessionStatus::Open => self.open.insert(place),
                    SessionStatus::Complete | SessionStatus::Expired => self.open.remove(&place),
                };
                self.sessions.insert(session.id.clone(), session);
            }
            Record::Intent(intent) => {
                self.last = self.last.max(intent.number);
                self.intents.insert(intent.id.clone(), intent);
            }
            Record::Refund(refund) => {
                self.last = self.last.max(refund.number);
                self.refunds.insert(refund.id.clone(), refund);
            }
            Record::Dispute(dispute) => {
                self.last = self.last.max(dispute.number);
                self.disputes.insert(dispute.id.clone(), dispute);
            }
            Record::Account(account) => {
                self.last = self.last.max(account.number);
                self.accounts.insert(account.id.clone(), account);
            }
            Record::AccountLink(link) => {
                self.links.insert(link.token.clone(), link);
            }
            Record::Transfer(transfer) => {
                let last = transfer.reversals.last().map_or(transfer.number, |reversal| reversal.number);
                self.last = self.last.max(last);
                self.transfers.insert(transfer.id.clone(), transfer);
            }
            Record::Payout(payout) => {
                self.last = self.last.max(payout.number);
                self.payouts.insert(payout.id.clone(), payout);
            }
            Record::Transaction(transaction) => {
                self.last = self.last.max(transaction.number);
                self.transactions.insert(transaction.id.clone(), transaction);
            }
            Record::Kept(kept) => {
                self.kept.insert(kept.key.clone(), kept);
            }
            Record::Event(event) => {
                self.last = self.last.max(event.number);
                self.events.insert(event.id.clone(), event);
            }
            Record::Delivery(delivery) => {
                self.last = self.last.max(delivery.number).max(delivery.batch);
                match delivery.state {
                    DeliveryState::Waiting => self.waiting.insert(delivery.number),
                    DeliveryState::Delivered | DeliveryState::GivenUp => self.waiting.remove(&delivery.number),
                };
                self.deliveries.insert(delivery.number, delivery);
            }
            Record::Switches(switches) => self.switches = switches,
        }
    }

    /// Forgets what a real gateway forgets: old answers, old events that were delivered or given up.
    pub(super) fn forget(&mut self, now_s: i64) {
        self.kept.retain(|_, kept| kept.at + ANSWERS_KEPT_S > now_s);
        self.links.retain(|_, link| link.expires_at + ANSWERS_KEPT_S > now_s);
        let awaited: BTreeSet<String> = self.waiting_deliveries().map(|delivery| delivery.event.clone()).collect();
        self.events.retain(|id, event| event.created + EVENTS_KEPT_S > now_s || awaited.contains(id));
        self.deliveries.retain(|_, delivery| self.events.contains_key(&delivery.event));
    }

    /// Everything as records, from which the same book is made again.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::Switches(self.switches.clone())];
        records.extend(self.sessions.values().cloned().map(Record::Session));
        records.extend(self.intents.values().cloned().map(Record::Intent));
        records.extend(self.refunds.values().cloned().map(Record::Refund));
        records.extend(self.disputes.values().cloned().map(Record::Dispute));
        records.extend(self.accounts.values().cloned().map(Record::Account));
        records.extend(self.links.values().cloned().map(Record::AccountLink));
        records.extend(self.transfers.values().cloned().map(Record::Transfer));
        records.extend(self.payouts.values().cloned().map(Record::Payout));
        records.extend(self.transactions.values().cloned().map(Record::Transaction));
        records.extend(self.kept.values().cloned().map(Record::Kept));
        records.extend(self.events.values().cloned().map(Record::Event));
        records.extend(self.deliveries.values().cloned().map(Record::Delivery));
        records
    }

    /// How much of a charge is refunded or about to be.
    pub(super) fn refunded(&self, charge: &str) -> i64 {
        let of_charge = self.refunds.values().filter(|refund| refund.charge == charge && refund.status.takes_money());
        of_charge.map(|refund| refund.amount).sum()
    }

    /// A connected account that the platform may use.
    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id).filter(|account| !account.gone)
    }

    /// The disputes about a charge.
    pub(super) fn disputes_about(&self, charge: &str) -> impl Iterator<Item = &Dispute> {
        self.disputes.values().filter(move |dispute| dispute.charge == charge)
    }

    /// The open sessions whose time is over, first the longest over.
    pub(super) fn expired_by(&self, now_s: i64) -> impl Iterator<Item = &Session> {
        let over = self.open.iter().take_while(move |(expires_at, _)| *expires_at <= now_s);
        over.filter_map(|(_, id)| self.sessions.get(id))
    }

    /// The intent that a charge belongs to, and the charge.
    pub(super) fn charge(&self, id: &str) -> Option<(&Intent, &Charge)> {
        self.intents
            .values()
            .find_map(|intent| intent.charges.iter().find(|charge| charge.id == id).map(|charge| (intent, charge)))
    }

    /// How many copies of an event have not arrived yet.
    pub(super) fn pending_webhooks(&self, event: &str) -> usize {
        self.waiting_deliveries().filter(|delivery| delivery.event == event).count()
    }

    /// The deliveries that have neither arrived nor been given up, oldest first.
    pub(super) fn waiting_deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.waiting.iter().filter_map(|number| self.deliveries.get(number))
    }
}

impl Intent {
    /// The charge that took the money.
    pub(super) fn paid_charge(&self) -> Option<&Charge> {
        self.charges.iter().rev().find(|charge| charge.status == ChargeStatus::Succeeded)
    }
}
