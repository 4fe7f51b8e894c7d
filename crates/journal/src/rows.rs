//! The rows of the record itself: who, when, through what, and the hashes that chain them.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use loggia_access::{Caller, Origin, Permit};
use loggia_model::field_types::calendar;
use loggia_model::plan::{InsertPlan, Plan};
use loggia_model::{Collection, Field, Problem, Scalar};
use serde_json::{Value, json};

use crate::chain::{self, ACTIVITY, Content, HEADER};
use crate::images::{self, Changed};
use crate::record::Before;
use crate::tables::table;

/// A row that is to be written, by the names of its columns.
pub(crate) type NewRow = Vec<(Arc<Field>, Scalar)>;

/// A row, by the names of its columns.
pub(crate) fn row<const N: usize>(collection: &Collection, names: &[&str; N], values: [Scalar; N]) -> NewRow {
    let fields = names.iter().zip(values);
    fields
        .filter_map(|(name, value)| Some((collection.field(name)?.clone(), value)))
        .collect()
}

/// What of it is hashed.
pub(crate) fn hashed(row: &NewRow) -> impl Iterator<Item = (&str, &Scalar)> {
    row.iter().map(|(field, value)| (field.name.as_str(), value))
}

/// A number as it is stored.
pub(crate) fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Who, when, and through what: the same for all rows of a change.
pub(crate) struct Header<'r> {
    caller: &'r Caller,
    title: Option<&'r str>,
    now: Scalar,
    ip: Scalar,
    agent: Scalar,
    origin: Scalar,
    user: Scalar,
}

/// As much of a text as its column holds.
fn fitting(text: Option<&str>, most: usize) -> Scalar {
    Scalar::from(text.map(|text| text.chars().take(most).collect::<String>()))
}

impl<'r> Header<'r> {
    pub(crate) fn of(caller: &'r Caller, title: Option<&'r str>, now: Timestamp) -> Self {
        let claims = caller.claims();
        let origin = match claims.origin {
            Origin::Rest => "rest",
            Origin::Mcp => "mcp",
            Origin::Cli => "cli",
            Origin::System => "system",
        };
        Self {
            caller,
            title: title.or(caller.attribution().title.as_deref()),
            now: calendar::timestamp(now).into(),
            ip: claims.ip.map(|ip| ip.to_string()).into(),
            agent: claims.user_agent.clone().into(),
            origin: origin.into(),
            user: claims.user.clone().into(),
        }
    }

    /// What happened to an item, of which collection.
    pub(crate) fn activity(
        &self,
        id: i64,
        (happened, collection, item): (&str, &str, &str),
        change: &str,
    ) -> [Scalar; ACTIVITY.len()] {
        [
            Scalar::Int(id),
            happened.into(),
            self.user.clone(),
            self.now.clone(),
            self.ip.clone(),
            self.agent.clone(),
            collection.into(),
            item.into(),
            self.origin.clone(),
            change.into(),
        ]
    }

    /// The header of the change.
    pub(crate) fn change(&self, sum: &Sum<'_>, number: i64, change: &str) -> [Scalar; HEADER.len()] {
        let claims = self.caller.claims();
        let said = self.caller.attribution();
        let counted = |counts: &IndexMap<&str, Changed>| -> Scalar {
            let counted = counts.iter().map(|(name, c)| {
                let counted = json!({"created": c.created, "updated": c.updated, "deleted": c.deleted});
                ((*name).to_owned(), counted)
            });
            Value::Object(counted.collect()).to_string().into()
        };
        [
            change.into(),
            Scalar::Int(number),
            self.now.clone(),
            self.user.clone(),
            claims.role.clone().into(),
            claims.token.as_ref().map(|token| token.id.clone()).into(),
            self.origin.clone(),
            fitting(said.client_name.as_deref(), 255),
            fitting(said.client_version.as_deref(), 255),
            fitting(said.tool.as_deref(), 64),
            fitting(said.request_id.as_deref(), 64),
            self.ip.clone(),
            self.agent.clone(),
            fitting(self.title, 255),
            counted(&sum.counts),
            sum.written.as_ref().map_or(Scalar::Null, counted),
            Scalar::Int(self::number(sum.rows)),
            Scalar::Bool(sum.reversible),
        ]
    }
}

/// What a change comes to.
pub(crate) struct Sum<'s> {
    /// Rows by collection.
    pub(crate) counts: IndexMap<&'s str, Changed>,
    /// The same without what the database did on its own; `None`: that is all.
    pub(crate) written: Option<IndexMap<&'s str, Changed>>,
    /// Rows in all.
    pub(crate) rows: usize,
    /// Whether everything that it did is on record.
    pub(crate) reversible: bool,
}

/// The row of a change: its header, and the hashes that chain it.
pub(crate) fn sealed(
    header: [Scalar; HEADER.len()],
    reverts: Option<String>,
    content: Content,
    before: &Before,
) -> Result<NewRow, Problem> {
    let changes = table("loggia_changes")?;
    let mut new = row(changes, &HEADER, header);
    let (reverts, content) = (Scalar::from(reverts), content.finish());
    let hash = chain::hash(&before.head.1, hashed(&new), &reverts, &content);
    let rest = ["reverts", "content_hash", "previous_hash", "hash"];
    let previous = before.head.1.as_str();
    let values = [reverts, content.into(), previous.into(), hash.into()];
    new.extend(row(changes, &rest, values));
    Ok(new)
}

/// New rows of one of the journal's tables.
pub(crate) fn insert(collection: &Arc<Collection>, rows: Vec<NewRow>) -> Permit<Plan> {
    images::allowed(Plan::Insert(InsertPlan {
        collection: collection.clone(),
        rows,
    }))
}
