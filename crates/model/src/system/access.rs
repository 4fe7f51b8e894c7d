//! `directus_access`: which policies a role or a user has.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("admin_panel_settings"),
    display_template: Some("{{ policy.name }}"),
    sort_field: Some("sort"),
    fields: FIELDS,
    relations: &[
        R::new("role", "directus_roles")
            .on_delete(Action::Cascade)
            .alias("policies")
            .junction("policy")
            .sort("sort")
            .deselect_deletes(),
        R::new("user", "directus_users")
            .on_delete(Action::Cascade)
            .alias("policies")
            .junction("policy")
            .sort("sort")
            .deselect_deletes(),
        R::new("policy", "directus_policies")
            .on_delete(Action::Cascade)
            .alias("users")
            .junction("user")
            .deselect_deletes(),
        R::new("policy", "directus_policies")
            .on_delete(Action::Cascade)
            .alias("roles")
            .junction("role")
            .deselect_deletes(),
    ],
    ..SystemCollection::new(
        "directus_access",
        "Which policies a role or a user has; with neither, everybody has it",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::reference("role").indexed().hidden(),
    F::reference("user").indexed().hidden(),
    F::reference("policy").not_null().indexed().hidden(),
    F::integer("sort").hidden(),
];
