//! Between a platform's coins and a currency: a rate, what coins cost, what a price buys.
//!
//! A rate is stored nowhere. Every payment and top-up pins the two amounts that were agreed; what happens later to a part of it is
//! counted pro rata between those two.

use crate::currency::{Currencies, Currency};
use crate::money::{AmountInvalid, Minor, Money, OutOfBounds};
use std::fmt;

/// What so many coins cost: `100 COIN = 10.00 SAR`. Kept as the two amounts, so that every rate is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    coins: Money,
    price: Money,
}

/// A text is no rate, or its units cannot be changed into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateInvalid {
    /// Not of the form.
    #[error("a rate is written as \"100 COIN = 10.00 SAR\"")]
    Form,
    /// One of its amounts is none.
    #[error(transparent)]
    Amount(#[from] AmountInvalid),
    /// A unit that nobody knows, twice the same, or a price in a unit that no gateway takes.
    #[error("a rate is between a coin of the platform's and a currency")]
    Unit,
}

impl Rate {
    /// So many coins for this price.
    ///
    /// # Errors
    /// [`RateInvalid`] if one of them is nothing, or both are of one unit.
    pub fn new(coins: Money, price: Money) -> Result<Self, RateInvalid> {
        if coins.amount.is_zero() || price.amount.is_zero() {
            return Err(RateInvalid::Amount(AmountInvalid::Zero));
        }
        if coins.currency == price.currency {
            return Err(RateInvalid::Unit);
        }
        Ok(Self { coins, price })
    }

    /// Reads `100 COIN = 10.00 SAR`.
    ///
    /// # Errors
    /// [`RateInvalid`] for anything else, and for units that are not among `currencies`.
    pub fn parse(text: &str, currencies: &Currencies) -> Result<Self, RateInvalid> {
        let (coins, price) = text.split_once('=').ok_or(RateInvalid::Form)?;
        let money = |text: &str| {
            let (amount, code) = text.trim().split_once(' ').ok_or(RateInvalid::Form)?;
            let unit = currencies.find(code.trim()).ok_or(RateInvalid::Unit)?;
            Ok::<_, RateInvalid>(Money::parse(amount, unit)?)
        };
        Self::new(money(coins)?, money(price)?)
    }

    /// The coin.
    #[must_use]
    pub const fn coin(&self) -> Currency {
        self.coins.currency
    }

    /// The currency in which it is paid.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.price.currency
    }

    /// What these coins cost, rounded **up** to what a gateway can charge: the buyer bears the fraction, never the platform.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the price is no amount.
    pub fn price_of(&self, coins: Minor) -> Result<Money, OutOfBounds> {
        let step = i128::from(self.price.currency.payable_step());
        let product = i128::from(coins.units()).checked_mul(i128::from(self.price.amount.units()));
        // ⌈coins × price ÷ (rate's coins × step)⌉ steps.
        let divisor = i128::from(self.coins.amount.units()).checked_mul(step).ok_or(OutOfBounds)?;
        let above = product.and_then(|product| product.checked_add(divisor.checked_sub(1)?)).ok_or(OutOfBounds)?;
        let units = above.checked_div(divisor).and_then(|steps| steps.checked_mul(step)).ok_or(OutOfBounds)?;
        Ok(Minor::new(i64::try_from(units).map_err(|_| OutOfBounds)?)?.of(self.price.currency))
    }

    /// What a price buys, rounded **down** to the minor unit of the coin: the buyer bears the fraction.
    ///
    /// # Errors
    /// [`OutOfBounds`] if the coins are no amount.
    pub fn coins_for(&self, price: Minor) -> Result<Money, OutOfBounds> {
        let product = i128::from(price.units()).checked_mul(i128::from(self.coins.amount.units()));
        let units = product.and_then(|product| product.checked_div(i128::from(self.price.amount.units())));
        let units = i64::try_from(units.ok_or(OutOfBounds)?).map_err(|_| OutOfBounds)?;
        Ok(Minor::new(units)?.of(self.coins.currency))
    }
}

/// As [`Rate::parse`] reads it.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coins, price) = (self.coins, self.price);
        write!(f, "{coins} {} = {price} {}", coins.currency, price.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units() -> Currencies {
        Currencies::with_coins(vec![Currency::coin("COIN", 0).unwrap(), Currency::coin("GEM", 2).unwrap()]).unwrap()
    }

    fn rate(text: &str) -> Rate {
        Rate::parse(text, &units()).unwrap()
    }

    fn minor(units: i64) -> Minor {
        Minor::new(units).unwrap()
    }

    #[test]
    fn a_rate_is_read_as_it_is_printed() {
        for text in ["100 COIN = 10.00 SAR", "1.50 GEM = 0.999 KWD", "3 COIN = 1 JPY"] {
            assert_eq!(rate(text).to_string(), text);
        }
        for (text, why) in [
            ("100 COIN", RateInvalid::Form),
            ("COIN = SAR", RateInvalid::Form),
            ("1 COIN = 1 COIN", RateInvalid::Unit),
            ("1 COIN = 1 XXX", RateInvalid::Unit),
            ("0 COIN = 1 SAR", RateInvalid::Amount(AmountInvalid::Zero)),
            ("1.5 COIN = 1 SAR", RateInvalid::Amount(AmountInvalid::TooManyDigits)),
        ] {
            assert_eq!(Rate::parse(text, &units()), Err(why), "{text}");
        }
    }

    #[test]
    fn coins_cost_the_next_payable_price_and_a_price_buys_whole_coins() {
        let price = |text: &str, coins| rate(text).price_of(minor(coins)).unwrap().to_string();
        let coins = |text: &str, price| rate(text).coins_for(minor(price)).unwrap().to_string();
        assert_eq!((price("100 COIN = 10.00 SAR", 1), coins("100 COIN = 10.00 SAR", 10)), ("0.10".into(), "1".into()));
        assert_eq!((price("3 COIN = 1.00 SAR", 1), coins("3 COIN = 1.00 SAR", 34)), ("0.34".into(), "1".into()));
        // The last of three digits is always 0 at a gateway.
        assert_eq!(price("3 COIN = 1.000 KWD", 1), "0.340");
        assert_eq!(price("1 COIN = 1.001 KWD", 10), "10.010");
        assert_eq!(coins("1.00 GEM = 3 JPY", 1), "0.33");
        assert!(rate("1 COIN = 1000000000.00 SAR").price_of(Minor::MAX).is_err());
    }

    #[test]
    fn nobody_gains_by_changing_there_and_back() {
        for text in ["100 COIN = 10.00 SAR", "7 COIN = 3.33 SAR", "0.07 GEM = 12.340 KWD", "999 COIN = 1 JPY"] {
            let rate = rate(text);
            for units in (0..2_000).chain([1_000_000, 999_999_999]) {
                let coins = minor(units);
                let bought = rate.coins_for(rate.price_of(coins).unwrap().amount).unwrap();
                assert!(bought.amount >= coins, "{text}: what was paid for buys at least that");
                let paid = minor(units);
                let cost = rate.price_of(rate.coins_for(paid).unwrap().amount).unwrap();
                let step = minor(rate.currency().payable_step());
                assert!(cost.amount < paid.plus(step).unwrap(), "{text}: coins never cost a step more than was paid");
            }
        }
    }
}
