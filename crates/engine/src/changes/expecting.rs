//! Writes that expect items to be as they were read: `_rev` is a tag of what the caller sees of an item.
//!
//! Invariants
//! - A tag is made of nothing but what whoever asks for it sees: what happens to the rest changes no tag, and is told
//!   of by none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::decide;
use loggia_journal::tables::{column, equal, plain, text};
use loggia_model::error::{INVALID_PAYLOAD, ITEM_CHANGED};
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{Plan, ReadPlan, Selected, Sort};
use loggia_model::tag::{ABSENT, is_tag, tag};
use loggia_model::{Collection, Field, Filter, Problem, Problems, Record, Scalar};
use serde_json::{Value, json};

use super::images::Happened;
use super::seen::Seen;
use super::{Recorder, images};
use crate::items::Target;
use crate::query::{Resolver, plain_read};
use crate::{Engine, Error};

/// The member that holds the tag.
pub(crate) const REV: &str = "_rev";

/// What is expected of items: their tags, by the text of their keys.
pub(crate) type Expected = HashMap<String, String>;

/// How far back it is told what happened to an item.
const LOOKED_BACK: u64 = 100;

/// Takes the tag out of one record; `None`: there is none.
///
/// # Errors
/// What is no tag.
pub(crate) fn taken(record: &mut Record) -> Result<Option<String>, Problem> {
    match record.shift_remove(REV) {
        None => Ok(None),
        Some(Value::String(tag)) if is_tag(&tag) => Ok(Some(tag)),
        Some(value) => {
            let message = format!("`{REV}` is the tag that an item was read with; got {value}.");
            let problem = Problem::new(&INVALID_PAYLOAD, message).at(REV);
            Err(problem.hint(format!(
                "Read the item with `{REV}` among its fields, and send what it says."
            )))
        }
    }
}

/// Takes the tags out of what is to be written.
///
/// # Errors
/// What is no tag, and a tag for items that are not named.
pub(crate) fn taken_from(collection: &Collection, target: &mut Target) -> Result<Expected, Problem> {
    let mut expected = Expected::new();
    let Some(primary) = &collection.primary else {
        return Ok(expected);
    };
    if collection.field(REV).is_some() {
        return Ok(expected);
    }
    match target {
        Target::Each(rows) => {
            for (i, row) in rows.iter_mut().enumerate() {
                let tag = taken(row).map_err(|problem| problem.within(&format!("[{i}]")))?;
                let key = row.get(&primary.name).and_then(|key| key_text(primary, key));
                if let Some((key, tag)) = key.zip(tag) {
                    demand(&mut expected, key, tag).map_err(|problem| problem.within(&format!("[{i}]")))?;
                }
            }
        }
        Target::Keys { keys, data } => {
            if let Some(tag) = taken(data)? {
                let keys = keys.iter().filter_map(|key| key_text(primary, key));
                expected.extend(keys.map(|key| (key, tag.clone())));
            }
        }
        Target::Query { data, .. } => {
            if taken(data)?.is_some() {
                let message = format!("`{REV}` needs items that are named by their keys.");
                let hint = "Name the items by their keys, each with its tag; or leave it out.";
                return Err(Problem::new(&INVALID_PAYLOAD, message).at(REV).hint(hint));
            }
        }
    }
    Ok(expected)
}

/// Notes what is expected of an item.
///
/// # Errors
/// That it is expected to be in another state as well: a demand that is not understood is not met.
pub(crate) fn demand(expected: &mut Expected, key: String, tag: String) -> Result<(), Problem> {
    let message = format!("The item {key} is expected to be in two states.");
    match expected.insert(key, tag.clone()) {
        Some(other) if other != tag => Err(Problem::new(&INVALID_PAYLOAD, message)
            .at(REV)
            .hint("Name each item once, with the tag that it was read with.")),
        _ => Ok(()),
    }
}

/// Takes the tag out of what is to be written to a singleton; `also` is what is demanded besides.
///
/// # Errors
/// What is no tag, and two that differ.
pub(crate) fn taken_from_one(
    collection: &Collection,
    data: &mut Record,
    also: Option<String>,
) -> Result<Option<String>, Problem> {
    if collection.field(REV).is_some() {
        return Ok(also);
    }
    let taken = taken(data)?;
    if taken.is_some() && also.is_some() && taken != also {
        let message = "The item is expected to be in two states.";
        let hint = "Send the one tag that it was read with.";
        return Err(Problem::new(&INVALID_PAYLOAD, message).at(REV).hint(hint));
    }
    Ok(taken.or(also))
}

