//! What has changed, for those who may know.
//!
//! Administrators see every change. Others see their own, and of these the items and fields that they may read now.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Action, Caller, Grants, Permit, decide};
use loggia_journal::tables::{ascending, column, plain, table, text, whole};
use loggia_model::error::INVALID_QUERY;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan, ReadPlan, Selected, Sort, Source,
};
use loggia_model::{Collection, Field, Filter, Problem, Record, Scalar, Schema};
use loggia_store::Outcome;
use serde_json::{Value, json};

use super::images;
use crate::query::plain_read;
use crate::{Engine, Error};

/// Changes in one answer when it is not said how many, and at most.
const PAGE: u64 = 50;
const LARGEST_PAGE: u64 = 500;
/// Changes of one collection or item that are looked through for one page.
const LOOKED_THROUGH: u64 = 5_000;

/// The columns of `loggia_changes` that only administrators see: they are there to verify all changes together.
const HASHES: [&str; 3] = ["content_hash", "previous_hash", "hash"];

/// Which changes are meant; everything that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct ChangeFilter {
    /// Their keys.
    pub ids: Vec<String>,
    /// The key of the user who made them.
    pub user: Option<String>,
    /// The key of the access token that they were made with.
    pub token: Option<String>,
    /// A collection that they changed items of.
    pub collection: Option<String>,
    /// The key of an item of that collection.
    pub item: Option<String>,
    /// `rest`, `mcp`, `cli`, …
    pub origin: Option<String>,
    /// The tool that an assistant called.
    pub tool: Option<String>,
    /// What the client called itself.
    pub client: Option<String>,
    /// The key of the request in the log.
    pub request: Option<String>,
    /// Not before.
    pub since: Option<jiff::Timestamp>,
    /// Before.
    pub until: Option<jiff::Timestamp>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Where an earlier page ended ([`ChangePage::next`]).
    pub cursor: Option<i64>,
}

/// Changes, the last first.
#[derive(Clone, Debug, Default)]
pub struct ChangePage {
    /// The changes: what is recorded of who, when and through what; how many items, by collection.
    pub changes: Vec<Record>,
    /// Where the next page begins; `None`: there is no more.
    pub next: Option<i64>,
}

/// What a change did to one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedItem {
    /// Of which collection. What collections, fields and relations are like is under `directus_collections`,
    /// `directus_fields` and `directus_relations`.
    pub collection: String,
    /// Its key, as text.
    pub item: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// The number of the item's revision, which `_rev` showed after the change.
    pub revision: i64,
    /// What the fields that changed held before; `None`: it was not there.
    pub before: Option<Record>,
    /// What they hold after; `None`: it is gone.
    pub after: Option<Record>,
    /// Fields that changed and whose values are not kept, because they are secrets.
    pub secrets: Vec<String>,
}

/// A part of what a change did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeDiff {
    /// The items, in the order in which they were first written.
    pub items: Vec<ChangedItem>,
    /// Where the next part begins; `None`: there is no more.
    pub next: Option<i64>,
}

