//! Checks the arguments of a call against the schema of its tool, and says everything that is wrong with them.
//!
//! Clients and models bend arguments in known ways; where the meaning is plain it is taken: JSON in a text where an
//! object or array is wanted, a number in a text, `null` for an optional argument.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use loggia_model::error::{self, nearest};
use loggia_model::{Problem, Problems, json};
use serde_json::{Map, Value};

use crate::schemas::inline;

/// Problems that are said at most; a hostile call could have millions.
const PROBLEMS: usize = 100;

/// The arguments that a tool takes, compiled once.
pub(crate) struct Arguments {
    /// Without references, so that the place of a problem is the place of its rule.
    schema: Value,
    validator: Validator,
}

impl Arguments {
    /// Compiles the schema as the tool wrote it.
    ///
    /// # Errors
    /// When it is not a JSON Schema.
    pub(crate) fn compile(written: &Value) -> Result<Self, String> {
        let schema = inline(written);
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    /// Whether that is a value of the argument `action`; true where there is no such argument.
    pub(crate) fn lets(&self, action: &str) -> bool {
        let actions = self.schema.pointer("/properties/action/enum");
        let actions = actions.and_then(Value::as_array);
        actions.is_none_or(|actions| actions.iter().any(|known| known == action))
    }

    /// The arguments, in the shape that the schema wants as far as that can be told, and everything that is wrong with
    /// them, each with its path and, where it can be guessed, what was meant.
    pub(crate) fn check(&self, arguments: Map<String, Value>) -> (Map<String, Value>, Problems) {
        let mut arguments = Value::Object(arguments);
        let mut problems = Problems::default();
        settle(&self.schema, &mut arguments, &mut problems);
        if !self.validator.is_valid(&arguments) {
            for error in self.validator.iter_errors(&arguments).take(PROBLEMS) {
                self.explain(&error, &mut problems);
            }
        }
        match arguments {
            Value::Object(arguments) => (arguments, problems),
            _ => (Map::new(), problems),
        }
    }

    fn explain(&self, error: &ValidationError<'_>, problems: &mut Problems) {
        let path = dotted(error.instance_path().as_str());
        let node = self.node(error.schema_path().as_str());
        explain(error, &path, node, problems);
    }

    /// The schema node that a rule stands in.
    fn node(&self, rule: &str) -> &Value {
        let pointer = rule.rsplit_once('/').map_or("", |(node, _)| node);
        self.schema.pointer(pointer).unwrap_or(&Value::Null)
    }
}

/// Brings a value into the shape that is wanted, where its meaning is plain. What is not is left to be refused.
fn settle(schema: &Value, value: &mut Value, problems: &mut Problems) {
    if let Value::String(text) = value
        && !allows(schema, "string")
        && let Some(meant) = meant(schema, text, problems)
    {
        *value = meant;
    }
    let schema = alternative(schema, value);
    match value {
        Value::Object(members) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return;
            };
            members.retain(|name, value| {
                !value.is_null()
                    || properties
                        .get(name)
                        .is_none_or(|property| allows(property, "null"))
            });
            for (name, value) in members {
                if let Some(property) = properties.get(name) {
                    let before = problems.0.len();
                    settle(property, value, problems);
                    placed(problems, before, || name.clone());
                }
            }
        }
        Value::Array(entries) => {
            if let Some(items) = schema.get("items") {
                for (i, entry) in entries.iter_mut().enumerate() {
                    let before = problems.0.len();
                    settle(items, entry, problems);
                    placed(problems, before, || format!("[{i}]"));
                }
            }
        }
        _ => {}
    }
}

/// Puts a step in front of the paths of the problems that came after the first `before`.
fn placed(problems: &mut Problems, before: usize, step: impl Fn() -> String) {
    for problem in &mut problems.0[before..] {
        *problem = problem.clone().within(&step());
    }
}

/// What a text stands for where no text is wanted.
fn meant(schema: &Value, text: &str, problems: &mut Problems) -> Option<Value> {
    let text = text.trim();
    if !matches!(
        text.as_bytes().first()?,
        b'{' | b'[' | b't' | b'f' | b'-' | b'0'..=b'9'
    ) {
        return None;
    }
    let value = match json::read(text.as_bytes()) {
        Ok(value) => value,
        Err(json::Error::Syntax(_)) => return None,
        Err(repeated) => {
            problems.extend(repeated.problems(&error::INVALID_PAYLOAD, "The text"));
            // What else is wrong is said as well.
            serde_json::from_str(text).ok()?
        }
    };
    allows(schema, kind(&value)).then_some(value)
}

