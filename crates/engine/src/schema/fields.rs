//! Fields: list, read, create, change.

use std::sync::Arc;

use loggia_access::Caller;
use loggia_model::error::{CONTAINS_NULL_VALUES, nearest};
use loggia_model::filter::Test;
use loggia_model::plan::SchemaStep;
use loggia_model::schema::{Column, Default};
use loggia_model::{Collection, Field, Filter, Problem, Problems, Schema};
use serde_json::Value;

use super::change::Change;
use super::collections::{MOST_COLUMNS, field_row, protected, seen};
use super::draft::{self, FieldDraft, FieldUpdate};
use super::narrowed::Narrowed;
use super::payload::invalid;
use super::relation_draft::fits;
use super::{names, view};
use crate::again::again;
use crate::{Engine, Error};

impl Engine {
    /// The fields of one collection, or of every collection that the caller may know of.
    ///
    /// # Errors
    /// The one answer for what does not exist and what the caller may not know.
    pub fn list_fields(&self, caller: &Caller, collection: Option<&str>) -> Result<Vec<Value>, Error> {
        let schema = self.schema();
        let grants = self.outline(caller);
        let collections: Vec<_> = match collection {
            Some(name) => vec![seen(&schema, &grants, name)?],
            None => schema
                .collections
                .values()
                .filter(|collection| grants.sees(collection))
                .collect(),
        };
        if collections.is_empty() {
            return Err(Problem::forbidden().into());
        }
        let narrowed = Narrowed {
            schema: &schema,
            grants: &grants,
        };
        let fields = collections.iter().flat_map(|collection| {
            let known = collection.fields.values();
            let known = known.filter(|field| narrowed.knows_field(collection, field));
            known.map(|field| narrowed.field(collection, field))
        });
        Ok(fields.collect())
    }

    /// One field.
    ///
    /// # Errors
    /// As [`Engine::list_fields`].
    pub fn read_field(&self, caller: &Caller, collection: &str, field: &str) -> Result<Value, Error> {
        let schema = self.schema();
        let grants = self.outline(caller);
        let collection = seen(&schema, &grants, collection)?;
        let narrowed = Narrowed {
            schema: &schema,
            grants: &grants,
        };
        let field = collection
            .field(field)
            .filter(|field| narrowed.knows_field(collection, field))
            .ok_or_else(Problem::forbidden)?;
        Ok(narrowed.field(collection, field))
    }

    /// Adds a field to a collection, a system collection included.
    ///
    /// # Errors
    /// Everything that is wrong with the definition, with paths; what the database refuses.
    pub async fn create_field(&self, caller: &Caller, collection: &str, body: Value) -> Result<Value, Error> {
        let mut made = self.create_fields(caller, collection, vec![body]).await?;
        made.pop().ok_or_else(|| Problem::forbidden().into())
    }

