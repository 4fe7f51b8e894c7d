//! What of items, and of what happened to them, a caller sees: by today's schema and today's rights.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Action, Grants, decide};
use loggia_journal::tables::{ascending, column, equal, plain, text, whole};
use loggia_model::filter::Test;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::{Collection, Field, Filter, Problem, Record, Scalar, Schema};
use loggia_store::Outcome;
use serde_json::Value;

use super::images::{self, Happened, MASK};
use crate::query::plain_read;
use crate::schema::definitions::FIELDS;
use crate::{Engine, Error};

/// Which fields of which items a caller sees now; administrators need none of it.
#[derive(Default)]
pub(super) struct Seen {
    /// By collection and key; items that are there and are seen.
    items: HashMap<(String, String), HashSet<String>>,
    /// By collection: keys of items that are there, seen or not.
    there: HashSet<(String, String)>,
    /// By collection: fields that are seen on every item, whatever it holds.
    always: HashMap<String, HashSet<String>>,
    /// By collection: fields that are seen on some item.
    granted: HashMap<String, HashSet<String>>,
    /// Of a field that was made again: where its record begins. By collection and field.
    made: HashMap<(String, String), Made>,
}

/// When a field was made: the entry that says so, and the change that it belongs to.
struct Made {
    entry: i64,
    change: String,
}

/// Where an entry of the record stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'e> {
    pub(super) entry: i64,
    pub(super) change: &'e str,
    pub(super) collection: &'e str,
}

impl Seen {
    /// Looks at items, by collection.
    pub(super) async fn of(
        engine: &Engine,
        schema: &Schema,
        grants: &Grants,
        items: impl Iterator<Item = (&str, &str)>,
    ) -> Result<Self, Error> {
        let mut seen = Self::default();
        let mut keys: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for (collection, key) in items {
            keys.entry(collection).or_default().push(key);
        }
        for (collection, keys) in keys {
            seen.look(engine, schema, grants, collection, &keys).await?;
        }
        Ok(seen)
    }

    /// Looks at the items of one collection.
    pub(super) async fn look(
        &mut self,
        engine: &Engine,
        schema: &Schema,
        grants: &Grants,
        name: &str,
        keys: &[&str],
    ) -> Result<(), Error> {
        let Some((collection, primary)) = readable(schema, grants, name) else {
            return Ok(());
        };
        let scalars: Vec<_> = keys
            .iter()
            .filter_map(|key| images::scalar(primary, &Value::from(*key)))
            .collect();
        let columns = collection.fields.values().filter(|field| !field.is_alias());
        let columns: Vec<Arc<Field>> = columns.cloned().collect();
        let mut fields = columns.clone();
        fields.retain(|field| grants.may_touch(Action::Read, collection, field));
        let these = Filter::field(primary, Test::In(scalars));
        let plan = plain_read(collection, &fields, Filter::All);
        let Plan::Read(decided) = decide(grants, Plan::Read(plan))?.into_plan() else {
            return Ok(());
        };
        let names = fields.iter().map(|field| field.name.clone());
        self.granted.insert(name.to_owned(), names.collect());
        let everywhere = grants.everywhere(Action::Read, collection);
        let always = decided.select.iter();
        let always = always.filter(|member| everywhere && member.when.is_none());
        let always: HashSet<_> = always.map(|member| member.alias.clone()).collect();
        self.always.insert(name.to_owned(), always);
        // Whether a field is seen is told by the key in its place: a value that is not there tells nothing.
        let select = decided.select.iter().map(|member| Selected {
            alias: member.alias.clone(),
            source: Source::Field(primary.clone()),
            when: member.when.clone(),
        });
        let seen = ReadPlan {
            select: select
                .chain([Selected::new(KEY, Source::Field(primary.clone()))])
                .collect(),
            filter: decided.filter.and(these.clone()),
            ..plain_read(collection, &[], Filter::All)
        };
        let there = plain_read(collection, std::slice::from_ref(primary), these);
        let plans = vec![
            images::read(seen),
            images::read(there),
            images::read(made(name, &columns)?),
        ];
        let outcomes = engine.parts().store.run_all(plans).await?.into_iter();
        let mut rows = outcomes.map(Outcome::into_rows);
        self.note_seen(name, rows.next().unwrap_or_default());
        for row in rows.next().unwrap_or_default() {
            let key = row.get(&primary.name).map(images::text).unwrap_or_default();
            self.there.insert((name.to_owned(), key));
        }
        self.note_made(name, rows.next().unwrap_or_default());
        Ok(())
    }

