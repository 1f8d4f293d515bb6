//! What the rules promise, as one test binary. It uses only what the crate makes public: everything is decided.

#[cfg(test)]
mod document;
#[cfg(test)]
mod effects_model;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod many;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod payouts;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sentences;
