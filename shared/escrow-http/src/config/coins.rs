//! The platform's own units: which there are, and what they cost.

use super::{ConfigError, Variables};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::exchange::{Rate, RateInvalid};

/// Reads `HOLDFAST_COINS`.
pub(super) fn coins(variables: &Variables) -> Result<Currencies, ConfigError> {
    const NAME: &str = "HOLDFAST_COINS";
    let wrong = || {
        ConfigError::new(
            NAME,
            "is not a list of coins",
            "Write CODE:digits with commas between, as in COIN:0,GEM:2; no code of ISO 4217.",
        )
    };
    let coin = |text: &str| {
        let (code, digits) = text.trim().split_once(':')?;
        Currency::coin(code, digits.parse().ok()?).ok()
    };
    let coins: Option<Vec<Currency>> = parts(variables, NAME).map(coin).collect();
    Currencies::with_coins(coins.ok_or_else(wrong)?).map_err(|_| wrong())
}

/// Reads `HOLDFAST_RATES`: what the coins cost.
pub(super) fn rates(variables: &Variables, currencies: &Currencies) -> Result<Vec<Rate>, ConfigError> {
    const NAME: &str = "HOLDFAST_RATES";
    let wrong = |part: &str, problem: &str| {
        let next_step = "Write what some coins cost, with commas between: 100 COIN = 10.00 SAR; coins are registered in HOLDFAST_COINS.";
        ConfigError::new(NAME, format!("has {:?}: {problem}", part.trim()), next_step)
    };
    let mut rates: Vec<Rate> = Vec::new();
    for part in parts(variables, NAME) {
        let rate = Rate::parse(part, currencies).map_err(|invalid| wrong(part, &invalid.to_string()))?;
        let is_coin = |unit: Currency| !Currencies::default().find(unit.code()).is_some_and(|iso| iso == unit);
        if !is_coin(rate.coin()) || is_coin(rate.currency()) {
            return Err(wrong(part, &RateInvalid::Unit.to_string()));
        }
        if rates.iter().any(|other| other.coin() == rate.coin()) {
            return Err(wrong(part, "the coin has two rates"));
        }
        rates.push(rate);
    }
    Ok(rates)
}

fn parts<'a>(variables: &'a Variables, name: &str) -> impl Iterator<Item = &'a str> {
    variables.get(name).unwrap_or_default().split(',').filter(|part| !part.trim().is_empty())
}
