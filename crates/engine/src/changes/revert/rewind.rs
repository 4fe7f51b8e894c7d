//! Goes through what was done, the last first, on copies of the rows: what they would be like, and what stands
//! against it.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_journal::{acts, pointing_to};
use loggia_model::filter::Test;
use loggia_model::schema::{Action, ForeignKey};
use loggia_model::{Collection, Filter, Record, Scalar};
use serde_json::Value;

use super::load::{Done, Loaded};
use super::rules::Write;
use super::{Conflict, Conflicts, NotRestored};
use crate::changes::Recorder;
use crate::changes::images::{self, Happened, MASK};
use crate::changes::seen::Seen;
use crate::items::Changed;
use crate::query::{Resolver, is_secret};
use crate::{Engine, Error};

/// A row as it is, and as it shall be.
pub(super) struct State {
    pub(super) key: Scalar,
    pub(super) now: Option<Record>,
    pub(super) then: Option<Record>,
    /// The last change that is taken back and had to do with it.
    change: String,
    /// What of it is written, once that was looked at.
    pub(super) write: Option<Write>,
}

/// Rows of one collection by their keys.
pub(super) struct Rows {
    pub(super) collection: Arc<Collection>,
    pub(super) rows: IndexMap<String, State>,
}

/// What taking back comes to.
#[derive(Default)]
pub(super) struct Rewound {
    pub(super) collections: IndexMap<String, Rows>,
    pub(super) conflicts: Vec<Conflict>,
    pub(super) not_restored: Vec<NotRestored>,
}

impl Rewound {
    /// Whether rows would go.
    pub(super) fn deletes(&self) -> bool {
        self.states()
            .any(|(_, state)| state.now.is_some() && state.then.is_none())
    }

    /// Every row with its collection.
    pub(super) fn states(&self) -> impl Iterator<Item = (&Arc<Collection>, &State)> {
        self.collections
            .values()
            .flat_map(|rows| rows.rows.values().map(|state| (&rows.collection, state)))
    }

    /// How many rows become what.
    pub(super) fn counts(&self) -> IndexMap<String, Changed> {
        let mut counts: IndexMap<String, Changed> = IndexMap::new();
        for (collection, state) in self.states() {
            let Some(happened) = state.happens() else { continue };
            let changed = counts.entry(collection.name.clone()).or_default();
            match happened {
                Happened::Create => changed.created += 1,
                Happened::Update => changed.updated += 1,
                Happened::Delete => changed.deleted += 1,
            }
        }
        counts
    }
}

impl State {
    /// What becomes of the row; `None`: nothing.
    pub(super) fn happens(&self) -> Option<Happened> {
        match (&self.now, &self.then) {
            (None, None) => None,
            (None, Some(_)) => Some(Happened::Create),
            (Some(_), None) => Some(Happened::Delete),
            (Some(now), Some(then)) => (now != then).then_some(Happened::Update),
        }
    }

