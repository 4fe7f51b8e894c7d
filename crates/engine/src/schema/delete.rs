//! Deleting collections and fields: with everything that speaks of them, and nothing else.

use loggia_access::Caller;
use loggia_model::plan::SchemaStep;
use loggia_model::{Collection, Field, Problem, Record, Relation, Schema};
use serde_json::Value;

use super::change::{Change, matching, with_id};
use super::collections::protected;
use super::fields::made_elsewhere;
use super::payload::{self, invalid};
use crate::again::again;
use crate::{Engine, Error};

const COLLECTIONS: &str = "directus_collections";
const FIELDS: &str = "directus_fields";
const RELATIONS: &str = "directus_relations";
const PERMISSIONS: &str = "directus_permissions";
const PRESETS: &str = "directus_presets";

impl Engine {
    /// Deletes a collection with its items, fields, relations, permissions and presets. Columns of others that pointed
    /// to it stay, without their foreign key.
    ///
    /// # Errors
    /// The one answer for what does not exist; system collections are not deleted.
    pub async fn delete_collection(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        self.delete_collections(caller, &[name.to_owned()]).await
    }

    /// Deletes collections: all of them, or none.
    ///
    /// # Errors
    /// As [`Engine::delete_collection`].
    pub async fn delete_collections(&self, caller: &Caller, names: &[String]) -> Result<(), Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            for name in names {
                let base = change.schema.clone();
                let collection = base.collection(name).ok_or_else(Problem::forbidden)?;
                if collection.system {
                    return Err(protected(&format!("Collection {name:?}")).into());
                }
                remove(&mut change, &base, collection).await?;
                if names.len() > 1 {
                    change.look_again().await?;
                }
            }
            change.finish().await?;
            Ok(())
        })
    }

    /// Deletes a field with its values, its relations, and the mentions of it in metadata and permissions.
    ///
    /// # Errors
    /// The one answer for what does not exist; primary keys and fields of the system are not deleted.
    pub async fn delete_field(&self, caller: &Caller, collection: &str, name: &str) -> Result<(), Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let base = change.schema.clone();
            let target = base.collection(collection).ok_or_else(Problem::forbidden)?;
            let field = target.field(name).ok_or_else(Problem::forbidden)?;
            deletable(target, field)?;
            for relation in base.relations.iter().filter(|relation| !relation.system) {
                let points = relation.many_collection == collection && relation.many_field == name;
                let names_target = relation.many_collection == collection
                    && relation.one_collection_field.as_deref() == Some(name);
                if points || names_target {
                    if relation.foreign_key.is_some() {
                        let step = SchemaStep::DropForeignKey {
                            table: collection.to_owned(),
                            column: relation.many_field.clone(),
                        };
                        change.tables(vec![step]).await?;
                    }
                    forget_relation(&mut change, &base, relation).await?;
                } else {
                    forget_mentions(&mut change, relation, collection, name).await?;
                }
            }
            let identity = [("collection", collection), ("field", name)];
            change.delete(FIELDS, matching(FIELDS, &identity)?).await?;
            let inside = [("collection", collection), ("group", name)];
            change
                .update(FIELDS, matching(FIELDS, &inside)?, &null("group"))
                .await?;
            for key in ["sort_field", "archive_field"] {
                let named = [("collection", collection), (key, name)];
                change
                    .update(COLLECTIONS, matching(COLLECTIONS, &named)?, &null(key))
                    .await?;
            }
            forget_permission(&mut change, collection, name).await?;
            if field.column.is_some() {
                let step = SchemaStep::DropColumn {
                    table: collection.to_owned(),
                    column: name.to_owned(),
                };
                change.tables(vec![step]).await?;
            }
            change.finish().await?;
            Ok(())
        })
    }
}

pub(super) async fn remove(change: &mut Change, base: &Schema, collection: &Collection) -> Result<(), Error> {
    let name = collection.name.as_str();
    made_elsewhere(collection)?;
    drop_table(change, base, collection).await?;
    for relation in base.relations.iter().filter(|relation| !relation.system) {
        if relation.many_collection == name || relation.one_collection.as_deref() == Some(name) {
            forget_relation(change, base, relation).await?;
        } else {
            disallow(change, relation, name).await?;
        }
    }
    for table in [FIELDS, COLLECTIONS, PERMISSIONS, PRESETS] {
        change
            .delete(table, matching(table, &[("collection", name)])?)
            .await?;
    }
    change
        .update(
            COLLECTIONS,
            matching(COLLECTIONS, &[("group", name)])?,
            &null("group"),
        )
        .await?;
    Ok(())
}

