//! Retention: what of the record need not be kept any more, by the settings.

use std::collections::HashSet;

use loggia_access::Caller;
use loggia_journal::tables::{column, plain, text};
use loggia_journal::{Keep, Pruned};
use loggia_model::filter::Test;
use loggia_model::plan::{ReadPlan, Selected, Source};
use loggia_model::{Filter, Problem, Record, Scalar};

use crate::{Engine, Error};

impl Engine {
    /// Takes activity and revisions away that are older than the settings keep them.
    ///
    /// # Errors
    /// For everybody but administrators who ask themselves; when the database cannot be read or written.
    pub async fn prune(&self, caller: &Caller) -> Result<Pruned, Error> {
        if !caller.is_admin() || caller.is_delegated() {
            return Err(Problem::forbidden().into());
        }
        let settings = self.settings();
        let keep = Keep {
            activity: settings.activity_retention(),
            revisions: settings.revisions_retention(),
        };
        Ok(self.journal_of_changes().prune(keep, caller).await?)
    }
}

/// What says of these changes that revisions of theirs are gone.
pub(super) fn look(changes: impl Iterator<Item = Scalar>) -> Result<ReadPlan, Problem> {
    let name = "loggia_prunings";
    let change = column(name, "change")?;
    let gone = Filter::field(&column(name, "revisions")?, Test::Greater(Scalar::Int(0)));
    Ok(ReadPlan {
        select: vec![Selected::new("change", Source::Field(change.clone()))],
        filter: Filter::field(&change, Test::In(changes.collect())).and(gone),
        ..plain(name)?
    })
}

/// The changes that [`look`] has found.
pub(super) fn found(rows: &[Record]) -> HashSet<String> {
    rows.iter().map(|row| text(row, "change").to_owned()).collect()
}
