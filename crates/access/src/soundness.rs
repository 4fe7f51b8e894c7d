//! Whether the validation of a permission says something that can be tested: what cannot be tested would let
//! everything pass.

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::operator::{Argument, Operator};
use loggia_model::query::describe;
use loggia_model::{Collection, Link, Problem, Problems, Schema};
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
            name if collection.field(name).is_some() => {
                of_field(schema, collection, name, value, &path, problems);
            }
            name => {
                let message = format!(
                    "There is no field \"{name}\" in collection \"{}\".",
                    collection.name
                );
                problems.push(unsound(message, &path));
            }
        }
    }
}

fn of_field(
    schema: &Schema,
    collection: &Collection,
    field: &str,
    tests: &Value,
    path: &str,
    problems: &mut Problems,
) {
    let Some(tests) = tests.as_object() else {
        return;
    };
    for (name, argument) in tests {
        let at = format!("{path}.{name}");
        match Operator::parse(name) {
            Some(row) if row.argument == Argument::Geometry => {
                problems.push(unsound("Shapes cannot be tested while they are written.", &at));
            }
            Some(row) if row.argument == Argument::Range => {
                if argument.as_array().is_none_or(|ends| ends.len() != 2) {
                    problems.push(unsound("Expected an array of two values.", &at));
                }
            }
            Some(_) => {}
            None => match schema.link(&collection.name, field) {
                Some(Link::ToOne { target, .. }) => {
                    let nested = serde_json::json!({ name.as_str(): argument });
                    of_rule(schema, &target, &nested, path, problems);
                }
                _ => problems.push(unsound(format!("There is no operator `{name}`."), &at)),
            },
        }
    }
}

fn unsound(message: impl Into<String>, path: &str) -> Problem {
    Problem::new(&INVALID_PAYLOAD, message).at(path)
}
