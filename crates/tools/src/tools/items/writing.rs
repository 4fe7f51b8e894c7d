//! Writes items, and answers with what is stored then.

use std::collections::HashMap;

use loggia_access::Action;
use loggia_engine::items::{Deletes, Selection, Target, WriteOptions, Written};
use loggia_model::error::{INVALID_PAYLOAD, INVALID_QUERY};
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::{Map, Value};

use super::{SELECTS, SHAPES, parsed, primary, selects};
use crate::catalogue::{CallError, ToolResult};
use crate::envelope::Envelope;
use crate::tool::{Call, array, object, objects};

/// What each action needs, and what it cannot use, with the reasons.
pub(super) const CREATE_NEEDS: [(&str, &str); 1] = [("data", "Put the new items there, as objects.")];
pub(super) const CREATE_IGNORES: [(&str, &str); 1] =
    [("keys", "A new item gets its key, or has it in `data`.")];
pub(super) const UPDATE_NEEDS: [(&str, &str); 1] = [("data", "Put the fields to change there.")];
pub(super) const DELETE_NEEDS: [(&str, &str); 1] = [(
    "keys",
    "Name the items to delete; read them first if you only know what they look like.",
)];
pub(super) const DELETE_IGNORES: [(&str, &str); 2] = [
    ("data", "Leave it out."),
    (
        "query",
        "Deleting takes keys only: read the keys with this query, then delete them.",
    ),
];

/// A list of keys that has none is a mistake, whatever else says which items to change.
pub(super) fn no_keys(given: &Map<String, Value>) -> Problems {
    let empty = |keys: &Value| keys.as_array().is_some_and(Vec::is_empty);
    if !given.get("keys").is_some_and(empty) {
        return Problems::default();
    }
    let hint = "Name the items to change, or leave `keys` out and give `query.filter`, or the primary key in each \
                object of `data`.";
    let problem = Problem::new(&INVALID_PAYLOAD, "`keys` is empty: there is nothing to update.");
    problem.at("keys").hint(hint).into()
}

