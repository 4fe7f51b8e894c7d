//! Pieces that operations are made of. What is the same everywhere stands among the components.

use axum::http::StatusCode;
use axum::http::header::{ETAG, IF_MATCH};
use loggia_model::Record;
use loggia_model::error::ITEM_CHANGED;
use serde_json::{Map, Value, json};

use crate::entrance::{CHANGE, TITLE};
use crate::rest::{RECEIPT, REV};

/// The component that names the change of a request.
pub(super) const CHANGE_TITLE: &str = "ChangeTitle";

/// A reference to a component.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// One of the answers that are components, and a problem; what made a change says which.
pub(super) fn answered(changes: bool, status: &str, name: &str) -> Value {
    let name = if changes {
        format!("Changed{name}")
    } else {
        name.to_owned()
    };
    json!({status: reference("responses", &name), "default": reference("responses", "Problem")})
}

/// `200` with `{data, meta?}`, or a problem.
pub(super) fn answer(data: &Value) -> Value {
    let meta = reference("schemas", "Counts");
    json!({"200": done(&json!({"data": data, "meta": meta})), "default": reference("responses", "Problem")})
}

/// The answer to a read of one item, which has a tag.
pub(super) fn tagged(data: &Value) -> Value {
    let mut answer = answer(data);
    answer["200"]["headers"] = json!({ETAG.as_str(): reference("headers", "ItemTag")});
    answer
}

/// The answers of a write: items as they are now, if there are any that may be read; what became of what was sent, if
/// that was asked for; or nothing.
pub(super) fn written(data: Option<&Value>) -> Value {
    let mut properties = Map::new();
    properties.extend(data.map(|data| ("data".to_owned(), data.clone())));
    properties.insert("meta".to_owned(), reference("schemas", "ReceiptMeta"));
    let mut done = done(&properties.into());
    done["headers"] = change_header();
    json!({
        "200": done,
        "204": reference("responses", "ChangedNothing"),
        "default": reference("responses", "Problem"),
    })
}

/// Adds that what was done meanwhile stands against it.
pub(super) fn add_conflict(responses: &mut Value) {
    responses[ITEM_CHANGED.status.to_string()] = reference("responses", "Conflict");
}

/// Adds that the tag is not the item's any more.
pub(super) fn add_precondition(responses: &mut Value) {
    responses[StatusCode::PRECONDITION_FAILED.as_str()] = reference("responses", "PreconditionFailed");
}

fn done(properties: &Value) -> Value {
    json!({
        "description": "Done.",
        "content": {"application/json": {"schema": {"type": "object", "properties": properties}}},
    })
}

fn change_header() -> Value {
    json!({shown(CHANGE.as_str()): reference("headers", "Change")})
}

