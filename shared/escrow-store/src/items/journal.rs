//! The stored journal: entries with their postings as they were booked, because history must not change when code does; and all
//! operations ever in one piece of bytes.

use super::bytes::Bytes;
use super::escrow::{read_unit, unit};
use super::{minor, word};
use escrow_domain::currency::Currency;
use escrow_domain::escrow::Terms;
use escrow_domain::id::{Operation, UserId};
use escrow_domain::journal::{Account, Actor, Entry, Journal, Move, Part, Posting};
use escrow_domain::lifecycle::Role;
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What entries leave out, because it stands beside them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// Who acts as the buyer, if the aggregate has one.
    pub(super) buyer: Option<&'a UserId>,
    /// Who acts as the seller, if the aggregate has one.
    pub(super) seller: Option<&'a UserId>,
    /// The aggregate's unit.
    pub(super) currency: Currency,
}

impl<'a> Setting<'a> {
    pub(super) const fn of_terms(terms: &'a Terms) -> Self {
        Self { buyer: Some(&terms.buyer), seller: Some(&terms.seller), currency: terms.currency }
    }

    /// The party that plays a role, if one does.
    const fn party(&self, role: Role) -> Option<&'a UserId> {
        match role {
            Role::Buyer => self.buyer,
            Role::Seller => self.seller,
            Role::Arbiter | Role::Operator | Role::Platform | Role::Gateway | Role::Clock => None,
        }
    }
}

/// The journal of an aggregate that keeps all of it in its item.
pub(super) struct StoredJournal {
    /// Head of the chain.
    pub(super) head: Bytes,
    /// The entries.
    pub(super) entries: Vec<StoredEntry>,
    /// All operations, sixteen bytes each, in one piece.
    pub(super) operations: Bytes,
}

impl StoredJournal {
    pub(super) fn new<T: fmt::Display>(journal: &Journal<T>, setting: Setting<'_>) -> Self {
        Self {
            head: Bytes(journal.head.to_vec()),
            entries: journal.entries.iter().map(|entry| StoredEntry::new(entry, setting)).collect(),
            operations: operations(&journal.operations),
        }
    }

    pub(super) fn into_journal<T: FromStr>(self, setting: Setting<'_>) -> Result<Journal<T>, String> {
        let entries = self.entries.into_iter().map(|entry| entry.into_entry(setting)).collect::<Result<_, _>>()?;
        Ok(Journal {
            head: self.head.exactly()?,
            paged: 0,
            carried: Vec::new(),
            entries,
            operations: read_operations(&self.operations)?,
        })
    }
}

/// An entry. Money in minor units, times in milliseconds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredEntry {
    /// At.
    t: i64,
    /// Transition.
    k: String,
    /// Role of the actor.
    r: String,
    /// Which person, where the role does not tell: left out for the buyer and the seller themselves, empty for a party without a
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    /// Part: a letter and a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    /// Moves: milestone, from, to, amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    m: Vec<(u8, String, String, i64)>,
    /// Postings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    a: Vec<StoredPosting>,
    /// Reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<String>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
}

/// One side of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPosting {
    /// Account.
    a: String,
    /// Minor units; a debit is positive.
    u: i64,
    /// Unit, where it is not the aggregate's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<String>,
}

impl StoredEntry {
    pub(super) fn new<T: fmt::Display>(entry: &Entry<T>, setting: Setting<'_>) -> Self {
        let Entry { at, transition, actor, part, moves, postings, reference, note } = entry;
        Self {
            t: at.as_millis(),
            k: transition.to_string(),
            r: actor.role.as_str().to_owned(),
            s: person(actor, setting),
            p: part.map(part_text),
            m: moves.iter().map(move_parts).collect(),
            a: postings.iter().map(|posting| StoredPosting::new(posting, setting.currency)).collect(),
            g: reference.clone(),
            n: note.clone(),
        }
    }

    pub(super) fn into_entry<T: FromStr>(self, setting: Setting<'_>) -> Result<Entry<T>, String> {
        let role: Role = word(&self.r)?;
        Ok(Entry {
            at: Timestamp::from_millis(self.t),
            transition: word(&self.k)?,
            actor: Actor { role, sub: read_person(role, self.s.as_deref(), setting)? },
            part: self.p.as_deref().map(read_part).transpose()?,
            moves: self.m.into_iter().map(read_move).collect::<Result<_, _>>()?,
            postings: self
                .a
                .into_iter()
                .map(|posting| posting.into_posting(setting.currency))
                .collect::<Result<_, _>>()?,
            reference: self.g,
            note: self.n,
        })
    }
}

