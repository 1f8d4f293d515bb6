//! Lambda: POST escrows/{id}/release.
