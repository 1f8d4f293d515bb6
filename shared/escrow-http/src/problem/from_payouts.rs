//! What the rules of payouts say, as problems.

use super::{Code, Problem};
use crate::views;
use escrow_domain::actions::Standing;
use escrow_domain::id::UserId;
use escrow_domain::payout::{Payout, PayoutRefusal, PayoutUndecided};
use escrow_domain::refusal::Undecided;
use http::StatusCode;
use serde_json::json;

impl Code {
    /// The code of a payout's refusal; its text is the one that `actions` shows.
    #[must_use]
    pub const fn of_payout(refusal: &PayoutRefusal) -> Self {
        match refusal {
            PayoutRefusal::Stranger => Self::NotFound,
            PayoutRefusal::KeyReused => Self::IdempotencyKeyReused,
            PayoutRefusal::WrongRole { .. } => Self::Forbidden,
            PayoutRefusal::OwnPayout => Self::OwnPayout,
            PayoutRefusal::WrongStatus { .. } => Self::TransitionRefused,
            PayoutRefusal::ReasonRequired => Self::ReasonRequired,
            PayoutRefusal::ReferenceRequired => Self::ReferenceRequired,
            PayoutRefusal::NotReady { .. } => Self::SellerNotReady,
            PayoutRefusal::BelowMinimum { .. } => Self::BelowMinimum,
            PayoutRefusal::AmountStep { .. } => Self::AmountNotSupported,
            PayoutRefusal::Insufficient { .. } => Self::InsufficientFunds,
            PayoutRefusal::OnHold { .. } => Self::WalletOnHold,
            PayoutRefusal::ScheduleInvalid => Self::ScheduleInvalid,
        }
    }
}

impl Problem {
    /// The rules say no to this person, about this payout. A conflict says where it stands and what they may do instead.
    #[must_use]
    pub fn payout_refused(refusal: &PayoutRefusal, payout: &Payout, user: &UserId, standing: &Standing) -> Self {
        let problem = Self::from(refusal);
        if problem.status() == StatusCode::CONFLICT {
            problem.standing(payout.status.as_str(), json!(views::payout_actions(payout, user, standing)))
        } else {
            problem
        }
    }
}

impl From<&PayoutRefusal> for Problem {
    fn from(refusal: &PayoutRefusal) -> Self {
        let code = Code::of_payout(refusal);
        let pointer = match refusal {
            PayoutRefusal::Stranger => return Self::not_found("payout"),
            PayoutRefusal::KeyReused => return Self::key_reused(),
            PayoutRefusal::ReasonRequired => "/reason",
            PayoutRefusal::ReferenceRequired => "/reference",
            PayoutRefusal::NotReady { .. } => "/gateway",
            PayoutRefusal::ScheduleInvalid => "/every",
            PayoutRefusal::BelowMinimum { .. }
            | PayoutRefusal::AmountStep { .. }
            | PayoutRefusal::Insufficient { .. } => "/amount",
            PayoutRefusal::WrongRole { .. }
            | PayoutRefusal::OwnPayout
            | PayoutRefusal::WrongStatus { .. }
            | PayoutRefusal::OnHold { .. } => return Self::new(code, sentence(refusal)),
        };
        Self::input(code, pointer, sentence(refusal))
    }
}

impl From<PayoutUndecided> for Problem {
    /// Where no payout is at hand; with one, [`Problem::payout_refused`] says more.
    fn from(undecided: PayoutUndecided) -> Self {
        match undecided {
            Undecided::Refused(refusal) => Self::from(&refusal),
            // A gateway's fact that fits nothing is parked by whoever received it. As an answer to a request it is a defect.
            Undecided::Misfit(misfit) => Self::internal(misfit),
            Undecided::Broken(broken) => Self::internal(broken),
        }
    }
}

fn sentence(refusal: &PayoutRefusal) -> String {
    let words = refusal.to_string();
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use escrow_domain::lifecycle::Role;
    use escrow_domain::money::Money;
    use escrow_domain::payout::{PayoutStatus, PayoutTransition};

    #[test]
    fn every_refusal_of_a_payout_keeps_its_code_and_has_a_status_and_a_sentence() {
        let money = Money::parse("10.00", Currencies::default().find("SAR").unwrap()).unwrap();
        let transition = PayoutTransition::Approve;
        let all = [
            PayoutRefusal::Stranger,
            PayoutRefusal::KeyReused,
            PayoutRefusal::WrongRole { transition, role: Role::Seller },
            PayoutRefusal::OwnPayout,
            PayoutRefusal::WrongStatus { transition, status: PayoutStatus::Paid },
            PayoutRefusal::ReasonRequired,
            PayoutRefusal::ReferenceRequired,
            PayoutRefusal::NotReady { reason: "they have no account there yet: start the onboarding".to_owned() },
            PayoutRefusal::BelowMinimum { minimum: money },
            PayoutRefusal::AmountStep { step: money },
            PayoutRefusal::Insufficient { available: money },
            PayoutRefusal::OnHold { reason: "a break".to_owned() },
            PayoutRefusal::ScheduleInvalid,
        ];
        let mut table = String::new();
        for refusal in &all {
            let problem = Problem::from(refusal);
            assert_eq!(problem.code().as_str(), refusal.code());
            table.push_str(&format!("{} {}: {}\n", problem.status().as_u16(), refusal.code(), problem.detail()));
        }
        insta::assert_snapshot!(table);
    }
}
