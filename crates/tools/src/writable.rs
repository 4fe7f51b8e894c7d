//! The fields that a caller may write, as the arguments of tools list them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use loggia_access::{Action, Grants};
use loggia_model::{Collection, Field, Link, Schema};
use serde_json::{Map, Value, json};

use crate::catalogue::SchemaProfile;
use crate::lint;
use crate::schemas;

/// More fields than this are not listed.
const FIELDS: usize = 80;

/// Longer lists of fields, in bytes of JSON, are not either.
const BYTES: usize = 8_000;

/// A name that fields have in one collection or in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writable {
    name: Arc<str>,
    /// As [`schemas`] reads it; `None`: it is not the same in all collections.
    shape: Option<Value>,
    /// Whether it may be given when an item is created, and when one is changed.
    by: [bool; 2],
}

/// The actions that give values, in the order of [`Writable::by`].
pub(crate) const GIVING: [Action; 2] = [Action::Create, Action::Update];

/// All that may be written somewhere, by name; none where they are too many, or where clients would not take one of
/// the names: a list that lacks some would be taken for the whole.
pub(crate) fn of(grants: &Grants, schema: &Schema, reach: &[Vec<Arc<str>>; 4]) -> Vec<Writable> {
    let mut found: BTreeMap<&str, (Option<Value>, [bool; 2])> = BTreeMap::new();
    let reached = |action: usize, name: &Arc<str>| reach[action].contains(name);
    for collection in schema.collections.values() {
        let name: Arc<str> = collection.name.as_str().into();
        let may = [reached(0, &name), reached(2, &name)];
        for field in collection.fields.values() {
            let gives = |i: usize| may[i] && grants.may_touch(GIVING[i], collection, field);
            let by = [gives(0), gives(1)];
            let Some(shape) = shape(grants, schema, collection, field).filter(|_| by.contains(&true)) else {
                continue;
            };
            match found.entry(field.name.as_str()) {
                Entry::Vacant(free) => {
                    free.insert((Some(shape), by));
                }
                Entry::Occupied(mut known) => {
                    let (known, known_by) = known.get_mut();
                    *known = known.take().filter(|known| *known == shape);
                    *known_by = [known_by[0] || by[0], known_by[1] || by[1]];
                }
            }
        }
        if found.len() > FIELDS {
            return Vec::new();
        }
    }
    let taken = found.keys().all(|name| lint::is_property(name));
    let found = found.into_iter();
    let found = found.map(|(name, (shape, by))| Writable {
        name: name.into(),
        shape,
        by,
    });
    if taken { found.collect() } else { Vec::new() }
}

/// How values of a field are written; `None`: they are not.
fn shape(grants: &Grants, schema: &Schema, collection: &Collection, field: &Field) -> Option<Value> {
    let open = || json!({"type": "object", "additionalProperties": true});
    let nests = |target: &Collection| GIVING.into_iter().any(|action| grants.may(action, target));
    let column = || {
        let written = field.column.as_ref().is_some_and(|column| !column.generated);
        written.then(|| scalar(field))
    };
    match schema.link(&collection.name, &field.name) {
        // A list changes what points here; that it can be replaced whole is nothing to suggest.
        Some(Link::ToMany { target, .. }) => {
            let changes = nests(&target) || grants.may(Action::Delete, &target);
            changes.then(|| json!({"anyOf": [open(), {"type": "array", "items": open()}]}))
        }
        Some(Link::ToOne { target, .. }) if nests(&target) => Some(json!({"anyOf": [column()?, open()]})),
        Some(Link::ToAny { targets, .. }) if targets.iter().any(|target| nests(target)) => {
            Some(json!({"anyOf": [column()?, open()]}))
        }
        _ => column(),
    }
}

