//! One change of the schema: a transaction of tables and metadata, and the snapshot that it leads to.

use std::sync::{Arc, LazyLock};

use loggia_access::{Caller, Grants, decide, decide_schema};
use loggia_journal::{snapshot, writes_directly};
use loggia_model::filter::Test;
use loggia_model::plan::{
    DeletePlan, InsertPlan, Plan, ReadPlan, SchemaPlan, SchemaStep, Selected, Source, UpdatePlan,
};
use loggia_model::{Collection, Field, Filter, Problem, Problems, Record, Scalar, Schema};
use loggia_store::Outcome;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::definitions;
use crate::changes::{Recorded, Recorder};
use crate::engine::to_the_end;
use crate::system::{self, Written};
use crate::{Engine, Error};

/// The system collections as they are defined: what metadata is written by.
static SYSTEM: LazyLock<Schema> = LazyLock::new(loggia_model::system::schema);

/// The definition of a system collection.
pub(super) fn definition(name: &str) -> Result<&'static Arc<Collection>, Problem> {
    SYSTEM.collection(name).ok_or_else(Problem::forbidden)
}

/// A change that has begun. Dropped unfinished, it leaves nothing behind.
pub(super) struct Change {
    engine: Engine,
    grants: Grants,
    turn: OwnedMutexGuard<()>,
    tx: Recorder,
    /// The schema as it was when the change began, or when it was last looked at.
    pub(super) schema: Arc<Schema>,
    /// The schema as it was when the change began.
    began: Arc<Schema>,
    touched: Vec<&'static str>,
    versioned: bool,
}

impl Change {
    /// Waits for the turn; callers who may not change the schema are refused before anything is read.
    pub(super) async fn begin(engine: &Engine, caller: &Caller) -> Result<Self, Error> {
        decide_schema(caller, SchemaPlan { steps: Vec::new() })?;
        writes_directly(caller)?;
        let turn = engine.schema_turn().await;
        let grants = engine.grants(caller).await?;
        let mut schema = engine.schema();
        let mut tx = engine.begin(&schema, caller).await?;
        if tx.versions().schema != schema.version {
            schema = Arc::new(snapshot::read_within(&mut tx).await?);
            tx.see(&schema);
        }
        Ok(Self {
            engine: engine.clone(),
            grants,
            turn,
            tx,
            began: schema.clone(),
            schema,
            touched: Vec::new(),
            versioned: false,
        })
    }

    /// Changes tables.
    pub(super) async fn tables(&mut self, steps: Vec<SchemaStep>) -> Result<(), Error> {
        if !steps.is_empty() {
            self.versioned = true;
            let permit = decide_schema(self.grants.caller(), SchemaPlan { steps })?;
            self.tx.change_tables(permit).await?;
        }
        Ok(())
    }

    /// Looks at the schema anew, with what this change has done so far.
    pub(super) async fn look_again(&mut self) -> Result<Arc<Schema>, Error> {
        self.schema = Arc::new(snapshot::read_within(&mut self.tx).await?);
        self.tx.see(&self.schema);
        Ok(self.schema.clone())
    }

    /// Adds rows of metadata.
    pub(super) async fn insert(&mut self, name: &'static str, rows: &[Record]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let collection = definition(name)?.clone();
        let rows = rows
            .iter()
            .map(|row| assignments(&collection, row))
            .collect::<Result<_, _>>()?;
        self.run(name, Plan::Insert(InsertPlan { collection, rows }))
            .await?;
        Ok(())
    }

    /// Changes rows of metadata; says how many there were.
    pub(super) async fn update(
        &mut self,
        name: &'static str,
        filter: Filter,
        values: &Record,
    ) -> Result<usize, Error> {
        let collection = definition(name)?.clone();
        let assign = assignments(&collection, values)?;
        let plan = Plan::Update(UpdatePlan {
            collection,
            filter,
            assign,
        });
        Ok(match self.run(name, plan).await? {
            Outcome::Keys(keys) => keys.len(),
            Outcome::Rows(_) => 0,
        })
    }

    /// Changes the row of metadata that matches, or adds one made of `identity` and `values`.
    pub(super) async fn put(
        &mut self,
        name: &'static str,
        identity: &[(&str, &str)],
        values: &Record,
    ) -> Result<(), Error> {
        if self.update(name, matching(name, identity)?, values).await? == 0 {
            let mut row: Record = identity
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
                .collect();
            row.extend(values.clone());
            self.insert(name, &[row]).await?;
        }
        Ok(())
    }

    /// Removes rows of metadata.
    pub(super) async fn delete(&mut self, name: &'static str, filter: Filter) -> Result<(), Error> {
        let collection = definition(name)?.clone();
        self.run(name, Plan::Delete(DeletePlan { collection, filter }))
            .await?;
        Ok(())
    }

    /// Rows of a system collection: all its columns.
    pub(super) async fn rows(&mut self, name: &'static str, filter: Filter) -> Result<Vec<Record>, Error> {
        let collection = definition(name)?.clone();
        self.read(collection, filter, None).await
    }

    /// Whether any item of a collection matches.
    pub(super) async fn any(&mut self, collection: &Arc<Collection>, filter: Filter) -> Result<bool, Error> {
        Ok(!self.read(collection.clone(), filter, Some(1)).await?.is_empty())
    }

