//! `collections`: tables and folders, for administrators.

use std::borrow::Cow;

use loggia_access::Action;
use loggia_model::{Problems, Record};
use serde_json::{Map, Value, json};

use super::definitions;
use super::fields::field_schema;
use super::model_receipt::{ModelReceipt, compact};
use crate::catalogue::{BoxFuture, CallError, ToolResult};
use crate::envelope::Envelope;
use crate::surface::Surface;
use crate::tool::{Call, Tool, array, companions, entries, objects, peek, text};

/// The tool.
pub(super) struct Collections;

impl Tool for Collections {
    fn name(&self) -> &'static str {
        "collections"
    }

    fn description(&self, surface: &Surface) -> Cow<'static, str> {
        let how = [
            (
                Action::Create,
                "`data` with `fields`; a primary key `id` is added when none is given; `schema: null` makes a folder",
            ),
            (Action::Update, "`data` with `collection` and `meta`"),
            (Action::Delete, "`keys`; it takes all items along"),
            (Action::Read, "`keys`, or your own collections"),
        ];
        let what = "collections (tables, or folders that group them)";
        definitions::description(surface, what, &how, "Connect collections with `relations`.")
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.schema_rights
    }

    fn input(&self, surface: &Surface) -> Value {
        let keys = json!({"keys": {
            "type": "array",
            "description": "Names of collections.",
            "items": {"type": "string"},
        }});
        let data = json!({"anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/collection"}},
            {"$ref": "#/$defs/collection"},
        ]});
        let defs = json!({"collection": collection_schema(), "field": field_schema(&["field", "type"])});
        definitions::input(surface, keys, data, defs)
    }

    fn output(&self, surface: &Surface) -> Value {
        definitions::output(surface, "{collection, meta, schema}")
    }

    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let action = peek(given, "action");
        let (needed, unused): (&[_], &[_]) = match action {
            "create" => (
                &[("data", "Describe the collections there.")],
                &[("keys", "The names of new collections stand in `data`.")],
            ),
            "update" => (
                &[("data", "[{\"collection\": …, \"meta\": {…}}]")],
                &[("keys", "Name each collection in its object in `data`.")],
            ),
            "delete" => (
                &[("keys", "Name the collections to delete.")],
                &[("data", "Leave it out.")],
            ),
            "read" => (&[], &[("data", "Leave it out, or say `create` or `update`.")]),
            _ => (&[], &[]),
        };
        let mut problems = companions(given, action, needed, unused);
        let mut known = |name: Option<&Value>, path: String| {
            if let Some(name) = name.and_then(Value::as_str) {
                problems.take(call.collection(name, &path));
            }
        };
        match action {
            "read" | "delete" => {
                for (path, key) in entries(given, "keys") {
                    known(Some(key), path);
                }
            }
            "update" => {
                for (path, body) in entries(given, "data") {
                    known(body.get("collection"), format!("{path}.collection"));
                }
            }
            _ => {}
        }
        problems
    }

    fn run<'a>(
        &'a self,
        call: Call<'a>,
        mut arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            match text(&mut arguments, "action").unwrap_or_default().as_str() {
                "create" => create(&call, arguments).await,
                "update" => update(&call, arguments).await,
                "delete" => delete(&call, arguments).await,
                _ => read(&call, arguments),
            }
        })
    }
}

fn collection_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "collection": {"type": "string", "description": "Its name, e.g. blog_posts."},
            "fields": {"type": "array", "items": {"$ref": "#/$defs/field"}},
            "meta": {
                "type": ["object", "null"],
                "description": "note, icon, color, hidden, singleton, sort_field, archive_field, archive_value, \
                                unarchive_value, group, display_template, …",
                "additionalProperties": true,
            },
            "schema": {
                "type": ["object", "null"],
                "description": "{} for a table, null for a folder.",
                "additionalProperties": true,
            },
        },
        "required": ["collection"],
        "additionalProperties": false,
    })
}

fn read(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let caller = call.caller;
    let Some(keys) = array(&mut given, "keys") else {
        let listed = call
            .engine
            .list_collections(caller)
            .map_err(|error| call.refused("", &error))?;
        return Ok(answer(call, definitions::of_project(listed)).finish());
    };
    let mut rows = Vec::new();
    for key in keys.iter().filter_map(Value::as_str) {
        rows.push(
            call.engine
                .read_collection(caller, key)
                .map_err(|error| call.refused("", &error))?,
        );
    }
    Ok(answer(call, rows).finish())
}

