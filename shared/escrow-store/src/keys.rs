//! Where everything lies: one function per key, and the attributes of the indexes.
//!
//! An owner's name cannot contain `#`, so no two kinds of keys ever meet.

use aws_sdk_dynamodb::types::AttributeValue;
use escrow_domain::currency::Currency;
use escrow_domain::id::{EscrowId, GatewayName, PayoutId, TopUpId, UserId};
use escrow_domain::payout::PayoutStatus;
use std::collections::HashMap;
use std::fmt;

/// One item as DynamoDB has it.
pub type Item = HashMap<String, AttributeValue>;

/// Names of the attributes that keys, indexes and conditions use. Short, because every item pays for them.
pub mod attribute {
    /// Partition key of the table.
    pub const PK: &str = "pk";
    /// Sort key of the table.
    pub const SK: &str = "sk";
    /// Number of the item's format.
    pub const FORMAT: &str = "f";
    /// Version: how many commits made this item.
    pub const VERSION: &str = "v";
    /// The random token of the write that put this item.
    pub const TOKEN: &str = "w";
    /// Partition of the index by buyer.
    pub const BUYER: &str = "b";
    /// Partition of the index by seller.
    pub const SELLER: &str = "s";
    /// Partition of the index by subject: `{type}#{id}`.
    pub const SUBJECT: &str = "j";
    /// When it was created, in milliseconds: sort key of the three indexes above.
    pub const CREATED: &str = "c";
    /// Shard of the due index.
    pub const DUE_SHARD: &str = "d";
    /// When something must happen next, in milliseconds: sort key of the due index.
    pub const DUE: &str = "t";
    /// Partition of the index of open disputes.
    pub const DISPUTES: &str = "q";
    /// When the first open dispute falls to its default, in milliseconds: sort key of that index.
    pub const RULE_BY: &str = "r";
    /// How often in a row the sweep has postponed this item. Every ordinary put takes it away.
    pub const POSTPONED: &str = "n";
    /// When DynamoDB may delete the item, in seconds. Only entries of the inbox that are done have it: money never expires.
    pub const EXPIRES: &str = "ttl";
}

