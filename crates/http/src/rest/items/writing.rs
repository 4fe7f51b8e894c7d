//! Writing items: one or many, by keys or by query.

use axum::extract::State;
use loggia_access::Caller;
use loggia_engine::items::{Selection, Target};
use loggia_model::error::{INVALID_PAYLOAD, ROUTE_NOT_FOUND};
use loggia_model::{Problem, Problems, Query, Record};
use serde_json::{Value, json};

use super::answering::Answering;
use super::precondition::IfMatch;
use super::shapes::{array, object, objects, only};
use super::{Answer, Place};
use crate::App;
use crate::answer::Refusal;
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
    let collection = place.known(&app, &caller).await?;
    if place.is_singleton(&app) {
        let hint = "Write the item of a singleton with PATCH.";
        return Err(
            Problem::new(&ROUTE_NOT_FOUND, "A singleton has no list to add to.")
                .hint(hint)
                .into(),
        );
    }
    let answering = Answering::of(&app, &caller, collection, query).await?;
    match body.required()? {
        Value::Array(rows) => {
            let rows = objects(rows, "")?;
            let written = app
                .engine()
                .create_items(&caller, collection, rows, &answering.options)
                .await?;
            Ok(answering.many(&written))
        }
        row => {
            let row = object(row, "")?;
            let written = app
                .engine()
                .create_items(&caller, collection, vec![row], &answering.options)
                .await?;
            Ok(answering.one(&written))
        }
    }
}

pub(super) async fn update(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    if_match: IfMatch,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let collection = place.known(&app, &caller).await?;
    let mut answering = Answering::of(&app, &caller, collection, query).await?;
    if_match.demand(&mut answering.options, &place.key);
    let data = object(body.required()?, "")?;
    let target = Target::Keys {
        keys: vec![place.key.clone()],
        data,
    };
    let written = app
        .engine()
        .update_items(&caller, collection, target, &answering.options)
        .await
        .map_err(|error| if_match.refused(error))?;
    Ok(answering.one(&written))
}

pub(super) async fn update_many(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    if_match: IfMatch,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let collection = place.known(&app, &caller).await?;
    let mut answering = Answering::of(&app, &caller, collection, query).await?;
    let body = body.required()?;
    if place.is_singleton(&app) {
        if_match.demand_one(&mut answering.options);
        let data = object(body, "")?;
        keeps_its_key(&app, &caller, collection, &data).await?;
        let written = app
            .engine()
            .upsert_singleton(&caller, collection, data, &answering.options)
            .await
            .map_err(|error| if_match.refused(error))?;
        return Ok(answering.one(&written));
    }
    if_match.is_for_one()?;
    let target = match body {
        Value::Array(rows) => Target::Each(objects(rows, "")?),
        body => batch_update(object(body, "")?)?,
    };
    let written = app
        .engine()
        .update_items(&caller, collection, target, &answering.options)
        .await?;
    Ok(answering.many(&written))
}

/// The one item of a collection has the key that it has.
async fn keeps_its_key(app: &App, caller: &Caller, collection: &str, data: &Record) -> Result<(), Refusal> {
    let schema = app.engine().schema();
    let primary = schema
        .collection(collection)
        .and_then(|collection| collection.primary.clone());
    let Some((primary, given)) = primary.and_then(|key| Some((key.name.clone(), data.get(&key.name)?)))
    else {
        return Ok(());
    };
    let query = Query::from_json(&json!({"fields": [primary.as_str()]}))?;
    let item = app.engine().read_singleton(caller, collection, query).await?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match item.get(&primary).filter(|key| !key.is_null()) {
        Some(key) if text(key) != text(given) => {
            let message = "The item of a singleton keeps its primary key.";
            let problem = Problem::new(&INVALID_PAYLOAD, message).at(primary);
            Err(problem.hint("Leave the key out.").into())
        }
        _ => Ok(()),
    }
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

pub(super) async fn delete(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    if_match: IfMatch,
    QueryString(query): QueryString,
) -> Answer {
    let collection = place.known(&app, &caller).await?;
    let mut answering = Answering::of(&app, &caller, collection, query).await?;
    if_match.demand(&mut answering.options, &place.key);
    let selection = Selection::Keys(vec![place.key.clone()]);
    let written = app
        .engine()
        .delete_items(&caller, collection, selection, &answering.options)
        .await
        .map_err(|error| if_match.refused(error))?;
    Ok(answering.none(&written))
}

pub(super) async fn delete_many(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    if_match: IfMatch,
    QueryString(query): QueryString,
    body: JsonBody,
) -> Answer {
    let collection = place.known(&app, &caller).await?;
    if_match.is_for_one()?;
    let answering = Answering::of(&app, &caller, collection, query).await?;
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
    let written = app
        .engine()
        .delete_items(&caller, collection, selection, &answering.options)
        .await?;
    Ok(answering.none(&written))
}

fn keys_or_query() -> Problems {
    Problem::new(
        &INVALID_PAYLOAD,
        "It must be said which items: by `keys` or by `query`, not both.",
    )
    .hint("Send {\"keys\": […]} or {\"query\": {\"filter\": {…}}}.")
    .into()
}
