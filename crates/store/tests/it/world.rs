//! Stores to test with, and a small newspaper in them: authors (some of them edited by others), articles, tags (M2M) and blocks (M2A).

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::clock::Clock;
use loggia_model::filter::{Direction, Operand, Step, Test};
use loggia_model::plan::{
    DeletePlan, InsertPlan, Plan, ReadPlan, Related, SchemaPlan, SchemaStep, Selected, Sort, Source,
    UpdatePlan,
};
use loggia_model::schema::{Action, Column, Default as ColumnDefault, FieldMeta, ForeignKey, Table};
use loggia_model::{
    Collection, Field, Filter, Link, Record, Relation, Scalar, Schema, StorageKind as Kind, field_types,
};
use loggia_servers::{Database as Private, Kind as Database};
use loggia_store::{Error, Options, Outcome, Store, Tx};
use serde_json::Value;

pub(crate) const REASON: &str = "tests";

/// How the store of a test is opened.
pub(crate) fn options(url: &str) -> Options {
    Options {
        clock: Clock::mock("2026-11-21T04:05:06.789Z".parse().unwrap()),
        durable: false,
        ..Options::new(url)
    }
}

/// A store of its own for one test; `None` where its server is not installed.
pub(crate) async fn opened(kind: Database, options: impl Fn(&str) -> Options) -> Option<World> {
    let make = async |url: String| drop(Store::open(Options::new(url)).await.unwrap());
    let database = Private::like(kind, make).await?;
    let store = Store::open(options(&database.url)).await.unwrap();
    let world = World::of(store, Vec::new()).await;
    Some(World {
        database: Some(database),
        ..world
    })
}

/// The newspaper: a store with its tables, and the schema of them.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) schema: Schema,
    database: Option<Private>,
}

impl World {
    pub(crate) async fn of(store: Store, relations: Vec<Relation>) -> Self {
        let schema = schema(store.tables().await.unwrap(), relations);
        Self {
            store,
            schema,
            database: None,
        }
    }

    /// With the tables of the newspaper.
    pub(crate) async fn with_newspaper(self) -> Option<Self> {
        change(&self.store, newspaper_tables()).await.unwrap();
        Some(self.again(newspaper_relations()).await)
    }

    /// The same after its tables have changed.
    pub(crate) async fn again(self, relations: Vec<Relation>) -> Self {
        let Self { store, database, .. } = self;
        Self {
            database,
            ..Self::of(store, relations).await
        }
    }

    pub(crate) fn collection(&self, name: &str) -> &Arc<Collection> {
        self.schema.collection(name).expect(name)
    }

    pub(crate) fn field(&self, path: &str) -> &Arc<Field> {
        let (collection, field) = path.split_once('.').unwrap();
        self.collection(collection).field(field).expect(path)
    }

    /// What `collection.field` leads to.
    pub(crate) fn link(&self, path: &str) -> Link {
        let (collection, field) = path.split_once('.').unwrap();
        self.schema.link(collection, field).expect(path)
    }

    /// The step along `collection.field`; for M2A to `target`.
    pub(crate) fn step(&self, path: &str, target: Option<&str>) -> Step {
        match self.link(path) {
            Link::ToOne { relation, target } => Step {
                relation,
                direction: Direction::Forward,
                target,
            },
            Link::ToMany { relation, target } => Step {
                relation,
                direction: Direction::Backward,
                target,
            },
            Link::ToAny { relation, .. } => Step {
                relation,
                direction: Direction::Forward,
                target: self.collection(target.unwrap()).clone(),
            },
        }
    }

    /// A test of `collection.field`.
    pub(crate) fn test(&self, path: &str, test: Test) -> Filter {
        Filter::field(self.field(path), test)
    }

    pub(crate) fn sort(&self, path: &str, descending: bool) -> Sort {
        Sort {
            operand: Operand::Field(self.field(path).clone()),
            descending,
        }
    }

    /// A read of some columns.
    pub(crate) fn read(&self, collection: &str, fields: &[&str]) -> ReadPlan {
        let collection = self.collection(collection);
        let select = fields.iter().map(|name| Selected {
            when: None,
            alias: (*name).to_owned(),
            source: Source::Field(collection.field(name).expect(name).clone()),
        });
        ReadPlan {
            collection: collection.clone(),
            select: select.collect(),
            filter: Filter::All,
            sort: Vec::new(),
            limit: None,
            offset: 0,
        }
    }

