//! The changes that are meant, and what they did.

use std::collections::{HashMap, HashSet};

use loggia_access::Grants;
use loggia_journal::tables::{ascending, column, plain, text, whole};
use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{ReadPlan, Selected, Sort, Source};
use loggia_model::{Filter, Problem, Record, Scalar};
use serde_json::Value;

use super::{NotRestored, RevertTarget};
use crate::changes::images::{self, Happened};
use crate::changes::request::bounded;
use crate::changes::retention;
use crate::changes::{ChangeFilter, Recorder};
use crate::schema::definitions::{COLLECTIONS, FIELDS, RELATIONS};
use crate::{Engine, Error};

/// A change that is to be taken back.
pub(crate) struct Meant {
    pub(crate) id: String,
    pub(crate) number: i64,
    pub(crate) title: Option<String>,
    /// What it did and what is not on record.
    pub(crate) missing: Vec<NotRestored>,
}

/// What one change did to one row or definition.
pub(crate) struct Done {
    /// The number of the entry.
    pub(crate) entry: i64,
    pub(crate) change: String,
    pub(crate) collection: String,
    pub(crate) item: String,
    pub(crate) happened: Happened,
    pub(crate) before: Record,
    pub(crate) after: Record,
    pub(crate) secrets: Vec<String>,
}

/// What is to be taken back, the last first.
pub(crate) struct Loaded {
    pub(crate) changes: Vec<Meant>,
    pub(crate) entries: Vec<Done>,
    /// Of collections, fields and relations.
    pub(crate) definitions: Vec<Done>,
}

