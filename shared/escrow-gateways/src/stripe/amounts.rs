//! Amounts as Stripe counts them: whole units whose size belongs to (Stripe, currency), not to the currency alone.
//!
//! Source: docs.stripe.com/currencies (zero-decimal and three-decimal currencies, special cases, minimum and maximum amounts).

use crate::capabilities::Capabilities;
use crate::gateway::AmountUnsupported;
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::id::GatewayName;
use escrow_domain::money::{Minor, Money};

/// Counted in whole units. ISO 4217 gives MGA two digits; Stripe gives it none.
const WHOLE: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Counted in hundredths although the currency has none: the last two digits are always 00.
const WHOLE_AS_HUNDREDTHS: &[&str] = &["ISK", "UGX"];

/// The largest amount, in Stripe's units: the API's reference allows eight digits, whatever a card would carry.
const MOST: i64 = 99_999_999;

/// The smallest charge where it settles in its own currency, in the currency's minor units. A charge that is converted must be
/// worth the minimum of the currency into which it is converted: that Stripe alone can say.
const LEAST: &[(&str, i64)] = &[
    ("AED", 200),
    ("AUD", 50),
    ("BGN", 100),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("INR", 50),
    ("JPY", 50),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("USD", 50),
];

/// How one currency is counted.
struct Count {
    /// Digits after the point in Stripe's units.
    digits: u8,
    /// Amounts are multiples of this, in Stripe's units.
    step: i64,
}

fn count(currency: Currency) -> Option<Count> {
    if !Capabilities::of(GatewayName::Stripe).currencies.has(currency) {
        return None;
    }
    let code = currency.code();
    Some(if WHOLE_AS_HUNDREDTHS.contains(&code) {
        Count { digits: 2, step: 100 }
    } else if WHOLE.contains(&code) {
        Count { digits: 0, step: 1 }
    } else if currency.exponent() == 3 {
        // "The last digit must be 0": the card networks round thousandths.
        Count { digits: 3, step: 10 }
    } else {
        Count { digits: currency.exponent(), step: 1 }
    })
}

/// One of ours in Stripe's units, as a fraction: numerator and denominator, one of them 1.
fn ratio(count: &Count, currency: Currency) -> (i64, i64) {
    let more = u32::from(count.digits.saturating_sub(currency.exponent()));
    let fewer = u32::from(currency.exponent().saturating_sub(count.digits));
    (10_i64.saturating_pow(more), 10_i64.saturating_pow(fewer))
}

/// The amount in Stripe's units, exactly.
///
/// # Errors
/// [`AmountUnsupported`] if Stripe does not take the currency or cannot say the amount exactly.
pub(super) fn to_stripe(money: Money) -> Result<i64, AmountUnsupported> {
    let gateway = GatewayName::Stripe;
    let code = || money.currency.code().to_owned();
    let unsupported = || AmountUnsupported::Currency { gateway, currency: code() };
    let count = count(money.currency).ok_or_else(unsupported)?;
    let (times, by) = ratio(&count, money.currency);
    let larger = money.amount.units().checked_mul(times);
    let exact = larger.filter(|units| units.checked_rem(by) == Some(0)).and_then(|units| units.checked_div(by));
    match exact.filter(|units| units.checked_rem(count.step) == Some(0)) {
        Some(units) => Ok(units),
        None => {
            let step = ours(count.step, &count, money.currency).ok_or_else(unsupported)?;
            Err(AmountUnsupported::Step { gateway, currency: code(), step })
        }
    }
}

/// Whether a payment of that amount may be asked for.
///
/// # Errors
/// [`AmountUnsupported`] as for [`to_stripe`], and below the minimum or above the maximum of a charge.
pub(super) fn check(money: Money) -> Result<(), AmountUnsupported> {
    let units = to_stripe(money)?;
    let gateway = GatewayName::Stripe;
    let currency = money.currency.code().to_owned();
    let least = LEAST.iter().find(|(code, _)| *code == currency).map_or(1, |(_, least)| *least);
    if money.amount.units() < least {
        let minimum = Minor::new(least).unwrap_or_default().of(money.currency);
        return Err(AmountUnsupported::BelowMinimum { gateway, currency, minimum });
    }
    below_most(money, units)
}

/// Whether a transfer of that amount may be asked for. A minimum is documented for charges only.
///
/// # Errors
/// [`AmountUnsupported`] as for [`to_stripe`], and above the maximum.
pub(super) fn check_transfer(money: Money) -> Result<(), AmountUnsupported> {
    below_most(money, to_stripe(money)?)
}

fn below_most(money: Money, units: i64) -> Result<(), AmountUnsupported> {
    let gateway = GatewayName::Stripe;
    if units > MOST {
        let currency = money.currency.code().to_owned();
        let maximum = count(money.currency)
            .and_then(|count| ours(MOST.checked_sub(MOST.checked_rem(count.step)?)?, &count, money.currency))
            .unwrap_or(money);
        return Err(AmountUnsupported::AboveMaximum { gateway, currency, maximum });
    }
    Ok(())
}

