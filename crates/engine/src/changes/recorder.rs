//! A transaction that remembers what is written in it.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Caller, Permit};
use loggia_model::plan::{DeletePlan, Plan, SchemaPlan, SchemaStep, UpdatePlan};
use loggia_model::schema::{Action, ForeignKey};
use loggia_model::{Collection, Filter, Record, Scalar, Schema, filter::Test};
use loggia_store::{Error, Outcome, Tx};

use super::images::{self, Entry, Row, Touched};
use super::record;
use crate::items::Changed;
use crate::schema::definitions::Difference;
use crate::{Engine, Parts};

/// Collections whose rows the system keeps for itself: what they are like is nobody's change. What collections, fields
/// and relations are like is recorded as whole definitions instead of rows.
const NOT_RECORDED: [&str; 7] = [
    "directus_sessions",
    "directus_activity",
    "directus_revisions",
    "loggia_changes",
    "directus_collections",
    "directus_fields",
    "directus_relations",
];

/// The only way in which the engine writes rows: runs plans in a transaction and notes what they change.
pub(crate) struct Recorder {
    tx: Tx,
    pub(super) caller: Caller,
    engine: Engine,
    /// The schema as the transaction sees it.
    pub(super) schema: Arc<Schema>,
    touched: IndexMap<String, Touched>,
    pub(super) definitions: Vec<Entry>,
    /// Something was written that cannot be taken back.
    pub(super) lossy: bool,
    /// The change that this one takes back.
    pub(super) reverts: Option<String>,
    pub(super) title: Option<String>,
}

/// What a recorded transaction did.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// The key of the change, if anything changed.
    pub(crate) change: Option<String>,
    /// What the database changed on its own, by collection.
    pub(crate) cascaded: IndexMap<String, Changed>,
}

impl Recorder {
    pub(crate) fn new(tx: Tx, engine: &Engine, schema: &Arc<Schema>, caller: &Caller) -> Self {
        Self {
            tx,
            caller: caller.clone(),
            engine: engine.clone(),
            schema: schema.clone(),
            touched: IndexMap::new(),
            definitions: Vec::new(),
            lossy: false,
            reverts: None,
            title: None,
        }
    }

    /// Runs a plan of any kind; what it writes is noted.
    pub(crate) async fn run(&mut self, permit: Permit<Plan>) -> Result<Outcome, Error> {
        match permit.plan() {
            Plan::Insert(plan) if recorded(&plan.collection) => {
                let collection = plan.collection.clone();
                let outcome = self.tx.run(permit).await?;
                self.note_new(&collection, &outcome);
                Ok(outcome)
            }
            Plan::Update(plan) if recorded(&plan.collection) => {
                let (collection, follow) = (plan.collection.clone(), self.moved(plan));
                let look = images::look(&collection, plan.filter.clone());
                self.looked(collection, look, &follow, permit).await
            }
            Plan::Delete(plan) if recorded(&plan.collection) => {
                let (collection, follow) = (plan.collection.clone(), self.followed(plan));
                let look = images::look(&collection, plan.filter.clone());
                self.looked(collection, look, &follow, permit).await
            }
            _ => self.tx.run(permit).await,
        }
    }

    /// The transaction, for what changes no rows.
    pub(crate) fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// The schema as it is from now on.
    pub(crate) fn see(&mut self, schema: &Arc<Schema>) {
        self.schema = schema.clone();
    }

    /// What the engine is made of.
    pub(super) fn parts(&self) -> &Parts {
        self.engine.parts()
    }

    /// Notes what tables hold before they lose rows or values, and changes them.
    pub(crate) async fn change_tables(&mut self, permit: Permit<SchemaPlan>) -> Result<(), Error> {
        let mut looks = Vec::new();
        for step in &permit.plan().steps {
            let table = match step {
                SchemaStep::DropTable { table } | SchemaStep::DropColumn { table, .. } => Some(table),
                SchemaStep::AlterColumn { table, column } => {
                    let known = self.schema.collection(table);
                    let known = known.and_then(|known| known.field(&column.name)?.column.as_ref());
                    let converts = known.is_none_or(|known| {
                        (known.kind, known.max_length, known.precision, known.scale)
                            != (column.kind, column.max_length, column.precision, column.scale)
                    });
                    converts.then_some(table)
                }
                _ => None,
            };
            let Some(collection) = table.and_then(|table| self.schema.collection(table)) else {
                continue;
            };
            looks.push((collection.clone(), images::look(collection, Filter::All)));
        }
        if !looks.is_empty() {
            let (collections, looks): (Vec<_>, Vec<_>) = looks.into_iter().unzip();
            let outcomes = self.tx.run_all(looks).await?;
            for (collection, outcome) in collections.iter().zip(outcomes) {
                self.note(collection, outcome.into_rows(), false);
            }
        }
        self.tx.change_schema(permit).await
    }

    /// Notes rows as they were before they are written; those that were noted before keep what they were at first.
    pub(super) fn note(&mut self, collection: &Arc<Collection>, rows: Vec<Record>, cascaded: bool) {
        let Some(primary) = &collection.primary else {
            self.lossy |= !rows.is_empty();
            return;
        };
        let touched = touched(&mut self.touched, collection);
        for row in rows {
            let Some(value) = row.get(&primary.name) else {
                continue;
            };
            let Some(key) = images::scalar(primary, value) else {
                self.lossy = true;
                continue;
            };
            touched.rows.entry(images::text(value)).or_insert_with(|| Row {
                key,
                before: Some(row),
                cascaded,
            });
        }
    }

