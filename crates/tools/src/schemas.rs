//! Compiles the JSON Schemas of tools into the dialect that a client understands.
//!
//! A tool writes one schema, in JSON Schema 2020-12 with `$defs`, `$ref: "#/$defs/…"`, `anyOf` and lists of types. In
//! an `anyOf` and in a list of types the first alternative is the one that the portable profile shows; the server
//! accepts all of them, because arguments are checked against the schema as it was written.

use serde_json::{Map, Value, json};

use crate::catalogue::SchemaProfile;

/// How deep references may lead before the portable profile stops following them.
const DEPTH: usize = 12;

/// Keywords that the portable profile keeps.
pub(crate) const PORTABLE_KEYWORDS: &[&str] = &[
    "type",
    "title",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
];

/// The schema in that profile.
#[must_use]
pub fn compile(written: &Value, profile: SchemaProfile) -> Value {
    match profile {
        SchemaProfile::Full => written.clone(),
        SchemaProfile::Portable => portable(&inline(written), 0),
    }
}

/// The schema without references: each `$ref` is replaced by what it refers to, the keywords beside it win.
#[must_use]
pub fn inline(written: &Value) -> Value {
    let mut inlined = resolve(written, written, 0);
    if let Some(root) = inlined.as_object_mut() {
        root.shift_remove("$defs");
    }
    inlined
}

fn resolve(root: &Value, node: &Value, depth: usize) -> Value {
    match node {
        Value::Array(entries) => entries.iter().map(|entry| resolve(root, entry, depth)).collect(),
        Value::Object(members) => {
            let Some(Value::String(reference)) = members.get("$ref") else {
                let entries = members.iter();
                return entries
                    .map(|(name, value)| (name.clone(), resolve(root, value, depth)))
                    .collect::<Map<_, _>>()
                    .into();
            };
            let target = reference
                .strip_prefix('#')
                .and_then(|pointer| root.pointer(pointer));
            let mut resolved = match target {
                Some(target) if depth < DEPTH => resolve(root, target, depth + 1),
                // Deeper levels stay open; a reference that leads nowhere is left for the lint to find.
                Some(target) => json!({"type": target.get("type").unwrap_or(&Value::from("object"))}),
                None => return node.clone(),
            };
            if let Some(resolved) = resolved.as_object_mut() {
                let beside = members.iter().filter(|(name, _)| *name != "$ref");
                resolved.extend(beside.map(|(name, value)| (name.clone(), resolve(root, value, depth))));
            }
            resolved
        }
        other => other.clone(),
    }
}

fn portable(node: &Value, depth: usize) -> Value {
    let Some(members) = node.as_object() else {
        return node.clone();
    };
    let mut members = members.clone();
    if let Some(Value::Array(alternatives)) = members.shift_remove("anyOf")
        && let Some(Value::Object(first)) = alternatives.first()
    {
        for (name, value) in first {
            members.entry(name).or_insert_with(|| value.clone());
        }
    }
    if let Some(Value::Array(types)) = members.get("type") {
        let first = types.iter().find(|ty| **ty != "null").cloned();
        members.insert("type".to_owned(), first.unwrap_or(Value::Null));
    }
    members.retain(|name, _| PORTABLE_KEYWORDS.contains(&name.as_str()));
    for (name, value) in &mut members {
        match (name.as_str(), &mut *value) {
            ("properties", Value::Object(properties)) => {
                for property in properties.values_mut() {
                    *property = portable(property, depth + 1);
                }
            }
            ("items" | "additionalProperties", Value::Object(_)) => *value = portable(value, depth + 1),
            ("enum", Value::Array(values)) => values.retain(|value| !value.is_null()),
            _ => {}
        }
    }
    if depth == 0 && members.get("type").is_some_and(|ty| ty == "object") {
        members.entry("properties").or_insert_with(|| json!({}));
    }
    members.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_profile_has_one_type_per_node() {
        let check = |written: Value, expect: Value| {
            assert_eq!(compile(&written, SchemaProfile::Portable), expect, "{written}");
            assert_eq!(compile(&written, SchemaProfile::Full), written);
        };
        check(
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}}),
        );
        check(
            json!({"type": "object", "properties": {"key": {"type": ["null", "string", "integer"]}}}),
            json!({"type": "object", "properties": {"key": {"type": "string"}}}),
        );
        check(
            json!({
                "type": "object",
                "properties": {"data": {
                    "description": "Rows.",
                    "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/row"}}, {"$ref": "#/$defs/row"}],
                }},
                "$defs": {"row": {"type": "object", "propertyNames": {"maxLength": 9}, "additionalProperties": true}},
            }),
            json!({"type": "object", "properties": {"data": {
                "description": "Rows.",
                "type": "array",
                "items": {"type": "object", "additionalProperties": true},
            }}}),
        );
        check(
            json!({"type": "object", "properties": {"a": {"type": ["string", "null"], "enum": ["x", null]}}}),
            json!({"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}}),
        );
    }

    #[test]
    fn a_cycle_ends() {
        let written = json!({
            "type": "object",
            "properties": {"child": {"$ref": "#/$defs/node", "description": "Below."}},
            "$defs": {"node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}}},
        });
        let compiled = compile(&written, SchemaProfile::Portable);
        assert!(!compiled.to_string().contains("$ref"));
        assert_eq!(compiled["properties"]["child"]["description"], "Below.");
    }
}
