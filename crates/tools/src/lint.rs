//! What known clients refuse in the schemas and names of tools, found before it is sent.
//!
//! To add a rule: one check in [`schema`] or [`name`], and its case in the table of tests.

use serde_json::{Map, Value};

use crate::catalogue::{SchemaProfile, ToolDescription};
use crate::schemas::PORTABLE_KEYWORDS;

/// The longest name of a tool: with a server's name in front it still fits into what clients allow (60 to 64).
pub const NAME_CHARACTERS: usize = 40;

/// The longest schema of one tool, in bytes of compact JSON.
pub const SCHEMA_BYTES: usize = 24_000;

const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];

/// Everything that a client may refuse in this tool; empty: it may be sent.
#[must_use]
pub fn tool(tool: &ToolDescription, profile: SchemaProfile) -> Vec<String> {
    let mut findings = name(&tool.name);
    if tool.title.is_empty() || tool.description.is_empty() {
        findings.push("title and description are needed".to_owned());
    }
    let schemas = [
        ("inputSchema", Some(&tool.input_schema)),
        ("outputSchema", tool.output_schema.as_ref()),
    ];
    for (part, written) in schemas {
        let found = written
            .map(|written| schema(written, profile))
            .unwrap_or_default();
        findings.extend(found.into_iter().map(|finding| format!("{part}{finding}")));
    }
    findings
}

/// What is wrong with the name of a tool.
#[must_use]
pub fn name(name: &str) -> Vec<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.is_empty() || name.len() > NAME_CHARACTERS || !name.chars().all(fits) {
        return vec![format!(
            "the name {name:?} is not [a-z0-9_-]{{1,{NAME_CHARACTERS}}}"
        )];
    }
    Vec::new()
}

