//! Second factors: `/users/me/tfa/…` for one's own, `/users/:id/tfa/disable` for administrators.

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
use crate::openapi::Audience::{Administrators, SignedIn};
use crate::openapi::Operation;
use crate::router::Routes;
use crate::verbs::Verbs;
use crate::who::{SettingUp, Who};

type Answer = Result<Response, Refusal>;

pub(crate) fn routes() -> Routes {
    let secret = "Make a secret for an authenticator app";
    let secret = Operation::object("make_second_factor", secret, SignedIn).takes_object();
    let confirm = Operation::nothing("set_up_second_factor", "Confirm that secret", SignedIn).takes_object();
    let remove = "Take one's second factor away";
    let remove = Operation::nothing("remove_second_factor", remove, SignedIn).takes_object();
    let others = "Take a user's second factor away";
    let others = Operation::nothing("remove_second_factor_of", others, Administrators);
    Routes::new()
        .route("/users/me/tfa/generate", Verbs::new().post(generate, secret))
        .route("/users/me/tfa/enable", Verbs::new().post(enable, confirm))
        .route("/users/me/tfa/disable", Verbs::new().post(disable, remove))
        .route("/users/{id}/tfa/disable", Verbs::new().post(disable_of, others))
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
