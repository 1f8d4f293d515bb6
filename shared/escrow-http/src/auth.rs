//! Who is asking: bearer tokens, verified inside the function even behind an authorizer.
//!
//! What makes a token good, in this order:
//! 1. It has at most 8 KB and three parts. Its header names an algorithm that **this issuer's** settings allow; `none` is not an
//!    algorithm here, and `crit` (extensions that we do not know) is refused. `jku`, `x5u` and `jwk` in a header are never followed.
//! 2. `iss` is one of the issuers in the settings. It only chooses the keys; it counts after the signature is verified.
//! 3. The key is found by `kid`, and **the key says which algorithm it is for**: an RSA key verifies RS256 and a P-256 key ES256,
//!    whatever the header claims, so a public key can never be used as an HMAC secret. HS256 belongs to the development key alone.
//! 4. `exp` is there and not over, `nbf` has come (both with a leeway of 60 seconds, by our clock), `aud` names us (or, where there is
//!    no `aud`, as in Cognito's access tokens, `client_id`), `sub` is a valid user id.
//!
//! Every claim that we know must have its right type, also one that would not be needed: a claim that cannot be read must never
//! count as absent (CVE-2026-25537). Claims that we do not know are ignored, as RFC 7519 §4 requires.

mod claims;
mod development;
pub mod jwks;

pub use development::{DEVELOPMENT_ISSUER, DevKey, DevKeyTooShort};
pub use escrow_domain::actions::Scopes;

use crate::problem::{Answer, Code, Problem};
use crate::request::Incoming;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::{Claims, Header, Unverified};
use escrow_domain::id::UserId;
use escrow_domain::time::{Period, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use jwks::Keys;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// How far the clocks of an issuer and ours may differ.
pub const LEEWAY: Period = Period::seconds(60);
/// The longest token that is looked at, in characters. Larger ones never come from an identity provider.
const LONGEST_TOKEN: usize = 8 * 1024;

/// Reads the words of a `scope`; unknown ones are for others.
#[must_use]
pub fn scopes_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Scopes {
    let mut scopes = Scopes::default();
    for word in words {
        match word {
            "platform" => scopes.platform = true,
            "arbiter" => scopes.arbiter = true,
            "operator" => scopes.operator = true,
            _ => {}
        }
    }
    scopes
}

/// The words of scopes, in a fixed order.
#[must_use]
pub fn words_of(scopes: Scopes) -> Vec<&'static str> {
    [(scopes.platform, "platform"), (scopes.arbiter, "arbiter"), (scopes.operator, "operator")]
        .into_iter()
        .filter_map(|(has, word)| has.then_some(word))
        .collect()
}

/// Whoever sent the request, as a verified token names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who says so: `iss`.
    pub issuer: String,
    /// The user: `sub`.
    pub sub: UserId,
    /// Their scopes.
    pub scopes: Scopes,
}

/// One issuer that we trust.
#[derive(Debug)]
pub struct Issuer {
    /// Its `iss`, exactly.
    pub name: String,
    /// What its tokens' `aud` (or `client_id`) must name: one of these. Never empty.
    pub audience: Vec<String>,
    /// The algorithms that it signs with: of RS256 and ES256.
    pub algorithms: Vec<Algorithm>,
    /// Its keys.
    pub keys: Keys,
}

/// Verifies tokens. Clones share the kept key sets.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Trusted>);

#[derive(Debug)]
struct Trusted {
    issuers: Vec<Issuer>,
    development: Option<DevKey>,
}

impl Authenticator {
    /// Trusts these issuers, and the holder of the development key if there is one.
    #[must_use]
    pub fn new(issuers: Vec<Issuer>, development: Option<DevKey>) -> Self {
        Self(Arc::new(Trusted { issuers, development }))
    }

    /// Fetches every issuer's keys that are not kept yet. What fails is tried again when a token needs it.
    pub async fn fetch_keys(&self, now: Timestamp) {
        for issuer in &self.0.issuers {
            issuer.keys.prepare(now).await;
        }
    }

    /// Who sent this request.
    ///
    /// # Errors
    /// 401 without a good token; 503 if the issuer's keys cannot be had, since then nobody knows whether the token is good.
    pub async fn authenticate(&self, incoming: &Incoming, now: Timestamp) -> Answer<Caller> {
        let caller = self.verify(incoming.bearer()?, now).await?;
        incoming.line().caller(caller.sub.as_str());
        if caller.scopes != Scopes::default() {
            incoming.line().scopes(words_of(caller.scopes).join(" "));
        }
        Ok(caller)
    }

