//! The record of a transaction: what became of its rows, and the rows that say so.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Permit, Written, overstepped};
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{Aggregate, AggregatePlan, Figure, Group, Plan, ReadPlan, Selected, Sort, Source};
use loggia_model::{Collection, Field, Filter, Problem, Problems, Record, Scalar, Schema};
use serde_json::{Value, json};

use crate::Error;
use crate::budget::{budget, limited, spent};
use crate::chain::{self, ACTIVITY, Content, REVISION};
use crate::images::{self, Changed, Entry, Touched};
use crate::recorder::{Recorded, Recorder};
use crate::rows::{Header, Sum, hashed, insert, number, row, sealed};
use crate::tables::{column, table, text, whole};

/// What stands in the journal already.
pub(crate) struct Before {
    /// The number and the hash of the last change.
    pub(crate) head: (i64, String),
    pub(crate) last_activity: i64,
    last_revision: i64,
    /// By collection and item: the number and the key of the last revision.
    revisions: IndexMap<(String, String), (i64, i64)>,
}

/// The record of what a transaction has done so far, and what writes it.
pub(crate) async fn write(recorder: &mut Recorder) -> Result<(Recorded, Vec<Permit<Plan>>), Error> {
    let touched = recorder.take_touched();
    let definitions = std::mem::take(&mut recorder.definitions);
    let plans = looks(recorder, &touched, &definitions)?;
    let mut outcomes = recorder.tx.run_all(plans).await?.into_iter();
    let mut next = || {
        outcomes
            .next()
            .map(loggia_store::Outcome::into_rows)
            .unwrap_or_default()
    };
    let mut entries = Vec::new();
    for (name, touched) in touched {
        let rows = match there(&recorder.schema, &name) {
            Some(_) => next(),
            None => Vec::new(),
        };
        settle(recorder, &name, touched, rows, &mut entries);
    }
    entries.extend(definitions);
    let before = Before::read(&mut next);
    let spent = next();
    if entries.is_empty() {
        return Ok((Recorded::default(), Vec::new()));
    }
    budget(recorder, &spent, entries.len() as u64)?;
    left_to_people(recorder, &entries)?;
    let (change, plans) = rows(recorder, &entries, &before)?;
    let cascaded = counts(entries.iter().filter(|entry| entry.cascaded)).into_iter();
    let cascaded = cascaded
        .map(|(name, changed)| (name.to_owned(), changed))
        .collect();
    let recorded = Recorded {
        change: Some(change),
        cascaded,
    };
    Ok((recorded, plans))
}

fn there<'s>(schema: &'s Schema, name: &str) -> Option<(&'s Arc<Collection>, &'s Arc<Field>)> {
    let collection = schema.collection(name).filter(|found| found.table.is_some())?;
    Some((collection, collection.primary.as_ref()?))
}

/// Everything that must be known: the rows as they are now, and where the journal ends.
fn looks(
    recorder: &Recorder,
    touched: &IndexMap<String, Touched>,
    definitions: &[Entry],
) -> Result<Vec<Permit<Plan>>, Problem> {
    let mut plans = Vec::new();
    let mut items: IndexMap<&str, Vec<Scalar>> = IndexMap::new();
    for (name, touched) in touched {
        if let Some((collection, primary)) = there(&recorder.schema, name) {
            let keys = touched.rows.values().map(|row| row.key.clone()).collect();
            plans.push(images::read(images::look_at(collection, primary, keys)));
        }
        let keys = touched.rows.keys().map(|key| Scalar::from(key.as_str()));
        items.entry(name).or_default().extend(keys);
    }
    for entry in definitions {
        let key = Scalar::from(entry.key.as_str());
        items.entry(&entry.collection).or_default().push(key);
    }
    plans.extend(Before::looks(&items)?);
    if let Some((token, _)) = limited(recorder) {
        let now = recorder.journal.clock.now();
        plans.push(images::read(spent(&token.id, now)?));
    }
    Ok(plans)
}

/// The last change.
fn head() -> Result<Permit<Plan>, Problem> {
    let changes = table("loggia_changes")?;
    let select = ["number", "hash"].into_iter();
    let select = select.filter_map(|name| changes.field(name));
    Ok(images::read(ReadPlan {
        collection: changes.clone(),
        select: select
            .map(|field| Selected::new(field.name.as_str(), Source::Field(field.clone())))
            .collect(),
        filter: Filter::All,
        sort: vec![Sort {
            operand: Operand::Field(column("loggia_changes", "number")?),
            descending: true,
        }],
        limit: Some(1),
        offset: 0,
    }))
}

