//! Reading items: a page, the item of a singleton, one item by its key.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use loggia_access::Caller;
use loggia_model::{Problem, Query, Record};
use serde_json::{Map, Value, json};

use super::shapes::{array, object, only};
use super::{Answer, Place, export, precondition};
use crate::App;
use crate::answer;
use crate::body::JsonBody;
use crate::query_string::QueryString;
use crate::who::Who;

pub(super) async fn list(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
) -> Answer {
    answer_list(&app, &caller, &place, Query::from_json(&Value::Object(query))?).await
}

/// SEARCH: the query is in the body, so that it can be of any length.
pub(super) async fn search(State(app): State<App>, Who(caller): Who, place: Place, body: JsonBody) -> Answer {
    let collection = place.known(&app, &caller).await?;
    let mut body = object(body.required()?, "")?;
    let query = body.shift_remove("query").unwrap_or_else(|| json!({}));
    let keys = body.shift_remove("keys");
    only(&body, &["query", "keys"])?;
    let mut query = Query::from_json(&query).map_err(|problems| problems.within("query"))?;
    if let Some(keys) = keys {
        let schema = app.engine().schema();
        let primary = schema
            .collection(collection)
            .and_then(|collection| collection.primary.clone());
        let primary = primary.ok_or_else(Problem::forbidden)?;
        let only = json!({ primary.name.as_str(): {"_in": array(keys, "keys")?} });
        query.filter = Some(match query.filter.take() {
            Some(filter) => json!({"_and": [filter, only]}),
            None => only,
        });
    }
    answer_list(&app, &caller, &place, query).await
}

async fn answer_list(app: &App, caller: &Caller, place: &Place, mut query: Query) -> Answer {
    let collection = place.collection()?;
    let file = query
        .export
        .take()
        .map(|name| export::format(&name))
        .transpose()?;
    if place.is_singleton(app) && query.aggregate.is_empty() {
        let item = app.engine().read_singleton(caller, collection, query).await?;
        return Ok(match file {
            Some(format) => export::file(format, collection, &[item]),
            None => tag(app, collection, &item),
        });
    }
    let page = app.engine().read_items(caller, collection, query).await?;
    if let Some(format) = file {
        return Ok(export::file(format, collection, &page.rows));
    }
    if page.total_count.is_none() && page.filter_count.is_none() {
        return Ok(answer::data(&page.rows));
    }
    let mut meta = Map::new();
    meta.extend(
        page.total_count
            .map(|count| ("total_count".to_owned(), count.into())),
    );
    meta.extend(
        page.filter_count
            .map(|count| ("filter_count".to_owned(), count.into())),
    );
    Ok(answer::json(
        StatusCode::OK,
        &json!({"meta": meta, "data": page.rows}),
    ))
}

pub(super) async fn read(
    State(app): State<App>,
    Who(caller): Who,
    place: Place,
    QueryString(query): QueryString,
) -> Answer {
    let query = Query::from_json(&Value::Object(query))?;
    let collection = place.collection()?;
    let item = app
        .engine()
        .read_item(&caller, collection, &place.key, query)
        .await?;
    Ok(tag(&app, collection, &item))
}

/// One item, with its tag where it was read with `_rev`.
fn tag(app: &App, collection: &str, item: &Record) -> Response {
    let schema = app.engine().schema();
    let known = schema.collection(collection).map(AsRef::as_ref);
    precondition::tagged(answer::data(item), known, item)
}