/// Whether every client takes a property of that name.
pub(crate) fn is_property(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// What is wrong with a schema in that profile; each finding starts with a JSON Pointer (RFC 6901) to its node.
#[must_use]
pub fn schema(written: &Value, profile: SchemaProfile) -> Vec<String> {
    let mut findings = Vec::new();
    let root_is_object = written.get("type").is_some_and(|ty| ty == "object");
    if !root_is_object || !written.get("properties").is_some_and(Value::is_object) {
        findings.push(": the root must be of type object and have properties".to_owned());
    }
    for union in ["anyOf", "oneOf", "allOf", "$ref"] {
        if written.get(union).is_some() {
            findings.push(format!(": {union} at the root"));
        }
    }
    let bytes = written.to_string().len();
    if bytes > SCHEMA_BYTES {
        findings.push(format!(": {bytes} bytes; at most {SCHEMA_BYTES}"));
    }
    Walk {
        root: written,
        profile,
        findings: &mut findings,
    }
    .node(written, "", 0);
    if findings.is_empty()
        && let Err(error) = jsonschema::validator_for(written)
    {
        findings.push(format!(": not a JSON Schema: {error}"));
    }
    findings
}

struct Walk<'a> {
    root: &'a Value,
    profile: SchemaProfile,
    findings: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Value, at: &str, depth: usize) {
        let Some(members) = node.as_object().filter(|members| !members.is_empty()) else {
            return self.find(at, "an empty schema, or none");
        };
        if depth > 16 {
            return self.find(at, "nested deeper than 16 levels");
        }
        match self.profile {
            SchemaProfile::Portable => self.portable(members, at),
            SchemaProfile::Full => self.full(members, at),
        }
        if members.get("type").is_some_and(|ty| ty == "array") && !members.contains_key("items") {
            self.find(at, "an array without items");
        }
        if let Some(Value::Array(values)) = members.get("enum")
            && values.is_empty()
        {
            self.find(at, "an enum without values");
        }
        self.children(members, at, depth);
    }

    fn portable(&mut self, members: &Map<String, Value>, at: &str) {
        let ty = members.get("type").and_then(Value::as_str);
        if !ty.is_some_and(|ty| TYPES.contains(&ty)) {
            self.find(at, "every node needs one explicit type");
        }
        for keyword in members
            .keys()
            .filter(|keyword| !PORTABLE_KEYWORDS.contains(&keyword.as_str()))
        {
            self.find(at, &format!("{keyword} is not portable"));
        }
    }

    fn full(&mut self, members: &Map<String, Value>, at: &str) {
        if !["type", "anyOf", "$ref"]
            .iter()
            .any(|keyword| members.contains_key(*keyword))
        {
            self.find(at, "says nothing of the type");
        }
        if let Some(reference) = members.get("$ref").and_then(Value::as_str)
            && reference
                .strip_prefix('#')
                .is_none_or(|pointer| self.root.pointer(pointer).is_none())
        {
            self.find(at, &format!("{reference} leads nowhere"));
        }
    }

    fn children(&mut self, members: &Map<String, Value>, at: &str, depth: usize) {
        let properties = members.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if !is_property(name) {
                self.find(
                    at,
                    &format!("the property {name:?} is not [A-Za-z0-9_.-]{{1,64}}"),
                );
            }
            self.node(property, &format!("{at}/properties/{name}"), depth + 1);
        }
        for name in members
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if !name
                .as_str()
                .is_some_and(|name| properties.is_some_and(|known| known.contains_key(name)))
            {
                self.find(at, &format!("{name} is required but no property"));
            }
        }
        for keyword in ["items", "additionalProperties", "propertyNames"] {
            match members.get(keyword) {
                None => {}
                Some(Value::Bool(_)) if keyword == "additionalProperties" => {}
                Some(node) => self.node(node, &format!("{at}/{keyword}"), depth + 1),
            }
        }
        for (i, node) in members
            .get("anyOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            self.node(node, &format!("{at}/anyOf/{i}"), depth + 1);
        }
        for (name, node) in members
            .get("$defs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            self.node(node, &format!("{at}/$defs/{name}"), depth + 1);
        }
    }

    fn find(&mut self, at: &str, finding: &str) {
        self.findings.push(format!("{at}: {finding}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_clients_refuse_is_found() {
        use SchemaProfile::{Full, Portable};
        let check = |profile, written: Value, expect: Option<&str>| {
            let found = schema(&written, profile);
            match expect {
                None => assert!(found.is_empty(), "{written}: {found:?}"),
                Some(part) => assert!(found.iter().any(|one| one.contains(part)), "{written}: {found:?}"),
            }
        };
        let with = |node: Value| json!({"type": "object", "properties": {"a": node}});
        check(Portable, with(json!({"type": "string"})), None);
        check(
            Portable,
            with(json!({"type": "object", "additionalProperties": true})),
            None,
        );
        check(
            Portable,
            with(json!({"type": "array", "items": {"type": "integer"}})),
            None,
        );
        check(Portable, json!({"type": "object"}), Some("have properties"));
        check(
            Portable,
            json!({"type": "array", "items": {"type": "string"}}),
            Some("root"),
        );
        check(Portable, with(json!({})), Some("/properties/a: an empty schema"));
        check(Portable, with(json!(true)), Some("an empty schema"));
        check(
            Portable,
            with(json!({"type": ["string", "null"]})),
            Some("one explicit type"),
        );
        check(
            Portable,
            with(json!({"anyOf": [{"type": "string"}]})),
            Some("anyOf is not portable"),
        );
        check(Portable, with(json!({"type": "array"})), Some("without items"));
        check(
            Portable,
            with(json!({"type": "string", "pattern": "x"})),
            Some("pattern is not portable"),
        );
        check(
            Portable,
            with(json!({"type": "string", "enum": []})),
            Some("without values"),
        );
        check(
            Portable,
            json!({"type": "object", "properties": {"größe": {"type": "string"}}}),
            Some("[A-Za-z0-9_.-]"),
        );
        check(
            Portable,
            json!({"type": "object", "properties": {}, "required": ["x"]}),
            Some("no property"),
        );
        check(Full, with(json!({"type": ["string", "null"]})), None);
        check(
            Full,
            with(json!({"anyOf": [{"type": "string"}, {"type": "integer"}]})),
            None,
        );
        check(Full, with(json!({"$ref": "#/$defs/x"})), Some("leads nowhere"));
        check(
            Full,
            with(json!({"description": "What?"})),
            Some("says nothing of the type"),
        );
        check(Full, with(json!({"type": "text"})), Some("not a JSON Schema"));
        let long = with(json!({"type": "string", "description": "x".repeat(SCHEMA_BYTES)}));
        check(Portable, long, Some("bytes; at most"));
        assert!(schema(&json!({"type": "object", "properties": {}, "oneOf": []}), Full)[0].contains("oneOf"));
    }

    #[test]
    fn names_fit_every_client() {
        let check = |given: &str, fits: bool| assert_eq!(name(given).is_empty(), fits, "{given}");
        check("system-prompt", true);
        check("list_article", true);
        check("", false);
        check("Items", false);
        check("a.b", false);
        check(&"a".repeat(40), true);
        check(&"a".repeat(41), false);
    }
}
