//! `fields`: the fields of collections, for administrators.

use std::borrow::Cow;

use loggia_access::Action;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems, Record, error};
use serde_json::{Map, Value, json};

use super::definitions;
use super::model_receipt::{ModelReceipt, compact};
use crate::catalogue::{BoxFuture, CallError, ToolResult};
use crate::envelope::Envelope;
use crate::surface::Surface;
use crate::tool::{Call, Tool, companions, entries, objects, peek, text};

/// The tool.
pub(super) struct Fields;

impl Tool for Fields {
    fn name(&self) -> &'static str {
        "fields"
    }

    fn description(&self, surface: &Surface) -> Cow<'static, str> {
        let how = [
            (
                Action::Create,
                "`collection` + `data`, with `field` in each object",
            ),
            (Action::Update, "the same; it changes only what it names"),
            (Action::Delete, "`collection` + `field`; its values go with it"),
            (Action::Read, "`collection`, `field` for one"),
        ];
        let more = "For a field that points to another collection, see `relations`.";
        definitions::description(surface, "fields of a collection", &how, more)
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.schema_rights
    }

    fn input(&self, surface: &Surface) -> Value {
        let own = json!({"collection": {"type": "string"}, "field": {"type": "string"}});
        let data = json!({"anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/field"}},
            {"$ref": "#/$defs/field"},
        ]});
        definitions::input(surface, own, data, json!({"field": field_schema(&["field"])}))
    }

    fn output(&self, surface: &Surface) -> Value {
        definitions::output(surface, "{collection, field, type, schema, meta}")
    }

    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let action = peek(given, "action");
        let needed = match action {
            "create" | "update" => {
                [("collection", "Which collection?"), ("data", "[{\"field\": …}]")].as_slice()
            }
            "delete" => &[("collection", "Which collection?"), ("field", "Which field?")],
            _ => &[],
        };
        let unused = match action {
            "delete" | "read" => [("data", "Leave it out.")].as_slice(),
            "create" => &[("field", "Name new fields in `data`.")],
            _ => &[],
        };
        let mut problems = companions(given, action, needed, unused);
        let collection = peek(given, "collection");
        let field = given.get("field").and_then(Value::as_str);
        if collection.is_empty() {
            if action == "read" && field.is_some() {
                problems.push(definitions::unplaced_field());
            }
            return problems;
        }
        if problems.take(call.collection(collection, "collection")).is_none() {
            return problems;
        }
        if let (Some(field), "read" | "delete") = (field, action) {
            problems.take(known_field(call, collection, field, "field"));
        }
        if action == "update" {
            problems.extend(updated(call, collection, field, given));
        }
        problems
    }

    fn run<'a>(
        &'a self,
        call: Call<'a>,
        mut arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            let action = text(&mut arguments, "action").unwrap_or_default();
            match action.as_str() {
                "create" => create(&call, arguments).await,
                "update" => update(&call, arguments).await,
                "delete" => delete(&call, arguments).await,
                _ => read(&call, arguments),
            }
        })
    }
}

/// One field, as it is created or changed, with what must be given.
pub(super) fn field_schema(required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": {
            "field": {"type": "string"},
            "type": {
                "type": ["string", "null"],
                "description": "Needed to create. string, text, integer, bigInteger, float, decimal, boolean, uuid, date, time, \
                                dateTime, timestamp, json, csv, hash, binary, geometry, alias",
            },
            "schema": {
                "type": ["object", "null"],
                "description": "default_value, is_nullable, is_unique, is_indexed, is_primary_key, \
                                has_auto_increment, max_length, numeric_precision, numeric_scale",
                "additionalProperties": true,
            },
            "meta": {
                "type": ["object", "null"],
                "description": "interface, options (choices: [{text, value}]), special, required, readonly, hidden, \
                                note, sort, width, group, validation, …",
                "additionalProperties": true,
            },
        },
        "required": required,
        "additionalProperties": false,
    })
}

