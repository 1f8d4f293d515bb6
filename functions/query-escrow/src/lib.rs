//! Lambda: everything that only reads.
