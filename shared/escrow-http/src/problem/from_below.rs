//! What the rules and the store say, as problems. Every match is exhaustive: a new refusal below does not compile until somebody
//! has decided here what a caller is told.

use super::{Code, Problem};
use crate::views;
use escrow_domain::actions::Standing;
use escrow_domain::escrow::Escrow;
use escrow_domain::refusal::{Refusal, Undecided};
use escrow_domain::time::Timestamp;
use escrow_store::lists::ListError;
use escrow_store::{ChangeError, StoreError, Unreadable};
use http::StatusCode;
use serde_json::json;
use std::error::Error;

impl Code {
    /// The code of a refusal; its text is the one that `actions` shows.
    #[must_use]
    pub const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Stranger => Self::NotFound,
            Refusal::KeyReused => Self::IdempotencyKeyReused,
            Refusal::Full { .. } => Self::LimitReached,
            Refusal::MilestoneRequired => Self::MilestoneRequired,
            Refusal::MilestoneUnknown => Self::MilestoneUnknown,
            Refusal::WrongRole { .. } => Self::Forbidden,
            Refusal::OwnEscrow => Self::OwnEscrow,
            Refusal::WrongStage { .. } => Self::TransitionRefused,
            Refusal::Frozen { .. } => Self::Frozen,
            Refusal::InReview => Self::InReview,
            Refusal::TooEarly { .. } => Self::TooEarly,
            Refusal::TooLate { .. } => Self::TooLate,
            Refusal::RoundsUsedUp => Self::RoundsUsedUp,
            Refusal::DisputesUsedUp => Self::DisputesUsedUp,
            Refusal::ReasonRequired => Self::ReasonRequired,
            Refusal::AmountTooLarge { .. } => Self::AmountTooLarge,
            Refusal::AmountStep { .. } => Self::AmountNotSupported,
            Refusal::NothingProposed => Self::NothingProposed,
            Refusal::ProposalGone => Self::ProposalReplaced,
            Refusal::OwnProposal => Self::OwnProposal,
            Refusal::NothingAsked => Self::NothingAsked,
            Refusal::NoNeedToAsk { .. } => Self::NoNeedToAsk,
            Refusal::UntilRequired => Self::UntilRequired,
            Refusal::UntilOutOfBounds { .. } => Self::UntilOutOfBounds,
            Refusal::ExtensionsUsedUp => Self::ExtensionsUsedUp,
            Refusal::NothingToResolve => Self::NothingToResolve,
            Refusal::NotFrozen => Self::NotFrozen,
        }
    }
}

impl Problem {
    /// The rules say no to this person, about this escrow. A conflict says where it stands and what they may do instead.
    #[must_use]
    pub fn refused(refusal: &Refusal, escrow: &Escrow, standing: &Standing, now: Timestamp) -> Self {
        let problem = Self::from(refusal);
        if problem.status() == StatusCode::CONFLICT {
            problem.standing(escrow.status(), json!(views::actions(escrow, standing, now)))
        } else {
            problem
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let problem = match refusal {
            Refusal::Stranger => return Self::not_found("escrow"),
            Refusal::KeyReused => return Self::key_reused(),
            Refusal::MilestoneRequired | Refusal::MilestoneUnknown => {
                Self::input(Code::of(refusal), "/milestone", sentence(refusal))
            }
            Refusal::ReasonRequired => Self::input(Code::of(refusal), "/reason", sentence(refusal)),
            Refusal::AmountTooLarge { .. } => Self::input(Code::of(refusal), "/amount", sentence(refusal)),
            Refusal::AmountStep { field, .. } => Self::input(Code::of(refusal), format!("/{field}"), sentence(refusal)),
            Refusal::UntilRequired | Refusal::UntilOutOfBounds { .. } => {
                Self::input(Code::of(refusal), "/until", sentence(refusal))
            }
            Refusal::Full { .. }
            | Refusal::WrongRole { .. }
            | Refusal::OwnEscrow
            | Refusal::WrongStage { .. }
            | Refusal::Frozen { .. }
            | Refusal::InReview
            | Refusal::TooEarly { .. }
            | Refusal::TooLate { .. }
            | Refusal::RoundsUsedUp
            | Refusal::DisputesUsedUp
            | Refusal::NothingProposed
            | Refusal::ProposalGone
            | Refusal::OwnProposal
            | Refusal::NothingAsked
            | Refusal::NoNeedToAsk { .. }
            | Refusal::ExtensionsUsedUp
            | Refusal::NothingToResolve
            | Refusal::NotFrozen => Self::new(Code::of(refusal), sentence(refusal)),
        };
        match refusal.allowed_at() {
            Some(at) => problem.with("allowed_at", json!(at.to_string())),
            None => problem,
        }
    }
}

impl From<Undecided> for Problem {
    /// Where no escrow and no standing are at hand; with them, [`Problem::refused`] says more.
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Refused(refusal) => Self::from(&refusal),
            // A gateway's fact that fits nothing is parked by whoever received it. As an answer to a request it is a defect.
            Undecided::Misfit(misfit) => Self::internal(misfit),
            Undecided::Broken(broken) => Self::internal(broken),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Contended { .. } => Self::contended(&error),
            // Whether it was written is unknown; the same request with the same key finds its own record, or does it.
            StoreError::Unknown { .. } | StoreError::Unavailable(_) => Self::unavailable(with_causes(&error)),
            StoreError::Unreadable(_) | StoreError::Refused(_) | StoreError::Unwritable(_) => {
                Self::internal(with_causes(&error))
            }
        }
    }
}

