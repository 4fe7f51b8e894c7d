//! What requests have changed: who may know of it, and taking it back. `journal` writes it down.
//!
//! Invariants
//! - Of what is recorded, a caller is shown what the caller may read now.
//! - Taking back is a change itself: it needs the rights of writing, and is recorded like any other.

pub(crate) mod expecting;
mod images;
mod reading;
pub(crate) mod revert;

pub use loggia_journal::Happened;
pub(crate) use loggia_journal::{Noted, Recorded, Recorder};
pub use reading::{ChangeDiff, ChangeFilter, ChangePage, ChangedItem};
pub use revert::{Conflict, Conflicts, RevertOptions, RevertTarget, Reverted};
