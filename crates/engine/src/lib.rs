//! Loggia engine.
