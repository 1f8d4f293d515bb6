//! Configuration: the only place that reads the environment.
//!
//! | Variable | Needed | Means | Without it |
//! |---|---|---|---|
//! | `HOLDFAST_TABLE` | yes | the DynamoDB table's name | – |
//! | `HOLDFAST_QUEUE_URL` | no | the SQS queue that wakes `settle` | nothing is woken: the schedule finds it within a minute |
//! | `HOLDFAST_ISSUERS` | yes | who may issue tokens: a JSON list of `{"issuer", "audience": […], "algorithms"?: ["RS256"\|"ES256"], "jwks_url"? \| "jwks"?: {…}}`; the key set is looked for at `{issuer}/.well-known/jwks.json` unless said otherwise | – (unless there is a development key) |
//! | `HOLDFAST_DEVELOPMENT_KEY` | no | 32 bytes in hexadecimal that sign development tokens (HS256). Whoever has it is everybody: never in production | no development tokens |
//! | `HOLDFAST_FEE_BASIS_POINTS` | no | the platform's fee in hundredths of a percent, 0 to 10000 | `1000` (10 %) |
//! | `HOLDFAST_FEE_PAYER` | no | `buyer`, `seller` or `split`, where a checkout says nothing | `seller` |
//! | `HOLDFAST_UNITS` | no | the platform's own units, with commas between: `CODE:digits`, and with what it costs, as coins for 1.00 of a currency, `CODE:digits:CURRENCY:coins`: `GEM:2,COIN:0:QAR:10`. One with a price can be bought, and an escrow in it paid at a gateway | only ISO 4217 |
//! | `HOLDFAST_PAYOUT_MINIMUM` | no | no payout is smaller, by currency: `SAR:10.00,USD:5` | no minimum |
//! | `HOLDFAST_PAYOUT_APPROVAL_ABOVE` | no | above this another operator approves a payout, by currency: `SAR:5000` | nobody has to |
//! | `HOLDFAST_EPOCH` | no | raised by one after a restore from backup | `1` |
//! | `HOLDFAST_SUCCESS_URL`, `HOLDFAST_CANCEL_URL` | no | where a payment page sends the buyer, where a checkout says nothing | a checkout must say |
//! | `HOLDFAST_LOG` | no | which log lines: `info`, `debug`, `escrow_store=debug,info` | `info` |
//! | `STRIPE_…`, `PAYPAL_…`, `PAYTABS_…`, `MOYASAR_…`, `FATORA_…` | no | the gateways' settings, read by [`Config::setting`] | that gateway is not set up |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | yes | set by Lambda; elsewhere `aws configure export-credentials --format env` prints them | – |
//! | `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL_SQS` | no | another endpoint than AWS's own: an emulator, a VPC endpoint | AWS's |
//! | `AWS_LAMBDA_FUNCTION_NAME` | no | set by Lambda: logs are JSON | logs are for people |
//!
//! **Secrets.** Any `HOLDFAST_…` or gateway's variable may hold, instead of a value (or of one of several values with commas
//! between), the ARN of a secret in Secrets Manager or of a parameter in SSM. It is fetched once, at the start
//! ([`crate::secrets`]), and kept in memory; a new value is read by the next instance that starts. Nothing here shows values
//! when it is printed.

mod units;

mod payouts;

pub use payouts::Payouts;

use crate::auth::{DEVELOPMENT_ISSUER, DevKey};
use escrow_domain::currency::{Currencies, Currency};
use escrow_domain::exchange::Rate;
use escrow_domain::fees::{FeePayer, FeeSchedule};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The variables that may belong to a gateway.
const GATEWAY_PREFIXES: [&str; 5] = ["STRIPE_", "PAYPAL_", "PAYTABS_", "MOYASAR_", "FATORA_"];

/// A variable is missing or cannot be read. The sentence names it and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}. {next_step}")]
pub struct ConfigError {
    /// The variable.
    pub variable: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub next_step: String,
}

