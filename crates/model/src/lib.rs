//! Loggia model.
