//! What happened: entries with the money they moved, chained by hashes, never changed.

use crate::currency::Currency;
use crate::id::{EscrowId, GatewayName, Operation, UserId};
use crate::lifecycle::{Role, Transition};
use crate::milestone::Bucket;
use crate::money::Minor;
use crate::time::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// As what.
    pub role: Role,
    /// Which person; `None` for gateways and the clock.
    pub sub: Option<UserId>,
}

impl Actor {
    /// A person.
    #[must_use]
    pub const fn person(role: Role, sub: UserId) -> Self {
        Self { role, sub: Some(sub) }
    }

    /// A deadline.
    #[must_use]
    pub const fn clock() -> Self {
        Self { role: Role::Clock, sub: None }
    }

    /// A gateway's fact.
    #[must_use]
    pub const fn gateway() -> Self {
        Self { role: Role::Gateway, sub: None }
    }
}

/// More entries do not stand in the item: then the oldest move into a page.
pub const MOST_ENTRIES_HERE: usize = 48;
/// So many move into a page.
pub const ENTRIES_OF_A_PAGE: usize = 32;

/// An account of the double-entry ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// Money at a gateway.
    Gateway(GatewayName),
    /// Held in the escrow whose journal this is.
    Escrow,
    /// A user's wallet.
    Wallet(UserId),
    /// The platform's fees.
    Fees,
    /// Refunds on their way.
    Refunds(GatewayName),
    /// Payouts on their way.
    Payouts(GatewayName),
    /// Payouts that an operator is to make by hand: owed to the seller.
    PayoutsByHand,
    /// What operators have paid out by hand, outside of every gateway.
    PaidByHand,
    /// Disputed by a card's holder.
    Chargebacks(GatewayName),
    /// Credits on their way to a wallet.
    Credits(UserId),
    /// Payments that fitted nothing.
    Unapplied(GatewayName),
    /// Between two units.
    Exchange,
    /// What a user owes.
    Receivable(UserId),
}

impl Account {
    /// Whether what the ledger says of it is compared with what the escrow says: its own money, and what of it is on its way.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        match self {
            Self::Escrow | Self::Refunds(_) | Self::Chargebacks(_) | Self::Credits(_) => true,
            Self::Gateway(_)
            | Self::Wallet(_)
            | Self::Fees
            | Self::Payouts(_)
            | Self::PayoutsByHand
            | Self::PaidByHand
            | Self::Unapplied(_)
            | Self::Exchange
            | Self::Receivable(_) => false,
        }
    }
}

/// As the API writes it; the escrow's own account needs its id beside it, so it is only called `escrow` here.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(name) => write!(f, "gateway:{name}"),
            Self::Escrow => write!(f, "escrow"),
            Self::Wallet(owner) => write!(f, "wallet:{owner}"),
            Self::Fees => write!(f, "fees"),
            Self::Refunds(name) => write!(f, "refunds:{name}"),
            Self::Payouts(name) => write!(f, "payouts:{name}"),
            Self::PayoutsByHand => write!(f, "payouts:manual"),
            Self::PaidByHand => write!(f, "gateway:manual"),
            Self::Chargebacks(name) => write!(f, "chargebacks:{name}"),
            Self::Credits(owner) => write!(f, "credits:{owner}"),
            Self::Unapplied(name) => write!(f, "unapplied:{name}"),
            Self::Exchange => write!(f, "exchange"),
            Self::Receivable(owner) => write!(f, "receivable:{owner}"),
        }
    }
}

/// One side of an entry. The postings of an entry sum to zero per currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Which account.
    pub account: Account,
    /// In minor units; a debit is positive, a credit negative.
    pub units: i64,
    /// The unit.
    pub currency: Currency,
}

impl Posting {
    /// A debit.
    #[must_use]
    pub const fn debit(account: Account, amount: Minor, currency: Currency) -> Self {
        Self { account, units: amount.units(), currency }
    }

    /// A credit.
    #[must_use]
    pub const fn credit(account: Account, amount: Minor, currency: Currency) -> Self {
        Self { account, units: amount.units().saturating_neg(), currency }
    }
}

/// Money that an entry moved between the buckets of a milestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The milestone, by index.
    pub milestone: u8,
    /// Out of this.
    pub from: Bucket,
    /// Into that.
    pub to: Bucket,
    /// In minor units.
    pub amount: Minor,
}

/// Which part of the escrow an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A milestone, by index.
    Milestone(u8),
    /// A payment, by number.
    Payment(u16),
    /// A refund, by number.
    Refund(u16),
    /// A dispute, by number.
    Dispute(u16),
    /// A chargeback, by number.
    Chargeback(u16),
}

/// One thing that happened: to an escrow, or to another aggregate with transitions of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T = Transition> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub transition: T,
    /// By whom.
    pub actor: Actor,
    /// To which part.
    pub part: Option<Part>,
    /// What moved inside the escrow.
    pub moves: Vec<Move>,
    /// What moved in the ledger.
    pub postings: Vec<Posting>,
    /// The gateway's object or event behind it.
    pub reference: Option<String>,
    /// Why, in somebody's words.
    pub note: Option<String>,
}

/// An entry that cannot be: its postings do not sum to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the postings of an entry do not sum to zero")]
pub struct Unbalanced;

impl<T> Entry<T> {
    /// The postings per currency sum to zero.
    ///
    /// # Errors
    /// [`Unbalanced`] if they do not.
    pub fn check_balanced(&self) -> Result<(), Unbalanced> {
        for posting in &self.postings {
            let same = self.postings.iter().filter(|other| other.currency == posting.currency);
            let sum = same.map(|other| i128::from(other.units)).sum::<i128>();
            if sum != 0 {
                return Err(Unbalanced);
            }
        }
        Ok(())
    }

