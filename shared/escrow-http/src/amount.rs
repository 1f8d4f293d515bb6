//! Amounts in bodies: decimal strings. Anything else, a JSON number too, is `amount_invalid`, not a body of the wrong shape.

use crate::problem::{Answer, Code, Problem};
use escrow_domain::currency::Currency;
use escrow_domain::money::{AmountInvalid, Money};
use serde::Deserialize;
use serde_json::Value;

/// A field that should hold an amount, not looked at yet: only its currency, which stands elsewhere, makes it readable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AmountField(Value);

impl AmountField {
    /// The amount, more than zero.
    ///
    /// # Errors
    /// 400 `amount_invalid` with the pointer.
    pub fn read(&self, pointer: &str, currency: Currency) -> Answer<Money> {
        self.text().and_then(|text| Money::parse(text, currency)).map_err(|invalid| refused(pointer, invalid))
    }

    /// The same where nothing is an answer too: a ruling may give one side nothing.
    ///
    /// # Errors
    /// 400 `amount_invalid` with the pointer.
    pub fn read_or_zero(&self, pointer: &str, currency: Currency) -> Answer<Money> {
        self.text().and_then(|text| Money::parse_or_zero(text, currency)).map_err(|invalid| refused(pointer, invalid))
    }

    fn text(&self) -> Result<&str, AmountInvalid> {
        self.0.as_str().ok_or(AmountInvalid::Form)
    }
}

fn refused(pointer: &str, invalid: AmountInvalid) -> Problem {
    Problem::input(Code::AmountInvalid, pointer, invalid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use serde_json::json;

    #[test]
    fn only_a_decimal_string_is_an_amount() {
        let sar = Currencies::default().find("SAR").unwrap();
        let read = |value: Value| {
            let field: AmountField = serde_json::from_value(value).unwrap();
            field.read("/amount", sar).map(|money| money.to_string()).map_err(|problem| problem.code().as_str())
        };
        assert_eq!(read(json!("150.5")), Ok("150.50".to_owned()));
        for bad in
            [json!(150), json!(150.5), json!("1e3"), json!("-5"), json!("0"), json!(null), json!(["1"]), json!("1.234")]
        {
            assert_eq!(read(bad.clone()), Err("amount_invalid"), "{bad}");
        }
    }
}
