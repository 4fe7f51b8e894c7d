//! The system collections, as data: their tables, their fields as people and assistants see them, their relations,
//! and the rows that every database starts with.
//!
//! The tables are made from these definitions and served by them, so the two cannot drift apart. Column names are
//! those of the REST dialect, so its clients find what they expect.
//!
//! To add a collection: one file here and one line in [`COLLECTIONS`], after every collection that its foreign keys
//! point to. To add a column to a table that exists in the field: its definition, and a migration in `store`.

use std::sync::Arc;

use crate::plan::{InsertPlan, SchemaStep};
use crate::{Relation, Scalar, Schema};

mod access;
mod activity;
mod changes;
mod collections;
mod definition;
mod fields;
mod files;
mod folders;
pub mod metadata;
mod permissions;
mod policies;
mod presets;
mod prunings;
pub mod recipes;
mod relations;
mod revisions;
mod roles;
mod sessions;
mod settings;
mod sign_ins;
mod tokens;
mod translations;
mod users;

pub use revisions::IMAGES;

pub use definition::{SystemCollection, SystemDefault, SystemField, SystemRelation};

/// Every system collection; a table comes after all tables that its foreign keys point to.
pub static COLLECTIONS: &[&SystemCollection] = &[
    &collections::COLLECTION,
    &fields::COLLECTION,
    &relations::COLLECTION,
    &roles::COLLECTION,
    &policies::COLLECTION,
    &permissions::COLLECTION,
    &users::COLLECTION,
    &access::COLLECTION,
    &sessions::COLLECTION,
    &folders::COLLECTION,
    &files::COLLECTION,
    &settings::COLLECTION,
    &activity::COLLECTION,
    &revisions::COLLECTION,
    &presets::COLLECTION,
    &translations::COLLECTION,
    &tokens::COLLECTION,
    &changes::COLLECTION,
    &sign_ins::COLLECTION,
    &prunings::COLLECTION,
];

/// What names of the system's own tables start with; no other table may.
pub const RESERVED_PREFIXES: [&str; 2] = ["directus_", "loggia_"];

/// The policy that applies to everybody, signed in or not.
pub const PUBLIC_POLICY: &str = "abf8a154-5b1c-4a46-ac9c-7300570f4f17";

/// The row of `directus_access` that hands out [`PUBLIC_POLICY`].
const PUBLIC_ACCESS: &str = "5d1c4a46-ac9c-4300-970f-4f17abf8a154";

/// The key of the one row of `directus_settings`.
pub const SETTINGS_KEY: i64 = 1;

/// A definition by the collection's exact name.
#[must_use]
pub fn collection(name: &str) -> Option<&'static SystemCollection> {
    COLLECTIONS
        .iter()
        .copied()
        .find(|collection| collection.name == name)
}

/// The collections whose rows say what callers may do, and the settings: whoever remembers something of them has to look
/// again once one of them has changed.
pub const RULES: [&str; 3] = ["directus_permissions", "directus_policies", "directus_settings"];

/// The collections whose rows say who is who, in the same way.
pub const PEOPLE: [&str; 6] = [
    "directus_users",
    "directus_roles",
    "directus_policies",
    "directus_access",
    "directus_sessions",
    "loggia_tokens",
];

/// Whether a name belongs to the system: one of its collections, or one that it keeps for itself.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The changes of system tables that a migration makes, in an order that satisfies foreign keys.
#[must_use]
pub fn migration(number: u32) -> Vec<SchemaStep> {
    COLLECTIONS
        .iter()
        .flat_map(|collection| collection.migration(number))
        .collect()
}

/// The schema of a database without tables of its own: what a room below the engine needs to reach system rows.
#[must_use]
pub fn schema() -> Schema {
    let collections = COLLECTIONS
        .iter()
        .map(|collection| (collection.name.to_owned(), Arc::new(collection.collection())))
        .collect();
    Schema::new(
        0,
        collections,
        all_relations().into_iter().map(Arc::new).collect(),
    )
}

/// Every relation between system collections.
#[must_use]
pub fn all_relations() -> Vec<Relation> {
    COLLECTIONS
        .iter()
        .flat_map(|collection| collection.relations())
        .collect()
}

