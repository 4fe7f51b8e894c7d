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
//! Writes answer with the rows as they are afterwards, shaped by `fields`.

use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::{Extension, Router};
use loggia_access::Caller;
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions, Written};
use loggia_model::error::{INVALID_PAYLOAD, INVALID_QUERY, ROUTE_NOT_FOUND};
use loggia_model::query::Query;
use loggia_model::{Problem, Problems, Record};
use serde_json::{Map, Value, json};

use crate::App;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;
use crate::query_string::QueryString;
use crate::who::Who;
use crate::openapi::SYSTEM_RESOURCES;
use crate::verbs::Verbs;

type Answer = Result<Response, Refusal>;

/// `/items` and every system collection with an address of its own.
pub(crate) fn routes() -> Router<App> {
    let many = || Verbs::new().get(list).search(search).post(create).patch(update_many).delete(delete_many).into_router();
    let one = || Verbs::new().get(read).patch(update).delete(delete).into_router();
    let mut router = Router::new().route("/items/{collection}", many()).route("/items/{collection}/{key}", one());
    for (path, collection, singleton) in SYSTEM_RESOURCES {
        let fixed = Extension(Fixed(collection));
        router = router.route(path, many().layer(fixed));
        if !singleton {
            router = router.route(&format!("{path}/{{key}}"), one().layer(fixed));
        }
    }
    router
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
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| {
            Problem::new(&ROUTE_NOT_FOUND, "The address is not percent-encoded UTF-8 (RFC 3986).")
        })?;
        let param = |name: &str| params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        Ok(Self {
            collection: fixed.map_or_else(|| param("collection").unwrap_or_default(), |Fixed(name)| name.to_owned()),
            key: param("key").map_or(Value::Null, Value::from),
            project: fixed.is_none(),
        })
    }
}

impl Place {
    /// The name of the collection, unless `/items` is asked for one of ours.
    fn collection(&self) -> Result<&str, Refusal> {
        if self.project && (self.collection.starts_with("directus_") || self.collection.starts_with("loggia_")) {
            return Err(Problem::forbidden().into());
        }
        Ok(&self.collection)
    }

    fn is_singleton(&self, app: &App) -> bool {
        app.engine().schema().collection(&self.collection).is_some_and(|collection| collection.is_singleton())
    }
}

async fn list(State(app): State<App>, Who(caller): Who, place: Place, QueryString(query): QueryString) -> Answer {
    answer_list(&app, &caller, &place, Query::from_json(&Value::Object(query))?).await
}

/// SEARCH: the query is in the body, so that it can be of any length.
async fn search(State(app): State<App>, Who(caller): Who, place: Place, body: JsonBody) -> Answer {
    let mut body = object(body.required()?, "")?;
    let query = body.shift_remove("query").unwrap_or_else(|| json!({}));
    let keys = body.shift_remove("keys");
    only(&body, &["query", "keys"])?;
    let mut query = Query::from_json(&query).map_err(|problems| problems.within("query"))?;
    if let Some(keys) = keys {
        let schema = app.engine().schema();
        let primary = schema.collection(place.collection()?).and_then(|collection| collection.primary.clone());
        let primary = primary.ok_or_else(Problem::forbidden)?;
        let only = json!({ primary.name.as_str(): {"_in": array(keys, "keys")?} });
        query.filter = Some(match query.filter.take() {
            Some(filter) => json!({"_and": [filter, only]}),
            None => only,
        });
    }
    answer_list(&app, &caller, &place, query).await
}

async fn answer_list(app: &App, caller: &Caller, place: &Place, query: Query) -> Answer {
    let collection = place.collection()?;
    if place.is_singleton(app) && query.aggregate.is_empty() {
        return Ok(answer::data(&app.engine().read_singleton(caller, collection, query).await?));
    }
    let page = app.engine().read_items(caller, collection, query).await?;
    if page.total_count.is_none() && page.filter_count.is_none() {
        return Ok(answer::data(&page.rows));
    }
    let mut meta = Map::new();
    meta.extend(page.total_count.map(|count| ("total_count".to_owned(), count.into())));
    meta.extend(page.filter_count.map(|count| ("filter_count".to_owned(), count.into())));
    Ok(answer::json(axum::http::StatusCode::OK, &json!({"meta": meta, "data": page.rows})))
}

async fn read(State(app): State<App>, Who(caller): Who, place: Place, QueryString(query): QueryString) -> Answer {
    let query = Query::from_json(&Value::Object(query))?;
    Ok(answer::data(&app.engine().read_item(&caller, place.collection()?, &place.key, query).await?))
}

async fn create(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    if place.is_singleton(&app) {
        let hint = "Write the item of a singleton with PATCH.";
        return Err(Problem::new(&ROUTE_NOT_FOUND, "A singleton has no list to add to.").hint(hint).into());
    }
    let options = options(query)?;
    let collection = place.collection()?;
    match body.required()? {
        Value::Array(rows) => {
            let rows = objects(rows, "")?;
            let written = app.engine().create_items(&caller, collection, rows, &options).await?;
            Ok(answer::data(&written.rows))
        }
        row => {
            let row = object(row, "")?;
            let written = app.engine().create_items(&caller, collection, vec![row], &options).await?;
            Ok(one(written))
        }
    }
}

