//! A transaction that remembers what is written in it.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Caller, Permit};
use loggia_model::plan::{DeletePlan, Plan, ReadPlan, SchemaPlan, SchemaStep, UpdatePlan};
use loggia_model::schema::{Action, ForeignKey, Table};
use loggia_model::system::{PEOPLE, RULES};
use loggia_model::{Collection, Field, Filter, Record, Scalar, Schema, filter::Test};
use loggia_store::{Error, Outcome, Raises, Tx, Versions};

use crate::images::{self, Changed, Difference, Entry, Row, Touched};
use crate::record;
use crate::{Journal, snapshot, tables};

/// Collections whose rows the system keeps for itself: what they are like is nobody's change. What collections, fields
/// and relations are like is recorded as whole definitions instead of rows.
const NOT_RECORDED: [&str; 9] = [
    "directus_sessions",
    "directus_activity",
    "directus_revisions",
    "loggia_changes",
    "loggia_sign_ins",
    "loggia_prunings",
    "directus_collections",
    "directus_fields",
    "directus_relations",
];

/// What happens to accounts and is written into `directus_activity` without a change: who came, or was refused.
pub(crate) const ACCOUNT_EVENTS: [&str; 8] = [
    "login",
    "login_failed",
    "logout",
    "password_request",
    "password_reset",
    "refresh_reused",
    "tfa_disable",
    "tfa_enable",
];

/// Where sessions are.
const SESSIONS: &str = "directus_sessions";

/// Columns that say when something was last used: what they hold is nobody's change.
const LAST_USED: [(&str, &str); 3] = [
    ("directus_users", "last_access"),
    ("loggia_tokens", "last_used_on"),
    ("loggia_tokens", "last_used_ip"),
];

/// The only way in which rows are written: runs plans in a transaction and notes what they change. Dropping it rolls
/// everything back.
pub struct Recorder {
    pub(crate) tx: Tx,
    pub(crate) caller: Caller,
    pub(crate) journal: Journal,
    /// The schema as the transaction sees it.
    pub(crate) schema: Arc<Schema>,
    sight: Sight,
    touched: IndexMap<String, Touched>,
    /// Rows that say who somebody is and are nobody's change are gone or others: sessions.
    ended: bool,
    pub(crate) definitions: Vec<Entry>,
    /// Something was written that cannot be taken back.
    pub(crate) lossy: bool,
    /// The key of the change that this one takes back.
    pub reverts: Option<String>,
    /// What it is for, in place of what the caller says.
    pub title: Option<String>,
}

/// What was noted of a row that was written.
#[derive(Clone, Copy, Debug)]
pub struct Noted<'r> {
    /// Where it is.
    pub collection: &'r Arc<Collection>,
    /// Its key, as text.
    pub text: &'r str,
    /// Its key.
    pub key: &'r Scalar,
    /// What it was like before the request, secrets as they are stored; `None`: it was not there.
    pub before: Option<&'r Record>,
    /// The database wrote it on its own.
    pub cascaded: bool,
}

/// Where the schema comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// From whoever makes the plans.
    Given,
    /// It was not read yet: the definitions of the system's own collections stand in for it.
    Unread,
    /// It was read here. Plans are made by the definitions, and do not know what users added to them.
    Own,
}

/// What a recorded transaction did.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The key of the change, if anything changed.
    pub change: Option<String>,
    /// What the database changed on its own, by collection.
    pub cascaded: IndexMap<String, Changed>,
}

/// The foreign keys by which the database acts on its own, with the collection that each belongs to.
type Follow = Vec<(Arc<Collection>, ForeignKey)>;

/// What a plan writes, and what must be looked at before it does.
enum Writes {
    /// Nothing that is recorded.
    Nothing,
    /// Rows that were not there.
    New(Arc<Collection>),
    /// Rows that are there; and what the database will change with them.
    Rows(Arc<Collection>, Box<ReadPlan>, Follow),
}

impl Recorder {
    pub(crate) fn new(tx: Tx, journal: Journal, schema: &Arc<Schema>, caller: &Caller) -> Self {
        Self {
            tx,
            caller: caller.clone(),
            journal,
            schema: schema.clone(),
            sight: Sight::Given,
            touched: IndexMap::new(),
            ended: false,
            definitions: Vec::new(),
            lossy: false,
            reverts: None,
            title: None,
        }
    }

