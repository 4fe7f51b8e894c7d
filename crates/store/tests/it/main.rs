//! The suite that every backend passes, written against the public doors. `world` has the tables that it plays with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod changes;
mod conditions;
mod crash;
mod examine;
mod foreign;
mod full;
mod migrating;
mod nested;
mod property;
mod rows;
mod shown;
mod transactions;
mod world;