async fn create(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let mut bodies = objects(&mut given, "data").unwrap_or_default();
    for body in &mut bodies {
        // Without a word on `schema` a table is meant; `null` is the word for a folder.
        body.entry("schema").or_insert_with(|| json!({}));
        body.entry("meta").or_insert_with(|| json!({}));
    }
    let values = bodies.iter().cloned().map(Value::Object).collect();
    let made = call.engine.create_collections(call.caller, values).await;
    let made = made.map_err(|error| call.refused("data", &error))?;
    let mut receipt = ModelReceipt::default();
    let mut columns = 0;
    for (i, (body, stored)) in bodies.iter().zip(&made).enumerate() {
        let path = format!("data[{i}]");
        let mut alone = body.clone();
        let fields = alone.shift_remove("fields");
        receipt.compare(&path, &alone, stored);
        columns += compare_fields(call, &mut receipt, &path, stored, fields.as_ref())?;
    }
    receipt.count("directus_collections", "created", made.len());
    receipt.count("directus_fields", "created", columns);
    let mut envelope = answer(call, made);
    envelope.receipt_value(receipt.finish());
    Ok(envelope.finish())
}

/// Holds the fields of a new collection against what was asked for; answers how many there are.
fn compare_fields(
    call: &Call<'_>,
    receipt: &mut ModelReceipt,
    path: &str,
    stored: &Value,
    asked: Option<&Value>,
) -> Result<usize, CallError> {
    let name = stored
        .get("collection")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if stored.get("schema").is_none_or(Value::is_null) {
        return Ok(0);
    }
    let fields = call
        .engine
        .list_fields(call.caller, Some(name))
        .map_err(|error| call.refused("", &error))?;
    let asked: Vec<&Record> = asked
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    for field in &fields {
        let place = asked
            .iter()
            .position(|asked| asked.get("field") == field.get("field"));
        match place {
            Some(place) => {
                let path = format!("{path}.fields[{place}]");
                receipt.compare(&path, asked[place], field);
                receipt.filled_in(&path, asked[place], field);
            }
            None => {
                let name = field.get("field").and_then(Value::as_str).unwrap_or_default();
                receipt.filled_in(&format!("{path}.{name}"), &Record::new(), field);
            }
        }
    }
    Ok(fields.len())
}

async fn update(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let bodies = objects(&mut given, "data").unwrap_or_default();
    let values = bodies.iter().cloned().map(Value::Object).collect();
    let changed = call.engine.update_collections(call.caller, values).await;
    let changed = changed.map_err(|error| call.refused("data", &error))?;
    let mut receipt = ModelReceipt::default();
    for (i, (body, stored)) in bodies.iter().zip(&changed).enumerate() {
        receipt.compare(&format!("data[{i}]"), body, stored);
    }
    receipt.count("directus_collections", "updated", changed.len());
    let mut envelope = answer(call, changed);
    envelope.receipt_value(receipt.finish());
    Ok(envelope.finish())
}

async fn delete(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let keys = array(&mut given, "keys").unwrap_or_default();
    let names: Vec<String> = keys
        .iter()
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect();
    let deleted = call.engine.delete_collections(call.caller, &names).await;
    deleted.map_err(|error| call.refused("keys", &error))?;
    let gone = names.into_iter();
    let gone = gone.map(|name| Record::from_iter([("collection".to_owned(), name.into())]));
    Ok(definitions::deleted(call, "directus_collections", gone.collect()))
}

/// The definitions, as far as there is room; `next` names the others.
fn answer(call: &Call<'_>, rows: Vec<Value>) -> Envelope {
    let name = |row: &Record| row.get("collection").cloned().unwrap_or_default();
    let rows: Vec<_> = rows.into_iter().map(compact).collect();
    let names: Vec<_> = rows.iter().map(name).collect();
    let mut envelope = Envelope::of(rows, call.bounds);
    if envelope.returned() < names.len() {
        envelope.note("total", names.len());
        let rest: Vec<_> = names.into_iter().skip(envelope.returned()).collect();
        envelope.note("next", json!({"action": "read", "keys": rest}));
    }
    envelope
}
