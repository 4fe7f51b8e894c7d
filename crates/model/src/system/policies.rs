//! `directus_policies`: bundles of permissions.

use super::{SystemCollection, SystemField as F};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("admin_panel_settings"),
    display_template: Some("{{ name }}"),
    fields: FIELDS,
    ..SystemCollection::new(
        "directus_policies",
        "Bundles of permissions, handed out to roles and users",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("name", 100).not_null().required(),
    F::string("icon", 64)
        .not_null()
        .default("badge")
        .interface("select-icon")
        .display("icon"),
    F::text("description").interface("input"),
    F::csv("ip_access").note("Addresses and ranges that it counts from; empty: from everywhere"),
    F::boolean("enforce_tfa", false),
    F::boolean("admin_access", false).note("May do everything"),
    F::boolean("app_access", false).note("May use the Studio"),
    F::o2m("permissions").interface("system-permissions"),
    F::m2m("users"),
    F::m2m("roles"),
];
