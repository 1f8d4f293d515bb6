//! What a deployment allows for payouts, by currency: `SAR:10.00,USD:5`.

use super::{ConfigError, Variables};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::money::{Minor, Money};
use escrow_domain::payout::PayoutLimits;

const MINIMUM: &str = "HOLDFAST_PAYOUT_MINIMUM";
const APPROVAL_ABOVE: &str = "HOLDFAST_PAYOUT_APPROVAL_ABOVE";

/// The least that is paid out, and above what an operator approves.
#[derive(Debug, Clone, Default)]
pub struct Payouts {
    minimum: Vec<Money>,
    approval_above: Vec<Money>,
}

impl Payouts {
    pub(super) fn from_variables(variables: &Variables, currencies: &Currencies) -> Result<Self, ConfigError> {
        Ok(Self {
            minimum: amounts(variables, MINIMUM, currencies)?,
            approval_above: amounts(variables, APPROVAL_ABOVE, currencies)?,
        })
    }

    /// What holds for payouts of that unit.
    #[must_use]
    pub fn limits(&self, currency: Currency) -> PayoutLimits {
        let of = |amounts: &[Money]| amounts.iter().find(|money| money.currency == currency).map(|money| money.amount);
        PayoutLimits { minimum: of(&self.minimum).unwrap_or(Minor::ZERO), approval_above: of(&self.approval_above) }
    }
}

fn amounts(variables: &Variables, name: &str, currencies: &Currencies) -> Result<Vec<Money>, ConfigError> {
    let Some(text) = variables.get(name) else { return Ok(Vec::new()) };
    let mut amounts: Vec<Money> = Vec::new();
    for part in text.split(',') {
        let wrong = || {
            let next_step = "Set it to amounts with their currency in front, such as SAR:10.00,USD:5, or leave it out.";
            ConfigError::new(name, format!("has the part {part:?}, which is no amount of a known currency"), next_step)
        };
        let (code, amount) = part.trim().split_once(':').ok_or_else(wrong)?;
        let currency = currencies.find(code.trim()).ok_or_else(wrong)?;
        let money = Money::parse_or_zero(amount.trim(), currency).map_err(|_| wrong())?;
        if amounts.iter().any(|other| other.currency == currency) {
            let next_step = "Name each currency once.";
            return Err(ConfigError::new(name, format!("names {currency} twice"), next_step));
        }
        amounts.push(money);
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(minimum: &str, approval: &str) -> Result<Payouts, ConfigError> {
        let variables = [(MINIMUM, minimum), (APPROVAL_ABOVE, approval)];
        let variables = Variables::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Payouts::from_variables(&variables, &Currencies::default())
    }

    #[test]
    fn limits_are_set_by_currency() {
        let payouts = read("SAR:10.00, USD:5", "SAR:5000").unwrap();
        let limits = |code| payouts.limits(Currencies::default().find(code).unwrap());
        let sar = limits("SAR");
        assert_eq!((sar.minimum.units(), sar.approval_above.map(Minor::units)), (1_000, Some(500_000)));
        assert_eq!((limits("USD").minimum.units(), limits("USD").approval_above), (500, None));
        assert_eq!((limits("EUR").minimum, limits("EUR").approval_above), (Minor::ZERO, None));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_variable() {
        for bad in ["10", "XXXX:1", "SAR:1.234", "SAR:-1", "SAR:1,SAR:2", "SAR"] {
            assert_eq!(read(bad, "").unwrap_err().variable, MINIMUM, "{bad}");
            assert_eq!(read("", bad).unwrap_err().variable, APPROVAL_ABOVE, "{bad}");
        }
    }
}