impl ConfigError {
    pub(crate) fn new(variable: &str, problem: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { variable: variable.to_owned(), problem: problem.into(), next_step: next_step.into() }
    }
}

/// Variables by name, as the environment holds them. Never shown.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The process's environment: the only place that reads it. Secrets named by ARN are still ARNs; [`crate::app::App::from_env`]
    /// puts them in place.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    pub fn from_env() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// These.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The value of a variable; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).map(str::trim).filter(|value| !value.is_empty())
    }

    /// These and others; where both have a variable, the other's counts.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(others);
        self
    }

    /// Those that may hold secrets, to be replaced.
    pub(crate) fn ours_mut(&mut self) -> impl Iterator<Item = (&String, &mut String)> {
        self.0.iter_mut().filter(|(name, _)| {
            name.starts_with("HOLDFAST_") || GATEWAY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        })
    }

    fn required(&self, name: &str, next_step: &str) -> Result<&str, ConfigError> {
        self.get(name).ok_or_else(|| ConfigError::new(name, "is not set", next_step))
    }

    fn parsed<T: FromStr>(&self, name: &str, default: T, expected: &str) -> Result<T, ConfigError> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| {
                ConfigError::new(name, "cannot be read", format!("Set it to {expected}, or leave it out."))
            }),
        }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables (hidden)", self.0.len())
    }
}

/// Where AWS is, and as whom we come.
#[derive(Clone)]
pub struct AwsSettings {
    /// The region.
    pub region: String,
    /// Another endpoint of DynamoDB than AWS's own.
    pub dynamodb_endpoint: Option<String>,
    /// Another endpoint of SQS.
    pub sqs_endpoint: Option<String>,
    /// Another endpoint of every other service.
    pub endpoint: Option<String>,
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// The session's token, where the key is a temporary one.
    pub session_token: Option<String>,
}

impl fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsSettings({}, {:?}, keys hidden)", self.region, self.dynamodb_endpoint)
    }
}

impl AwsSettings {
    /// Reads region, keys and endpoints.
    ///
    /// # Errors
    /// [`ConfigError`] if the region or the keys are missing.
    pub fn from_variables(variables: &Variables) -> Result<Self, ConfigError> {
        let how = "Lambda sets it; elsewhere run: eval \"$(aws configure export-credentials --format env)\" and export AWS_REGION.";
        let everywhere = variables.get("AWS_ENDPOINT_URL");
        let endpoint = |name: &str| variables.get(name).or(everywhere).map(str::to_owned);
        Ok(Self {
            region: variables.required("AWS_REGION", how)?.to_owned(),
            dynamodb_endpoint: endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
            sqs_endpoint: endpoint("AWS_ENDPOINT_URL_SQS"),
            endpoint: everywhere.map(str::to_owned),
            access_key_id: variables.required("AWS_ACCESS_KEY_ID", how)?.to_owned(),
            secret_access_key: variables.required("AWS_SECRET_ACCESS_KEY", how)?.to_owned(),
            session_token: variables.get("AWS_SESSION_TOKEN").map(str::to_owned),
        })
    }
}

/// An issuer as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Its `iss`.
    pub issuer: String,
    /// What its tokens must be for: one of these.
    pub audience: Vec<String>,
    /// What it signs with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeySource,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At a URL.
    Url(String),
    /// In the settings: the JSON of a key set.
    Inline(String),
}

/// Everything that a deployment can choose.
#[derive(Debug, Clone)]
pub struct Config {
    /// The DynamoDB table.
    pub table: String,
    /// The SQS queue that wakes `settle`.
    pub queue_url: Option<String>,
    /// The deployment's epoch: raised after a restore from backup.
    pub epoch: u32,
    /// Who may issue tokens.
    pub issuers: Vec<IssuerSettings>,
    /// The key of development tokens.
    pub development_key: Option<DevKey>,
    /// The units of money that are known.
    pub currencies: Currencies,
    /// What the platform's coins cost; one rate a coin.
    pub rates: Vec<Rate>,
    /// The platform's fee.
    pub fees: FeeSchedule,
    /// Who pays it where a checkout says nothing.
    pub fee_payer: FeePayer,
    /// What is allowed for payouts.
    pub payouts: Payouts,
    /// Where a payment page sends a buyer who has paid.
    pub success_url: Option<String>,
    /// Where a payment page sends a buyer who has not.
    pub cancel_url: Option<String>,
    variables: Variables,
}

