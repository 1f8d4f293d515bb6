//! What is stored, and how it is read back: each aggregate has stored structs of its own, with explicit conversion both ways.
//!
//! Around every aggregate stands the same envelope: its key, the number of its format, its version, the random token of the write
//! that put it, and the attributes of the indexes. Reading checks what writing promised; what breaks a promise is an error,
//! never a default. Nothing is written that could not be read again.
//!
//! **Formats.** A format is written one release after it can be read, and an older one is upgraded while it is read. An item of
//! a newer format than [`FORMAT`] cannot be read here, and therefore not be written either.

mod account;
mod bytes;
mod chargeback;
mod check;
mod dispute;
mod effect;
mod escrow;
mod evidence;
mod journal;
mod milestone;
mod page;
mod payment;
mod payout;
pub mod size;
mod top_up;
mod wallet;

use crate::error::{StoreError, Unreadable};
use crate::keys::{self, Item, Key, attribute};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::dispute::{Evidence, NewEvidence};
use escrow_domain::escrow::{Escrow, Terms};
use escrow_domain::id::{EscrowId, GatewayName, PayoutId, TopUpId, UserId};
use escrow_domain::journal::JournalPage;
use escrow_domain::payout::Payout;
use escrow_domain::seller::Seller;
use escrow_domain::top_up::TopUp;
use escrow_domain::wallet::{Wallet, WalletLine};

/// The format that this release writes, and the newest that it reads.
///
/// 1: the first. 2: asks, offers, reminders, evidence in items of its own, chargebacks, credits on their way, journal pages, payments in
/// another unit and on the marketplace's own page; holds with a reason; lines of payouts and top-ups. No release has written 1 alone.
pub const FORMAT: u32 = 2;

/// The random token of one commit, stored with everything that it writes. It alone answers *was that my write?* when an answer
/// was lost and the repeated write fails on its own effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; 16]);

impl Token {
    /// A token that nobody has used.
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    /// The token of the write that put this item; `None` if it has none.
    pub(crate) fn of(item: &Item) -> Option<Self> {
        let blob = item.get(attribute::TOKEN).and_then(|value| value.as_b().ok())?;
        blob.as_ref().try_into().ok().map(Self)
    }

