//! `directus_users`: secrets are kept as hashes, addresses in one form.

use loggia_model::{Problem, Problems, Record, error};
use serde_json::Value;

use crate::Engine;

/// What a masked secret reads as; sent back, it leaves the secret as it is.
const MASK: &str = "**********";
/// A static token shorter than this could be guessed.
const SHORTEST_TOKEN: usize = 16;

pub(super) async fn prepare(engine: &Engine, data: &mut Record) -> Result<(), Problems> {
    for secret in ["password", "token", "tfa_secret"] {
        if data.get(secret).and_then(Value::as_str) == Some(MASK) {
            data.shift_remove(secret);
        }
    }
    let mut problems = Problems::default();
    if let Some(given) = data.get("email").cloned()
        && let Some(address) = problems.take(address(&given))
    {
        data.insert("email".to_owned(), address);
    }
    match data.get("token").cloned() {
        Some(Value::String(token)) if token.chars().count() >= SHORTEST_TOKEN => {
            data.insert("token".to_owned(), engine.parts().hasher.fingerprint(&token).into());
        }
        None | Some(Value::Null) => {}
        Some(_) => problems.push(
            Problem::new(&error::FAILED_VALIDATION, format!("A token is a text of at least {SHORTEST_TOKEN} characters."))
                .at("token")
                .with("field", "token")
                .hint("Let `loggia token` make one, or use 32 random characters."),
        ),
    }
    if let Some(Value::String(password)) = data.get("password").cloned() {
        let hashed = engine.parts().hasher.hash_password(&password).await;
        if let Some(hash) = problems.take(hashed.map_err(|found| located(found, "password"))) {
            data.insert("password".to_owned(), hash.into());
        }
    }
    problems.or(())
}

/// The lower-case address; null stays null.
fn address(given: &Value) -> Result<Value, Problem> {
    let refuse = || {
        Problem::new(&error::FAILED_VALIDATION, "Validation failed for field \"email\". Value has to be a valid email address.")
            .at("email")
            .with("field", "email")
            .with("type", "email")
            .hint("Leave `email` out, or send null, for a user that only holds a token.")
    };
    let Value::String(text) = given else {
        return if given.is_null() { Ok(Value::Null) } else { Err(refuse()) };
    };
    let text = text.trim().to_lowercase();
    let whole = text.rsplit_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.starts_with('.') && !host.ends_with('.')
    });
    if whole && !text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        Ok(text.into())
    } else {
        Err(refuse())
    }
}

/// Problems of a value, at its field.
fn located(problems: Problems, field: &str) -> Problems {
    let at = |problem: Problem| if problem.path.is_empty() { problem.at(field) } else { problem };
    Problems(problems.0.into_iter().map(at).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_have_one_form() {
        let check = |given: Value, expect: Option<Value>| assert_eq!(address(&given).ok(), expect, "{given}");
        check(json!(" Ada@Example.COM "), Some(json!("ada@example.com")));
        check(json!("a+b@c"), Some(json!("a+b@c")));
        check(Value::Null, Some(Value::Null));
        check(json!("ada"), None);
        check(json!("@example.com"), None);
        check(json!("ada@"), None);
        check(json!("a da@example.com"), None);
        check(json!(5), None);
    }
}
