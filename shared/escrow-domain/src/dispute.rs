//! A dispute: the part of a milestone that is locked until it is settled, withdrawn, ruled, or falls to its default.

use crate::id::EscrowId;
use crate::lifecycle::Role;
use crate::money::Minor;
use crate::policy::words;
use crate::time::{Period, Timestamp};
use sha2::{Digest, Sha256};

/// The most pieces of evidence brought with one command.
pub const MOST_EVIDENCE: usize = 10;

/// Something that one side points at. Holdfast keeps the pointer and the hash, never the thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it is, in the marketplace's words: 1 to 32 characters (`screenshot`, `message`).
    pub kind: String,
    /// Where it is: an `https` address of at most 1000 characters.
    pub uri: String,
    /// The SHA-256 of what stands there, in 64 small hexadecimal digits.
    pub sha256: Option<String>,
    /// In words, at most 500 characters.
    pub note: Option<String>,
    /// Who brought it.
    pub by: Role,
    /// When.
    pub at: Timestamp,
}

/// The most pieces of evidence that each side brings to a dispute.
pub const MOST_EVIDENCE_A_SIDE: u8 = 20;
/// The most offers in a dispute.
pub const MOST_PROPOSALS: u8 = 20;

/// A piece of evidence and where it belongs: an item of its own, written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvidence {
    /// Whose escrow.
    pub escrow: EscrowId,
    /// Which dispute, by number.
    pub dispute: u16,
    /// Counts both sides' pieces of the dispute from 0.
    pub number: u16,
    /// What was brought.
    pub evidence: Evidence,
}

/// The SHA-256 over pieces of evidence that were brought together, in hexadecimal digits: what the journal keeps of them. Every field
/// goes in behind its length, so that no two lists of pieces share it.
#[must_use]
pub fn evidence_hash(pieces: &[NewEvidence]) -> String {
    let mut hasher = Sha256::new();
    let mut put = |part: &[u8]| {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    };
    for piece in pieces {
        let NewEvidence { escrow, dispute, number, evidence } = piece;
        let Evidence { kind, uri, sha256, note, by, at } = evidence;
        put(escrow.body().as_bytes());
        put(&dispute.to_be_bytes());
        put(&number.to_be_bytes());
        put(kind.as_bytes());
        put(uri.as_bytes());
        // Nothing at all is not the same as nothing said.
        for words in [sha256, note] {
            put(&[u8::from(words.is_some())]);
            put(words.as_deref().unwrap_or_default().as_bytes());
        }
        put(by.as_str().as_bytes());
        put(&at.as_millis().to_be_bytes());
    }
    hasher.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// An offer of one side to the other: so much to the buyer, the rest to the seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    /// Counts over the whole escrow, so that an offer is never mistaken for another dispute's.
    pub number: u16,
    /// Who offers.
    pub by: Role,
    /// What goes back to the buyer, in minor units.
    pub to_buyer: Minor,
    /// When.
    pub at: Timestamp,
}

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisputeStatus {
    /// Waits for a settlement, a ruling, or its default.
    Open,
    /// The opener took it back.
    Withdrawn,
    /// An arbiter ruled.
    Ruled,
    /// Nobody ruled in time.
    Defaulted,
    /// Both sides agreed on a split.
    Settled,
    /// An operator released or refunded the disputed part.
    Overruled,
}

words!(DisputeStatus {
    Open = "open",
    Withdrawn = "withdrawn",
    Ruled = "ruled",
    Defaulted = "defaulted",
    Settled = "settled",
    Overruled = "overruled",
});

/// One dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The milestone, by index.
    pub milestone: u8,
    /// What was locked, in minor units.
    pub amount: Minor,
    /// Why, in the opener's words.
    pub reason: String,
    /// How many pieces of evidence the buyer has brought. They stand in items of their own.
    pub evidence_of_buyer: u8,
    /// How many the seller has.
    pub evidence_of_seller: u8,
    /// The offer that counts.
    pub proposal: Option<Proposal>,
    /// How many offers were made.
    pub proposals: u8,
    /// The default's date of which both sides have been reminded.
    pub reminded_for: Option<Timestamp>,
    /// Where it stands.
    pub status: DisputeStatus,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Before this moment an arbiter may not rule.
    pub evidence_until: Timestamp,
    /// At this moment it falls to the pinned default.
    pub rule_by: Timestamp,
    /// What was left of the milestone's running clock (delivery or auto-release) when it was opened.
    pub clock_left: Option<Period>,
    /// What went back to the buyer when it ended, in minor units.
    pub to_buyer: Option<Minor>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Dispute {
    /// Whether it still waits.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, DisputeStatus::Open)
    }
}
