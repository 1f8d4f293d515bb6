//! Every `POST` of the API: the path by which it comes, the kind that faults and counts know it by, and who does its work.

use serde_json::Value;

use super::book::RefundStatus;
use super::change::Change;
use super::faults::{Fault, Kind};
use super::form::Params;
use super::refusal::Refusal;
use super::{accounts, checkout, intents, refunds, transfers};

/// A `POST` that the sandbox knows, with the id in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action<'r> {
    Checkout,
    Expire(&'r str),
    Intent,
    Cancel(&'r str),
    Refund,
    Account,
    AccountLink,
    Transfer,
    Reversal(&'r str),
}

impl<'r> Action<'r> {
    /// The call at a path below `/v1`.
    pub(super) fn of(path: &[&'r str]) -> Option<Self> {
        Some(match path {
            ["checkout", "sessions"] => Self::Checkout,
            ["checkout", "sessions", id, "expire"] => Self::Expire(id),
            ["payment_intents"] => Self::Intent,
            ["payment_intents", id, "cancel"] => Self::Cancel(id),
            ["refunds"] => Self::Refund,
            ["accounts"] => Self::Account,
            ["account_links"] => Self::AccountLink,
            ["transfers"] => Self::Transfer,
            ["transfers", id, "reversals"] => Self::Reversal(id),
            _ => return None,
        })
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Checkout => Kind::Checkouts,
            Self::Expire(_) | Self::Cancel(_) => Kind::Closes,
            Self::Intent => Kind::Intents,
            Self::Refund => Kind::Refunds,
            Self::Account => Kind::Accounts,
            Self::AccountLink => Kind::AccountLinks,
            Self::Transfer => Kind::Transfers,
            Self::Reversal(_) => Kind::Reversals,
        }
    }

    /// Does it. A fault of the work itself says how the result stands at once.
    pub(super) fn work(
        self,
        change: &mut Change<'_>,
        form: Params,
        fault: Option<Fault>,
        public_url: &str,
    ) -> Result<Value, Refusal> {
        match self {
            Self::Checkout => checkout::create(change, form, public_url),
            Self::Expire(id) => checkout::expire(change, id, form),
            Self::Intent => intents::create(change, form),
            Self::Cancel(id) => intents::cancel(change, id, form),
            Self::Account => accounts::create(change, form),
            Self::AccountLink => accounts::link(change, form, public_url),
            Self::Transfer => transfers::create(change, form),
            Self::Reversal(id) => transfers::reverse(change, id, form),
            Self::Refund => {
                let status = match fault {
                    Some(Fault::Fail) => RefundStatus::Failed,
                    Some(Fault::Pending) => RefundStatus::Pending,
                    _ => RefundStatus::Succeeded,
                };
                refunds::create(change, form, status)
            }
        }
    }
}
