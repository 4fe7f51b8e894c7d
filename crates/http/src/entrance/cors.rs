//! Cross-origin resource sharing (WHATWG Fetch §3.2).

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use crate::config::Cors;

/// What pages may send.
const REQUEST_HEADERS: &str = "Accept, Accept-Language, Authorization, Content-Type, If-Match, Last-Event-ID, \
     Loggia-Change-Title, Mcp-Method, Mcp-Name, Mcp-Protocol-Version, Mcp-Session-Id, X-Request-Id";
/// What pages may read.
const ANSWER_HEADERS: &str =
    "Allow, Content-Range, ETag, Loggia-Change, Mcp-Session-Id, Retry-After, WWW-Authenticate, X-Request-Id";
/// The methods of the REST dialect.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE, SEARCH, OPTIONS";
/// The methods of the MCP transport.
const MCP_METHODS: &str = "POST, OPTIONS";

/// Whether a browser asks before it sends.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that; [`mark`] says whether the origin may.
pub(super) fn preflight(path: &str, _asked: &HeaderMap) -> Response {
    let methods = if path == "/mcp" { MCP_METHODS } else { METHODS };
    (
        StatusCode::NO_CONTENT,
        [
            (ACCESS_CONTROL_ALLOW_METHODS, methods),
            (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (ACCESS_CONTROL_MAX_AGE, "600"),
        ],
    )
        .into_response()
}

/// Says in an answer whether the page may read it.
pub(super) fn mark(cors: &Cors, origin: &HeaderValue, headers: &mut HeaderMap) {
    if cors.origins.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if !origin.to_str().is_ok_and(|origin| cors.allows(origin)) {
        return;
    }
    if cors.allows_any() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(ANSWER_HEADERS),
    );
}
