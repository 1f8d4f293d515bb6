//! A quote: what an escrow of some amount costs each side. It binds: a checkout that names it is refused if its price has changed.

use crate::fees::{Fee, FeePayer, FeeSchedule};
use crate::money::{Minor, Money, OutOfBounds};
use crate::policy::Kind;
use sha2::{Digest, Sha256};

/// The price of an escrow, before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// What is sold.
    pub kind: Kind,
    /// What the work costs.
    pub amount: Money,
    /// Who pays the fee.
    pub payer: FeePayer,
    /// The fee, by who pays it.
    pub fee: Fee,
    /// What the buyer is charged, in minor units.
    pub charged: Minor,
    /// What the seller receives when all of it is released, in minor units.
    pub seller_receives: Minor,
}

impl Quote {
    /// The price by this schedule.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the schedule asks for more than 100 %, or the sum is no amount.
    pub fn new(kind: Kind, amount: Money, payer: FeePayer, schedule: &FeeSchedule) -> Result<Self, OutOfBounds> {
        let fee = Fee::divided(schedule.fee_on(amount.amount)?, payer)?;
        let (charged, seller_receives) = (amount.amount.plus(fee.buyer)?, amount.amount.minus(fee.seller)?);
        Ok(Self { kind, amount, payer, fee, charged, seller_receives })
    }

    /// The name of exactly this price: `quo_` and 32 hexadecimal digits. Another fee has another name, so nobody pays other than
    /// was quoted; and since it is a hash of everything that it promises, it needs no record and no secret.
    #[must_use]
    pub fn id(&self) -> String {
        let text = format!(
            "{} {} {} {} {} {}",
            self.kind,
            self.amount.currency,
            self.amount.amount.units(),
            self.payer,
            self.fee.buyer.units(),
            self.fee.seller.units()
        );
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().take(16).fold("quo_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currencies;

    #[test]
    fn another_price_has_another_name() {
        let sar = Currencies::default().find("SAR").unwrap();
        let amount = Money::parse("150.00", sar).unwrap();
        let quote = |points, payer| Quote::new(Kind::Service, amount, payer, &FeeSchedule::rate(points)).unwrap();
        let ten = quote(1_000, FeePayer::Seller);
        assert_eq!((ten.charged.units(), ten.seller_receives.units()), (15_000, 13_500));
        assert_eq!(ten.id(), quote(1_000, FeePayer::Seller).id());
        assert_ne!(ten.id(), quote(1_001, FeePayer::Seller).id());
        assert_ne!(ten.id(), quote(1_000, FeePayer::Buyer).id());
        assert_eq!(quote(1_000, FeePayer::Buyer).charged.units(), 16_500);
    }
}
