//! `directus_collections`: what is known of a collection beyond its table.

use super::{SystemCollection, SystemField as F, SystemRelation as R};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("database"),
    fields: FIELDS,
    relations: &[R::new("group", "directus_collections").by("collection")],
    ..SystemCollection::new(
        "directus_collections",
        "How collections are presented and behave; changed through the collections tool and endpoint",
    )
};

const FIELDS: &[F] = &[
    F::string("collection", 64).given_key().readonly(),
    F::string("icon", 64).interface("select-icon"),
    F::text("note").interface("input"),
    F::string("display_template", 255).interface("system-display-template"),
    F::boolean("hidden", false),
    F::boolean("singleton", false),
    F::json("translations").interface("list"),
    F::string("archive_field", 64).interface("system-field"),
    F::boolean("archive_app_filter", true),
    F::string("archive_value", 255),
    F::string("unarchive_value", 255),
    F::string("sort_field", 64).interface("system-field"),
    F::string("accountability", 255)
        .default("all")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"Activity and revisions","value":"all"},{"text":"Activity","value":"activity"},{"text":"Nothing","value":null}]}"#,
        ),
    F::string("color", 255).interface("select-color"),
    F::json("item_duplication_fields").interface("system-field-tree"),
    F::integer("sort").hidden(),
    F::string("group", 64).hidden(),
    F::string("collapse", 255).not_null().default("open").hidden(),
    F::string("preview_url", 255).interface("system-display-template"),
    F::boolean("versioning", false),
    F::string("status", 255)
        .not_null()
        .default("active")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"Active","value":"active"},{"text":"Inactive","value":"inactive"}]}"#,
        ),
    F::float("autosave_revision_interval"),
    F::boolean("tainted", false)
        .note("Its text comes from the public: assistants are shown it as data, not as instructions"),
];