/// The largest key of one of the journal's tables.
pub(crate) fn largest(name: &str) -> Result<Permit<Plan>, Problem> {
    Ok(images::allowed(Plan::Aggregate(AggregatePlan {
        collection: table(name)?.clone(),
        filter: Filter::All,
        group_by: Vec::new(),
        figures: vec![figure(Aggregate::Max, name, "id")?],
        sort: Vec::new(),
        limit: None,
        offset: 0,
    })))
}

/// A figure of one of the journal's columns.
pub(crate) fn figure(function: Aggregate, name: &str, field: &str) -> Result<Figure, Problem> {
    Ok(Figure {
        when: None,
        function,
        field: Some(column(name, field)?),
    })
}

/// The last revision of each item.
pub(crate) fn last_revisions(items: &IndexMap<&str, Vec<Scalar>>) -> Result<AggregatePlan, Problem> {
    let name = "directus_revisions";
    let (collection, item) = (column(name, "collection")?, column(name, "item")?);
    let of = items.iter().map(|(name, keys)| {
        let here = Filter::field(&collection, Test::Equal(Scalar::from(*name)));
        here.and(Filter::field(&item, Test::In(keys.clone())))
    });
    let group = |field: &Arc<Field>| Group {
        alias: field.name.clone(),
        operand: Operand::Field(field.clone()),
    };
    Ok(AggregatePlan {
        collection: table(name)?.clone(),
        filter: Filter::or_all(of.collect()),
        group_by: vec![group(&collection), group(&item)],
        figures: vec![
            figure(Aggregate::Max, name, "number")?,
            figure(Aggregate::Max, name, "id")?,
        ],
        sort: Vec::new(),
        limit: None,
        offset: 0,
    })
}

/// The largest key that [`largest`] has read.
pub(crate) fn largest_of(rows: &[Record]) -> i64 {
    whole(rows.first().and_then(|row| row.get("max")?.get("id")))
}

/// What [`last_revisions`] has read: by collection and item the number and the key of the last revision.
pub(crate) fn last_revisions_of(rows: Vec<Record>) -> IndexMap<(String, String), (i64, i64)> {
    let of = |row: Record| {
        let figures = row.get("max");
        let figure = |name: &str| whole(figures.and_then(|figures| figures.get(name)));
        let key = (text(&row, "collection").to_owned(), text(&row, "item").to_owned());
        (key, (figure("number"), figure("id")))
    };
    rows.into_iter().map(of).collect()
}

impl Before {
    /// What must be read for it, with the last revisions of these items.
    pub(crate) fn looks(items: &IndexMap<&str, Vec<Scalar>>) -> Result<[Permit<Plan>; 4], Problem> {
        Ok([
            head()?,
            largest("directus_activity")?,
            largest("directus_revisions")?,
            images::allowed(Plan::Aggregate(last_revisions(items)?)),
        ])
    }

    /// The number of the next change.
    pub(crate) fn next(&self) -> i64 {
        self.head.0 + 1
    }

    /// What [`Before::looks`] asked for.
    pub(crate) fn read(next: &mut impl FnMut() -> Vec<Record>) -> Self {
        let head = next();
        let head = head.first();
        let number = whole(head.and_then(|row| row.get("number")));
        let hash = head.and_then(|row| row.get("hash")?.as_str());
        let hash = hash.unwrap_or(chain::BEGINNING).to_owned();
        let (last_activity, last_revision) = (largest_of(&next()), largest_of(&next()));
        Self {
            head: (number, hash),
            last_activity,
            last_revision,
            revisions: last_revisions_of(next()),
        }
    }
}

/// What became of the rows of one collection.
fn settle(recorder: &Recorder, name: &str, touched: Touched, rows: Vec<Record>, entries: &mut Vec<Entry>) {
    let now = there(&recorder.schema, name).map_or(&touched.collection, |(collection, _)| collection);
    let mut after: std::collections::HashMap<String, Record> = rows
        .into_iter()
        .filter_map(|row| {
            let key = now.primary.as_ref().and_then(|primary| row.get(&primary.name))?;
            Some((images::text(key), row))
        })
        .collect();
    for (key, row) in touched.rows {
        let after = after.remove(&key);
        let entry = images::entry(&touched.collection, now, &key, row.before, after);
        entries.extend(entry.map(|entry| Entry {
            cascaded: row.cascaded,
            ..entry
        }));
    }
}