impl Config {
    /// Reads variables whose secrets have been fetched.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or cannot be read, and what to do.
    pub fn from_variables(variables: Variables) -> Result<Self, ConfigError> {
        let development_key = development_key(&variables)?;
        let issuers = issuers(&variables, development_key.is_some())?;
        let basis_points = variables.parsed(
            "HOLDFAST_FEE_BASIS_POINTS",
            1_000_u16,
            "hundredths of a percent from 0 to 10000: 1000 is 10 %",
        )?;
        if basis_points > 10_000 {
            return Err(ConfigError::new(
                "HOLDFAST_FEE_BASIS_POINTS",
                "is more than the whole amount",
                "Set it to at most 10000.",
            ));
        }
        let (currencies, rates) = units::units(&variables)?;
        Ok(Self {
            table: variables.required("HOLDFAST_TABLE", "Set it to the name of the DynamoDB table.")?.to_owned(),
            queue_url: variables.get("HOLDFAST_QUEUE_URL").map(str::to_owned),
            epoch: variables.parsed("HOLDFAST_EPOCH", 1, "a whole number, raised by one after a restore")?,
            issuers,
            development_key,
            payouts: Payouts::from_variables(&variables, &currencies)?,
            currencies,
            rates,
            fees: FeeSchedule::rate(basis_points),
            fee_payer: variables.parsed("HOLDFAST_FEE_PAYER", FeePayer::Seller, "buyer, seller or split")?,
            success_url: variables.get("HOLDFAST_SUCCESS_URL").map(str::to_owned),
            cancel_url: variables.get("HOLDFAST_CANCEL_URL").map(str::to_owned),
            variables,
        })
    }

    /// Whether this is a unit of the platform's own, which no gateway takes.
    #[must_use]
    pub fn is_coin(&self, unit: Currency) -> bool {
        Currencies::default().find(unit.code()) != Some(unit)
    }

    /// What this coin costs; `None` for a currency, and for a coin that is not for sale.
    #[must_use]
    pub fn rate(&self, coin: Currency) -> Option<&Rate> {
        self.rates.iter().find(|rate| rate.coin() == coin)
    }

    /// A setting of a gateway, by its full name (`STRIPE_SECRET_KEY`), with its secret in place.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(str::to_owned)
    }
}

fn development_key(variables: &Variables) -> Result<Option<DevKey>, ConfigError> {
    const NAME: &str = "HOLDFAST_DEVELOPMENT_KEY";
    let Some(text) = variables.get(NAME) else { return Ok(None) };
    let next_step = "Set it to 64 hexadecimal digits (openssl rand -hex 32), and never in production.";
    let wrong = || ConfigError::new(NAME, "is not a key of 32 bytes", next_step);
    let pairs: Vec<&[u8]> = text.as_bytes().chunks(2).collect();
    let byte = |pair: &&[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>().ok_or_else(wrong)?;
    DevKey::from_bytes(&bytes).map(Some).map_err(|_| wrong())
}

/// `HOLDFAST_ISSUERS` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    audience: Vec<String>,
    #[serde(default)]
    algorithms: Option<Vec<String>>,
    #[serde(default)]
    jwks_url: Option<String>,
    #[serde(default)]
    jwks: Option<serde_json::Value>,
}