impl Engine {
    /// The changes that the caller may know of, the last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_changes(&self, caller: &Caller, wanted: &ChangeFilter) -> Result<ChangePage, Error> {
        let (schema, grants) = (self.schema(), self.grants(caller).await?);
        let Some(filter) = self
            .wanted(&schema, &grants, wanted, Some(LOOKED_THROUGH))
            .await?
        else {
            return Ok(ChangePage::default());
        };
        let limit = wanted.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        let name = "loggia_changes";
        let plan = ReadPlan {
            filter,
            sort: vec![Sort {
                operand: Operand::Field(column(name, "number")?),
                descending: true,
            }],
            limit: Some(limit + 1),
            ..plain(name)?
        };
        let mut changes = self.journal(images::read(plan)).await?;
        let more = changes.len() as u64 > limit;
        changes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = changes.last().filter(|_| more);
        let next = next.map(|change| whole(change.get("number")));
        let changes = changes
            .into_iter()
            .map(|change| shown(&schema, &grants, change))
            .collect();
        Ok(ChangePage { changes, next })
    }

    /// One change.
    ///
    /// # Errors
    /// The one answer for what does not exist and what the caller may not know of.
    pub async fn read_change(&self, caller: &Caller, id: &str) -> Result<Record, Error> {
        let wanted = ChangeFilter {
            ids: vec![id.to_owned()],
            ..ChangeFilter::default()
        };
        let page = self.list_changes(caller, &wanted).await?;
        let change = page.changes.into_iter().next();
        change.ok_or_else(|| Problem::forbidden().into())
    }

    /// What a change did, item by item: at most `limit` of them, from `cursor` on ([`ChangeDiff::next`]).
    ///
    /// # Errors
    /// As [`Engine::read_change`].
    pub async fn change_diff(
        &self,
        caller: &Caller,
        id: &str,
        limit: Option<u64>,
        cursor: Option<i64>,
    ) -> Result<ChangeDiff, Error> {
        self.read_change(caller, id).await?;
        let (schema, grants) = (self.schema(), self.grants(caller).await?);
        let limit = limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        let name = "directus_revisions";
        let after = Scalar::Int(cursor.unwrap_or(0));
        let plan = ReadPlan {
            filter: Filter::field(&column(name, "change")?, Test::Equal(Scalar::from(id)))
                .and(Filter::field(&column(name, "id")?, Test::Greater(after))),
            sort: ascending(name, "id")?,
            limit: Some(limit + 1),
            ..plain(name)?
        };
        let mut rows = self.journal(images::read(plan)).await?;
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = rows.last().filter(|_| more).map(|row| whole(row.get("id")));
        let mut seen = Seen::default();
        if !grants.is_admin() {
            let mut keys: IndexMap<&str, Vec<&str>> = IndexMap::new();
            for row in &rows {
                keys.entry(text(row, "collection"))
                    .or_default()
                    .push(text(row, "item"));
            }
            for (collection, keys) in keys {
                seen.look(self, &schema, &grants, collection, &keys).await?;
            }
        }
        let items = rows.into_iter().filter_map(|row| {
            let item = item(row)?;
            if grants.is_admin() {
                Some(item)
            } else {
                seen.narrowed(item)
            }
        });
        Ok(ChangeDiff {
            items: items.collect(),
            next,
        })
    }

    /// Reads of the journal.
    async fn journal(&self, permit: Permit<Plan>) -> Result<Vec<Record>, Error> {
        Ok(self.parts().store.run(permit).await?.into_rows())
    }

    /// The condition on changes; `None`: there can be none. Of those of one collection, the last `most` are looked at.
    pub(super) async fn wanted(
        &self,
        schema: &Schema,
        grants: &Grants,
        wanted: &ChangeFilter,
        most: Option<u64>,
    ) -> Result<Option<Filter>, Error> {
        if wanted.item.is_some() && wanted.collection.is_none() {
            let problem = Problem::new(&INVALID_QUERY, "An item is named without its collection.");
            return Err(problem.at("item").hint("Name its `collection` as well.").into());
        }
        let Some(mut filter) = chosen(grants, wanted)? else {
            return Ok(None);
        };
        let name = "loggia_changes";
        if let Some(cursor) = wanted.cursor {
            let before = Test::Less(Scalar::Int(cursor));
            filter = filter.and(Filter::field(&column(name, "number")?, before));
        }
        if let Some(collection) = &wanted.collection {
            let known = schema.collection(collection);
            if !grants.is_admin() && !known.is_some_and(|known| grants.may(Action::Read, known)) {
                return Ok(None);
            }
            let keys = self.of_collection(collection, wanted, most).await?;
            filter = filter.and(Filter::field(&column(name, "id")?, Test::In(keys)));
        }
        Ok(Some(filter))
    }

    /// The last changes of a collection or an item.
    async fn of_collection(
        &self,
        collection: &str,
        wanted: &ChangeFilter,
        most: Option<u64>,
    ) -> Result<Vec<Scalar>, Error> {
        let name = "directus_activity";
        let mut filter = Filter::field(
            &column(name, "collection")?,
            Test::Equal(Scalar::from(collection)),
        )
        .and(Filter::field(&column(name, "change")?, Test::NotNull));
        if let Some(item) = &wanted.item {
            filter = filter.and(Filter::field(
                &column(name, "item")?,
                Test::Equal(Scalar::from(item.as_str())),
            ));
        }
        if let Some(cursor) = wanted.cursor {
            let number = column("loggia_changes", "number")?;
            let plan = ReadPlan {
                filter: Filter::field(&number, Test::Equal(Scalar::Int(cursor))),
                ..plain("loggia_changes")?
            };
            if let Some(change) = self.journal(images::read(plan)).await?.first() {
                let until = Test::LessOrEqual(Scalar::from(text(change, "timestamp")));
                filter = filter.and(Filter::field(&column(name, "timestamp")?, until));
            }
        }
        let change = column(name, "change")?;
        let plan = AggregatePlan {
            collection: table(name)?.clone(),
            filter,
            group_by: vec![Group {
                alias: "change".to_owned(),
                operand: Operand::Field(change),
            }],
            figures: vec![Figure {
                when: None,
                function: Aggregate::Max,
                field: Some(column(name, "id")?),
            }],
            sort: vec![FigureSort {
                key: FigureKey::Figure(0),
                descending: true,
            }],
            limit: most,
            offset: 0,
        };
        let rows = self.journal(images::allowed(Plan::Aggregate(plan))).await?;
        Ok(rows.iter().map(|row| Scalar::from(text(row, "change"))).collect())
    }
}