/// The rows that every database starts with: the settings, the public policy, and what hands it out. Run once, right
/// after the first [`migration`].
#[must_use]
pub fn seeds() -> Vec<InsertPlan> {
    let row = |definition: &SystemCollection, values: &[(&str, Scalar)]| {
        let collection = Arc::new(definition.collection());
        let row = values
            .iter()
            .filter_map(|(name, value)| Some((collection.field(name)?.clone(), value.clone())))
            .collect();
        InsertPlan {
            collection,
            rows: vec![row],
        }
    };
    vec![
        row(&settings::COLLECTION, &[("id", SETTINGS_KEY.into())]),
        row(
            &policies::COLLECTION,
            &[
                ("id", PUBLIC_POLICY.into()),
                ("name", "$t:public_label".into()),
                ("icon", "public".into()),
                ("description", "$t:public_description".into()),
            ],
        ),
        row(
            &access::COLLECTION,
            &[
                ("id", PUBLIC_ACCESS.into()),
                ("policy", PUBLIC_POLICY.into()),
                ("sort", 1.into()),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Link;

    #[test]
    fn names_are_unique_and_types_known() {
        let mut collections = HashSet::new();
        for definition in COLLECTIONS {
            assert!(collections.insert(definition.name), "{}", definition.name);
            assert!(is_reserved(definition.name));
            let mut fields = HashSet::new();
            for field in definition.fields {
                assert!(fields.insert(field.name), "{}.{}", definition.name, field.name);
                let ty = crate::field_types::by_name(field.ty).expect(field.ty);
                assert_eq!(ty.storage().is_none(), field.ty == "alias");
            }
            let collection = definition.collection();
            assert_eq!(collection.fields.len(), definition.fields.len());
            assert!(collection.primary.is_some(), "{}", definition.name);
        }
    }

    #[test]
    fn every_relation_leads_somewhere_and_back() {
        let schema = schema();
        for relation in &schema.relations {
            let at = format!("{}.{}", relation.many_collection, relation.many_field);
            let many = schema.collection(&relation.many_collection).expect(&at);
            let column = many.field(&relation.many_field).expect(&at).column.as_ref();
            let one = relation.one_collection.as_deref().expect(&at);
            let key = schema.collection(one).expect(&at).primary.clone().expect(&at);
            assert_eq!(
                column.expect(&at).kind,
                key.column.as_ref().expect(&at).kind,
                "{at}"
            );
            assert!(
                matches!(
                    schema.link(&many.name, &relation.many_field),
                    Some(Link::ToOne { .. })
                ),
                "{at}"
            );
            if let Some(alias) = &relation.one_field {
                let field = schema.collection(one).expect(&at).field(alias).expect(alias);
                assert!(field.is_alias());
                assert!(
                    matches!(schema.link(one, alias), Some(Link::ToMany { .. })),
                    "{at}"
                );
            }
            for name in [&relation.junction_field, &relation.sort_field]
                .into_iter()
                .flatten()
            {
                assert!(
                    many.field(name).is_some_and(|field| !field.is_alias()),
                    "{at} {name}"
                );
            }
        }
    }

    #[test]
    fn every_relational_alias_has_its_relation() {
        let schema = schema();
        for field in schema.collections.values().flat_map(|c| c.fields.values()) {
            if field.is_alias() {
                assert!(
                    schema.link(&field.collection, &field.name).is_some(),
                    "{}.{}",
                    field.collection,
                    field.name
                );
            }
        }
    }

    #[test]
    fn foreign_keys_point_to_tables_that_are_made_before() {
        let mut made = HashSet::new();
        for step in (1..)
            .map(migration)
            .take_while(|steps| !steps.is_empty())
            .flatten()
        {
            if let SchemaStep::CreateTable {
                table, foreign_keys, ..
            } = step
            {
                made.insert(table);
                for key in foreign_keys {
                    assert!(made.contains(&key.foreign_table), "{key:?}");
                }
            }
        }
        assert_eq!(made.len(), COLLECTIONS.len());
    }

    #[test]
    fn seeds_name_columns_that_exist_and_give_what_must_be_given() {
        for seed in seeds() {
            for row in &seed.rows {
                for field in seed
                    .collection
                    .fields
                    .values()
                    .filter(|field| field.must_be_given())
                {
                    assert!(
                        row.iter().any(|(given, _)| given.name == field.name),
                        "{}",
                        field.name
                    );
                }
            }
        }
    }
}
