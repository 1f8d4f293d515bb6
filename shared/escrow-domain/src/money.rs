//! Amounts of money: whole minor units, never floats, only checked operations.

use crate::currency::Currency;
use rust_decimal::Decimal;
use std::fmt;

/// A count of minor units that is never negative (halalas, cents, fils). Its currency is known from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Minor(i64);

/// A sum left the range of amounts, or a part was larger than the whole. In the money code this is a bug or corrupt data,
/// never something to round away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount left its bounds")]
pub struct OutOfBounds;

impl Minor {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest sum that Holdfast handles. A single amount is bounded by how it is read (ten digits before the point); this is
    /// the bound of everything that a wallet ever earned, far above it.
    pub const MAX: Self = Self(9_999_999_999_999_999);

    /// That many minor units.
    ///
    /// # Errors
    /// [`OutOfBounds`] if negative or above [`Minor::MAX`].
    pub fn new(units: i64) -> Result<Self, OutOfBounds> {
        if (0..=Self::MAX.0).contains(&units) { Ok(Self(units)) } else { Err(OutOfBounds) }
    }

    /// The number of minor units.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Whether this is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`OutOfBounds`] above [`Minor::MAX`].
    pub fn plus(self, other: Self) -> Result<Self, OutOfBounds> {
        Self::new(self.0.checked_add(other.0).ok_or(OutOfBounds)?)
    }

    /// What is left when `part` is taken away.
    ///
    /// # Errors
    /// [`OutOfBounds`] if `part` is larger than this.
    pub fn minus(self, part: Self) -> Result<Self, OutOfBounds> {
        Self::new(self.0.checked_sub(part.0).ok_or(OutOfBounds)?)
    }

    /// The sum of many.
    ///
    /// # Errors
    /// [`OutOfBounds`] above [`Minor::MAX`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, OutOfBounds> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// `self × part ÷ whole`, rounded down to the minor unit: the fraction stays with whoever gets the rest.
    ///
    /// # Errors
    /// [`OutOfBounds`] if `whole` is nothing or `part` exceeds it.
    pub fn share(self, part: Self, whole: Self) -> Result<Self, OutOfBounds> {
        if part > whole {
            return Err(OutOfBounds);
        }
        let product = i128::from(self.0).checked_mul(i128::from(part.0)).ok_or(OutOfBounds)?;
        let share = product.checked_div(i128::from(whole.0)).ok_or(OutOfBounds)?;
        Self::new(i64::try_from(share).map_err(|_| OutOfBounds)?)
    }

    /// With its currency.
    #[must_use]
    pub const fn of(self, currency: Currency) -> Money {
        Money { amount: self, currency }
    }
}

/// An amount with its currency. Printed as the API prints it: every digit that the currency has, `150.00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// In minor units of the currency.
    pub amount: Minor,
    /// The unit.
    pub currency: Currency,
}

impl Money {
    /// Reads the API's form of an amount: `^(0|[1-9][0-9]{0,9})(\.[0-9]{1,3})?$`, with no more digits than the currency has.
    ///
    /// # Errors
    /// [`AmountInvalid`] for anything else: a sign, an exponent, spaces, a leading zero, nothing at all, zero.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountInvalid> {
        let amount = Self::parse_or_zero(text, currency)?;
        if amount.amount.is_zero() { Err(AmountInvalid::Zero) } else { Ok(amount) }
    }

    /// The same, where nothing is an answer too (a ruling may give one side nothing).
    ///
    /// # Errors
    /// [`AmountInvalid`] as for [`Money::parse`], but not for zero.
    pub fn parse_or_zero(text: &str, currency: Currency) -> Result<Self, AmountInvalid> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let whole_fits = (1..=10).contains(&whole.len()) && digits(whole) && (whole == "0" || !whole.starts_with('0'));
        let fraction_fits = fraction.is_none_or(|part| (1..=3).contains(&part.len()) && digits(part));
        if !whole_fits || !fraction_fits {
            return Err(AmountInvalid::Form);
        }
        if fraction.map_or(0, str::len) > usize::from(currency.exponent()) {
            return Err(AmountInvalid::TooManyDigits);
        }
        let decimal: Decimal = text.parse().map_err(|_| AmountInvalid::Form)?;
        Self::from_decimal(decimal, currency).ok_or(AmountInvalid::Form)
    }

    /// The amount that equals this decimal exactly; `None` if the currency cannot say it, or it is out of bounds.
    #[must_use]
    pub fn from_decimal(decimal: Decimal, currency: Currency) -> Option<Self> {
        let scale = Decimal::from(10_u32.pow(u32::from(currency.exponent())));
        let scaled = decimal.checked_mul(scale)?;
        if !scaled.fract().is_zero() {
            return None;
        }
        let units =
            i64::try_from(scaled.trunc().mantissa().checked_div(10_i128.checked_pow(scaled.trunc().scale())?)?).ok()?;
        Some(Self { amount: Minor::new(units).ok()?, currency })
    }

    /// As a decimal in major units.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.amount.units(), u32::from(self.currency.exponent()))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_decimal())
    }
}

