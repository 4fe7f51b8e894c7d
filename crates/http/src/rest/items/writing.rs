//! Writing items: one or many, by keys or by query.

use axum::extract::State;
use axum::response::Response;
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions, Written};
use loggia_model::error::{INVALID_PAYLOAD, ROUTE_NOT_FOUND};
use loggia_model::{Problem, Problems, Query, Record};
use serde_json::{Map, Value};

use super::shapes::{array, object, objects, only};
use super::{Answer, Place};
use crate::App;
use crate::answer;
use crate::body::JsonBody;
use crate::query_string::QueryString;
use crate::who::Who;

pub(super) async fn create(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    if place.is_singleton(&app) {
        let hint = "Write the item of a singleton with PATCH.";
        return Err(
            Problem::new(&ROUTE_NOT_FOUND, "A singleton has no list to add to.")
                .hint(hint)
                .into(),
        );
    }
    let options = options(query)?;
    let collection = place.collection()?;
    match body.required()? {
        Value::Array(rows) => {
            let rows = objects(rows, "")?;
            let written = app
                .engine()
                .create_items(&caller, collection, rows, &options)
                .await?;
            Ok(answer::data(&written.rows))
        }
        row => {
            let row = object(row, "")?;
            let written = app
                .engine()
                .create_items(&caller, collection, vec![row], &options)
                .await?;
            Ok(one(written))
        }
    }
}

pub(super) async fn update(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let options = options(query)?;
    let data = object(body.required()?, "")?;
    let target = Target::Keys {
        keys: vec![place.key.clone()],
        data,
    };
    Ok(one(app
        .engine()
        .update_items(&caller, place.collection()?, target, &options)
        .await?))
}

pub(super) async fn update_many(
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
        return Ok(one(app
            .engine()
            .upsert_singleton(&caller, collection, data, &options)
            .await?));
    }
    let target = match body {
        Value::Array(rows) => Target::Each(objects(rows, "")?),
        body => batch_update(object(body, "")?)?,
    };
    let written = app
        .engine()
        .update_items(&caller, collection, target, &options)
        .await?;
    Ok(answer::data(&written.rows))
}

/// `{keys, data}` or `{query, data}`.
fn batch_update(mut body: Record) -> Result<Target, Problems> {
    let (keys, query, data) = (
        body.shift_remove("keys"),
        body.shift_remove("query"),
        body.shift_remove("data"),
    );
    only(&body, &["keys", "query", "data"])?;
    let data = data.ok_or_else(|| {
        Problem::new(&INVALID_PAYLOAD, "What to change is missing.")
            .at("data")
            .hint("Send {keys, data} or {query, data}.")
    })?;
    let data = object(data, "data")?;
    match (keys, query) {
        (Some(keys), None) => Ok(Target::Keys {
            keys: array(keys, "keys")?,
            data,
        }),
        (None, Some(query)) => {
            let query = Query::from_json(&query).map_err(|problems| problems.within("query"))?;
            Ok(Target::Query { query, data })
        }
        _ => Err(keys_or_query()),
    }
}

pub(super) async fn delete(State(app): State<App>, Who(caller): Who, place: Place) -> Answer {
    let selection = Selection::Keys(vec![place.key.clone()]);
    app.engine()
        .delete_items(&caller, place.collection()?, selection, &WriteOptions::default())
        .await?;
    Ok(answer::no_content())
}

pub(super) async fn delete_many(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    body: JsonBody,
) -> Answer {
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
    app.engine()
        .delete_items(&caller, collection, selection, &WriteOptions::default())
        .await?;
    Ok(answer::no_content())
}

/// The query string of a write shapes its answer.
fn options(query: Map<String, Value>) -> Result<WriteOptions, Problems> {
    let returning = Query::from_json(&Value::Object(query))?;
    Ok(WriteOptions {
        deletes: Deletes::Allowed,
        returning: Some(returning),
        reserve_keys: true,
    })
}

fn one(written: Written) -> Response {
    written
        .rows
        .into_iter()
        .next()
        .map_or_else(answer::no_content, |row| answer::data(&row))
}

fn keys_or_query() -> Problems {
    Problem::new(
        &INVALID_PAYLOAD,
        "It must be said which items: by `keys` or by `query`, not both.",
    )
    .hint("Send {\"keys\": […]} or {\"query\": {\"filter\": {…}}}.")
    .into()
}
