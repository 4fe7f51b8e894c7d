//! What requests have changed: who may know of it, and taking it back. `journal` writes it down.
//!
//! Invariants
//! - Of what is recorded, a caller is shown what the caller may read now, by the schema as it is now; and that is what
//!   they can take back of it. Whoever reads the record as rows (`directus_revisions`) gets it through [`veil`].
//! - Taking back is a change itself: it needs the rights of writing, and is recorded like any other.

mod diff;
pub(crate) mod expecting;
mod images;
mod reading;
pub mod request;
mod retention;
pub(crate) mod revert;
mod seen;
pub(crate) mod veil;

pub use diff::{ChangeDiff, ChangedItem};
pub use loggia_journal::{Happened, Pruned};
pub(crate) use loggia_journal::{Noted, Recorded, Recorder};
pub use reading::{ChangeFilter, ChangePage};
pub use revert::{Conflict, Conflicts, NotRestored, RevertOptions, RevertTarget, Reverted};
