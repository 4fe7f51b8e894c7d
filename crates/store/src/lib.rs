//! Loggia store.