/// The condition that names, times and the caller's place make; `None`: the caller can have made no change.
fn chosen(grants: &Grants, wanted: &ChangeFilter) -> Result<Option<Filter>, Problem> {
    let name = "loggia_changes";
    let mut filter = Filter::All;
    let mut and = |field: &str, test: Test| -> Result<(), Problem> {
        let before = std::mem::replace(&mut filter, Filter::All);
        filter = before.and(Filter::field(&column(name, field)?, test));
        Ok(())
    };
    let equal = |text: &String| Test::Equal(Scalar::from(text.as_str()));
    if !grants.is_admin() {
        let Some(user) = grants.caller().user() else {
            return Ok(None);
        };
        and("user", Test::Equal(Scalar::from(user)))?;
        // A token that may less than its owner is not shown what the owner did by other ways.
        let claims = grants.caller().claims();
        if let Some(token) = claims.token.as_ref().filter(|_| claims.layers.len() > 1) {
            and("token", Test::Equal(Scalar::from(token.id.as_str())))?;
        }
    }
    if !wanted.ids.is_empty() {
        let ids = wanted.ids.iter().map(|id| Scalar::from(id.to_lowercase()));
        and("id", Test::In(ids.collect()))?;
    }
    for (field, value) in [
        ("user", &wanted.user),
        ("token", &wanted.token),
        ("origin", &wanted.origin),
        ("tool", &wanted.tool),
        ("client_name", &wanted.client),
        ("request_id", &wanted.request),
    ] {
        if let Some(value) = value {
            and(field, equal(value))?;
        }
    }
    let moment = |moment| Scalar::from(loggia_model::field_types::calendar::timestamp(moment));
    if let Some(since) = wanted.since {
        and("timestamp", Test::GreaterOrEqual(moment(since)))?;
    }
    if let Some(until) = wanted.until {
        and("timestamp", Test::Less(moment(until)))?;
    }
    Ok(Some(filter))
}

/// A change as the caller may see it: of collections that may not be read, it says nothing.
fn shown(schema: &Schema, grants: &Grants, mut change: Record) -> Record {
    if grants.is_admin() {
        return change;
    }
    for name in HASHES {
        change.shift_remove(name);
    }
    let readable = |name: &str| {
        let collection = schema.collection(name);
        collection.is_some_and(|collection| grants.may(Action::Read, collection))
    };
    let mut rows = 0;
    if let Some(Value::Object(counts)) = change.get_mut("counts") {
        counts.retain(|name, _| readable(name));
        let counted = counts.values().filter_map(Value::as_object);
        rows = counted
            .flat_map(|counted| counted.values())
            .filter_map(Value::as_u64)
            .sum();
    }
    change.insert("rows".to_owned(), json!(rows));
    change
}