    /// A member of an answer: what `collection.field` leads to.
    pub(crate) fn related(&self, path: &str, plans: Vec<ReadPlan>, keys_only: bool) -> Selected {
        let (_, alias) = path.split_once('.').unwrap();
        Selected {
            when: None,
            alias: alias.to_owned(),
            source: Source::Related(Related {
                link: self.link(path),
                plans,
                keys_only,
            }),
        }
    }

    /// The row as an insert takes it.
    pub(crate) fn row(&self, collection: &str, values: &[(&str, Value)]) -> Vec<(Arc<Field>, Scalar)> {
        let collection = self.collection(collection);
        values
            .iter()
            .map(|(name, value)| {
                let field = collection.field(name).expect(name);
                let scalar = match value {
                    Value::Null => Scalar::Null,
                    value => field.ty.parse(value, field.column.as_ref().unwrap()).unwrap(),
                };
                (field.clone(), scalar)
            })
            .collect()
    }

    pub(crate) fn insert(&self, collection: &str, rows: &[&[(&str, Value)]]) -> Plan {
        Plan::Insert(InsertPlan {
            collection: self.collection(collection).clone(),
            rows: rows.iter().map(|row| self.row(collection, row)).collect(),
        })
    }

    pub(crate) fn update(&self, collection: &str, filter: Filter, values: &[(&str, Value)]) -> Plan {
        Plan::Update(UpdatePlan {
            collection: self.collection(collection).clone(),
            filter,
            assign: self.row(collection, values),
        })
    }

    pub(crate) fn delete(&self, collection: &str, filter: Filter) -> Plan {
        Plan::Delete(DeletePlan {
            collection: self.collection(collection).clone(),
            filter,
        })
    }

    /// Runs a plan in a transaction of its own.
    pub(crate) async fn write(&self, plan: Plan) -> Result<Vec<Scalar>, Error> {
        write(&self.store, plan).await
    }

    pub(crate) async fn rows(&self, plan: ReadPlan) -> Vec<Record> {
        self.run(Plan::Read(plan)).await
    }

    pub(crate) async fn run(&self, plan: Plan) -> Vec<Record> {
        self.store.run(permit(plan)).await.unwrap().into_rows()
    }

    /// The rows as JSON text, for comparing.
    pub(crate) async fn json(&self, plan: ReadPlan) -> Value {
        self.rows(plan).await.into_iter().map(Value::Object).collect()
    }
}

pub(crate) fn permit<P>(plan: P) -> Permit<P> {
    Permit::system(REASON, plan)
}

pub(crate) async fn write(store: &Store, plan: Plan) -> Result<Vec<Scalar>, Error> {
    let mut tx = store.begin().await?;
    let keys = run(&mut tx, plan).await?.into_keys();
    tx.commit().await?;
    Ok(keys)
}

pub(crate) async fn run(tx: &mut Tx, plan: Plan) -> Result<Outcome, Error> {
    tx.run(permit(plan)).await
}

/// Changes tables in a transaction of its own.
pub(crate) async fn change(store: &Store, steps: Vec<SchemaStep>) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    tx.change_schema(permit(SchemaPlan { steps })).await?;
    tx.commit().await
}

pub(crate) fn column(name: &str, kind: Kind) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        ..Column::default()
    }
}

pub(crate) fn counted_key() -> Column {
    Column {
        nullable: false,
        unique: true,
        primary_key: true,
        auto_increment: true,
        ..column("id", Kind::Integer)
    }
}

pub(crate) fn key_to(column: &str, table: &str, on_delete: Action) -> ForeignKey {
    ForeignKey {
        column: column.to_owned(),
        foreign_table: table.to_owned(),
        foreign_column: "id".to_owned(),
        on_update: Action::NoAction,
        on_delete,
    }
}

pub(crate) fn table(name: &str, columns: Vec<Column>, foreign_keys: Vec<ForeignKey>) -> SchemaStep {
    SchemaStep::CreateTable {
        table: name.to_owned(),
        columns,
        foreign_keys,
    }
}

