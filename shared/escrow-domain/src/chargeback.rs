//! A chargeback: the holder of a card disputes a capture at the bank. Not a dispute between buyer and seller here.

use crate::id::GatewayName;
use crate::money::Minor;
use crate::policy::words;
use crate::time::Timestamp;

/// Where a chargeback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChargebackStatus {
    /// The bank has not decided.
    Open,
    /// The money stays here; or no money was decided about.
    Won,
    /// The money stays with the card's holder.
    Lost,
}

words!(ChargebackStatus { Open = "open", Won = "won", Lost = "lost" });

/// One chargeback. Its facts may come in any order: what is told of one that is not known yet makes it known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chargeback {
    /// The gateway's id of it.
    pub reference: String,
    /// At which gateway.
    pub gateway: GatewayName,
    /// Of which payment, by number.
    pub payment: u16,
    /// Of which of its captures, by index.
    pub capture: u8,
    /// How much is disputed, in minor units of what was charged.
    pub amount: Minor,
    /// The bank's reason, in the gateway's word.
    pub reason: Option<String>,
    /// Where it stands.
    pub status: ChargebackStatus,
    /// What the gateway took, in minor units of what was charged.
    pub taken: Minor,
    /// What the gateway gave back.
    pub given_back: Minor,
    /// Of a lost one, what was still here and bore it: money of the capture's milestones, in minor units of the escrow's currency; of a
    /// capture that fitted nothing, in minor units of what was charged.
    pub of_escrow: Minor,
    /// Of a lost one, what the seller bears, in minor units of the escrow's currency.
    pub of_seller: Minor,
    /// Of a lost one, what the buyer owes, in minor units of what was charged.
    pub of_buyer: Minor,
    /// When it was first told of.
    pub opened_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Chargeback {
    /// Whether the bank has not decided: nothing leaves until it has.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, ChargebackStatus::Open)
    }
}
