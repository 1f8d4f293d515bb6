//! Key sets: RFC 7517, given inline or fetched from the issuer, kept, and fetched again when a token names a key that is not there.
//!
//! Fetching is bounded: at most one attempt a minute (every ten seconds until the first answer), whoever asks for what (a flood of invented `kid`s makes one request), at most
//! 64 KB and 100 keys. A kept set is looked at again after an hour, so that a key which the issuer took back stops working; when
//! the issuer does not answer, the kept keys go on for a day.

use super::{Answer, Problem};
use escrow_domain::time::{Period, Timestamp};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The largest key set that is read, in bytes.
pub const LARGEST_SET: usize = 64 * 1024;
/// The most keys that are taken from a set.
const MOST_KEYS: usize = 100;
/// Not more often than this is an issuer asked.
const BETWEEN_FETCHES: Period = Period::minutes(1);
/// The same while there has been no answer yet.
const BETWEEN_FIRST_FETCHES: Period = Period::seconds(10);
/// After this long a kept set is asked for again.
const FRESH_FOR: Period = Period::hours(1);
/// After this long a set that could not be asked for again is no longer believed.
const KEPT_FOR: Period = Period::hours(24);
/// The shortest RSA modulus, in bytes: RFC 7518 §3.3 demands 2048 bits.
const SHORTEST_MODULUS: usize = 256;

/// Gets the bytes at a URL. In Lambda by the one HTTP client; in tests by whatever the test says.
pub type Fetch =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchFailed>> + Send>> + Send + Sync>;

/// A key set could not be fetched.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct FetchFailed(pub String);

/// A text is no key set, or has no key that we could use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetInvalid {
    /// Not the JSON of a key set.
    #[error("not a JSON Web Key Set")]
    NotASet,
    /// No RSA or P-256 signature key with a `kid`.
    #[error("no RSA (2048 bits or more) or P-256 signature key with a kid")]
    NoKey,
}

/// A public key with the one algorithm that it is for.
#[derive(Clone)]
struct Key {
    kid: String,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keys(Source);

enum Source {
    Inline(Vec<Key>),
    Fetched { url: String, fetch: Fetch, kept: Mutex<Kept> },
}

#[derive(Default)]
struct Kept {
    keys: Vec<Key>,
    /// When these keys came.
    fetched: Option<Timestamp>,
    /// When they were last asked for, and whether that went well.
    tried: Option<(Timestamp, Result<(), FetchFailed>)>,
}

impl Keys {
    /// Keys that stand in the settings.
    ///
    /// # Errors
    /// [`SetInvalid`] if the text is no key set or has no usable key.
    pub fn inline(set: &str) -> Result<Self, SetInvalid> {
        Ok(Self(Source::Inline(read_set(set.as_bytes())?)))
    }

    /// Keys that the issuer publishes at `url`.
    #[must_use]
    pub fn at(url: String, fetch: Fetch) -> Self {
        Self(Source::Fetched { url, fetch, kept: Mutex::new(Kept::default()) })
    }

    /// Fetches the set, unless it is there or was asked for already.
    pub(super) async fn prepare(&self, now: Timestamp) {
        if let Source::Fetched { url, fetch, kept } = &self.0 {
            let mut kept = kept.lock().await;
            if kept.tried.is_none() {
                kept.renew(url, fetch, now).await;
                // A failure at the start must not keep the first caller from trying.
                kept.tried.take_if(|(_, result)| result.is_err());
            }
        }
    }

    /// The key with that `kid`, if it is for that algorithm.
    ///
    /// # Errors
    /// 503 if the issuer was to be asked and did not answer: the token may well be good.
    pub(super) async fn find(&self, kid: &str, algorithm: Algorithm, now: Timestamp) -> Answer<Option<DecodingKey>> {
        let (url, fetch, kept) = match &self.0 {
            Source::Inline(keys) => return Ok(among(keys, kid, algorithm)),
            Source::Fetched { url, fetch, kept } => (url, fetch, kept),
        };
        // Whoever comes while the set is being fetched waits here, and finds it fetched.
        let mut kept = kept.lock().await;
        let age = kept.fetched.map(|fetched| now.since(fetched));
        let known = among(&kept.keys, kid, algorithm).filter(|_| age.is_some_and(|age| age < KEPT_FOR));
        let fresh = known.is_some() && age.is_some_and(|age| age < FRESH_FOR);
        // Without any keys nobody can sign in: that is asked about sooner.
        let between = if kept.keys.is_empty() { BETWEEN_FIRST_FETCHES } else { BETWEEN_FETCHES };
        let tried_lately = kept.tried.as_ref().is_some_and(|(at, _)| now.since(*at) < between);
        if fresh || (known.is_some() && tried_lately) {
            return Ok(known);
        }
        if !tried_lately {
            kept.renew(url, fetch, now).await;
            if kept.fetched == Some(now) {
                return Ok(among(&kept.keys, kid, algorithm));
            }
        }
        match (known, &kept.tried) {
            (Some(key), _) => Ok(Some(key)),
            (None, Some((_, Err(failed)))) => {
                Err(Problem::unavailable(format!("the key set of {url} could not be had: {failed}")))
            }
            (None, _) => Ok(None),
        }
    }
}

impl Kept {
    /// Asks the issuer. Keys that were kept stay if it does not answer.
    async fn renew(&mut self, url: &str, fetch: &Fetch, now: Timestamp) {
        let fetched = fetch(url.to_owned()).await;
        let keys = fetched.and_then(|body| read_set(&body).map_err(|error| FetchFailed(error.to_string())));
        let result = keys.map(|keys| {
            self.keys = keys;
            self.fetched = Some(now);
        });
        self.tried = Some((now, result));
    }
}

fn among(keys: &[Key], kid: &str, algorithm: Algorithm) -> Option<DecodingKey> {
    keys.iter().find(|key| key.kid == kid && key.algorithm == algorithm).map(|key| key.key.clone())
}

/// Takes the usable keys out of a set. Others are passed over: RFC 7517 §5 asks for that.
fn read_set(text: &[u8]) -> Result<Vec<Key>, SetInvalid> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    if text.len() > LARGEST_SET {
        return Err(SetInvalid::NotASet);
    }
    let set: Set = serde_json::from_slice(text).map_err(|_| SetInvalid::NotASet)?;
    let keys: Vec<Key> = set.keys.into_iter().take(MOST_KEYS).filter_map(usable).collect();
    if keys.is_empty() { Err(SetInvalid::NoKey) } else { Ok(keys) }
}

fn usable(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let kid = jwk.common.key_id.clone().filter(|kid| !kid.is_empty())?;
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|intended| *intended == PublicKeyUse::Signature);
    let verifies =
        jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if modulus_bytes(&rsa.n) >= SHORTEST_MODULUS => {
            (Algorithm::RS256, KeyAlgorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        // A symmetric key in a public set would make everybody a signer.
        _ => return None,
    };
    let agrees = jwk.common.key_algorithm.is_none_or(|stated| stated == named);
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (signs && verifies && agrees).then_some(Key { kid, algorithm, key })
}

/// Four letters of base64 are three bytes.
fn modulus_bytes(encoded: &str) -> usize {
    encoded.trim_end_matches('=').len().saturating_mul(3).checked_div(4).unwrap_or_default()
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(keys) => write!(f, "{} keys", keys.len()),
            Self::Fetched { url, .. } => write!(f, "keys of {url}"),
        }
    }
}
