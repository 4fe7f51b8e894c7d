//! Loggia identity.