    async fn read(
        &mut self,
        collection: Arc<Collection>,
        filter: Filter,
        limit: Option<u64>,
    ) -> Result<Vec<Record>, Error> {
        let columns = collection.fields.values().filter(|field| !field.is_alias());
        let select = columns
            .take(if limit == Some(1) { 1 } else { usize::MAX })
            .map(|field| Selected {
                when: None,
                alias: field.name.clone(),
                source: Source::Field(field.clone()),
            })
            .collect();
        let plan = Plan::Read(ReadPlan {
            collection,
            select,
            filter,
            sort: Vec::new(),
            limit,
            offset: 0,
        });
        let permit = decide(&self.grants, plan)?;
        Ok(match self.tx.run(permit).await? {
            Outcome::Rows(rows) => rows,
            Outcome::Keys(_) => Vec::new(),
        })
    }

    async fn run(&mut self, name: &'static str, plan: Plan) -> Result<Outcome, Error> {
        if !self.touched.contains(&name) {
            self.touched.push(name);
        }
        let permit = decide(&self.grants, plan)?;
        Ok(self.tx.run(permit).await?)
    }

    /// What notes the rows that are written.
    pub(super) fn recorder(&mut self) -> &mut Recorder {
        &mut self.tx
    }

    /// The transaction, for a while, and the rest.
    pub(super) fn apart(self) -> (Apart, Recorder) {
        let apart = Apart {
            engine: self.engine,
            grants: self.grants,
            turn: self.turn,
            schema: self.schema,
            began: self.began,
            touched: self.touched,
            versioned: self.versioned,
        };
        (apart, self.tx)
    }

    /// Commits, swaps the snapshot and tells the listeners: to the end, even when nobody waits for it any more.
    pub(super) async fn finish(self) -> Result<Arc<Schema>, Error> {
        let (schema, _) = self.finish_recorded().await?;
        Ok(schema)
    }

    /// As [`Change::finish`]; says what was recorded, too.
    pub(super) async fn finish_recorded(mut self) -> Result<(Arc<Schema>, Recorded), Error> {
        if !self.versioned {
            // Metadata is part of the schema: it has a new version too.
            let permit = decide_schema(self.grants.caller(), SchemaPlan { steps: Vec::new() })?;
            self.tx.change_tables(permit).await?;
        }
        let mut news = system::after(&mut self.tx, Written::Tables).await?;
        for collection in &self.touched {
            news.entry((*collection).to_owned()).or_default();
        }
        self.tx.will_commit();
        to_the_end(async move {
            let schema = Arc::new(snapshot::read_within(&mut self.tx).await?);
            self.tx.see(&schema);
            self.tx.define(definitions::differences(&self.began, &schema));
            let recorded = self.tx.commit().await?;
            let schema = self.engine.swap_schema(schema);
            drop(self.turn);
            self.engine.tell(&news).await;
            Ok((schema, recorded))
        })
        .await
    }
}

/// A change whose transaction somebody else has.
pub(super) struct Apart {
    engine: Engine,
    grants: Grants,
    turn: OwnedMutexGuard<()>,
    schema: Arc<Schema>,
    began: Arc<Schema>,
    touched: Vec<&'static str>,
    versioned: bool,
}

impl Apart {
    /// The change, with its transaction again.
    pub(super) fn together(self, tx: Recorder) -> Change {
        Change {
            engine: self.engine,
            grants: self.grants,
            turn: self.turn,
            tx,
            schema: self.schema,
            began: self.began,
            touched: self.touched,
            versioned: self.versioned,
        }
    }
}

/// Rows of a system collection whose text columns have these values.
pub(super) fn matching(name: &str, identity: &[(&str, &str)]) -> Result<Filter, Problem> {
    let collection = definition(name)?;
    identity.iter().try_fold(Filter::All, |filter, (key, value)| {
        let field = collection.field(key).ok_or_else(Problem::forbidden)?;
        Ok(filter.and(Filter::field(field, Test::Equal(Scalar::from(*value)))))
    })
}

/// The row of a system collection with a number for its key.
pub(super) fn with_id(name: &str, id: i64) -> Result<Filter, Problem> {
    let key = definition(name)?
        .primary
        .as_ref()
        .ok_or_else(Problem::forbidden)?;
    Ok(Filter::field(key, Test::Equal(Scalar::Int(id))))
}

/// Columns and canonical values of a row that has been checked.
fn assignments(collection: &Collection, row: &Record) -> Result<Vec<(Arc<Field>, Scalar)>, Problems> {
    let mut problems = Problems::default();
    let mut assign = Vec::with_capacity(row.len());
    for (key, value) in row {
        let Some((field, column)) = collection
            .field(key)
            .and_then(|field| Some((field, field.column.as_ref()?)))
        else {
            continue;
        };
        let scalar = if value.is_null() {
            Ok(Scalar::Null)
        } else {
            field
                .ty
                .parse(value, column)
                .map_err(|problem| problem.within(key))
        };
        if let Some(scalar) = problems.take(scalar) {
            assign.push((field.clone(), scalar));
        }
    }
    problems.or(assign)
}
