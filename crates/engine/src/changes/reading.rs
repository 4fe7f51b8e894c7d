//! What has changed, for those who may know.
//!
//! Administrators see every change. Others see their own, and of these the items and fields that they may read now.

use loggia_access::{Action, Caller, Grants, Permit};
use loggia_journal::tables::{ascending, column, plain, table, text, whole};
use loggia_model::error::INVALID_QUERY;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan, ReadPlan, Sort,
};
use loggia_model::{Filter, Problem, Record, Scalar, Schema};
use serde_json::{Value, json};

use super::images::{self, Happened};
use super::retention;
use super::seen::{self, Place, Seen};
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
    /// Whoever made them. It chooses nothing: whoever takes changes back without saying whose has to mean it.
    pub everybody: bool,
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
        let keys = changes.iter().map(|change| Scalar::from(text(change, "id")));
        let pruned = retention::found(&self.journal(images::read(retention::look(keys)?)).await?);
        let changes = changes
            .into_iter()
            .map(|mut change| {
                // What was on record of it is not any more.
                if pruned.contains(text(&change, "id")) {
                    change.insert("reversible".to_owned(), false.into());
                }
                shown(&schema, &grants, change)
            })
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
        let entries = rows
            .iter()
            .filter(|_| !grants.is_admin())
            .map(|row| (text(row, "collection"), text(row, "item")));
        let seen = Seen::of(self, &schema, &grants, entries).await?;
        let items = rows.into_iter().filter_map(|row| {
            let (entry, change) = (whole(row.get("id")), text(&row, "change").to_owned());
            let mut item = item(row)?;
            for part in [&mut item.before, &mut item.after].into_iter().flatten() {
                seen::mask(&schema, &item.collection, part, &mut item.secrets);
            }
            if grants.is_admin() {
                return Some(item);
            }
            narrowed(&seen, item, entry, &change)
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

/// What of an item's change is seen; `None`: nothing.
fn narrowed(seen: &Seen, mut item: ChangedItem, entry: i64, change: &str) -> Option<ChangedItem> {
    let fields = seen.fields(&item.collection, &item.item)?;
    let place = Place {
        entry,
        change,
        collection: &item.collection,
    };
    let (mut before, mut after) = (
        item.before.take().unwrap_or_default(),
        item.after.take().unwrap_or_default(),
    );
    seen.narrow(place, fields, &mut before, &mut after);
    item.secrets
        .retain(|name| before.contains_key(name) || after.contains_key(name));
    let told = !before.is_empty() || !after.is_empty();
    item.before = (item.action != Happened::Create.name()).then_some(before);
    item.after = (item.action != Happened::Delete.name()).then_some(after);
    told.then_some(item)
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
    Happened::parse(&action)?;
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
