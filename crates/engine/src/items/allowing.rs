//! What callers may write: values that permissions fill in, items on which a write is allowed, and what may be told of a
//! refusal.
//!
//! Whether a write is right is asked of the data as it is; only what is answered is narrowed to what the caller sees.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use loggia_access::{Action, Fields, Grants, Permit, decide, decide_created};
use loggia_model::filter::Test;
use loggia_model::plan::Plan;
use loggia_model::validation::Candidate;
use loggia_model::{Collection, Field, Filter, Link, Problem, Problems, Record, Scalar, Schema};
use loggia_store::Error as StoreError;
use serde_json::Value;

use super::draft::{Assigned, Draft, Intent};
use super::keys;
use super::payload::{invalid, json_inside};
use super::reading::counted;
use super::writer::Writer;
use super::{choices, judging};
use crate::Error;
use crate::changes::Recorder;
use crate::query::{Resolver, count, is_secret, plain_read};

/// Items of which one question asks at once.
const AT_ONCE: usize = 500;

/// Items on which a condition must hold, so that they may be written as they are to be.
pub(super) struct Demand {
    pub(super) collection: Arc<Collection>,
    pub(super) filter: Filter,
    /// Their keys, and what helps whoever names one in vain.
    pub(super) keys: Vec<(Scalar, Option<String>)>,
}

/// Whether a caller may know of a field whose value is filled in.
pub(super) fn reads(grants: &Grants, collection: &Collection, field: &Field) -> bool {
    grants.may_touch(Action::Read, collection, field)
}

/// The action that a draft is, once it is known whether its item exists.
pub(super) fn action(draft: &Draft) -> Action {
    match draft.intent {
        Intent::Create => Action::Create,
        Intent::Update | Intent::Either => Action::Update,
    }
}

/// Fills in what permissions preset and the caller did not send. `hashed`: secrets will still be hashed. Answers what
/// the receipt says of it.
pub(super) fn preset(
    on: &Resolver<'_>,
    draft: &mut Draft,
    action: Action,
    hashed: bool,
) -> (Vec<(String, Value)>, Problems) {
    let (mut filled, mut problems) = (Vec::new(), Problems::default());
    if draft.preset {
        return (filled, problems);
    }
    draft.preset = true;
    let collection = draft.collection.clone();
    for (name, value) in on.grants.presets(action, &collection) {
        let taken = draft.sent.contains_key(&name) || draft.filled_from_above.as_deref() == Some(&*name);
        let Some((field, column)) = collection
            .field(&name)
            .and_then(|field| Some((field, field.column.as_ref()?)))
        else {
            continue;
        };
        if taken || column.primary_key || column.generated || (is_secret(field) && !hashed) {
            continue;
        }
        let scalar = if value.is_null() {
            Ok(Scalar::Null)
        } else {
            field.ty.parse(&json_inside(field, &value), column)
        };
        let at = draft.at(&name);
        let scalar = match scalar {
            Ok(scalar) => scalar,
            Err(problem) => {
                let hint = "A permission of yours fills this in, and it does not fit: send a value of your own, or ask an administrator to correct the preset.";
                problems.push(invalid(problem.message).at(at).hint(hint));
                continue;
            }
        };
        let printed = field.ty.print(scalar.clone());
        let not_offered = choices::failures(field, &printed);
        if !not_offered.is_empty() {
            let hint = "A permission of yours fills this in: send a value of your own, or ask an administrator to correct the preset.";
            problems.0.extend(
                not_offered
                    .into_iter()
                    .map(|problem| problem.at(at.as_str()).hint(hint)),
            );
            continue;
        }
        if reads(on.grants, &collection, field) && !is_secret(field) {
            filled.push((at, printed));
        }
        let points_to = match on.schema.link(&collection.name, &name) {
            Some(Link::ToOne { target, .. }) => Some(target),
            _ => None,
        };
        let assigned = Assigned {
            field: field.clone(),
            scalar,
            path: String::new(),
            points_to,
        };
        draft.values.insert(name.clone(), assigned);
        draft.sent.insert(name, value);
    }
    (filled, problems)
}

/// The items on which a change of one column alone is allowed: how items are put on lists and taken off. `key`: what it
/// will hold, if that is known.
pub(super) fn pointing_allowed(
    schema: &Schema,
    grants: &Grants,
    collection: &Collection,
    column: &Field,
    key: Option<&Value>,
) -> Result<Filter, Problems> {
    let item = judging::link(schema, grants, collection, column, key);
    let given = BTreeSet::from([column.name.clone()]);
    grants.check_item(Action::Update, collection, &item, &given)
}

