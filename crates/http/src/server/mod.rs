//! `/server`: is it there, is it well, what is it.

mod health;
mod info;
mod specs;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::App;
use crate::verbs::Verbs;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/server/ping", Verbs::new().get(ping).into_router())
        .route("/server/health", Verbs::new().get(health::get).into_router())
        .route("/server/info", Verbs::new().get(info::get).into_router())
        .route("/server/specs/oas", Verbs::new().get(specs::get).into_router())
}

/// For load balancers: answers whoever asks, whatever they show.
async fn ping() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "pong")
}
