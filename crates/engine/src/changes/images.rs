//! What rows are like, read by the system's own permits.

use std::sync::Arc;

use loggia_access::Permit;
use loggia_journal::images;
use loggia_model::plan::{Plan, ReadPlan};
use loggia_model::{Collection, Field, Filter, Scalar};

pub(super) use loggia_journal::Happened;
pub(super) use loggia_journal::images::{MASK, scalar, text};

/// Reads whole rows. The permit is the system's: what of it is shown to whom is decided when it is shown.
pub(super) fn look(collection: &Arc<Collection>, filter: Filter) -> Permit<Plan> {
    read(images::look(collection, filter))
}

/// Reads rows by their keys.
pub(super) fn look_at(collection: &Arc<Collection>, primary: &Arc<Field>, keys: Vec<Scalar>) -> Permit<Plan> {
    read(images::look_at(collection, primary, keys))
}

/// Any reading of the journal.
pub(super) fn read(plan: ReadPlan) -> Permit<Plan> {
    allowed(Plan::Read(plan))
}

/// Any reading of the journal, figures among it.
pub(super) fn allowed(plan: Plan) -> Permit<Plan> {
    Permit::system(
        "the record of changes is the system's own: who may see or take back what is decided where that is asked for",
        plan,
    )
}
