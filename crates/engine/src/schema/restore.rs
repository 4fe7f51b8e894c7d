//! Takes changes of collections, fields and relations back, with the items that went with them.
//!
//! First what pointed is let go, then what is gone is made again, then items are taken back, then what points is made
//! again, and last goes what was made: items always find the columns that they need, and no key points nowhere.

use std::collections::HashMap;

use indexmap::IndexMap;
use loggia_access::Caller;
use loggia_model::error::DELETES_DISABLED;
use loggia_model::filter::Test;
use loggia_model::plan::SchemaStep;
use loggia_model::schema::Default;
use loggia_model::{Filter, Problem, Record, Schema};
use serde_json::{Value, json};

use super::change::{Change, matching};
use super::definitions::{self, COLLECTIONS, FIELDS, RELATIONS};
use super::{collections, fields, relations};
use crate::changes::revert::{Relations, load, refused, rules_of};
use crate::changes::{Conflict, Conflicts, RevertOptions, Reverted};
use crate::items::Deletes;
use crate::{Engine, Error, system};

/// A definition as it is, and as it shall be.
#[derive(Clone, std::default::Default)]
struct State {
    now: Option<Record>,
    then: Option<Record>,
}

/// By kind and key.
type States = IndexMap<(String, String), State>;

/// Changes by what they made: kind and key.
type MadeBy = HashMap<(String, String), String>;

/// Takes changes back some of which are of the schema.
pub(crate) async fn revert(
    engine: &Engine,
    caller: &Caller,
    ids: Vec<String>,
    options: &RevertOptions,
) -> Result<Reverted, Error> {
    let mut change = Change::begin(engine, caller).await?;
    let loaded = load::entries(change.recorder(), ids).await?;
    let mut reverted = Reverted::default();
    let (mut states, conflicts) = rewound(&change.schema, &loaded, options.conflicts);
    refused(&conflicts, options)?;
    states.retain(|_, state| state.now != state.then);
    let made_by = made_by(&loaded);
    let drops = states.values().any(|state| state.then.is_none());
    if drops && options.deletes == Deletes::Refused {
        let message = "Taking this back would delete collections, fields or relations, and deleting is switched off here.";
        return Err(Problem::new(&DELETES_DISABLED, message).into());
    }
    let mut work = Work {
        change,
        states,
        made_by,
    };
    work.let_go().await?;
    work.make().await?;
    let Work {
        change,
        states,
        made_by,
    } = work;
    let (rest, tx) = change.apart();
    let (mut tx, mut unchecked) = engine
        .revert_rows(tx, caller, loaded, options, Relations::Follow, &mut reverted)
        .await?;
    // Rows are held to more than tables are, by which the change ends.
    system::after(&mut tx, system::Written::Rows).await?;
    let mut work = Work {
        change: rest.together(tx),
        states,
        made_by,
    };
    work.point().await?;
    let (schema, grants) = (work.change.schema.clone(), engine.grants(caller).await?);
    rules_of(&engine.resolver(&schema, &grants), &mut unchecked).or(())?;
    let late = work.drop_all(options.conflicts).await?;
    refused(&late, options)?;
    for (kind, state) in work.states.iter().map(|((kind, _), state)| (kind, state)) {
        let changed = reverted.changed.entry(kind.clone()).or_default();
        match (&state.now, &state.then) {
            (None, _) => changed.created += 1,
            (_, None) => changed.deleted += 1,
            _ => changed.updated += 1,
        }
    }
    reverted.conflicts.extend(conflicts);
    reverted.conflicts.extend(late);
    if options.dry_run {
        system::after(work.change.recorder(), system::Written::Tables).await?;
        return Ok(reverted);
    }
    let (_, recorded) = work.change.finish_recorded().await?;
    reverted.change = recorded.change;
    Ok(reverted)
}

/// The number of the row of metadata says nothing about a definition: it is another one when it is made again.
fn essence(definition: &Record) -> Record {
    let mut definition = definition.clone();
    if let Some(Value::Object(meta)) = definition.get_mut("meta") {
        meta.shift_remove("id");
    }
    definition
}

fn same(left: &Record, right: &Record) -> bool {
    essence(left) == essence(right)
}

