//! The Loggia binary.
fn main() {}