    /// Adds fields to a collection: all of them, or none.
    ///
    /// # Errors
    /// As [`Engine::create_field`].
    pub async fn create_fields(
        &self,
        caller: &Caller,
        collection: &str,
        bodies: Vec<Value>,
    ) -> Result<Vec<Value>, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let base = change.schema.clone();
            let target = base.collection(collection).ok_or_else(Problem::forbidden)?;
            let mut problems = Problems::default();
            let mut drafts: Vec<FieldDraft> = Vec::with_capacity(bodies.len());
            for (i, body) in bodies.iter().enumerate() {
                let step = if bodies.len() > 1 {
                    format!("[{i}]")
                } else {
                    String::new()
                };
                let Some(draft) = problems.take(checked(target, body).map_err(|wrong| wrong.within(&step)))
                else {
                    continue;
                };
                if drafts.iter().any(|known| names::same(&known.name, &draft.name)) {
                    let problem = invalid("field", format!("Field {:?} is listed twice.", draft.name));
                    problems.push(problem.within(&step));
                }
                drafts.push(draft);
            }
            if target.fields.len() + drafts.len() > MOST_COLUMNS {
                let message = format!("The collection would have more than {MOST_COLUMNS} fields.");
                problems.push(invalid("", message).hint("Divide them among related collections."));
            }
            problems.or(())?;
            for (i, draft) in drafts.iter().enumerate() {
                let next = next_sort(target) + i;
                add(&mut change, target, draft, next).await?;
            }
            let schema = change.finish().await?;
            drafts
                .iter()
                .map(|draft| shown(&schema, collection, &draft.name))
                .collect()
        })
    }

    /// Changes a field: its column, converting the values that are there, and its `meta`; what is not given stays.
    ///
    /// # Errors
    /// As [`Engine::create_field`]; fields of the system are not changed.
    pub async fn update_field(
        &self,
        caller: &Caller,
        collection: &str,
        field: &str,
        body: Value,
    ) -> Result<Value, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            update(&mut change, collection, field, &body).await?;
            let schema = change.finish().await?;
            shown(&schema, collection, field)
        })
    }

    /// Changes several fields, each named by its `field`: all of them, or none.
    ///
    /// # Errors
    /// As [`Engine::update_field`].
    pub async fn update_fields(
        &self,
        caller: &Caller,
        collection: &str,
        bodies: Vec<Value>,
    ) -> Result<Vec<Value>, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let mut problems = Problems::default();
            let mut updated = Vec::with_capacity(bodies.len());
            for (i, body) in bodies.iter().enumerate() {
                let step = format!("[{i}]");
                match body.get("field").and_then(Value::as_str) {
                    Some(field) if updated.contains(&field) => {
                        let message = format!("Field {field:?} is listed twice.");
                        problems.push(invalid("field", message).within(&step));
                    }
                    Some(field) => match update(&mut change, collection, field, body).await {
                        Ok(()) => updated.push(field),
                        Err(Error::Problems(wrong)) => problems.extend(wrong.within(&step)),
                        Err(error) => return Err(error),
                    },
                    None => problems.push(invalid("field", "\"field\" is required.").within(&step)),
                }
            }
            problems.or(())?;
            let schema = change.finish().await?;
            updated
                .iter()
                .map(|field| shown(&schema, collection, field))
                .collect()
        })
    }
}

/// Adds a field as a body defines it.
pub(super) async fn create_one(change: &mut Change, collection: &str, body: &Value) -> Result<(), Error> {
    let base = change.schema.clone();
    let target = base.collection(collection).ok_or_else(Problem::forbidden)?;
    let draft = checked(target, body)?;
    add(change, target, &draft, next_sort(target)).await
}

/// Adds the column and the row of metadata.
pub(super) async fn add(
    change: &mut Change,
    collection: &Arc<Collection>,
    draft: &FieldDraft,
    sort: usize,
) -> Result<(), Error> {
    if let Some(column) = &draft.column {
        if !column.nullable && column.default == Default::None && change.any(collection, Filter::All).await? {
            let problem = without_value(&collection.name, &draft.name);
            return Err(problem
                .hint("Items exist already: give the field a default, or make it nullable and fill it in first.")
                .into());
        }
        let step = SchemaStep::AddColumn {
            table: collection.name.clone(),
            column: column.clone(),
        };
        change.tables(vec![step]).await?;
    }
    change
        .insert("directus_fields", &[field_row(&collection.name, draft, sort)])
        .await
}

/// The position after the last field.
pub(super) fn next_sort(collection: &Collection) -> usize {
    let sorts = collection
        .fields
        .values()
        .filter_map(|field| field.meta.as_ref()?.sort);
    sorts
        .max()
        .and_then(|sort| usize::try_from(sort).ok())
        .unwrap_or(0)
        + 1
}

fn shown(schema: &Schema, collection: &str, field: &str) -> Result<Value, Error> {
    let field = schema
        .collection(collection)
        .and_then(|collection| collection.field(field))
        .ok_or_else(Problem::forbidden)?;
    Ok(view::field(schema, field))
}

/// The definition, checked against the collection that it shall belong to.
fn checked(collection: &Collection, body: &Value) -> Result<FieldDraft, Problems> {
    let mut problems = Problems::default();
    let draft = problems.take(draft::field(body));
    let named = body.get("field").and_then(Value::as_str).unwrap_or_default();
    if let Some(known) = collection.fields.keys().find(|known| names::same(known, named)) {
        let problem = if known == named {
            let message = format!(
                "Field {named:?} already exists in collection {:?}.",
                collection.name
            );
            invalid("field", message).hint("Change it with an update, or choose another name.")
        } else {
            let message = format!("Field {named:?} differs from {known:?} only in case.");
            invalid("field", message).hint("Choose another name.")
        };
        problems.push(problem);
    }
    if let Some(column) = draft.as_ref().and_then(|draft| draft.column.as_ref()) {
        if collection.table.is_none() {
            let problem = invalid("type", "A folder has no items, and so no fields with a column.");
            problems.push(problem.hint("Use type \"alias\", or choose a collection of items."));
        }
        if let Err(problem) = made_elsewhere(collection) {
            problems.push(problem);
        }
        if column.primary_key {
            let message = format!("Collection {:?} has its primary key already.", collection.name);
            problems.push(invalid("schema.is_primary_key", message));
        }
    }
    let draft = problems.or(draft)?;
    draft.ok_or_else(Problems::default)
}

