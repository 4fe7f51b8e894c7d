//! The resources of the REST dialect.
//!
//! To add a resource: `rest/<resource>.rs` with `routes()`, and its line in [`routes`].

mod schema;

use axum::Router;

use crate::App;

/// Every resource.
pub(crate) fn routes() -> Router<App> {
    Router::new().merge(schema::routes())
}