/// The items that may be deleted.
pub(super) fn deletable(grants: &Grants, collection: &Collection) -> Result<Filter, Problems> {
    grants.check_item(
        Action::Delete,
        collection,
        &Candidate::default(),
        &BTreeSet::new(),
    )
}

/// Some values of an item as they are stored; none where it is not there.
pub(super) async fn stored_values(
    tx: &mut Recorder,
    collection: &Arc<Collection>,
    key: &Scalar,
    fields: &[Arc<Field>],
) -> Result<Record, Error> {
    let primary = keys::primary(collection)?;
    let filter = keys::among(primary, vec![key.clone()]);
    let plan = Plan::Read(plain_read(collection, fields, filter));
    let reason = "rules are asked of what is stored, whoever writes it";
    let rows = tx.run(Permit::system(reason, plan)).await?.into_rows();
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// Of these items, the keys (as text) of those on which a condition holds.
pub(super) async fn among_them(
    tx: &mut Recorder,
    collection: &Arc<Collection>,
    wanted: Vec<Scalar>,
    filter: Filter,
) -> Result<HashSet<String>, Error> {
    let primary = keys::primary(collection)?;
    let filter = keys::among(primary, wanted).and(filter);
    let plan = Plan::Read(plain_read(collection, std::slice::from_ref(primary), filter));
    let reason = "which items a write may touch is decided on the data as it is";
    let rows = tx.run(Permit::system(reason, plan)).await?.into_rows();
    Ok(texts(rows, &primary.name))
}

/// Of these items, the keys (as text) of those that the caller sees.
pub(crate) async fn seen_among_them(
    tx: &mut Recorder,
    grants: &Grants,
    collection: &Arc<Collection>,
    wanted: Vec<Scalar>,
) -> Result<HashSet<String>, Error> {
    if !grants.may(Action::Read, collection) {
        return Ok(HashSet::new());
    }
    let primary = keys::primary(collection)?;
    let plan = Plan::Read(plain_read(
        collection,
        std::slice::from_ref(primary),
        keys::among(primary, wanted),
    ));
    let rows = tx.run(decide(grants, plan)?).await?.into_rows();
    Ok(texts(rows, &primary.name))
}

fn texts(rows: Vec<Record>, name: &str) -> HashSet<String> {
    let texts = rows
        .into_iter()
        .filter_map(|mut row| match row.shift_remove(name)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        });
    texts.collect()
}

/// The items of a demand on which it does not hold.
pub(super) async fn unmet(tx: &mut Recorder, demand: Demand) -> Result<Vec<(Scalar, Option<String>)>, Error> {
    let primary = keys::primary(&demand.collection)?.clone();
    let wanted = demand.keys.iter().map(|(key, _)| key.clone()).collect();
    let found = among_them(tx, &demand.collection, wanted, demand.filter).await?;
    let unmet = demand.keys.into_iter();
    Ok(unmet
        .filter(|(key, _)| !found.contains(&keys::text(&primary, key)))
        .collect())
}

