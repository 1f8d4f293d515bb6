//! The platform's fee: quoted before, pinned at creation, shared out by cumulative functions whose parts sum to the whole.
//!
//! Of a milestone of amount `A` with fee `f`, after `R` was released and `F` refunded in all:
//! taken is `⌊f·R/A⌋`, given back is `⌈f·F/A⌉`. When all is final `R + F = A`, and the two make exactly `f`, in whatever
//! order and in however many parts it happened. **The platform bears the fraction.**

use crate::money::{Minor, OutOfBounds};
use crate::policy::words;

/// Who pays the platform's fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeePayer {
    /// On top of the amount; held beside it, and returned pro rata with a refund.
    Buyer,
    /// Taken from what is released.
    Seller,
    /// Half each; an odd minor unit is the seller's.
    Split,
}

words!(FeePayer { Buyer = "buyer", Seller = "seller", Split = "split" });

/// How a platform's fee is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeSchedule {
    /// Of the amount, in hundredths of a percent: 1000 is 10 %. At most 10000.
    pub basis_points: u16,
    /// On top of that, in minor units of the escrow's currency.
    pub fixed: Minor,
    /// Never less than this, in minor units.
    pub minimum: Minor,
    /// Never more than this, in minor units.
    pub maximum: Minor,
}

impl FeeSchedule {
    /// So many basis points and nothing else.
    #[must_use]
    pub const fn rate(basis_points: u16) -> Self {
        Self { basis_points, fixed: Minor::ZERO, minimum: Minor::ZERO, maximum: Minor::MAX }
    }

    /// The fee on `amount`: rate (rounded down to the minor unit) plus fixed part, within minimum and maximum, and never
    /// more than the amount itself.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the schedule asks for more than 100 %.
    pub fn fee_on(&self, amount: Minor) -> Result<Minor, OutOfBounds> {
        let rated = amount.share(Minor::new(i64::from(self.basis_points))?, Minor::new(10_000)?)?;
        Ok(rated.plus(self.fixed)?.max(self.minimum).min(self.maximum).min(amount))
    }
}

/// A fee, divided between those who pay it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fee {
    /// Charged on top of the amount.
    pub buyer: Minor,
    /// Taken from what is released.
    pub seller: Minor,
}

impl Fee {
    /// Divides `total` by who pays.
    ///
    /// # Errors
    /// None in practice: half of an amount is an amount.
    pub fn divided(total: Minor, payer: FeePayer) -> Result<Self, OutOfBounds> {
        let buyer = match payer {
            FeePayer::Buyer => total,
            FeePayer::Seller => Minor::ZERO,
            FeePayer::Split => total.share(Minor::new(1)?, Minor::new(2)?)?,
        };
        Ok(Self { buyer, seller: total.minus(buyer)? })
    }

    /// Both parts.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the sum is no amount.
    pub fn total(&self) -> Result<Minor, OutOfBounds> {
        self.buyer.plus(self.seller)
    }
}

/// What of a fee `f` on an amount has been earned once `released` of it was released.
///
/// # Errors
/// [`OutOfBounds`] if more was released than the amount.
pub fn taken(fee: Minor, released: Minor, amount: Minor) -> Result<Minor, OutOfBounds> {
    fee.share(released, amount)
}

/// What of a fee `f` on an amount goes back once `refunded` of it was refunded.
///
/// # Errors
/// [`OutOfBounds`] if more was refunded than the amount.
pub fn returned(fee: Minor, refunded: Minor, amount: Minor) -> Result<Minor, OutOfBounds> {
    fee.minus(fee.share(amount.minus(refunded)?, amount)?)
}

/// Divides a fee over milestones in proportion to their amounts; the parts sum to the fee exactly.
///
/// # Errors
/// [`OutOfBounds`] if the amounts are no amounts.
pub fn spread(fee: Minor, amounts: &[Minor]) -> Result<Vec<Minor>, OutOfBounds> {
    let whole = Minor::sum(amounts.iter().copied())?;
    let mut parts = Vec::with_capacity(amounts.len());
    let (mut so_far, mut given) = (Minor::ZERO, Minor::ZERO);
    for amount in amounts {
        so_far = so_far.plus(*amount)?;
        let upto = fee.share(so_far, whole)?;
        parts.push(upto.minus(given)?);
        given = upto;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minor(units: i64) -> Minor {
        Minor::new(units).unwrap()
    }

    #[test]
    fn a_fee_keeps_within_its_bounds_and_the_amount() {
        let schedule =
            FeeSchedule { basis_points: 1_000, fixed: minor(50), minimum: minor(100), maximum: minor(2_000) };
        for (amount, fee) in [(15_000, 1_550), (100, 100), (60, 60), (1_000_000, 2_000), (999, 149)] {
            assert_eq!(schedule.fee_on(minor(amount)), Ok(minor(fee)), "{amount}");
        }
        assert!(FeeSchedule::rate(10_001).fee_on(minor(1)).is_err());
    }

    #[test]
    fn a_split_fee_leaves_the_odd_unit_with_the_seller() {
        assert_eq!(Fee::divided(minor(15), FeePayer::Split), Ok(Fee { buyer: minor(7), seller: minor(8) }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn what_is_taken_and_what_goes_back_make_the_fee(amount in 1_i64..1_000_000_000, permille in 0_i64..=1_000, fee in 0_i64..1_000_000) {
            let released = amount * permille / 1_000;
            let (amount, released, fee) = (minor(amount), minor(released), minor(fee));
            let refunded = amount.minus(released).unwrap();
            let both = taken(fee, released, amount).unwrap().plus(returned(fee, refunded, amount).unwrap()).unwrap();
            prop_assert_eq!(both, fee);
        }

        #[test]
        fn a_spread_fee_sums_to_the_whole(amounts in proptest::collection::vec(1_i64..1_000_000, 1..50), fee in 0_i64..1_000_000) {
            let amounts: Vec<_> = amounts.into_iter().map(minor).collect();
            let parts = spread(minor(fee), &amounts).unwrap();
            prop_assert_eq!(Minor::sum(parts), Ok(minor(fee)));
        }
    }
}