/// What is said of tags belongs to keys.
pub(super) fn revs_of_keys(given: &Map<String, Value>, action: &str) -> Problems {
    let mut problems = Problems::default();
    let Some(Value::Object(revs)) = given.get("revs") else {
        return problems;
    };
    let refused = |message: String, path: String, hint: &str| {
        Problem::new(&INVALID_PAYLOAD, message).at(path).hint(hint)
    };
    if !matches!(action, "update" | "delete") {
        let message = format!("The action `{action}` has no use for `revs`.");
        problems.push(refused(message, "revs".to_owned(), "Leave it out."));
        return problems;
    }
    let keys: Vec<String> = given
        .get("keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(key_text)
        .collect();
    for key in revs.keys().filter(|key| !keys.contains(key)).take(20) {
        let message = format!("`{key}` is not among `keys`.");
        let hint = "Name it in `keys`; where each object of `data` has its own key, put `_rev` beside it.";
        problems.push(refused(message, format!("revs.{key}"), hint));
    }
    problems
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

/// The tags that items must still have, by key.
fn expected(given: &mut Map<String, Value>) -> HashMap<String, String> {
    let revs = object(given, "revs").unwrap_or_default();
    let revs = revs
        .into_iter()
        .filter_map(|(key, rev)| Some((key, rev.as_str()?.to_owned())));
    revs.collect()
}

pub(super) async fn create(
    call: &Call<'_>,
    collection: &Collection,
    mut given: Map<String, Value>,
) -> Result<ToolResult, CallError> {
    if collection.is_singleton() {
        let hint = "It always has its one item: use `update` without keys.";
        let message = format!("`{}` holds a single item.", collection.name);
        return Err(Problem::new(&INVALID_PAYLOAD, message)
            .at("action")
            .hint(hint)
            .into());
    }
    let options = options(call, collection, object(&mut given, "query"), &SHAPES)?;
    let rows = objects(&mut given, "data").unwrap_or_default();
    let written = call
        .engine
        .create_items(call.caller, &collection.name, rows, &options)
        .await;
    let written = written.map_err(|error| call.refused("data", &error))?;
    Ok(answer(call, collection, &written))
}

pub(super) async fn update(
    call: &Call<'_>,
    collection: &Collection,
    mut given: Map<String, Value>,
) -> Result<ToolResult, CallError> {
    let keys = array(&mut given, "keys");
    let query = object(&mut given, "query");
    let by_query = query.as_ref().is_some_and(selects);
    if collection.is_singleton() {
        return update_singleton(call, collection, given, keys, query).await;
    }
    let members: Vec<&str> = if by_query {
        SELECTS.into_iter().chain(SHAPES).collect()
    } else {
        SHAPES.to_vec()
    };
    let mut options = options(call, collection, query.clone(), &members)?;
    options.expect = expected(&mut given);
    let mut rows = objects(&mut given, "data").unwrap_or_default();
    let target = match (keys, by_query) {
        (Some(_), true) => {
            let hint = "Give `keys` for exactly these items, or `query.filter` for every item that matches.";
            let message = "Both `keys` and `query` say which items to change.";
            return Err(Problem::new(&INVALID_PAYLOAD, message)
                .at("query.filter")
                .hint(hint)
                .into());
        }
        (None, false) => Target::Each(each(collection, rows)?),
        (keys, _) => {
            let (Some(data), true) = (rows.pop(), rows.is_empty()) else {
                let hint = "Give one object; or leave `keys` out and put the primary key into each object.";
                let message = "The same change goes to all items: `data` must hold exactly one object.";
                return Err(Problem::new(&INVALID_PAYLOAD, message)
                    .at("data")
                    .hint(hint)
                    .into());
            };
            match keys {
                Some(keys) => Target::Keys { keys, data },
                None => {
                    let mut query = query.unwrap_or_default();
                    query.retain(|name, _| SELECTS.contains(&name.as_str()));
                    Target::Query {
                        query: parsed(&query)?,
                        data,
                    }
                }
            }
        }
    };
    let written = call
        .engine
        .update_items(call.caller, &collection.name, target, &options)
        .await;
    let written = written.map_err(|error| call.refused("data", &error))?;
    Ok(answer(call, collection, &written))
}

/// Rows that each carry their own key.
fn each(collection: &Collection, rows: Vec<Record>) -> Result<Vec<Record>, Problems> {
    let primary = primary(collection);
    let mut problems = Problems::default();
    for (i, row) in rows.iter().enumerate() {
        if row.get(primary).is_none_or(Value::is_null) {
            let message = format!("It is not said which item to change: `{primary}` is missing.");
            let hint =
                format!("Give `keys`, or `query.filter` for every match, or `{primary}` in each object.");
            problems.push(
                Problem::new(&INVALID_PAYLOAD, message)
                    .at(format!("data[{i}].{primary}"))
                    .hint(hint),
            );
        }
    }
    problems.or(rows)
}

async fn update_singleton(
    call: &Call<'_>,
    collection: &Collection,
    mut given: Map<String, Value>,
    keys: Option<Vec<Value>>,
    query: Option<Record>,
) -> Result<ToolResult, CallError> {
    if keys.is_some() {
        return Err(super::singleton_problem("keys").into());
    }
    let options = options(call, collection, query, &SHAPES)?;
    let mut rows = objects(&mut given, "data").unwrap_or_default();
    let (Some(data), true) = (rows.pop(), rows.is_empty()) else {
        return Err(super::singleton_problem("data").into());
    };
    let written = call
        .engine
        .upsert_singleton(call.caller, &collection.name, data, &options)
        .await;
    let written = written.map_err(|error| call.refused("data", &error))?;
    Ok(answer(call, collection, &written))
}

pub(super) async fn delete(
    call: &Call<'_>,
    collection: &Collection,
    mut given: Map<String, Value>,
) -> Result<ToolResult, CallError> {
    let keys = array(&mut given, "keys").unwrap_or_default();
    let mut options = options(call, collection, None, &SHAPES)?;
    options.expect = expected(&mut given);
    let caller = call.caller;
    let written = call
        .engine
        .delete_items(caller, &collection.name, Selection::Keys(keys), &options)
        .await;
    let written = written.map_err(|error| call.refused("", &error))?;
    let primary = primary(collection);
    let rows = written
        .keys
        .iter()
        .map(|key| Record::from_iter([(primary.to_owned(), key.clone())]))
        .collect();
    let mut envelope = Envelope::of(rows, call.bounds);
    envelope.receipt(&written.receipt);
    Ok(envelope.finish())
}

/// How a write is done, and what it answers with.
fn options(
    call: &Call<'_>,
    collection: &Collection,
    query: Option<Record>,
    members: &[&str],
) -> Result<WriteOptions, Problems> {
    let mut query = query.unwrap_or_default();
    let mut problems = Problems::default();
    for name in query.keys().filter(|name| !members.contains(&name.as_str())) {
        let message = format!("A write has no use for `{name}`.");
        let hint = "Here `query` takes `fields`, `deep` and `alias` for the answer; for an update also `filter` and \
                    `search`, which reach every match.";
        problems.push(
            Problem::new(&INVALID_QUERY, message)
                .at(format!("query.{name}"))
                .hint(hint),
        );
    }
    query.retain(|name, _| SHAPES.contains(&name.as_str()));
    query.insert("limit".to_owned(), call.bounds.rows.into());
    let returning = problems.take(parsed(&query)).filter(|_| reads(call, collection));
    let deletes = if call.surface.switches.lets(Action::Delete) {
        Deletes::Allowed
    } else {
        Deletes::Refused
    };
    problems.or(WriteOptions {
        deletes,
        returning,
        ..WriteOptions::default()
    })
}

/// Who may write what they may not read gets a receipt, and no rows.
fn reads(call: &Call<'_>, collection: &Collection) -> bool {
    call.grants.may(Action::Read, collection)
}

/// The rows as they are stored now, and the receipt.
fn answer(call: &Call<'_>, collection: &Collection, written: &Written) -> ToolResult {
    if !reads(call, collection) {
        let mut envelope = Envelope::of(Vec::new(), call.bounds);
        envelope.receipt(&written.receipt);
        return envelope.finish();
    }
    let mut rows = written.rows.clone();
    rows.truncate(usize::try_from(call.bounds.rows).unwrap_or(usize::MAX));
    let shown = rows.len();
    let mut envelope = Envelope::of(rows, call.bounds);
    if envelope.is_truncated() || shown < written.keys.len() {
        envelope.truncated();
        envelope.note("total", written.keys.len());
        envelope.note(
            "hint",
            "All of it is written. Read the rest by its keys, or with a filter, if you need it.",
        );
    }
    envelope.receipt(&written.receipt);
    envelope.finish()
}