/// Whether the schema lets values of that JSON type in.
fn allows(schema: &Value, wanted: &str) -> bool {
    let fits = |ty: &Value| ty == wanted || (wanted == "number" && ty == "integer");
    match (schema.get("type"), schema.get("anyOf")) {
        (Some(Value::Array(types)), _) => types.iter().any(fits),
        (Some(ty), _) => fits(ty),
        (None, Some(Value::Array(alternatives))) => alternatives.iter().any(|one| allows(one, wanted)),
        (None, _) => true,
    }
}

/// The alternative of an `anyOf` that a value was meant for.
fn alternative<'a>(schema: &'a Value, value: &Value) -> &'a Value {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    alternatives
        .and_then(|alternatives| alternatives.iter().find(|one| allows(one, kind(value))))
        .unwrap_or(schema)
}

fn explain(error: &ValidationError<'_>, path: &str, node: &Value, problems: &mut Problems) {
    let problem = |message: String| Problem::new(&error::INVALID_PAYLOAD, message);
    let described = node.get("description").and_then(Value::as_str);
    let with_description = |problem: Problem| match described {
        Some(text) => problem.hint(text),
        None => problem,
    };
    let said = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected.iter().take(PROBLEMS) {
                problems.push(unknown(name, node).within(path));
            }
            return;
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let wanted = node
                .pointer(&format!("/properties/{name}"))
                .unwrap_or(&Value::Null);
            let missing = problem(format!("`{name}` is missing.")).at(name);
            let hint = match wanted.get("enum").and_then(Value::as_array) {
                Some(choices) => Some(format!("One of: {}.", list(choices))),
                None => wanted
                    .get("description")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            };
            match hint {
                Some(hint) => missing.hint(hint),
                None => missing,
            }
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let given = shown(error.instance());
            let near = error
                .instance()
                .as_str()
                .and_then(|given| nearest(given, options.iter().filter_map(Value::as_str)));
            let refused = problem(format!("{given} is not allowed here; one of: {}.", list(options)));
            match near {
                Some(near) => refused.hint(format!("Did you mean `{near}`?")),
                None => refused,
            }
        }
        ValidationErrorKind::Type { kind: wanted } => {
            let wanted = match wanted {
                TypeKind::Single(one) => named(*one).to_owned(),
                TypeKind::Multiple(set) => set.iter().map(named).collect::<Vec<_>>().join(" or "),
            };
            let given = shown(error.instance());
            with_description(problem(format!("Expected {wanted}; got {given}.")))
        }
        ValidationErrorKind::AnyOf { context } => {
            return explain_alternatives(error, context, path, node, problems);
        }
        kind => with_description(problem(rule(kind, error.instance()))),
    };
    problems.push(said.within(path));
}

/// The problems of the alternative that was meant, which is the one whose type fits; else the types of all.
fn explain_alternatives(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    path: &str,
    node: &Value,
    problems: &mut Problems,
) {
    let here = error.instance_path().as_str();
    let misses = |inner: &ValidationError<'_>| {
        inner.instance_path().as_str() == here && matches!(inner.kind(), ValidationErrorKind::Type { .. })
    };
    let alternatives = node.get("anyOf").and_then(Value::as_array);
    let meant = context.iter().position(|errors| !errors.iter().any(misses));
    if let Some(meant) = meant {
        let schema = alternatives
            .and_then(|alternatives| alternatives.get(meant))
            .unwrap_or(&Value::Null);
        for inner in context[meant].iter().take(PROBLEMS) {
            let rule = inner.schema_path().as_str();
            let below = rule
                .rsplit_once(&format!("/anyOf/{meant}"))
                .map_or(rule, |(_, below)| below);
            let pointer = below.rsplit_once('/').map_or("", |(node, _)| node);
            let node = schema.pointer(pointer).unwrap_or(&Value::Null);
            explain(inner, &dotted(inner.instance_path().as_str()), node, problems);
        }
        return;
    }
    let types = alternatives
        .into_iter()
        .flatten()
        .filter_map(|one| one.get("type").and_then(Value::as_str));
    let types: Vec<_> = types.map(article).collect();
    let given = shown(error.instance());
    let message = format!("Expected {}; got {given}.", types.join(" or "));
    let problem = Problem::new(&error::INVALID_PAYLOAD, message).at(path);
    problems.push(match node.get("description").and_then(Value::as_str) {
        Some(text) => problem.hint(text),
        None => problem,
    });
}

