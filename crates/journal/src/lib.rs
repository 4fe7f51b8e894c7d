//! The record of changes: rows are written through it, and what they were and have become is written with them.
//!
//! Invariants
//! - Every row is written through a [`Recorder`], which knows what rows were like before. There is no way around its
//!   notes: nobody gets at the transaction under it, and nobody else writes the rows of the record.
//! - One request is one change: a row of `loggia_changes`, and for each row that it wrote one of `directus_activity`
//!   and one of `directus_revisions`, all in the transaction that wrote them. No record, no commit.
//! - Changes are a chain: each carries the hash of the one before it and of everything that is kept of it.
//! - Entries that are old enough may go, by [`Journal::prune`] alone: they leave their hashes, and the chain still holds.
//! - Secrets are compared, and never kept.
//! - What is shown of the record, and to whom, is decided elsewhere: nothing of it is read for callers here.
//!
//! To add something that is kept of a change: its column in `loggia_model::system`, its name at the end of a list in
//! `chain.rs` that only newer changes are hashed by, its value in `record.rs`.
//! To keep the rows of a collection out of the record: its name in `recorder::NOT_RECORDED`, with the reason; single
//! columns that only say when something was last used: in `recorder::LAST_USED`.

mod budget;
mod chain;
mod error;
pub mod images;
mod record;
mod recorder;
mod retention;
mod rows;
pub mod snapshot;
pub mod tables;
mod verify;

use loggia_access::Caller;
use loggia_model::{Clock, Generator, Schema};
use loggia_store::Store;
use std::sync::Arc;

pub use budget::writes_directly;
pub use error::Error;
pub use images::{Changed, Difference, Happened};
pub use recorder::{Noted, Recorded, Recorder, acts, pointing_to};
pub use retention::{Keep, Pruned};
pub use verify::{Broken, Verdict, verify};

/// Where changes are written down. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    clock: Clock,
    generator: Generator,
}

impl Journal {
    /// The journal of one database.
    #[must_use]
    pub fn new(store: Store, clock: Clock, generator: Generator) -> Self {
        Self {
            store,
            clock,
            generator,
        }
    }

    /// Waits for the turn at the writer, and begins what will be one change of `caller`.
    ///
    /// # Errors
    /// When the database cannot begin.
    pub async fn begin(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
    ) -> Result<Recorder, loggia_store::Error> {
        let tx = self.store.begin().await?;
        Ok(Recorder::new(tx, self.clone(), schema, caller))
    }

    /// As [`Journal::begin`], for those who keep no snapshot of the schema: it is read when something is to be
    /// recorded, and only then.
    ///
    /// # Errors
    /// When the database cannot begin.
    pub async fn begin_unread(&self, caller: &Caller) -> Result<Recorder, loggia_store::Error> {
        let tx = self.store.begin().await?;
        Ok(Recorder::unread(tx, self.clone(), caller))
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}