/// How many there are of each collection.
fn counts<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> IndexMap<&'e str, Changed> {
    let mut counts: IndexMap<&str, Changed> = IndexMap::new();
    for entry in entries {
        let counted = counts.entry(entry.collection.as_str()).or_default();
        counted.count(entry.happened);
    }
    counts
}

/// How much a collection wants kept of its changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    Activity,
    All,
}

fn kept(schema: &Schema, collection: &str) -> Kept {
    let meta = schema
        .collection(collection)
        .and_then(|found| found.meta.as_ref());
    match meta.and_then(|meta| meta.record.get("accountability")) {
        Some(Value::Null) => Kept::Nothing,
        Some(Value::String(text)) if text == "activity" => Kept::Activity,
        _ => Kept::All,
    }
}

/// Whether everything that was written may be written on a user's behalf.
fn left_to_people(recorder: &Recorder, entries: &[Entry]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for entry in entries {
        let written = Written {
            collection: &entry.collection,
            before: entry.before.as_ref(),
            after: entry.data.as_ref(),
        };
        problems.extend(overstepped(&recorder.caller, written));
    }
    problems.or(())
}

/// The rows of the journal, and the key of the change.
fn rows(
    recorder: &Recorder,
    entries: &[Entry],
    before: &Before,
) -> Result<(String, Vec<Permit<Plan>>), Problem> {
    let now = recorder.journal.clock.now();
    let change = recorder.journal.generator.ordered_uuid(now).to_string();
    let (activity, revisions) = (table("directus_activity")?, table("directus_revisions")?);
    let header = Header::of(&recorder.caller, recorder.title.as_deref(), now);
    let mut content = Content::new();
    let (mut acted, mut revised) = (Vec::new(), Vec::new());
    let mut reversible = !recorder.lossy;
    for entry in entries {
        let kept = kept(&recorder.schema, &entry.collection);
        reversible &= kept == Kept::All;
        if kept == Kept::Nothing {
            continue;
        }
        let id = before.last_activity + number(acted.len()) + 1;
        let happened = (
            entry.happened.name(),
            entry.collection.as_str(),
            entry.key.as_str(),
        );
        acted.push(row(activity, &ACTIVITY, header.activity(id, happened, &change)));
        if kept == Kept::All {
            let number = before.last_revision + number(revised.len()) + 1;
            let key = (entry.collection.clone(), entry.key.clone());
            let last = before.revisions.get(&key).copied();
            let mut new = row(revisions, &REVISION, revision(entry, number, id, last, &change));
            if let (Some((_, parent)), Some(field)) = (last, revisions.field("parent")) {
                new.push((field.clone(), Scalar::Int(parent)));
            }
            revised.push(new);
        }
    }
    for new in &acted {
        content.add(&chain::leaf("directus_activity", hashed(new)));
    }
    for new in &revised {
        let hashed = hashed(new).take(REVISION.len());
        content.add(&chain::leaf("directus_revisions", hashed));
    }
    let cascades = entries.iter().any(|entry| entry.cascaded);
    let sum = Sum {
        counts: counts(entries),
        written: cascades.then(|| counts(entries.iter().filter(|entry| !entry.cascaded))),
        rows: entries.len(),
        reversible,
    };
    let new = header.change(&sum, before.next(), &change);
    let new = sealed(new, recorder.reverts.clone(), content, before)?;
    let mut plans = vec![insert(table("loggia_changes")?, vec![new])];
    if !acted.is_empty() {
        plans.push(insert(activity, acted));
    }
    if !revised.is_empty() {
        plans.push(insert(revisions, revised));
    }
    Ok((change, plans))
}

fn revision(
    entry: &Entry,
    id: i64,
    activity: i64,
    last: Option<(i64, i64)>,
    change: &str,
) -> [Scalar; REVISION.len()] {
    let document = |record: &Option<Record>| {
        let value = record.clone().map(Value::Object);
        Scalar::from(value.map(|value| value.to_string()))
    };
    let secrets = (!entry.secrets.is_empty()).then(|| json!(entry.secrets).to_string());
    [
        Scalar::Int(id),
        Scalar::Int(activity),
        entry.collection.as_str().into(),
        entry.key.as_str().into(),
        document(&entry.data),
        document(&entry.delta),
        Scalar::Null,
        change.into(),
        Scalar::Int(last.map_or(0, |(number, _)| number) + 1),
        entry.happened.name().into(),
        document(&entry.before),
        secrets.into(),
    ]
}
