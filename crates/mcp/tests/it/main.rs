//! The protocol at its door: every transport rule and every revision, over a small real catalogue.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod batches;
mod calls;
mod catalogue;
mod fuzz;
mod http;
mod revisions;
mod stdio;
