//! Relations: list, read, create, change, delete.

use std::sync::Arc;

use loggia_access::Caller;
use loggia_model::plan::SchemaStep;
use loggia_model::schema::ForeignKey;
use loggia_model::{Problem, Relation, Schema};
use serde_json::Value;

use super::change::{Change, with_id};
use super::collections::{protected, seen};
use super::narrowed::Narrowed;
use super::payload::invalid;
use super::relation_draft::{self, RelationDraft};
use super::{complete, view};
use crate::again::again;
use crate::{Engine, Error};

const RELATIONS: &str = "directus_relations";

impl Engine {
    /// The relations whose pointing column is in one collection, or every relation that the caller may know of.
    ///
    /// # Errors
    /// The one answer for what does not exist and what the caller may not know.
    pub fn list_relations(&self, caller: &Caller, collection: Option<&str>) -> Result<Vec<Value>, Error> {
        let schema = self.schema();
        let grants = self.outline(caller);
        match collection {
            Some(name) => {
                seen(&schema, &grants, name)?;
            }
            None if !schema
                .collections
                .values()
                .any(|collection| grants.sees(collection)) =>
            {
                return Err(Problem::forbidden().into());
            }
            None => {}
        }
        let narrowed = Narrowed {
            schema: &schema,
            grants: &grants,
        };
        let listed = schema.relations.iter().filter(|relation| {
            collection.is_none_or(|name| relation.many_collection == name)
                && narrowed.knows_relation(relation)
        });
        Ok(listed.map(|relation| narrowed.relation(relation)).collect())
    }

    /// The relation of one pointing field.
    ///
    /// # Errors
    /// As [`Engine::list_relations`].
    pub fn read_relation(&self, caller: &Caller, collection: &str, field: &str) -> Result<Value, Error> {
        let schema = self.schema();
        let grants = self.outline(caller);
        seen(&schema, &grants, collection)?;
        let narrowed = Narrowed {
            schema: &schema,
            grants: &grants,
        };
        let relation = of(&schema, collection, field)
            .filter(|relation| narrowed.knows_relation(relation))
            .ok_or_else(Problem::forbidden)?;
        Ok(narrowed.relation(relation))
    }

    /// Makes a relation, exactly as the body says: its foreign key and its metadata.
    ///
    /// # Errors
    /// Everything that is wrong with the definition, with paths; items that point to nothing.
    pub async fn create_relation(&self, caller: &Caller, body: Value) -> Result<Value, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let draft = create(&mut change, &body).await?;
            let schema = change.finish().await?;
            shown(&schema, &draft.collection, &draft.field)
        })
    }

    /// Makes a relation with all that it needs to be used: columns that are not there yet, in the type of the key that
    /// they point to; the list on the other side (`meta.one_field`); and how the Studio shows both ends.
    ///
    /// # Errors
    /// As [`Engine::create_relation`].
    pub async fn create_complete_relation(&self, caller: &Caller, body: Value) -> Result<Value, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            complete::columns(&mut change, &body).await?;
            let draft = create(&mut change, &body).await?;
            complete::ends(&mut change, &draft).await?;
            let schema = change.finish().await?;
            shown(&schema, &draft.collection, &draft.field)
        })
    }

    /// Changes a relation: its `meta`, and what its foreign key does; what is not given stays.
    ///
    /// # Errors
    /// As [`Engine::create_relation`]; relations of the system are not changed.
    pub async fn update_relation(
        &self,
        caller: &Caller,
        collection: &str,
        field: &str,
        body: Value,
    ) -> Result<Value, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let base = change.schema.clone();
            let relation = changeable(&base, collection, field)?.clone();
            let update = relation_draft::update(&base, &relation, &body)?;
            if let Some(key) = &relation.foreign_key {
                let wanted = ForeignKey {
                    on_delete: update.on_delete.unwrap_or(key.on_delete),
                    on_update: update.on_update.unwrap_or(key.on_update),
                    ..key.clone()
                };
                if wanted != *key {
                    change.tables(replaced(collection, field, wanted)).await?;
                }
            }
            match relation.id {
                Some(id) if !update.meta.is_empty() => {
                    change
                        .update(RELATIONS, with_id(RELATIONS, id)?, &update.meta)
                        .await?;
                }
                Some(_) => {}
                None => {
                    let mut row = update.meta.clone();
                    row.insert("many_collection".to_owned(), collection.into());
                    row.insert("many_field".to_owned(), field.into());
                    row.insert(
                        "one_collection".to_owned(),
                        relation.one_collection.clone().into(),
                    );
                    change.insert(RELATIONS, &[row]).await?;
                }
            }
            let schema = change.finish().await?;
            shown(&schema, collection, field)
        })
    }

    /// Deletes a relation with its foreign key and the list on the other side; the pointing column stays.
    ///
    /// # Errors
    /// The one answer for what does not exist; relations of the system are not deleted.
    pub async fn delete_relation(&self, caller: &Caller, collection: &str, field: &str) -> Result<(), Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let base = change.schema.clone();
            let relation = changeable(&base, collection, field)?.clone();
            if relation.foreign_key.is_some() {
                let step = SchemaStep::DropForeignKey {
                    table: collection.to_owned(),
                    column: field.to_owned(),
                };
                change.tables(vec![step]).await?;
            }
            super::delete::forget_relation(&mut change, &base, &relation).await?;
            change.finish().await?;
            Ok(())
        })
    }
}