/// A text is not an amount of that currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountInvalid {
    /// Not digits with at most one point.
    #[error("an amount is a decimal string such as \"150.00\": digits, at most one point, no sign, no exponent")]
    Form,
    /// More digits after the point than the currency has.
    #[error("the amount has more digits after the point than its currency")]
    TooManyDigits,
    /// Nothing.
    #[error("the amount must be more than zero")]
    Zero,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::currency::Currencies;

    fn parse(text: &str, code: &str) -> Result<String, AmountInvalid> {
        Money::parse(text, Currencies::default().find(code).unwrap()).map(|money| money.to_string())
    }

    #[test]
    fn amounts_are_decimal_strings_with_the_digits_of_their_currency() {
        for (text, code, printed) in [
            ("150", "SAR", "150.00"),
            ("150.5", "SAR", "150.50"),
            ("0.01", "SAR", "0.01"),
            ("9999999999.99", "SAR", "9999999999.99"),
            ("500", "JPY", "500"),
            ("1.234", "KWD", "1.234"),
            ("9999999999.999", "KWD", "9999999999.999"),
        ] {
            assert_eq!(parse(text, code), Ok(printed.to_owned()), "{text} {code}");
        }
    }

    #[test]
    fn anything_else_is_no_amount() {
        use AmountInvalid::{Form, TooManyDigits, Zero};
        for (text, code, why) in [
            ("1.234", "SAR", TooManyDigits),
            ("1.0", "JPY", TooManyDigits),
            ("1e3", "SAR", Form),
            ("-5", "SAR", Form),
            ("+5", "SAR", Form),
            ("0", "SAR", Zero),
            ("0.00", "SAR", Zero),
            ("", "SAR", Form),
            (".5", "SAR", Form),
            ("5.", "SAR", Form),
            ("05", "SAR", Form),
            (" 5", "SAR", Form),
            ("5\n", "SAR", Form),
            ("1,000", "SAR", Form),
            ("1_000", "SAR", Form),
            ("1.2.3", "KWD", Form),
            ("٥", "SAR", Form),
            ("12345678901", "SAR", Form),
            ("1.2345", "KWD", Form),
        ] {
            assert_eq!(parse(text, code), Err(why), "{text:?} {code}");
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_never_exceeds_the_whole() {
        let minor = |units| Minor::new(units).unwrap();
        assert_eq!(minor(10).share(minor(1), minor(3)), Ok(minor(3)));
        assert_eq!(minor(10).share(minor(3), minor(3)), Ok(minor(10)));
        assert_eq!(minor(10).share(minor(4), minor(3)), Err(OutOfBounds));
        assert_eq!(Minor::MAX.share(Minor::MAX, Minor::MAX), Ok(Minor::MAX));
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(Minor::MAX.plus(Minor(1)), Err(OutOfBounds));
        assert_eq!(Minor::ZERO.minus(Minor(1)), Err(OutOfBounds));
        assert_eq!(Minor::new(-1), Err(OutOfBounds));
    }
}
