//! Primary keys as callers write them.

use std::sync::Arc;

use loggia_access::Grants;
use loggia_model::error::FORBIDDEN;
use loggia_model::filter::Test;
use loggia_model::{Collection, Field, Filter, Problem, Scalar};
use serde_json::Value;

/// The field that identifies items; asked of collections that the caller may do something with.
///
/// # Errors
/// That there is none, and what can be done about it.
pub(super) fn primary(collection: &Collection) -> Result<&Arc<Field>, Problem> {
    collection.primary.as_ref().ok_or_else(|| {
        let reason = format!("Items of \"{}\" have no key by which one could be named.", collection.name);
        let hint = match collection.is_view() {
            true => "Read them as a list, with a filter. An administrator can name the field that tells them apart: `special: [\"key\"]` in its `meta`.",
            false => "Read them as a list, with a filter.",
        };
        Problem::new(&FORBIDDEN, reason.clone()).with("reason", reason).hint(hint)
    })
}

/// A key as the database holds it; `None`: no item can have such a key.
pub(super) fn scalar(primary: &Field, key: &Value) -> Option<Scalar> {
    let column = primary.column.as_ref()?;
    let plain = matches!(key, Value::String(_) | Value::Number(_));
    plain.then(|| primary.ty.parse(key, column).ok()).flatten()
}

/// A key as it is answered.
pub(super) fn value(primary: &Field, key: &Scalar) -> Value {
    primary.ty.print(key.clone())
}

/// A key as text, the same for all ways of writing it.
pub(super) fn text(primary: &Field, key: &Scalar) -> String {
    match value(primary, key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The items with these keys.
pub(super) fn among(primary: &Arc<Field>, keys: Vec<Scalar>) -> Filter {
    Filter::field(
        primary,
        match keys.len() {
            1 => keys.into_iter().next().map_or(Test::In(Vec::new()), Test::Equal),
            _ => Test::In(keys),
        },
    )
}

/// Keys that no item has: looks like every denial, and names them only to those who may know of the collection.
pub(super) fn missing(grants: &Grants, collection: &Collection, keys: &[String]) -> Problem {
    let problem = Problem::forbidden();
    if keys.is_empty() || !grants.sees(collection) {
        return problem;
    }
    const MOST: usize = 20;
    let named = keys
        .iter()
        .take(MOST)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = match keys.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "`{}` has no item with the key {named}{more}. Nothing was changed.",
        collection.name
    );
    Problem::new(&FORBIDDEN, problem.message).hint(text)
}
