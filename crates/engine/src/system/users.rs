//! `directus_users`: e-mail addresses are well formed and kept in lower case, so that nobody shares one; static tokens
//! cannot be guessed; a new password or address ends the sessions of the old one.

use std::collections::HashMap;

use loggia_access::Permit;
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, Plan, ReadPlan, Selected, Source};
use loggia_model::validation::failure;
use loggia_model::{Field, Filter, Problems, Record, Scalar};
use serde_json::Value;

use crate::Error;
use crate::changes::Recorder;
use crate::items::draft::Draft;
use crate::query::plain_read;

/// Addresses are at most so long (RFC 5321 §4.5.3.1.3, without the angle brackets).
const LONGEST_ADDRESS: usize = 254;
/// A static token shorter than this could be guessed.
const SHORTEST_TOKEN: usize = 16;

pub(super) fn check(draft: &mut Draft) -> Problems {
    let mut problems = Problems::default();
    if let Some(email) = draft.values.get_mut("email")
        && !email.scalar.is_null()
    {
        let address = email.scalar.as_text().map(|text| text.trim().to_lowercase());
        match address.filter(|address| is_address(address)) {
            Some(address) => email.scalar = Scalar::Text(address),
            None => {
                let problem = failure("email", "email", "Value has to be a valid email address.", None);
                let hint = "Leave `email` out, or send null, for a user that only holds a token.";
                problems.push(problem.at(&email.path).hint(hint));
            }
        }
    }
    if let Some(secret) = draft.values.get("tfa_secret")
        && !secret.scalar.is_null()
    {
        let text = "A second factor cannot be set by hand.";
        let hint = "The user sets it up: POST /users/me/tfa/generate, then POST /users/me/tfa/enable. null takes it away.";
        problems.push(
            failure("tfa_secret", "null", text, None)
                .at(&secret.path)
                .hint(hint),
        );
    }
    if let Some(token) = draft.values.get("token")
        && token
            .scalar
            .as_text()
            .is_some_and(|token| token.chars().count() < SHORTEST_TOKEN)
    {
        let text = format!("Value has to have at least {SHORTEST_TOKEN} characters.");
        let problem = failure("token", "min", &text, None);
        problems.push(problem.at(&token.path).hint("Use 32 random characters."));
    }
    problems
}

/// Something before and after the last `@`, nothing blank: what can be told without sending mail.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= LONGEST_ADDRESS
        && !local.is_empty()
        && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "@,;<>\"".contains(c))
        && domain.split('.').all(label)
}

/// Ends the sessions of users who sign in otherwise from now on: by another password, or another address. Whoever
/// changes their own address stays signed in where they do. Whether there were any.
///
/// # Errors
/// When the database refuses.
pub(super) async fn end_sessions(tx: &mut Recorder) -> Result<bool, Error> {
    let schema = tx.schema().clone();
    let (Some(users), Some(sessions)) = (
        schema.collection("directus_users"),
        schema.collection("directus_sessions"),
    ) else {
        return Ok(false);
    };
    let ways = [users.field("password"), users.field("email")];
    let (Some(key), Some(user), [Some(password), Some(email)]) =
        (&users.primary, sessions.field("user"), ways)
    else {
        return Ok(false);
    };
    let were: HashMap<String, (Scalar, Record)> = tx
        .noted()
        .filter(|noted| noted.collection.name == users.name)
        .filter_map(|noted| Some((noted.text.to_owned(), (noted.key.clone(), noted.before?.clone()))))
        .collect();
    if were.is_empty() {
        return Ok(false);
    }
    let keys = were.values().map(|(key, _)| key.clone()).collect();
    let plan = ReadPlan {
        select: [key, password, email]
            .map(|field| Selected::new(field.name.as_str(), Source::Secret(field.clone())))
            .into(),
        ..plain_read(users, &[], Filter::field(key, Test::In(keys)))
    };
    let reason = "how users sign in is compared with how they did, and not shown";
    let rows = tx
        .run(Permit::system(reason, Plan::Read(plan)))
        .await?
        .into_rows();
    let (mut passwords, mut addresses) = (Vec::new(), Vec::new());
    for row in rows {
        let was = row
            .get(&key.name)
            .and_then(Value::as_str)
            .and_then(|key| were.get(key));
        let Some((key, was)) = was else { continue };
        let differs = |field: &Field| was.get(&field.name) != row.get(&field.name);
        if differs(password) {
            passwords.push(key.clone());
        } else if differs(email) {
            addresses.push(key.clone());
        }
    }
    if passwords.is_empty() && addresses.is_empty() {
        return Ok(false);
    }
    let mut others = Filter::field(user, Test::In(addresses));
    if let (Some(here), Some(session)) = (&tx.caller().claims().session, &sessions.primary) {
        let here = Filter::field(session, Test::NotEqual(Scalar::from(here.as_str())));
        others = others.and(here);
    }
    let plan = Plan::Delete(DeletePlan {
        collection: sessions.clone(),
        filter: Filter::or_all(vec![Filter::field(user, Test::In(passwords)), others]),
    });
    let reason = "a new way to sign in ends the sessions of the old one, whoever may delete sessions";
    tx.run(Permit::system(reason, plan)).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_told_from_other_text() {
        let check = |text: &str, expect: bool| assert_eq!(is_address(text), expect, "{text}");
        check("ada@example.com", true);
        check("ada+cms@mail.example.co.uk", true);
        check("jürgen@müller.example", true);
        check("root@localhost", true);
        check("ada", false);
        check("@example.com", false);
        check("ada@", false);
        check("ada@exa mple.com", false);
        check("a@b@example.com", false);
        check("ada@-x.com", false);
        check("ada@example..com", false);
        check("", false);
    }
}
