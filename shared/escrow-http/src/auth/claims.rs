//! What we read of a token, each part with its one right type. Nothing here is optional by accident: `null`, or a value of
//! another type, is an error and never an absent claim.

use escrow_domain::time::Timestamp;
use serde::{Deserialize, Deserializer};

/// The JOSE header.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default, deserialize_with = "given")]
    pub(super) kid: Option<String>,
    /// Extensions that a verifier must understand. We understand none. RFC 7515 §4.1.11.
    #[serde(default, deserialize_with = "given")]
    pub(super) crit: Option<serde_json::Value>,
}

/// What is read before the signature is checked: only enough to choose the keys.
#[derive(Deserialize)]
pub(super) struct Unverified {
    pub(super) iss: String,
}

/// The claims, read after the signature was checked.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    #[serde(deserialize_with = "date")]
    pub(super) exp: Timestamp,
    #[serde(default, deserialize_with = "given_date")]
    pub(super) nbf: Option<Timestamp>,
    /// Not needed for anything; a token whose times cannot be read is not to be trusted with the others.
    #[serde(default, deserialize_with = "given_date", rename = "iat")]
    _iat: Option<Timestamp>,
    #[serde(default, deserialize_with = "given_one_or_many")]
    pub(super) aud: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) client_id: Option<String>,
    #[serde(default, deserialize_with = "words")]
    pub(super) scope: Vec<String>,
}

/// A value that is there: serde's own reading of an `Option` would take `null` for absent.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

/// RFC 7519's NumericDate: seconds since 1970, perhaps with a fraction, which is dropped.
fn date<'de, D: Deserializer<'de>>(reader: D) -> Result<Timestamp, D::Error> {
    let number = serde_json::Number::deserialize(reader)?.to_string();
    let whole = number.split_once('.').map_or(number.as_str(), |(whole, _fraction)| whole);
    // Ten thousand years are enough; more would only wrap somewhere.
    let seconds: i64 = whole.parse().map_err(|_| serde::de::Error::custom("not a number of seconds"))?;
    if (0..=253_402_300_799).contains(&seconds) && !number.contains(['e', 'E']) {
        Ok(Timestamp::from_seconds(seconds))
    } else {
        Err(serde::de::Error::custom("not a number of seconds"))
    }
}

fn given_date<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Timestamp>, D::Error> {
    date(reader).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn given_one_or_many<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(Some(match OneOrMany::deserialize(reader)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    }))
}

/// `scope` as RFC 8693 §4.2 writes it (words with blanks between), or as a list of words.
fn words<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(reader)? {
        OneOrMany::One(text) => text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        OneOrMany::Many(words) => words,
    })
}
