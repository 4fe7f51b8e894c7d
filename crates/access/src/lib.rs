//! Loggia access.
