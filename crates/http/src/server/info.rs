//! `GET /server/info`: how the project looks, for everybody; what the server is and takes, for callers who signed in.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::answer::{self, Refusal};
use crate::who::Who;
use crate::{App, VERSION};

/// The settings that everybody may see: they shape the page that signs people in.
const PUBLIC_SETTINGS: &[&str] = &[
    "project_name",
    "project_descriptor",
    "project_logo",
    "project_color",
    "default_appearance",
    "default_theme_light",
    "default_theme_dark",
    "theme_light_overrides",
    "theme_dark_overrides",
    "default_language",
    "public_foreground",
    "public_background",
    "public_favicon",
    "public_note",
    "custom_css",
    "public_registration",
    "public_registration_verify_email",
];

pub(super) async fn get(State(app): State<App>, Who(caller): Who) -> Result<Response, Refusal> {
    let settings = app.engine().settings();
    let project: Map<String, Value> = PUBLIC_SETTINGS
        .iter()
        .map(|name| {
            (
                (*name).to_owned(),
                settings.record().get(*name).cloned().unwrap_or_default(),
            )
        })
        .collect();
    let mut info = Map::new();
    info.insert("project".to_owned(), Value::Object(project));
    if !caller.is_public() {
        let config = app.config();
        info.insert("mcp_enabled".to_owned(), config.mcp.available.into());
        info.insert("mcp_oauth_enabled".to_owned(), false.into());
        info.insert("rateLimit".to_owned(), false.into());
        info.insert("rateLimitGlobal".to_owned(), false.into());
        info.insert("queryLimit".to_owned(), json!({"default": 100, "max": -1}));
        info.insert("websocket".to_owned(), false.into());
        info.insert("version".to_owned(), VERSION.into());
    }
    Ok(answer::data(&info))
}
