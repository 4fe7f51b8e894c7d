//! Reads items, as many as fit, and says how to go on.

use loggia_model::{Collection, Record};
use serde_json::{Map, Value, json};

use super::{SELECTS, SHAPES, parsed, primary, selects};
use crate::catalogue::{CallError, ToolResult};
use crate::envelope::Envelope;
use crate::tool::{Call, array, object};

/// How to get at what was too long.
const OMITTED: &str = "Ask for the omitted fields alone, or with a larger `max_tokens`.";

/// A query that is longer than this is not repeated in an answer, in bytes.
const QUERY: usize = 4_000;

pub(super) async fn read(
    call: &Call<'_>,
    collection: &Collection,
    mut given: Map<String, Value>,
) -> Result<ToolResult, CallError> {
    let keys = array(&mut given, "keys");
    let query = object(&mut given, "query").unwrap_or_default();
    if collection.is_singleton() && !query.contains_key("aggregate") {
        return read_singleton(call, collection, keys, query).await;
    }
    if query.contains_key("page") {
        // Where to start is worked out here, so whether it was said twice is too.
        parsed(&query)?;
    }
    let window = Window::of(&query, call.bounds.rows, keys.as_ref().map(Vec::len));
    let mut asked = query.clone();
    window.narrow(&mut asked);
    if let Some(keys) = &keys {
        if collection.primary.is_none() {
            let name = &collection.name;
            let message = format!("Items of `{name}` have no key by which one could be named.");
            let problem =
                loggia_model::Problem::new(&loggia_model::error::INVALID_PAYLOAD, message).at("keys");
            return Err(problem.hint("Use `query.filter`.").into());
        }
        only_keys(&mut asked, primary(collection), keys);
    }
    let asked_query = parsed(&asked)?;
    let page = call
        .engine
        .read_items(call.caller, &collection.name, asked_query)
        .await;
    let mut rows = page.map_err(|error| call.refused("query", &error))?.rows;
    let more = rows.len() as u64 > window.limit;
    rows.truncate(usize::try_from(window.limit).unwrap_or(usize::MAX));
    let found = rows.len();
    let mut envelope = Envelope::of(rows, call.bounds);
    if more {
        envelope.truncated();
    }
    if envelope.is_truncated() {
        if !query.contains_key("aggregate") && (window.ours || envelope.returned() < found) {
            let total = count(call, collection, &asked).await?;
            envelope.note("total", total);
        }
        if let Some(next) = window.next(&query, envelope.returned(), more || envelope.returned() < found) {
            envelope.note("next", next);
        }
        if envelope.has_omitted() {
            envelope.note("hint", OMITTED);
        }
    }
    if let Some(keys) = keys.filter(|keys| found < keys.len() && !more && !selects(&query)) {
        let missing = missing(call, collection, &keys).await?;
        if !missing.is_empty() {
            envelope.note("missing", missing);
        }
    }
    Ok(envelope.finish())
}

async fn read_singleton(
    call: &Call<'_>,
    collection: &Collection,
    keys: Option<Vec<Value>>,
    mut query: Record,
) -> Result<ToolResult, CallError> {
    if keys.is_some() {
        return Err(super::singleton_problem("keys").into());
    }
    query.retain(|name, _| SHAPES.contains(&name.as_str()));
    let row = call
        .engine
        .read_singleton(call.caller, &collection.name, parsed(&query)?)
        .await;
    let row = row.map_err(|error| call.refused("query", &error))?;
    let mut envelope = Envelope::of(vec![row], call.bounds);
    if envelope.has_omitted() {
        envelope.note("hint", OMITTED);
    }
    Ok(envelope.finish())
}

/// Which part of the matching rows a read shows.
struct Window {
    offset: u64,
    /// Rows to show at most.
    limit: u64,
    /// What the caller asked for, if it was a number.
    wanted: Option<u64>,
    /// Whether the limit is ours, and less than what was asked for.
    ours: bool,
}

impl Window {
    fn of(query: &Record, most: u64, keys: Option<usize>) -> Self {
        let number = |name: &str| query.get(name).and_then(Value::as_u64);
        let wanted = number("limit");
        let limit = wanted.unwrap_or(most).min(most);
        let page = number("page").unwrap_or(1).saturating_sub(1);
        let size = wanted.unwrap_or(most);
        let all_by_key = keys.is_some_and(|keys| keys as u64 <= limit);
        Self {
            offset: number("offset")
                .unwrap_or_else(|| page.saturating_mul(size))
                .min(i64::MAX.unsigned_abs()),
            limit,
            wanted,
            ours: wanted.is_none_or(|wanted| wanted > limit) && !all_by_key,
        }
    }

