//! Loggia testkit.
