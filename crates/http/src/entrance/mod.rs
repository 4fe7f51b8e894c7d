//! What every request passes on its way in and out, in one layer: request id, turn, host, cross-origin rules, timeout,
//! panics, security headers, and the one line in the log.

mod attribution;
mod client_ip;
mod cors;
mod host;
mod request_id;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{HeaderName, ORIGIN, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use loggia_model::Problem;
use loggia_model::error::SERVICE_UNAVAILABLE;

pub(crate) use attribution::{CHANGE, Noted, TITLE, attribution};
pub(crate) use client_ip::client_ip;
pub(crate) use host::Hosts;
pub(crate) use request_id::RequestId;

use crate::App;
use crate::answer::{Cause, Refusal};

/// The address that a connection comes from; `serve` puts it into every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The MCP server speaks in its protocol's words also where something does not work.
const MCP: &str = "/mcp";
/// What is answered although the database is not there, to whomever; and what asks it in words of its own.
const WITHOUT_DATABASE: [&str; 2] = [MCP, "/server/ping"];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
const CONTENT_SECURITY_POLICY: HeaderName = HeaderName::from_static("content-security-policy");

/// The layer.
pub(crate) async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), &app);
    request.extensions_mut().insert(id.clone());
    let noted = Noted::default();
    request.extensions_mut().insert(noted.clone());
    let started = app.clock().now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let origin = request.headers().get(ORIGIN).cloned();
    let mut response = match admit(&app, &mut request) {
        Err(refusal) => refusal.into_response(),
        Ok(Admitted::Preflight) => cors::preflight(&path, request.headers()),
        Ok(Admitted::Request) => run(&app, request, next, &noted).await,
    };
    let headers = response.headers_mut();
    if let Some(origin) = &origin {
        cors::mark(&app.config().cors, origin, headers);
    }
    secure(headers);
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, value);
    }
    noted.mark(headers);
    let cause = response.extensions_mut().remove::<Cause>();
    let status = response.status().as_u16();
    let took = app.clock().now().duration_since(started);
    let millis = took.as_secs_f64() * 1_000.0;
    match cause {
        Some(Cause(cause)) => {
            tracing::error!(request_id = %id.0, %method, path, status, millis, cause, "request failed");
        }
        None => tracing::debug!(request_id = %id.0, %method, path, status, millis, "request"),
    }
    response
}

enum Admitted {
    Preflight,
    Request,
}

fn admit(app: &App, request: &mut Request) -> Result<Admitted, Refusal> {
    app.hosts().check(request)?;
    without_last_slash(request);
    if cors::is_preflight(request) {
        return Ok(Admitted::Preflight);
    }
    Ok(Admitted::Request)
}

/// `/items/articles/` is `/items/articles`.
fn without_last_slash(request: &mut Request) {
    let uri = request.uri();
    let trimmed = uri.path().trim_end_matches('/');
    if trimmed.is_empty() || trimmed.len() == uri.path().len() {
        return;
    }
    let rest = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    if let Ok(shorter) = format!("{trimmed}{rest}").parse() {
        *request.uri_mut() = shorter;
    }
}

/// Runs a request in its turn, within its time, and survives it.
async fn run(app: &App, request: Request, next: Next, noted: &Noted) -> Response {
    let Ok(_turn) = app.turns().try_acquire() else {
        return Refusal::from(
            Problem::new(&SERVICE_UNAVAILABLE, "Too many requests at once.").hint("Try again in a second."),
        )
        .into_response();
    };
    // The MCP server keeps time itself, to say in its protocol's words that it is up.
    let limit = match request.uri().path() {
        MCP => Duration::MAX,
        _ => app.config().limits.request_timeout,
    };
    let work = AssertUnwindSafe(up_to_date(app, request, next)).catch_unwind();
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Refusal::internal(format!("panic: {}", panic_text(&*panic))).into_response(),
        Err(_) => Refusal::from(timed_out(noted)).into_response(),
    }
}

/// What is said of a request whose time is up: its work is dropped, unless its change was being kept.
fn timed_out(noted: &Noted) -> Problem {
    if noted.may_be_kept() {
        return Problem::outcome_unknown(
            "The request took too long while its change was being kept: whether it was made is not known.",
        );
    }
    Problem::new(
        &SERVICE_UNAVAILABLE,
        "The request took too long and was given up.",
    )
    .hint("Ask for less at once: fewer rows, fields or levels.")
}

/// Runs a request by what is committed when it comes in, whichever process did that: nothing that was known before is asked
/// for who sends it, or what they may do, until it is known that it still holds.
async fn up_to_date(app: &App, request: Request, next: Next) -> Response {
    if !WITHOUT_DATABASE.contains(&request.uri().path())
        && let Err(error) = app.engine().catch_up().await
    {
        return Refusal::from(error).into_response();
    }
    next.run(request).await
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Headers that keep browsers from making more of an answer than it is. A handler's own wins.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The id of the request that an answer belongs to, for rooms that want it shared.
pub(crate) fn shared_id(extensions: &axum::http::Extensions) -> Arc<str> {
    extensions
        .get::<RequestId>()
        .map_or_else(|| Arc::from(""), |id| id.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_commit_has_begun_is_not_told_that_nothing_was_changed() {
        let request = Request::new(axum::body::Body::empty());
        let (mut parts, _) = request.into_parts();
        let noted = Noted::default();
        parts.extensions.insert(noted.clone());
        let told = attribution(&parts).unwrap();
        assert_eq!(timed_out(&noted).code, &SERVICE_UNAVAILABLE);
        told.commit.set(()).unwrap();
        assert_eq!(timed_out(&noted).code.name, "OUTCOME_UNKNOWN");
    }
}
