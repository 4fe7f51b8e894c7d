//! What is granted, what is denied, and what becomes of plans. `world` has the collections and callers that the tables
//! play with; `database` answers plans from rows in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod checks;
mod chosen;
mod database;
mod granted;
mod masks;
mod names;
mod plans;
mod print;
mod property;
mod sets;
mod world;
