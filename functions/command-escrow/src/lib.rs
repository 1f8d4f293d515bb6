//! Lambda: the other commands of buyers, sellers, arbiters and operators.
