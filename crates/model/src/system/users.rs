//! `directus_users`: who can sign in or holds a token.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("people_alt"),
    display_template: Some("{{ first_name }} {{ last_name }}"),
    archive: Some(("status", "archived", "draft")),
    fields: FIELDS,
    relations: &[
        R::new("role", "directus_roles")
            .on_delete(Action::SetNull)
            .alias("users"),
        R::new("avatar", "directus_files"),
    ],
    ..SystemCollection::new(
        "directus_users",
        "People and machines that sign in or hold a token",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("first_name", 50),
    F::string("last_name", 50),
    F::string("email", 128).unique(),
    F::hash("password"),
    F::string("location", 255),
    F::string("title", 50),
    F::text("description"),
    F::json("tags").interface("tags"),
    F::file("avatar"),
    F::string("language", 255).interface("system-language"),
    F::string("tfa_secret", 255)
        .special(&["conceal"])
        .interface("system-mfa-setup"),
    F::string("status", 16)
        .not_null()
        .default("active")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"Draft","value":"draft"},{"text":"Invited","value":"invited"},{"text":"Unverified","value":"unverified"},{"text":"Active","value":"active"},{"text":"Suspended","value":"suspended"},{"text":"Archived","value":"archived"}]}"#,
        ),
    F::reference("role").indexed().options(r#"{"template":"{{ name }}"}"#),
    F::string("token", 255)
        .unique()
        .special(&["conceal"])
        .interface("system-token"),
    F::timestamp("last_access").readonly(),
    F::string("last_page", 255).hidden(),
    F::string("provider", 128).not_null().default("default").readonly(),
    F::string("external_identifier", 255).unique(),
    F::json("auth_data").hidden(),
    F::boolean("email_notifications", true),
    F::string("appearance", 255)
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"As the project","value":null},{"text":"As the system","value":"auto"},{"text":"Light","value":"light"},{"text":"Dark","value":"dark"}]}"#,
        ),
    F::string("theme_dark", 255).interface("system-theme"),
    F::string("theme_light", 255).interface("system-theme"),
    F::json("theme_light_overrides").interface("system-theme-overrides"),
    F::json("theme_dark_overrides").interface("system-theme-overrides"),
    F::string("text_direction", 255)
        .not_null()
        .default("auto")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"By language","value":"auto"},{"text":"Left to right","value":"ltr"},{"text":"Right to left","value":"rtl"}]}"#,
        ),
    F::m2m("policies"),
];