    /// The columns that change.
    pub(super) fn changed(&self) -> Record {
        let (Some(now), Some(then)) = (&self.now, &self.then) else {
            return Record::new();
        };
        let differs = |(name, value): &(&String, &Value)| now.get(*name) != Some(*value);
        let differing = then.iter().filter(differs);
        differing
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Reads the rows as they are and goes back.
/// What the caller does not see (`seen`) is not there.
pub(super) async fn rewind(
    tx: &mut Recorder,
    loaded: &Loaded,
    seen: Option<&Seen>,
    conflicts: Conflicts,
) -> Result<Rewound, Error> {
    let mut rewound = Rewound {
        collections: current(tx, loaded, seen).await?,
        ..Rewound::default()
    };
    for done in &loaded.entries {
        let Some(rows) = rewound.collections.get_mut(&done.collection) else {
            let what = format!("The collection \"{}\" is not there any more.", done.collection);
            rewound.conflicts.push(conflict(done, Vec::new(), what, None));
            continue;
        };
        let Some(state) = rows.rows.get_mut(&done.item) else {
            let what = format!(
                "\"{}\" cannot have the key {} any more.",
                done.collection, done.item
            );
            rewound.conflicts.push(conflict(done, Vec::new(), what, None));
            continue;
        };
        let mut against = against(&rows.collection, state, done);
        if let (Some(conflict), Some(seen)) = (&mut against, seen) {
            let fields = seen.fields(&done.collection, &done.item);
            let sees = |name: &String| fields.is_some_and(|fields| fields.contains(name));
            conflict
                .now
                .iter_mut()
                .for_each(|now| now.retain(|name, _| sees(name)));
        }
        let stands = against.is_some();
        rewound.conflicts.extend(against);
        if !stands || conflicts == Conflicts::Force {
            state.change.clone_from(&done.change);
            let lost = back(&rows.collection, state, done);
            let granted = seen.map(|seen| seen.granted(&done.collection));
            let known = |name: &String| {
                granted.is_none_or(|granted| granted.is_some_and(|granted| granted.contains(name)))
            };
            let lost: Vec<_> = lost.into_iter().filter(known).collect();
            if !lost.is_empty() {
                let what = "Secrets are never kept: they are as they are.";
                rewound.not_restored.push(NotRestored::of(done, lost, what));
            }
        }
    }
    Ok(rewound)
}

/// The rows as they are now.
async fn current(
    tx: &mut Recorder,
    loaded: &Loaded,
    seen: Option<&Seen>,
) -> Result<IndexMap<String, Rows>, Error> {
    let mut collections: IndexMap<String, Rows> = IndexMap::new();
    for done in &loaded.entries {
        let schema = tx.schema();
        let found = schema
            .collection(&done.collection)
            .filter(|found| found.table.is_some());
        let Some((collection, primary)) = found.and_then(|found| Some((found, found.primary.as_ref()?)))
        else {
            continue;
        };
        let Some(key) = images::scalar(primary, &Value::from(done.item.as_str())) else {
            continue;
        };
        let rows = collections
            .entry(done.collection.clone())
            .or_insert_with(|| Rows {
                collection: collection.clone(),
                rows: IndexMap::new(),
            });
        rows.rows.entry(done.item.clone()).or_insert_with(|| State {
            key,
            now: None,
            then: None,
            change: done.change.clone(),
            write: None,
        });
    }
    let looks = collections.values().filter_map(|rows| {
        let keys = rows.rows.values().map(|state| state.key.clone()).collect();
        Some(images::look_at(
            &rows.collection,
            rows.collection.primary.as_ref()?,
            keys,
        ))
    });
    let outcomes = tx.run_all(looks.collect()).await?;
    for (rows, outcome) in collections.values_mut().zip(outcomes) {
        let Some(primary) = rows.collection.primary.clone() else {
            continue;
        };
        for row in outcome.into_rows() {
            let key = row.get(&primary.name).map(images::text).unwrap_or_default();
            let hidden = seen.is_some_and(|seen| seen.fields(&rows.collection.name, &key).is_none());
            if let Some(state) = rows.rows.get_mut(&key).filter(|_| !hidden) {
                state.then = Some(row.clone());
                state.now = Some(row);
            }
        }
    }
    Ok(collections)
}

fn conflict(done: &Done, fields: Vec<String>, what: String, now: Option<Record>) -> Conflict {
    Conflict {
        change: done.change.clone(),
        collection: done.collection.clone(),
        item: done.item.clone(),
        fields,
        what,
        now,
    }
}

/// What stands against taking one entry back from a state.
fn against(collection: &Collection, state: &State, done: &Done) -> Option<Conflict> {
    let (name, item) = (&done.collection, &done.item);
    let Some(row) = &state.then else {
        return (done.happened != Happened::Delete).then(|| {
            let what = format!("{item} of \"{name}\" is not there any more.");
            conflict(done, Vec::new(), what, None)
        });
    };
    let hidden = |row: &Record| {
        let shown = |(name, value): (&String, &Value)| {
            let value = if is_secret_now(collection, name) && !value.is_null() {
                MASK.into()
            } else {
                value.clone()
            };
            (name.clone(), value)
        };
        row.iter().map(shown).collect::<Record>()
    };
    if done.happened == Happened::Delete {
        let what = format!("{item} of \"{name}\" is there again.");
        return Some(conflict(done, Vec::new(), what, Some(hidden(row))));
    }
    let mut fields = Vec::new();
    for (field, value) in &done.after {
        let secret = done.secrets.contains(field) || is_secret_now(collection, field);
        match row.get(field) {
            Some(now) if secret || now == value => {}
            None if done.happened == Happened::Create => {}
            _ => fields.push(field.clone()),
        }
    }
    for field in done
        .before
        .keys()
        .filter(|field| !done.after.contains_key(*field))
    {
        // It went with its column: there must be one again, and nothing in it.
        if row.get(field).is_none_or(|now| !now.is_null()) {
            fields.push(field.clone());
        }
    }
    if fields.is_empty() {
        return None;
    }
    let what = format!(
        "{item} of \"{name}\" was changed again since: {}.",
        fields.join(", ")
    );
    let mut now = hidden(row);
    now.retain(|field, _| fields.contains(field));
    Some(conflict(done, fields, what, Some(now)))
}

/// Whether nothing may be found out about a field by now, whatever it was then.
fn is_secret_now(collection: &Collection, name: &str) -> bool {
    collection.field(name).is_some_and(|field| is_secret(field))
}

/// Takes one entry back, and names the fields of it that cannot be: what they held is not known, or must not be.
fn back(collection: &Collection, state: &mut State, done: &Done) -> Vec<String> {
    // A secret that an item had none of before it changed is not taken away again: nobody is locked out by that. And
    // what a field held before it became one is no secret in the form that is kept.
    let there = state.then.is_some();
    let unknown = |field: &str, value: &Value| {
        let secret = done.secrets.iter().any(|name| name == field) || is_secret_now(collection, field);
        secret && (there || !value.is_null())
    };
    let kept = |field: &str, value: &Value| {
        !unknown(field, value) && collection.field(field).is_some_and(|field| !field.is_alias())
    };
    match done.happened {
        Happened::Create => {
            state.then = None;
            return Vec::new();
        }
        // An item that is gone has no columns to take back.
        Happened::Update if state.then.is_none() => return Vec::new(),
        Happened::Update | Happened::Delete => {}
    }
    let row = state.then.get_or_insert_default();
    for (field, value) in &done.before {
        if kept(field, value) {
            row.insert(field.clone(), value.clone());
        }
    }
    let lost = done.before.iter().filter(|(field, value)| unknown(field, value));
    lost.map(|(field, _)| field.clone()).collect()
}

/// Rows that are none of what is taken back, and would go or change because what they point to goes.
/// Such rows that the caller does not see are not there: what becomes of them is as when the row that they point to is
/// deleted by hand.
pub(super) async fn pointing(
    engine: &Engine,
    on: &Resolver<'_>,
    tx: &mut Recorder,
    rewound: &mut Rewound,
    conflicts: Conflicts,
) -> Result<(), Error> {
    let schema = on.schema;
    let mut found: Vec<(String, String, Conflict)> = Vec::new();
    for (name, rows) in &rewound.collections {
        if !rows
            .rows
            .values()
            .any(|state| state.happens() == Some(Happened::Delete))
        {
            continue;
        }
        for (child, key) in pointing_to(schema, name, |key| acts(key.on_delete)) {
            for (item, conflict) in under(tx, rewound, rows, &child, &key).await? {
                found.push((name.clone(), item, conflict));
            }
        }
    }
    if !on.grants.is_admin() {
        let items = found
            .iter()
            .map(|(.., conflict)| (conflict.collection.as_str(), conflict.item.as_str()));
        let seen = Seen::of(engine, schema, on.grants, items).await?;
        found.retain(|(.., conflict)| {
            let fields = seen.fields(&conflict.collection, &conflict.item);
            fields.is_some_and(|fields| conflict.fields.iter().all(|field| fields.contains(field)))
        });
    }
    for (name, item, conflict) in found {
        rewound.conflicts.push(conflict);
        let rows = rewound.collections.get_mut(&name);
        if conflicts == Conflicts::Skip
            && let Some(state) = rows.and_then(|rows| rows.rows.get_mut(&item))
        {
            state.then.clone_from(&state.now);
        }
    }
    Ok(())
}

/// The same, of one collection that points by one key: each with the key of the row that it points to.
async fn under(
    tx: &mut Recorder,
    rewound: &Rewound,
    rows: &Rows,
    child: &Arc<Collection>,
    key: &ForeignKey,
) -> Result<Vec<(String, Conflict)>, Error> {
    let mut found = Vec::new();
    let column = child
        .field(&key.column)
        .zip(rows.collection.field(&key.foreign_column));
    let Some((column, pointed)) = column else {
        return Ok(found);
    };
    let mut by_value: HashMap<String, (&String, &State)> = HashMap::new();
    let mut values = Vec::new();
    for (item, state) in &rows.rows {
        let value = state.now.as_ref().and_then(|row| row.get(&pointed.name));
        if let (Some(Happened::Delete), Some(value)) = (state.happens(), value) {
            by_value.insert(images::text(value), (item, state));
            values.extend(images::scalar(pointed, value).filter(|value| !value.is_null()));
        }
    }
    let look = images::look(child, Filter::field(column, Test::In(values)));
    for row in tx.run(look).await?.into_rows() {
        let primary = child.primary.as_ref();
        let text = primary
            .and_then(|primary| row.get(&primary.name))
            .map(images::text);
        let text = text.unwrap_or_default();
        let state = rewound
            .collections
            .get(&child.name)
            .and_then(|rows| rows.rows.get(&text));
        let pointer = row.get(&column.name).cloned().unwrap_or_default();
        let points = |then: &Record| then.get(&column.name) == Some(&pointer);
        let stays = state.is_none_or(|state| state.then.as_ref().is_some_and(points));
        let Some((item, state)) = by_value.get(&images::text(&pointer)).filter(|_| stays) else {
            continue;
        };
        let becomes = if key.on_delete == Action::Cascade {
            "go with it"
        } else {
            "point elsewhere"
        };
        let what = format!(
            "{text} of \"{}\" points to {item} of \"{}\" by \"{}\", and would {becomes}.",
            child.name, rows.collection.name, key.column
        );
        let conflict = Conflict {
            change: state.change.clone(),
            collection: child.name.clone(),
            item: text,
            fields: vec![key.column.clone()],
            what,
            now: Some([(key.column.clone(), pointer)].into_iter().collect()),
        };
        found.push(((*item).clone(), conflict));
    }
    Ok(found)
}
