//! The stored journal: entries with their postings as they were booked, because history must not change when code does; and all
//! operations ever in one piece of bytes.

use super::bytes::Bytes;
use super::escrow::{read_unit, unit};
use super::{minor, word};
use escrow_domain::escrow::Terms;
use escrow_domain::id::{Operation, UserId};
use escrow_domain::journal::{Account, Actor, Entry, Move, Part, Posting};
use escrow_domain::lifecycle::Role;
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

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
struct StoredPosting {
    /// Account.
    a: String,
    /// Minor units; a debit is positive.
    u: i64,
    /// Unit, where it is not the escrow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<String>,
}

impl StoredEntry {
    pub(super) fn new(entry: &Entry, terms: &Terms) -> Self {
        let Entry { at, transition, actor, part, moves, postings, reference, note } = entry;
        Self {
            t: at.as_millis(),
            k: transition.as_str().to_owned(),
            r: actor.role.as_str().to_owned(),
            s: person(actor, terms),
            p: part.map(part_text),
            m: moves.iter().map(move_parts).collect(),
            a: postings.iter().map(|posting| StoredPosting::new(posting, terms)).collect(),
            g: reference.clone(),
            n: note.clone(),
        }
    }

    pub(super) fn into_entry(self, terms: &Terms) -> Result<Entry, String> {
        let role: Role = word(&self.r)?;
        Ok(Entry {
            at: Timestamp::from_millis(self.t),
            transition: word(&self.k)?,
            actor: Actor { role, sub: read_person(role, self.s.as_deref(), terms)? },
            part: self.p.as_deref().map(read_part).transpose()?,
            moves: self.m.into_iter().map(read_move).collect::<Result<_, _>>()?,
            postings: self.a.into_iter().map(|posting| posting.into_posting(terms)).collect::<Result<_, _>>()?,
            reference: self.g,
            note: self.n,
        })
    }
}

/// The party that plays a role, if one does.
const fn party(role: Role, terms: &Terms) -> Option<&UserId> {
    match role {
        Role::Buyer => Some(&terms.buyer),
        Role::Seller => Some(&terms.seller),
        Role::Arbiter | Role::Operator | Role::Platform | Role::Gateway | Role::Clock => None,
    }
}

fn person(actor: &Actor, terms: &Terms) -> Option<String> {
    match (party(actor.role, terms), actor.sub.as_ref()) {
        (Some(party), Some(sub)) if party == sub => None,
        (Some(_), None) => Some(String::new()),
        (Some(_) | None, sub) => sub.map(|sub| sub.as_str().to_owned()),
    }
}

fn read_person(role: Role, stored: Option<&str>, terms: &Terms) -> Result<Option<UserId>, String> {
    match (party(role, terms), stored) {
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
    }
}

fn read_part(text: &str) -> Result<Part, String> {
    let (letter, number) = text.split_at_checked(1).ok_or("an empty part")?;
    match letter {
        "m" => Ok(Part::Milestone(word(number)?)),
        "p" => Ok(Part::Payment(word(number)?)),
        "r" => Ok(Part::Refund(word(number)?)),
        "d" => Ok(Part::Dispute(word(number)?)),
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
    fn new(posting: &Posting, terms: &Terms) -> Self {
        let Posting { account, units, currency } = posting;
        Self { a: account.to_string(), u: *units, c: (*currency != terms.currency).then(|| unit(*currency)) }
    }

    fn into_posting(self, terms: &Terms) -> Result<Posting, String> {
        Ok(Posting {
            account: read_account(&self.a)?,
            units: self.u,
            currency: self.c.as_deref().map_or(Ok(terms.currency), read_unit)?,
        })
    }
}

/// Reads an account as the domain writes it.
fn read_account(text: &str) -> Result<Account, String> {
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
