//! Whether the validation of a permission says something that can be tested: what cannot be tested would let
//! everything pass.

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::operator::{Argument, Operator};
use loggia_model::query::describe;
use loggia_model::{Collection, Field, Link, Problem, Problems, Schema, validation};
use serde_json::Value;

/// Everything in a rule on items of `collection` that cannot be tested.
///
/// # Errors
/// What, where and why.
pub(crate) fn sound(schema: &Schema, collection: &Collection, rule: &Value) -> Result<(), Problems> {
    let mut problems = Problems::default();
    if !rule.is_null() {
        of_rule(schema, collection, rule, "validation", &mut problems);
    }
    problems.or(())
}

fn of_rule(schema: &Schema, collection: &Collection, rule: &Value, path: &str, problems: &mut Problems) {
    let Some(members) = rule.as_object() else {
        let message = format!("Expected a rule object; got {}.", describe(rule));
        problems.push(unsound(message, path));
        return;
    };
    for (name, value) in members {
        let path = format!("{path}.{name}");
        match name.as_str() {
            "_and" | "$and" | "_or" | "$or" => match value.as_array() {
                Some(rules) => rules
                    .iter()
                    .for_each(|rule| of_rule(schema, collection, rule, &path, problems)),
                None => {
                    let message = format!("Expected an array of rules; got {}.", describe(value));
                    problems.push(unsound(message, &path));
                }
            },
            name => match collection.field(name) {
                Some(field) => of_field(schema, collection, field, value, &path, problems),
                None => {
                    let here = &collection.name;
                    let message = format!("There is no field \"{name}\" in collection \"{here}\".");
                    problems.push(unsound(message, &path));
                }
            },
        }
    }
}

fn of_field(
    schema: &Schema,
    collection: &Collection,
    field: &Field,
    tests: &Value,
    path: &str,
    problems: &mut Problems,
) {
    let Some(tests) = tests.as_object() else {
        problems.0.extend(
            of_argument(field, Operator::Equal, Argument::Value, tests).map(|why| unsound(why, path)),
        );
        return;
    };
    for (name, argument) in tests {
        let at = format!("{path}.{name}");
        match Operator::parse(name) {
            Some(row) => {
                let why = of_argument(field, row.operator, row.argument, argument);
                problems.0.extend(why.map(|why| unsound(why, &at)));
            }
            None => match schema.link(&collection.name, &field.name) {
                Some(Link::ToOne { target, .. }) => {
                    let nested = serde_json::json!({ name.as_str(): argument });
                    of_rule(schema, &target, &nested, path, problems);
                }
                _ => problems.push(unsound(format!("There is no operator `{name}`."), &at)),
            },
        }
    }
}

/// Why no value could be tested against an argument. What variables stand for is known later; where that does not fit,
/// nothing passes.
fn of_argument(field: &Field, operator: Operator, kind: Argument, argument: &Value) -> Option<String> {
    let is_variable = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.starts_with("$CURRENT_") || text.starts_with("$NOW")
    };
    let fits = |value: &Value| is_variable(value) || validation::is_comparable(field, value);
    let wrong = |value: &Value| {
        let ty = field.ty.name();
        format!(
            "Values of `{}` ({ty}) cannot be compared with {}.",
            field.name,
            describe(value)
        )
    };
    match (kind, argument) {
        (Argument::Geometry, _) => Some("Shapes cannot be tested while they are written.".to_owned()),
        (Argument::Truth, value) => {
            let known = validation::truth(value).is_some() || is_variable(value);
            (!known).then(|| format!("Expected true or false; got {}.", describe(value)))
        }
        (Argument::Text, Value::String(pattern)) if operator == Operator::Regex => {
            let readable = is_variable(argument) || validation::compile(pattern).is_ok();
            (!readable).then(|| {
                "The pattern cannot be read: look-around and back references are not known.".to_owned()
            })
        }
        (Argument::Text, Value::String(_) | Value::Number(_) | Value::Bool(_)) => None,
        (Argument::Text, value) => Some(format!("Expected a text; got {}.", describe(value))),
        (Argument::Range, Value::Array(ends)) if ends.len() == 2 => {
            ends.iter().find(|end| !fits(end)).map(wrong)
        }
        (Argument::Range, _) => Some("Expected an array of two values.".to_owned()),
        (Argument::List, Value::Array(entries)) => {
            let wrong_one = entries.iter().find(|entry| !entry.is_null() && !fits(entry));
            wrong_one.map(wrong)
        }
        (Argument::List, Value::String(text)) => {
            let entries = text.split(',').map(|entry| Value::from(entry.trim()));
            entries
                .into_iter()
                .find(|entry| !fits(entry))
                .map(|entry| wrong(&entry))
        }
        (Argument::Value, Value::Null) if matches!(operator, Operator::Equal | Operator::NotEqual) => None,
        (Argument::List | Argument::Value, value) => (!fits(value)).then(|| wrong(value)),
    }
}

fn unsound(message: impl Into<String>, path: &str) -> Problem {
    Problem::new(&INVALID_PAYLOAD, message).at(path)
}
