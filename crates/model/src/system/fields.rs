//! `directus_fields`: what is known of a field beyond its column.

use super::{SystemCollection, SystemField as F, SystemRelation as R};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("input"),
    fields: FIELDS,
    relations: &[R::new("collection", "directus_collections").by("collection")],
    ..SystemCollection::new(
        "directus_fields",
        "How fields are presented and behave; changed through the fields tool and endpoint",
    )
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::string("collection", 64).not_null().indexed(),
    F::string("field", 64).not_null(),
    F::csv("special").hidden(),
    F::string("interface", 64),
    F::json("options").hidden(),
    F::string("display", 64),
    F::json("display_options").hidden(),
    F::boolean("readonly", false).hidden(),
    F::boolean("hidden", false).hidden(),
    F::integer("sort"),
    F::string("width", 30).default("full"),
    F::json("translations").hidden(),
    F::text("note"),
    F::json("conditions").hidden(),
    F::boolean("required", false).hidden(),
    F::string("group", 64),
    F::json("validation").hidden(),
    F::text("validation_message").hidden(),
    F::boolean("searchable", true).hidden(),
];