/// The fields that an update names: they exist, and `field` names no other.
fn updated(call: &Call<'_>, collection: &str, field: Option<&str>, given: &Map<String, Value>) -> Problems {
    let mut problems = Problems::default();
    for (path, body) in entries(given, "data") {
        let Some(name) = body.get("field").and_then(Value::as_str) else {
            continue;
        };
        let path = format!("{path}.field");
        if field.is_some_and(|field| field != name) {
            let problem = Problem::new(&INVALID_PAYLOAD, "`field` and `data` name different fields.");
            let hint = "A field cannot be renamed: create another and move the values.";
            problems.push(problem.at(path).hint(hint));
        } else {
            problems.take(known_field(call, collection, name, &path));
        }
    }
    problems
}

/// A field that exists.
fn known_field(call: &Call<'_>, collection: &str, field: &str, path: &str) -> Result<(), Problem> {
    let collection = call.collection(collection, "collection")?;
    if collection.field(field).is_some() {
        return Ok(());
    }
    let near = error::nearest(field, collection.fields.keys().map(String::as_str));
    let shown: String = field.chars().take(60).collect();
    let message = format!(
        "There is no field `{shown}` in `{}`, or you may not use it.",
        collection.name
    );
    Err(Problem::new(&error::FORBIDDEN, message)
        .at(path)
        .hint(match near {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!(
                "Call `schema` with keys [\"{}\"]: it lists the fields.",
                collection.name
            ),
        }))
}

fn read(call: &Call<'_>, given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let (engine, caller) = (call.engine, call.caller);
    let one = |collection: &str, field: &str| engine.read_field(caller, collection, field);
    let found = definitions::read(call, given, one, |collection| {
        engine.list_fields(caller, collection)
    })?;
    Ok(answer(call, found).finish())
}

/// The objects of `data`, their `collection` (if they name it) being the one that is meant.
fn bodies(given: &mut Map<String, Value>) -> Vec<Record> {
    objects(given, "data").unwrap_or_default()
}

async fn create(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let collection = text(&mut given, "collection").unwrap_or_default();
    let bodies = bodies(&mut given);
    let values = bodies.iter().cloned().map(Value::Object).collect();
    let made = call.engine.create_fields(call.caller, &collection, values).await;
    let made = made.map_err(|error| call.refused("data", &error))?;
    Ok(written(call, "created", &bodies, made))
}

async fn update(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let collection = text(&mut given, "collection").unwrap_or_default();
    let bodies = bodies(&mut given);
    let values = bodies.iter().cloned().map(Value::Object).collect();
    let changed = call.engine.update_fields(call.caller, &collection, values).await;
    let changed = changed.map_err(|error| call.refused("data", &error))?;
    Ok(written(call, "updated", &bodies, changed))
}

async fn delete(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let collection = text(&mut given, "collection").unwrap_or_default();
    let field = text(&mut given, "field").unwrap_or_default();
    let deleted = call.engine.delete_field(call.caller, &collection, &field).await;
    deleted.map_err(|error| call.refused("field", &error))?;
    let gone = compact(json!({"collection": collection, "field": field}));
    Ok(definitions::deleted(call, "directus_fields", vec![gone]))
}

fn written(call: &Call<'_>, action: &str, bodies: &[Record], stored: Vec<Value>) -> ToolResult {
    let mut receipt = ModelReceipt::default();
    for (i, body) in bodies.iter().enumerate() {
        let path = format!("data[{i}]");
        if let Some(stored) = stored
            .iter()
            .find(|stored| stored.get("field") == body.get("field"))
        {
            receipt.compare(&path, body, stored);
            if action == "created" {
                receipt.filled_in(&path, body, stored);
            }
        }
    }
    receipt.count("directus_fields", action, stored.len());
    let mut envelope = answer(call, stored);
    envelope.receipt_value(receipt.finish());
    envelope.finish()
}

fn answer(call: &Call<'_>, fields: Vec<Value>) -> Envelope {
    let hint = "Read the fields of one collection, or one field; `schema` is shorter.";
    definitions::answer(call, fields, hint)
}
