//! `relations`: how collections belong together, for administrators.

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
use crate::tool::{Call, Tool, companions, object, peek, text};

/// The tool.
pub(super) struct Relations;

impl Tool for Relations {
    fn name(&self) -> &'static str {
        "relations"
    }

    fn description(&self, surface: &Surface) -> Cow<'static, str> {
        let what = "relations. A relation belongs to the field that points: `collection` + `field`";
        let how = [
            (
                Action::Create,
                "`data` with `related_collection`; `meta.one_field` names the list on the other side; for many-to-many \
                 make one relation for each field of the junction collection, with `meta.junction_field` naming the \
                 other; for many-to-any leave `related_collection` null and give `meta.one_allowed_collections` and \
                 `meta.one_collection_field`; missing columns and lists are made",
            ),
            (Action::Delete, "it keeps the column"),
        ];
        definitions::description(surface, what, &how, "")
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.schema_rights
    }

    fn input(&self, surface: &Surface) -> Value {
        let own = json!({"collection": {"type": "string"}, "field": {"type": "string"}});
        definitions::input(surface, own, relation_schema(), Value::Null)
    }

    fn output(&self, surface: &Surface) -> Value {
        definitions::output(surface, "{collection, field, related_collection, schema, meta}")
    }

    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        const COLLECTION: (&str, &str) = ("collection", "The collection that points.");
        const FIELD: (&str, &str) = ("field", "The field that points.");
        let action = peek(given, "action");
        let (needed, unused): (&[_], &[_]) = match action {
            "create" => (&[("data", "Describe the relation there.")], &[]),
            "update" => (
                &[COLLECTION, FIELD, ("data", "What to change: `meta`, `schema`.")],
                &[],
            ),
            "delete" => (&[COLLECTION, FIELD], &[("data", "Leave it out.")]),
            "read" => (&[], &[("data", "Leave it out.")]),
            _ => (&[], &[]),
        };
        let mut problems = companions(given, action, needed, unused);
        let (collection, field) = (peek(given, "collection"), peek(given, "field"));
        match (action, collection.is_empty(), field.is_empty()) {
            ("create", ..) => problems.extend(created(call, given)),
            ("read", true, false) => {
                problems.push(definitions::unplaced_field());
            }
            (_, false, true) => {
                problems.take(call.collection(collection, "collection"));
            }
            (_, false, false) => {
                problems.take(known_relation(call, collection, field));
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

fn relation_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "collection": {"type": "string"},
            "field": {"type": "string"},
            "related_collection": {"type": ["string", "null"], "description": "Pointed to; null for many-to-any."},
            "schema": {
                "type": ["object", "null"],
                "description": "on_delete, on_update: SET NULL, CASCADE, NO ACTION, RESTRICT, SET DEFAULT.",
                "additionalProperties": true,
            },
            "meta": {
                "type": ["object", "null"],
                "description": "one_field, junction_field, sort_field, one_deselect_action (nullify, delete), \
                                one_allowed_collections, one_collection_field",
                "additionalProperties": true,
            },
        },
        "additionalProperties": false,
    })
}

fn read(call: &Call<'_>, given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let (engine, caller) = (call.engine, call.caller);
    let one = |collection: &str, field: &str| engine.read_relation(caller, collection, field);
    let found = definitions::read(call, given, one, |collection| {
        engine.list_relations(caller, collection)
    })?;
    Ok(answer(call, found).finish())
}

/// A relation that exists, by the field that points.
fn known_relation(call: &Call<'_>, collection: &str, field: &str) -> Result<(), Problem> {
    let schema = call.engine.schema();
    call.collection(collection, "collection")?;
    let from_here = || {
        schema
            .relations
            .iter()
            .filter(|relation| relation.many_collection == collection)
    };
    if from_here().any(|relation| relation.many_field == field) {
        return Ok(());
    }
    let shown: String = field.chars().take(60).collect();
    let message = format!("No relation starts at `{shown}` of `{collection}`.");
    let near = error::nearest(field, from_here().map(|relation| relation.many_field.as_str()));
    Err(Problem::new(&error::FORBIDDEN, message)
        .at("field")
        .hint(match near {
            Some(near) => format!("Did you mean `{near}`?"),
            None => {
                "A relation belongs to the field that points, not to the list on the other side.".to_owned()
            }
        }))
}

/// The names that a new relation is made of: each given once, and known.
fn created(call: &Call<'_>, given: &Map<String, Value>) -> Problems {
    let mut problems = Problems::default();
    let inside = |name: &str| {
        given
            .get("data")
            .and_then(|data| data.get(name))
            .and_then(Value::as_str)
    };
    for name in ["collection", "field"] {
        let problem = |message: String| Problem::new(&INVALID_PAYLOAD, message).at(name);
        match (given.get(name).and_then(Value::as_str), inside(name)) {
            (Some(beside), Some(inside)) if beside != inside => {
                let message = format!("`{name}` is given twice, and differently.");
                problems.push(problem(message).hint("Give it once."));
            }
            (None, None) => {
                let message = format!("It is not said which {name} points.");
                problems.push(problem(message).hint("Give `collection` and `field`."));
            }
            _ => {}
        }
    }
    let from = given
        .get("collection")
        .and_then(Value::as_str)
        .or_else(|| inside("collection"));
    for (name, path) in [
        (from, "collection"),
        (inside("related_collection"), "data.related_collection"),
    ] {
        if let Some(name) = name {
            problems.take(call.collection(name, path));
        }
    }
    problems
}

async fn create(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let mut body = object(&mut given, "data").unwrap_or_default();
    for name in ["collection", "field"] {
        if let Some(beside) = text(&mut given, name) {
            body.insert(name.to_owned(), beside.into());
        }
    }
    for member in ["schema", "meta"] {
        body.entry(member).or_insert_with(|| json!({}));
    }
    let made = call
        .engine
        .create_complete_relation(call.caller, Value::Object(body.clone()))
        .await;
    let made = made.map_err(|error| call.refused("data", &error))?;
    Ok(written(call, "created", &body, made))
}

async fn update(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let collection = text(&mut given, "collection").unwrap_or_default();
    let field = text(&mut given, "field").unwrap_or_default();
    let body = object(&mut given, "data").unwrap_or_default();
    let caller = call.caller;
    let changed = call
        .engine
        .update_relation(caller, &collection, &field, Value::Object(body.clone()))
        .await;
    let changed = changed.map_err(|error| call.refused("data", &error))?;
    Ok(written(call, "updated", &body, changed))
}

async fn delete(call: &Call<'_>, mut given: Map<String, Value>) -> Result<ToolResult, CallError> {
    let collection = text(&mut given, "collection").unwrap_or_default();
    let field = text(&mut given, "field").unwrap_or_default();
    let deleted = call
        .engine
        .delete_relation(call.caller, &collection, &field)
        .await;
    deleted.map_err(|error| call.refused("field", &error))?;
    let gone = compact(json!({"collection": collection, "field": field}));
    Ok(definitions::deleted(call, "directus_relations", vec![gone]))
}

fn written(call: &Call<'_>, action: &str, body: &Record, stored: Value) -> ToolResult {
    let mut receipt = ModelReceipt::default();
    receipt.compare("data", body, &stored);
    receipt.count("directus_relations", action, 1);
    let mut envelope = answer(call, vec![stored]);
    envelope.receipt_value(receipt.finish());
    envelope.finish()
}

fn answer(call: &Call<'_>, relations: Vec<Value>) -> Envelope {
    definitions::answer(call, relations, "Read the relations of one collection.")
}
