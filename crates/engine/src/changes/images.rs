//! What rows are like: whole, with secrets only until they have been compared.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::filter::Test;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::{Collection, Field, Filter, Record, Scalar};
use serde_json::Value;

use crate::query::is_secret;
use crate::schema::definitions::Difference;

/// What stands in place of a secret.
pub(super) const MASK: &str = "**********";

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is new.
    Create,
    /// It was changed.
    Update,
    /// It is gone.
    Delete,
}

impl Happened {
    /// As it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// As it was stored.
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete]
            .into_iter()
            .find(|happened| happened.name() == name)
    }
}

/// What became of one row.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) collection: String,
    pub(super) key: String,
    pub(super) happened: Happened,
    /// Of an update what the changed columns held; of a deletion the whole row.
    pub(super) before: Option<Record>,
    /// The changed columns; of a creation the whole row.
    pub(super) delta: Option<Record>,
    /// The whole row after.
    pub(super) data: Option<Record>,
    /// Columns among them whose values are not kept.
    pub(super) secrets: Vec<String>,
}

impl Entry {
    /// What became of a definition; the whole of it, before and after.
    pub(super) fn of(difference: Difference) -> Option<Self> {
        let Difference {
            kind,
            key,
            before,
            after,
        } = difference;
        let happened = match (&before, &after) {
            (None, None) => return None,
            (None, Some(_)) => Happened::Create,
            (Some(_), None) => Happened::Delete,
            (Some(_), Some(_)) => Happened::Update,
        };
        Some(Self {
            collection: kind.to_owned(),
            key,
            happened,
            before,
            delta: after.clone(),
            data: after,
            secrets: Vec::new(),
        })
    }
}

/// Reads whole rows. The permit is the system's: what of it is shown to whom is decided when it is shown.
pub(super) fn look(collection: &Arc<Collection>, filter: Filter) -> Permit<Plan> {
    let columns = collection.fields.values().filter(|field| !field.is_alias());
    let select = columns
        .map(|field| {
            let source = if is_secret(field) {
                Source::Secret(field.clone())
            } else {
                Source::Field(field.clone())
            };
            Selected::new(field.name.as_str(), source)
        })
        .collect();
    read(ReadPlan {
        collection: collection.clone(),
        select,
        filter,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    })
}

/// Any reading of the journal's own.
pub(super) fn read(plan: ReadPlan) -> Permit<Plan> {
    allowed(Plan::Read(plan))
}

/// Anything that the journal does on its own.
pub(super) fn allowed(plan: Plan) -> Permit<Plan> {
    Permit::system(
        "the record of changes is the system's own: who may see or take back what is decided where that is asked for",
        plan,
    )
}

/// Reads rows by their keys.
pub(super) fn look_at(collection: &Arc<Collection>, primary: &Arc<Field>, keys: Vec<Scalar>) -> Permit<Plan> {
    look(collection, Filter::field(primary, Test::In(keys)))
}

/// The value as it is stored; NULL for what cannot be stored.
pub(super) fn scalar(field: &Field, value: &Value) -> Option<Scalar> {
    if value.is_null() {
        return Some(Scalar::Null);
    }
    field.ty.parse(value, field.column.as_ref()?).ok()
}

/// A key as text.
pub(super) fn text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Rows of one collection, by the text of their keys.
pub(super) struct Touched {
    /// As it was when the first of its rows was written.
    pub(super) collection: Arc<Collection>,
    pub(super) rows: IndexMap<String, Row>,
}

/// A row that was written.
pub(super) struct Row {
    pub(super) key: Scalar,
    /// What it was like before the request; `None`: it was not there.
    pub(super) before: Option<Record>,
    /// The database wrote it on its own.
    pub(super) cascaded: bool,
}

/// What became of a row; `None`: nothing.
pub(super) fn entry(
    touched: &Collection,
    now: &Collection,
    key: &str,
    before: Option<Record>,
    after: Option<Record>,
) -> Option<Entry> {
    let mut secrets = Vec::new();
    let (happened, before, delta, data) = match (before, after) {
        (None, None) => return None,
        (None, Some(mut after)) => {
            mask(now, &mut after, &mut secrets);
            (Happened::Create, None, Some(after.clone()), Some(after))
        }
        (Some(mut before), None) => {
            mask(touched, &mut before, &mut secrets);
            (Happened::Delete, Some(before), None, None)
        }
        (Some(mut before), Some(mut after)) => {
            let mut delta = after.clone();
            delta.retain(|name, value| before.get(name).unwrap_or(&Value::Null) != value);
            // A column that went with its values has nothing after it.
            before.retain(|name, value| match after.get(name) {
                Some(_) => delta.contains_key(name),
                None => !value.is_null(),
            });
            if delta.is_empty() && before.is_empty() {
                return None;
            }
            for name in delta.keys() {
                before.entry(name.clone()).or_insert(Value::Null);
            }
            mask(touched, &mut before, &mut secrets);
            mask(now, &mut delta, &mut secrets);
            mask(now, &mut after, &mut Vec::new());
            (Happened::Update, Some(before), Some(delta), Some(after))
        }
    };
    Some(Entry {
        collection: now.name.clone(),
        key: key.to_owned(),
        happened,
        before,
        delta,
        data,
        secrets,
    })
}

/// Puts the mask over secrets and names them.
fn mask(collection: &Collection, row: &mut Record, secrets: &mut Vec<String>) {
    for (name, value) in row.iter_mut() {
        if !value.is_null() && collection.field(name).is_some_and(|field| is_secret(field)) {
            *value = MASK.into();
            if !secrets.contains(name) {
                secrets.push(name.clone());
            }
        }
    }
}
