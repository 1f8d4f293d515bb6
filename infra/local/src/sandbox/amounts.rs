//! What Stripe takes as an amount: which currencies, how many digits, how little and how much.
//!
//! Written from docs.stripe.com/currencies, and on purpose not from the gateway crate: a sandbox that shared its rules
//! with the code it tests would agree with every mistake in them.

use super::refusal::Refusal;

/// Presentment currencies.
const KNOWN: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf \
    chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils \
    inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn \
    myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos \
    srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw";
/// The amount is in whole units.
const ZERO_DECIMAL: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";
/// The amount is in thousandths, of which the last digit must be 0.
const THREE_DECIMAL: &str = "bhd jod kwd omr tnd";
/// The unit has no fractions, yet the amount is in hundredths, which must be 00.
const HUNDREDTHS_OF_WHOLES: &str = "isk ugx";
/// Minimum charges, in the smallest unit (docs.stripe.com/currencies, "Minimum and maximum charge amounts").
const MINIMA: &[(&str, i64)] = &[
    ("aed", 200),
    ("aud", 50),
    ("bgn", 100),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1_500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17_500),
    ("inr", 50),
    ("jpy", 50),
    ("mxn", 1_000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1_000),
    ("usd", 50),
];
/// Eight digits are what every payment method takes.
pub(super) const LARGEST: i64 = 99_999_999;

fn among(list: &str, currency: &str) -> bool {
    list.split_ascii_whitespace().any(|code| code == currency)
}

/// # Errors
/// 400 when Stripe has no such currency. It takes capitals too, and answers in small letters.
pub(super) fn currency(text: &str, param: String) -> Result<String, Refusal> {
    let code = text.to_ascii_lowercase();
    if among(KNOWN, &code) {
        return Ok(code);
    }
    let shown: String = text.chars().take(20).collect();
    Err(Refusal { param: Some(param), ..Refusal::invalid(format!("Invalid currency: {shown}.")) })
}

/// # Errors
/// 400 when the amount has digits that the currency's payments cannot have, or is negative.
pub(super) fn exact(amount: i64, currency: &str, param: String) -> Result<(), Refusal> {
    let refused = |message: String| Err(Refusal { param: Some(param), ..Refusal::invalid(message) });
    if amount < 0 {
        return refused("Invalid non-negative integer".to_owned());
    }
    if among(THREE_DECIMAL, currency) && amount % 10 != 0 {
        return refused(format!("Invalid amount: the last digit of an amount in {currency} must be 0."));
    }
    if among(HUNDREDTHS_OF_WHOLES, currency) && amount % 100 != 0 {
        return refused(format!("Invalid amount: the last two digits of an amount in {currency} must be 00."));
    }
    Ok(())
}

/// # Errors
/// 400 `amount_too_small` or `amount_too_large`; the message speaks of this subject.
pub(super) fn chargeable(total: i64, currency: &str, subject: &str) -> Result<(), Refusal> {
    let least = MINIMA.iter().find(|(code, _)| *code == currency).map_or(1, |(_, least)| *least);
    if total < least {
        let message = format!("{subject} must be at least {}.", shown(least, currency));
        return Err(Refusal { code: Some("amount_too_small"), ..Refusal::invalid(message) });
    }
    if total > LARGEST {
        let message = format!("{subject} must be no more than {}.", shown(LARGEST, currency));
        return Err(Refusal { code: Some("amount_too_large"), ..Refusal::invalid(message) });
    }
    Ok(())
}

/// For people: `150.00 SAR`.
pub(super) fn shown(amount: i64, currency: &str) -> String {
    let digits = if among(ZERO_DECIMAL, currency) {
        0
    } else if among(THREE_DECIMAL, currency) {
        3
    } else {
        2
    };
    let code = currency.to_ascii_uppercase();
    let text = format!("{amount:0>width$}", width = digits + 1);
    match text.split_at_checked(text.len() - digits) {
        Some((whole, fraction)) if digits > 0 => format!("{whole}.{fraction} {code}"),
        _ => format!("{text} {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_with_the_digits_of_their_currency() {
        for (amount, currency, text) in [
            (15_000, "sar", "150.00 SAR"),
            (5, "usd", "0.05 USD"),
            (500, "jpy", "500 JPY"),
            (5_120, "kwd", "5.120 KWD"),
            (0, "eur", "0.00 EUR"),
        ] {
            assert_eq!(shown(amount, currency), text);
        }
    }

    #[test]
    fn stripe_refuses_digits_that_a_payment_cannot_have() {
        for (amount, currency, taken) in [
            (5_120, "kwd", true),
            (5_124, "kwd", false),
            (500, "isk", true),
            (550, "isk", false),
            (1, "jpy", true),
            (-1, "sar", false),
        ] {
            assert_eq!(exact(amount, currency, "amount".to_owned()).is_ok(), taken, "{amount} {currency}");
        }
        assert_eq!(currency("SAR", "currency".to_owned()).unwrap(), "sar");
        assert!(currency("xyz", "currency".to_owned()).is_err());
        assert_eq!(chargeable(49, "usd", "It").unwrap_err().code, Some("amount_too_small"));
        assert_eq!(chargeable(LARGEST + 1, "sar", "It").unwrap_err().code, Some("amount_too_large"));
        assert_eq!(chargeable(0, "sar", "It").unwrap_err().code, Some("amount_too_small"));
    }
}