/// The key of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    /// As the SDK wants it.
    #[must_use]
    pub fn to_item(&self) -> Item {
        HashMap::from([
            (attribute::PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (attribute::SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    /// The key of an item; `None` if it has none, which DynamoDB does not allow.
    #[must_use]
    pub fn of(item: &Item) -> Option<Self> {
        let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        Some(Self { pk: text(attribute::PK)?, sk: text(attribute::SK)? })
    }

    /// What kind of item lies there.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match (self.pk.split_once('#'), self.sk.as_str()) {
            (Some(("E", body)), "E") => EscrowId::from_body(body).map_or(KeyKind::Other, KeyKind::Escrow),
            (Some(("E", body)), part) => part_of(body, part).unwrap_or(KeyKind::Other),
            (Some(("P", body)), "P") => PayoutId::from_body(body).map_or(KeyKind::Other, KeyKind::Payout),
            (Some(("T", body)), "T") => TopUpId::from_body(body).map_or(KeyKind::Other, KeyKind::TopUp),
            (Some(("S", _)), "S") => KeyKind::Seller,
            (Some(("G", _)), "G") => KeyKind::Account,
            (Some(("I", _)), "I") => KeyKind::Inbox,
            (Some(("I", _)), piece) if piece.starts_with("I#") => KeyKind::Beside,
            (Some(("F", _)), "F") | (Some(("R", "reconcile")), "R") => KeyKind::Beside,
            (Some(("W", rest)), sort) if rest.contains('#') && sort.starts_with("L#") => KeyKind::WalletLine,
            (Some(("W", rest)), _) if !rest.contains('#') => KeyKind::Wallet,
            (Some(_) | None, _) => KeyKind::Other,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pk, self.sk)
    }
}

/// What kind of item lies at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// An escrow, and which.
    Escrow(EscrowId),
    /// A page of an escrow's journal: whose, and its number.
    JournalPage(EscrowId, u16),
    /// A piece of evidence: whose, of which dispute, and its number.
    Evidence(EscrowId, u16, u16),
    /// A payout, and which.
    Payout(PayoutId),
    /// A top-up, and which.
    TopUp(TopUpId),
    /// A seller's accounts.
    Seller,
    /// Whose an account at a gateway is.
    Account,
    /// A wallet.
    Wallet,
    /// A line of a wallet's statement.
    WalletLine,
    /// A parked event.
    Inbox,
    /// What carries no money: a further piece of a parked event, the figures of a day, how far the reconciler is.
    Beside,
    /// Something that this release does not know.
    Other,
}

impl KeyKind {
    /// The escrow that lies there itself, if one does.
    #[must_use]
    pub const fn escrow(self) -> Option<EscrowId> {
        match self {
            Self::Escrow(id) => Some(id),
            _ => None,
        }
    }
}

/// An escrow: `E#{id without its prefix}` / `E`.
#[must_use]
pub fn escrow(id: EscrowId) -> Key {
    Key { pk: format!("E#{}", id.body()), sk: "E".to_owned() }
}

/// A page of an escrow's journal: `E#{id}` / `J#{number}`.
#[must_use]
pub fn journal_page(id: EscrowId, number: u16) -> Key {
    Key { pk: format!("E#{}", id.body()), sk: format!("{PAGES}{number:04}") }
}

/// How the sort keys of an escrow's journal pages begin.
pub const PAGES: &str = "J#";

/// A piece of evidence: `E#{id}` / `V#{dispute}#{number}`.
#[must_use]
pub fn evidence(id: EscrowId, dispute: u16, number: u16) -> Key {
    Key { pk: format!("E#{}", id.body()), sk: format!("{EVIDENCE}{dispute:02}#{number:03}") }
}

/// How the sort keys of an escrow's evidence begin.
pub const EVIDENCE: &str = "V#";

/// The part of an escrow that lies beside it at this sort key. Only what these functions write is one.
fn part_of(body: &str, sort: &str) -> Option<KeyKind> {
    let id = EscrowId::from_body(body).ok()?;
    if let Some(number) = sort.strip_prefix(PAGES) {
        let number = number.parse().ok()?;
        return (journal_page(id, number).sk == sort).then_some(KeyKind::JournalPage(id, number));
    }
    let (dispute, number) = sort.strip_prefix(EVIDENCE)?.split_once('#')?;
    let (dispute, number) = (dispute.parse().ok()?, number.parse().ok()?);
    (evidence(id, dispute, number).sk == sort).then_some(KeyKind::Evidence(id, dispute, number))
}

/// A payout: `P#{id without its prefix}` / `P`.
#[must_use]
pub fn payout(id: PayoutId) -> Key {
    Key { pk: format!("P#{}", id.body()), sk: "P".to_owned() }
}

/// How the partition of an owner's payouts begins in the index by seller. Escrows lie there by the bare name, which has no `#`: a list
/// of one never meets the other.
pub const PAYOUTS: &str = "P#";

/// The partition of an owner's payouts in the index by seller.
#[must_use]
pub fn payouts(owner: &UserId) -> String {
    format!("{PAYOUTS}{owner}")
}

/// A top-up: `T#{id without its prefix}` / `T`.
#[must_use]
pub fn top_up(id: TopUpId) -> Key {
    Key { pk: format!("T#{}", id.body()), sk: "T".to_owned() }
}

/// How the partition of an owner's top-ups begins in the index by buyer; see [`PAYOUTS`].
pub const TOP_UPS: &str = "T#";

/// The partition of an owner's top-ups in the index by buyer.
#[must_use]
pub fn top_ups(owner: &UserId) -> String {
    format!("{TOP_UPS}{owner}")
}

/// A seller's accounts: `S#{owner}` / `S`.
#[must_use]
pub fn seller(owner: &UserId) -> Key {
    Key { pk: format!("S#{owner}"), sk: "S".to_owned() }
}

/// Whose an account at a gateway is: `G#{gateway}#{account}` / `G`.
#[must_use]
pub fn account(gateway: GatewayName, account: &str) -> Key {
    Key { pk: format!("G#{gateway}#{account}"), sk: "G".to_owned() }
}

/// A wallet: `W#{owner}` / `{currency}`. All wallets of an owner lie together.
#[must_use]
pub fn wallet(owner: &UserId, currency: Currency) -> Key {
    Key { pk: wallets(owner), sk: currency.code().to_owned() }
}

/// The partition of all wallets of an owner.
#[must_use]
pub fn wallets(owner: &UserId) -> String {
    format!("W#{owner}")
}

/// A line of a statement: `W#{owner}#{currency}` / `L#{number}`, with every digit that a number can have, so that text sorts
/// as numbers do.
#[must_use]
pub fn wallet_line(owner: &UserId, currency: Currency, number: u64) -> Key {
    Key { pk: statement(owner, currency), sk: format!("L#{number:020}") }
}

/// The partition of a wallet's statement.
#[must_use]
pub fn statement(owner: &UserId, currency: Currency) -> String {
    format!("W#{owner}#{currency}")
}

/// A parked event: `I#{gateway}#{event}` / `I`.
#[must_use]
pub fn inbox(gateway: GatewayName, event: &str) -> Key {
    Key { pk: format!("I#{gateway}#{event}"), sk: "I".to_owned() }
}

/// A further piece of a parked event that is too large for one item: `I#{gateway}#{event}` / `I#{number}#{token of the write}`. The token
/// keeps an event that comes again after it was done and forgotten apart from what is left of the first.
#[must_use]
pub fn inbox_piece(event: &Key, number: u32, token: &str) -> Key {
    Key { pk: event.pk.clone(), sk: format!("I#{number:02}#{token}") }
}

/// The partition of the index of open disputes for the parked events that wait for an operator.
pub const STOPPED_EVENTS: &str = "events";

/// The figures of a day, counted from the first of 1970 in UTC: `F#{day}` / `F`.
#[must_use]
pub fn figures(day: u32) -> Key {
    Key { pk: format!("F#{day:06}"), sk: "F".to_owned() }
}

/// How far the reconciler is: `R#reconcile` / `R`.
#[must_use]
pub fn reconciler() -> Key {
    Key { pk: "R#reconcile".to_owned(), sk: "R".to_owned() }
}

/// The partition of the index by subject: `{type}#{id}`. A type has no `#`, so the first one divides them.
#[must_use]
pub fn subject(kind: &str, id: &str) -> String {
    format!("{kind}#{id}")
}

/// How many shards the due index has. It may grow, never shrink: what lies in a higher shard would not be swept any more.
///
/// A shard takes 1,000 writes a second (DynamoDB, partition limits), and a life moves its entry six times (in, moved by the
/// payment and by the delivery, out), so sixteen carry about 2,600 lives a second. An idle sweep costs sixteen half read units a
/// minute, less than a tenth of a cent a day.
pub const DUE_SHARDS: u8 = 16;

/// The shard of the due index for everything of one seller: they meet in one shard, so that the sweep can credit a seller once.
/// FNV-1a with 64 bits, folded; written out here because it must stay the same for ever, whatever hashers come and go.
#[must_use]
pub fn due_shard(seller: &str) -> u8 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = seller.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    u8::try_from(folded % u64::from(DUE_SHARDS)).unwrap_or_default()
}

