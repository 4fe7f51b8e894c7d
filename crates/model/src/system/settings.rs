//! `directus_settings`: one row that says how the project looks and behaves.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    singleton: true,
    fields: FIELDS,
    relations: &[
        R::new("project_logo", "directus_files").on_delete(Action::NoAction),
        R::new("public_foreground", "directus_files").on_delete(Action::NoAction),
        R::new("public_background", "directus_files").on_delete(Action::NoAction),
        R::new("public_favicon", "directus_files").on_delete(Action::NoAction),
        R::new("storage_default_folder", "directus_folders").on_delete(Action::SetNull),
        R::new("public_registration_role", "directus_roles").on_delete(Action::SetNull),
    ],
    ..SystemCollection::new("directus_settings", "How the project looks and behaves")
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::string("project_name", 100).not_null().default("Loggia"),
    F::string("project_url", 255),
    F::string("project_color", 255)
        .not_null()
        .default("#6644FF")
        .interface("select-color"),
    F::file("project_logo"),
    F::file("public_foreground"),
    F::file("public_background"),
    F::text("public_note").interface("input"),
    F::integer("auth_login_attempts")
        .default_number(25)
        .note("Failed sign-ins before a user is locked out"),
    F::string("auth_password_policy", 100)
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"Any","value":null},{"text":"At least 8 characters","value":"/^.{8,}$/"}],"allowOther":true}"#,
        )
        .note("A regular expression that passwords must match"),
    F::string("storage_asset_transform", 7)
        .default("all")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"All","value":"all"},{"text":"None","value":"none"},{"text":"Presets","value":"presets"}]}"#,
        ),
    F::json("storage_asset_presets").interface("list"),
    F::text("custom_css").interface("input-code"),
    F::reference("storage_default_folder").interface("system-folder"),
    F::json("basemaps").interface("list"),
    F::string("mapbox_key", 255),
    F::json("module_bar").interface("system-modules"),
    F::string("project_descriptor", 100),
    F::string("default_language", 255)
        .not_null()
        .default("en-US")
        .interface("system-language"),
    F::json("custom_aspect_ratios").interface("list"),
    F::file("public_favicon"),
    F::string("default_appearance", 255)
        .not_null()
        .default("auto")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"As the system","value":"auto"},{"text":"Light","value":"light"},{"text":"Dark","value":"dark"}]}"#,
        ),
    F::string("default_theme_light", 255).interface("system-theme"),
    F::json("theme_light_overrides").interface("system-theme-overrides"),
    F::string("default_theme_dark", 255).interface("system-theme"),
    F::json("theme_dark_overrides").interface("system-theme-overrides"),
    F::string("report_error_url", 255).interface("system-display-template"),
    F::string("report_bug_url", 255),
    F::string("report_feature_url", 255),
    F::boolean("public_registration", false),
    F::boolean("public_registration_verify_email", true),
    F::reference("public_registration_role"),
    F::json("public_registration_email_filter").interface("system-filter"),
    F::json("visual_editor_urls").interface("list"),
    F::uuid("project_id").hidden(),
    F::string("project_owner", 255),
    F::string("project_usage", 255).hidden(),
    F::string("org_name", 255).hidden(),
    F::boolean("product_updates", false).hidden(),
    F::boolean("accepted_terms", false).hidden(),
    F::string("project_status", 255).hidden(),
    F::string("default_save_action", 255)
        .not_null()
        .default("save-and-quit")
        .interface("select-dropdown")
        .options(
            r#"{"choices":[{"text":"Save and quit","value":"save-and-quit"},{"text":"Save and stay","value":"save-and-stay"},{"text":"Save and create new","value":"save-and-create-new"}]}"#,
        ),
    F::boolean("collaborative_editing_enabled", false),
    F::boolean("mcp_enabled", false).note("Whether assistants may connect"),
    F::boolean("mcp_allow_deletes", false).note("Whether assistants may delete, at any depth"),
    F::string("mcp_prompts_collection", 255)
        .interface("system-collection")
        .note("Where prompts for assistants are kept"),
    F::boolean("mcp_system_prompt_enabled", true).note("Whether assistants are offered guidance"),
    F::text("mcp_system_prompt")
        .interface("input-rich-text-md")
        .note("Guidance of your own for assistants, instead of the built-in one"),
    F::integer("mcp_max_rows")
        .not_null()
        .default_number(100)
        .note("Rows in one result for assistants, at most"),
    F::integer("mcp_max_tokens")
        .not_null()
        .default_number(20_000)
        .note("Tokens in one result for assistants, at most (about four characters each)"),
    F::boolean("mcp_oauth_enabled", false),
    F::boolean("mcp_oauth_dcr_enabled", false),
    F::boolean("mcp_oauth_cimd_enabled", false),
    F::text("ai_openai_api_key").special(&["conceal"]).interface("input-hash"),
    F::text("ai_anthropic_api_key")
        .special(&["conceal"])
        .interface("input-hash"),
    F::text("ai_google_api_key").special(&["conceal"]).interface("input-hash"),
    F::text("ai_openai_compatible_api_key")
        .special(&["conceal"])
        .interface("input-hash"),
    F::text("ai_openai_compatible_base_url").interface("input"),
    F::text("ai_openai_compatible_name").interface("input"),
    F::json("ai_openai_compatible_models").interface("list"),
    F::json("ai_openai_compatible_headers").interface("list"),
    F::json("ai_openai_allowed_models").interface("select-multiple-dropdown"),
    F::json("ai_anthropic_allowed_models").interface("select-multiple-dropdown"),
    F::json("ai_google_allowed_models").interface("select-multiple-dropdown"),
    F::text("ai_system_prompt").interface("input-rich-text-md"),
    F::text("ai_translation_default_model").interface("select-dropdown"),
    F::json("ai_translation_glossary").interface("list"),
    F::text("ai_translation_style_guide").interface("input-rich-text-md"),
    F::integer("activity_retention")
        .since(3)
        .note("Days for which activity is kept; empty: for ever"),
    F::integer("revisions_retention")
        .since(3)
        .note("Days for which revisions are kept; empty: for ever. The last one of each item stays"),
];
