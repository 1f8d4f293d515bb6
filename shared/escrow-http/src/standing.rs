//! How a caller meets an escrow: as a party, by a scope, or not at all.

use crate::auth::Caller;
use crate::problem::{Answer, Problem};
use escrow_domain::actions::Standing;
use escrow_domain::escrow::Escrow;
use escrow_domain::lifecycle::Role;

/// The roles in which this caller meets this escrow. An arbiter meets only what is or was in dispute.
///
/// # Errors
/// 404 for a stranger, with the same words as for an escrow that does not exist.
pub fn standing_of(caller: &Caller, escrow: &Escrow) -> Answer<Standing> {
    let mut standing = escrow.standing(&caller.sub, caller.scopes);
    if escrow.disputes.is_empty() {
        standing.roles.retain(|role| *role != Role::Arbiter);
    }
    if standing.roles.is_empty() { Err(Problem::not_found("escrow")) } else { Ok(standing) }
}
