//! `POST /auth/logout` `{refresh_token?, mode?}`: ends the session; its access tokens stop working at once.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::response::Response;
use loggia_access::Origin;
use loggia_identity::Mode;

use super::{cookies, members, proof};
use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::who::{facts, refuse_foreign_pages};

pub(super) async fn post(State(app): State<App>, parts: Parts, body: JsonBody) -> Result<Response, Refusal> {
    let config = app.config();
    let shown = proof(&members(body.0)?, &parts.headers, &config.cookies)?;
    if shown.by_cookie {
        refuse_foreign_pages(&app, &parts)?;
    }
    let facts = facts(&app, &parts, Origin::Rest);
    app.identity().logout(&shown.proof, &facts).await?;
    let mut response = answer::no_content();
    let cookie = match shown.mode {
        Mode::Session => Some(&config.cookies.session),
        Mode::Cookie => Some(&config.cookies.refresh),
        Mode::Json => None,
    };
    if let Some(cookie) = cookie {
        response
            .headers_mut()
            .append(SET_COOKIE, cookies::clear(config, cookie)?);
    }
    Ok(response)
}