    /// Items that are seen, with something in the place of each field that is.
    fn note_seen(&mut self, name: &str, rows: Vec<Record>) {
        for mut row in rows {
            let key = row.shift_remove(KEY);
            let key = key.as_ref().map(images::text).unwrap_or_default();
            let fields = row.into_iter().filter(|(_, value)| !value.is_null());
            self.items
                .insert((name.to_owned(), key), fields.map(|(field, _)| field).collect());
        }
    }

    /// The entries that say that fields were made, the last of each field last.
    fn note_made(&mut self, name: &str, rows: Vec<Record>) {
        for row in rows {
            let made = Made {
                entry: whole(row.get("id")),
                change: text(&row, "change").to_owned(),
            };
            if let Some((_, field)) = text(&row, "item").split_once('.') {
                self.made.insert((name.to_owned(), field.to_owned()), made);
            }
        }
    }

    /// Whether an item is there, seen or not.
    pub(super) fn is_there(&self, collection: &str, key: &str) -> bool {
        self.there.contains(&(collection.to_owned(), key.to_owned()))
    }

    /// The fields of an item that are seen; of one that is gone, those that are seen on every item.
    pub(super) fn fields(&self, collection: &str, key: &str) -> Option<&HashSet<String>> {
        let item = (collection.to_owned(), key.to_owned());
        match self.items.get(&item) {
            Some(fields) => Some(fields),
            None if self.there.contains(&item) => None,
            None => self.always.get(collection).filter(|fields| !fields.is_empty()),
        }
    }

    /// The fields that are seen on some item of a collection; `None`: it may not be read.
    pub(super) fn granted(&self, collection: &str) -> Option<&HashSet<String>> {
        self.granted.get(collection)
    }

    /// Takes out of an entry what is not among `fields`, and what a field held that went and was made again.
    pub(super) fn narrow(
        &self,
        place: Place<'_>,
        fields: &HashSet<String>,
        before: &mut Record,
        after: &mut Record,
    ) {
        let made = |name: &String| self.made.get(&(place.collection.to_owned(), name.clone()));
        after.retain(|name, _| {
            let its_own = |made: &Made| place.entry > made.entry || place.change == made.change;
            fields.contains(name) && made(name).is_none_or(its_own)
        });
        before.retain(|name, _| {
            let its_own = |made: &Made| place.entry > made.entry && place.change != made.change;
            fields.contains(name) && made(name).is_none_or(its_own)
        });
    }
}

/// Under this name the key of a row travels.
const KEY: &str = "$key";

/// The entries that say that fields were made, the last of each field last.
fn made(collection: &str, fields: &[Arc<Field>]) -> Result<ReadPlan, Problem> {
    let name = "directus_revisions";
    let items = fields.iter().map(|field| format!("{collection}.{}", field.name));
    let items = items.map(Scalar::from).collect();
    Ok(ReadPlan {
        filter: Filter::field(&column(name, "item")?, Test::In(items))
            .and(equal(name, "collection", FIELDS)?)
            .and(equal(name, "action", Happened::Create.name())?),
        sort: ascending(name, "id")?,
        ..plain(name)?
    })
}

/// Puts the mask over what is a secret by now, and names it. What held nothing holds nothing.
pub(super) fn mask(schema: &Schema, collection: &str, part: &mut Record, secrets: &mut Vec<String>) {
    let Some(collection) = schema.collection(collection) else {
        return;
    };
    for (name, value) in part.iter_mut() {
        if !value.is_null() && collection.field(name).is_some_and(|field| field.is_secret()) {
            *value = MASK.into();
            if !secrets.contains(name) {
                secrets.push(name.clone());
            }
        }
    }
}

fn readable<'s>(
    schema: &'s Schema,
    grants: &Grants,
    name: &str,
) -> Option<(&'s Arc<Collection>, &'s Arc<Field>)> {
    let collection = schema.collection(name)?;
    let readable = collection.table.is_some() && grants.may(Action::Read, collection);
    Some((collection, collection.primary.as_ref()?)).filter(|_| readable)
}
