//! `directus_permissions`: an action that exists, on a collection and fields that exist.

use loggia_model::{Problem, Problems, Record, Schema, error};
use serde_json::Value;

/// What can be permitted.
const ACTIONS: [&str; 5] = ["create", "read", "update", "delete", "share"];

pub(super) fn prepare(schema: &Schema, data: &Record) -> Result<(), Problems> {
    let mut problems = Problems::default();
    if let Some(action) = data.get("action").and_then(Value::as_str)
        && !ACTIONS.contains(&action)
    {
        problems.push(unknown("action", action, ACTIONS));
    }
    let collection = data.get("collection").and_then(Value::as_str);
    let known = collection.and_then(|name| schema.collection(name));
    if let (Some(name), None) = (collection, known) {
        problems.push(unknown("collection", name, schema.collections.keys().map(String::as_str)));
    }
    if let (Some(collection), Some(Value::Array(fields))) = (known, data.get("fields")) {
        for (i, name) in fields.iter().enumerate().filter_map(|(i, name)| Some((i, name.as_str()?))) {
            if name != "*" && collection.field(name).is_none() {
                problems.push(unknown(&format!("fields[{i}]"), name, collection.fields.keys().map(String::as_str)));
            }
        }
    }
    problems.or(())
}

fn unknown<'a>(path: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Problem {
    let hint = match error::nearest(name, known) {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None => "Look the names up in the schema.".to_owned(),
    };
    let field = path.split('[').next().unwrap_or(path);
    Problem::new(&error::FAILED_VALIDATION, format!("\"{name}\" does not exist.")).at(path).with("field", field).hint(hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_wrong_name_is_reported() {
        let schema = loggia_model::system::schema();
        let check = |row: Value, expect: &[&str]| {
            let row = row.as_object().unwrap();
            let paths: Vec<_> = prepare(&schema, row).err().unwrap_or_default().0.into_iter().map(|found| found.path).collect();
            assert_eq!(paths, expect, "{row:?}");
        };
        check(json!({"action": "read", "collection": "directus_files", "fields": ["*"]}), &[]);
        check(json!({"action": "reed", "collection": "directus_file"}), &["action", "collection"]);
        check(json!({"collection": "directus_files", "fields": ["id", "titel"]}), &["fields[1]"]);
        check(json!({"fields": null}), &[]);
    }
}
