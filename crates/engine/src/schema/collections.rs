//! Collections: list, read, create, change, delete.

use std::collections::{HashMap, HashSet};

use loggia_access::{Caller, Grants};
use loggia_model::plan::SchemaStep;
use loggia_model::schema::Column;
use loggia_model::{Collection, Problem, Problems, Record, Schema, StorageKind};
use serde_json::{Value, json};

use super::change::{Change, definition};
use super::draft::{self, FieldDraft};
use super::narrowed::Narrowed;
use super::payload::{self, Body, Given, invalid};
use super::{names, view};
use crate::again::again;
use crate::{Engine, Error};

/// The members of a collection, as the dialect writes them.
const COLLECTION_KEYS: &[&str] = &["collection", "meta", "schema", "fields"];

/// The members of a collection's `schema`: nothing of it is settable, all of it is introspection.
const TABLE_KEYS: &[&str] = &[
    "name",
    "schema",
    "comment",
    "sql",
    "catalog",
    "collation",
    "engine",
    "owner",
    "row_count",
];

/// The most columns that every supported database can give a table, with room for the system's own.
pub(super) const MOST_COLUMNS: usize = 1_000;

/// What in `meta` is said elsewhere.
const META_SKIP: &[&str] = &["collection", "system"];

/// By collection: the group that a request puts it in.
pub(super) type Groups = HashMap<String, Option<String>>;

/// A collection as it shall be.
struct Draft {
    name: String,
    /// Without one it is a folder.
    has_table: bool,
    fields: Vec<FieldDraft>,
    meta: Record,
}

impl Engine {
    /// The collections that the caller may know of.
    ///
    /// # Errors
    /// When that is none at all.
    pub fn list_collections(&self, caller: &Caller) -> Result<Vec<Value>, Error> {
        let schema = self.schema();
        let grants = self.outline(caller);
        let narrowed = Narrowed {
            schema: &schema,
            grants: &grants,
        };
        let collections = schema.collections.values();
        let seen: Vec<_> = collections
            .filter(|collection| narrowed.knows(collection))
            .map(|collection| narrowed.collection(collection))
            .collect();
        if seen.is_empty() {
            return Err(Problem::forbidden().into());
        }
        Ok(seen)
    }

    /// One collection.
    ///
    /// # Errors
    /// As [`Engine::list_collections`].
    pub fn read_collection(&self, caller: &Caller, name: &str) -> Result<Value, Error> {
        let schema = self.schema();
        let grants = self.outline(caller);
        let narrowed = Narrowed {
            schema: &schema,
            grants: &grants,
        };
        let collection = schema
            .collection(name)
            .filter(|collection| narrowed.knows(collection))
            .ok_or_else(Problem::forbidden)?;
        Ok(narrowed.collection(collection))
    }

    /// Makes collections with their fields: all of them, or none.
    ///
    /// # Errors
    /// Everything that is wrong with the definitions, with paths; what the database refuses.
    pub async fn create_collections(&self, caller: &Caller, bodies: Vec<Value>) -> Result<Vec<Value>, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let names = create_all(&mut change, &bodies).await?;
            let schema = change.finish().await?;
            let made = names.iter().filter_map(|name| schema.collection(name));
            Ok(made.map(|collection| view::collection(collection)).collect())
        })
    }

    /// Changes the `meta` of a collection; members that are not given stay.
    ///
    /// # Errors
    /// As [`Engine::create_collections`]; system collections are not changed.
    pub async fn update_collection(&self, caller: &Caller, name: &str, body: Value) -> Result<Value, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            update(&mut change, name, &body, &Groups::new()).await?;
            let schema = change.finish().await?;
            Ok(view::collection(seen(&schema, &self.outline(caller), name)?))
        })
    }

    /// Changes the `meta` of several collections, each named by its `collection`: all of them, or none.
    ///
    /// # Errors
    /// As [`Engine::update_collection`].
    pub async fn update_collections(&self, caller: &Caller, bodies: Vec<Value>) -> Result<Vec<Value>, Error> {
        again!(self, {
            let mut change = Change::begin(self, caller).await?;
            let mut problems = Problems::default();
            let mut updated = Vec::with_capacity(bodies.len());
            let groups = regrouped(&bodies);
            for (i, body) in bodies.iter().enumerate() {
                match body.get("collection").and_then(Value::as_str) {
                    Some(name) => match update(&mut change, name, body, &groups).await {
                        Ok(()) => updated.push(name.to_owned()),
                        Err(Error::Problems(wrong)) => problems.extend(wrong.within(&format!("[{i}]"))),
                        Err(error) => return Err(error),
                    },
                    None => {
                        let problem = invalid("collection", "\"collection\" is required.");
                        problems.push(problem.within(&format!("[{i}]")));
                    }
                }
            }
            problems.or(())?;
            let schema = change.finish().await?;
            let updated = updated.iter().filter_map(|name| schema.collection(name));
            Ok(updated.map(|collection| view::collection(collection)).collect())
        })
    }
}

