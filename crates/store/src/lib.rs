//! Lowers permits to SQL and runs them. The only room that names a database driver or a dialect of SQL.
//!
//! Invariants
//! - Rows are reached only through a [`Permit`](loggia_access::Permit).
//! - Identifiers come from the schema snapshot and are quoted; values are always bound. No SQL text comes from callers.
//! - An acknowledged [`Tx::commit`] is durable, also against power loss; a transaction that was not committed leaves
//!   nothing behind.
//! - Readers never wait for the writer.
//! - Database text stays in [`Error`]'s log form; what may be shown is a [`Problem`](loggia_model::Problem).
//!
//! To add a database: one file in `backends/`, one line in `backends::BACKENDS`, and it passes the backend suite.