/// `loggia-change` as `Loggia-Change`, which is how it is written where people read it.
fn shown(header: &str) -> String {
    let words = header.split('-').map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

/// A JSON body that must be sent.
pub(super) fn body(schema: &Value) -> Value {
    json!({"required": true, "content": {"application/json": {"schema": schema}}})
}

/// Shapes an answer.
const SHAPING: [&str; 3] = ["fields", "deep", "alias"];

/// References to the parameters of a read of many items.
pub(super) fn of_reads() -> Value {
    let names = QUERY.iter().map(|(name, ..)| *name);
    names.map(|name| reference("parameters", name)).collect()
}

/// References to the parameters that shape one item.
pub(super) fn of_one() -> Value {
    SHAPING.iter().map(|name| reference("parameters", name)).collect()
}

/// References to the parameters of a write; of one item that may demand its revision as well.
pub(super) fn of_writes(demands: bool) -> Value {
    let mut names = SHAPING.to_vec();
    names.extend([RECEIPT, CHANGE_TITLE]);
    names.extend(demands.then_some("IfMatch"));
    names
        .into_iter()
        .map(|name| reference("parameters", name))
        .collect()
}

/// What queries are made of: name, meaning, the least number where it is one.
const QUERY: [(&str, &str, Option<i64>); 13] = [
    (
        "fields",
        "Fields to return, separated by commas: `*`, `title`, `author.name`, `item:pages.title`.",
        None,
    ),
    (
        "filter",
        "A filter as JSON, or in brackets: `filter[status][_eq]=published`.",
        None,
    ),
    ("search", "Text that any text field must contain.", None),
    (
        "sort",
        "Fields to sort by, separated by commas; `-` in front: largest first.",
        None,
    ),
    ("limit", "At most so many items; -1: all.", Some(-1)),
    ("offset", "Skip so many items.", Some(0)),
    ("page", "The page of `limit` items, counted from 1.", Some(1)),
    ("aggregate", "Figures: `aggregate[count]=*`.", None),
    ("groupBy", "Fields that figures are grouped by.", None),
    (
        "deep",
        "Queries for nested relations, as JSON or in brackets.",
        None,
    ),
    ("alias", "Other names for fields: `alias[name]=field`.", None),
    ("meta", "`total_count`, `filter_count` or `*`.", None),
    (
        "export",
        "A file instead of this answer: `csv`, `csv_utf8`, `json`, `xml` or `yaml`.",
        None,
    ),
];

/// Parameters in queries and headers.
pub(super) fn parameters() -> Value {
    let parameter = |name: &str, place: &str, description: &str, schema: Value| json!({"name": name, "in": place, "description": description, "schema": schema});
    let text = || json!({"type": "string"});
    let mut parameters = Map::new();
    for (name, description, least) in QUERY {
        let schema = least.map_or_else(text, |least| json!({"type": "integer", "minimum": least}));
        parameters.insert(name.to_owned(), parameter(name, "query", description, schema));
    }
    let receipt = "What was applied, filled in, stored differently and changed, in `meta` of the answer.";
    let receipt = parameter(
        "meta",
        "query",
        receipt,
        json!({"type": "string", "enum": [RECEIPT]}),
    );
    parameters.insert(RECEIPT.to_owned(), receipt);
    let title = "What the change is for; kept with it.";
    let title = parameter(
        &shown(TITLE.as_str()),
        "header",
        title,
        json!({"type": "string", "maxLength": 255}),
    );
    parameters.insert(CHANGE_TITLE.to_owned(), title);
    let tag = format!("The tag that the item must still have, its `{REV}`.");
    let mut tag = parameter(&shown(IF_MATCH.as_str()), "header", &tag, text());
    tag["example"] = "\"5f70bf18a0860070\"".into();
    parameters.insert("IfMatch".to_owned(), tag);
    parameters.into()
}

/// Headers of answers.
pub(super) fn headers() -> Value {
    let tag = format!("The item's `{REV}`, where that is among the `fields` of the query.");
    json!({
        "Change": {"description": "The key of the change that this request made.", "schema": {"type": "string"}},
        "ItemTag": {"description": tag, "schema": {"type": "string"}},
    })
}

/// Answers that are the same everywhere.
pub(super) fn responses() -> Value {
    let object = done(&json!({"data": reference("schemas", "Object")}));
    let list = done(&json!({"data": reference("schemas", "Objects"), "meta": {"type": "object"}}));
    let nothing = json!({"description": "Done."});
    let changed = |answer: &Value| {
        let mut answer = answer.clone();
        answer["headers"] = change_header();
        answer
    };
    let problem = |description: &str| {
        let schema = reference("schemas", "Problems");
        json!({"description": description, "content": {"application/json": {"schema": schema}}})
    };
    json!({
        "Object": object,
        "ChangedObject": changed(&object),
        "List": list,
        "ChangedList": changed(&list),
        "Nothing": nothing,
        "ChangedNothing": changed(&nothing),
        "Text": {"description": "Done.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        "Problem": problem("What is wrong, where, and how to recover."),
        "Conflict": problem(&format!("`{}`: something else changed meanwhile. Nothing was written.", ITEM_CHANGED.name)),
        "PreconditionFailed": problem(&format!(
            "`{}`: the item has not the tag that was demanded. Nothing was written.",
            ITEM_CHANGED.name
        )),
    })
}

/// The member of an item that holds its tag, where it has no field of that name.
pub(super) fn revision() -> Value {
    json!({
        "type": "string",
        "description": "A tag of what is seen of the item, if it is asked for by name; sent back with a change, it must still be the same.",
    })
}

/// Shapes that are the same in every project.
pub(super) fn schemas() -> Record {
    let counts = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    let schemas = json!({
        "Object": {"type": "object"},
        "Objects": {"type": "array", "items": reference("schemas", "Object")},
        "Problems": {"type": "object", "required": ["errors"], "properties": {"errors": {"type": "array", "items": {
            "type": "object", "required": ["message", "extensions"], "properties": {
                "message": {"type": "string"},
                "extensions": {"type": "object", "required": ["code"], "properties": {
                    "code": {"type": "string"}, "path": {"type": "string"}, "hint": {"type": "string"},
                }},
            },
        }}}},
        "Counts": {"type": "object", "properties": {
            "total_count": {"type": "integer"}, "filter_count": {"type": "integer"},
        }},
        "ReceiptMeta": {"type": "object", "properties": {RECEIPT: reference("schemas", "Receipt")}},
        "Receipt": {"type": "object", "properties": {
            "applied": {"type": "array", "items": {"type": "string"}, "description": "Paths written as given."},
            "defaulted": {"type": "object", "description": "Values that were filled in, by path."},
            "coerced": {"type": "array", "description": "Values stored in another form.", "items": {
                "type": "object", "properties": {"path": {"type": "string"}, "from": {}, "to": {}},
            }},
            "changed": {"type": "object", "description": "Rows created, updated and deleted, by collection.", "additionalProperties": counts},
            "change": {"type": ["string", "null"], "description": "The key of the change."},
        }},
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_queries_are_members_of_queries() {
        for (name, ..) in QUERY {
            assert!(loggia_model::query::MEMBERS.contains(&name), "{name}");
        }
        assert!(
            SHAPING
                .iter()
                .all(|name| QUERY.iter().any(|(known, ..)| known == name))
        );
    }

    #[test]
    fn headers_are_written_as_people_read_them() {
        assert_eq!(shown("loggia-change-title"), "Loggia-Change-Title");
        assert_eq!(shown("if-match"), "If-Match");
    }
}
