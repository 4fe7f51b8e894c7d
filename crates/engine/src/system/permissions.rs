//! `directus_permissions`: the fields of a collection that exists must exist, and a filter must be one.

use loggia_model::{Problems, Query};
use serde_json::Value;

use crate::items::draft::Draft;
use crate::items::payload::invalid;
use crate::query::{Resolver, suggest};

pub(super) fn check(on: &Resolver<'_>, draft: &Draft) -> Problems {
    let mut problems = Problems::default();
    for name in ["permissions", "validation"] {
        let value = draft
            .sent
            .get(name)
            .filter(|value| !value.is_null() && !value.is_string());
        if value.is_some_and(|value| !value.is_object()) {
            let problem = invalid(format!("`{name}` is a filter, or null."));
            problems.push(
                problem
                    .at(draft.at(name))
                    .hint("Write it as {\"status\": {\"_eq\": \"published\"}}."),
            );
        }
    }
    let Some(name) = draft.sent.get("collection").and_then(Value::as_str) else {
        return problems;
    };
    let Some(collection) = on
        .schema
        .collection(name)
        .filter(|collection| collection.table.is_some())
    else {
        // A permission may come before its collection, as templates bring them; it grants nothing until then.
        return problems;
    };
    if collection.system {
        // System collections grow; a permission may name what an older version does not have yet.
        return problems;
    }
    let known: Vec<_> = collection.fields.keys().map(String::as_str).collect();
    let fields = draft
        .sent
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for (i, field) in fields.enumerate() {
        let unknown = field
            .as_str()
            .filter(|field| *field != "*" && !known.contains(field));
        if let Some(field) = unknown {
            let problem = invalid(format!("There is no field \"{field}\" in collection \"{name}\"."));
            let problem = problem.at(format!("{}[{i}]", draft.at("fields")));
            problems.push(suggest(problem, field, &known, "Fields"));
        }
    }
    if let Some(filter) = draft.sent.get("permissions").filter(|filter| filter.is_object()) {
        let query = Query {
            filter: Some(filter.clone()),
            ..Query::default()
        };
        if let Err(wrong) = on.condition(collection, &query) {
            for problem in wrong.0 {
                let path = problem.path.replacen("filter", &draft.at("permissions"), 1);
                problems.push(problem.at(path));
            }
        }
    }
    problems
}