/// A collection that the caller may know of.
pub(super) fn seen<'a>(
    schema: &'a Schema,
    grants: &Grants,
    name: &str,
) -> Result<&'a std::sync::Arc<Collection>, Problem> {
    schema
        .collection(name)
        .filter(|collection| grants.sees(collection))
        .ok_or_else(Problem::forbidden)
}

/// What is said to whoever wants to change what is the system's own.
pub(super) fn protected(what: &str) -> Problem {
    invalid(
        "",
        format!("{what} belongs to the system and cannot be changed or deleted."),
    )
    .hint("Fields of your own can be added to system collections; what the system needs stays as it is.")
}

/// Makes collections as bodies define them; answers their names.
pub(super) async fn create_all(change: &mut Change, bodies: &[Value]) -> Result<Vec<String>, Error> {
    let drafts = drafts(&change.schema, bodies)?;
    for draft in &drafts {
        create(change, draft).await?;
    }
    Ok(drafts.into_iter().map(|draft| draft.name).collect())
}

async fn create(change: &mut Change, draft: &Draft) -> Result<(), Error> {
    if draft.has_table {
        let columns = draft
            .fields
            .iter()
            .filter_map(|field| field.column.clone())
            .collect();
        change
            .tables(vec![SchemaStep::CreateTable {
                table: draft.name.clone(),
                columns,
                foreign_keys: Vec::new(),
            }])
            .await?;
    }
    let mut row = Record::new();
    row.insert("collection".to_owned(), draft.name.as_str().into());
    row.extend(draft.meta.clone());
    change.insert("directus_collections", &[row]).await?;
    let rows: Vec<_> = draft
        .fields
        .iter()
        .enumerate()
        .map(|(i, field)| field_row(&draft.name, field, i + 1))
        .collect();
    change.insert("directus_fields", &rows).await
}

/// The row of `directus_fields` of a new field; `sort` where it names none.
pub(super) fn field_row(collection: &str, field: &FieldDraft, sort: usize) -> Record {
    let mut row = Record::new();
    row.insert("collection".to_owned(), collection.into());
    row.insert("field".to_owned(), field.name.as_str().into());
    row.extend(field.meta.clone());
    if row.get("sort").is_none_or(Value::is_null) {
        row.insert("sort".to_owned(), sort.into());
    }
    row
}

/// Reads every definition and checks them against the schema and each other.
fn drafts(schema: &Schema, bodies: &[Value]) -> Result<Vec<Draft>, Problems> {
    let mut problems = Problems::default();
    let mut drafts: Vec<Draft> = Vec::with_capacity(bodies.len());
    let many = bodies.len() > 1;
    let step = |i: usize| if many { format!("[{i}]") } else { String::new() };
    for (i, body) in bodies.iter().enumerate() {
        let Some(draft) = problems.take(draft(body).map_err(|wrong| wrong.within(&step(i)))) else {
            continue;
        };
        let taken = schema
            .collections
            .keys()
            .chain(drafts.iter().map(|draft| &draft.name))
            .find(|known| names::same(known, &draft.name));
        if let Some(known) = taken {
            let problem = if *known == draft.name {
                invalid(
                    "collection",
                    format!("Collection {:?} already exists.", draft.name),
                )
                .hint("Change it with an update, or choose another name.")
            } else {
                let message = format!("Collection {:?} differs from {known:?} only in case.", draft.name);
                invalid("collection", message).hint("Choose another name.")
            };
            problems.push(problem.within(&step(i)));
        }
        drafts.push(draft);
    }
    let groups: Groups = drafts
        .iter()
        .map(|draft| {
            let group = payload::text(&draft.meta, "group");
            (draft.name.clone(), group.map(str::to_owned))
        })
        .collect();
    for (i, draft) in drafts.iter().enumerate() {
        let group = payload::text(&draft.meta, "group");
        if let Some(group) = group
            && let Err(problem) = grouped(schema, &groups, &draft.name, group)
        {
            problems.push(problem.within("meta.group").within(&step(i)));
        }
    }
    problems.or(drafts)
}

