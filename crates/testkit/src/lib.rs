//! A whole Loggia in a test: [`TestApp`]. A dev-dependency only.
//!
//! Everything is real but time (a clock that stands still until told), randomness (seeded) and the cost of a password
//! hash (none): the database is SQLite in memory, or what `LOGGIA_TEST_DATABASE` says; requests come over a
//! socket.
//!
//! To add a way to ask: a method of [`Client`]. To add a way to have rights: a method in `rights.rs`.

#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod answer;
mod app;
mod client;
mod mailbox;
mod rights;

pub use answer::Answer;
pub use app::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, Builder, TestApp};
pub use client::Client;
pub use mailbox::Mailbox;
pub use rights::Holder;
