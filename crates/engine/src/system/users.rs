//! `directus_users`: e-mail addresses are well formed and kept in lower case, so that nobody shares one; static tokens
//! cannot be guessed; a new password ends the sessions of the old one.

use loggia_access::Permit;
use loggia_model::error::FORBIDDEN;
use loggia_model::filter::Test;
use loggia_model::plan::{DeletePlan, Plan};
use loggia_model::validation::failure;
use loggia_model::{Filter, Problem, Problems, Scalar};

use crate::Error;
use crate::items::draft::{Draft, Intent};
use crate::items::writer::Writer;
use crate::query::Resolver;

/// Addresses are at most so long (RFC 5321 §4.5.3.1.3, without the angle brackets).
const LONGEST_ADDRESS: usize = 254;
/// A static token shorter than this could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// What decides how a user signs in.
const CREDENTIALS: [&str; 4] = ["email", "password", "token", "tfa_secret"];

pub(super) fn check(on: &Resolver<'_>, draft: &mut Draft) -> Problems {
    let mut problems = credentials(on, draft);
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

/// Whoever asks by an access token could otherwise get hold of more than the token gives: of its owner's password, or of a
/// token without an end. Administrators may do everything anyway.
fn credentials(on: &Resolver<'_>, draft: &Draft) -> Problems {
    let mut problems = Problems::default();
    let caller = on.grants.caller();
    if caller.claims().token.is_none() || caller.is_admin() || draft.intent == Intent::Create {
        return problems;
    }
    for assigned in CREDENTIALS.iter().filter_map(|name| draft.values.get(*name)) {
        let message = "Access tokens cannot change how users sign in.";
        problems.push(
            Problem::new(&FORBIDDEN, message)
                .at(&assigned.path)
                .hint("Sign in (POST /auth/login)."),
        );
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

/// Ends the sessions of users whose password changed.
///
/// # Errors
/// When the database refuses.
pub(super) async fn end_sessions(on: &Resolver<'_>, writer: &mut Writer<'_>) -> Result<(), Error> {
    let users: Vec<_> = std::mem::take(&mut writer.new_passwords);
    let Some(sessions) = on.schema.collection("directus_sessions") else {
        return Ok(());
    };
    let Some(user) = sessions.field("user").filter(|_| !users.is_empty()) else {
        return Ok(());
    };
    let plan = Plan::Delete(DeletePlan {
        collection: sessions.clone(),
        filter: Filter::field(user, Test::In(users)),
    });
    let reason = "a new password ends the sessions of the old one, whoever may delete sessions";
    writer.tx.run(Permit::system(reason, plan)).await?;
    writer.touched.entry("directus_sessions".to_owned()).or_default();
    Ok(())
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
