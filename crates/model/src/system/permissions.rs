//! `directus_permissions`: one action on one collection that a policy allows.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("admin_panel_settings"),
    fields: FIELDS,
    relations: &[R::new("policy", "directus_policies")
        .on_delete(Action::Cascade)
        .alias("permissions")
        .deselect_deletes()],
    ..SystemCollection::new(
        "directus_permissions",
        "What a policy allows: an action on a collection, for which items and fields",
    )
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::string("collection", 64).not_null().note("Its name; * for every collection but the system's own"),
    F::string("action", 10).not_null().options(
        r#"{"choices":[{"text":"Create","value":"create"},{"text":"Read","value":"read"},{"text":"Update","value":"update"},{"text":"Delete","value":"delete"},{"text":"Share","value":"share"},{"text":"Publish","value":"publish"}]}"#,
    ),
    F::json("permissions").hidden().note("Which items, as a filter"),
    F::json("validation").note("What written values must match, as a filter"),
    F::json("presets").hidden().note("Values that are filled in when they are not given"),
    F::csv("fields").note("Which fields; * for all"),
    F::reference("policy").not_null().indexed().hidden(),
    F::csv("locales")
        .since(2)
        .note("Only items in these locales; null: in all"),
    F::csv("statuses")
        .since(2)
        .note("Only items with these statuses; null: with any"),
];
