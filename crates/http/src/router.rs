//! The addresses.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use loggia_model::Problem;
use loggia_model::error::ROUTE_NOT_FOUND;

use crate::answer::Refusal;
use crate::{App, auth, entrance, mcp, rest, server};

/// Everything that is served, with what every request passes in front.
pub(crate) fn build(app: App) -> Router {
    let routes = Router::new()
        .merge(auth::routes())
        .merge(server::routes())
        .merge(rest::routes())
        .route("/mcp", any(mcp::handle))
        .fallback(unknown)
        // Bodies are measured where they are read, with an answer of ours.
        .layer(DefaultBodyLimit::disable())
        .with_state(app.clone());
    // Around the router rather than in it: what passes first may still change where a request goes.
    Router::new()
        .fallback_service(routes)
        .layer(from_fn_with_state(app, entrance::pass))
}

async fn unknown(request: Request) -> Refusal {
    not_found(request.uri().path())
}

/// The answer for addresses that do not exist.
pub(crate) fn not_found(path: &str) -> Refusal {
    Problem::new(&ROUTE_NOT_FOUND, format!("Route {path} doesn't exist."))
        .with("path", path)
        .into()
}
