//! `/auth`: signing in, refreshing, signing out.
//!
//! What a client shows to refresh or to sign out comes in the body or in the cookie that signing in set. Cookies are
//! accepted from our own pages only.

pub(crate) mod cookies;
mod login;
mod logout;
mod password;
mod providers;
mod refresh;

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use loggia_identity::{Mode, Proof, Secret, Tokens};
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems};
use serde_json::{Map, Value};

use crate::answer;
use crate::config::Cookies;
use crate::openapi::Audience::Everybody;
use crate::openapi::Operation;
use crate::router::Routes;
use crate::verbs::Verbs;
use crate::who::cookie;
use crate::{App, answer::Refusal};

pub(crate) fn routes() -> Routes {
    let listed = Operation::list("list_providers", "The ways to sign in", Everybody);
    let login = Operation::object("login", "Sign in with e-mail and password", Everybody).takes_object();
    let refresh = Operation::object("refresh", "Exchange a refresh token", Everybody).may_take_object();
    let logout = Operation::nothing("logout", "End a session", Everybody).may_take_object();
    let request = Operation::nothing("request_password", "Ask for a new password", Everybody).takes_object();
    let reset = "Choose a new password with the token of a link";
    let reset = Operation::nothing("reset_password", reset, Everybody).takes_object();
    Routes::new()
        .route("/auth", Verbs::new().get(providers::list, listed))
        .route("/auth/login", Verbs::new().post(login::post, login))
        .route("/auth/refresh", Verbs::new().post(refresh::post, refresh))
        .route("/auth/logout", Verbs::new().post(logout::post, logout))
        .route(
            "/auth/password/request",
            Verbs::new().post(password::request, request),
        )
        .route("/auth/password/reset", Verbs::new().post(password::reset, reset))
}

/// The members of a body that is an object; no body is an empty one.
pub(crate) fn members(body: Option<Value>) -> Result<Map<String, Value>, Problem> {
    match body {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(Problem::new(&INVALID_PAYLOAD, "The body must be a JSON object.")),
    }
}

/// A text that must be there.
pub(crate) fn required(body: &Map<String, Value>, name: &str) -> Result<String, Problem> {
    optional(body, name)?.ok_or_else(|| {
        Problem::new(&INVALID_PAYLOAD, format!("\"{name}\" is required."))
            .at(name)
            .with("reason", format!("\"{name}\" is required"))
    })
}

/// A text that may be there.
pub(crate) fn optional(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Problem::new(&INVALID_PAYLOAD, format!("\"{name}\" must be a string.")).at(name)),
    }
}

/// How the client keeps its tokens; JSON unless it says otherwise.
fn mode(body: &Map<String, Value>) -> Result<Mode, Problem> {
    optional(body, "mode")?.map_or(Ok(Mode::Json), |name| Mode::parse(&name))
}

/// What the client shows: the refresh token of the body, else the cookie of the mode.
fn proof(body: &Map<String, Value>, headers: &HeaderMap, cookies: &Cookies) -> Result<Shown, Problems> {
    let mut problems = Problems::default();
    let mode = problems.take(mode(body));
    let sent = problems.take(optional(body, "refresh_token"));
    let (Some(mode), Some(sent)) = (mode, sent) else {
        return Err(problems);
    };
    let in_body = sent.filter(|token| !token.is_empty() && mode != Mode::Session);
    let (proof, by_cookie) = match (in_body, mode) {
        (Some(token), _) => (Some(Proof::Refresh(Secret::new(token))), false),
        (None, Mode::Session) => (
            cookie(headers, &cookies.session).map(|token| Proof::Session(Secret::new(token))),
            true,
        ),
        (None, Mode::Json | Mode::Cookie) => (
            cookie(headers, &cookies.refresh).map(|token| Proof::Refresh(Secret::new(token))),
            true,
        ),
    };
    let reason = "The refresh token is required in either the payload or cookie";
    proof
        .map(|proof| Shown {
            proof,
            mode,
            by_cookie,
        })
        .ok_or_else(|| {
            Problem::new(&INVALID_PAYLOAD, format!("{reason}."))
                .at("refresh_token")
                .with("reason", reason)
                .into()
        })
}

/// What a client shows to refresh or to sign out.
struct Shown {
    proof: Proof,
    mode: Mode,
    by_cookie: bool,
}

/// The answer that hands over tokens in the way of the mode.
fn handed_over(app: &App, mode: Mode, tokens: &Tokens) -> Result<Response, Refusal> {
    let mut data = Map::new();
    let expires = i64::try_from(tokens.expires_in.as_millis()).unwrap_or(i64::MAX);
    data.insert("expires".to_owned(), expires.into());
    let mut cookie = None;
    match (mode, &tokens.refresh) {
        (Mode::Session, _) => {
            let cookies = &app.config().cookies;
            cookie = Some(cookies::set(
                app.config(),
                &cookies.session,
                &tokens.access,
                tokens.expires_in,
            )?);
        }
        (Mode::Cookie, Some(refresh)) => {
            let cookies = &app.config().cookies;
            let lifetime = app.identity().options().refresh_ttl;
            cookie = Some(cookies::set(app.config(), &cookies.refresh, refresh, lifetime)?);
            data.insert("access_token".to_owned(), tokens.access.reveal().into());
        }
        (_, refresh) => {
            if let Some(refresh) = refresh {
                data.insert("refresh_token".to_owned(), refresh.reveal().into());
            }
            data.insert("access_token".to_owned(), tokens.access.reveal().into());
        }
    }
    let mut response = answer::data(&data);
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
