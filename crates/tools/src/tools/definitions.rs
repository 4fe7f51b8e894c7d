//! What the tools of the data model share: `collections`, `fields` and `relations` read, create, change and delete
//! definitions.

use std::borrow::Cow;

use loggia_access::Action;
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Record};
use serde_json::{Map, Value, json};

use super::model_receipt::{ModelReceipt, compact};
use crate::bounds::{FEWEST_TOKENS, MOST_TOKENS};
use crate::catalogue::{CallError, ToolResult};
use crate::envelope::{self, Envelope};
use crate::surface::{Surface, action_names};
use crate::tool::{Call, REASON, text};

/// What a tool is for, with how each of its actions is called.
pub(super) fn description(
    surface: &Surface,
    what: &str,
    how: &[(Action, &str)],
    more: &str,
) -> Cow<'static, str> {
    let actions = surface.actions();
    let verb = |action: &Action| match action {
        Action::Create => "create",
        Action::Update => "change",
        _ => "delete",
    };
    let mut verbs: Vec<_> = actions
        .iter()
        .filter(|action| **action != Action::Read)
        .map(verb)
        .collect();
    let mut said = match verbs.pop() {
        None => "Read".to_owned(),
        Some(last) => [&["Read"], &*verbs].concat().join(", ") + " or " + last,
    };
    said += &format!(" {what}.");
    for (action, how) in how.iter().filter(|(action, _)| actions.contains(action)) {
        said += &format!(" {}: {how}.", action.name());
    }
    if surface.switches.writes() && !more.is_empty() {
        said += &format!(" {more}");
    }
    said.into()
}

/// The arguments: `own` ones, what all of these tools take, and the definitions to write.
pub(super) fn input(surface: &Surface, own: Value, data: Value, defs: Value) -> Value {
    let mut properties = json!({"action": {"type": "string", "enum": action_names(&surface.actions())}});
    if let (Some(properties), Value::Object(own)) = (properties.as_object_mut(), own) {
        properties.extend(own);
    }
    properties["max_tokens"] = json!({"type": "integer", "minimum": FEWEST_TOKENS, "maximum": MOST_TOKENS});
    let mut input = json!({
        "type": "object",
        "properties": properties,
        "required": ["action"],
        "additionalProperties": false,
    });
    if surface.switches.writes() {
        input["properties"]["reason"] = json!({"type": "string", "description": REASON});
        input["properties"]["data"] = data;
        if !defs.is_null() {
            input["$defs"] = defs;
        }
    }
    input
}

/// Definitions of this shape.
pub(super) fn output(surface: &Surface, shape: &str) -> Value {
    let row = format!("{shape}; members that are null are left out of meta and schema.");
    envelope::schema(&row, surface.switches.writes())
}

/// The definitions of the project's own collections.
pub(super) fn of_project(definitions: Vec<Value>) -> Vec<Value> {
    let name = |definition: &Value| {
        let name = definition.get("collection").and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    };
    let own = |definition: &Value| !loggia_model::system::is_reserved(&name(definition));
    definitions.into_iter().filter(own).collect()
}

/// The definition that `collection` and `field` name, or all of a collection, or all of the project.
pub(super) fn read(
    call: &Call<'_>,
    mut given: Map<String, Value>,
    one: impl Fn(&str, &str) -> Result<Value, loggia_engine::Error>,
    list: impl Fn(Option<&str>) -> Result<Vec<Value>, loggia_engine::Error>,
) -> Result<Vec<Value>, CallError> {
    let found = match (text(&mut given, "collection"), text(&mut given, "field")) {
        (Some(collection), Some(field)) => one(&collection, &field).map(|one| vec![one]),
        (Some(collection), None) => list(Some(&collection)),
        (None, _) => list(None).map(of_project),
    };
    found.map_err(|error| call.refused("", &error))
}

/// A field is named without its collection.
pub(super) fn unplaced_field() -> Problem {
    let problem = Problem::new(&INVALID_PAYLOAD, "A field is named, but not its collection.");
    problem.at("collection").hint("Give both.")
}

/// The definitions, as far as there is room; else `hint` says how to get at the rest.
pub(super) fn answer(call: &Call<'_>, definitions: Vec<Value>, hint: &str) -> Envelope {
    let rows: Vec<_> = definitions.into_iter().map(compact).collect();
    let total = rows.len();
    let mut envelope = Envelope::of(rows, call.bounds);
    if envelope.returned() < total {
        envelope.note("total", total);
        envelope.note("hint", hint);
    }
    envelope
}

/// What is gone, as rows of one of the collections that hold the model.
pub(super) fn deleted(call: &Call<'_>, collection: &str, gone: Vec<Record>) -> ToolResult {
    let mut receipt = ModelReceipt::default();
    receipt.count(collection, "deleted", gone.len());
    let mut envelope = Envelope::of(gone, call.bounds);
    envelope.receipt_value(receipt.finish());
    envelope.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::Switches;

    #[test]
    fn only_what_can_be_done_is_described() {
        let check = |switches: Switches, expect: &str| {
            let surface = Surface {
                switches,
                ..Surface::default()
            };
            let how = [
                (Action::Read, "`keys`"),
                (Action::Delete, "`keys`"),
                (Action::Update, "`data`"),
            ];
            assert_eq!(description(&surface, "fields", &how, "Be careful."), expect);
        };
        let reads = Switches::default();
        let writes = Switches {
            address_writes: true,
            token_writes: true,
            ..reads
        };
        let deletes = Switches {
            deletes: true,
            ..writes
        };
        check(reads, "Read fields. read: `keys`.");
        check(
            writes,
            "Read, create or change fields. read: `keys`. update: `data`. Be careful.",
        );
        check(
            deletes,
            "Read, create, change or delete fields. read: `keys`. delete: `keys`. update: `data`. Be careful.",
        );
    }
}