/// What is expected of the item of a singleton, by its key.
///
/// # Errors
/// That it is not there, and was to be.
pub(crate) fn of_one(collection: &Collection, key: Option<Scalar>, tag: &str) -> Result<Expected, Problem> {
    let key = collection.primary.as_ref().zip(key);
    if let Some((primary, key)) = key {
        return Ok(Expected::from([(
            images::text(&primary.ty.print(key)),
            tag.to_owned(),
        )]));
    }
    if tag == ABSENT {
        return Ok(Expected::new());
    }
    let message = format!("The item of \"{}\" is not there any more.", collection.name);
    Err(Problem::new(&ITEM_CHANGED, message)
        .with("collection", collection.name.as_str())
        .with("expected", tag)
        .with(REV, ABSENT)
        .hint("Nothing was written. Read it again."))
}

fn key_text(primary: &Field, key: &Value) -> Option<String> {
    let scalar = images::scalar(primary, key).filter(|key| !key.is_null())?;
    Some(images::text(&primary.ty.print(scalar)))
}

/// What is expected under the text that keys have in the database, however they were written, and the keys.
///
/// # Errors
/// What no item can have for a key, and two tags for one item: a demand that is not understood is not met.
fn keyed(primary: &Field, expected: &Expected) -> Result<(Expected, Vec<Scalar>), Problems> {
    let (mut known, mut keys) = (Expected::new(), Vec::new());
    let mut problems = Problems::default();
    let mut sorted: Vec<_> = expected.iter().collect();
    sorted.sort_unstable();
    for (written, tag) in sorted {
        let refuse = |message: String| Problem::new(&INVALID_PAYLOAD, message).at(REV);
        let written = Value::from(written.as_str());
        let scalar = images::scalar(primary, &written).filter(|key| !key.is_null());
        let Some((key, scalar)) = key_text(primary, &written).zip(scalar) else {
            let problem = refuse(format!("No item can have the key {written}."));
            problems.push(problem.hint("Name items by the keys that they were read with."));
            continue;
        };
        problems.take(demand(&mut known, key, tag.clone()));
        keys.push(scalar);
    }
    problems.or((known, keys))
}

/// An item that is not as it was expected to be.
struct Stale<'e> {
    key: String,
    expected: &'e str,
    /// What the caller sees of it, with its tag; `None`: nothing.
    shown: Option<Record>,
}

/// Holds items against what is expected of them. What is not there and what is hidden fail it alike: neither can be as
/// it was read.
///
/// # Errors
/// Every item that is not as it was, and what happened to it since, as far as the caller sees it.
pub(crate) async fn hold(
    engine: &Engine,
    tx: &mut Recorder,
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    expected: &Expected,
) -> Result<(), Error> {
    let (Some(primary), false) = (&collection.primary, expected.is_empty()) else {
        return Ok(());
    };
    let (expected, keys) = keyed(primary, expected)?;
    let mut shown = shown(tx, on, collection, primary, keys).await?;
    let mut stale = Vec::new();
    for (key, expected) in &expected {
        let shown = shown.shift_remove(key);
        let tag = shown.as_ref().and_then(|shown| shown.get(REV)?.as_str());
        if tag != Some(expected) {
            stale.push(Stale {
                key: key.clone(),
                expected,
                shown,
            });
        }
    }
    stale.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    let mut seen = Seen::default();
    if !on.grants.is_admin() && !stale.is_empty() {
        let keys: Vec<_> = stale.iter().map(|stale| stale.key.as_str()).collect();
        seen.look(engine, on.schema, on.grants, &collection.name, &keys)
            .await?;
    }
    let mut problems = Problems::default();
    for stale in stale {
        let revisions = revisions(tx, collection, &stale.key).await?;
        let fields = seen.fields(&collection.name, &stale.key);
        let sees = |name: &str| on.grants.is_admin() || fields.is_some_and(|fields| fields.contains(name));
        let changes = since(on, &stale, &revisions, &sees);
        problems.push(told(collection, &stale, changes));
    }
    Ok(problems.or(())?)
}

/// What the caller sees of items, with their tags, by the text of their keys.
async fn shown(
    tx: &mut Recorder,
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    primary: &Arc<Field>,
    keys: Vec<Scalar>,
) -> Result<IndexMap<String, Record>, Error> {
    let fields = collection.fields.values();
    let fields = fields.filter(|field| !field.is_alias() && on.reads(collection, field));
    let fields: Vec<_> = fields.cloned().collect();
    let these = Filter::field(primary, Test::In(keys));
    let mut plan = plain_read(collection, &fields, these);
    plan.select.push(Selected::new(REV, on.tag(collection)));
    let Ok(permit) = decide(on.grants, Plan::Read(plan)) else {
        return Ok(IndexMap::new());
    };
    let rows = tx.run(permit).await?.into_rows().into_iter();
    let keyed = rows.filter_map(|row| Some((images::text(row.get(&primary.name)?), row)));
    Ok(keyed.collect())
}

