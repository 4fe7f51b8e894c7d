//! Second factors: `/users/me/tfa/…` for one's own, `/users/:id/tfa/disable` for administrators.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use loggia_identity::Secret;
use loggia_model::Problems;
use serde_json::json;

use super::Named;
use super::me::user;
use crate::App;
use crate::answer::{self, Refusal};
use crate::auth::{members, required};
use crate::body::JsonBody;
use crate::verbs::Verbs;
use crate::who::{SettingUp, Who};

type Answer = Result<Response, Refusal>;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(
            "/users/me/tfa/generate",
            Verbs::new().post(generate).into_router(),
        )
        .route("/users/me/tfa/enable", Verbs::new().post(enable).into_router())
        .route("/users/me/tfa/disable", Verbs::new().post(disable).into_router())
        .route(
            "/users/{id}/tfa/disable",
            Verbs::new().post(disable_of).into_router(),
        )
}

/// `{password}`: a secret for the authenticator app, which counts once it is confirmed.
async fn generate(State(app): State<App>, SettingUp(admitted): SettingUp, body: JsonBody) -> Answer {
    user(&admitted.caller)?;
    let password = required(&members(body.0)?, "password")?;
    let made = app
        .identity()
        .make_factor(&admitted.caller, &Secret::new(password))
        .await?;
    Ok(answer::data(
        &json!({"secret": made.secret.reveal(), "otpauth_url": made.url.reveal()}),
    ))
}

/// `{secret, otp}`.
async fn enable(State(app): State<App>, SettingUp(admitted): SettingUp, body: JsonBody) -> Answer {
    user(&admitted.caller)?;
    let body = members(body.0)?;
    let mut problems = Problems::default();
    let secret = problems.take(required(&body, "secret"));
    let otp = problems.take(required(&body, "otp"));
    let (Some(secret), Some(otp)) = (secret, otp) else {
        return Err(problems.into());
    };
    app.identity()
        .set_up_factor(&admitted.caller, &Secret::new(secret), &otp)
        .await?;
    Ok(answer::no_content())
}

/// `{otp}`.
async fn disable(State(app): State<App>, Who(caller): Who, body: JsonBody) -> Answer {
    user(&caller)?;
    let otp = required(&members(body.0)?, "otp")?;
    app.identity().remove_factor(&caller, &otp).await?;
    Ok(answer::no_content())
}

/// For somebody who lost the app.
async fn disable_of(State(app): State<App>, Who(caller): Who, Named(id): Named<String>) -> Answer {
    app.identity().remove_factor_of(&caller, &id).await?;
    Ok(answer::no_content())
}