/// An argument that is not known: what was meant, or where it goes.
fn unknown(name: &str, node: &Value) -> Problem {
    let shown: String = name.chars().take(60).collect();
    let problem =
        Problem::new(&error::INVALID_PAYLOAD, format!("`{shown}` is not known here.")).at(shown.clone());
    let empty = Map::new();
    let known = node
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let deeper = known.iter().find(|(_, property)| {
        property
            .get("properties")
            .is_some_and(|properties| properties.get(name).is_some())
    });
    let hint = match (nearest(name, known.keys().map(String::as_str)), deeper) {
        (_, Some((place, _))) => format!("Put it into `{place}`."),
        (Some(near), None) => format!("Did you mean `{near}`?"),
        (None, None) if known.is_empty() => "Leave it out: there is nothing to say here.".to_owned(),
        (None, None) => {
            let known: Vec<_> = known.keys().map(String::as_str).collect();
            format!("Known here: {}.", known.join(", "))
        }
    };
    problem.hint(hint)
}

/// A rule about size, in words.
fn rule(kind: &ValidationErrorKind, given: &Value) -> String {
    let given = shown(given);
    match kind {
        ValidationErrorKind::Minimum { limit } => format!("Expected {limit} or more; got {given}."),
        ValidationErrorKind::Maximum { limit } => format!("Expected {limit} or less; got {given}."),
        ValidationErrorKind::MinItems { limit } => format!("Expected at least {limit} entries."),
        ValidationErrorKind::MaxItems { limit } => format!("Expected at most {limit} entries."),
        ValidationErrorKind::MinLength { limit } => format!("Expected at least {limit} characters."),
        ValidationErrorKind::MaxLength { limit } => format!("Expected at most {limit} characters."),
        kind => format!("{given} breaks the rule `{}`.", kind.keyword()),
    }
}

fn list(values: &[Value]) -> String {
    let values = values
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    values.collect::<Vec<_>>().join(", ")
}

/// A value as it can be shown in a sentence.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string().chars().take(40).collect(),
        Value::String(text) if text.chars().nth(40).is_none() => format!("the text {text:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn named(ty: JsonType) -> &'static str {
    article(ty.as_str())
}

fn article(ty: &str) -> &'static str {
    match ty {
        "array" => "an array",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "null" => "null",
        "number" => "a number",
        "object" => "an object",
        _ => "a text",
    }
}

