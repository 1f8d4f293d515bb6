//! The stored piece of evidence: an item of its own beside its escrow. In format 1 it stood inside the dispute.

use super::word;
use escrow_domain::dispute::Evidence;
use escrow_domain::lifecycle::Role;
use escrow_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A piece of evidence. Escrow, dispute and number stand in the key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    /// Kind.
    k: String,
    /// Where it is.
    u: String,
    /// Its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<String>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// By.
    y: String,
    /// At, in milliseconds.
    a: i64,
}

impl From<&Evidence> for Stored {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { kind, uri, sha256, note, by, at } = evidence;
        Self {
            k: kind.clone(),
            u: uri.clone(),
            h: sha256.clone(),
            x: note.clone(),
            y: by.as_str().to_owned(),
            a: at.as_millis(),
        }
    }
}

impl TryFrom<Stored> for Evidence {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        Ok(Self {
            kind: stored.k,
            uri: stored.u,
            sha256: stored.h,
            note: stored.x,
            by: word(&stored.y)?,
            at: Timestamp::from_millis(stored.a),
        })
    }
}

/// A piece of evidence as it stood inside a dispute in format 1. Read, never written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredWithin {
    /// Kind.
    k: String,
    /// Where it is.
    u: String,
    /// Its SHA-256.
    #[serde(default)]
    h: Option<String>,
    /// Note.
    #[serde(default)]
    n: Option<String>,
    /// By.
    b: String,
    /// At.
    t: i64,
}

impl StoredWithin {
    pub(super) fn is_by(&self, role: Role) -> bool {
        self.b == role.as_str()
    }
}

impl TryFrom<StoredWithin> for Evidence {
    type Error = String;

    fn try_from(stored: StoredWithin) -> Result<Self, String> {
        Ok(Self {
            kind: stored.k,
            uri: stored.u,
            sha256: stored.h,
            note: stored.n,
            by: word(&stored.b)?,
            at: Timestamp::from_millis(stored.t),
        })
    }
}