fn deletable(collection: &Collection, field: &Field) -> Result<(), Problem> {
    if field.system {
        return Err(protected(&format!(
            "Field {:?} of collection {:?}",
            field.name, collection.name
        )));
    }
    if field.column.is_some() {
        made_elsewhere(collection)?;
    }
    if field.column.as_ref().is_some_and(|column| column.primary_key) {
        let message = format!(
            "Field {:?} is the primary key of {:?}.",
            field.name, collection.name
        );
        return Err(
            invalid("", message).hint("A collection needs its key; delete the whole collection instead.")
        );
    }
    Ok(())
}

/// The table goes; what points to it lets go first.
async fn drop_table(change: &mut Change, base: &Schema, collection: &Collection) -> Result<(), Error> {
    if collection.table.is_none() {
        return Ok(());
    }
    let name = &collection.name;
    let mut steps = Vec::new();
    for other in base.collections.values().filter(|other| other.name != *name) {
        let keys = other.table.iter().flat_map(|table| &table.foreign_keys);
        steps.extend(
            keys.filter(|key| key.foreign_table == *name)
                .map(|key| SchemaStep::DropForeignKey {
                    table: other.name.clone(),
                    column: key.column.clone(),
                }),
        );
    }
    steps.push(SchemaStep::DropTable { table: name.clone() });
    change.tables(steps).await
}

/// The metadata of a relation goes: its row, the list on the other side, and what the other half of a junction says
/// of it.
pub(super) async fn forget_relation(
    change: &mut Change,
    base: &Schema,
    relation: &Relation,
) -> Result<(), Error> {
    if let Some(id) = relation.id {
        change.delete(RELATIONS, with_id(RELATIONS, id)?).await?;
    }
    if let (Some(one), Some(alias)) = (&relation.one_collection, &relation.one_field) {
        let identity = [("collection", one.as_str()), ("field", alias.as_str())];
        change.delete(FIELDS, matching(FIELDS, &identity)?).await?;
    }
    let halves = base.relations.iter().filter(|other| {
        other.many_collection == relation.many_collection
            && other.junction_field.as_deref() == Some(&relation.many_field)
    });
    for id in halves.filter_map(|other| other.id) {
        change
            .update(RELATIONS, with_id(RELATIONS, id)?, &null("junction_field"))
            .await?;
    }
    Ok(())
}

/// A collection that is gone is no longer one of those that can be pointed to.
async fn disallow(change: &mut Change, relation: &Relation, name: &str) -> Result<(), Error> {
    let (Some(id), Some(allowed)) = (relation.id, &relation.one_allowed_collections) else {
        return Ok(());
    };
    if allowed.iter().any(|known| known == name) {
        let left: Vec<_> = allowed.iter().filter(|known| *known != name).cloned().collect();
        let mut row = Record::new();
        row.insert("one_allowed_collections".to_owned(), left.into());
        change.update(RELATIONS, with_id(RELATIONS, id)?, &row).await?;
    }
    Ok(())
}

/// A relation that stays no longer names a field that is gone.
async fn forget_mentions(
    change: &mut Change,
    relation: &Relation,
    collection: &str,
    name: &str,
) -> Result<(), Error> {
    let Some(id) = relation.id else { return Ok(()) };
    let mut row = Record::new();
    let named = |field: &Option<String>| field.as_deref() == Some(name);
    if relation.many_collection == collection {
        for (key, field) in [
            ("junction_field", &relation.junction_field),
            ("sort_field", &relation.sort_field),
        ] {
            if named(field) {
                row.insert(key.to_owned(), Value::Null);
            }
        }
    }
    if relation.one_collection.as_deref() == Some(collection) && named(&relation.one_field) {
        row.insert("one_field".to_owned(), Value::Null);
    }
    if !row.is_empty() {
        change.update(RELATIONS, with_id(RELATIONS, id)?, &row).await?;
    }
    Ok(())
}

/// Permissions that list fields no longer list one that is gone: a new field of that name is not theirs.
async fn forget_permission(change: &mut Change, collection: &str, name: &str) -> Result<(), Error> {
    let rows = change
        .rows(PERMISSIONS, matching(PERMISSIONS, &[("collection", collection)])?)
        .await?;
    for row in rows {
        let listed = payload::texts(&row, "fields");
        let id = row.get("id").and_then(Value::as_i64);
        if let Some(id) = id
            && listed.iter().any(|known| known == name)
        {
            let left: Vec<_> = listed.into_iter().filter(|known| known != name).collect();
            let mut fields = Record::new();
            fields.insert("fields".to_owned(), left.into());
            change
                .update(PERMISSIONS, with_id(PERMISSIONS, id)?, &fields)
                .await?;
        }
    }
    Ok(())
}

fn null(key: &str) -> Record {
    let mut row = Record::new();
    row.insert(key.to_owned(), Value::Null);
    row
}
