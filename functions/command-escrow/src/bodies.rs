//! The body of each command, and the command that it asks for.

use crate::evidence::{EvidenceField, evidence};
use escrow_domain::command::{Command, Resolution};
use escrow_domain::escrow::{Escrow, LONGEST_NOTE};
use escrow_domain::lifecycle::Role;
use escrow_domain::money::Money;
use escrow_domain::time::Timestamp;
use escrow_http::amount::AmountField;
use escrow_http::fields::{all_of, invalid, milestone, note, words};
use escrow_http::problem::{Answer, Problem};
use serde::Deserialize;

/// All of an escrow, which is what a command means that names no amount.
fn whole(escrow: &Escrow) -> Answer<Money> {
    Ok(escrow.totals().map_err(Problem::internal)?.amount.of(escrow.terms.currency))
}

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
            amount: all_of(self.amount.as_ref(), whole(escrow)?, "/amount")?,
            reason: note(self.reason, "/reason")?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    reason: Option<String>,
}

impl Cancel {
    pub(crate) fn read(self) -> Answer<Command> {
        Ok(Command::Cancel { reason: note(self.reason, "/reason")? })
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
            amount: all_of(self.amount.as_ref(), whole(escrow)?, "/amount")?,
            reason: words(self.reason, LONGEST_NOTE, "/reason")?,
            // Only a buyer opens a dispute, so what comes with it is the buyer's.
            evidence: evidence(self.evidence, Role::Buyer, now)?,
        })
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
            _ => {
                return Err(invalid(
                    "/resolution",
                    "done (the buyer has the money) or retry (they do not: send it again)",
                ));
            }
        };
        Ok(Command::Resolve { resolution, reason: words(self.reason, LONGEST_NOTE, "/reason")? })
    }
}