/// The keys of the changes that are meant; `None`: one of them is not there for the caller.
pub(super) async fn which(
    engine: &Engine,
    grants: &Grants,
    target: &RevertTarget,
) -> Result<Option<Vec<String>>, Error> {
    let filter = match target {
        RevertTarget::Changes(ids) if ids.is_empty() => return Ok(None),
        RevertTarget::Changes(ids) => ChangeFilter {
            ids: ids.clone(),
            ..ChangeFilter::default()
        },
        RevertTarget::Matching(filter) => {
            bounded(filter)?;
            ChangeFilter::clone(filter)
        }
    };
    let wanted = engine.wanted(&engine.schema(), grants, &filter, None).await?;
    let Some(condition) = wanted else {
        return Ok(None);
    };
    let plan = ReadPlan {
        filter: condition,
        ..only("loggia_changes", &["id", "user"])?
    };
    let rows = engine.parts().store.run(images::read(plan)).await?.into_rows();
    one_user(&filter, &rows)?;
    let found: Vec<_> = rows.iter().map(|row| text(row, "id").to_owned()).collect();
    let mut wanted: Vec<_> = filter.ids.iter().map(|id| id.to_lowercase()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let missing = wanted.iter().any(|id| !found.contains(id));
    Ok(Some(found).filter(|_| !missing))
}

/// The id of a request is what its client says: others may say the same, by chance or on purpose.
fn one_user(filter: &ChangeFilter, rows: &[Record]) -> Result<(), Problem> {
    let said = filter.user.is_some() || filter.token.is_some() || filter.everybody || !filter.ids.is_empty();
    let users: HashSet<_> = rows.iter().map(|row| text(row, "user")).collect();
    if filter.request.is_none() || said || users.len() < 2 {
        return Ok(());
    }
    let message = "Changes of several users have this request id.";
    let problem = Problem::new(&INVALID_PAYLOAD, message).at("request");
    Err(problem.hint(
        "Clients choose the ids of their requests. Say whose changes are meant with `user` or `token`; if all of them \
         are: \"everybody\": true.",
    ))
}

/// Whether the changes are of definitions, too.
pub(super) async fn definitions(engine: &Engine, ids: &[String]) -> Result<bool, Error> {
    let name = "directus_revisions";
    let kinds = [COLLECTIONS, FIELDS, RELATIONS].map(Scalar::from);
    let plan = ReadPlan {
        filter: among(name, "change", ids)?.and(Filter::field(
            &column(name, "collection")?,
            Test::In(kinds.into()),
        )),
        limit: Some(1),
        ..only(name, &["id"])?
    };
    let rows = engine.parts().store.run(images::read(plan)).await?.into_rows();
    Ok(!rows.is_empty())
}

/// The changes and their entries.
pub(crate) async fn entries(tx: &mut Recorder, ids: Vec<String>) -> Result<Loaded, Error> {
    let revisions = "directus_revisions";
    let backwards = |name: &str, field: &str| -> Result<Vec<Sort>, Problem> {
        Ok(vec![Sort {
            operand: Operand::Field(column(name, field)?),
            descending: true,
        }])
    };
    let changes = ReadPlan {
        filter: among("loggia_changes", "id", &ids)?,
        sort: backwards("loggia_changes", "number")?,
        ..plain("loggia_changes")?
    };
    let columns = [
        "id",
        "change",
        "collection",
        "item",
        "action",
        "before",
        "delta",
        "secrets",
    ];
    let entries = ReadPlan {
        filter: among(revisions, "change", &ids)?,
        sort: backwards(revisions, "id")?,
        ..only(revisions, &columns)?
    };
    let pruned = retention::look(ids.iter().map(|id| Scalar::from(id.as_str())))?;
    let plans = [changes, entries, pruned].map(images::read).into();
    let mut outcomes = tx.run_all(plans).await?.into_iter();
    let mut next = || {
        outcomes
            .next()
            .map(loggia_store::Outcome::into_rows)
            .unwrap_or_default()
    };
    let (changes, rows, pruned) = (next(), next(), retention::found(&next()));
    let mut kept: HashMap<(String, String), HashSet<String>> = HashMap::new();
    let mut loaded = Loaded {
        changes: Vec::new(),
        entries: Vec::with_capacity(rows.len()),
        definitions: Vec::new(),
    };
    for row in rows {
        let Some(done) = done(row) else { continue };
        let known = kept.entry((done.change.clone(), done.collection.clone()));
        known.or_default().insert(done.item.clone());
        if [COLLECTIONS, FIELDS, RELATIONS].contains(&done.collection.as_str()) {
            loaded.definitions.push(done);
        } else {
            loaded.entries.push(done);
        }
    }
    loaded.changes = changes.iter().map(|row| meant(row, &kept)).collect();
    name(tx, &mut loaded.changes, &kept).await?;
    for change in loaded
        .changes
        .iter_mut()
        .filter(|change| pruned.contains(&change.id))
    {
        change.missing.iter_mut().for_each(NotRestored::pruned);
    }
    Ok(loaded)
}

fn meant(row: &Record, kept: &HashMap<(String, String), HashSet<String>>) -> Meant {
    let id = text(row, "id").to_owned();
    let mut missing = Vec::new();
    let counts = row.get("counts").and_then(Value::as_object);
    for (collection, counted) in counts.into_iter().flatten() {
        let counted = counted.as_object().into_iter().flat_map(Record::values);
        let counted: u64 = counted.filter_map(Value::as_u64).sum();
        let known = kept.get(&(id.clone(), collection.clone()));
        let lost = counted.saturating_sub(known.map_or(0, HashSet::len) as u64);
        if lost > 0 {
            missing.push(NotRestored::unrecorded(&id, collection, None, lost));
        }
    }
    let reversible = row.get("reversible").and_then(Value::as_bool).unwrap_or(false);
    if !reversible && missing.is_empty() {
        missing.push(NotRestored {
            change: id.clone(),
            what: "Rows that have no key were changed with it: nothing of them is on record.".to_owned(),
            ..NotRestored::default()
        });
    }
    Meant {
        id,
        number: whole(row.get("number")),
        title: row.get("title").and_then(Value::as_str).map(str::to_owned),
        missing,
    }
}

/// Names the items of which no more is on record than that something happened to them.
async fn name(
    tx: &mut Recorder,
    changes: &mut [Meant],
    kept: &HashMap<(String, String), HashSet<String>>,
) -> Result<(), Error> {
    let incomplete: Vec<_> = changes
        .iter()
        .filter(|change| !change.missing.is_empty())
        .map(|change| change.id.clone())
        .collect();
    if incomplete.is_empty() {
        return Ok(());
    }
    let activity = "directus_activity";
    let plan = ReadPlan {
        filter: among(activity, "change", &incomplete)?,
        sort: ascending(activity, "id")?,
        ..only(activity, &["change", "collection", "item"])?
    };
    for row in tx.run(images::read(plan)).await?.into_rows() {
        let (id, collection, item) = (text(&row, "change"), text(&row, "collection"), text(&row, "item"));
        let known = kept.get(&(id.to_owned(), collection.to_owned()));
        if known.is_some_and(|known| known.contains(item)) {
            continue;
        }
        let change = changes.iter_mut().find(|change| change.id == id);
        let Some(missing) = change.map(|change| &mut change.missing) else {
            continue;
        };
        let of =
            |part: &&mut NotRestored| part.collection.as_deref() == Some(collection) && part.item.is_none();
        if let Some(rest) = missing.iter_mut().find(of) {
            rest.items = rest.items.saturating_sub(1);
            missing.push(NotRestored::unrecorded(id, collection, Some(item), 1));
        }
    }
    for change in changes {
        change
            .missing
            .retain(|part| part.collection.is_none() || part.items > 0);
    }
    Ok(())
}

fn done(mut row: Record) -> Option<Done> {
    let mut part = |name: &str| match row.get_mut(name).map(Value::take) {
        Some(Value::Object(part)) => part,
        _ => Record::new(),
    };
    let (before, after) = (part("before"), part("delta"));
    let secrets = match row.get("secrets") {
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    Some(Done {
        entry: whole(row.get("id")),
        change: text(&row, "change").to_owned(),
        collection: text(&row, "collection").to_owned(),
        item: text(&row, "item").to_owned(),
        happened: Happened::parse(text(&row, "action"))?,
        before,
        after,
        secrets,
    })
}

fn among(name: &str, field: &str, ids: &[String]) -> Result<Filter, Problem> {
    let ids = ids.iter().map(|id| Scalar::from(id.as_str())).collect();
    Ok(Filter::field(&column(name, field)?, Test::In(ids)))
}

/// Some columns of one of the system's own tables.
fn only(name: &str, columns: &[&str]) -> Result<ReadPlan, Problem> {
    let mut plan = plain(name)?;
    plan.select = columns
        .iter()
        .map(|field| Ok(Selected::new(*field, Source::Field(column(name, field)?))))
        .collect::<Result<_, Problem>>()?;
    Ok(plan)
}
