//! The platform's own units: which there are, and what they cost.

use super::{ConfigError, Variables};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::exchange::Rate;
use escrow_domain::money::Money;

/// The variable.
const NAME: &str = "HOLDFAST_UNITS";

/// Reads `HOLDFAST_UNITS`: every unit that there is, and what those cost that are for sale.
pub(super) fn units(variables: &Variables) -> Result<(Currencies, Vec<Rate>), ConfigError> {
    let written = variables.get(NAME).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut coins = Vec::new();
    let mut rates = Vec::new();
    for part in written {
        let fields: Vec<&str> = part.split(':').collect();
        let (code, digits, price) = match *fields.as_slice() {
            [code, digits] => (code, digits, None),
            [code, digits, currency, coins] => (code, digits, Some((currency, coins))),
            _ => return Err(wrong(part, "has neither two nor four parts")),
        };
        let shape = "is no code of 3 to 8 capital letters and digits with 0 to 3 digits after the point";
        let digits = digits.parse().map_err(|_| wrong(part, shape))?;
        let coin = Currency::coin(code, digits).map_err(|_| wrong(part, shape))?;
        coins.push(coin);
        if let Some((currency, coins)) = price {
            rates.push(rate(part, coin, currency, coins)?);
        }
    }
    let known = Currencies::with_coins(coins);
    known.map(|known| (known, rates)).map_err(|_| {
        wrong(variables.get(NAME).unwrap_or_default(), "has a code twice, or one that is a currency's of ISO 4217")
    })
}

/// So many coins for 1.00 of the currency.
fn rate(part: &str, coin: Currency, currency: &str, coins: &str) -> Result<Rate, ConfigError> {
    let currency = Currencies::default()
        .find(currency)
        .ok_or_else(|| wrong(part, "is priced in a unit that is no currency of ISO 4217"))?;
    let coins = Money::parse(coins, coin).map_err(|_| wrong(part, "does not say how many coins 1.00 buys"))?;
    let one = Money::parse("1", currency).map_err(|_| wrong(part, "is priced in a unit without amounts"))?;
    Rate::new(coins, one).map_err(|invalid| wrong(part, &format!("has no rate: {invalid}")))
}

fn wrong(part: &str, problem: &str) -> ConfigError {
    ConfigError::new(
        NAME,
        format!("has {part:?}, which {problem}"),
        "Write CODE:digits, or CODE:digits:CURRENCY:coins for 1.00 of it, with commas between: GEM:2,COIN:0:QAR:10.",
    )
}
