//! The shapes of bodies: objects and arrays, with every misplaced member reported.

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Problem, Problems, Record};
use serde_json::Value;

pub(super) fn object(value: Value, path: &str) -> Result<Record, Problem> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Problem::new(
            &INVALID_PAYLOAD,
            format!("Expected an object; got {}.", kind(&other)),
        )
        .at(path)),
    }
}

pub(super) fn array(value: Value, path: &str) -> Result<Vec<Value>, Problem> {
    match value {
        Value::Array(entries) => Ok(entries),
        other => Err(Problem::new(
            &INVALID_PAYLOAD,
            format!("Expected an array; got {}.", kind(&other)),
        )
        .at(path)),
    }
}

pub(super) fn objects(values: Vec<Value>, path: &str) -> Result<Vec<Record>, Problems> {
    let mut problems = Problems::default();
    let object = |(i, value)| object(value, &format!("{path}[{i}]"));
    let objects = values
        .into_iter()
        .enumerate()
        .filter_map(|entry| problems.take(object(entry)))
        .collect();
    problems.or(objects)
}

/// Refuses members that mean nothing here, all at once.
pub(super) fn only(rest: &Record, known: &[&'static str]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for name in rest.keys() {
        let hint = match loggia_model::error::nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Known here: {}.", known.join(", ")),
        };
        problems.push(
            Problem::new(&INVALID_PAYLOAD, format!("`{name}` is not known here."))
                .at(name.as_str())
                .hint(hint),
        );
    }
    problems.or(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
