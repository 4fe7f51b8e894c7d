//! The engine through its use cases, over a real SQLite database in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod changes;
mod fixture;
mod inference;
mod items;
mod matrix;
mod nodes;
mod oracle;
mod rights;
mod schema;
mod settings;
