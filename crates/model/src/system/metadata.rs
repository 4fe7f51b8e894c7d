//! Reads the rows of `directus_collections`, `directus_fields` and `directus_relations`.

use serde_json::Value;

use crate::schema::{CollectionMeta, Deselect, FieldMeta};
use crate::{Record, Relation};

/// A row of `directus_collections`.
#[must_use]
pub fn collection(mut record: Record) -> CollectionMeta {
    let meta = CollectionMeta {
        singleton: flag(&record, "singleton"),
        hidden: flag(&record, "hidden"),
        note: text(&record, "note"),
        group: text(&record, "group"),
        sort_field: text(&record, "sort_field"),
        archive_field: text(&record, "archive_field"),
        archive_value: text(&record, "archive_value"),
        tainted: flag(&record, "tainted"),
        record: Record::new(),
    };
    record.shift_remove("collection");
    CollectionMeta { record, ..meta }
}

/// A row of `directus_fields`.
#[must_use]
pub fn field(record: Record) -> FieldMeta {
    let given = |name: &str| record.get(name).filter(|value| !value.is_null()).cloned();
    FieldMeta {
        special: texts(&record, "special").unwrap_or_default(),
        interface: text(&record, "interface"),
        required: flag(&record, "required"),
        readonly: flag(&record, "readonly"),
        hidden: flag(&record, "hidden"),
        sort: record.get("sort").and_then(Value::as_i64),
        note: text(&record, "note"),
        validation: given("validation"),
        validation_message: text(&record, "validation_message"),
        options: given("options").unwrap_or_default(),
        record,
    }
}

/// A row of `directus_relations`; the foreign key is the table's to tell.
#[must_use]
pub fn relation(record: &Record) -> Option<Relation> {
    Some(Relation {
        many_collection: text(record, "many_collection")?,
        many_field: text(record, "many_field")?,
        one_collection: text(record, "one_collection"),
        one_field: text(record, "one_field"),
        one_collection_field: text(record, "one_collection_field"),
        one_allowed_collections: texts(record, "one_allowed_collections"),
        junction_field: text(record, "junction_field"),
        sort_field: text(record, "sort_field"),
        one_deselect_action: match record.get("one_deselect_action").and_then(Value::as_str) {
            Some("delete") => Deselect::Delete,
            _ => Deselect::Nullify,
        },
        id: record.get("id").and_then(Value::as_i64),
        foreign_key: None,
        system: false,
    })
}

fn flag(record: &Record, name: &str) -> bool {
    record.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn text(record: &Record, name: &str) -> Option<String> {
    record.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn texts(record: &Record, name: &str) -> Option<Vec<String>> {
    let entries = record.get(name)?.as_array()?;
    Some(
        entries
            .iter()
            .filter_map(|entry| entry.as_str().map(str::to_owned))
            .collect(),
    )
}