fn draft(value: &Value) -> Result<Draft, Problems> {
    let mut body = Body::new(value, COLLECTION_KEYS)?;
    let mut problems = Problems::default();
    let name = body.demanded_text("collection").unwrap_or_default().to_owned();
    if !name.is_empty() {
        problems.take(names::collection(&name).map_err(|problem| problem.within("collection")));
    }
    let given_meta = body.object("meta");
    let meta = match given_meta {
        Given::Object(given) => {
            let (row, wrong) = payload::meta(definition("directus_collections")?, given, META_SKIP);
            problems.extend(wrong.within("meta"));
            row
        }
        Given::Absent | Given::Null => Record::new(),
    };
    let listed = body.list("fields").unwrap_or_default();
    let has_table = match body.object("schema") {
        Given::Object(table) => {
            problems.extend(Body::of(table, TABLE_KEYS).problems.within("schema"));
            true
        }
        Given::Null => false,
        Given::Absent => !listed.is_empty(),
    };
    if !has_table && given_meta.object().is_none() && value.get("schema").is_none() {
        let problem = invalid("schema", "\"schema\" is required.")
            .hint("Pass {} for a collection of items, or null (with \"meta\") for a folder that groups collections.");
        problems.push(problem);
    }
    problems.extend(std::mem::take(&mut body.problems));
    if listed.len() > MOST_COLUMNS {
        let message = format!(
            "{} fields are listed; at most {MOST_COLUMNS} are allowed.",
            listed.len()
        );
        problems.push(invalid("fields", message).hint("Divide them among related collections."));
    }
    let mut fields = fields(listed, &mut problems);
    if has_table {
        with_primary_key(&mut fields, &mut problems);
    } else if !listed.is_empty() {
        let problem = invalid("fields", "A folder has no items, and so no fields.");
        problems.push(problem.hint("Pass \"schema\": {} to make a collection of items."));
    }
    ordering(&meta, &fields, has_table, &mut problems);
    problems.or(Draft {
        name,
        has_table,
        fields,
        meta,
    })
}

fn fields(listed: &[Value], problems: &mut Problems) -> Vec<FieldDraft> {
    let mut fields: Vec<FieldDraft> = Vec::with_capacity(listed.len() + 1);
    for (i, value) in listed.iter().enumerate() {
        let step = format!("fields[{i}]");
        let Some(field) = problems.take(draft::field(value).map_err(|wrong| wrong.within(&step))) else {
            continue;
        };
        if fields.iter().any(|known| names::same(&known.name, &field.name)) {
            let problem = invalid("field", format!("Field {:?} is listed twice.", field.name));
            problems.push(problem.within(&step));
        }
        fields.push(field);
    }
    fields
}

/// Makes sure of exactly one primary key: the one that is marked, else a field called `id`, else a new one.
fn with_primary_key(fields: &mut Vec<FieldDraft>, problems: &mut Problems) {
    let is_key = |field: &FieldDraft| field.column.as_ref().is_some_and(|column| column.primary_key);
    let marked: Vec<_> = fields
        .iter()
        .filter(|field| is_key(field))
        .map(|field| field.name.clone())
        .collect();
    if marked.len() > 1 {
        let message = format!("Several fields are marked as primary key: {}.", marked.join(", "));
        problems
            .push(invalid("fields", message).hint("Mark one of them, and the others as unique if need be."));
    }
    if !marked.is_empty() {
        return;
    }
    match fields.iter_mut().find(|field| names::same(&field.name, "id")) {
        None => fields.insert(0, numbered_key()),
        Some(field) => {
            let special = payload::texts(&field.meta, "special");
            match &mut field.column {
                Some(column) if can_be_key(column.kind) => {
                    column.primary_key = true;
                    column.unique = true;
                    column.indexed = false;
                    column.nullable = false;
                    column.auto_increment = matches!(column.kind, StorageKind::Integer | StorageKind::BigInteger);
                    if column.kind == StorageKind::Uuid && special.is_empty() {
                        field.meta.insert("special".to_owned(), json!(["uuid"]));
                    }
                }
                _ => problems.push(
                    invalid("fields", "The collection has no primary key, and its \"id\" cannot be one.")
                        .hint("Mark one field with schema.is_primary_key, or give \"id\" a type such as integer or uuid."),
                ),
            }
        }
    }
}

fn can_be_key(kind: StorageKind) -> bool {
    matches!(
        kind,
        StorageKind::Integer | StorageKind::BigInteger | StorageKind::Uuid | StorageKind::String
    )
}

/// `id`, numbered by the database.
fn numbered_key() -> FieldDraft {
    let column = Column {
        name: "id".to_owned(),
        kind: StorageKind::Integer,
        nullable: false,
        unique: true,
        primary_key: true,
        auto_increment: true,
        ..Column::default()
    };
    let meta = json!({"special": null, "interface": "input", "readonly": true, "hidden": true});
    FieldDraft {
        name: "id".to_owned(),
        column: Some(column),
        meta: meta.as_object().cloned().unwrap_or_default(),
    }
}

