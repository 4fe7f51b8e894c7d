//! The use cases: what can be done with the schema, with items, with the settings.
//!
//! Invariants
//! - Every use case takes a [`Caller`](loggia_access::Caller) and reaches rows only through what `access` decides
//!   for it; the system's own permits serve bookkeeping (snapshots, settings) alone.
//! - A write is one transaction: it happens whole, or nothing of it does.
//! - The schema is an immutable snapshot, swapped whole after the commit that changed it; nothing here knows SQL,
//!   HTTP or JSON-RPC.
//! - Errors are [`Problems`](loggia_model::Problems), all at once, with paths; a store's own words stay in the log.
//!
//! To add a use case: one method of [`Engine`], in the file named after what it acts on.

mod again;
pub mod changes;
mod engine;
mod error;
pub mod items;
mod query;
mod rights;
pub mod schema;
mod settings;
mod system;
mod tokens;

pub use engine::{Engine, Hasher, Limits, Listener, Parts};
pub use error::Error;
pub use settings::Settings;
pub use tokens::IssuedToken;
