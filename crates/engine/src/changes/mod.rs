//! What a request changes, recorded in the transaction that changes it: no record, no write.
//!
//! Invariants
//! - Every row that the engine writes is written through a [`Recorder`], which knows what rows were like before.
//! - One request is one change: a row of `loggia_changes`, and for each row that it wrote one of `directus_activity`
//!   and one of `directus_revisions`, all in the transaction that wrote them.
//! - Changes are a chain: each carries the hash of the one before it and of everything that is kept of it.
//! - Secrets are compared, and never kept.

mod chain;
pub(crate) mod expecting;
mod images;
mod reading;
mod record;
mod recorder;
pub(crate) mod revert;
mod verify;

pub use images::Happened;
pub use reading::{ChangeDiff, ChangeFilter, ChangePage, ChangedItem};
pub(crate) use recorder::{Recorded, Recorder};
pub use revert::{Conflict, Conflicts, RevertOptions, RevertTarget, Reverted};
pub use verify::{Broken, Verdict, verify};
