//! The body of each command, and the command that it asks for.

use crate::evidence::{EvidenceField, evidence};
use escrow_domain::command::{Command, Resolution};
use escrow_domain::escrow::{Escrow, LONGEST_NOTE};
use escrow_domain::id::ProposalId;
use escrow_domain::time::Timestamp;
use escrow_http::amount::AmountField;
use escrow_http::fields::{invalid, milestone, moment, note, part, word, words};
use escrow_http::problem::Answer;
use serde::Deserialize;

/// A number that no offer has: they are counted up to `escrow_domain::id::HIGHEST_NUMBER`.
const NO_OFFER: u16 = u16::MAX;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deliver {
    milestone: Option<String>,
    note: Option<String>,
}

impl Deliver {
    pub(crate) fn read(self) -> Answer<Command> {
        let milestone = milestone(self.milestone.as_deref(), "/milestone")?;
        Ok(Command::Deliver { milestone, note: note(self.note, "/note")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestChanges {
    milestone: Option<String>,
    note: Option<String>,
}

impl RequestChanges {
    pub(crate) fn read(self) -> Answer<Command> {
        let milestone = milestone(self.milestone.as_deref(), "/milestone")?;
        Ok(Command::RequestChanges { milestone, note: note(self.note, "/note")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refund {
    milestone: Option<String>,
    amount: Option<AmountField>,
    reason: Option<String>,
}

impl Refund {
    pub(crate) fn read(self, escrow: &Escrow) -> Answer<Command> {
        Ok(Command::Refund {
            milestone: milestone(self.milestone.as_deref(), "/milestone")?,
            amount: part(self.amount.as_ref(), escrow.terms.currency, "/amount")?,
            reason: note(self.reason, "/reason")?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    milestone: Option<String>,
    reason: Option<String>,
}

impl Cancel {
    pub(crate) fn read(self) -> Answer<Command> {
        let milestone = milestone(self.milestone.as_deref(), "/milestone")?;
        Ok(Command::Cancel { milestone, reason: note(self.reason, "/reason")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extend {
    milestone: Option<String>,
    until: Option<String>,
    reason: Option<String>,
}

impl Extend {
    pub(crate) fn read(self) -> Answer<Command> {
        Ok(Command::Extend {
            milestone: milestone(self.milestone.as_deref(), "/milestone")?,
            until: moment(self.until.as_deref(), "/until")?,
            reason: note(self.reason, "/reason")?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dispute {
    milestone: Option<String>,
    amount: Option<AmountField>,
    reason: String,
    #[serde(default)]
    evidence: Vec<EvidenceField>,
}

impl Dispute {
    pub(crate) fn read(self, escrow: &Escrow, now: Timestamp) -> Answer<Command> {
        Ok(Command::Dispute {
            milestone: milestone(self.milestone.as_deref(), "/milestone")?,
            amount: part(self.amount.as_ref(), escrow.terms.currency, "/amount")?,
            reason: words(self.reason, LONGEST_NOTE, "/reason")?,
            evidence: evidence(self.evidence, now)?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddEvidence {
    milestone: Option<String>,
    evidence: Vec<EvidenceField>,
}

impl AddEvidence {
    pub(crate) fn read(self, now: Timestamp) -> Answer<Command> {
        if self.evidence.is_empty() {
            return Err(invalid("/evidence", "at least one piece"));
        }
        Ok(Command::AddEvidence {
            milestone: milestone(self.milestone.as_deref(), "/milestone")?,
            evidence: evidence(self.evidence, now)?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Propose {
    milestone: Option<String>,
    to_buyer: AmountField,
}

impl Propose {
    pub(crate) fn read(self, escrow: &Escrow) -> Answer<Command> {
        Ok(Command::Propose {
            milestone: milestone(self.milestone.as_deref(), "/milestone")?,
            to_buyer: self.to_buyer.read_or_zero("/to_buyer", escrow.terms.currency)?.amount,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accept {
    proposal: String,
}

impl Accept {
    pub(crate) fn read(self, escrow: &Escrow) -> Answer<Command> {
        let proposal: ProposalId = word(&self.proposal, "/proposal", "the id of an offer, prp_…")?;
        // An offer of another escrow counts here as little as one that was replaced; the rules say so.
        Ok(Command::Accept { proposal: if proposal.escrow == escrow.id { proposal.number } else { NO_OFFER } })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawDispute {
    milestone: Option<String>,
}

impl WithdrawDispute {
    pub(crate) fn read(self) -> Answer<Command> {
        Ok(Command::WithdrawDispute { milestone: milestone(self.milestone.as_deref(), "/milestone")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    milestone: Option<String>,
    to_buyer: AmountField,
    reason: String,
}

impl Rule {
    pub(crate) fn read(self, escrow: &Escrow) -> Answer<Command> {
        Ok(Command::Rule {
            milestone: milestone(self.milestone.as_deref(), "/milestone")?,
            to_buyer: self.to_buyer.read_or_zero("/to_buyer", escrow.terms.currency)?.amount,
            reason: words(self.reason, LONGEST_NOTE, "/reason")?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Freeze {
    reason: String,
}

impl Freeze {
    pub(crate) fn read(self) -> Answer<Command> {
        Ok(Command::Freeze { reason: words(self.reason, LONGEST_NOTE, "/reason")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unfreeze {
    reason: String,
}

impl Unfreeze {
    pub(crate) fn read(self) -> Answer<Command> {
        Ok(Command::Unfreeze { reason: words(self.reason, LONGEST_NOTE, "/reason")? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resolve {
    resolution: String,
    reason: String,
}

impl Resolve {
    pub(crate) fn read(self) -> Answer<Command> {
        let resolution = match self.resolution.as_str() {
            "done" => Resolution::Done,
            "retry" => Resolution::Retry,
            "credit_wallet" => Resolution::CreditWallet,
            _ => {
                return Err(invalid(
                    "/resolution",
                    "done (the buyer has the money), retry (they do not: send it again) or credit_wallet (it cannot be sent: their wallet gets it)",
                ));
            }
        };
        Ok(Command::Resolve { resolution, reason: words(self.reason, LONGEST_NOTE, "/reason")? })
    }
}
