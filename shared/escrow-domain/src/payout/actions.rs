//! What a person may do with a payout now, and if not, why.

use super::operators::may;
use super::refusal::PayoutRefusal;
use super::rows::{PayoutTransition, rows};
use super::{Payout, PayoutAction};
use crate::actions::{Scopes, Standing};
use crate::id::UserId;
use crate::journal::Actor;
use crate::lifecycle::Role;

impl Payout {
    /// How this user meets this payout. No role at all: a stranger, to whom it does not exist.
    #[must_use]
    pub fn standing(&self, user: &UserId, scopes: Scopes) -> Standing {
        let is_party = *user == self.owner;
        let roles = [(is_party, Role::Seller), (scopes.operator, Role::Operator), (scopes.platform, Role::Platform)];
        Standing { roles: roles.into_iter().filter(|(held, _)| *held).map(|(_, role)| role).collect(), is_party }
    }

    /// Every command of the table that people give to a payout that is there, as this person may give it now.
    #[must_use]
    pub fn actions(&self, user: &UserId, standing: &Standing) -> Vec<PayoutAction> {
        let people = |transition: &&PayoutTransition| {
            **transition != PayoutTransition::Ask && rows(**transition).iter().any(|row| row.actor == Role::Operator)
        };
        let all = PayoutTransition::ALL.iter().filter(people);
        let action = |transition: &PayoutTransition| PayoutAction {
            transition: *transition,
            refusal: self.refusal(*transition, user, standing),
        };
        all.map(action).collect()
    }

    /// Why this person may not do this now; `None` if they may. The best of their roles counts.
    fn refusal(&self, transition: PayoutTransition, user: &UserId, standing: &Standing) -> Option<PayoutRefusal> {
        let mut best: Option<PayoutRefusal> = None;
        for role in &standing.roles {
            match may(self, transition, &Actor::person(*role, user.clone())) {
                Ok(()) => return None,
                Err(refusal) => {
                    if best.as_ref().is_none_or(|best| matches!(best, PayoutRefusal::WrongRole { .. })) {
                        best = Some(refusal);
                    }
                }
            }
        }
        Some(best.unwrap_or(PayoutRefusal::Stranger))
    }
}