/// Goes back through what was done to definitions.
fn rewound(schema: &Schema, loaded: &load::Loaded, conflicts: Conflicts) -> (States, Vec<Conflict>) {
    let mut states = States::new();
    for ((kind, key), now) in definitions::all(schema) {
        let state = State {
            now: Some(now.clone()),
            then: Some(now),
        };
        states.insert((kind.to_owned(), key), state);
    }
    let mut found = Vec::new();
    for done in &loaded.definitions {
        let key = (done.collection.clone(), done.item.clone());
        let state = states.entry(key).or_default();
        let before = Some(&done.before).filter(|before| !before.is_empty());
        let after = Some(&done.after).filter(|after| !after.is_empty());
        let stands = match (&state.then, after) {
            (None, None) => None,
            (Some(then), Some(after)) if same(then, after) => None,
            (None, Some(_)) => Some("is not there any more"),
            (Some(_), None) => Some("is there again"),
            (Some(_), Some(_)) => Some("was changed again since"),
        };
        if let Some(stands) = stands {
            let kind = done
                .collection
                .trim_start_matches("directus_")
                .trim_end_matches('s');
            found.push(Conflict {
                change: done.change.clone(),
                collection: done.collection.clone(),
                item: done.item.clone(),
                fields: Vec::new(),
                what: format!("The {kind} \"{}\" {stands}.", done.item),
                now: state.then.clone(),
            });
            if conflicts != Conflicts::Force {
                continue;
            }
        }
        state.then = before.cloned();
    }
    (states, found)
}

/// The change that each definition goes with which was made, by kind and key: the first that is taken back.
fn made_by(loaded: &load::Loaded) -> MadeBy {
    let made = loaded.definitions.iter().filter(|done| done.before.is_empty());
    made.map(|done| ((done.collection.clone(), done.item.clone()), done.change.clone()))
        .collect()
}

/// A change under way, and what is left of it to do.
struct Work {
    change: Change,
    states: States,
    made_by: MadeBy,
}

impl Work {
    fn of(&self, kind: &str) -> Vec<(String, State)> {
        let here = self.states.iter().filter(|((known, _), _)| known == kind);
        here.map(|((_, key), state)| (key.clone(), state.clone()))
            .collect()
    }

    /// Removes relations that shall go or change.
    async fn let_go(&mut self) -> Result<(), Error> {
        for (key, state) in self.of(RELATIONS) {
            let (Some(_), Some((collection, field))) = (&state.now, key.split_once('.')) else {
                continue;
            };
            let Some(relation) = relations::of(&self.change.schema, collection, field).cloned() else {
                continue;
            };
            if relation.foreign_key.is_some() {
                let step = SchemaStep::DropForeignKey {
                    table: collection.to_owned(),
                    column: field.to_owned(),
                };
                self.change.tables(vec![step]).await?;
            }
            let identity = [("many_collection", collection), ("many_field", field)];
            self.change
                .delete(RELATIONS, matching(RELATIONS, &identity)?)
                .await?;
        }
        self.change.look_again().await?;
        Ok(())
    }

    /// Makes collections and fields that are gone, and changes those that differ.
    async fn make(&mut self) -> Result<(), Error> {
        let mut bodies = Vec::new();
        let fields = self.of(FIELDS);
        let made: Vec<_> = self
            .of(COLLECTIONS)
            .into_iter()
            .filter(|(_, state)| state.now.is_none())
            .map(|(key, _)| key)
            .collect();
        let inside = |key: &str| {
            key.split_once('.')
                .is_some_and(|(name, _)| made.iter().any(|made| made == name))
        };
        for ((_, key), state) in self.states.iter().filter(|((kind, _), _)| kind == COLLECTIONS) {
            let (None, Some(then)) = (&state.now, &state.then) else {
                continue;
            };
            let mut body = then.clone();
            let own = fields
                .iter()
                .filter(|(field, _)| field.split_once('.').is_some_and(|(name, _)| name == key));
            let own: Vec<_> = own
                .filter_map(|(_, state)| state.then.clone().map(Value::Object))
                .collect();
            if !own.is_empty() {
                body.insert("fields".to_owned(), Value::Array(own));
            }
            bodies.push(Value::Object(body));
        }
        collections::create_all(&mut self.change, &bodies).await?;
        self.change.look_again().await?;
        for (key, state) in fields.iter().filter(|(key, _)| !inside(key)) {
            let (Some(then), Some((collection, field))) = (&state.then, key.split_once('.')) else {
                continue;
            };
            let body = Value::Object(then.clone());
            if state.now.is_none() {
                fields::create_one(&mut self.change, collection, &body).await?;
            } else {
                let mut body = json!({"schema": then.get("schema"), "meta": then.get("meta")});
                if let Some(members) = body.as_object_mut() {
                    members.retain(|_, value| !value.is_null());
                    members.insert("type".to_owned(), then.get("type").cloned().unwrap_or_default());
                }
                fields::update(&mut self.change, collection, field, &body).await?;
            }
            self.change.look_again().await?;
        }
        for (key, state) in self.of(COLLECTIONS) {
            if let (Some(_), Some(then)) = (&state.now, &state.then) {
                let body = json!({"meta": then.get("meta")});
                collections::update(&mut self.change, &key, &body, &collections::Groups::new()).await?;
            }
        }
        self.change.look_again().await?;
        Ok(())
    }

