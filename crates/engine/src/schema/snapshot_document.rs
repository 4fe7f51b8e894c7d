//! The schema as one document: what `GET /schema/snapshot` answers, for keeping and comparing.

use loggia_access::{Caller, decide_schema};
use loggia_model::plan::SchemaPlan;
use serde_json::{Value, json};

use super::view;
use crate::{Engine, Error};

/// The version of the document's format.
const FORMAT: u32 = 1;
/// The version of the REST dialect that the document follows.
const DIALECT: &str = "12.4.1";

impl Engine {
    /// Every collection, field and relation that is not the system's, in an order that does not depend on when they
    /// were made, and without the keys of metadata rows.
    ///
    /// # Errors
    /// For callers who may not change the schema.
    pub fn schema_snapshot(&self, caller: &Caller) -> Result<Value, Error> {
        decide_schema(caller, SchemaPlan { steps: Vec::new() })?;
        let schema = self.schema();
        let mut collections: Vec<_> = schema
            .collections
            .values()
            .filter(|collection| !collection.system)
            .collect();
        collections.sort_by(|one, other| one.name.cmp(&other.name));
        let mut fields: Vec<_> = schema
            .collections
            .values()
            .flat_map(|collection| collection.fields.values())
            .filter(|field| !field.system)
            .collect();
        fields.sort_by(|one, other| (&one.collection, &one.name).cmp(&(&other.collection, &other.name)));
        let mut relations: Vec<_> = schema
            .relations
            .iter()
            .filter(|relation| !relation.system)
            .collect();
        relations.sort_by(|one, other| {
            (&one.many_collection, &one.many_field).cmp(&(&other.many_collection, &other.many_field))
        });
        Ok(json!({
            "version": FORMAT,
            "directus": DIALECT,
            "vendor": "sqlite",
            "collections": collections.into_iter().map(|c| portable(view::collection(c))).collect::<Vec<_>>(),
            "fields": fields.into_iter().map(|f| portable(view::field(&schema, f))).collect::<Vec<_>>(),
            "systemFields": [],
            "relations": relations.into_iter().map(|r| portable(view::relation(r))).collect::<Vec<_>>(),
        }))
    }
}

/// Metadata in alphabetical order, without the key of its row.
fn portable(mut value: Value) -> Value {
    if let Some(meta) = value.get_mut("meta").and_then(Value::as_object_mut) {
        meta.shift_remove("id");
        meta.sort_keys();
    }
    value
}