/// A JSON Pointer (RFC 6901) as a dotted path with `[i]` for positions.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) && !step.is_empty() {
            path += &format!("[{step}]");
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path += &step;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arguments() -> Arguments {
        let schema = json!({
            "type": "object",
            "properties": {
                "action": {"type": "string", "enum": ["create", "read", "update"]},
                "keys": {"type": "array", "items": {"type": ["string", "integer"]}},
                "data": {
                    "description": "Items.",
                    "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/row"}}, {"$ref": "#/$defs/row"}],
                },
                "query": {
                    "type": "object",
                    "properties": {
                        "fields": {"type": "array", "items": {"type": "string"}},
                        "filter": {"type": "object", "additionalProperties": true},
                        "limit": {"type": "integer", "minimum": -1},
                        "backlink": {"type": "boolean"},
                    },
                    "additionalProperties": false,
                },
                "schema": {"type": ["object", "null"], "additionalProperties": true},
            },
            "required": ["action"],
            "additionalProperties": false,
            "$defs": {"row": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "meta": {"type": ["object", "null"]}},
                "required": ["field"],
                "additionalProperties": false,
            }},
        });
        Arguments::compile(&schema).unwrap()
    }

    fn check(given: Value, expect: Result<Value, &[(&str, &str)]>) {
        let Value::Object(map) = given.clone() else {
            panic!("an object")
        };
        let (got, problems) = arguments().check(map);
        match (problems.or(got), expect) {
            (Ok(got), Ok(expect)) => assert_eq!(Value::Object(got), expect, "{given}"),
            (Err(problems), Err(expect)) => {
                assert_eq!(problems.0.len(), expect.len(), "{given}: {problems}");
                for (problem, (path, part)) in problems.0.iter().zip(expect) {
                    assert_eq!(problem.path, *path, "{given}: {problems}");
                    assert!(problem.to_string().contains(part), "{given}: {problem}");
                }
            }
            (got, _) => panic!("{given}: {got:?}"),
        }
    }

    #[test]
    fn plain_meanings_are_taken() {
        check(
            json!({"action": "read", "keys": null}),
            Ok(json!({"action": "read"})),
        );
        check(
            json!({"action": "read", "schema": null}),
            Ok(json!({"action": "read", "schema": null})),
        );
        check(
            json!({"action": "read", "keys": "[1, \"a\"]"}),
            Ok(json!({"action": "read", "keys": [1, "a"]})),
        );
        check(
            json!({"action": "read", "query": "{\"filter\": \"{\\\"id\\\": 1}\", \"limit\": \"5\", \"backlink\": \"true\"}"}),
            Ok(json!({"action": "read", "query": {"filter": {"id": 1}, "limit": 5, "backlink": true}})),
        );
        check(
            json!({"action": "create", "data": " {\"field\": \"a\", \"meta\": \"{}\"}"}),
            Ok(json!({"action": "create", "data": {"field": "a", "meta": {}}})),
        );
        check(
            json!({"action": "create", "data": ["{\"field\": \"a\"}"]}),
            Ok(json!({"action": "create", "data": [{"field": "a"}]})),
        );
        check(
            json!({"action": "read", "query": {"filter": {"a": {"_eq": null}}}}),
            Ok(json!({"action": "read", "query": {"filter": {"a": {"_eq": null}}}})),
        );
        check(
            json!({"action": "read", "query": {"filter": {"a": "{\"_eq\": 1}"}}}),
            Ok(json!({"action": "read", "query": {"filter": {"a": "{\"_eq\": 1}"}}})),
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_place() {
        check(json!({}), Err(&[("action", "One of: create, read, update.")]));
        check(json!({"action": null}), Err(&[("action", "is missing")]));
        check(
            json!({"action": "reed"}),
            Err(&[("action", "Did you mean `read`?")]),
        );
        check(
            json!({"action": "read", "limit": 5}),
            Err(&[("limit", "Put it into `query`.")]),
        );
        check(
            json!({"action": "read", "kyes": [1]}),
            Err(&[("kyes", "Did you mean `keys`?")]),
        );
        check(
            json!({"action": "read", "zzz": 1}),
            Err(&[("zzz", "Known here: action, keys, data")]),
        );
        check(
            json!({"action": "read", "keys": 5}),
            Err(&[("keys", "Expected an array; got 5.")]),
        );
        check(
            json!({"action": "read", "keys": [{}]}),
            Err(&[("keys[0]", "got an object")]),
        );
        check(
            json!({"action": "read", "query": {"limit": -2}}),
            Err(&[("query.limit", "-1 or more; got -2")]),
        );
        check(
            json!({"action": "read", "query": {"limit": 1.5}}),
            Err(&[("query.limit", "a whole number; got 1.5")]),
        );
        check(
            json!({"action": "read", "query": {"filtr": {}}}),
            Err(&[("query.filtr", "`filter`")]),
        );
        check(
            json!({"action": "read", "query": "{broken"}),
            Err(&[("query", "Expected an object; got the text")]),
        );
        check(
            json!({"action": "create", "data": 5}),
            Err(&[("data", "an array or an object; got 5. Items.")]),
        );
        check(
            json!({"action": "create", "data": [{"field": "a"}, {"fields": "b"}, {"field": 1}]}),
            Err(&[
                ("data[1].fields", "Did you mean `field`?"),
                ("data[1].field", "missing"),
                ("data[2].field", "a text"),
            ]),
        );
        check(
            json!({"action": "create", "data": {"meta": 1, "field": "a"}}),
            Err(&[("data.meta", "or an object; got 1")]),
        );
        check(
            json!({"action": "create", "data": ["{\"field\": 1, \"field\": 2}"], "query": "{\"limit\": -2, \"limit\": -2}"}),
            Err(&[
                ("data[0].field", "more than once"),
                ("query.limit", "more than once"),
                ("data[0].field", "a text"),
                ("query.limit", "-1 or more"),
            ]),
        );
    }

    #[test]
    fn hostile_arguments_are_refused_quickly() {
        let many: Map<String, Value> = (0..10_000).map(|i| (format!("x{i}"), json!(i))).collect();
        assert!(arguments().check(many).1.0.len() <= PROBLEMS + 1);
        let deep = "[".repeat(100_000);
        let given = json!({"action": "read", "keys": deep});
        let Value::Object(given) = given else { panic!() };
        assert_eq!(arguments().check(given).1.0[0].path, "keys");
        let number: Value = serde_json::from_str(&format!("1{}", "0".repeat(5_000))).unwrap();
        let Value::Object(given) = json!({"action": "read", "query": {"limit": number}}) else {
            panic!()
        };
        let _ = arguments().check(given);
    }
}
