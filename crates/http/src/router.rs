//! The addresses, each with what is served there.

use std::sync::LazyLock;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use axum::{Extension, Router};
use loggia_model::Problem;
use loggia_model::error::ROUTE_NOT_FOUND;

use crate::answer::Refusal;
use crate::openapi::Documented;
use crate::verbs::Verbs;
use crate::{App, auth, entrance, mcp, rest, server};

/// One method of one address.
#[derive(Clone, Debug)]
pub struct Route {
    /// In capitals.
    pub method: &'static str,
    /// With `{name}` for what differs.
    pub path: String,
    /// What the OpenAPI document says of it.
    pub(crate) documented: Documented,
}

/// Everything that is served, in the order in which it was added.
pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| routes().table);

/// Handlers by address, and the list of them: the only way to serve anything, so that nothing is served unlisted.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<App>,
    table: Vec<Route>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an address.
    pub(crate) fn route(mut self, path: &str, verbs: Verbs) -> Self {
        self.list(path, verbs.operations());
        self.router = self.router.route(path, verbs.into_router());
        self
    }

    /// Adds an address whose handlers are told something.
    pub(crate) fn route_with<T>(mut self, path: &str, verbs: Verbs, told: Extension<T>) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        self.list(path, verbs.operations());
        self.router = self.router.route(path, verbs.into_router().layer(told));
        self
    }

    /// Adds the addresses of others.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.table.extend(others.table);
        self
    }

    fn list(&mut self, path: &str, operations: &[(&'static str, Documented)]) {
        self.table
            .extend(operations.iter().map(|(method, documented)| Route {
                method,
                path: path.to_owned(),
                documented: *documented,
            }));
    }
}

fn routes() -> Routes {
    let mut routes = Routes::new()
        .merge(auth::routes())
        .merge(server::routes())
        .merge(rest::routes());
    // It answers every method itself, in the words of its protocol.
    routes.list("/mcp", &[("POST", Documented::Elsewhere)]);
    routes.router = routes.router.route("/mcp", any(mcp::handle));
    routes
}

/// Everything that is served, with what every request passes in front.
pub(crate) fn build(app: App) -> Router {
    let routes = routes()
        .router
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
