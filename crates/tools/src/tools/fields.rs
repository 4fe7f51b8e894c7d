//! `fields`: the fields of collections, for administrators.

use std::borrow::Cow;

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems, Record, error};
use serde_json::{Map, Value, json};

use super::model_receipt::{ModelReceipt, compact};
use crate::bounds::{FEWEST_TOKENS, MOST_TOKENS};
use crate::catalogue::{Annotations, BoxFuture, CallError, ToolResult};
use crate::envelope::{self, Envelope};
use crate::tool::{Call, REASON, Surface, Tool, action_names, companions, entries, objects, peek, text};

/// The tool.
pub(super) struct Fields;

impl Tool for Fields {
    fn name(&self) -> &'static str {
        "fields"
    }

    fn title(&self) -> &'static str {
        "Fields"
    }

    fn description(&self, _: &Surface) -> Cow<'static, str> {
        "Read, create, change or delete fields of a collection. create, update: `collection` + `data`, with `field` in \
         each object; an update changes only what it names. delete: `collection` + `field`; its values go with it. \
         read: `collection`, `field` for one. For a field that points to another collection, see `relations`.".into()
    }

    fn annotations(&self, surface: &Surface) -> Annotations {
        surface.annotations()
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.schema_rights
    }

    fn input(&self, surface: &Surface) -> Value {
        let mut properties = json!({
            "action": {"type": "string", "enum": action_names(&surface.actions())},
            "collection": {"type": "string"},
            "field": {"type": "string"},
            "max_tokens": {"type": "integer", "minimum": FEWEST_TOKENS, "maximum": MOST_TOKENS},
        });
        if surface.switches.writes() {
            properties["reason"] = json!({"type": "string", "description": REASON});
            properties["data"] = json!({"anyOf": [
                {"type": "array", "items": {"$ref": "#/$defs/field"}},
                {"$ref": "#/$defs/field"},
            ]});
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": ["action"],
            "additionalProperties": false,
            "$defs": {"field": field_schema(&["field"])},
        })
    }

    fn output(&self) -> Value {
        envelope::schema(
            "{collection, field, type, schema, meta}; members that are null are left out of meta and schema.",
        )
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
                let problem = Problem::new(&INVALID_PAYLOAD, "A field is named, but not its collection.");
                problems.push(problem.at("collection").hint("Give both."));
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

fn read(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let caller = call.caller;
    let rows = match (text(&mut given, "collection"), text(&mut given, "field")) {
        (Some(collection), Some(field)) => vec![
            call.engine
                .read_field(caller, &collection, &field)
                .map_err(|error| call.refused("", &error))?,
        ],
        (collection, _) => {
            let own = collection.is_none();
            let listed = call
                .engine
                .list_fields(caller, collection.as_deref())
                .map_err(|error| call.refused("", &error))?;
            let wanted = |field: &Value| {
                let name = field
                    .get("collection")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                !(own && loggia_model::system::is_reserved(name))
            };
            listed.into_iter().filter(wanted).collect()
        }
    };
    Ok(answer(call, rows).finish())
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
    let row = json!({"collection": collection, "field": field});
    let mut envelope = Envelope::of(vec![compact(row)], call.bounds);
    let mut receipt = ModelReceipt::default();
    receipt.count("directus_fields", "deleted", 1);
    envelope.receipt_value(receipt.finish());
    Ok(envelope.finish())
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

/// The definitions, as far as there is room.
fn answer(call: &Call<'_>, rows: Vec<Value>) -> Envelope {
    let rows: Vec<_> = rows.into_iter().map(compact).collect();
    let total = rows.len();
    let mut envelope = Envelope::of(rows, call.bounds);
    if envelope.returned() < total {
        envelope.note("total", total);
        envelope.note(
            "hint",
            "Read the fields of one collection, or one field; `schema` is shorter.",
        );
    }
    envelope
}
