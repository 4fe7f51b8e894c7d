//! What the interface of a field offers: choices, and the least and the largest number. Whoever writes past it is held
//! to the same.

use loggia_model::Field;
use loggia_model::Problem;
use loggia_model::validation::{failure, value_failures};
use serde_json::{Value, json};

/// What keeps a value, as it will be stored, from being one of those offered.
pub(super) fn failures(field: &Field, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(choices) = field.choices()
        && !value.is_null()
    {
        let is_choice = |value: &Value| choices.iter().any(|choice| text(choice) == text(value));
        let is_same = |choice: &Value| value_failures(field, &json!({"_eq": choice}), value).is_empty();
        let all = match value {
            Value::Array(entries) => entries.iter().all(is_choice),
            // A choice may be written otherwise than its values are: `1.50`, `"1"`.
            other => is_choice(other) || choices.iter().any(|choice| is_same(choice)),
        };
        if !all {
            let shown: Vec<_> = choices
                .iter()
                .map(|choice| format!("\"{}\"", text(choice)))
                .collect();
            let wording = format!("Value has to be one of {}.", shown.join(", "));
            let valid = choices.iter().map(|choice| (*choice).clone()).collect();
            let valid = Some(("valid", Value::Array(valid)));
            problems.push(failure(&field.name, "in", &wording, valid));
        }
    }
    let options = field.meta.as_ref().map(|meta| &meta.options);
    let numeric = field
        .column
        .as_ref()
        .is_some_and(|column| column.kind.is_numeric());
    for (option, operator) in [
        ("min", "_gte"),
        ("max", "_lte"),
        ("minValue", "_gte"),
        ("maxValue", "_lte"),
    ] {
        let bound = options
            .and_then(|options| options.get(option))
            .filter(|bound| numeric && bound.is_number());
        if let Some(bound) = bound {
            problems.extend(value_failures(field, &json!({ operator: bound }), value));
        }
    }
    problems
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
