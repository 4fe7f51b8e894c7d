//! Definitions of collections, fields and relations, whole, as the REST dialect writes them: what changes of the
//! schema are recorded by and taken back to.

use indexmap::IndexMap;
use loggia_journal::Difference;
use loggia_model::{Record, Schema};
use serde_json::Value;

use super::view;

/// The three kinds of definitions, by the collection that their metadata is in.
pub(crate) const COLLECTIONS: &str = "directus_collections";
pub(crate) const FIELDS: &str = "directus_fields";
pub(crate) const RELATIONS: &str = "directus_relations";

/// Every definition that a schema has; those of the system's own parts cannot change.
pub(crate) fn all(schema: &Schema) -> IndexMap<(&'static str, String), Record> {
    let mut all = IndexMap::new();
    let mut add = |kind: &'static str, key: String, definition: Value| {
        if let Value::Object(definition) = definition {
            all.insert((kind, key), definition);
        }
    };
    for collection in schema
        .collections
        .values()
        .filter(|collection| !collection.system)
    {
        add(COLLECTIONS, collection.name.clone(), view::collection(collection));
    }
    for collection in schema.collections.values() {
        for field in collection.fields.values().filter(|field| !field.system) {
            let key = format!("{}.{}", collection.name, field.name);
            add(FIELDS, key, view::field(schema, field));
        }
    }
    for relation in schema.relations.iter().filter(|relation| !relation.system) {
        let key = format!("{}.{}", relation.many_collection, relation.many_field);
        add(RELATIONS, key, view::relation(relation));
    }
    all
}

/// What became of the definitions.
pub(crate) fn differences(before: &Schema, after: &Schema) -> Vec<Difference> {
    let (mut old, new) = (all(before), all(after));
    let mut found = Vec::new();
    for ((kind, key), after) in new {
        let before = old.shift_remove(&(kind, key.clone()));
        if before.as_ref() != Some(&after) {
            found.push(Difference {
                kind,
                key,
                before,
                after: Some(after),
            });
        }
    }
    found.extend(old.into_iter().map(|((kind, key), before)| Difference {
        kind,
        key,
        before: Some(before),
        after: None,
    }));
    found
}