    /// Asks for one row more than is shown, to know whether there is one.
    fn narrow(&self, query: &mut Record) {
        query.shift_remove("page");
        query.insert("limit".to_owned(), self.limit.saturating_add(1).into());
        query.insert("offset".to_owned(), self.offset.into());
    }

    /// The arguments that continue after `returned` rows; `None`: the rows are all there.
    fn next(&self, query: &Record, returned: usize, more: bool) -> Option<Value> {
        if !more {
            return None;
        }
        let returned = returned as u64;
        let mut next = query.clone();
        next.shift_remove("page");
        next.insert("offset".to_owned(), self.offset.saturating_add(returned).into());
        if let Some(wanted) = self.wanted {
            let left = if returned < wanted {
                wanted - returned
            } else {
                wanted
            };
            next.insert("limit".to_owned(), left.into());
        }
        if Value::from(next.clone()).to_string().len() > QUERY {
            next.retain(|name, _| matches!(name.as_str(), "offset" | "limit"));
        }
        Some(json!({"query": next}))
    }
}

fn only_keys(query: &mut Record, primary: &str, keys: &[Value]) {
    let only = json!({ primary: {"_in": keys} });
    let filter = match query.shift_remove("filter") {
        Some(filter) => json!({"_and": [filter, only]}),
        None => only,
    };
    query.insert("filter".to_owned(), filter);
}

/// How many rows match.
async fn count(call: &Call<'_>, collection: &Collection, query: &Record) -> Result<Value, CallError> {
    let mut figures = query.clone();
    figures.retain(|name, _| SELECTS.contains(&name.as_str()));
    figures.insert("aggregate".to_owned(), json!({"count": ["*"]}));
    let page = call
        .engine
        .read_items(call.caller, &collection.name, parsed(&figures)?)
        .await;
    let rows = page.map_err(|error| call.refused("query", &error))?.rows;
    let count = rows
        .first()
        .and_then(|row| row.get("count"))
        .cloned()
        .unwrap_or_default();
    // A count may come as text, as large numbers do.
    Ok(count
        .as_str()
        .and_then(|text| text.parse::<u64>().ok())
        .map_or(count, Value::from))
}

/// Those of the keys that no item has.
async fn missing(call: &Call<'_>, collection: &Collection, keys: &[Value]) -> Result<Vec<Value>, CallError> {
    let primary = primary(collection);
    let mut query = Record::new();
    query.insert("fields".to_owned(), json!([primary]));
    query.insert("limit".to_owned(), json!(-1));
    only_keys(&mut query, primary, keys);
    let page = call
        .engine
        .read_items(call.caller, &collection.name, parsed(&query)?)
        .await;
    let rows = page.map_err(|error| call.refused("", &error))?.rows;
    let found: Vec<String> = rows
        .iter()
        .filter_map(|row| row.get(primary))
        .map(key_text)
        .collect();
    let missing = keys.iter().map(key_text).filter(|key| !found.contains(key));
    Ok(missing.take(100).map(Value::from).collect())
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_says_how_to_go_on() {
        let check = |query: Value, returned: usize, ours: bool, expect: Value| {
            let Value::Object(query) = query else {
                panic!("an object")
            };
            let window = Window::of(&query, 100, None);
            assert_eq!(window.ours, ours, "{query:?}");
            assert_eq!(
                window.next(&query, returned, true).unwrap()["query"],
                expect,
                "{query:?}"
            );
        };
        check(json!({}), 100, true, json!({"offset": 100}));
        check(
            json!({"limit": -1, "sort": ["a"]}),
            40,
            true,
            json!({"limit": -1, "sort": ["a"], "offset": 40}),
        );
        check(
            json!({"limit": 25}),
            25,
            false,
            json!({"limit": 25, "offset": 25}),
        );
        check(
            json!({"limit": 25, "offset": 50}),
            10,
            false,
            json!({"limit": 15, "offset": 60}),
        );
        check(
            json!({"limit": 250}),
            100,
            true,
            json!({"limit": 150, "offset": 100}),
        );
        check(
            json!({"limit": 10, "page": 3}),
            10,
            false,
            json!({"limit": 10, "offset": 30}),
        );
        check(
            json!({"search": "x".repeat(9_000)}),
            100,
            true,
            json!({"offset": 100}),
        );
    }

    #[test]
    fn a_window_never_overflows() {
        let query = Record::from_iter([
            ("limit".to_owned(), json!(u64::MAX)),
            ("page".to_owned(), json!(u64::MAX)),
        ]);
        let window = Window::of(&query, 100, None);
        assert_eq!(window.offset, i64::MAX.unsigned_abs());
        assert!(window.next(&query, 100, true).is_some());
    }
}
