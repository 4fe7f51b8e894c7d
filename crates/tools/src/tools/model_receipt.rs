//! What a change of the data model did, found by holding what was asked for against what is there now.

use loggia_model::Record;
use serde_json::{Map, Value, json};

use crate::plain_text::{NOTE, plain, plain_lines};

/// Members that the server fills in, worth telling about.
const FILLED_IN: [(&str, &str); 3] = [
    ("meta", "interface"),
    ("meta", "special"),
    ("schema", "is_primary_key"),
];

/// A receipt under construction, in the shape of the receipts of items.
#[derive(Default)]
pub(super) struct ModelReceipt {
    applied: Vec<Value>,
    defaulted: Map<String, Value>,
    coerced: Vec<Value>,
    changed: Map<String, Value>,
}

impl ModelReceipt {
    /// Compares one definition: `meta` and `schema` member by member, the rest as it stands.
    pub(super) fn compare(&mut self, path: &str, given: &Record, stored: &Value) {
        for (name, given) in given {
            let at = format!("{path}.{name}");
            match (given, stored.get(name)) {
                (Value::Object(members), Some(stored @ Value::Object(_))) => {
                    for (name, given) in members {
                        self.compare_value(format!("{at}.{name}"), given, stored.get(name));
                    }
                }
                // An empty object asks for nothing but what it stands in to exist.
                (Value::Object(members), _) if members.is_empty() => {}
                (given, stored) => self.compare_value(at, given, stored),
            }
        }
    }

    /// Notes what was filled in where nothing was given.
    pub(super) fn filled_in(&mut self, path: &str, given: &Record, stored: &Value) {
        for (part, name) in FILLED_IN {
            let was_given = given.get(part).and_then(|part| part.get(name)).is_some();
            let value = stored.get(part).and_then(|part| part.get(name));
            if let Some(value) = value.filter(|value| !was_given && !value.is_null() && **value != false) {
                self.defaulted
                    .insert(format!("{path}.{part}.{name}"), value.clone());
            }
        }
    }

    /// Counts rows of one of the collections that hold the model.
    pub(super) fn count(&mut self, collection: &str, action: &str, rows: usize) {
        self.changed
            .insert(collection.to_owned(), json!({ action: rows }));
    }

    fn compare_value(&mut self, path: String, given: &Value, stored: Option<&Value>) {
        let stored = stored.unwrap_or(&Value::Null);
        if given == stored {
            self.applied.push(path.into());
        } else {
            self.coerced
                .push(json!({"path": path, "from": given, "to": stored}));
        }
    }

    /// The receipt.
    pub(super) fn finish(self) -> Value {
        json!({
            "applied": self.applied,
            "defaulted": self.defaulted,
            "coerced": self.coerced,
            "changed": self.changed,
        })
    }
}

/// Members of a definition that are sentences for people.
const SENTENCES: [&str; 4] = ["note", "comment", "translation", "validation_message"];

/// Members of a definition of which every character counts: they are stored, or compared with what is.
const EXACT: [&str; 6] = [
    "value",
    "default_value",
    "archive_value",
    "unarchive_value",
    "validation",
    "conditions",
];

/// A definition as it is shown: without the members that are null, to spare context, and its texts as plain text.
pub(super) fn compact(definition: Value) -> Record {
    let Value::Object(members) = definition else {
        return Record::new();
    };
    let compacted = members.into_iter().map(|(name, value)| match value {
        Value::Object(mut inner) if name == "meta" || name == "schema" => {
            inner.retain(|_, value| !value.is_null());
            shown_plainly(&mut inner);
            (name, inner.into())
        }
        other => (name, other),
    });
    compacted.collect()
}

/// Takes out of the texts of a definition, or of a part of one, what people would not see.
pub(super) fn shown_plainly(definition: &mut Record) {
    let members = definition.iter_mut();
    members.for_each(|(name, value)| show_plainly(name, value));
}

/// Takes out of texts what people would not see.
fn show_plainly(name: &str, value: &mut Value) {
    match value {
        _ if EXACT.contains(&name) => {}
        Value::String(text) if SENTENCES.contains(&name) => *text = plain(text, NOTE),
        Value::String(text) => *text = plain_lines(text, usize::MAX),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| show_plainly(name, entry)),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| show_plainly(name, value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_held_against_what_is_there() {
        let Value::Object(given) = json!({
            "field": "date", "type": "timestamp",
            "schema": {"is_nullable": false, "default_value": "now()"},
            "meta": {"note": null},
        }) else {
            panic!("an object")
        };
        let stored = json!({
            "field": "date", "type": "timestamp",
            "schema": {"is_nullable": false, "default_value": "CURRENT_TIMESTAMP"},
            "meta": {"note": null, "interface": "datetime", "special": null},
        });
        let mut receipt = ModelReceipt::default();
        receipt.compare("data", &given, &stored);
        receipt.filled_in("data", &given, &stored);
        receipt.count("directus_fields", "created", 1);
        assert_eq!(
            receipt.finish(),
            json!({
                "applied": ["data.field", "data.type", "data.schema.is_nullable", "data.meta.note"],
                "defaulted": {"data.meta.interface": "datetime"},
                "coerced": [{"path": "data.schema.default_value", "from": "now()", "to": "CURRENT_TIMESTAMP"}],
                "changed": {"directus_fields": {"created": 1}},
            })
        );
    }

    #[test]
    fn notes_are_shown_as_plain_text_and_no_longer_than_elsewhere() {
        let note = format!("Read\u{202e} this.\n{}", "x".repeat(1_000));
        let shown = Value::from(compact(json!({"meta": {"note": note}})));
        let shown = shown["meta"]["note"].as_str().unwrap();
        assert!(
            shown.starts_with("Read this. xxx") && shown.chars().count() == NOTE,
            "{shown}"
        );
    }

    #[test]
    fn what_people_would_not_see_is_taken_out_of_every_text_but_not_of_values() {
        let hidden = |text: &str| format!("{text}\u{200b}\u{e0041}\u{202e}");
        let given = json!({"schema": {"comment": hidden("c"), "default_value": hidden("d")}, "meta": {
            "translations": [{"language": hidden("de"), "translation": hidden("Titel")}],
            "validation_message": hidden("No."),
            "validation": {"_and": [{"title": {"_eq": hidden("v")}}]},
            "options": {"placeholder": hidden("p\n"), "choices": [{"text": hidden("A"), "value": hidden("a")}]},
        }});
        let expect = json!({"schema": {"comment": "c", "default_value": hidden("d")}, "meta": {
            "translations": [{"language": "de", "translation": "Titel"}],
            "validation_message": "No.",
            "validation": {"_and": [{"title": {"_eq": hidden("v")}}]},
            "options": {"placeholder": "p\n", "choices": [{"text": "A", "value": hidden("a")}]},
        }});
        assert_eq!(Value::from(compact(given)), expect);
    }

    #[test]
    fn nulls_are_spared_in_meta_and_schema_only() {
        let given = json!({"collection": "a", "meta": {"note": null, "icon": "x"}, "schema": null});
        assert_eq!(
            Value::from(compact(given)),
            json!({"collection": "a", "meta": {"icon": "x"}, "schema": null})
        );
    }
}
