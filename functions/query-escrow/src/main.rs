//! wires
fn main() {}
