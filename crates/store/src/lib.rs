//! Lowers permits to SQL and runs them. The only room that names a database driver or a dialect of SQL.
//!
//! Invariants
//! - Rows are reached only through a [`Permit`](loggia_access::Permit).
//! - Identifiers come from the schema snapshot and are quoted; values are always bound. No SQL text comes from callers.
//! - An acknowledged [`Tx::commit`] is durable, also against power loss; a transaction that was not committed leaves
//!   nothing behind.
//! - Readers never wait for the writer.
//! - A read issues one statement for each nested plan, however many rows there are, and all of them see one snapshot.
//! - Database text stays in [`Error`]'s log form; what may be shown is a [`Problem`](loggia_model::Problem).
//!
//! The way of a plan: `lower` writes statements in a dialect, `answer` runs them and puts the answer together,
//! `backends` own connections and threads.
//!
//! To add a database: one file in `backends/` with a `Dialect`, an `Executor` and a `Database`, one line in
//! `backends::BACKENDS`, and it passes the backend suite in `tests/it`.
//! To add a system table: its definition in `loggia_model::system`, and one line in `migrations::MIGRATIONS`.

mod answer;
mod backends;
mod change;
mod conversion;
pub mod copy;
mod error;
mod folding;
mod geometry;
mod lease;
mod lower;
mod migrations;
mod store;
mod tx;
mod versions;

pub use error::{Error, Fault, Source};
pub use lease::{Leases, RUNS_OUT};
pub use store::{Activity, Examined, Finding, Options, Outcome, Remote, Store, Weight};
pub use tx::Tx;
pub use versions::{Raises, Versions};