fn person(actor: &Actor, setting: Setting<'_>) -> Option<String> {
    match (setting.party(actor.role), actor.sub.as_ref()) {
        (Some(party), Some(sub)) if party == sub => None,
        (Some(_), None) => Some(String::new()),
        (Some(_) | None, sub) => sub.map(|sub| sub.as_str().to_owned()),
    }
}

fn read_person(role: Role, stored: Option<&str>, setting: Setting<'_>) -> Result<Option<UserId>, String> {
    match (setting.party(role), stored) {
        (Some(party), None) => Ok(Some(party.clone())),
        (Some(_), Some("")) | (None, None) => Ok(None),
        (Some(_) | None, Some(sub)) => word(sub).map(Some),
    }
}

fn part_text(part: Part) -> String {
    match part {
        Part::Milestone(index) => format!("m{index}"),
        Part::Payment(number) => format!("p{number}"),
        Part::Refund(number) => format!("r{number}"),
        Part::Dispute(number) => format!("d{number}"),
        Part::Chargeback(number) => format!("c{number}"),
    }
}

fn read_part(text: &str) -> Result<Part, String> {
    let (letter, number) = text.split_at_checked(1).ok_or("an empty part")?;
    match letter {
        "m" => Ok(Part::Milestone(word(number)?)),
        "p" => Ok(Part::Payment(word(number)?)),
        "r" => Ok(Part::Refund(word(number)?)),
        "d" => Ok(Part::Dispute(word(number)?)),
        "c" => Ok(Part::Chargeback(word(number)?)),
        _ => Err(format!("{text:?} is no part")),
    }
}

fn move_parts(moved: &Move) -> (u8, String, String, i64) {
    let Move { milestone, from, to, amount } = moved;
    (*milestone, from.as_str().to_owned(), to.as_str().to_owned(), amount.units())
}

fn read_move((milestone, from, to, amount): (u8, String, String, i64)) -> Result<Move, String> {
    Ok(Move { milestone, from: word(&from)?, to: word(&to)?, amount: minor(amount)? })
}

impl StoredPosting {
    pub(super) fn new(posting: &Posting, usual: Currency) -> Self {
        let Posting { account, units, currency } = posting;
        Self { a: account.to_string(), u: *units, c: (*currency != usual).then(|| unit(*currency)) }
    }

    pub(super) fn into_posting(self, usual: Currency) -> Result<Posting, String> {
        Ok(Posting {
            account: read_account(&self.a)?,
            units: self.u,
            currency: self.c.as_deref().map_or(Ok(usual), read_unit)?,
        })
    }
}

/// Reads an account as the domain writes it.
fn read_account(text: &str) -> Result<Account, String> {
    if text == Account::PayoutsByHand.to_string() {
        return Ok(Account::PayoutsByHand);
    }
    if text == Account::PaidByHand.to_string() {
        return Ok(Account::PaidByHand);
    }
    match text.split_once(':') {
        None => match text {
            "escrow" => Ok(Account::Escrow),
            "fees" => Ok(Account::Fees),
            "exchange" => Ok(Account::Exchange),
            _ => Err(format!("{text:?} is no account")),
        },
        Some((kind, name)) => match kind {
            "gateway" => Ok(Account::Gateway(word(name)?)),
            "wallet" => Ok(Account::Wallet(word(name)?)),
            "refunds" => Ok(Account::Refunds(word(name)?)),
            "payouts" => Ok(Account::Payouts(word(name)?)),
            "chargebacks" => Ok(Account::Chargebacks(word(name)?)),
            "credits" => Ok(Account::Credits(word(name)?)),
            "unapplied" => Ok(Account::Unapplied(word(name)?)),
            "receivable" => Ok(Account::Receivable(word(name)?)),
            _ => Err(format!("{text:?} is no account")),
        },
    }
}

/// An operation's name and content.
const OPERATION: usize = 16;

/// All operations in one piece.
pub(super) fn operations(operations: &[Operation]) -> Bytes {
    Bytes(operations.iter().flat_map(|operation| operation.name.into_iter().chain(operation.content)).collect())
}

/// Reads what [`operations`] wrote.
pub(super) fn read_operations(bytes: &Bytes) -> Result<Vec<Operation>, String> {
    if bytes.is_empty() || !bytes.0.len().is_multiple_of(OPERATION) {
        return Err(format!("{} bytes are no list of operations", bytes.0.len()));
    }
    let halves: Vec<[u8; 8]> = bytes.0.chunks_exact(OPERATION / 2).filter_map(|half| half.try_into().ok()).collect();
    let pairs = halves.chunks_exact(2);
    Ok(pairs
        .filter_map(|pair| match pair {
            [name, content] => Some(Operation { name: *name, content: *content }),
            _ => None,
        })
        .collect())
}