/// What Stripe tells of, in our units. `None` if the currency is unknown here or the amount is not whole in it.
pub(super) fn from_stripe(units: i64, code: &str) -> Option<Money> {
    let currency = Currencies::default().find(&code.to_ascii_uppercase())?;
    ours(units, &count(currency)?, currency)
}

fn ours(units: i64, count: &Count, currency: Currency) -> Option<Money> {
    let (times, by) = ratio(count, currency);
    if units.checked_rem(times)? != 0 {
        return None;
    }
    let units = units.checked_div(times)?.checked_mul(by)?;
    Some(Minor::new(units).ok()?.of(currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str, code: &str) -> Money {
        Money::parse(text, Currencies::default().find(code).unwrap()).unwrap()
    }

    #[test]
    fn every_currency_is_counted_as_stripe_counts_it_and_back() {
        for (text, code, units) in [
            ("150.00", "SAR", 15_000),
            ("0.50", "USD", 50),
            ("500", "JPY", 500),
            // ISO 4217 and Stripe agree on none, on two and on three digits; not here:
            ("5", "ISK", 500),
            ("5000", "UGX", 500_000),
            ("100.00", "MGA", 100),
            ("5.120", "KWD", 5_120),
            ("0.010", "BHD", 10),
            ("175.00", "HUF", 17_500),
            ("99.99", "TWD", 9_999),
        ] {
            assert_eq!(to_stripe(money(text, code)), Ok(units), "{text} {code}");
            assert_eq!(from_stripe(units, &code.to_ascii_lowercase()), Some(money(text, code)), "{units} {code}");
        }
    }

    #[test]
    fn what_stripe_cannot_take_exactly_is_refused_with_a_sentence() {
        for (text, code, sentence) in [
            ("5.124", "KWD", "stripe takes KWD only in steps of 0.010"),
            ("100.50", "MGA", "stripe takes MGA only in steps of 1.00"),
            ("10.000", "IQD", "stripe does not take IQD"),
            ("0.49", "USD", "stripe takes at least 0.50 USD"),
            ("1.99", "AED", "stripe takes at least 2.00 AED"),
            ("49", "JPY", "stripe takes at least 50 JPY"),
            ("174.99", "HUF", "stripe takes at least 175.00 HUF"),
            ("1000000.00", "SAR", "stripe takes at most 999999.99 SAR"),
            ("100000000", "JPY", "stripe takes at most 99999999 JPY"),
            ("1000000", "ISK", "stripe takes at most 999999 ISK"),
            ("100000.000", "KWD", "stripe takes at most 99999.990 KWD"),
        ] {
            let refused = check(money(text, code)).unwrap_err().to_string();
            assert_eq!(refused, sentence, "{text} {code}");
        }
        let coin = Minor::new(10).unwrap().of(Currency::coin("COIN", 0).unwrap());
        assert_eq!(check(coin).unwrap_err().to_string(), "stripe does not take COIN");
        // A coin that looks like a currency is still a coin.
        let disguised = Minor::new(10_000).unwrap().of(Currency::coin("USD", 0).unwrap());
        assert!(check(disguised).is_err());
    }

    #[test]
    fn a_transfer_has_no_minimum_but_must_be_exact() {
        for (text, code, sentence) in [
            ("0.01", "USD", None),
            ("999999.99", "SAR", None),
            ("0.011", "KWD", Some("stripe takes KWD only in steps of 0.010")),
            ("1000000.00", "SAR", Some("stripe takes at most 999999.99 SAR")),
            ("10.000", "IQD", Some("stripe does not take IQD")),
        ] {
            let refused = check_transfer(money(text, code)).err().map(|refused| refused.to_string());
            assert_eq!(refused.as_deref(), sentence, "{text} {code}");
        }
    }

    #[test]
    fn the_smallest_and_the_largest_are_taken() {
        for (text, code) in [
            ("0.50", "USD"),
            ("2.00", "AED"),
            ("50", "JPY"),
            ("0.01", "SAR"),
            ("0.010", "KWD"),
            ("999999.99", "SAR"),
            ("99999999", "JPY"),
            ("999999", "ISK"),
            ("99999.990", "KWD"),
        ] {
            assert_eq!(check(money(text, code)), Ok(()), "{text} {code}");
        }
    }

    #[test]
    fn an_amount_that_cannot_be_said_exactly_here_is_not_guessed() {
        for (units, code) in [(550, "isk"), (1, "ugx"), (100, "xxx"), (-1, "usd"), (i64::MAX, "usd"), (i64::MIN, "isk")]
        {
            assert_eq!(from_stripe(units, code), None, "{units} {code}");
        }
        // Stripe never charges thousandths, yet one that is told is told exactly.
        assert_eq!(from_stripe(5_124, "kwd"), Some(money("5.124", "KWD")));
    }
}
