//! Reconciles journals, states and gateways.
