//! The binary, as whoever runs it meets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod before_the_start;
mod binary;
mod copying;
mod crash;
mod databases;
mod foreign;
mod mail;
mod mail_server;
mod nodes;
mod people;
mod server;
mod serving;
mod standard_input;