    /// Who a token names.
    ///
    /// # Errors
    /// As [`Authenticator::authenticate`].
    pub async fn verify(&self, token: &str, now: Timestamp) -> Answer<Caller> {
        let parts = Parts::of(token)?;
        let unverified: Unverified = json(parts.claims, "its claims")?;

        if unverified.iss == DEVELOPMENT_ISSUER
            && let Some(key) = &self.0.development
        {
            parts.check_signature(&key.decoding(), Algorithm::HS256)?;
            return parts.caller(now, &unverified.iss, &[DEVELOPMENT_ISSUER]);
        }

        let issuer = self
            .0
            .issuers
            .iter()
            .find(|issuer| issuer.name == unverified.iss)
            .ok_or_else(|| invalid("its issuer is not trusted here"))?;
        if !issuer.algorithms.contains(&parts.algorithm) {
            return Err(invalid("its issuer does not sign with that algorithm"));
        }
        let kid = parts.kid.as_deref().ok_or_else(|| invalid("its header has no kid"))?;
        let key = issuer.keys.find(kid, parts.algorithm, now).await?.ok_or_else(|| invalid("its key is not known"))?;
        parts.check_signature(&key, parts.algorithm)?;
        parts.caller(now, &issuer.name, &issuer.audience)
    }
}

/// A token taken apart; nothing of it is believed yet.
struct Parts<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    /// What the signature covers: header, point, claims.
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Answer<Self> {
        if token.len() > LONGEST_TOKEN {
            return Err(invalid("it is too long"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| invalid("it has not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or_else(|| invalid("it has not three parts"))?;
        if claims.contains('.') {
            return Err(invalid("it has not three parts"));
        }
        let header: Header = json(header, "its header")?;
        if header.crit.is_some() {
            return Err(invalid("its header demands an extension"));
        }
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            "HS256" => Algorithm::HS256,
            _ => return Err(invalid("its algorithm is not accepted")),
        };
        Ok(Self { algorithm, kid: header.kid, signed, claims, signature })
    }

    /// `algorithm` is the key's; a token that names another is refused before any mathematics.
    fn check_signature(&self, key: &DecodingKey, algorithm: Algorithm) -> Answer<()> {
        if self.algorithm != algorithm {
            return Err(invalid("its algorithm is not that of its key"));
        }
        match jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(invalid("its signature is wrong")),
        }
    }

    /// Reads the claims of a token whose signature is verified. The library's own validation is not used: it reads the system's
    /// clock, and what it cannot read it treats as absent.
    fn caller(&self, now: Timestamp, issuer: &str, audience: &[impl AsRef<str>]) -> Answer<Caller> {
        let claims: Claims = json(self.claims, "its claims")?;
        if claims.iss != issuer {
            return Err(invalid("its issuer is not trusted here"));
        }
        // Half-open, as every deadline here: at the moment of expiry plus leeway the token is over.
        if now >= claims.exp.after(LEEWAY) {
            return Err(Problem::new(Code::TokenExpired, "The token has expired. Get a new one."));
        }
        if claims.nbf.is_some_and(|from| now.after(LEEWAY) < from) {
            return Err(invalid("it is not valid yet"));
        }
        let named: Vec<&str> = match (&claims.aud, &claims.client_id) {
            (Some(aud), _) => aud.iter().map(String::as_str).collect(),
            (None, Some(client)) => vec![client.as_str()],
            (None, None) => return Err(invalid("it is for nobody in particular")),
        };
        if !audience.iter().any(|ours| named.contains(&ours.as_ref())) {
            return Err(invalid("it is for somebody else"));
        }
        let sub = claims.sub.parse().map_err(|_| invalid("its sub is not a user id"))?;
        let scopes = scopes_of(claims.scope.iter().map(String::as_str));
        Ok(Caller { issuer: claims.iss, sub, scopes })
    }
}

/// The token is not accepted, for a reason that helps whoever integrates and tells an attacker nothing that the settings keep secret.
fn invalid(why: &'static str) -> Problem {
    Problem::new(Code::TokenInvalid, format!("The token is not accepted: {why}."))
}

fn json<T: DeserializeOwned>(encoded: &str, what: &'static str) -> Answer<T> {
    let unreadable = || Problem::new(Code::TokenInvalid, format!("The token is not accepted: {what} cannot be read."));
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| unreadable())?;
    // The sentence for the log names the claim, never its value.
    serde_json::from_slice(&bytes).map_err(|error| unreadable().inside(format!("{:?}: {what}", error.classify())))
}

#[cfg(test)]
mod tests;
