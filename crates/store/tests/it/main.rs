//! The suite that every backend passes, written against the public doors: once for each of them. Beside it stands what
//! only one of them has to show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]
#![allow(clippy::duplicate_mod, reason = "one suite for every backend")]

mod differential;
mod differential_changes;
mod mariadb;
mod postgres;
mod sqlite;
mod world;