/// The type of a value that stands in a column, or none.
fn scalar(field: &Field) -> Value {
    let mut shape = field.ty.json_schema();
    if shape["type"] == "object" {
        shape["additionalProperties"] = true.into();
    }
    let others: &[&str] = match field.ty.name() {
        "json" => &["array", "string", "number", "boolean"],
        "bigInteger" | "decimal" => &["string"],
        _ => &[],
    };
    let ty = shape["type"].take();
    let types = others.iter().map(|name| Value::from(*name));
    shape["type"] = std::iter::once(ty)
        .chain(types)
        .chain([Value::from("null")])
        .collect();
    shape
}

/// What is said of values that are written in one way here and in another there.
fn mixed() -> Value {
    json!({"type": ["string", "number", "boolean", "object", "array", "null"]})
}

/// The fields that these actions give, as properties of an object; `None`: they are not to be listed.
pub(crate) fn properties(fields: &[Writable], actions: [bool; 2], profile: SchemaProfile) -> Option<Value> {
    let listed = fields.iter().filter_map(|field| {
        let mut shape = field.shape.clone().unwrap_or_else(mixed);
        match (actions, field.by) {
            ([true, true], [true, false]) => shape["description"] = "create only".into(),
            ([true, true], [false, true]) => shape["description"] = "update only".into(),
            ([create, update], by) if create && by[0] || update && by[1] => {}
            _ => return None,
        }
        Some((field.name.to_string(), shape))
    });
    let listed: Map<_, _> = listed.collect();
    let compiled = schemas::compile(&json!({"type": "object", "properties": listed}), profile);
    let properties = compiled.get("properties")?;
    let fits = properties.as_object().is_some_and(|listed| !listed.is_empty())
        && properties.to_string().len() <= BYTES;
    fits.then(|| properties.clone())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn fields(names: impl IntoIterator<Item = String>) -> Vec<Writable> {
        let shapes = [
            Some(json!({"type": ["string", "null"]})),
            Some(
                json!({"anyOf": [{"type": ["integer", "null"]}, {"type": "object", "additionalProperties": true}]}),
            ),
            None,
        ];
        let by = [[true, true], [true, false], [false, true]];
        let fields = names
            .into_iter()
            .zip(shapes.into_iter().cycle().zip(by.into_iter().cycle()));
        fields
            .map(|(name, (shape, by))| Writable {
                name: name.into(),
                shape,
                by,
            })
            .collect()
    }

    /// Fields of all shapes, with names of that length.
    pub(crate) fn sample(count: usize, length: usize) -> Vec<Writable> {
        fields((0..count).map(|i| format!("f{i:0width$}", width = length - 1)))
    }

    #[test]
    fn fields_are_those_of_the_actions_that_there_are() {
        let check = |actions: [bool; 2], profile, expect: Value| {
            let listed = properties(&fields(["a", "b", "c"].map(str::to_owned)), actions, profile);
            assert_eq!(listed.unwrap_or_default(), expect, "{actions:?}");
        };
        let portable = SchemaProfile::Portable;
        check(
            [true, true],
            portable,
            json!({
                "a": {"type": "string"},
                "b": {"type": "integer", "description": "create only"},
                "c": {"type": "string", "description": "update only"},
            }),
        );
        check(
            [true, false],
            portable,
            json!({"a": {"type": "string"}, "b": {"type": "integer"}}),
        );
        check(
            [false, true],
            portable,
            json!({"a": {"type": "string"}, "c": {"type": "string"}}),
        );
        check([false, false], portable, Value::Null);
        check(
            [true, false],
            SchemaProfile::Full,
            json!({
                "a": {"type": ["string", "null"]},
                "b": {"anyOf": [{"type": ["integer", "null"]}, {"type": "object", "additionalProperties": true}]},
            }),
        );
    }

    #[test]
    fn long_lists_are_left_out() {
        let listed =
            |length| properties(&sample(FIELDS, length), [true, true], SchemaProfile::Portable).is_some();
        assert!(listed(30) && !listed(64));
    }
}
