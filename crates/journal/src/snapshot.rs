//! Builds the immutable schema from the tables that the database really has and the metadata beside them.
//!
//! Tables decide what exists, metadata how it is presented: a table without metadata is a collection, a row of
//! metadata without its table or column is left out. System collections are what their definitions say, plus the
//! fields that users added.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::schema::{Column, ForeignKey, Table};
use loggia_model::system::{self, SystemCollection, metadata};
use loggia_model::{Collection, Field, Filter, Record, Relation, Schema, field_types};
use loggia_store::{Error, Outcome, Store, Tx};

use crate::Recorder;

/// The rows that describe collections, fields and relations.
#[derive(Debug, Default)]
struct Metadata {
    /// `directus_collections`.
    collections: Vec<Record>,
    /// `directus_fields`.
    fields: Vec<Record>,
    /// `directus_relations`.
    relations: Vec<Record>,
}

const METADATA: [&str; 3] = ["directus_collections", "directus_fields", "directus_relations"];
const REASON: &str = "the schema is the same for every caller; what each may see is decided when it is shown";

/// The schema as it is committed now.
///
/// # Errors
/// When the database cannot be read.
pub async fn read(store: &Store) -> Result<Schema, Error> {
    loop {
        let version = store.schema_version().await?;
        let tables = store.tables().await?;
        let outcomes = store
            .run_all(plans().map(|plan| Permit::system(REASON, plan)).collect())
            .await?;
        let mut rows = outcomes.into_iter().map(records);
        let mut next = || rows.next().unwrap_or_default();
        let metadata = Metadata {
            collections: next(),
            fields: next(),
            relations: next(),
        };
        // A change in between would mix two schemas.
        if store.schema_version().await? == version {
            return Ok(build(version, tables, metadata));
        }
    }
}

/// The schema as a transaction sees it, its own changes included.
///
/// # Errors
/// When the database cannot be read.
pub async fn read_within(recorder: &mut Recorder) -> Result<Schema, Error> {
    read_in(&mut recorder.tx).await
}

pub(crate) async fn read_in(tx: &mut Tx) -> Result<Schema, Error> {
    let tables = tx.tables().await?;
    let mut rows = Vec::with_capacity(METADATA.len());
    for plan in plans() {
        rows.push(records(tx.run(Permit::system(REASON, plan)).await?));
    }
    let version = tx.schema_version().await?;
    let mut rows = rows.into_iter();
    let mut next = || rows.next().unwrap_or_default();
    let metadata = Metadata {
        collections: next(),
        fields: next(),
        relations: next(),
    };
    Ok(build(version, tables, metadata))
}

/// One read for each of [`METADATA`], by the definitions: users' own fields of these collections are not asked for.
fn plans() -> impl Iterator<Item = Plan> {
    METADATA
        .into_iter()
        .filter_map(system::collection)
        .map(|definition| {
            let collection = Arc::new(definition.collection());
            let columns = collection.fields.values().filter(|field| !field.is_alias());
            let select = columns
                .map(|field| Selected {
                    when: None,
                    alias: field.name.clone(),
                    source: Source::Field(field.clone()),
                })
                .collect();
            Plan::Read(ReadPlan {
                collection,
                select,
                filter: Filter::All,
                sort: Vec::new(),
                limit: None,
                offset: 0,
            })
        })
}

fn records(outcome: Outcome) -> Vec<Record> {
    match outcome {
        Outcome::Rows(rows) => rows,
        Outcome::Keys(_) => Vec::new(),
    }
}

