//! The changes that are meant, and what they did.

use std::collections::HashMap;

use loggia_access::Grants;
use loggia_journal::tables::{column, plain, text, whole};
use loggia_model::filter::{Operand, Test};
use loggia_model::plan::{ReadPlan, Selected, Sort, Source};
use loggia_model::{Filter, Problem, Record, Scalar};
use serde_json::Value;

use super::{RevertTarget, bounded};
use crate::changes::images::{self, Happened};
use crate::changes::{ChangeFilter, Recorder};
use crate::schema::definitions::{COLLECTIONS, FIELDS, RELATIONS};
use crate::{Engine, Error};

/// A change that is to be taken back.
pub(crate) struct Meant {
    pub(crate) id: String,
    pub(crate) number: i64,
    pub(crate) title: Option<String>,
    /// Whether everything that it did is on record.
    pub(crate) complete: bool,
}

/// What one change did to one row or definition.
pub(crate) struct Done {
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
            if !bounded(filter) {
                let message = "It is not said which changes are meant.";
                let problem = Problem::new(&loggia_model::error::INVALID_PAYLOAD, message);
                let hint = "Name changes, or a user, token, client or request, or since when.";
                return Err(problem.hint(hint).into());
            }
            ChangeFilter::clone(filter)
        }
    };
    let wanted = engine.wanted(&engine.schema(), grants, &filter, None).await?;
    let Some(condition) = wanted else {
        return Ok(None);
    };
    let plan = ReadPlan {
        filter: condition,
        ..only("loggia_changes", &["id"])?
    };
    let rows = engine.parts().store.run(images::read(plan)).await?.into_rows();
    let found: Vec<_> = rows.iter().map(|row| text(row, "id").to_owned()).collect();
    let mut wanted: Vec<_> = filter.ids.iter().map(|id| id.to_lowercase()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let missing = wanted.iter().any(|id| !found.contains(id));
    Ok(Some(found).filter(|_| !missing))
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
    let plans = vec![images::read(changes), images::read(entries)];
    let mut outcomes = tx.run_all(plans).await?.into_iter();
    let mut next = || {
        outcomes
            .next()
            .map(loggia_store::Outcome::into_rows)
            .unwrap_or_default()
    };
    let (changes, rows) = (next(), next());
    let mut kept: HashMap<String, i64> = HashMap::new();
    let mut loaded = Loaded {
        changes: Vec::new(),
        entries: Vec::with_capacity(rows.len()),
        definitions: Vec::new(),
    };
    for row in rows {
        let Some(done) = done(row) else { continue };
        *kept.entry(done.change.clone()).or_default() += 1;
        if [COLLECTIONS, FIELDS, RELATIONS].contains(&done.collection.as_str()) {
            loaded.definitions.push(done);
        } else {
            loaded.entries.push(done);
        }
    }
    loaded.changes = changes.iter().map(|row| meant(row, &kept)).collect();
    Ok(loaded)
}

fn meant(row: &Record, kept: &HashMap<String, i64>) -> Meant {
    let id = text(row, "id").to_owned();
    let reversible = row.get("reversible").and_then(Value::as_bool).unwrap_or(false);
    let complete = reversible && kept.get(&id).copied().unwrap_or(0) == whole(row.get("rows"));
    Meant {
        id,
        number: whole(row.get("number")),
        title: row.get("title").and_then(Value::as_str).map(str::to_owned),
        complete,
    }
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
