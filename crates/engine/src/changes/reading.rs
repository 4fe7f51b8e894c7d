//! What has changed, for those who may know.
//!
//! Administrators see every change. Others see their own, and of these the items and fields that they may read now.

use loggia_access::{Action, Caller, Grants, Permit};
use loggia_journal::tables::{column, equal, plain, table, text, whole};
use loggia_model::error::INVALID_QUERY;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{
    Aggregate, AggregatePlan, Figure, FigureKey, FigureSort, Group, Plan, ReadPlan, Sort,
};
use loggia_model::{Filter, Problem, Record, Scalar, Schema};
use serde_json::{Value, json};

use super::diff::foreign_cursor;
use super::{images, retention};
use crate::{Engine, Error};

/// Changes in one answer when it is not said how many, and at most.
pub(super) const PAGE: u64 = 50;
pub(super) const LARGEST_PAGE: u64 = 500;
/// Changes of one collection or item that are looked through for one page.
const LOOKED_THROUGH: u64 = 5_000;

/// The columns of `loggia_changes` that only administrators see: they are there to verify all changes together, or tell
/// what else happened.
const OF_ALL: [&str; 5] = ["number", "written", "content_hash", "previous_hash", "hash"];

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
    /// Where an earlier page ended ([`ChangePage::next`]): the key of its last change.
    pub cursor: Option<String>,
}

/// Changes, the last first.
#[derive(Clone, Debug, Default)]
pub struct ChangePage {
    /// The changes: what is recorded of who, when and through what; how many items, by collection.
    pub changes: Vec<Record>,
    /// Where the next page begins; `None`: there is no more.
    pub next: Option<String>,
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
        let next = next.map(|change| text(change, "id").to_owned());
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

    /// Reads of the journal.
    pub(super) async fn journal(&self, permit: Permit<Plan>) -> Result<Vec<Record>, Error> {
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
        let last = match &wanted.cursor {
            Some(cursor) => Some(self.last_listed(grants, cursor).await?),
            None => None,
        };
        if let Some(last) = &last {
            let before = Test::Less(Scalar::Int(whole(last.get("number"))));
            filter = filter.and(Filter::field(&column(name, "number")?, before));
        }
        let Some(collection) = &wanted.collection else {
            return Ok(Some(filter));
        };
        let known = schema.collection(collection);
        if !grants.is_admin() && !known.is_some_and(|known| grants.may(Action::Read, known)) {
            return Ok(None);
        }
        let mut keys = self
            .of_collection(grants, collection, wanted, last.as_ref(), most)
            .await?;
        if !known.is_none_or(|known| grants.reads_whole(known)) {
            match &wanted.item {
                Some(item) => keys = self.seen_in(schema, grants, (collection, item), keys).await?,
                None => filter = filter.and(written(collection)?),
            }
        }
        filter = filter.and(Filter::field(&column(name, "id")?, Test::In(keys)));
        Ok(Some(filter))
    }

    /// The change that a page ended with.
    ///
    /// # Errors
    /// That there is none that the caller may know of.
    async fn last_listed(&self, grants: &Grants, cursor: &str) -> Result<Record, Error> {
        let wanted = ChangeFilter {
            ids: vec![cursor.to_owned()],
            ..ChangeFilter::default()
        };
        let Some(filter) = chosen(grants, &wanted)? else {
            return Err(foreign_cursor().into());
        };
        let plan = ReadPlan {
            filter,
            ..plain("loggia_changes")?
        };
        let found = self.journal(images::read(plan)).await?.into_iter().next();
        Ok(found.ok_or_else(foreign_cursor)?)
    }

    /// Those of some changes in which the caller sees something of what happened to an item.
    async fn seen_in(
        &self,
        schema: &Schema,
        grants: &Grants,
        (collection, item): (&str, &str),
        changes: Vec<Scalar>,
    ) -> Result<Vec<Scalar>, Error> {
        let name = "directus_revisions";
        let plan = ReadPlan {
            filter: equal(name, "collection", collection)?
                .and(equal(name, "item", item)?)
                .and(Filter::field(&column(name, "change")?, Test::In(changes))),
            ..plain(name)?
        };
        let rows = self.journal(images::read(plan)).await?;
        let of: Vec<_> = rows.iter().map(|row| Scalar::from(text(row, "change"))).collect();
        let seen = self.seen_of(schema, grants, rows).await?;
        let seen = std::iter::zip(of, seen).filter(|(_, seen)| seen.is_some());
        Ok(seen.map(|(change, _)| change).collect())
    }

    /// The last changes of a collection or an item.
    async fn of_collection(
        &self,
        grants: &Grants,
        collection: &str,
        wanted: &ChangeFilter,
        last: Option<&Record>,
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
        // What others did takes nothing away from what is looked through.
        if let Some(user) = grants.caller().user().filter(|_| !grants.is_admin()) {
            let own = Test::Equal(Scalar::from(user));
            filter = filter.and(Filter::field(&column(name, "user")?, own));
        }
        if let Some(last) = last {
            let until = Test::LessOrEqual(Scalar::from(text(last, "timestamp")));
            filter = filter.and(Filter::field(&column(name, "timestamp")?, until));
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

/// The condition that a change wrote items of a collection itself.
fn written(collection: &str) -> Result<Filter, Problem> {
    let name = "loggia_changes";
    let counted = |field: &str| -> Result<Filter, Problem> {
        Ok(Filter::Test {
            operand: Operand::JsonPath {
                field: column(name, field)?,
                path: vec![collection.to_owned()],
            },
            test: Test::NotNull,
        })
    };
    let all = Filter::field(&column(name, "written")?, Test::Null).and(counted("counts")?);
    Ok(Filter::Or(vec![counted("written")?, all]))
}

/// A change as the caller may see it: of collections that may not be read, it says nothing.
fn shown(schema: &Schema, grants: &Grants, mut change: Record) -> Record {
    if grants.is_admin() {
        return change;
    }
    let written = change.get("written").and_then(Value::as_object).cloned();
    for name in OF_ALL {
        change.shift_remove(name);
    }
    let readable = |name: &str| {
        let collection = schema.collection(name);
        collection.filter(|collection| grants.may(Action::Read, collection))
    };
    let mut rows = 0;
    if let Some(Value::Object(counts)) = change.get_mut("counts") {
        counts.retain(|name, counted| {
            let Some(collection) = readable(name) else {
                return false;
            };
            // What the database did on its own may have met items that are hidden.
            let Some(written) = written.as_ref().filter(|_| !grants.reads_whole(collection)) else {
                return true;
            };
            *counted = written.get(name).cloned().unwrap_or_default();
            !counted.is_null()
        });
        let counted = counts.values().filter_map(Value::as_object);
        rows = counted
            .flat_map(|counted| counted.values())
            .filter_map(Value::as_u64)
            .sum();
    }
    change.insert("rows".to_owned(), json!(rows));
    change
}