    /// As DynamoDB's `ClientRequestToken`: at most 36 characters.
    pub(crate) fn as_request_token(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this item was put by the commit of this token.
    pub(crate) fn put(&self, item: &Item) -> bool {
        item.get(attribute::TOKEN).and_then(|value| value.as_b().ok()).is_some_and(|blob| blob.as_ref() == self.0)
    }
}

/// Puts an envelope around a body.
pub(crate) fn enclose(mut body: Item, key: &Key, version: Option<u64>, token: &Token) -> Item {
    body.extend(key.to_item());
    body.insert(attribute::FORMAT.to_owned(), number(FORMAT));
    body.insert(attribute::TOKEN.to_owned(), AttributeValue::B(Blob::new(token.0)));
    if let Some(version) = version {
        body.insert(attribute::VERSION.to_owned(), number(version));
    }
    body
}

/// Takes the envelope off: checks key and format, and gives the version.
pub(crate) fn open(item: &mut Item, key: &Key) -> Result<Option<u64>, Unreadable> {
    let corrupt = |why: &str| Unreadable::Corrupt { key: key.clone(), why: why.to_owned() };
    if Key::of(item).as_ref() != Some(key) {
        return Err(corrupt("it has another key than it was asked for by"));
    }
    let format: u32 = read_number(item, attribute::FORMAT).ok_or_else(|| corrupt("it has no format"))?;
    if format > FORMAT {
        return Err(Unreadable::NewerFormat { key: key.clone(), found: format, known: FORMAT });
    }
    if format == 0 {
        return Err(corrupt("format 0 was never written"));
    }
    let version = match item.get(attribute::VERSION) {
        None => None,
        Some(_) => Some(read_number(item, attribute::VERSION).ok_or_else(|| corrupt("its version is no number"))?),
    };
    for name in [attribute::PK, attribute::SK, attribute::FORMAT, attribute::VERSION, attribute::TOKEN] {
        item.remove(name);
    }
    for name in [attribute::DUE_SHARD, attribute::DUE, attribute::DISPUTES, attribute::RULE_BY, attribute::POSTPONED] {
        item.remove(name);
    }
    Ok(version)
}

/// The item of an escrow, with its place in every index.
pub(crate) fn from_escrow(escrow: &Escrow, token: &Token) -> Result<Item, StoreError> {
    check::escrow(escrow).map_err(StoreError::Unwritable)?;
    let body = serde_dynamo::to_item(escrow::Stored::from(escrow));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    let mut item = enclose(body, &keys::escrow(escrow.id), Some(escrow.version), token);
    if let Some(due) = escrow.due_at() {
        put_due(&mut item, escrow.terms.seller.as_str(), due.as_millis());
    }
    let open = escrow.disputes.iter().filter(|dispute| dispute.is_open());
    if let Some(rule_by) = open.map(|dispute| dispute.rule_by).min() {
        item.insert(attribute::DISPUTES.to_owned(), AttributeValue::S(keys::OPEN_DISPUTES.to_owned()));
        item.insert(attribute::RULE_BY.to_owned(), number(rule_by.as_millis()));
    }
    Ok(item)
}

/// The escrow that an item holds.
pub(crate) fn to_escrow(item: Item, id: EscrowId) -> Result<Escrow, Unreadable> {
    versioned(item, &keys::escrow(id), |item, version| {
        let stored: escrow::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        let escrow = stored.into_escrow(id, version)?;
        check::escrow(&escrow)?;
        Ok(escrow)
    })
}

/// The evidence that an escrow's item still holds, which only format 1 did: it belongs into items of its own, before the escrow is
/// written again.
pub(crate) fn evidence_within(item: &Item, id: EscrowId) -> Result<Vec<NewEvidence>, Unreadable> {
    const WITHIN: u32 = 1;
    if read_number(item, attribute::FORMAT) != Some(WITHIN) {
        return Ok(Vec::new());
    }
    let (key, mut item) = (keys::escrow(id), item.clone());
    open(&mut item, &key)?;
    let stored: Result<escrow::Stored, _> = serde_dynamo::from_item(item);
    let within = stored.map_err(|error| error.to_string()).and_then(|stored| stored.into_evidence(id));
    within.map_err(|why| Unreadable::Corrupt { key, why })
}

/// The item of a payout, with its place in every index.
pub(crate) fn from_payout(payout: &Payout, token: &Token) -> Result<Item, StoreError> {
    check::payout(payout).map_err(StoreError::Unwritable)?;
    let body = serde_dynamo::to_item(payout::Stored::from(payout));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    let mut item = enclose(body, &keys::payout(payout.id), Some(payout.version), token);
    if let Some(due) = payout.due_at() {
        put_due(&mut item, payout.owner.as_str(), due.as_millis());
    }
    if let Some(queue) = keys::queue(payout.status) {
        item.insert(attribute::DISPUTES.to_owned(), AttributeValue::S(queue.to_owned()));
        item.insert(attribute::RULE_BY.to_owned(), number(payout.created_at.as_millis()));
    }
    Ok(item)
}

/// The payout that an item holds.
pub(crate) fn to_payout(item: Item, id: PayoutId) -> Result<Payout, Unreadable> {
    versioned(item, &keys::payout(id), |item, version| {
        let stored: payout::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        let payout = stored.into_payout(id, version)?;
        check::payout(&payout)?;
        Ok(payout)
    })
}

/// The item of a top-up, with its place in the index by buyer.
pub(crate) fn from_top_up(top_up: &TopUp, token: &Token) -> Result<Item, StoreError> {
    check::top_up(top_up).map_err(StoreError::Unwritable)?;
    let body = serde_dynamo::to_item(top_up::Stored::from(top_up));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    Ok(enclose(body, &keys::top_up(top_up.id), Some(top_up.version), token))
}

/// The top-up that an item holds.
pub(crate) fn to_top_up(item: Item, id: TopUpId) -> Result<TopUp, Unreadable> {
    versioned(item, &keys::top_up(id), |item, version| {
        let stored: top_up::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        let top_up = stored.into_top_up(id, version)?;
        check::top_up(&top_up)?;
        Ok(top_up)
    })
}

/// The item of a seller.
pub(crate) fn from_seller(seller: &Seller, token: &Token) -> Result<Item, StoreError> {
    check::seller(seller).map_err(StoreError::Unwritable)?;
    let body = serde_dynamo::to_item(account::Stored::from(seller));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    Ok(enclose(body, &keys::seller(&seller.owner), Some(seller.version), token))
}

/// The seller that an item holds.
pub(crate) fn to_seller(item: Item, key: &Key) -> Result<Seller, Unreadable> {
    versioned(item, key, |item, version| {
        let stored: account::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        let seller = stored.into_seller(key, version)?;
        check::seller(&seller)?;
        Ok(seller)
    })
}

/// The item that leads from an account at a gateway to its seller. It never changes, so it has no version.
pub(crate) fn from_account(
    gateway: GatewayName,
    account: &str,
    owner: &UserId,
    token: &Token,
) -> Result<Item, StoreError> {
    let body = serde_dynamo::to_item(account::StoredPointer { o: owner.as_str().to_owned() });
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    Ok(enclose(body, &keys::account(gateway, account), None, token))
}

/// Whose account it is.
pub(crate) fn to_account(item: Item, key: &Key) -> Result<UserId, Unreadable> {
    unchanging(item, key, |item| {
        let stored: account::StoredPointer = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        word(&stored.o)
    })
}

/// The item of a wallet.
pub(crate) fn from_wallet(wallet: &Wallet, token: &Token) -> Result<Item, StoreError> {
    check::wallet(wallet).map_err(StoreError::Unwritable)?;
    let body = serde_dynamo::to_item(wallet::Stored::from(wallet));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    let mut item = enclose(body, &keys::wallet(&wallet.owner, wallet.currency), Some(wallet.version), token);
    // Only where its owner wishes to be paid out by itself: no other wallet pays for an entry of the index.
    if let Some(due) = wallet.due_at() {
        put_due(&mut item, wallet.owner.as_str(), due.as_millis());
    }
    Ok(item)
}

/// The wallet that an item holds.
pub(crate) fn to_wallet(item: Item, key: &Key) -> Result<Wallet, Unreadable> {
    versioned(item, key, |item, version| {
        let stored: wallet::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        let wallet = stored.into_wallet(key, version)?;
        check::wallet(&wallet)?;
        Ok(wallet)
    })
}

/// The item of a line of a statement. It never changes, so it has no version.
pub(crate) fn from_line(line: &WalletLine, token: &Token) -> Result<Item, StoreError> {
    check::line(line).map_err(StoreError::Unwritable)?;
    let body = serde_dynamo::to_item(wallet::StoredLine::from(line));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    Ok(enclose(body, &keys::wallet_line(&line.owner, line.currency, line.number), None, token))
}

/// The line that an item holds.
pub(crate) fn to_line(item: Item, key: &Key) -> Result<WalletLine, Unreadable> {
    unchanging(item, key, |item| {
        let stored: wallet::StoredLine = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        let line = stored.into_line(key)?;
        check::line(&line)?;
        Ok(line)
    })
}

/// The item of a journal page. It never changes, so it has no version.
pub(crate) fn from_page(page: &JournalPage, terms: &Terms, token: &Token) -> Result<Item, StoreError> {
    let body = serde_dynamo::to_item(page::Stored::new(page, terms));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    Ok(enclose(body, &keys::journal_page(page.escrow, page.number), None, token))
}

/// The page that an item holds.
pub(crate) fn to_page(item: Item, escrow: EscrowId, number: u16) -> Result<JournalPage, Unreadable> {
    let key = keys::journal_page(escrow, number);
    unchanging(item, &key, |item| {
        let stored: page::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        stored.into_page(escrow, number)
    })
}

/// The item of a piece of evidence. It never changes, so it has no version.
pub(crate) fn from_evidence(new: &NewEvidence, token: &Token) -> Result<Item, StoreError> {
    let body = serde_dynamo::to_item(evidence::Stored::from(&new.evidence));
    let body = body.map_err(|error| StoreError::Unwritable(error.to_string()))?;
    Ok(enclose(body, &keys::evidence(new.escrow, new.dispute, new.number), None, token))
}

/// The piece of evidence that an item holds.
pub(crate) fn to_evidence(item: Item, escrow: EscrowId, dispute: u16, number: u16) -> Result<NewEvidence, Unreadable> {
    let key = keys::evidence(escrow, dispute, number);
    unchanging(item, &key, |item| {
        let stored: evidence::Stored = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        Ok(NewEvidence { escrow, dispute, number, evidence: Evidence::try_from(stored)? })
    })
}

/// Reads what changes: it has a version.
pub(crate) fn versioned<T>(
    mut item: Item,
    key: &Key,
    read: impl FnOnce(Item, u64) -> Result<T, String>,
) -> Result<T, Unreadable> {
    let corrupt = |why: String| Unreadable::Corrupt { key: key.clone(), why };
    match open(&mut item, key)? {
        Some(version) if version > 0 => read(item, version).map_err(corrupt),
        Some(_) | None => Err(corrupt("it has no version".to_owned())),
    }
}

/// Reads what is written once and never again: it has no version.
fn unchanging<T>(mut item: Item, key: &Key, read: impl FnOnce(Item) -> Result<T, String>) -> Result<T, Unreadable> {
    let corrupt = |why: String| Unreadable::Corrupt { key: key.clone(), why };
    match open(&mut item, key)? {
        None => read(item).map_err(corrupt),
        Some(_) => Err(corrupt("it never changes, and has a version".to_owned())),
    }
}

/// Gives an item its place in the due index: everything of one seller, or owner, in one shard.
pub(crate) fn put_due(item: &mut Item, owner: &str, due_at: i64) {
    item.insert(attribute::DUE_SHARD.to_owned(), number(keys::due_shard(owner)));
    item.insert(attribute::DUE.to_owned(), number(due_at));
}

/// A number as DynamoDB has it.
pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A number of an item; `None` if it is missing, or no number of that kind.
pub(crate) fn read_number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A word of a closed set, a name, or a number in text.
fn word<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no {}", std::any::type_name::<T>().rsplit("::").next().unwrap_or("word")))
}

/// An amount of minor units.
fn minor(units: i64) -> Result<escrow_domain::money::Minor, String> {
    escrow_domain::money::Minor::new(units).map_err(|_| format!("{units} is no amount"))
}