/// A view is changed where it was made.
///
/// # Errors
/// That it is one.
pub(super) fn made_elsewhere(collection: &Collection) -> Result<(), Problem> {
    if !collection.is_view() {
        return Ok(());
    }
    let message = format!(
        "{:?} is a view of the database, which is not changed here.",
        collection.name
    );
    let hint =
        "Change it in the database (CREATE OR REPLACE VIEW, DROP VIEW). Its `meta` can be changed here.";
    Err(invalid("", message).hint(hint))
}

/// A column that demands values, beside items that have none.
fn without_value(collection: &str, field: &str) -> Problem {
    let message = format!("Field {field:?} in collection {collection:?} contains null values.");
    Problem::new(&CONTAINS_NULL_VALUES, message)
        .at("schema.is_nullable")
        .with("collection", collection)
        .with("field", field)
}

/// One field of a change in which the fields before it have already been changed.
pub(super) async fn update(
    change: &mut Change,
    collection: &str,
    name: &str,
    body: &Value,
) -> Result<(), Error> {
    let schema = change.schema.clone();
    let target = schema.collection(collection).ok_or_else(Problem::forbidden)?;
    let field = target.field(name).ok_or_else(|| unknown(target, name))?;
    if field.system {
        return Err(protected(&format!("Field {name:?} of collection {collection:?}")).into());
    }
    if body.get("collection").is_some_and(|given| given != collection) {
        return Err(invalid("collection", "A field cannot be moved to another collection.").into());
    }
    let FieldUpdate { column, meta } = draft::update(field, body)?;
    if let Some(column) = column {
        made_elsewhere(target)?;
        alterable(&schema, field, &column)?;
        let was_nullable = field.column.as_ref().is_some_and(|column| column.nullable);
        if was_nullable && !column.nullable && change.any(target, Filter::field(field, Test::Null)).await? {
            let problem = without_value(collection, name);
            return Err(problem.hint("Give those items a value first.").into());
        }
        let step = SchemaStep::AlterColumn {
            table: collection.to_owned(),
            column,
        };
        change.tables(vec![step]).await?;
    }
    if !meta.is_empty() {
        let identity = [("collection", collection), ("field", name)];
        change.put("directus_fields", &identity, &meta).await?;
    }
    Ok(())
}

fn unknown(collection: &Arc<Collection>, name: &str) -> Problem {
    let problem = Problem::forbidden();
    match nearest(name, collection.fields.keys().map(String::as_str)) {
        Some(near) => problem.hint(format!("Did you mean the field {near:?}?")),
        None => problem,
    }
}

/// A column that takes part in relations must still fit what it points to.
fn alterable(schema: &Schema, field: &Field, column: &Column) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for relation in schema.relations.iter() {
        if relation.many_collection != field.collection || relation.many_field != field.name {
            continue;
        }
        let targets = relation
            .one_collection
            .iter()
            .chain(relation.one_allowed_collections.iter().flatten());
        for target in targets.filter_map(|name| schema.collection(name)) {
            if let Err(problem) = fits(column, target, relation.one_collection.is_none()) {
                problems.push(problem.at("type"));
            }
        }
        let sets_null = relation
            .foreign_key
            .as_ref()
            .is_some_and(|key| key.on_delete == loggia_model::schema::Action::SetNull);
        if sets_null && !column.nullable {
            let message = "The relation of this field sets it to null when the item pointed to is deleted.";
            let hint = "Change the relation's on_delete first, for example to \"CASCADE\" or \"NO ACTION\".";
            problems.push(invalid("schema.is_nullable", message).hint(hint));
        }
    }
    problems.or(())
}
