//! `/server`: is it there, is it well, what is it.

mod health;
mod info;
mod specs;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::openapi::Audience::{Everybody, SignedIn};
use crate::openapi::Operation;
use crate::router::Routes;
use crate::verbs::Verbs;

pub(crate) fn routes() -> Routes {
    let is_there = Operation::text("ping", "Is it there?", Everybody);
    let is_well = Operation::object("health", "Is it well?", SignedIn);
    let what = Operation::object("server_info", "What server this is", Everybody);
    let document = Operation::object("openapi", "This document", Everybody);
    Routes::new()
        .route("/server/ping", Verbs::new().get(ping, is_there))
        .route("/server/health", Verbs::new().get(health::get, is_well))
        .route("/server/info", Verbs::new().get(info::get, what))
        .route("/server/specs/oas", Verbs::new().get(specs::get, document))
}

/// For load balancers: answers whoever asks, whatever they show.
async fn ping() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "pong")
}