/// What a revision says; `None` for one that is none of ours.
fn item(mut row: Record) -> Option<ChangedItem> {
    let action = text(&row, "action").to_owned();
    let mut part = |name: &str| match row.get_mut(name).map(Value::take) {
        Some(Value::Object(part)) => Some(part),
        _ => None,
    };
    let (before, after) = (part("before"), part("delta"));
    let secrets = row.get("secrets").and_then(Value::as_array);
    let secrets = secrets.map(|names| {
        let names = names.iter().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    });
    images::Happened::parse(&action)?;
    Some(ChangedItem {
        collection: text(&row, "collection").to_owned(),
        item: text(&row, "item").to_owned(),
        action,
        revision: whole(row.get("number")),
        before,
        after,
        secrets: secrets.unwrap_or_default(),
    })
}

/// Which fields of which items a caller sees now.
#[derive(Default)]
pub(super) struct Seen {
    /// By collection and key; items that are there and are seen.
    items: HashMap<(String, String), HashSet<String>>,
    /// By collection: keys of items that are there, seen or not.
    there: HashSet<(String, String)>,
    /// By collection: fields that are seen on every item, whatever it holds.
    always: HashMap<String, HashSet<String>>,
}

impl Seen {
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
        let fields: Vec<Arc<Field>> = collection
            .fields
            .values()
            .filter(|field| !field.is_alias() && grants.may_touch(Action::Read, collection, field))
            .cloned()
            .collect();
        let these = Filter::field(primary, Test::In(scalars));
        let plan = plain_read(collection, &fields, Filter::All);
        let Plan::Read(decided) = decide(grants, Plan::Read(plan))?.into_plan() else {
            return Ok(());
        };
        let always = grants.everywhere(Action::Read, collection);
        let always = decided
            .select
            .iter()
            .filter(|member| always && member.when.is_none());
        self.always.insert(
            name.to_owned(),
            always.map(|member| member.alias.clone()).collect(),
        );
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
        let plans = vec![images::read(seen), images::read(there)];
        let mut outcomes = engine.parts().store.run_all(plans).await?.into_iter();
        for mut row in outcomes.next().map(Outcome::into_rows).unwrap_or_default() {
            let key = row
                .shift_remove(KEY)
                .as_ref()
                .map(images::text)
                .unwrap_or_default();
            let fields = row.into_iter().filter(|(_, value)| !value.is_null());
            self.items
                .insert((name.to_owned(), key), fields.map(|(field, _)| field).collect());
        }
        for row in outcomes.next().map(Outcome::into_rows).unwrap_or_default() {
            let key = row.get(&primary.name).map(images::text).unwrap_or_default();
            self.there.insert((name.to_owned(), key));
        }
        Ok(())
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

    /// What of an item's change is seen; `None`: nothing.
    fn narrowed(&self, mut item: ChangedItem) -> Option<ChangedItem> {
        let fields = self.fields(&item.collection, &item.item)?;
        for part in [&mut item.before, &mut item.after].into_iter().flatten() {
            part.retain(|name, _| fields.contains(name));
        }
        item.secrets.retain(|name| fields.contains(name));
        let told = [&item.before, &item.after]
            .into_iter()
            .flatten()
            .any(|part| !part.is_empty());
        told.then_some(item)
    }
}

/// Under this name the key of a row travels.
const KEY: &str = "$key";

fn readable<'s>(
    schema: &'s Schema,
    grants: &Grants,
    name: &str,
) -> Option<(&'s Arc<Collection>, &'s Arc<Field>)> {
    let collection = schema.collection(name)?;
    let readable = collection.table.is_some() && grants.may(Action::Read, collection);
    Some((collection, collection.primary.as_ref()?)).filter(|_| readable)
}
