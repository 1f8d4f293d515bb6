//! What can go wrong below the edge: an item that cannot be read, a store that cannot be reached, a write whose end is unknown.

use crate::keys::Key;

/// What stands at a key cannot be understood. Never replaced by a default: money may hang on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The item breaks what writing promised.
    #[error("the item at {key} is corrupt: {why}")]
    Corrupt {
        /// Where it stands.
        key: Key,
        /// What is wrong with it.
        why: String,
    },
    /// A newer release wrote it. This one must not write it back: it would drop what the newer one has added.
    #[error("the item at {key} has format {found}, and this release knows formats up to {known}")]
    NewerFormat {
        /// Where it stands.
        key: Key,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
}

/// Whatever the SDK said, kept as the source of an error.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// A request to the store that did not end well. Nothing here says that a write has failed unless it surely has.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What stands there cannot be understood.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Others were faster too often, or DynamoDB throttles. Nothing was written. Try again later.
    #[error("contended: nothing was written after {attempts} attempts")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// The answer to a write was lost and could not be found out. It may or may not have happened; asking again with the same
    /// operation will tell.
    #[error("it is not known whether the write at {key} has happened")]
    Unknown {
        /// The first item of the write.
        key: Key,
        /// The last thing heard.
        #[source]
        source: Source,
    },
    /// DynamoDB could not be asked; nothing was written.
    #[error("DynamoDB did not answer")]
    Unavailable(#[source] Source),
    /// DynamoDB refused the request itself: a missing right, a missing table, an item above 400 KB. A bug or a broken deployment.
    #[error("DynamoDB refused the request")]
    Refused(#[source] Source),
    /// What should be written breaks its own promises; it was not written.
    #[error("refused to write an item that could not be read again: {0}")]
    Unwritable(String),
}
