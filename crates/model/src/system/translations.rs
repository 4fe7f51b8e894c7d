//! `directus_translations`: texts of the Studio in other languages.

use super::{SystemCollection, SystemField as F};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    fields: FIELDS,
    ..SystemCollection::new(
        "directus_translations",
        "Texts of the Studio, by key and language",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("language", 255)
        .not_null()
        .required()
        .interface("system-language"),
    F::string("key", 255).not_null().required(),
    F::text("value").not_null().required(),
];