/// The partition of the index of open disputes for the payouts that wait for an operator in this status, the oldest first.
#[must_use]
pub const fn queue(status: PayoutStatus) -> Option<&'static str> {
    match status {
        PayoutStatus::Approval => Some("payouts:approval"),
        PayoutStatus::Owed => Some("payouts:owed"),
        PayoutStatus::Review => Some("payouts:review"),
        PayoutStatus::Ready
        | PayoutStatus::Sending
        | PayoutStatus::Paid
        | PayoutStatus::Returned
        | PayoutStatus::Failed
        | PayoutStatus::Rejected => None,
    }
}

/// The one partition of the index of open disputes. One is enough: it takes a thousand openings and endings a second, and a
/// marketplace with one dispute a second would have eighty thousand a day to rule.
pub const OPEN_DISPUTES: &str = "open";

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;

    #[test]
    fn every_key_says_what_lies_there() {
        let owner: UserId = "usr:a|b".parse().unwrap();
        let sar = Currencies::default().find("SAR").unwrap();
        let id = EscrowId::derive("r", "i", "s", "k");
        assert_eq!(escrow(id).kind(), KeyKind::Escrow(id));
        assert_eq!(journal_page(id, 12).kind(), KeyKind::JournalPage(id, 12));
        assert_eq!(evidence(id, 3, 41).kind(), KeyKind::Evidence(id, 3, 41));
        assert_eq!(evidence(id, 3, 41).sk, "V#03#041");
        for (pk, sk) in
            [(escrow(id).pk, "J#1"), (escrow(id).pk, "V#03"), (escrow(id).pk, "X"), ("E#1".into(), "J#0001")]
        {
            assert_eq!(Key { pk, sk: sk.into() }.kind(), KeyKind::Other, "{sk}");
        }
        assert_eq!(wallet(&owner, sar).kind(), KeyKind::Wallet);
        assert_eq!(wallet_line(&owner, sar, 7).kind(), KeyKind::WalletLine);
        assert_eq!(inbox(GatewayName::Stripe, "evt_1").kind(), KeyKind::Inbox);
        let (out, into) = (PayoutId::derive("r", "i", "s", "k"), TopUpId::derive("r", "i", "s", "k"));
        assert_eq!(payout(out).kind(), KeyKind::Payout(out));
        assert_eq!(top_up(into).kind(), KeyKind::TopUp(into));
        assert_eq!(seller(&owner).kind(), KeyKind::Seller);
        assert_eq!(account(GatewayName::Stripe, "acct_1").kind(), KeyKind::Account);
        let event = inbox(GatewayName::Stripe, "evt_1");
        for beside in [inbox_piece(&event, 1, "ab"), figures(20_000), reconciler()] {
            assert_eq!(beside.kind(), KeyKind::Beside, "{beside}");
        }
        assert_eq!(Key { pk: "E#short".into(), sk: "E".into() }.kind(), KeyKind::Other);
        assert_eq!(wallet_line(&owner, sar, 7).to_string(), "W#usr:a|b#SAR/L#00000000000000000007");
    }

    #[test]
    fn the_lines_of_a_statement_sort_as_their_numbers() {
        let owner: UserId = "a".parse().unwrap();
        let sar = Currencies::default().find("SAR").unwrap();
        let keys: Vec<String> = [0, 9, 10, 99, 1_000, u64::MAX].map(|n| wallet_line(&owner, sar, n).sk).to_vec();
        assert!(keys.is_sorted());
    }

    #[test]
    fn a_sellers_shard_never_changes() {
        let shards = ["usr_seller", "usr_1", "a", "auth0|user@example.com"].map(due_shard);
        assert_eq!(shards, [3, 0, 0, 6]);
        let mut used: Vec<u8> = (0..1_000).map(|n| due_shard(&format!("usr_{n}"))).collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), usize::from(DUE_SHARDS));
    }
}
