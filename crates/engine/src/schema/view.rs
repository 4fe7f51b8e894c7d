//! Collections, fields and relations as the REST dialect writes them.

use loggia_model::schema::{Column, Default, ForeignKey};
use loggia_model::{Collection, Field, Relation, Schema};
use serde_json::{Map, Value, json};

/// `{collection, meta, schema}`; `meta` is null for a table that was never configured, `schema` for a folder.
pub(super) fn collection(collection: &Collection) -> Value {
    let meta = collection.meta.as_ref().map(|meta| {
        let mut record = Map::new();
        record.insert("collection".to_owned(), collection.name.as_str().into());
        record.extend(meta.record.clone());
        record
    });
    let schema = collection.table.as_ref().map(|table| {
        let mut schema = json!({"name": collection.name, "comment": table.comment});
        // Only of what other programs have made.
        if table.view {
            schema["view"] = true.into();
        }
        if !table.uniques.is_empty() {
            schema["unique_together"] = json!(table.uniques);
        }
        schema
    });
    json!({"collection": collection.name, "meta": meta, "schema": schema})
}

/// `{collection, field, type, schema, meta}`; `schema` is null for an alias, `meta` for a column that was never
/// configured.
pub(super) fn field(schema: &Schema, field: &Field) -> Value {
    let keys = schema
        .collection(&field.collection)
        .and_then(|collection| collection.table.as_ref())
        .map(|table| table.foreign_keys.as_slice())
        .unwrap_or_default();
    let column = field.column.as_ref().map(|column| {
        let key = keys.iter().find(|key| key.column == column.name);
        self::column(field, column, key)
    });
    json!({
        "collection": field.collection,
        "field": field.name,
        "type": field.ty.name(),
        "schema": column,
        "meta": field.meta.as_ref().map(|meta| meta.record.clone()),
    })
}

fn column(field: &Field, column: &Column, key: Option<&ForeignKey>) -> Value {
    json!({
        "name": column.name,
        "table": field.collection,
        "data_type": column.data_type,
        "default_value": default(field, column),
        "generation_expression": null,
        "max_length": column.max_length,
        "numeric_precision": column.precision,
        "numeric_scale": column.scale,
        "is_generated": column.generated,
        "is_nullable": column.nullable,
        "is_unique": column.unique || column.primary_key,
        // A foreign key has an index of its own.
        "is_indexed": column.indexed || key.is_some(),
        "is_primary_key": column.primary_key,
        "has_auto_increment": column.auto_increment,
        "foreign_key_schema": null,
        "foreign_key_table": key.map(|key| key.foreign_table.as_str()),
        "foreign_key_column": key.map(|key| key.foreign_column.as_str()),
        "comment": column.comment,
    })
}

/// The default as JSON: a value, or the words that stand for the time of the write.
fn default(field: &Field, column: &Column) -> Value {
    match &column.default {
        Default::None => Value::Null,
        Default::Now => "CURRENT_TIMESTAMP".into(),
        Default::Value(scalar) => field.ty.print(scalar.clone()),
        Default::Expression(text) => text.as_str().into(),
    }
}

/// `{collection, field, related_collection, schema, meta}`; `schema` is null without a foreign key, `meta` for a
/// foreign key that was never configured.
pub(super) fn relation(relation: &Relation) -> Value {
    let schema = relation.foreign_key.as_ref().map(|key| {
        json!({
            "constraint_name": format!("{}_{}_foreign", relation.many_collection, key.column),
            "table": relation.many_collection,
            "column": key.column,
            "foreign_key_table": key.foreign_table,
            "foreign_key_column": key.foreign_column,
            "on_update": key.on_update,
            "on_delete": key.on_delete,
        })
    });
    let mut meta = json!({
        "id": relation.id,
        "many_collection": relation.many_collection,
        "many_field": relation.many_field,
        "one_collection": relation.one_collection,
        "one_field": relation.one_field,
        "one_collection_field": relation.one_collection_field,
        "one_allowed_collections": relation.one_allowed_collections,
        "junction_field": relation.junction_field,
        "sort_field": relation.sort_field,
        "one_deselect_action": relation.one_deselect_action,
    });
    if relation.system
        && let Some(meta) = meta.as_object_mut()
    {
        meta.shift_remove("id");
        meta.insert("system".to_owned(), true.into());
    }
    json!({
        "collection": relation.many_collection,
        "field": relation.many_field,
        "related_collection": relation.one_collection,
        "schema": schema,
        "meta": if relation.id.is_some() || relation.system { meta } else { Value::Null },
    })
}
