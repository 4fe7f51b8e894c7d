//! The row that says that a copy is not finished, and what a source is known by.

use std::sync::Arc;

use loggia_access::Permit;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{DeletePlan, Plan, ReadPlan, Selected, Sort, Source};
use loggia_model::{Collection, Filter, Record, Scalar, system};
use serde_json::{Value, json};

use super::{REASON, Stopped, source, target};
use crate::migrations::{COPYING, MIGRATIONS, entry, ledger};
use crate::{Error, Store};

/// A project, as it is known again.
pub(super) struct Project {
    /// Where it is, without secrets.
    address: String,
    /// The hash of its first change; none, where nothing was changed yet.
    first: Option<String>,
}

/// What the source was like at a moment: the version of its tables, and its last change.
#[derive(Debug, PartialEq)]
pub(super) struct State(u64, Option<Record>);

impl Project {
    pub(super) async fn of(store: &Store, url: &str) -> Result<Self, Stopped> {
        let first = change(store, false).await.map_err(source)?;
        let hash = first.and_then(|change| Some(change.get("hash")?.as_str()?.to_owned()));
        Ok(Self {
            address: Store::address(url).map_err(source)?,
            first: hash,
        })
    }

    fn text(&self) -> String {
        json!({"a copy is not finished of": self.address, "first change": self.first}).to_string()
    }

    fn is(&self, text: &str) -> bool {
        let noted: Value = serde_json::from_str(text).unwrap_or_default();
        let same_address = noted["a copy is not finished of"] == self.address.as_str();
        match &self.first {
            Some(first) if noted["first change"].is_string() => noted["first change"] == first.as_str(),
            _ => same_address,
        }
    }

    /// What writes the row.
    pub(super) fn insertion(&self) -> Permit<Plan> {
        Permit::system(REASON, entry(&ledger(), COPYING, &self.text()))
    }
}

/// What takes the row away.
pub(super) fn deletion() -> Permit<Plan> {
    let collection = ledger();
    let filter = numbered(&collection, Test::Equal(copying()));
    Permit::system(REASON, Plan::Delete(DeletePlan { collection, filter }))
}

fn copying() -> Scalar {
    Scalar::Int(i64::try_from(COPYING).unwrap_or(i64::MAX))
}

fn numbered(ledger: &Collection, test: Test) -> Filter {
    match ledger.field("number") {
        Some(number) => Filter::field(number, test),
        None => Filter::Nothing,
    }
}

/// Refuses a target that an earlier run has begun for another project, or by another version.
pub(super) async fn must_be_of(to: &Store, project: &Project) -> Result<(), Stopped> {
    let collection = ledger();
    let filter = numbered(&collection, Test::NotNull);
    let rows = rows(to, collection, &["number", "name"], (filter, Vec::new(), None)).await;
    let rows = rows.map_err(target)?;
    let is_marker = |row: &&Record| row.get("number").and_then(Value::as_u64) == Some(COPYING);
    let noted = rows.iter().find(is_marker);
    let noted = noted
        .and_then(|row| row.get("name")?.as_str())
        .unwrap_or_default();
    if !project.is(noted) {
        return Err(Stopped::Refused(format!(
            "the target holds an unfinished copy of another project: {noted}. Go on with that one, or take an empty database"
        )));
    }
    if rows.len() != MIGRATIONS.len() + 1 {
        return Err(Stopped::Refused(
            "another version of Loggia has begun this copy: empty the target and begin anew".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a target that somebody has used: with tables, users or changes of its own.
pub(super) async fn must_be_unused(to: &Store) -> Result<(), Stopped> {
    let tables = to.tables().await.map_err(target)?;
    let own: Vec<_> = tables
        .keys()
        .filter(|name| system::collection(name).is_none())
        .take(10)
        .map(String::as_str)
        .collect();
    let used = |what: String| {
        Err(Stopped::Refused(format!(
            "the target is in use already: it holds {what}. Take an empty database; `loggia copy --compare` says whether it \
             is a whole copy of the source"
        )))
    };
    if !own.is_empty() {
        return used(format!("the collections {}", own.join(", ")));
    }
    for (name, what) in [("directus_users", "users"), ("loggia_changes", "changes")] {
        let Some(definition) = system::collection(name) else {
            continue;
        };
        let collection = Arc::new(definition.collection());
        let found = rows(to, collection, &["id"], (Filter::All, Vec::new(), Some(1))).await;
        if !found.map_err(target)?.is_empty() {
            return used(what.to_owned());
        }
    }
    Ok(())
}

/// What the source is like now.
pub(super) async fn state(from: &Store) -> Result<State, Stopped> {
    let version = from.schema_version().await.map_err(source)?;
    let last = change(from, true).await.map_err(source)?;
    Ok(State(version, last))
}

/// The first or the last change on record.
async fn change(store: &Store, last: bool) -> Result<Option<Record>, Error> {
    let Some(definition) = system::collection("loggia_changes") else {
        return Ok(None);
    };
    let collection = Arc::new(definition.collection());
    let sort = collection.field("number").map(|number| Sort {
        operand: Operand::Field(number.clone()),
        descending: last,
    });
    let order = (Filter::All, sort.into_iter().collect(), Some(1));
    let mut found = rows(store, collection, &["number", "hash"], order).await?;
    Ok(found.pop())
}

async fn rows(
    store: &Store,
    collection: Arc<Collection>,
    columns: &[&str],
    (filter, sort, limit): (Filter, Vec<Sort>, Option<u64>),
) -> Result<Vec<Record>, Error> {
    let fields = columns.iter().filter_map(|name| collection.field(name));
    let plan = ReadPlan {
        select: fields
            .map(|field| Selected::new(field.name.as_str(), Source::Field(field.clone())))
            .collect(),
        filter,
        sort,
        limit,
        offset: 0,
        collection,
    };
    let outcome = store.run(Permit::system(REASON, Plan::Read(plan))).await?;
    Ok(outcome.into_rows())
}
