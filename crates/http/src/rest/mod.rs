//! The resources of the REST dialect.
//!
//! To add a resource: `rest/<resource>.rs` with `routes()`, and its line in [`routes`].

mod changes;
mod items;
mod me;
mod schema;
mod second_factor;
mod tokens;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use loggia_model::Problem;
use loggia_model::error::ROUTE_NOT_FOUND;
use serde::de::DeserializeOwned;

use crate::App;
use crate::answer::Refusal;
use crate::router::Routes;

pub(crate) use items::{RECEIPT, REV};

/// Every resource.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(changes::routes())
        .merge(items::routes())
        .merge(me::routes())
        .merge(schema::routes())
        .merge(second_factor::routes())
        .merge(tokens::routes())
}

/// What an address names.
struct Named<T>(T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let Path(names) = Path::from_request_parts(parts, app)
            .await
            .map_err(|_| undecodable())?;
        Ok(Self(names))
    }
}

/// An address whose names are no text names nothing.
fn undecodable() -> Problem {
    Problem::new(
        &ROUTE_NOT_FOUND,
        "The address is not percent-encoded UTF-8 (RFC 3986).",
    )
}