    /// Makes relations that are gone or changed.
    async fn point(&mut self) -> Result<(), Error> {
        for (_, state) in self.of(RELATIONS) {
            if let Some(then) = state.then {
                relations::create(&mut self.change, &Value::Object(then)).await?;
                self.change.look_again().await?;
            }
        }
        Ok(())
    }

    /// Removes fields and collections that were made.
    async fn drop_all(&mut self, conflicts: Conflicts) -> Result<Vec<Conflict>, Error> {
        let gone = |states: Vec<(String, State)>| {
            let gone = states
                .into_iter()
                .filter(|(_, state)| state.now.is_some() && state.then.is_none());
            gone.map(|(key, _)| key).collect::<Vec<_>>()
        };
        let (collections, fields) = (gone(self.of(COLLECTIONS)), gone(self.of(FIELDS)));
        let mut found = Vec::new();
        for key in &fields {
            let Some((collection, field)) = key.split_once('.') else {
                continue;
            };
            if collections.iter().any(|name| name == collection) {
                continue;
            }
            if let Some(what) = self.holds(collection, field).await? {
                found.push(self.conflict(FIELDS, key, what));
                if conflicts == Conflicts::Skip {
                    continue;
                }
            }
            self.drop_field(collection, field).await?;
        }
        for name in &collections {
            if let Some(what) = self.used(name, &fields).await? {
                found.push(self.conflict(COLLECTIONS, name, what));
                if conflicts == Conflicts::Skip {
                    continue;
                }
            }
            let base = self.change.schema.clone();
            if let Some(collection) = base.collection(name) {
                super::delete::remove(&mut self.change, &base, collection).await?;
                self.change.look_again().await?;
            }
        }
        Ok(found)
    }

    /// What a field that was made holds by now.
    async fn holds(&mut self, collection: &str, field: &str) -> Result<Option<String>, Error> {
        let schema = self.change.schema.clone();
        let Some(target) = schema.collection(collection) else {
            return Ok(None);
        };
        let Some((field, column)) = target
            .field(field)
            .and_then(|field| Some((field, field.column.as_ref()?)))
        else {
            return Ok(None);
        };
        let mut filter = Filter::field(field, Test::NotNull);
        match &column.default {
            Default::Value(value) => {
                filter = filter.and(Filter::field(field, Test::NotEqual(value.clone())));
            }
            Default::Now | Default::Expression(_) => return Ok(None),
            Default::None => {}
        }
        let held = self.change.any(target, filter).await?;
        Ok(held.then(|| format!("The field \"{collection}.{}\" holds values by now.", field.name)))
    }

    /// What speaks against removing a collection that was made.
    async fn used(&mut self, name: &str, fields: &[String]) -> Result<Option<String>, Error> {
        let schema = self.change.schema.clone();
        let Some(target) = schema.collection(name) else {
            return Ok(None);
        };
        let other = target
            .fields
            .keys()
            .find(|field| !fields.contains(&format!("{name}.{field}")));
        if let Some(other) = other {
            return Ok(Some(format!(
                "The collection \"{name}\" has another field since: \"{other}\"."
            )));
        }
        let pointing = schema.relations.iter().find(|relation| {
            relation.one_collection.as_deref() == Some(name) && relation.many_collection != name
        });
        if let Some(relation) = pointing {
            let by = format!("{}.{}", relation.many_collection, relation.many_field);
            return Ok(Some(format!(
                "\"{by}\" points to the collection \"{name}\" since."
            )));
        }
        let held = target.table.is_some() && self.change.any(target, Filter::All).await?;
        Ok(held.then(|| format!("The collection \"{name}\" has items that were made since.")))
    }

    /// What speaks against taking back the change that made something.
    fn conflict(&self, kind: &str, key: &str, what: String) -> Conflict {
        let made_by = self.made_by.get(&(kind.to_owned(), key.to_owned()));
        Conflict {
            change: made_by.cloned().unwrap_or_default(),
            collection: kind.to_owned(),
            item: key.to_owned(),
            fields: Vec::new(),
            what,
            now: None,
        }
    }

    async fn drop_field(&mut self, collection: &str, name: &str) -> Result<(), Error> {
        let schema = self.change.schema.clone();
        let identity = [("collection", collection), ("field", name)];
        self.change.delete(FIELDS, matching(FIELDS, &identity)?).await?;
        let field = schema
            .collection(collection)
            .and_then(|target| target.field(name));
        if field.is_some_and(|field| field.column.is_some()) {
            let step = SchemaStep::DropColumn {
                table: collection.to_owned(),
                column: name.to_owned(),
            };
            self.change.tables(vec![step]).await?;
        }
        self.change.look_again().await?;
        Ok(())
    }
}
