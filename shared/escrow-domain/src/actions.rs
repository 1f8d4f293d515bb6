//! What a person may do with an escrow now, and if not, why, and when that changes.

use crate::decide::{check_frozen, check_not_frozen, guard};
use crate::escrow::Escrow;
use crate::id::UserId;
use crate::lifecycle::{Role, Transition, rows};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// The roles in which somebody meets an escrow: as a party, by scopes, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Every role, a party's first.
    pub roles: Vec<Role>,
    /// Buyer or seller of this escrow: may not decide on it as arbiter or operator.
    pub is_party: bool,
}

/// The scopes of a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes {
    /// The marketplace's own server.
    pub platform: bool,
    /// Rules disputes.
    pub arbiter: bool,
    /// Runs support.
    pub operator: bool,
}

/// One command, as a person may or may not give it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action<T = Transition, R = Refusal> {
    /// Which.
    pub transition: T,
    /// Why not; `None` if it is allowed.
    pub refusal: Option<R>,
}

impl Escrow {
    /// How this user meets this escrow. No role at all: a stranger, to whom it does not exist. An arbiter has to do only with
    /// escrows that are, or were, in dispute.
    #[must_use]
    pub fn standing(&self, user: &UserId, scopes: Scopes) -> Standing {
        let party = self.party(user);
        let mut roles: Vec<Role> = party.into_iter().collect();
        for (held, role) in [
            (scopes.arbiter && !self.disputes.is_empty(), Role::Arbiter),
            (scopes.operator, Role::Operator),
            (scopes.platform, Role::Platform),
        ] {
            if held {
                roles.push(role);
            }
        }
        Standing { roles, is_party: party.is_some() }
    }

    /// Every command of the lifecycle that people give, as this person may give it now.
    #[must_use]
    pub fn actions(&self, standing: &Standing, now: Timestamp) -> Vec<Action> {
        let people = |transition: &&Transition| {
            !matches!(transition, Transition::Create | Transition::AddPayment | Transition::Fund)
                && rows(**transition).iter().any(|row| is_person(row.actor))
        };
        let all = Transition::ALL.iter().filter(people);
        all.map(|transition| Action { transition: *transition, refusal: self.refusal(*transition, standing, now) })
            .collect()
    }

    /// Why this person may not do this now; `None` if they may. The best of their roles and of the milestones counts.
    fn refusal(&self, transition: Transition, standing: &Standing, now: Timestamp) -> Option<Refusal> {
        let mut best: Option<Refusal> = None;
        for role in &standing.roles {
            for index in (0_u8..).take(self.milestones.len()) {
                match self.may(transition, *role, standing, index, now) {
                    Ok(()) => return None,
                    Err(refusal) => {
                        let better = best.as_ref().is_none_or(|best| matches!(best, Refusal::WrongRole { .. }));
                        if better {
                            best = Some(refusal);
                        }
                    }
                }
            }
        }
        Some(best.unwrap_or(Refusal::Stranger))
    }

    fn may(
        &self,
        transition: Transition,
        role: Role,
        standing: &Standing,
        index: u8,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        guard(self, transition, role, index, now)?;
        if standing.is_party && matches!(role, Role::Arbiter | Role::Operator) {
            return Err(Refusal::OwnEscrow);
        }
        if transition == Transition::Resolve && self.reviews.is_empty() {
            return Err(Refusal::NothingToResolve);
        }
        if transition == Transition::Unfreeze {
            return check_frozen(self);
        }
        if transition == Transition::Freeze { check_not_frozen(self) } else { Ok(()) }
    }
}

/// Whether a role is a person's, who can be told what is allowed.
const fn is_person(role: Role) -> bool {
    match role {
        Role::Buyer | Role::Seller | Role::Arbiter | Role::Operator | Role::Platform => true,
        Role::Gateway | Role::Clock => false,
    }
}
