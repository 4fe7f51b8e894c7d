//! `directus_presets`: how users like their lists, and bookmarks.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("bookmark"),
    accountability: None,
    fields: FIELDS,
    relations: &[
        R::new("user", "directus_users").on_delete(Action::Cascade),
        R::new("role", "directus_roles").on_delete(Action::Cascade),
    ],
    ..SystemCollection::new("directus_presets", "How users like their lists, and bookmarks")
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::string("bookmark", 255),
    F::reference("user"),
    F::reference("role"),
    F::string("collection", 64),
    F::string("search", 100),
    F::string("layout", 100).default("tabular"),
    F::json("layout_query").hidden(),
    F::json("layout_options").hidden(),
    F::integer("refresh_interval"),
    F::json("filter").hidden(),
    F::string("icon", 64).default("bookmark").display("icon"),
    F::string("color", 255).display("color"),
];