impl Writer<'_> {
    /// Notes an item that was made, and what must hold of it once the request is done.
    pub(super) fn note_created(&mut self, draft: &Draft, key: &Scalar, made_if: Filter) {
        if !self.grants.is_admin() {
            let made = (key.clone(), made_if);
            let name = draft.collection.name.clone();
            let entry = self.made.entry(name);
            entry
                .or_insert_with(|| (draft.collection.clone(), Vec::new()))
                .1
                .push(made);
        }
    }

    /// Whether the items that were made are such as the caller may make.
    ///
    /// # Errors
    /// The one answer for everything that is denied; the transaction must not be committed then.
    pub(super) async fn made_rightly(&mut self) -> Result<(), Error> {
        for (collection, made) in std::mem::take(&mut self.made).into_values() {
            let primary = keys::primary(&collection)?.clone();
            for some in made.chunks(AT_ONCE) {
                let plain = some.iter().all(|(_, filter)| matches!(filter, Filter::All));
                let wanted = if plain {
                    keys::among(&primary, some.iter().map(|(key, _)| key.clone()).collect())
                } else {
                    let each = some
                        .iter()
                        .map(|(key, filter)| keys::among(&primary, vec![key.clone()]).and(filter.clone()));
                    Filter::or_all(each.collect())
                };
                let Some(permit) = decide_created(self.grants, &collection, wanted)? else {
                    if plain {
                        continue;
                    }
                    return Err(Problem::forbidden().into());
                };
                let found = texts(self.tx.run(permit).await?.into_rows(), &primary.name);
                if some
                    .iter()
                    .any(|(key, _)| !found.contains(&keys::text(&primary, key)))
                {
                    return Err(Problem::forbidden().into());
                }
            }
        }
        Ok(())
    }

    /// Whether a plan of the caller touched all that it should; where permissions left something out, nothing is kept.
    pub(crate) fn all_touched(
        &self,
        collection: &Collection,
        wanted: &[Scalar],
        touched: &[Scalar],
    ) -> Result<(), Error> {
        if self.grants.is_admin() || touched.len() >= wanted.len() {
            return Ok(());
        }
        let primary = keys::primary(collection)?;
        let missing: Vec<_> = wanted
            .iter()
            .filter(|key| !touched.contains(key))
            .map(|key| keys::text(primary, key))
            .collect();
        Err(keys::missing(self.grants, collection, &missing).into())
    }

    /// What the caller may be told of a refusal of the database: nothing that they cannot read. `going`: the items that
    /// were to be deleted.
    ///
    /// # Errors
    /// The one answer for everything that is denied, where nothing may be told.
    pub(crate) async fn tellable(
        &mut self,
        error: StoreError,
        going: &[Scalar],
    ) -> Result<StoreError, Error> {
        if self.grants.is_admin() {
            return Ok(error);
        }
        let told = match &error {
            StoreError::Unique {
                table,
                columns,
                value: Some(value),
                ..
            } if columns.len() == 1 => self.sees_value(table, &columns[0], value).await?,
            StoreError::Unique { .. } | StoreError::ForeignKey { .. } => false,
            StoreError::PointsNowhere {
                table,
                column,
                foreign_table,
                ..
            } => self.knows(table, Some(column)) && self.knows(foreign_table, None),
            StoreError::NotNull { table, column, .. } => self.knows(table, Some(column)),
            StoreError::Check { table, .. } => self.knows_all(table),
            StoreError::StillPointedTo {
                table,
                by_table,
                by_column,
                ..
            } => {
                let rows = self.seen_pointing(by_table, by_column, going).await?;
                let narrowed = StoreError::StillPointedTo {
                    table: table.clone(),
                    by_table: by_table.clone(),
                    by_column: by_column.clone(),
                    rows,
                };
                return if rows > 0 {
                    Ok(narrowed)
                } else {
                    Err(Problem::forbidden().into())
                };
            }
            _ => true,
        };
        if told {
            Ok(error)
        } else {
            Err(Problem::forbidden().into())
        }
    }

    /// Whether the caller may read a collection, and a field of it.
    fn knows(&self, collection: &str, field: Option<&str>) -> bool {
        self.schema
            .collection(collection)
            .is_some_and(|collection| match field {
                None => self.grants.may(Action::Read, collection),
                Some(field) => collection
                    .field(field)
                    .is_some_and(|field| reads(self.grants, collection, field)),
            })
    }

    fn knows_all(&self, collection: &str) -> bool {
        let collection = self.schema.collection(collection);
        collection.is_some_and(|collection| self.grants.fields(Action::Read, collection) == Fields::All)
    }

    /// Whether the caller sees an item with this value.
    async fn sees_value(&mut self, table: &str, column: &str, value: &Value) -> Result<bool, Error> {
        let Some(collection) = self.schema.collection(table).cloned() else {
            return Ok(false);
        };
        let Some(field) = collection
            .field(column)
            .filter(|_| self.knows(table, Some(column)))
        else {
            return Ok(false);
        };
        let Some(scalar) = field
            .column
            .as_ref()
            .and_then(|column| field.ty.parse(value, column).ok())
        else {
            return Ok(false);
        };
        let filter = Filter::field(field, Test::Equal(scalar));
        Ok(self.seen(&collection, filter).await? > 0)
    }

    /// How many items the caller sees that point to one of these.
    async fn seen_pointing(&mut self, table: &str, column: &str, to: &[Scalar]) -> Result<u64, Error> {
        let Some(collection) = self.schema.collection(table).cloned() else {
            return Ok(0);
        };
        match collection
            .field(column)
            .filter(|_| self.knows(table, Some(column)))
        {
            Some(field) => {
                let filter = Filter::field(field, Test::In(to.to_vec()));
                self.seen(&collection, filter).await
            }
            None => Ok(0),
        }
    }

    async fn seen(&mut self, collection: &Arc<Collection>, filter: Filter) -> Result<u64, Error> {
        match decide(self.grants, count(collection, filter)) {
            Ok(permit) => Ok(counted(self.tx.run(permit).await?)),
            Err(_) => Ok(0),
        }
    }
}
