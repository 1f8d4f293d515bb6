//! What a wallet refuses, as its owner is told.

use super::{Code, Problem};
use escrow_domain::currency::Currency;
use escrow_domain::wallet::WalletRefusal;
use escrow_store::{CreateError, WalletRefused};
use serde_json::json;

impl From<WalletRefused> for Problem {
    fn from(refused: WalletRefused) -> Self {
        Self::wallet_refused(&refused.refusal, refused.currency)
    }
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Wallet(refused) => refused.into(),
            CreateError::Store(error) => error.into(),
        }
    }
}

impl Problem {
    /// The wallet does not let so much go. Only for whoever may see what is in it: its owner, and the platform for its owner.
    #[must_use]
    pub fn wallet_refused(refusal: &WalletRefusal, currency: Currency) -> Self {
        match refusal {
            WalletRefusal::Insufficient { available } => {
                let available = available.of(currency);
                Self::new(Code::InsufficientFunds, format!("The wallet has {available} {currency} available."))
                    .with("available", json!(available.to_string()))
                    .with("currency", json!(currency.to_string()))
            }
            // The reason is the reconciler's, in words for operators.
            WalletRefusal::OnHold { reason } => {
                let detail = "Nothing leaves this wallet until an operator has looked at it. What is in it is safe.";
                Self::new(Code::WalletOnHold, detail).inside(reason)
            }
            WalletRefusal::Broken => Self::internal(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escrow_domain::currency::Currencies;
    use escrow_domain::money::Minor;

    #[test]
    fn whoever_has_too_little_is_told_how_much_there_is() {
        let sar = Currencies::default().find("SAR").unwrap();
        let refusal = WalletRefusal::Insufficient { available: Minor::new(1_250).unwrap() };
        let body = Problem::wallet_refused(&refusal, sar).into_reply("r").body().to_owned();
        assert!(body.contains(r#""code":"insufficient_funds""#) && body.contains(r#""available":"12.50""#), "{body}");
    }

    #[test]
    fn why_a_wallet_is_on_hold_is_for_operators() {
        let sar = Currencies::default().find("SAR").unwrap();
        let problem = Problem::wallet_refused(&WalletRefusal::OnHold { reason: "line 7 is missing".to_owned() }, sar);
        assert_eq!((problem.code(), problem.known_inside()), (Code::WalletOnHold, Some("line 7 is missing")));
        assert!(!problem.into_reply("r").body().contains("line 7"));
    }
}
