//! `loggia_prunings`: what retention took away of changes, by which what is left of them still verifies.

use super::{SystemCollection, SystemField as F};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("content_cut"),
    accountability: None,
    since: 3,
    fields: FIELDS,
    ..SystemCollection::new(
        "loggia_prunings",
        "Which rows of the record of changes were old enough to go; written by the system alone",
    )
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::uuid("change")
        .not_null()
        .indexed()
        .note("The change that the rows belonged to"),
    F::uuid("pruning")
        .not_null()
        .indexed()
        .note("The change that took them away"),
    F::integer("activity")
        .not_null()
        .note("Rows of activity that are gone"),
    F::integer("revisions").not_null().note("Revisions that are gone"),
    F::json("rows")
        .hidden()
        .note("The key and the hash of each row that is gone"),
];