fn issuers(variables: &Variables, development: bool) -> Result<Vec<IssuerSettings>, ConfigError> {
    const NAME: &str = "HOLDFAST_ISSUERS";
    let example = "Write a JSON list: [{\"issuer\": \"https://…\", \"audience\": [\"…\"]}].";
    let text = match variables.get(NAME) {
        Some(text) => text,
        None if development => "[]",
        None => return Err(ConfigError::new(NAME, "is not set, so nobody could sign in", example)),
    };
    let written: Vec<Written> = serde_json::from_str(text)
        .map_err(|error| ConfigError::new(NAME, format!("cannot be read ({error})"), example))?;
    if written.is_empty() && !development {
        return Err(ConfigError::new(NAME, "is empty, so nobody could sign in", example));
    }
    let mut issuers: Vec<IssuerSettings> = Vec::with_capacity(written.len());
    for one in written {
        let wrong =
            |problem: &str| Err(ConfigError::new(NAME, format!("has the issuer {:?}, {problem}", one.issuer), example));
        if one.issuer.is_empty() || one.issuer == DEVELOPMENT_ISSUER {
            return wrong("which cannot be an issuer's name");
        }
        if issuers.iter().any(|other| other.issuer == one.issuer) {
            return wrong("which is named twice");
        }
        if one.audience.is_empty() || one.audience.iter().any(String::is_empty) {
            return wrong("without an audience: tokens made for others would be taken");
        }
        let mut algorithms = Vec::new();
        for word in one.algorithms.unwrap_or_else(|| vec!["RS256".to_owned()]) {
            algorithms.push(match word.as_str() {
                "RS256" => Algorithm::RS256,
                "ES256" => Algorithm::ES256,
                _ => return wrong("with an algorithm other than RS256 and ES256"),
            });
        }
        if algorithms.is_empty() {
            return wrong("without an algorithm");
        }
        let keys = match (one.jwks_url, one.jwks) {
            (Some(_), Some(_)) => return wrong("with both jwks_url and jwks"),
            (None, Some(set)) => KeySource::Inline(set.to_string()),
            (Some(url), None) => KeySource::Url(url),
            (None, None) => KeySource::Url(format!("{}/.well-known/jwks.json", one.issuer.trim_end_matches('/'))),
        };
        if let KeySource::Url(url) = &keys
            && !may_be_fetched(url)
        {
            return wrong("whose keys would not come over https");
        }
        issuers.push(IssuerSettings { issuer: one.issuer, audience: one.audience, algorithms, keys });
    }
    Ok(issuers)
}

