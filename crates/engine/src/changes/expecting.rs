//! Writes that expect items to be as they were read: `_rev` is the number of an item's last revision.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use loggia_journal::tables::{ascending, column, plain, table, text, whole};
use loggia_model::error::{INVALID_PAYLOAD, ITEM_CHANGED};
use loggia_model::filter::Test;
use loggia_model::plan::{ReadPlan, Selected, Source};
use loggia_model::{Collection, Field, Filter, Problem, Problems, Record, Scalar};
use serde_json::{Value, json};

use super::seen::Seen;
use super::{Recorder, images};
use crate::items::Target;
use crate::query::{Resolver, plain_read};
use crate::{Engine, Error};

/// The member that holds the number.
pub(crate) const REV: &str = "_rev";

/// What is expected of items: the number of the last revision, by the text of their keys.
pub(crate) type Expected = HashMap<String, u64>;

/// Takes the number out of one record; `None`: there is none.
///
/// # Errors
/// What is no number.
pub(crate) fn taken(record: &mut Record) -> Result<Option<u64>, Problem> {
    let Some(value) = record.shift_remove(REV) else {
        return Ok(None);
    };
    let number = match &value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let wrong = || {
        let message = format!("`{REV}` is the number of an item's last revision; got {value}.");
        let problem = Problem::new(&INVALID_PAYLOAD, message).at(REV);
        problem.hint(format!(
            "Read the item with `{REV}` among its fields, and send what it says."
        ))
    };
    number.map(Some).ok_or_else(wrong)
}

/// Takes the numbers out of what is to be written.
///
/// # Errors
/// What is no number, and a number for items that are not named.
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
                let number = taken(row).map_err(|problem| problem.within(&format!("[{i}]")))?;
                let key = row.get(&primary.name).and_then(|key| key_text(primary, key));
                expected.extend(key.zip(number));
            }
        }
        Target::Keys { keys, data } => {
            if let Some(number) = taken(data)? {
                let keys = keys.iter().filter_map(|key| key_text(primary, key));
                expected.extend(keys.map(|key| (key, number)));
            }
        }
        Target::Query { data, .. } => {
            if taken(data)?.is_some() {
                let message = format!("`{REV}` needs items that are named by their keys.");
                return Err(Problem::new(&INVALID_PAYLOAD, message).at(REV));
            }
        }
    }
    Ok(expected)
}

/// Takes the number out of what is to be written to a singleton; `also` is what is demanded besides.
///
/// # Errors
/// What is no number, and two that differ.
pub(crate) fn taken_from_one(
    collection: &Collection,
    data: &mut Record,
    also: Option<u64>,
) -> Result<Option<u64>, Problem> {
    if collection.field(REV).is_some() {
        return Ok(also);
    }
    let taken = taken(data)?;
    if taken.zip(also).is_some_and(|(one, other)| one != other) {
        let message = "The item is expected to have two revisions.";
        return Err(Problem::new(&INVALID_PAYLOAD, message).at(REV));
    }
    Ok(taken.or(also))
}

/// What is expected of the item of a singleton, by its key.
///
/// # Errors
/// That it is not there, and was to be.
pub(crate) fn of_one(collection: &Collection, key: Option<Scalar>, number: u64) -> Result<Expected, Problem> {
    let key = collection.primary.as_ref().zip(key);
    if let Some((primary, key)) = key {
        return Ok(Expected::from([(images::text(&primary.ty.print(key)), number)]));
    }
    if number == 0 {
        return Ok(Expected::new());
    }
    let message = format!("The item of \"{}\" is not there any more.", collection.name);
    Err(Problem::new(&ITEM_CHANGED, message)
        .with("collection", collection.name.as_str())
        .with("expected", number)
        .with(REV, 0)
        .hint("Nothing was written. Read it again."))
}

fn key_text(primary: &Field, key: &Value) -> Option<String> {
    let scalar = images::scalar(primary, key).filter(|key| !key.is_null())?;
    Some(images::text(&primary.ty.print(scalar)))
}

/// What is expected under the text that keys have in the database, however they were written, and the keys.
///
/// # Errors
/// What no item can have for a key, and two numbers for one item: a demand that is not understood is not met.
fn keyed(primary: &Field, expected: &Expected) -> Result<(Expected, Vec<Scalar>), Problems> {
    let (mut known, mut keys) = (Expected::new(), Vec::new());
    let mut problems = Problems::default();
    let mut sorted: Vec<_> = expected.iter().collect();
    sorted.sort_unstable();
    for (written, number) in sorted {
        let refuse = |message: String| Problem::new(&INVALID_PAYLOAD, message).at(REV);
        let written = Value::from(written.as_str());
        let scalar = images::scalar(primary, &written).filter(|key| !key.is_null());
        let Some((key, scalar)) = key_text(primary, &written).zip(scalar) else {
            problems.push(refuse(format!("No item can have the key {written}.")));
            continue;
        };
        if known.insert(key, *number).is_some_and(|other| other != *number) {
            problems.push(refuse(format!(
                "The item {written} is expected to have two revisions."
            )));
        }
        keys.push(scalar);
    }
    problems.or((known, keys))
}