/// Puts tables and metadata together.
fn build(version: u64, mut tables: IndexMap<String, Table>, metadata: Metadata) -> Schema {
    let mut rows: HashMap<String, IndexMap<String, Record>> = HashMap::new();
    for row in metadata.fields {
        if let (Some(collection), Some(field)) = (text(&row, "collection"), text(&row, "field")) {
            rows.entry(collection).or_default().insert(field, row);
        }
    }
    let mut described: IndexMap<String, Record> = metadata
        .collections
        .into_iter()
        .filter_map(|row| Some((text(&row, "collection")?, row)))
        .collect();

    let system: Vec<_> = system::COLLECTIONS
        .iter()
        .map(|definition| {
            let table = tables.shift_remove(definition.name);
            let rows = rows.remove(definition.name).unwrap_or_default();
            system_collection(definition, table, rows)
        })
        .collect();
    let mut names: Vec<String> = described.keys().chain(tables.keys()).cloned().collect();
    names.retain(|name| !system::is_reserved(name));
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));

    let mut own: Vec<_> = names
        .into_iter()
        .map(|name| {
            let table = tables.shift_remove(&name);
            let meta = described.shift_remove(&name);
            let rows = rows.remove(&name).unwrap_or_default();
            own_collection(name, table, meta, rows)
        })
        .collect();
    own.sort_by_cached_key(|collection| {
        let sort = collection
            .meta
            .as_ref()
            .and_then(|meta| meta.record.get("sort")?.as_i64());
        (sort.unwrap_or(i64::MAX), collection.name.clone())
    });
    let collections: IndexMap<_, _> = own
        .into_iter()
        .chain(system)
        .map(|collection| (collection.name.clone(), Arc::new(collection)))
        .collect();
    let relations = relations(&collections, &metadata.relations);
    Schema::new(version, collections, relations)
}

/// The `special` entry of the field that tells the items of a view apart: the database does not say which one does.
const KEY_OF_VIEW: &str = "key";

fn own_collection(
    name: String,
    mut table: Option<Table>,
    meta: Option<Record>,
    rows: IndexMap<String, Record>,
) -> Collection {
    if let Some(table) = table.as_mut().filter(|table| table.view) {
        name_key(table, &rows);
    }
    let columns = table
        .as_ref()
        .map(|table| table.columns.as_slice())
        .unwrap_or_default();
    let fields = own_fields(&name, columns, rows);
    let primary = primary(&fields);
    Collection {
        name,
        table,
        meta: meta.map(metadata::collection),
        system: false,
        fields,
        primary,
    }
}

/// The definition's fields first, as they are defined; then what users added.
fn system_collection(
    definition: &SystemCollection,
    table: Option<Table>,
    rows: IndexMap<String, Record>,
) -> Collection {
    let mut collection = definition.collection();
    let Some(table) = table else { return collection };
    let (defined, added): (Vec<_>, Vec<_>) = table
        .columns
        .iter()
        .cloned()
        .partition(|column| definition.field(&column.name).is_some());
    for column in defined {
        if let Some(field) = collection.fields.get_mut(&column.name).and_then(Arc::get_mut)
            && let Some(known) = &mut field.column
        {
            known.data_type = column.data_type;
        }
    }
    collection.primary = primary(&collection.fields);
    let rows = rows
        .into_iter()
        .filter(|(name, _)| definition.field(name).is_none())
        .collect();
    collection
        .fields
        .extend(own_fields(definition.name, &added, rows));
    collection.table = Some(table);
    collection
}

/// Makes the column of a view its key that its metadata names.
fn name_key(view: &mut Table, rows: &IndexMap<String, Record>) {
    let named = |column: &&mut Column| {
        let row = rows.get(&column.name).cloned();
        row.is_some_and(|row| {
            metadata::field(row)
                .special
                .iter()
                .any(|entry| entry == KEY_OF_VIEW)
        })
    };
    if let Some(column) = view.columns.iter_mut().find(named) {
        column.primary_key = true;
        column.unique = true;
        column.nullable = false;
    }
}

/// Columns, and aliases that only metadata knows; in the order of `sort`, then of the table.
fn own_fields(
    collection: &str,
    columns: &[Column],
    mut rows: IndexMap<String, Record>,
) -> IndexMap<String, Arc<Field>> {
    let mut fields: Vec<Field> = columns
        .iter()
        .map(|column| field(collection, Some(column.clone()), rows.shift_remove(&column.name)))
        .collect();
    fields.extend(rows.into_values().map(|row| field(collection, None, Some(row))));
    fields.sort_by_key(|field| field.meta.as_ref().and_then(|meta| meta.sort).unwrap_or(i64::MAX));
    fields
        .into_iter()
        .map(|field| (field.name.clone(), Arc::new(field)))
        .collect()
}

