//! The gateway's own statement against our journals, both ways.
//!
//! Theirs against ours: every line of the statement is heard as if its webhook had just come. What we know already changes nothing; what we
//! did not know was a webhook that was lost, and is booked by the same rules as the webhook would have been. What cannot be booked is a break.
//!
//! Ours against theirs: what our journals say has happened at the gateway must stand in the statement.

use crate::window::Window;
use escrow_domain::escrow::Escrow;
use escrow_domain::id::GatewayName;
use escrow_domain::journal::Entry;
use escrow_domain::lifecycle::{Role, Transition};
use escrow_domain::payment::Source;
use escrow_domain::payout::{Payout, PayoutTransition, Rail};
use escrow_domain::top_up::{TopUp, TopUpTransition};
use escrow_gateways::{ReportLine, What};
use std::collections::BTreeSet;

/// What the gateway's statement shows, by the gateway's ids.
#[derive(Debug, Default)]
pub(crate) struct Shown(BTreeSet<String>);

impl Shown {
    /// Takes a line in.
    pub(crate) fn line(&mut self, line: &ReportLine) {
        let id = match &line.what {
            What::Captured { capture, .. } => capture.clone(),
            What::Refunded { reference, .. } | What::Transferred { reference, .. } => Some(reference.clone()),
            What::Announced { .. }
            | What::CaptureFailed { .. }
            | What::RefundFailed { .. }
            | What::TransferReversed { .. }
            | What::ChargedBack { .. }
            | What::ChargebackReversed { .. }
            | What::Other { .. } => None,
        };
        self.0.extend(id);
    }

    fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }
}

/// Something that our journal says has happened at a gateway, and that its statement does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotShown {
    /// The aggregate.
    pub(crate) at: String,
    /// What was booked: `fund pi_1`.
    pub(crate) what: String,
}

/// What of an escrow's journal should stand in the statement of that gateway, and does not.
#[must_use]
pub(crate) fn of_escrow(escrow: &Escrow, gateway: GatewayName, window: Window, shown: &Shown) -> Vec<NotShown> {
    // An escrow may be paid at several gateways; what is about another one is not looked for here.
    if !escrow.payments.iter().any(|payment| payment.source == Source::Gateway(gateway)) {
        return Vec::new();
    }
    let should = |entry: &&Entry| {
        matches!(entry.transition, Transition::Fund | Transition::AbsorbPayment | Transition::ConfirmRefund)
            && entry.actor.role == Role::Gateway
            && window.is_inside(entry.at)
    };
    let entries = escrow.journal.entries.iter().filter(should);
    let not_shown = entries.filter_map(|entry| {
        let reference = entry.reference.as_deref()?;
        (!shown.has(reference))
            .then(|| NotShown { at: escrow.id.to_string(), what: format!("{} {reference}", entry.transition) })
    });
    not_shown.collect()
}

/// The same of a top-up.
#[must_use]
pub(crate) fn of_top_up(top_up: &TopUp, gateway: GatewayName, window: Window, shown: &Shown) -> Vec<NotShown> {
    if top_up.payment.source != Source::Gateway(gateway) {
        return Vec::new();
    }
    let credited = top_up
        .journal
        .entries
        .iter()
        .filter(|entry| entry.transition == TopUpTransition::Credit && window.is_inside(entry.at));
    let not_shown = credited.filter_map(|entry| {
        let reference = entry.reference.as_deref()?;
        (!shown.has(reference))
            .then(|| NotShown { at: top_up.id.to_string(), what: format!("{} {reference}", entry.transition) })
    });
    not_shown.collect()
}

/// The same of a payout.
#[must_use]
pub(crate) fn of_payout(payout: &Payout, gateway: GatewayName, window: Window, shown: &Shown) -> Vec<NotShown> {
    let here = matches!(&payout.rail, Rail::Gateway { gateway: name, .. } if *name == gateway);
    let paid = payout
        .journal
        .entries
        .iter()
        .find(|entry| entry.transition == PayoutTransition::Pay && window.is_inside(entry.at));
    match (here, paid, payout.reference.as_deref()) {
        (true, Some(_), Some(reference)) if !shown.has(reference) => {
            vec![NotShown { at: payout.id.to_string(), what: format!("pay {reference}") }]
        }
        (_, _, _) => Vec::new(),
    }
}
