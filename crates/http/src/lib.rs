//! Loggia http.
