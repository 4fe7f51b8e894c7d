//! `POST /auth/refresh` `{refresh_token?, mode?}`: new tokens for a refresh token or a cookie, which are used up by it.

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use loggia_access::Origin;

use super::{handed_over, members, proof};
use crate::App;
use crate::answer::Refusal;
use crate::body::JsonBody;
use crate::who::{facts, refuse_foreign_pages};

pub(super) async fn post(State(app): State<App>, parts: Parts, body: JsonBody) -> Result<Response, Refusal> {
    let shown = proof(&members(body.0)?, &parts.headers, &app.config().cookies)?;
    if shown.by_cookie {
        refuse_foreign_pages(&app, &parts)?;
    }
    let facts = facts(&app, &parts, Origin::Rest);
    let tokens = app.identity().refresh(&shown.proof, shown.mode, &facts).await?;
    handed_over(&app, shown.mode, &tokens)
}
