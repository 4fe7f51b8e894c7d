//! What is left to people: a request that is made on a user's behalf, by an access token or by an assistant over MCP,
//! does what the user may do, but loosens nothing that holds such requests and changes nobody's way to sign in.
//! Otherwise an end, a budget or a revocation would mean nothing, and an assistant could talk itself out of its bounds.
//!
//! Looked at is what a transaction wrote, row by row, before it is committed: whichever way led there. Tightening and
//! revoking are always fine.

use loggia_model::error::FORBIDDEN;
use loggia_model::{Problem, Problems, Record};
use serde_json::Value;

use crate::token_shape::is_within_addresses;
use crate::{Caller, TokenShape};

/// A row that was written, with secrets masked.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Its collection.
    pub collection: &'a str,
    /// What the columns held that have changed; of a row that is gone all of it. `None`: the row is new.
    pub before: Option<&'a Record>,
    /// The whole row as it is; `None`: it is gone.
    pub after: Option<&'a Record>,
}

/// Which way a setting may go.
#[derive(Clone, Copy)]
enum May {
    /// It may be switched off.
    Off,
    /// It may be switched on.
    On,
    /// It may become less; none at all is the most.
    Less,
    /// It stays as it is.
    Stay,
}

/// The settings that hold assistants and tokens, say how people come in, or for how long it is known what was done.
const SETTINGS: [(&str, May); 18] = [
    ("mcp_enabled", May::Off),
    ("mcp_allow_deletes", May::Off),
    ("mcp_prompts_collection", May::Stay),
    ("mcp_system_prompt_enabled", May::On),
    ("mcp_system_prompt", May::Stay),
    ("mcp_max_rows", May::Less),
    ("mcp_max_tokens", May::Less),
    ("mcp_oauth_enabled", May::Off),
    ("mcp_oauth_dcr_enabled", May::Off),
    ("mcp_oauth_cimd_enabled", May::Off),
    ("auth_login_attempts", May::Less),
    ("auth_password_policy", May::Stay),
    ("public_registration", May::Off),
    ("public_registration_verify_email", May::On),
    ("public_registration_role", May::Stay),
    ("public_registration_email_filter", May::Stay),
    ("activity_retention", May::Stay),
    ("revisions_retention", May::Stay),
];

/// By what a user signs in, or is known to those who vouch for them.
const SIGN_IN: [&str; 6] = [
    "email",
    "password",
    "tfa_secret",
    "provider",
    "external_identifier",
    "auth_data",
];

/// What of a written row is not for a request that is made on somebody's behalf. Nothing, where people ask themselves.
#[must_use]
pub fn overstepped(caller: &Caller, written: Written<'_>) -> Problems {
    if !caller.is_delegated() {
        return Problems::default();
    }
    match written.collection {
        "directus_settings" => settings(written),
        "directus_users" => users(written),
        "directus_policies" => policies(written),
        "loggia_tokens" => tokens(written),
        _ => Problems::default(),
    }
}

fn settings(written: Written<'_>) -> Problems {
    let mut problems = Problems::default();
    for (name, may) in SETTINGS {
        let (Some(before), Some(after)) = (before(written, name), after(written, name)) else {
            continue;
        };
        let hint = match may {
            May::Off if is_true(after) => "It may be switched off this way, and on",
            May::On if !is_true(after) => "It may be switched on this way, and off",
            May::Less if is_more(before, after) => "It may be lowered this way, and raised",
            May::Stay => "It is changed",
            _ => continue,
        };
        let message = format!("\"{name}\" is not loosened by an access token or an assistant.");
        let hint = format!(
            "{hint} by a person: in the settings, signed in, and neither over MCP nor by an access token."
        );
        problems.push(Problem::new(&FORBIDDEN, message).at(name).hint(hint));
    }
    problems
}

fn users(written: Written<'_>) -> Problems {
    let mut problems = Problems::default();
    let mut refuse = |name: &str, message: &str| {
        problems.push(Problem::new(&FORBIDDEN, message).at(name).hint(BY_A_PERSON));
    };
    let new = written.before.is_none();
    for name in SIGN_IN {
        if !new && before(written, name).is_some() && written.after.is_some() {
            refuse(
                name,
                "Access tokens and assistants cannot change how users sign in.",
            );
        }
    }
    if before(written, "token").is_some() && after(written, "token").is_some_and(|token| !token.is_null()) {
        refuse("token", "Access tokens and assistants cannot make tokens.");
    }
    let active = |status: &Value| status.as_str() == Some("active");
    if !new && before(written, "status").is_some() && after(written, "status").is_some_and(active) {
        refuse(
            "status",
            "Access tokens and assistants cannot let a user in again: all tokens of the user would work again.",
        );
    }
    problems
}

fn policies(written: Written<'_>) -> Problems {
    let mut problems = Problems::default();
    let mut refuse = |name: &str, message: &str| {
        problems.push(Problem::new(&FORBIDDEN, message).at(name).hint(BY_A_PERSON));
    };
    if before(written, "enforce_tfa").is_some_and(is_true) {
        refuse(
            "enforce_tfa",
            "Access tokens and assistants cannot do without a second factor that is demanded.",
        );
    }
    let changed = before(written, "ip_access").filter(|_| written.before.is_some());
    if let (Some(before), Some(after)) = (changed, after(written, "ip_access"))
        && !is_within_addresses(&entries(after), &entries(before))
    {
        refuse(
            "ip_access",
            "Access tokens and assistants cannot widen the addresses that a policy counts from.",
        );
    }
    problems
}

fn tokens(written: Written<'_>) -> Problems {
    let Some(after) = written.after else {
        return Problems::default();
    };
    let Some(changed) = written.before else {
        return issued().into();
    };
    if changed.contains_key("hash") || changed.contains_key("user") {
        return issued().into();
    }
    let mut before = after.clone();
    before.extend(changed.clone());
    widened(&TokenShape::stored(&before), &TokenShape::stored(after))
}

/// The answer to access tokens and assistants that would make an access token, or give one another secret.
#[must_use]
pub fn issued() -> Problem {
    let message =
        "Access tokens are made and rotated by people: not by an access token, and not by an assistant.";
    Problem::new(&FORBIDDEN, message).hint(BY_A_PERSON)
}

/// In which ways a token would do more than before.
#[must_use]
pub fn widened(before: &TokenShape, after: &TokenShape) -> Problems {
    let mut problems = Problems::default();
    for name in after.beyond(before) {
        let message = "Access tokens are widened by people: not by an access token, and not by an assistant.";
        problems.push(Problem::new(&FORBIDDEN, message).at(name).hint(BY_A_PERSON));
    }
    problems
}

const BY_A_PERSON: &str = "Somebody who may do this does it signed in (POST /auth/login), and not over MCP.";

/// What a column held that was changed; of a new row it was empty.
fn before<'w>(written: Written<'w>, name: &str) -> Option<&'w Value> {
    match written.before {
        Some(before) => before.get(name),
        None => Some(&Value::Null),
    }
}

/// What a column holds that is there and not what it was.
fn after<'w>(written: Written<'w>, name: &str) -> Option<&'w Value> {
    let after = written.after?.get(name)?;
    (written.before.is_some() || !after.is_null()).then_some(after)
}

/// As booleans come from any database.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_i64() == Some(1))
}

fn is_more(before: &Value, after: &Value) -> bool {
    match (before.as_i64(), after.as_i64()) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(before), Some(after)) => after > before,
    }
}

fn entries(list: &Value) -> Vec<String> {
    match list {
        Value::String(text) => text.split(',').map(str::to_owned).collect(),
        Value::Array(entries) => entries
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}