pub(super) async fn create(change: &mut Change, body: &Value) -> Result<RelationDraft, Error> {
    let base = change.schema.clone();
    let draft = relation_draft::relation(&base, body)?;
    let existing = of(&base, &draft.collection, &draft.field);
    change
        .tables(key_steps(&draft, existing.map(AsRef::as_ref)))
        .await?;
    let mut row = draft.meta.clone();
    row.insert("many_collection".to_owned(), draft.collection.as_str().into());
    row.insert("many_field".to_owned(), draft.field.as_str().into());
    row.insert("one_collection".to_owned(), draft.related.clone().into());
    change.insert(RELATIONS, &[row]).await?;
    Ok(draft)
}

fn shown(schema: &Schema, collection: &str, field: &str) -> Result<Value, Error> {
    let relation = of(schema, collection, field).ok_or_else(Problem::forbidden)?;
    Ok(view::relation(relation))
}

/// The relation of a pointing field.
pub(super) fn of<'a>(schema: &'a Schema, collection: &str, field: &str) -> Option<&'a Arc<Relation>> {
    schema
        .relations
        .iter()
        .find(|relation| relation.many_collection == collection && relation.many_field == field)
}

fn changeable<'a>(schema: &'a Schema, collection: &str, field: &str) -> Result<&'a Arc<Relation>, Problem> {
    let known = schema.collection(collection).ok_or_else(Problem::forbidden)?;
    known.field(field).ok_or_else(Problem::forbidden)?;
    let relation = of(schema, collection, field).ok_or_else(|| {
        let message = format!("Field {field:?} in collection {collection:?} doesn't have a relationship.");
        invalid("", message)
    })?;
    if relation.system {
        return Err(protected(&format!("The relation of {collection:?}.{field:?}")));
    }
    Ok(relation)
}

/// The foreign key; its index, by which lists on the other side are read, comes with it.
fn key_steps(draft: &RelationDraft, existing: Option<&Relation>) -> Vec<SchemaStep> {
    let Some(key) = &draft.key else { return Vec::new() };
    let mut steps = Vec::new();
    if existing.is_some_and(|relation| relation.foreign_key.is_some()) {
        steps.push(SchemaStep::DropForeignKey {
            table: draft.collection.clone(),
            column: draft.field.clone(),
        });
    }
    steps.push(SchemaStep::AddForeignKey {
        table: draft.collection.clone(),
        key: key.clone(),
    });
    steps
}

fn replaced(collection: &str, field: &str, key: ForeignKey) -> Vec<SchemaStep> {
    vec![
        SchemaStep::DropForeignKey {
            table: collection.to_owned(),
            column: field.to_owned(),
        },
        SchemaStep::AddForeignKey {
            table: collection.to_owned(),
            key,
        },
    ]
}