/// Holds items against what is expected of them. What the caller does not see is passed over: the write itself
/// answers for it.
///
/// # Errors
/// Every item that something else happened to since, and what.
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
    let mut plan = plain_read(
        collection,
        std::slice::from_ref(primary),
        Filter::field(primary, Test::In(keys)),
    );
    let revisions = table("directus_revisions")?.clone();
    plan.select
        .push(Selected::new(REV, Source::Revision { revisions }));
    let rows = tx.run(images::read(plan)).await?.into_rows();
    let mut stale = Vec::new();
    for row in rows {
        let key = row.get(&primary.name).map(images::text).unwrap_or_default();
        let number = u64::try_from(whole(row.get(REV))).unwrap_or(0);
        if let Some(expected) = expected.get(&key).filter(|expected| **expected != number) {
            stale.push((key, *expected, number));
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let mut seen = Seen::default();
    if !on.grants.is_admin() {
        let keys: Vec<_> = stale.iter().map(|(key, ..)| key.as_str()).collect();
        seen.look(engine, on.schema, on.grants, &collection.name, &keys)
            .await?;
    }
    let mut problems = Problems::default();
    for (key, expected, number) in stale {
        let fields = seen.fields(&collection.name, &key);
        if !on.grants.is_admin() && fields.is_none() {
            continue;
        }
        let sees = |name: &str| on.grants.is_admin() || fields.is_some_and(|fields| fields.contains(name));
        let since = since(tx, collection, &key, expected).await?;
        problems.push(told(on, collection, &key, (expected, number), &since, &sees));
    }
    Ok(problems.or(())?)
}

/// The revisions after the one that was expected, each with its change.
async fn since(
    tx: &mut Recorder,
    collection: &Collection,
    key: &str,
    expected: u64,
) -> Result<Vec<(Record, Record)>, Error> {
    let name = "directus_revisions";
    let number = Scalar::Int(i64::try_from(expected).unwrap_or(i64::MAX));
    let plan = ReadPlan {
        filter: Filter::field(
            &column(name, "collection")?,
            Test::Equal(Scalar::from(collection.name.as_str())),
        )
        .and(Filter::field(
            &column(name, "item")?,
            Test::Equal(Scalar::from(key)),
        ))
        .and(Filter::field(&column(name, "number")?, Test::Greater(number))),
        sort: ascending(name, "number")?,
        limit: Some(100),
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

fn told(
    on: &Resolver<'_>,
    collection: &Collection,
    key: &str,
    (expected, number): (u64, u64),
    since: &[(Record, Record)],
    sees: &dyn Fn(&str) -> bool,
) -> Problem {
    let mut fields = BTreeSet::new();
    let mut changes = Vec::new();
    for (revision, change) in since {
        let parts = ["before", "delta"]
            .iter()
            .filter_map(|part| revision.get(*part)?.as_object());
        let names: BTreeSet<&String> = parts.flat_map(Record::keys).filter(|name| sees(name)).collect();
        // What happened to fields that the caller does not see is not told of.
        if names.is_empty() && !on.grants.is_admin() {
            continue;
        }
        fields.extend(names.iter().map(|name| (*name).clone()));
        let by = change
            .get("user")
            .filter(|user| on.grants.is_admin() || user.as_str() == on.grants.caller().user());
        changes.push(json!({
            "_rev": revision.get("number"),
            "fields": names,
            "at": change.get("timestamp"),
            "user": by,
        }));
    }
    let names: Vec<_> = fields.iter().map(String::as_str).collect();
    let what = if names.is_empty() {
        String::new()
    } else {
        format!(": {}", names.join(", "))
    };
    let message = format!(
        "{key} of \"{}\" was changed since it was read{what}.",
        collection.name
    );
    Problem::new(&ITEM_CHANGED, message)
        .with("collection", collection.name.as_str())
        .with("item", key)
        .with("expected", expected)
        .with("_rev", number)
        .with("changes", changes)
        .hint(format!(
            "Nothing was written. Read the item again, and send its `{REV}`, which is {number} now."
        ))
}
