//! Currencies and a platform's own units (coins): a code and how many digits stand after the point.

use std::fmt;

/// A unit of money: an ISO 4217 currency, or a coin that the platform has registered.
///
/// `Copy`, and carries its exponent, so that an amount can never be printed or compared with the wrong number of digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency {
    code: [u8; Self::LONGEST],
    length: u8,
    exponent: u8,
}

impl Currency {
    /// The longest code of a registered coin, in characters.
    pub const LONGEST: usize = 8;

    /// A coin of the platform's own: 3 to 8 of `A-Z0-9`, first a letter, with 0 to 3 digits after the point.
    ///
    /// # Errors
    /// [`CurrencyInvalid`] if the code or the number of digits is out of these bounds.
    pub fn coin(code: &str, exponent: u8) -> Result<Self, CurrencyInvalid> {
        let shaped = code.len() >= 3
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && code.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
        if !shaped || exponent > 3 {
            return Err(CurrencyInvalid);
        }
        let mut bytes = [0; Self::LONGEST];
        bytes.get_mut(..code.len()).ok_or(CurrencyInvalid)?.copy_from_slice(code.as_bytes());
        Ok(Self { code: bytes, length: u8::try_from(code.len()).map_err(|_| CurrencyInvalid)?, exponent })
    }

    /// The code: `SAR`.
    #[must_use]
    pub fn code(&self) -> &str {
        // A currency is only ever made of ASCII, so the fallback is never seen.
        self.code.get(..usize::from(self.length)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The smallest step, in minor units, in which gateways move this currency: card networks take the last of three digits as 0
    /// (Stripe, *Supported currencies*, three-decimal currencies), and Stripe takes the ariary without decimals.
    #[must_use]
    pub fn payable_step(&self) -> i64 {
        match (self.exponent, self.code()) {
            (3, _) => 10,
            (_, "MGA") => 100,
            _ => 1,
        }
    }

    /// Digits after the point: JPY 0, SAR 2, KWD 3.
    #[must_use]
    pub const fn exponent(&self) -> u8 {
        self.exponent
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A code or a number of digits that cannot be a unit of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a coin's code is 3 to 8 of A-Z and 0-9, beginning with a letter, with 0 to 3 digits after the point")]
pub struct CurrencyInvalid;

/// ISO 4217 codes in use for trade, by the digits after their point.
/// Source: ISO 4217 list one (SIX Group), without funds, metals and testing codes; those with four digits (CLF, UYW) are left out.
const NO_DIGITS: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
const TWO_DIGITS: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND", "BOB",
    "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DKK",
    "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD",
    "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP",
    "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR",
    "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD",
    "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL",
    "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VES", "WST", "XCD", "XCG",
    "YER", "ZAR", "ZMW", "ZWG",
];
const THREE_DIGITS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// The units that a deployment knows: every currency of ISO 4217, and the platform's coins.
#[derive(Debug, Clone, Default)]
pub struct Currencies {
    coins: Vec<Currency>,
}

impl Currencies {
    /// ISO 4217 and these coins.
    ///
    /// # Errors
    /// [`CurrencyInvalid`] if a coin has the code of a currency, or two have the same.
    pub fn with_coins(coins: Vec<Currency>) -> Result<Self, CurrencyInvalid> {
        for (position, coin) in coins.iter().enumerate() {
            let twice = coins.iter().skip(position.saturating_add(1)).any(|other| other.code() == coin.code());
            if twice || iso(coin.code()).is_some() {
                return Err(CurrencyInvalid);
            }
        }
        Ok(Self { coins })
    }

    /// The unit with that code, in capitals as ISO 4217 writes it; `None` if nobody knows it.
    #[must_use]
    pub fn find(&self, code: &str) -> Option<Currency> {
        iso(code).or_else(|| self.coins.iter().copied().find(|coin| coin.code() == code))
    }
}

fn iso(code: &str) -> Option<Currency> {
    let digits = [(NO_DIGITS, 0), (TWO_DIGITS, 2), (THREE_DIGITS, 3)];
    let (_, exponent) = digits.into_iter().find(|(codes, _)| codes.binary_search(&code).is_ok())?;
    Currency::coin(code, exponent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_knows_its_digits() {
        let all = Currencies::default();
        for (code, digits) in [("JPY", 0), ("SAR", 2), ("KWD", 3), ("QAR", 2), ("USD", 2), ("MGA", 2)] {
            assert_eq!(all.find(code).map(|currency| currency.exponent()), Some(digits), "{code}");
        }
        for unknown in ["sar", "XXX", "COIN", "", "SARSARSARSAR"] {
            assert_eq!(all.find(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_lists_are_sorted_so_that_a_search_finds_every_code() {
        for list in [NO_DIGITS, TWO_DIGITS, THREE_DIGITS] {
            assert!(list.is_sorted());
        }
    }

    #[test]
    fn a_coin_is_a_unit_of_its_own_and_never_shadows_a_currency() {
        let coin = Currency::coin("COIN", 0).unwrap();
        let all = Currencies::with_coins(vec![coin]).unwrap();
        assert_eq!(all.find("COIN"), Some(coin));
        assert!(Currencies::with_coins(vec![Currency::coin("USD", 2).unwrap()]).is_err());
        assert!(Currencies::with_coins(vec![coin, coin]).is_err());
        for bad in ["co", "coin", "1ABC", "TOOLONGCODE", "A-B"] {
            assert!(Currency::coin(bad, 2).is_err(), "{bad}");
        }
    }
}