async fn update(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let options = options(query)?;
    let data = object(body.required()?, "")?;
    let target = Target::Keys { keys: vec![place.key.clone()], data };
    Ok(one(app.engine().update_items(&caller, place.collection()?, target, &options).await?))
}

async fn update_many(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let options = options(query)?;
    let collection = place.collection()?;
    let body = body.required()?;
    if place.is_singleton(&app) {
        let data = object(body, "")?;
        return Ok(one(app.engine().upsert_singleton(&caller, collection, data, &options).await?));
    }
    let target = match body {
        Value::Array(rows) => Target::Each(objects(rows, "")?),
        body => batch_update(object(body, "")?)?,
    };
    let written = app.engine().update_items(&caller, collection, target, &options).await?;
    Ok(answer::data(&written.rows))
}

/// `{keys, data}` or `{query, data}`.
fn batch_update(mut body: Record) -> Result<Target, Problems> {
    let (keys, query, data) = (body.shift_remove("keys"), body.shift_remove("query"), body.shift_remove("data"));
    only(&body, &["keys", "query", "data"])?;
    let data = data.ok_or_else(|| Problem::new(&INVALID_PAYLOAD, "What to change is missing.").at("data").hint("Send {keys, data} or {query, data}."))?;
    let data = object(data, "data")?;
    match (keys, query) {
        (Some(keys), None) => Ok(Target::Keys { keys: array(keys, "keys")?, data }),
        (None, Some(query)) => {
            let query = Query::from_json(&query).map_err(|problems| problems.within("query"))?;
            Ok(Target::Query { query, data })
        }
        _ => Err(keys_or_query()),
    }
}

async fn delete(State(app): State<App>, Who(caller): Who, place: Place) -> Answer {
    let selection = Selection::Keys(vec![place.key.clone()]);
    app.engine().delete_items(&caller, place.collection()?, selection, &WriteOptions::default()).await?;
    Ok(answer::no_content())
}

async fn delete_many(State(app): State<App>, Who(caller): Who, place: Place, body: JsonBody) -> Answer {
    let collection = place.collection()?;
    let selection = match body.required()? {
        Value::Array(keys) => Selection::Keys(keys),
        body => {
            let mut body = object(body, "")?;
            let (keys, query) = (body.shift_remove("keys"), body.shift_remove("query"));
            only(&body, &["keys", "query"])?;
            match (keys, query) {
                (Some(keys), None) => Selection::Keys(array(keys, "keys")?),
                (None, Some(query)) => {
                    Selection::Query(Query::from_json(&query).map_err(|problems| problems.within("query"))?)
                }
                _ => return Err(keys_or_query().into()),
            }
        }
    };
    app.engine().delete_items(&caller, collection, selection, &WriteOptions::default()).await?;
    Ok(answer::no_content())
}

/// The query string of a write shapes its answer.
fn options(query: Map<String, Value>) -> Result<WriteOptions, Problems> {
    let returning = Query::from_json(&Value::Object(query))?;
    Ok(WriteOptions { deletes: Deletes::Allowed, returning: Some(returning), reserve_keys: true })
}

fn one(written: Written) -> Response {
    written.rows.into_iter().next().map_or_else(answer::no_content, |row| answer::data(&row))
}

fn keys_or_query() -> Problems {
    Problem::new(&INVALID_PAYLOAD, "It must be said which items: by `keys` or by `query`, not both.")
        .hint("Send {\"keys\": […]} or {\"query\": {\"filter\": {…}}}.")
        .into()
}

fn object(value: Value, path: &str) -> Result<Record, Problem> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Problem::new(&INVALID_PAYLOAD, format!("Expected an object; got {}.", kind(&other))).at(path)),
    }
}

fn array(value: Value, path: &str) -> Result<Vec<Value>, Problem> {
    match value {
        Value::Array(entries) => Ok(entries),
        other => Err(Problem::new(&INVALID_PAYLOAD, format!("Expected an array; got {}.", kind(&other))).at(path)),
    }
}

fn objects(values: Vec<Value>, path: &str) -> Result<Vec<Record>, Problems> {
    let mut problems = Problems::default();
    let object = |(i, value)| object(value, &format!("{path}[{i}]"));
    let objects = values.into_iter().enumerate().filter_map(|entry| problems.take(object(entry))).collect();
    problems.or(objects)
}

/// Refuses members that mean nothing here, all at once.
fn only(rest: &Record, known: &[&'static str]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for name in rest.keys() {
        let hint = match loggia_model::error::nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Known here: {}.", known.join(", ")),
        };
        problems.push(Problem::new(&INVALID_PAYLOAD, format!("`{name}` is not known here.")).at(name.as_str()).hint(hint));
    }
    problems.or(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
