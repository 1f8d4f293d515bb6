//! The development issuer: tokens that the local stack makes for whoever asks. Its key is the only one that HS256 is accepted
//! from, and a deployment without the key has no such issuer.

use super::{Scopes, words_of};
use escrow_domain::id::UserId;
use escrow_domain::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use std::fmt;

/// The `iss` and `aud` of development tokens.
pub const DEVELOPMENT_ISSUER: &str = "holdfast-development";

/// The key that signs development tokens. Whoever holds it is everybody: never in production.
#[derive(Clone)]
pub struct DevKey([u8; Self::LENGTH]);

/// A development key has 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a development key has 32 bytes")]
pub struct DevKeyTooShort;

impl DevKey {
    /// In bytes: as many as the hash has, which is what RFC 7518 §3.2 demands at least.
    pub const LENGTH: usize = 32;

    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; Self::LENGTH];
        rand::fill(&mut bytes);
        Self(bytes)
    }

    /// The key with these bytes, as [`DevKey::as_bytes`] gave them.
    ///
    /// # Errors
    /// [`DevKeyTooShort`] unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DevKeyTooShort> {
        bytes.try_into().map(Self).map_err(|_| DevKeyTooShort)
    }

    /// The bytes, to be kept so that tokens survive a restart.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A token for `sub` with these scopes, good until `expires_at` (in whole seconds).
    ///
    /// # Errors
    /// What the library says when it cannot sign; with a key of this length it always can.
    pub fn mint(
        &self,
        sub: &UserId,
        scopes: Scopes,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        #[derive(Serialize)]
        struct Minted<'a> {
            iss: &'static str,
            aud: &'static str,
            sub: &'a str,
            exp: i64,
            scope: String,
        }
        let claims = Minted {
            iss: DEVELOPMENT_ISSUER,
            aud: DEVELOPMENT_ISSUER,
            sub: sub.as_str(),
            exp: expires_at.as_seconds(),
            scope: words_of(scopes).join(" "),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&self.0))
    }

    pub(super) fn decoding(&self) -> DecodingKey {
        DecodingKey::from_secret(&self.0)
    }
}

impl fmt::Debug for DevKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DevKey(hidden)")
    }
}
