//! The proofs: flows, races, crashes, permutations, contracts.