    /// Notes rows that were not there.
    fn note_new(&mut self, collection: &Arc<Collection>, outcome: &Outcome) {
        let (Some(primary), Outcome::Keys(keys)) = (&collection.primary, outcome) else {
            self.lossy = true;
            return;
        };
        let touched = touched(&mut self.touched, collection);
        for key in keys {
            let text = images::text(&primary.ty.print(key.clone()));
            touched.rows.entry(text).or_insert_with(|| Row {
                key: key.clone(),
                before: None,
                cascaded: false,
            });
        }
    }

    /// Looks at rows, and at what the database will change with them, and then runs what writes them.
    async fn looked(
        &mut self,
        collection: Arc<Collection>,
        look: Permit<Plan>,
        follow: &[(Arc<Collection>, ForeignKey)],
        permit: Permit<Plan>,
    ) -> Result<Outcome, Error> {
        if follow.is_empty() {
            let mut outcomes = self.tx.run_all(vec![look, permit]).await?.into_iter();
            let rows = outcomes.next().map(Outcome::into_rows).unwrap_or_default();
            self.note(&collection, rows, false);
            return Ok(outcomes.next().unwrap_or(Outcome::Keys(Vec::new())));
        }
        let rows = self.tx.run(look).await?.into_rows();
        let deletes = matches!(permit.plan(), Plan::Delete(_));
        self.cascade(&collection, &rows, follow, deletes).await?;
        self.note(&collection, rows, false);
        self.tx.run(permit).await
    }

    /// Notes what the database changes on its own when these rows go, or when what others point to in them changes.
    async fn cascade(
        &mut self,
        collection: &Arc<Collection>,
        rows: &[Record],
        follow: &[(Arc<Collection>, ForeignKey)],
        deletes: bool,
    ) -> Result<(), Error> {
        let mut waiting = vec![(collection.clone(), rows.to_vec(), follow.to_vec())];
        let mut seen = std::collections::HashSet::new();
        while let Some((collection, rows, follow)) = waiting.pop() {
            for (child, key) in follow {
                let (Some(pointed), Some(column)) =
                    (collection.field(&key.foreign_column), child.field(&key.column))
                else {
                    continue;
                };
                let values: Vec<Scalar> = rows
                    .iter()
                    .filter_map(|row| images::scalar(pointed, row.get(&pointed.name)?))
                    .filter(|value| !value.is_null())
                    .collect();
                if values.is_empty() {
                    continue;
                }
                let look = images::look(&child, Filter::field(column, Test::In(values)));
                let mut found = self.tx.run(look).await?.into_rows();
                self.note(&child, found.clone(), true);
                if deletes && key.on_delete == Action::Cascade {
                    found.retain(|row| {
                        let key = child.primary.as_ref().and_then(|primary| row.get(&primary.name));
                        key.is_none_or(|key| seen.insert((child.name.clone(), images::text(key))))
                    });
                    let further = pointing_to(&self.schema, &child.name, |key| acts(key.on_delete));
                    if !found.is_empty() && !further.is_empty() {
                        waiting.push((child, found, further));
                    }
                }
            }
        }
        Ok(())
    }

    /// The foreign keys that make the database act when rows go.
    fn followed(&self, plan: &DeletePlan) -> Vec<(Arc<Collection>, ForeignKey)> {
        pointing_to(&self.schema, &plan.collection.name, |key| acts(key.on_delete))
    }

    /// The foreign keys that make the database act when these columns change.
    pub(super) fn moved(&self, plan: &UpdatePlan) -> Vec<(Arc<Collection>, ForeignKey)> {
        let assigned = |name: &str| plan.assign.iter().any(|(field, _)| field.name == name);
        pointing_to(&self.schema, &plan.collection.name, |key| {
            acts(key.on_update) && assigned(&key.foreign_column)
        })
    }

    /// Notes what became of definitions.
    pub(crate) fn define(&mut self, differences: Vec<Difference>) {
        let entries = differences.into_iter().filter_map(Entry::of);
        self.definitions.extend(entries);
    }

    /// What was written, as it was noted; the transaction goes on without it.
    pub(super) fn take_touched(&mut self) -> IndexMap<String, Touched> {
        std::mem::take(&mut self.touched)
    }

    /// Writes the record of what was noted and commits both.
    ///
    /// # Errors
    /// When the record cannot be written, or the caller's budget is spent: then nothing is.
    pub(crate) async fn commit(mut self) -> Result<Recorded, crate::Error> {
        if self.touched.is_empty() && self.definitions.is_empty() {
            self.tx.commit().await?;
            return Ok(Recorded::default());
        }
        let recorded = record::write(&mut self).await?;
        self.tx.commit().await?;
        if let Some(change) = &recorded.change {
            let _ = self.caller.attribution().change.set(change.clone());
        }
        Ok(recorded)
    }
}

fn touched<'t>(all: &'t mut IndexMap<String, Touched>, collection: &Arc<Collection>) -> &'t mut Touched {
    all.entry(collection.name.clone()).or_insert_with(|| Touched {
        collection: collection.clone(),
        rows: IndexMap::new(),
    })
}

fn recorded(collection: &Collection) -> bool {
    !NOT_RECORDED.contains(&collection.name.as_str())
}

pub(super) fn acts(action: Action) -> bool {
    !matches!(action, Action::NoAction | Action::Restrict)
}

/// The foreign keys that point to a table, with the collection that each belongs to.
pub(super) fn pointing_to(
    schema: &Schema,
    table: &str,
    wanted: impl Fn(&ForeignKey) -> bool,
) -> Vec<(Arc<Collection>, ForeignKey)> {
    let mut found = Vec::new();
    for collection in schema
        .collections
        .values()
        .filter(|collection| recorded(collection))
    {
        let keys = collection.table.iter().flat_map(|table| &table.foreign_keys);
        for key in keys.filter(|key| key.foreign_table == table && wanted(key)) {
            found.push((collection.clone(), key.clone()));
        }
    }
    found
}
