//! The tools as a protocol calls them, over a real engine on SQLite.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod bounds;
mod conversations;
mod fixture;
mod hostile;
mod items;
mod listing;
mod model;
mod recorded;
mod schema;
mod weaknesses;