fn field(collection: &str, column: Option<Column>, row: Option<Record>) -> Field {
    let name = match (&column, &row) {
        (Some(column), _) => column.name.clone(),
        (None, row) => row
            .as_ref()
            .and_then(|row| text(row, "field"))
            .unwrap_or_default(),
    };
    let meta = row.map(metadata::field);
    let special = meta
        .as_ref()
        .map(|meta| meta.special.as_slice())
        .unwrap_or_default();
    let ty = match &column {
        Some(column) => field_types::of_column(column.kind, special),
        None => field_types::ALIAS,
    };
    Field {
        collection: collection.to_owned(),
        name,
        ty,
        column,
        meta,
        system: false,
    }
}

/// The one column that is the primary key; a key of several columns identifies no item.
fn primary(fields: &IndexMap<String, Arc<Field>>) -> Option<Arc<Field>> {
    let mut keys = fields
        .values()
        .filter(|field| field.column.as_ref().is_some_and(|column| column.primary_key));
    let key = keys.next()?;
    keys.next().is_none().then(|| key.clone())
}

fn relations(collections: &IndexMap<String, Arc<Collection>>, rows: &[Record]) -> Vec<Arc<Relation>> {
    let mut relations: Vec<Relation> = rows
        .iter()
        .filter_map(metadata::relation)
        .filter_map(|relation| resolved(collections, relation))
        .collect();
    relations.extend(system::all_relations());
    let known: HashSet<(String, String)> = relations
        .iter()
        .map(|relation| (relation.many_collection.clone(), relation.many_field.clone()))
        .collect();
    for collection in collections.values() {
        let Some(table) = &collection.table else { continue };
        for key in &table.foreign_keys {
            if !known.contains(&(collection.name.clone(), key.column.clone()))
                && collections.contains_key(&key.foreign_table)
            {
                relations.push(implied(&collection.name, key));
            }
        }
    }
    relations.into_iter().map(Arc::new).collect()
}

/// With its foreign key; `None` where an end of it is missing.
fn resolved(collections: &IndexMap<String, Arc<Collection>>, mut relation: Relation) -> Option<Relation> {
    let many = collections.get(&relation.many_collection)?;
    many.field(&relation.many_field)?.column.as_ref()?;
    let keys = many.table.as_ref().map(|table| table.foreign_keys.as_slice());
    relation.foreign_key = keys
        .unwrap_or_default()
        .iter()
        .find(|key| key.column == relation.many_field)
        .cloned();
    match &relation.one_collection {
        Some(one) => {
            collections.get(one)?;
        }
        None if relation.one_allowed_collections.is_none() => {
            let key = relation.foreign_key.as_ref()?;
            collections.get(&key.foreign_table)?;
            relation.one_collection = Some(key.foreign_table.clone());
        }
        None => {}
    }
    Some(relation)
}

/// What a foreign key without metadata says.
fn implied(table: &str, key: &ForeignKey) -> Relation {
    Relation {
        many_collection: table.to_owned(),
        many_field: key.column.clone(),
        one_collection: Some(key.foreign_table.clone()),
        foreign_key: Some(key.clone()),
        ..Relation::default()
    }
}