/// What happened to an item since it was as expected, the first first: it is taken back in memory, revision by
/// revision, until it has the tag. `None`: it never had it, as far as that is on record.
fn since(
    on: &Resolver<'_>,
    stale: &Stale<'_>,
    revisions: &[(Record, Record)],
    sees: &dyn Fn(&str) -> bool,
) -> Option<Vec<Value>> {
    let mut state = stale.shown.clone()?;
    state.shift_remove(REV);
    let mut changes = Vec::new();
    for (revision, change) in revisions {
        let part = |name: &str| revision.get(name).and_then(Value::as_object);
        let (before, delta) = (part("before"), part("delta"));
        let names = before.into_iter().chain(delta).flat_map(Record::keys);
        let names: BTreeSet<&String> = names.filter(|name| sees(name)).collect();
        let action = Happened::parse(text(revision, "action"));
        if action == Some(Happened::Create) {
            state = Record::new();
        } else if action != Some(Happened::Update) {
            return None;
        }
        for (name, value) in before.into_iter().flatten().filter(|(name, _)| sees(name)) {
            state.insert(name.clone(), value.clone());
        }
        // What happened to fields that the caller does not see is not told of.
        if !names.is_empty() {
            let by = change
                .get("user")
                .filter(|user| on.grants.is_admin() || user.as_str() == on.grants.caller().user());
            changes.push(json!({"fields": names, "at": change.get("timestamp"), "user": by}));
        }
        let reached = match action {
            Some(Happened::Create) => ABSENT.to_owned(),
            _ => tag(&state),
        };
        if reached == stale.expected {
            changes.reverse();
            return Some(changes);
        }
        if action == Some(Happened::Create) {
            return None;
        }
    }
    None
}

/// The revisions of an item, the last first, each with its change.
async fn revisions(
    tx: &mut Recorder,
    collection: &Collection,
    key: &str,
) -> Result<Vec<(Record, Record)>, Error> {
    let name = "directus_revisions";
    let plan = ReadPlan {
        filter: equal(name, "collection", &collection.name)?.and(equal(name, "item", key)?),
        sort: vec![Sort {
            operand: Operand::Field(column(name, "id")?),
            descending: true,
        }],
        limit: Some(LOOKED_BACK),
        ..plain(name)?
    };
    let revisions = tx.run(images::read(plan)).await?.into_rows();
    let ids = revisions.iter().map(|row| Scalar::from(text(row, "change")));
    let plan = ReadPlan {
        filter: Filter::field(&column("loggia_changes", "id")?, Test::In(ids.collect())),
        ..plain("loggia_changes")?
    };
    let changes = tx.run(images::read(plan)).await?.into_rows();
    let found = revisions.into_iter().map(|revision| {
        let of = |change: &&Record| change.get("id") == revision.get("change");
        let change = changes.iter().find(of).cloned().unwrap_or_default();
        (revision, change)
    });
    Ok(found.collect())
}

fn told(collection: &Collection, stale: &Stale<'_>, changes: Option<Vec<Value>>) -> Problem {
    let Stale { key, expected, shown } = stale;
    let name = &collection.name;
    let problem = |message: String| {
        Problem::new(&ITEM_CHANGED, message)
            .with("collection", name.as_str())
            .with("item", key.as_str())
            .with("expected", *expected)
    };
    let Some(tag) = shown.as_ref().and_then(|shown| shown.get(REV)) else {
        let message = format!("{key} of \"{name}\" is not there to be compared with what is expected.");
        return problem(message).hint(format!(
            "Nothing was written. Read it again; where you may not read items, leave `{REV}` out."
        ));
    };
    let Some(changes) = changes else {
        let message = format!("{key} of \"{name}\" is not as it is expected to be.");
        return problem(message).with(REV, tag.clone()).hint(format!(
            "Nothing was written. Read the item again, and send its `{REV}`, which is {tag} now. It belongs to who \
             read it: others, who see other fields, read another."
        ));
    };
    let fields = changes.iter().filter_map(|change| change["fields"].as_array());
    let fields: BTreeSet<_> = fields.flatten().filter_map(Value::as_str).collect();
    let fields: Vec<_> = fields.into_iter().collect();
    let message = format!(
        "{key} of \"{name}\" was changed since it was read: {}.",
        fields.join(", ")
    );
    problem(message)
        .with(REV, tag.clone())
        .with("changes", changes)
        .hint(format!(
            "Nothing was written. Read the item again, and send its `{REV}`, which is {tag} now."
        ))
}
