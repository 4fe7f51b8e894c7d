//! The resources of the REST dialect.
//!
//! To add a resource: `rest/<resource>.rs` with `routes()`, and its line in [`routes`].

mod items;
mod me;
mod schema;

use axum::Router;

use crate::App;

/// Every resource.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(items::routes())
        .merge(me::routes())
        .merge(schema::routes())
}