/// Keys come over https, or from this machine.
fn may_be_fetched(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const ISSUERS: &str = r#"[{"issuer": "https://issuer.example/", "audience": ["holdfast"]}]"#;

    fn variables(given: &[(&str, &str)]) -> Variables {
        let basics = [("HOLDFAST_TABLE", "holdfast"), ("HOLDFAST_ISSUERS", ISSUERS)];
        Variables::new(basics.iter().chain(given).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let config = Config::from_variables(variables(&[])).unwrap();
        assert_eq!((config.table.as_str(), config.epoch), ("holdfast", 1));
        assert_eq!((config.fees, config.fee_payer), (FeeSchedule::rate(1_000), FeePayer::Seller));
        assert_eq!((config.queue_url, config.success_url), (None, None));
        assert_eq!(config.issuers[0].algorithms, [Algorithm::RS256]);
        assert_eq!(config.issuers[0].keys, KeySource::Url("https://issuer.example/.well-known/jwks.json".to_owned()));
    }

    #[test]
    fn everything_can_be_said() {
        let config = Config::from_variables(variables(&[
            ("HOLDFAST_UNITS", "COIN:0:QAR:10, GEM:2"),
            ("HOLDFAST_FEE_BASIS_POINTS", "250"),
            ("HOLDFAST_FEE_PAYER", "split"),
            ("HOLDFAST_DEVELOPMENT_KEY", KEY),
            ("STRIPE_SECRET_KEY", "sk_test_1"),
            ("STRIPE_API_BASE", ""),
        ]))
        .unwrap();
        assert_eq!(config.currencies.find("GEM").map(|coin| coin.exponent()), Some(2));
        let rate = |code| config.rate(config.currencies.find(code).unwrap()).map(ToString::to_string);
        assert_eq!((rate("COIN").as_deref(), rate("GEM")), (Some("10 COIN = 1.00 QAR"), None));
        assert_eq!((config.fees.basis_points, config.fee_payer), (250, FeePayer::Split));
        assert_eq!(config.development_key.as_ref().map(|key| key.as_bytes()[31]), Some(31));
        assert_eq!(config.setting("STRIPE_SECRET_KEY").as_deref(), Some("sk_test_1"));
        assert_eq!(config.setting("STRIPE_API_BASE"), None, "empty is not set");
        let shown = format!("{config:?}");
        assert!(!shown.contains("sk_test_1") && !shown.contains("000102"), "{shown}");
    }

    #[test]
    fn a_mistake_is_named_with_its_variable_and_the_next_step() {
        let mut table = String::new();
        for (name, value) in [
            ("HOLDFAST_TABLE", ""),
            ("HOLDFAST_ISSUERS", ""),
            ("HOLDFAST_ISSUERS", "[]"),
            ("HOLDFAST_ISSUERS", "issuer.example"),
            ("HOLDFAST_ISSUERS", r#"[{"issuer": "https://a", "audience": []}]"#),
            ("HOLDFAST_ISSUERS", r#"[{"issuer": "https://a", "audience": ["x"], "algorithms": ["HS256"]}]"#),
            ("HOLDFAST_ISSUERS", r#"[{"issuer": "https://a", "audience": ["x"], "algorithms": []}]"#),
            ("HOLDFAST_ISSUERS", r#"[{"issuer": "https://a", "audience": ["x"], "jwks_url": "http://a/jwks"}]"#),
            (
                "HOLDFAST_ISSUERS",
                r#"[{"issuer": "https://a", "audience": ["x"], "jwks_url": "https://a", "jwks": {}}]"#,
            ),
            ("HOLDFAST_ISSUERS", r#"[{"issuer": "holdfast-development", "audience": ["x"], "jwks": {}}]"#),
            ("HOLDFAST_ISSUERS", r#"[{"issuer": "https://a", "audience": ["x"], "secret": "s"}]"#),
            ("HOLDFAST_DEVELOPMENT_KEY", "abc"),
            ("HOLDFAST_DEVELOPMENT_KEY", "zz"),
            ("HOLDFAST_FEE_BASIS_POINTS", "10 %"),
            ("HOLDFAST_FEE_BASIS_POINTS", "10001"),
            ("HOLDFAST_FEE_PAYER", "nobody"),
            ("HOLDFAST_UNITS", "coin"),
            ("HOLDFAST_UNITS", "COIN:4"),
            ("HOLDFAST_UNITS", "USD:2"),
            ("HOLDFAST_UNITS", "COIN:0,COIN:2"),
            ("HOLDFAST_UNITS", "GEM:2,COIN:0:GEM:10"),
            ("HOLDFAST_UNITS", "COIN:0:QAR:0"),
            ("HOLDFAST_UNITS", "COIN:0:QAR:0.5"),
            ("HOLDFAST_UNITS", "COIN:0:QAR"),
            ("HOLDFAST_EPOCH", "-1"),
        ] {
            let error = Config::from_variables(variables(&[(name, value)])).unwrap_err();
            assert_eq!(error.variable, name, "{value}");
            table.push_str(&format!("{error}\n"));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn aws_needs_a_region_and_keys_and_hides_them() {
        let given = variables(&[
            ("AWS_REGION", "me-south-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-key"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324"),
        ]);
        let aws = AwsSettings::from_variables(&given).unwrap();
        assert_eq!(aws.dynamodb_endpoint.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(aws.sqs_endpoint.as_deref(), Some("http://127.0.0.1:9324"));
        assert!(!format!("{aws:?}").contains("hidden-key"));
        assert_eq!(AwsSettings::from_variables(&variables(&[])).unwrap_err().variable, "AWS_REGION");
    }
}