/// `sort_field` and `archive_field` must name columns.
fn ordering(meta: &Record, fields: &[FieldDraft], has_table: bool, problems: &mut Problems) {
    for key in ["sort_field", "archive_field"] {
        let Some(name) = payload::text(meta, key) else {
            continue;
        };
        let columns = fields
            .iter()
            .filter(|field| field.column.is_some())
            .map(|field| field.name.as_str());
        if !has_table || !columns.clone().any(|known| known == name) {
            problems.push(no_such_column(name, columns).within(key).within("meta"));
        }
    }
}

fn no_such_column<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let problem = invalid(
        "",
        format!("There is no field {} with a column.", names::shown(name)),
    );
    match loggia_model::error::nearest(name, known) {
        Some(near) => problem.hint(format!("Did you mean {near:?}?")),
        None => problem.hint("Create the field first, or in the same request."),
    }
}

/// Whether `group` exists, and does not lead back to `name`; `groups` is what the request itself says.
fn grouped(schema: &Schema, groups: &Groups, name: &str, group: &str) -> Result<(), Problem> {
    let parent = |name: &str| -> Option<Option<String>> {
        if let Some(group) = groups.get(name) {
            return Some(group.clone());
        }
        let collection = schema.collection(name)?;
        Some(collection.meta.as_ref().and_then(|meta| meta.group.clone()))
    };
    if parent(group).is_none() {
        let problem = invalid("", format!("Collection {} doesn't exist.", names::shown(group)));
        let known = schema.collections.keys().map(String::as_str);
        return Err(match loggia_model::error::nearest(group, known) {
            Some(near) => problem.hint(format!("Did you mean {near:?}?")),
            None => problem.hint("Create the folder first, or in the same request."),
        });
    }
    let mut walked = HashSet::from([name.to_owned()]);
    let mut at = Some(group.to_owned());
    while let Some(step) = at {
        if !walked.insert(step.clone()) {
            let message = format!("Grouping {name:?} under {group:?} would make a circle.");
            return Err(invalid("", message).hint("Group it under something that is not inside of it."));
        }
        at = parent(&step).flatten();
    }
    Ok(())
}

/// The groups that updates name.
fn regrouped(bodies: &[Value]) -> Groups {
    let group = |body: &Value| {
        let name = body.get("collection")?.as_str()?.to_owned();
        let group = body.get("meta")?.get("group")?;
        Some((name, group.as_str().map(str::to_owned)))
    };
    bodies.iter().filter_map(group).collect()
}

pub(super) async fn update(
    change: &mut Change,
    name: &str,
    body: &Value,
    groups: &Groups,
) -> Result<(), Error> {
    let schema = change.schema.clone();
    let collection = schema.collection(name).ok_or_else(Problem::forbidden)?;
    let mut read = Body::new(body, COLLECTION_KEYS)?;
    if collection.system {
        return Err(protected(&format!("Collection {name:?}")).into());
    }
    let mut problems = Problems::default();
    if read.text("collection").is_some_and(|given| given != name) {
        let problem = invalid("collection", "A collection cannot be renamed.");
        problems.push(problem.hint("Create one with the new name, copy the items, then delete the old one."));
    }
    if read.raw("fields").is_some() {
        let problem = invalid("fields", "\"fields\" is only read when a collection is created.");
        problems.push(problem.hint("Change fields by themselves."));
    }
    if let Given::Object(table) = read.object("schema") {
        problems.extend(Body::of(table, TABLE_KEYS).problems.within("schema"));
    }
    let given = read.object("meta").object();
    problems.extend(std::mem::take(&mut read.problems));
    let Some(given) = given else {
        return Ok(problems.or(())?);
    };
    let (row, wrong) = payload::meta(definition("directus_collections")?, given, META_SKIP);
    problems.extend(wrong.within("meta"));
    for key in ["sort_field", "archive_field"] {
        let Some(field) = payload::text(&row, key) else {
            continue;
        };
        if collection.field(field).is_none_or(|field| field.is_alias()) {
            let columns = collection.fields.values().filter(|field| !field.is_alias());
            let known = columns.map(|field| field.name.as_str());
            problems.push(no_such_column(field, known).within(key).within("meta"));
        }
    }
    if let Some(group) = payload::text(&row, "group")
        && let Err(problem) = grouped(&schema, groups, name, group)
    {
        problems.push(problem.within("meta.group"));
    }
    problems.or(())?;
    change
        .put("directus_collections", &[("collection", name)], &row)
        .await
}
