//! Items of any collection, and the same verbs over the system collections that have an address of their own.
//!
//! | verb | many: `/items/:collection` | one: `/items/:collection/:key` |
//! |---|---|---|
//! | GET | a page, `meta` if asked for; the item of a singleton | the item |
//! | SEARCH | the same, with `{query}` or `{keys, query}` in the body | – |
//! | POST | `{…}` or `[{…}]` creates | – |
//! | PATCH | `[{key, …}]`, `{keys, data}` or `{query, data}`; `{…}` on a singleton | changes the item |
//! | DELETE | `[keys]`, `{keys}` or `{query}` | deletes the item |
//!
//! Writes answer with the rows as they are afterwards, shaped by `fields`; with `meta=receipt` also with what became of
//! what was sent. PATCH and DELETE of one item may demand a revision of it by `If-Match`, the `ETag` of an item that was read
//! with `_rev`.

mod answering;
mod export;
mod precondition;
mod reading;
mod shapes;
mod writing;

pub(super) use answering::Answering;
pub(crate) use answering::RECEIPT;
use axum::Extension;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::response::Response;
use loggia_access::Caller;
use loggia_model::{Problem, Query};
pub(crate) use precondition::REV;
use serde_json::Value;

use super::undecodable;
use crate::App;
use crate::answer::Refusal;
use crate::openapi::Documented::PerCollection;
use crate::openapi::{READ_ONLY_RESOURCES, SYSTEM_RESOURCES};
use crate::router::Routes;
use crate::verbs::Verbs;

type Answer = Result<Response, Refusal>;

/// `/items` and every system collection with an address of its own.
pub(crate) fn routes() -> Routes {
    let many = || {
        Verbs::new()
            .get(reading::list, PerCollection)
            .search(reading::search)
            .post(writing::create, PerCollection)
            .patch(writing::update_many, PerCollection)
            .delete(writing::delete_many, PerCollection)
    };
    let one = || {
        Verbs::new()
            .get(reading::read, PerCollection)
            .patch(writing::update, PerCollection)
            .delete(writing::delete, PerCollection)
    };
    let mut routes = Routes::new()
        .route("/items/{collection}", many())
        .route("/items/{collection}/{key}", one());
    for (path, collection, singleton) in SYSTEM_RESOURCES {
        let fixed = Extension(Fixed(collection));
        if *singleton {
            let only = Verbs::new()
                .get(reading::list, PerCollection)
                .search(reading::search)
                .patch(writing::update_many, PerCollection);
            routes = routes.route_with(path, only, fixed);
        } else {
            routes =
                routes
                    .route_with(path, many(), fixed)
                    .route_with(&format!("{path}/{{key}}"), one(), fixed);
        }
    }
    for (path, collection) in READ_ONLY_RESOURCES {
        let fixed = Extension(Fixed(collection));
        let many = Verbs::new()
            .get(reading::list, PerCollection)
            .search(reading::search);
        let one = Verbs::new().get(reading::read, PerCollection);
        routes = routes
            .route_with(path, many, fixed)
            .route_with(&format!("{path}/{{key}}"), one, fixed);
    }
    routes
}

/// The collection of an address that does not carry its name.
#[derive(Clone, Copy)]
pub(crate) struct Fixed(pub(crate) &'static str);

/// What the address names.
pub(crate) struct Place {
    collection: String,
    key: Value,
    /// `/items/…`: a collection of the project, never one of ours.
    project: bool,
}

impl FromRequestParts<App> for Place {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let fixed = parts.extensions.get::<Fixed>().copied();
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| undecodable())?;
        let param = |name: &str| {
            params
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.to_owned())
        };
        Ok(Self {
            collection: fixed.map_or_else(
                || param("collection").unwrap_or_default(),
                |Fixed(name)| name.to_owned(),
            ),
            key: param("key").map_or(Value::Null, Value::from),
            project: fixed.is_none(),
        })
    }
}

impl Place {
    /// The name of the collection, unless `/items` is asked for one of ours.
    fn collection(&self) -> Result<&str, Refusal> {
        if self.project
            && (self.collection.starts_with("directus_") || self.collection.starts_with("loggia_"))
        {
            return Err(Problem::forbidden().into());
        }
        Ok(&self.collection)
    }

    /// The name of a collection that the caller may know of. Asked before anything is said of a body: what is wrong with
    /// it may depend on the collection.
    async fn known(&self, app: &App, caller: &Caller) -> Result<&str, Refusal> {
        let name = self.collection()?;
        let schema = app.engine().schema();
        let grants = app.engine().outline(caller);
        if !schema
            .collection(name)
            .is_some_and(|collection| grants.sees(collection))
        {
            // The engine has the words for it, whatever is asked.
            app.engine().read_items(caller, name, Query::default()).await?;
        }
        Ok(name)
    }

    fn is_singleton(&self, app: &App) -> bool {
        let schema = app.engine().schema();
        let collection = schema.collection(&self.collection);
        collection.is_some_and(|collection| collection.is_singleton())
    }
}