pub(crate) fn newspaper_tables() -> Vec<SchemaStep> {
    let required = |column: Column| Column {
        nullable: false,
        ..column
    };
    vec![
        table(
            "authors",
            vec![
                counted_key(),
                Column {
                    unique: true,
                    ..required(column("name", Kind::String))
                },
                column("secret", Kind::String),
                column("editor", Kind::Integer),
            ],
            vec![key_to("editor", "authors", Action::SetNull)],
        ),
        table(
            "articles",
            vec![
                counted_key(),
                required(column("title", Kind::String)),
                Column {
                    default: ColumnDefault::Value("draft".into()),
                    ..column("status", Kind::String)
                },
                Column {
                    precision: Some(20),
                    scale: Some(5),
                    ..column("price", Kind::Decimal)
                },
                column("views", Kind::BigInteger),
                column("score", Kind::Float),
                column("featured", Kind::Boolean),
                column("data", Kind::Json),
                column("published", Kind::Timestamp),
                Column {
                    default: ColumnDefault::Now,
                    ..column("created", Kind::Timestamp)
                },
                column("author", Kind::Integer),
            ],
            vec![key_to("author", "authors", Action::NoAction)],
        ),
        table(
            "tags",
            vec![
                Column {
                    nullable: false,
                    unique: true,
                    primary_key: true,
                    ..column("id", Kind::Uuid)
                },
                required(column("name", Kind::String)),
            ],
            vec![],
        ),
        table(
            "articles_tags",
            vec![
                counted_key(),
                column("article", Kind::Integer),
                column("tag", Kind::Uuid),
                column("sort", Kind::Integer),
            ],
            vec![
                key_to("article", "articles", Action::Cascade),
                key_to("tag", "tags", Action::Cascade),
            ],
        ),
        table(
            "blocks",
            vec![
                counted_key(),
                column("article", Kind::Integer),
                column("collection", Kind::String),
                column("item", Kind::String),
            ],
            vec![key_to("article", "articles", Action::Cascade)],
        ),
    ]
}

pub(crate) fn newspaper_relations() -> Vec<Relation> {
    let relation = |many: &str, one: &str, one_field: Option<&str>| {
        let (collection, field) = many.split_once('.').unwrap();
        Relation {
            many_collection: collection.to_owned(),
            many_field: field.to_owned(),
            one_collection: Some(one.to_owned()),
            one_field: one_field.map(str::to_owned),
            ..Relation::default()
        }
    };
    vec![
        relation("authors.editor", "authors", Some("edits")),
        relation("articles.author", "authors", Some("articles")),
        relation("articles_tags.article", "articles", Some("tags")),
        relation("articles_tags.tag", "tags", Some("articles")),
        relation("blocks.article", "articles", Some("blocks")),
        Relation {
            many_collection: "blocks".to_owned(),
            many_field: "item".to_owned(),
            one_collection_field: Some("collection".to_owned()),
            one_allowed_collections: Some(vec!["authors".to_owned(), "tags".to_owned()]),
            ..Relation::default()
        },
    ]
}

/// The schema of tables as the engine would make it, in short.
pub(crate) fn schema(tables: IndexMap<String, Table>, relations: Vec<Relation>) -> Schema {
    let collections = tables.into_iter().map(|(name, table)| {
        let fields: IndexMap<_, _> = table
            .columns
            .iter()
            .map(|column| (column.name.clone(), Arc::new(field(&name, column))))
            .collect();
        let primary = table
            .columns
            .iter()
            .find(|column| column.primary_key)
            .and_then(|column| fields.get(&column.name).cloned());
        let collection = Collection {
            name: name.clone(),
            table: Some(table),
            meta: None,
            system: false,
            fields,
            primary,
        };
        (name, Arc::new(collection))
    });
    let relations = relations.into_iter().map(Arc::new).collect();
    Schema::new(1, collections.collect(), relations)
}

fn field(collection: &str, column: &Column) -> Field {
    let meta = (column.name == "secret").then(|| FieldMeta {
        special: vec!["conceal".to_owned()],
        ..FieldMeta::default()
    });
    Field {
        collection: collection.to_owned(),
        name: column.name.clone(),
        ty: field_types::of_column(column.kind, &[]),
        column: Some(column.clone()),
        meta,
        system: false,
    }
}