fn text(row: &Record, name: &str) -> Option<String> {
    row.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use loggia_model::StorageKind;
    use loggia_model::schema::Action;
    use serde_json::{Value, json};

    use super::*;

    fn column(name: &str, primary_key: bool) -> Column {
        Column {
            name: name.to_owned(),
            kind: StorageKind::Integer,
            primary_key,
            ..Column::default()
        }
    }

    fn rows(rows: Value) -> Vec<Record> {
        serde_json::from_value(rows).unwrap()
    }

    fn tables(named: &[(&str, Table)]) -> IndexMap<String, Table> {
        named
            .iter()
            .map(|(name, table)| ((*name).to_owned(), table.clone()))
            .collect()
    }

    #[test]
    fn tables_decide_what_exists_and_metadata_how_it_looks() {
        let posts = Table {
            columns: vec![
                column("id", true),
                column("title", false),
                column("author", false),
            ],
            foreign_keys: vec![ForeignKey {
                column: "author".to_owned(),
                foreign_table: "people".to_owned(),
                foreign_column: "id".to_owned(),
                on_update: Action::NoAction,
                on_delete: Action::Cascade,
            }],
            ..Table::default()
        };
        let people = Table {
            columns: vec![column("id", true)],
            ..Table::default()
        };
        let metadata = Metadata {
            collections: rows(json!([{"collection": "posts", "sort": 1}, {"collection": "box"}])),
            fields: rows(json!([
                {"collection": "posts", "field": "title", "sort": 2},
                {"collection": "posts", "field": "id", "sort": 3},
                {"collection": "posts", "field": "list", "sort": 1, "special": ["o2m"]},
                {"collection": "gone", "field": "x"},
                {"collection": "directus_users", "field": "posts", "special": ["o2m"]},
                {"collection": "directus_users", "field": "email", "note": "not yours to say"},
            ])),
            relations: rows(json!([
                {"id": 1, "many_collection": "gone", "many_field": "x", "one_collection": "posts"},
                {"id": 2, "many_collection": "posts", "many_field": "gone", "one_collection": "people"},
                {"id": 3, "many_collection": "posts", "many_field": "title", "one_collection": "gone"},
            ])),
        };
        let schema = build(7, tables(&[("people", people), ("posts", posts)]), metadata);
        let own: Vec<_> = schema
            .collections
            .values()
            .filter(|collection| !collection.system)
            .collect();
        let names: Vec<_> = own.iter().map(|collection| collection.name.as_str()).collect();
        assert_eq!(names, ["posts", "box", "people"]);
        let fields: Vec<_> = own[0].fields.keys().map(String::as_str).collect();
        assert_eq!(fields, ["list", "title", "id", "author"]);
        assert!(own[1].table.is_none());
        assert!(own[2].meta.is_none());
        let relations: Vec<_> = schema
            .relations
            .iter()
            .filter(|relation| !relation.system)
            .collect();
        assert_eq!(relations.len(), 1, "what misses an end is left out");
        assert_eq!(
            (relations[0].many_field.as_str(), relations[0].id),
            ("author", None)
        );
        let users = schema.collection("directus_users").unwrap();
        assert!(
            users.field("posts").is_none(),
            "without its table there is nothing to add to"
        );
        assert_eq!(users.field("email").unwrap().meta.as_ref().unwrap().note, None);
    }

    #[test]
    fn a_view_has_the_key_that_is_named() {
        let view = Table {
            columns: vec![column("a", false), column("b", false)],
            view: true,
            ..Table::default()
        };
        let metadata = |special: Value| Metadata {
            fields: rows(json!([{"collection": "v", "field": "b", "special": special}])),
            ..Metadata::default()
        };
        let schema = build(1, tables(&[("v", view.clone())]), metadata(json!(["cast-json"])));
        assert!(schema.collection("v").unwrap().primary.is_none());
        let schema = build(1, tables(&[("v", view)]), metadata(json!(["key"])));
        let view = schema.collection("v").unwrap();
        assert_eq!(view.primary.as_ref().unwrap().name, "b");
        assert!(view.read_only().is_some());
    }

    #[test]
    fn a_key_of_several_columns_identifies_no_item() {
        let pairs = Table {
            columns: vec![column("a", true), column("b", true)],
            ..Table::default()
        };
        let schema = build(1, tables(&[("pairs", pairs)]), Metadata::default());
        assert!(schema.collection("pairs").unwrap().primary.is_none());
    }
}
