//! `directus_revisions`: what items were like after each change.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    accountability: None,
    fields: FIELDS,
    relations: &[
        R::new("activity", "directus_activity")
            .on_delete(Action::Cascade)
            .alias("revisions"),
        R::new("parent", "directus_revisions").on_delete(Action::NoAction),
    ],
    ..SystemCollection::new("directus_revisions", "What items were like after each change")
};

/// The columns that hold what items were like: the secrets of then are masked in them, those of now are not.
pub const IMAGES: [&str; 3] = ["data", "delta", "before"];

const FIELDS: &[F] = &[
    F::serial("id"),
    F::integer("activity").not_null().indexed(),
    F::string("collection", 64).not_null(),
    F::string("item", 255).not_null().indexed_since(2),
    F::json("data").hidden(),
    F::json("delta").hidden(),
    F::integer("parent").indexed(),
    F::uuid("version"),
    F::uuid("change").since(2).indexed(),
    F::integer("number")
        .since(2)
        .note("Counts the revisions of one item"),
    F::string("action", 45).since(2).display("labels"),
    F::json("before")
        .since(2)
        .hidden()
        .note("What the changed columns held before; the whole item where it was deleted"),
    F::json("secrets")
        .since(2)
        .hidden()
        .note("Columns that changed and whose values are not kept"),
];
