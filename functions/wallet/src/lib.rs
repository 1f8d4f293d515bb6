//! Lambda: balances and statements.
