//! `directus_relations`: how items of two collections belong together.

use super::{SystemCollection, SystemField as F};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("merge_type"),
    fields: FIELDS,
    ..SystemCollection::new(
        "directus_relations",
        "How collections are related; changed through the relations tool and endpoint",
    )
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::string("many_collection", 64).not_null(),
    F::string("many_field", 64).not_null(),
    F::string("one_collection", 64),
    F::string("one_field", 64),
    F::string("one_collection_field", 64),
    F::csv("one_allowed_collections"),
    F::string("junction_field", 64),
    F::string("sort_field", 64),
    F::string("one_deselect_action", 255)
        .not_null()
        .default("nullify"),
];
