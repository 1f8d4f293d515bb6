//! Which payment a payout's money came from.

use super::status::{Rail, TiedTo};
use crate::currency::Currency;
use crate::escrow::Escrow;
use crate::payment::Source;

impl TiedTo {
    /// The payment of a released escrow at the gateway that pays out, in the same unit: the largest one, since a gateway lets no more be
    /// handed on than it has taken in. `None` if there is none: a coin's escrow, a payment at another gateway, nothing released.
    #[must_use]
    pub fn of(escrow: &Escrow, rail: &Rail, currency: Currency) -> Option<Self> {
        let gateway = rail.gateway()?;
        let released = escrow.totals().is_ok_and(|totals| !totals.released.is_zero());
        if escrow.terms.currency != currency || !released {
            return None;
        }
        let paid_there = escrow
            .payments
            .iter()
            .filter(|payment| payment.source == Source::Gateway(gateway) && payment.pay_in.is_none());
        let captures = paid_there.flat_map(|payment| &payment.captures).filter(|capture| capture.applied);
        let largest = captures.max_by_key(|capture| capture.amount)?;
        Some(Self { escrow: escrow.id, capture: largest.id.clone() })
    }
}
