//! What can be made to go wrong with a call, and with which.

use serde::{Deserialize, Serialize};

/// A fault and the kind of call that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ArmedFault {
    /// `POST /v1/checkout/sessions`.
    Checkouts(Fault),
    /// `POST /v1/checkout/sessions/{id}/expire` and `POST /v1/payment_intents/{id}/cancel`.
    Closes(Fault),
    /// `POST /v1/payment_intents`.
    Intents(Fault),
    /// `POST /v1/refunds`.
    Refunds(Fault),
    /// `POST /v1/accounts`.
    Accounts(Fault),
    /// `POST /v1/account_links`.
    AccountLinks(Fault),
    /// `POST /v1/transfers`.
    Transfers(Fault),
    /// `POST /v1/transfers/{id}/reversals`.
    Reversals(Fault),
    /// Any `GET`.
    LookUps(Fault),
}

impl ArmedFault {
    pub(super) const fn parts(self) -> (Kind, Fault) {
        match self {
            Self::Checkouts(fault) => (Kind::Checkouts, fault),
            Self::Closes(fault) => (Kind::Closes, fault),
            Self::Intents(fault) => (Kind::Intents, fault),
            Self::Refunds(fault) => (Kind::Refunds, fault),
            Self::Accounts(fault) => (Kind::Accounts, fault),
            Self::AccountLinks(fault) => (Kind::AccountLinks, fault),
            Self::Transfers(fault) => (Kind::Transfers, fault),
            Self::Reversals(fault) => (Kind::Reversals, fault),
            Self::LookUps(fault) => (Kind::LookUps, fault),
        }
    }
}

/// The kinds of calls, as faults and counts name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Checkouts,
    Closes,
    Intents,
    Refunds,
    Accounts,
    AccountLinks,
    Transfers,
    Reversals,
    LookUps,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Checkouts => "checkouts",
            Self::Closes => "closes",
            Self::Intents => "intents",
            Self::Refunds => "refunds",
            Self::Accounts => "accounts",
            Self::AccountLinks => "account_links",
            Self::Transfers => "transfers",
            Self::Reversals => "reversals",
            Self::LookUps => "look_ups",
        }
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fault {
    /// Nothing is done, and no answer comes.
    #[serde(rename = "timeout_before")]
    TimeoutBefore,
    /// It is done, and no answer comes.
    #[serde(rename = "timeout_after")]
    TimeoutAfter,
    /// Nothing is done; the connection is cut at once.
    #[serde(rename = "lost_before")]
    LostBefore,
    /// It is done; the connection is cut before the answer.
    #[serde(rename = "lost_after")]
    LostAfter,
    /// Nothing is done; the answer is a refusal, and kept.
    #[serde(rename = "400")]
    Refused,
    /// Nothing is done; another request is said to hold the key.
    #[serde(rename = "409")]
    Conflict,
    /// Nothing is done; too many requests.
    #[serde(rename = "429")]
    RateLimited,
    /// Nothing is done; the answer is a 500, and kept.
    #[serde(rename = "500")]
    Broken,
    /// It is done, and the answer is a 500 nevertheless, and kept.
    #[serde(rename = "500_after")]
    BrokenAfter,
    /// Refunds only: the refund fails.
    #[serde(rename = "fail")]
    Fail,
    /// Refunds only: the refund stays pending until a switch ends it.
    #[serde(rename = "pending")]
    Pending,
}