    /// The bytes that the chain hashes: every field behind its length or tag, so that no two entries share them.
    fn canonical(&self, operation: &Operation) -> Vec<u8>
    where
        T: fmt::Display,
    {
        let mut bytes = Vec::with_capacity(256);
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        put(&operation.name);
        put(&operation.content);
        put(&self.at.as_millis().to_be_bytes());
        put(self.transition.to_string().as_bytes());
        put(self.actor.role.as_str().as_bytes());
        put(self.actor.sub.as_ref().map_or("", UserId::as_str).as_bytes());
        put(match self.part {
            None => String::new(),
            Some(Part::Milestone(index)) => format!("m{index}"),
            Some(Part::Payment(number)) => format!("p{number}"),
            Some(Part::Refund(number)) => format!("r{number}"),
            Some(Part::Dispute(number)) => format!("d{number}"),
            Some(Part::Chargeback(number)) => format!("c{number}"),
        }
        .as_bytes());
        for moved in &self.moves {
            put(&[moved.milestone]);
            put(moved.from.as_str().as_bytes());
            put(moved.to.as_str().as_bytes());
            put(&moved.amount.units().to_be_bytes());
        }
        put(b"postings");
        for posting in &self.postings {
            put(posting.account.to_string().as_bytes());
            put(&posting.units.to_be_bytes());
            put(posting.currency.code().as_bytes());
        }
        put(b"words");
        put(self.reference.as_deref().unwrap_or_default().as_bytes());
        put(self.note.as_deref().unwrap_or_default().as_bytes());
        bytes
    }
}

/// The journal of one aggregate.
///
/// The fingerprints of **every** operation stay for ever: they answer whether something has happened. Of the chain only the head
/// is kept; the rest is recomputed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal<T = Transition> {
    /// The hash of the newest entry, which holds the hash of the one before.
    pub head: [u8; 32],
    /// How many entries, from the oldest, have moved into pages of their own.
    pub paged: u32,
    /// What the postings of those entries leave on the accounts that [`crate::verify::check_money`] counts, in signed minor units: see
    /// [`Account::is_counted`]. Empty while nothing has moved into pages.
    pub carried: Vec<Posting>,
    /// The entries since then, oldest first.
    pub entries: Vec<Entry<T>>,
    /// One for every entry ever, oldest first.
    pub operations: Vec<Operation>,
}

/// Entries that have left the item: immutable, written once, in the commit that made them leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalPage {
    /// Whose.
    pub escrow: EscrowId,
    /// Counts from 0.
    pub number: u16,
    /// The number of its first entry in the whole journal.
    pub first: u32,
    /// Oldest first.
    pub entries: Vec<Entry>,
}

/// Whether an operation has happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Never.
    New,
    /// This very one; the number of its entry.
    Before(usize),
    /// One of that name that asked for something else.
    Otherwise,
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self { head: [0; 32], paged: 0, carried: Vec::new(), entries: Vec::new(), operations: Vec::new() }
    }
}

impl<T: fmt::Display> Journal<T> {
    /// Whether this operation is in the journal.
    #[must_use]
    pub fn seen(&self, operation: &Operation) -> Seen {
        match self.operations.iter().position(|other| other.name == operation.name) {
            None => Seen::New,
            Some(at) if self.operations.get(at).is_some_and(|other| other.content == operation.content) => {
                Seen::Before(at)
            }
            Some(_) => Seen::Otherwise,
        }
    }

    /// Adds an entry and moves the head.
    ///
    /// # Errors
    /// [`Unbalanced`] if the entry's postings do not sum to zero: nothing is added.
    pub fn append(&mut self, operation: Operation, entry: Entry<T>) -> Result<(), Unbalanced> {
        entry.check_balanced()?;
        self.head = link(&self.head, &operation, &entry);
        self.operations.push(operation);
        self.entries.push(entry);
        Ok(())
    }

    /// How many people's requests there are among them.
    #[must_use]
    pub fn of_people(&self) -> usize {
        self.operations.iter().filter(|operation| operation.is_of_person()).count()
    }

    /// How many entries there are in all, pages included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing has happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

impl Journal {
    /// Takes the oldest entries out once there are many, so that the item, and the cost of writing it, does not grow with the age of the
    /// escrow. They go into pages, to be put in the commit that takes them out; what they leave on the accounts that are counted stays.
    pub(crate) fn turn_pages(&mut self, escrow: EscrowId) -> Vec<JournalPage> {
        let mut pages = Vec::new();
        while self.entries.len() > MOST_ENTRIES_HERE {
            let entries: Vec<Entry> = self.entries.drain(..ENTRIES_OF_A_PAGE).collect();
            for posting in entries.iter().flat_map(|entry| &entry.postings) {
                self.carry(posting);
            }
            let first = self.paged;
            let taken = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            let number = u16::try_from(first.checked_div(taken).unwrap_or_default()).unwrap_or(u16::MAX);
            self.paged = first.saturating_add(taken);
            pages.push(JournalPage { escrow, number, first, entries });
        }
        pages
    }

    pub(crate) fn carry(&mut self, posting: &Posting) {
        if !posting.account.is_counted() {
            return;
        }
        let same = |other: &&mut Posting| other.account == posting.account && other.currency == posting.currency;
        match self.carried.iter_mut().find(same) {
            // Every amount is far below the bound, and so is every sum of an item's entries.
            Some(sum) => sum.units = sum.units.saturating_add(posting.units),
            None => self.carried.push(posting.clone()),
        }
        self.carried.retain(|sum| sum.units != 0);
    }
}

/// The head of the chain after this entry.
#[must_use]
pub fn link<T: fmt::Display>(before: &[u8; 32], operation: &Operation, entry: &Entry<T>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(entry.canonical(operation));
    hasher.finalize().into()
}
