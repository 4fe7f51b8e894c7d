//! The REST dialect's resources.
//!
//! To add a resource: one file here, one line in [`routes`].

mod items;
mod me;
mod schema;

use axum::Router;

use crate::App;

/// Every resource.
pub(crate) fn routes() -> Router<App> {
    Router::new().merge(items::routes()).merge(me::routes()).merge(schema::routes())
}