    pub(crate) fn unread(tx: Tx, journal: Journal, caller: &Caller) -> Self {
        Self {
            sight: Sight::Unread,
            ..Self::new(tx, journal, tables::definitions(), caller)
        }
    }

    /// Runs a plan of any kind; what it writes is noted.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn run(&mut self, permit: Permit<Plan>) -> Result<Outcome, Error> {
        let outcome = self.run_all(vec![permit]).await?.pop();
        Ok(outcome.unwrap_or(Outcome::Keys(Vec::new())))
    }

    /// Runs plans of any kind one after the other; what they write is noted. The outcomes come in the order of the
    /// plans, and each plan sees what those before it have written. They wait for the writer together, as far as what
    /// the database will do on its own need not be looked at in between.
    ///
    /// # Errors
    /// What the database refuses: then what was written before the refused plan is there, and this is to be dropped.
    pub async fn run_all(&mut self, permits: Vec<Permit<Plan>>) -> Result<Vec<Outcome>, Error> {
        let plans = || permits.iter().map(Permit::plan);
        plans().try_for_each(its_own)?;
        if self.sight == Sight::Unread && plans().any(|plan| written(plan).is_some_and(recorded)) {
            self.schema = Arc::new(snapshot::read_in(&mut self.tx).await?);
            self.sight = Sight::Own;
        }
        let ends: Vec<_> = plans().map(ends).collect();
        let mut outcomes = Vec::with_capacity(permits.len());
        let mut together = Vec::with_capacity(permits.len());
        for permit in permits {
            match self.writes(permit.plan()) {
                Writes::Rows(collection, look, follow) if !follow.is_empty() => {
                    outcomes.extend(self.flush(std::mem::take(&mut together)).await?);
                    let rows = self.tx.run(images::read(*look)).await?.into_rows();
                    let deletes = matches!(permit.plan(), Plan::Delete(_));
                    self.cascade(&collection, &rows, &follow, deletes).await?;
                    self.note(&collection, rows, false);
                    outcomes.push(self.tx.run(permit).await?);
                }
                writes => together.push((writes, permit)),
            }
        }
        outcomes.extend(self.flush(together).await?);
        let met = |outcome: &Outcome| !matches!(outcome, Outcome::Keys(keys) if keys.is_empty());
        self.ended |= ends
            .iter()
            .zip(&outcomes)
            .any(|(ends, outcome)| *ends && met(outcome));
        Ok(outcomes)
    }

    /// Takes sessions away that are over already: to nobody does it make a difference.
    ///
    /// # Errors
    /// For every other plan; and what the database refuses.
    pub async fn sweep(&mut self, permit: Permit<Plan>) -> Result<(), Error> {
        match permit.plan() {
            Plan::Delete(plan) if plan.collection.name == SESSIONS => {}
            _ => return Err(Error::Internal("only sessions are swept away".into())),
        }
        self.tx.run(permit).await.map(drop)
    }

    /// Writes down when something was last used: columns of [`LAST_USED`], and nothing else. That is nobody's change.
    ///
    /// # Errors
    /// For every other plan; and what the database refuses.
    pub async fn keep(&mut self, permit: Permit<Plan>) -> Result<(), Error> {
        let only_that = match permit.plan() {
            Plan::Update(UpdatePlan {
                collection, assign, ..
            }) => {
                let kept = |name: &str| LAST_USED.contains(&(collection.name.as_str(), name));
                assign.iter().all(|(field, _)| kept(&field.name))
            }
            _ => false,
        };
        if !only_that {
            return Err(Error::Internal(
                "this is more than when something was last used".into(),
            ));
        }
        self.tx.run(permit).await.map(drop)
    }

    /// Runs plans with one wait for the writer: each after the look at what it is about to write.
    async fn flush(&mut self, together: Vec<(Writes, Permit<Plan>)>) -> Result<Vec<Outcome>, Error> {
        let mut plans = Vec::with_capacity(together.len());
        let mut notes = Vec::with_capacity(together.len());
        for (writes, permit) in together {
            notes.push(match writes {
                Writes::Nothing => None,
                Writes::New(collection) => Some((collection, true)),
                Writes::Rows(collection, look, _) => {
                    plans.push(images::read(*look));
                    Some((collection, false))
                }
            });
            plans.push(permit);
        }
        let mut done = self.tx.run_all(plans).await?.into_iter();
        let mut next = || done.next().unwrap_or(Outcome::Keys(Vec::new()));
        let mut outcomes = Vec::with_capacity(notes.len());
        for note in notes {
            if let Some((collection, false)) = &note {
                self.note(collection, next().into_rows(), false);
            }
            let outcome = next();
            if let Some((collection, true)) = &note {
                self.note_new(collection, &outcome);
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// What a plan is about to write.
    fn writes(&self, plan: &Plan) -> Writes {
        let known = |collection: &Arc<Collection>| match self.sight {
            Sight::Own => self
                .schema
                .collection(&collection.name)
                .unwrap_or(collection)
                .clone(),
            Sight::Given | Sight::Unread => collection.clone(),
        };
        let rows = |collection: &Arc<Collection>, filter: &Filter, follow| {
            let collection = &known(collection);
            let look = Box::new(images::look(collection, filter.clone()));
            Writes::Rows(collection.clone(), look, follow)
        };
        match plan {
            Plan::Insert(plan) if recorded(&plan.collection) => Writes::New(known(&plan.collection)),
            Plan::Update(plan) if recorded(&plan.collection) => {
                rows(&plan.collection, &plan.filter, self.moved(plan))
            }
            Plan::Delete(plan) if recorded(&plan.collection) => {
                rows(&plan.collection, &plan.filter, self.followed(plan))
            }
            _ => Writes::Nothing,
        }
    }

    /// The tables as the transaction sees them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tables(&mut self) -> Result<IndexMap<String, Table>, Error> {
        self.tx.tables().await
    }

    /// What was committed when the transaction began.
    #[must_use]
    pub fn versions(&self) -> Versions {
        self.tx.versions()
    }

    /// The schema as the transaction sees it.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Whose change it is.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Says what the change is for, where the caller does not.
    pub fn entitle(&mut self, title: &str) {
        if self.caller.attribution().title.is_none() {
            self.title = Some(title.to_owned());
        }
    }

    /// The schema as it is from now on.
    pub fn see(&mut self, schema: &Arc<Schema>) {
        self.schema = schema.clone();
    }

    /// Notes what tables hold before they lose rows or values, and changes them.
    ///
    /// # Errors
    /// What stands against it.
    pub async fn change_tables(&mut self, permit: Permit<SchemaPlan>) -> Result<(), Error> {
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
            looks.push((
                collection.clone(),
                images::read(images::look(collection, Filter::All)),
            ));
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
    fn note(&mut self, collection: &Arc<Collection>, rows: Vec<Record>, cascaded: bool) {
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

    /// Notes what the database changes on its own when these rows go, or when what others point to in them changes.
    async fn cascade(
        &mut self,
        collection: &Arc<Collection>,
        rows: &[Record],
        follow: &Follow,
        deletes: bool,
    ) -> Result<(), Error> {
        let mut waiting = vec![(collection.clone(), rows.to_vec(), follow.clone())];
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
                let mut found = self.tx.run(images::read(look)).await?.into_rows();
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
    fn followed(&self, plan: &DeletePlan) -> Follow {
        pointing_to(&self.schema, &plan.collection.name, |key| acts(key.on_delete))
    }

    /// The foreign keys that make the database act when these columns change.
    fn moved(&self, plan: &UpdatePlan) -> Follow {
        let assigned = |name: &str| plan.assign.iter().any(|(field, _)| field.name == name);
        pointing_to(&self.schema, &plan.collection.name, |key| {
            acts(key.on_update) && assigned(&key.foreign_column)
        })
    }

    /// Notes what became of definitions.
    pub fn define(&mut self, differences: Vec<Difference>) {
        let entries = differences.into_iter().filter_map(Entry::of);
        self.definitions.extend(entries);
    }

    /// What was noted so far of the rows of every collection, in the order in which they were first written; what the
    /// database did on its own is among it.
    pub fn noted(&self) -> impl Iterator<Item = Noted<'_>> {
        self.touched.values().flat_map(|touched| {
            touched.rows.iter().map(|(text, row)| Noted {
                collection: &touched.collection,
                text,
                key: &row.key,
                before: row.before.as_ref(),
                cascaded: row.cascaded,
            })
        })
    }

    /// What was written, as it was noted; the transaction goes on without it.
    pub(crate) fn take_touched(&mut self) -> IndexMap<String, Touched> {
        std::mem::take(&mut self.touched)
    }

    /// Whose change it is from now on: the same caller, of whom more is known by now.
    pub fn act_for(&mut self, caller: &Caller) {
        self.caller = caller.clone();
    }

    /// Says that the commit begins, and goes on even where nobody waits for it any more.
    pub fn will_commit(&self) {
        // Another commit of the same request has said so.
        let _ = self.caller.attribution().commit.set(());
    }

    /// Writes the record of what was noted and commits both.
    ///
    /// # Errors
    /// When the record cannot be written, or the caller's budget is spent: then nothing is.
    pub async fn commit(mut self) -> Result<Recorded, crate::Error> {
        let among = |names: &[&str]| self.touched.keys().any(|name| names.contains(&name.as_str()));
        let raises = Raises {
            rules: among(&RULES),
            people: self.ended || among(&PEOPLE),
        };
        self.tx.raise(raises);
        self.will_commit();
        if self.touched.is_empty() && self.definitions.is_empty() {
            self.tx.commit().await?;
            return Ok(Recorded::default());
        }
        let (recorded, plans) = record::write(&mut self).await?;
        self.tx.run_and_commit(plans).await?;
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

/// Whether a plan ends sessions, or makes them end sooner.
fn ends(plan: &Plan) -> bool {
    match plan {
        Plan::Update(plan) => plan.collection.name == SESSIONS,
        Plan::Delete(plan) => plan.collection.name == SESSIONS,
        Plan::Insert(_) | Plan::Read(_) | Plan::Aggregate(_) => false,
    }
}

/// The collection whose rows a plan writes.
fn written(plan: &Plan) -> Option<&Collection> {
    match plan {
        Plan::Insert(plan) => Some(&plan.collection),
        Plan::Update(plan) => Some(&plan.collection),
        Plan::Delete(plan) => Some(&plan.collection),
        Plan::Read(_) | Plan::Aggregate(_) => None,
    }
}

/// Refuses plans that write the rows of the record: nobody but the journal does that. Of what happened to accounts,
/// others may say more.
fn its_own(plan: &Plan) -> Result<(), Error> {
    let Some(collection) = written(plan) else {
        return Ok(());
    };
    let refused = match collection.name.as_str() {
        "loggia_changes" | "loggia_prunings" | "directus_revisions" => true,
        "directus_activity" => match plan {
            Plan::Insert(plan) => !plan.rows.iter().all(|row| is_account_event(row)),
            _ => true,
        },
        _ => false,
    };
    if refused {
        return Err(Error::Internal(
            "the record of changes is written by the journal alone".into(),
        ));
    }
    Ok(())
}

/// Whether a row of activity is one of [`ACCOUNT_EVENTS`]: all others are part of a change.
fn is_account_event(row: &[(Arc<Field>, Scalar)]) -> bool {
    let is = |name: &str, allowed: &dyn Fn(&str) -> bool| {
        let value = row.iter().find(|(field, _)| field.name == name);
        value.is_some_and(|(_, value)| value.as_text().is_some_and(allowed))
    };
    is("action", &|action| ACCOUNT_EVENTS.contains(&action))
        && is("collection", &|collection| collection == "directus_users")
        && !row
            .iter()
            .any(|(field, value)| field.name == "change" && !value.is_null())
}

fn recorded(collection: &Collection) -> bool {
    !NOT_RECORDED.contains(&collection.name.as_str())
}

/// Whether a foreign key makes the database act on its own.
#[must_use]
pub fn acts(action: Action) -> bool {
    !matches!(action, Action::NoAction | Action::Restrict)
}

/// The foreign keys that point to a table, with the collection that each belongs to.
pub fn pointing_to(schema: &Schema, table: &str, wanted: impl Fn(&ForeignKey) -> bool) -> Follow {
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
