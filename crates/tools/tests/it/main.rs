//! The tools as a protocol calls them, over a real engine on SQLite.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod bounds;
mod changes;
mod conversations;
mod denied;
mod fixture;
mod help_desk;
mod hostile;
mod items;
mod listing;
mod model;
mod recorded;
mod rights;
mod schema;
mod surfaces;
mod weaknesses;
