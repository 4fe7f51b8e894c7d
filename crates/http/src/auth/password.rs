//! A new password for somebody who forgot theirs: `POST /auth/password/request` `{email, reset_url?}` sends a link, `POST
//! /auth/password/reset` `{token, password}` uses it.
//!
//! The answer to the first is the same, after the same time, whether the account exists or not.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use loggia_access::Origin;
use loggia_identity::Secret;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems};

use super::login::address;
use super::{members, optional, required};
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::config::HttpConfig;
use crate::who::{facts, told};

pub(super) async fn request(
    State(app): State<App>,
    parts: Parts,
    body: JsonBody,
) -> Result<Response, Refusal> {
    let body = members(body.0)?;
    let mut problems = Problems::default();
    let email = problems.take(address(&body));
    let asked = problems.take(optional(&body, "reset_url"));
    let page = asked.and_then(|asked| problems.take(page(app.config(), asked)));
    let (Some(email), Some(page)) = (email, page) else {
        return Err(problems.into());
    };
    let facts = facts(&app, &parts, Origin::Rest);
    app.identity().request_password(&email, &page, &facts)?;
    Ok(answer::no_content())
}

pub(super) async fn reset(State(app): State<App>, parts: Parts, body: JsonBody) -> Result<Response, Refusal> {
    let body = members(body.0)?;
    let mut problems = Problems::default();
    let token = problems.take(required(&body, "token"));
    let password = problems.take(required(&body, "password"));
    let (Some(token), Some(password)) = (token, password) else {
        return Err(problems.into());
    };
    let facts = told(&app, &parts)?;
    app.identity()
        .reset_password(&Secret::new(token), &Secret::new(password), &facts)
        .await?;
    Ok(answer::no_content())
}

/// Where the link leads: our own page, or one that the configuration lists. A letter of ours must not lead elsewhere.
fn page(config: &HttpConfig, asked: Option<String>) -> Result<String, Problem> {
    match asked {
        None => Ok(format!("{}/admin/reset-password", config.public_url)),
        Some(page) if config.password_reset_urls.contains(&page) => Ok(page),
        Some(_) => Err(Problem::new(
            &INVALID_PAYLOAD,
            "Links to a new password do not lead to this address.",
        )
        .at("reset_url")
        .hint("Leave it out, or list it in the configuration under auth.password_reset_urls.")),
    }
}
