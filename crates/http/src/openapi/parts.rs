//! Pieces that every operation is made of.

use loggia_model::Record;
use serde_json::{Map, Value, json};

/// `200` with `{data, meta?}`, or a problem.
pub(super) fn answer(data: Value) -> Value {
    json!({
        "200": {"description": "Done.", "content": {"application/json": {"schema": {
            "type": "object", "properties": {"data": data, "meta": {"type": "object"}},
        }}}},
        "default": {"$ref": "#/components/responses/Problem"},
    })
}

/// `204`, or a problem.
pub(super) fn no_content() -> Value {
    json!({"204": {"description": "Done."}, "default": {"$ref": "#/components/responses/Problem"}})
}

/// A JSON body that must be sent.
pub(super) fn body(schema: &Value) -> Value {
    json!({"required": true, "content": {"application/json": {"schema": schema}}})
}

/// References to the parameters of a read of many items, or of one.
pub(super) fn query_parameters(many: bool) -> Value {
    let names: &[&str] = if many {
        &[
            "fields",
            "filter",
            "search",
            "sort",
            "limit",
            "offset",
            "page",
            "aggregate",
            "groupBy",
            "deep",
            "alias",
            "meta",
            "export",
        ]
    } else {
        &["fields", "deep", "alias"]
    };
    names
        .iter()
        .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
        .collect()
}

/// What queries are made of.
pub(super) fn parameters() -> Value {
    let text = |name: &str, description: &str| {
        (
            name.to_owned(),
            json!({"name": name, "in": "query", "description": description, "schema": {"type": "string"}}),
        )
    };
    let number = |name: &str, description: &str, least: i64| {
        let schema = json!({"type": "integer", "minimum": least});
        (
            name.to_owned(),
            json!({"name": name, "in": "query", "description": description, "schema": schema}),
        )
    };
    Value::Object(Map::from_iter([
        text(
            "fields",
            "Fields to return, separated by commas: `*`, `title`, `author.name`, `item:pages.title`.",
        ),
        text(
            "filter",
            "A filter as JSON, or in brackets: `filter[status][_eq]=published`.",
        ),
        text("search", "Text that any text field must contain."),
        text(
            "sort",
            "Fields to sort by, separated by commas; `-` in front: largest first.",
        ),
        number("limit", "At most so many items; -1: all.", -1),
        number("offset", "Skip so many items.", 0),
        number("page", "The page of `limit` items, counted from 1.", 1),
        text("aggregate", "Figures: `aggregate[count]=*`."),
        text("groupBy", "Fields that figures are grouped by."),
        text("deep", "Queries for nested relations, as JSON or in brackets."),
        text("alias", "Other names for fields: `alias[name]=field`."),
        text("meta", "`total_count`, `filter_count` or `*`."),
        text(
            "export",
            "A file instead of this answer: `csv`, `csv_utf8`, `json`, `xml` or `yaml`.",
        ),
    ]))
}

/// Shapes that are the same in every project.
pub(super) fn schemas() -> Record {
    let schemas = json!({
        "Problems": {"type": "object", "required": ["errors"], "properties": {"errors": {"type": "array", "items": {
            "type": "object", "required": ["message", "extensions"], "properties": {
                "message": {"type": "string"},
                "extensions": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
            },
        }}}},
        "BatchUpdate": {"type": "object", "required": ["data"], "properties": {
            "keys": {"type": "array"}, "query": {"type": "object"}, "data": {"type": "object"},
        }},
        "BatchDelete": {"anyOf": [{"type": "array"}, {"type": "object", "properties": {
            "keys": {"type": "array"}, "query": {"type": "object"},
        }}]},
    });
    match schemas {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    }
}
