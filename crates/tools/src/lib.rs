//! Loggia tools.
