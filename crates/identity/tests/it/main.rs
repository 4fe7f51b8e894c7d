//! Identity over a real database: who is asking, and how long.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod again;
mod authenticating;
mod first_administrator;
mod house;
mod second_factor;
mod sessions;
mod signing_in;
