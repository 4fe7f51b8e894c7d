//! What one change did, item by item, for those who may know.

use loggia_access::{Caller, Grants};
use loggia_journal::tables::{ascending, column, equal, plain, text, whole};
use loggia_model::error::INVALID_QUERY;
use loggia_model::filter::Test;
use loggia_model::plan::ReadPlan;
use loggia_model::{Filter, Problem, Record, Scalar, Schema};
use serde_json::Value;

use super::images::{self, Happened};
use super::reading::{LARGEST_PAGE, PAGE};
use super::seen::{self, Place, Seen};
use crate::{Engine, Error};

const NAME: &str = "directus_revisions";

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
    /// The number of the item's revision, which counts all that happened to it: for administrators.
    pub revision: Option<i64>,
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
    pub next: Option<String>,
}

impl Engine {
    /// What a change did, item by item: at most `limit` of them, from `cursor` on ([`ChangeDiff::next`]).
    ///
    /// # Errors
    /// As [`Engine::read_change`]; and a cursor that is none of this change.
    pub async fn change_diff(
        &self,
        caller: &Caller,
        id: &str,
        limit: Option<u64>,
        cursor: Option<&str>,
    ) -> Result<ChangeDiff, Error> {
        self.read_change(caller, id).await?;
        let (schema, grants) = (self.schema(), self.grants(caller).await?);
        let limit = limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let of = Filter::field(&column(NAME, "change")?, Test::Equal(Scalar::from(id)));
        let mut after = match cursor {
            Some(cursor) => self.last_shown(&schema, &grants, &of, cursor).await?,
            None => 0,
        };
        let mut items = Vec::new();
        // What is not seen leaves no gap: a page is filled with what is.
        loop {
            let rows = ReadPlan {
                filter: of.clone().and(Filter::field(
                    &column(NAME, "id")?,
                    Test::Greater(Scalar::Int(after)),
                )),
                sort: ascending(NAME, "id")?,
                limit: Some(limit + 1),
                ..plain(NAME)?
            };
            let rows = self.journal(images::read(rows)).await?;
            after = rows.last().map_or(after, |row| whole(row.get("id")));
            let more = rows.len() > most;
            let seen = self.seen_of(&schema, &grants, rows).await?;
            items.extend(seen.into_iter().flatten());
            if items.len() > most || !more {
                break;
            }
        }
        let more = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| more);
        let next = next.map(|last| format!("{}/{}", last.collection, last.item));
        Ok(ChangeDiff { items, next })
    }

    /// What the caller sees of each of these rows of the record.
    pub(super) async fn seen_of(
        &self,
        schema: &Schema,
        grants: &Grants,
        rows: Vec<Record>,
    ) -> Result<Vec<Option<ChangedItem>>, Error> {
        let entries = rows
            .iter()
            .filter(|_| !grants.is_admin())
            .map(|row| (text(row, "collection"), text(row, "item")));
        let seen = Seen::of(self, schema, grants, entries).await?;
        let items = rows.into_iter().map(|row| {
            let (entry, change) = (whole(row.get("id")), text(&row, "change").to_owned());
            let mut item = item(row)?;
            for part in [&mut item.before, &mut item.after].into_iter().flatten() {
                seen::mask(schema, &item.collection, part, &mut item.secrets);
            }
            if grants.is_admin() {
                return Some(item);
            }
            narrowed(&seen, item, entry, &change)
        });
        Ok(items.collect())
    }

    /// The key of the row that a page ended with.
    ///
    /// # Errors
    /// That there is none, or none that is seen.
    async fn last_shown(
        &self,
        schema: &Schema,
        grants: &Grants,
        of: &Filter,
        cursor: &str,
    ) -> Result<i64, Error> {
        let (collection, key) = cursor.split_once('/').unwrap_or_default();
        let plan = ReadPlan {
            filter: of
                .clone()
                .and(equal(NAME, "collection", collection)?)
                .and(equal(NAME, "item", key)?),
            limit: Some(1),
            ..plain(NAME)?
        };
        let rows = self.journal(images::read(plan)).await?;
        let id = rows.first().map(|row| whole(row.get("id")));
        let shown = self.seen_of(schema, grants, rows).await?;
        let id = id.filter(|_| shown.iter().any(Option::is_some));
        Ok(id.ok_or_else(foreign_cursor)?)
    }
}

/// A cursor that does not belong to the list it is used with.
pub(super) fn foreign_cursor() -> Problem {
    Problem::new(&INVALID_QUERY, "This cursor does not belong to this list.")
        .at("cursor")
        .hint("Take the one of `meta.next`, with the same filters; or begin again without one.")
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
    item.revision = None;
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
        revision: Some(whole(row.get("number"))),
        before,
        after,
        secrets: secrets.unwrap_or_default(),
    })
}