impl From<Unreadable> for Problem {
    fn from(unreadable: Unreadable) -> Self {
        Self::internal(unreadable)
    }
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor(_) => crate::page::Page::cursor_unknown(),
            ListError::Store(error) => error.into(),
        }
    }
}

impl<Why: Into<Problem>, Aggregate> From<ChangeError<Why, Aggregate>> for Problem {
    fn from(error: ChangeError<Why, Aggregate>) -> Self {
        match error {
            ChangeError::NotFound => Self::not_found("thing"),
            ChangeError::Undecided { why, escrow: _ } => why.into(),
            ChangeError::Wallet { refused, escrow: _ } => refused.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

/// A refusal's words as a sentence.
fn sentence(refusal: &Refusal) -> String {
    let words = refusal.to_string();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => words,
    }
}

/// For the log: the error and everything behind it.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use escrow_domain::lifecycle::{Role, Stage, Transition};
    use escrow_domain::money::Money;

    fn every_refusal() -> Vec<Refusal> {
        let at = Timestamp::from_seconds(1_800_000_000);
        let most = Money::parse("150.00", Currencies::default().find("SAR").unwrap()).unwrap();
        vec![
            Refusal::Stranger,
            Refusal::KeyReused,
            Refusal::Full { what: "payments" },
            Refusal::MilestoneRequired,
            Refusal::MilestoneUnknown,
            Refusal::WrongRole { transition: Transition::Release, role: Role::Seller },
            Refusal::OwnEscrow,
            Refusal::WrongStage { transition: Transition::Release, stage: Stage::Refunding },
            Refusal::Frozen { reason: "chargeback du_1".into() },
            Refusal::InReview,
            Refusal::TooEarly { allowed_at: at },
            Refusal::TooLate { ended_at: at },
            Refusal::RoundsUsedUp,
            Refusal::DisputesUsedUp,
            Refusal::ReasonRequired,
            Refusal::AmountTooLarge { most },
            Refusal::AmountStep { step: most, field: "to_buyer" },
            Refusal::NothingProposed,
            Refusal::ProposalGone,
            Refusal::OwnProposal,
            Refusal::NothingAsked,
            Refusal::NoNeedToAsk { instead: Transition::Withdraw },
            Refusal::UntilRequired,
            Refusal::UntilOutOfBounds { after: at, most: at },
            Refusal::ExtensionsUsedUp,
            Refusal::NothingToResolve,
            Refusal::NotFrozen,
        ]
    }

    #[test]
    fn every_refusal_keeps_its_code_and_has_a_status_and_a_sentence() {
        let mut table = String::new();
        for refusal in every_refusal() {
            let problem = Problem::from(&refusal);
            assert_eq!(
                problem.code().as_str(),
                refusal.code(),
                "what `actions` says and what is answered are one word"
            );
            table.push_str(&format!("{} {}: {}\n", problem.status().as_u16(), refusal.code(), problem.detail()));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn what_time_alone_will_change_says_when() {
        let problem = Problem::from(&Refusal::TooEarly { allowed_at: Timestamp::from_seconds(1_800_000_000) });
        assert!(problem.into_reply("r").body().contains("\"allowed_at\":\"2027-01-15T08:00:00Z\""));
    }

    #[test]
    fn a_write_whose_end_is_unknown_is_never_called_a_failure() {
        let key = escrow_store::keys::Key { pk: "E#1".into(), sk: "E".into() };
        let unknown = Problem::from(StoreError::Unknown { key: key.clone(), source: "connection lost".into() });
        assert_eq!(
            (unknown.code(), unknown.known_inside().is_some_and(|inside| inside.contains("connection lost"))),
            (Code::Unavailable, true)
        );
        assert_eq!(Problem::from(StoreError::Contended { attempts: 5 }).code(), Code::Contended);
        assert_eq!(Problem::from(StoreError::Unavailable("refused".into())).code(), Code::Unavailable);
        let corrupt = Unreadable::Corrupt { key, why: "no buckets".into() };
        assert_eq!(Problem::from(StoreError::Unreadable(corrupt)).code(), Code::Internal);
        assert_eq!(Problem::from(StoreError::Refused("AccessDenied".into())).code(), Code::Internal);
    }
}
