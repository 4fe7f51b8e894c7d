//! `GET /auth`: the ways to sign in besides e-mail and password. There are none.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::answer;

pub(super) async fn list() -> Response {
    answer::json(StatusCode::OK, &json!({"data": [], "disableDefault": false}))
}
