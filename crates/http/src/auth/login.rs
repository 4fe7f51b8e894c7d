//! `POST /auth/login` `{email, password, otp?, mode?}`.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use loggia_identity::Secret;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems};
use serde_json::{Map, Value};

use super::{handed_over, members, mode, optional, required};
use crate::App;
use crate::answer::Refusal;
use crate::body::JsonBody;
use crate::who::told;

pub(super) async fn post(State(app): State<App>, parts: Parts, body: JsonBody) -> Result<Response, Refusal> {
    let body = members(body.0)?;
    let mut problems = Problems::default();
    let email = problems.take(address(&body));
    let password = problems.take(required(&body, "password"));
    let otp = problems.take(optional(&body, "otp"));
    let mode = problems.take(mode(&body));
    let (Some(email), Some(password), Some(otp), Some(mode)) = (email, password, otp, mode) else {
        return Err(problems.into());
    };
    let facts = told(&app, &parts)?;
    let tokens = app
        .identity()
        .login(&email, &Secret::new(password), otp.as_deref(), mode, &facts)
        .await?;
    handed_over(&app, mode, &tokens)
}

/// The `email` of a body, in the shape of an address.
pub(super) fn address(body: &Map<String, Value>) -> Result<String, Problem> {
    let email = required(body, "email")?;
    let has_shape = email.len() <= 255
        && !email.chars().any(char::is_whitespace)
        && email
            .rsplit_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if has_shape {
        return Ok(email);
    }
    Err(Problem::new(&INVALID_PAYLOAD, "\"email\" must be a valid email.")
        .at("email")
        .with("reason", "\"email\" must be a valid email"))
}
