//! What rows are like: whole, with secrets only until they have been compared.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::Permit;
use loggia_model::filter::Test;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::{Collection, Field, Filter, Record, Scalar};
use serde_json::Value;

/// What stands in place of a secret.
pub const MASK: &str = "**********";

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
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Create, Self::Update, Self::Delete]
            .into_iter()
            .find(|happened| happened.name() == name)
    }
}

/// What became of a definition of a collection, field or relation: whole, before and after.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The collection that its metadata is in.
    pub kind: &'static str,
    /// `posts`, or `posts.author`.
    pub key: String,
    /// What it was like; `None`: it was not there.
    pub before: Option<Record>,
    /// What it is like; `None`: it is gone.
    pub after: Option<Record>,
}

/// How many items of a collection changed, those that the database changes on its own (`ON DELETE`) among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// New ones.
    pub created: u64,
    /// Changed ones.
    pub updated: u64,
    /// Deleted ones.
    pub deleted: u64,
}

impl Changed {
    pub(crate) fn count(&mut self, happened: Happened) {
        match happened {
            Happened::Create => self.created += 1,
            Happened::Update => self.updated += 1,
            Happened::Delete => self.deleted += 1,
        }
    }
}

/// What became of one row.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) collection: String,
    pub(crate) key: String,
    pub(crate) happened: Happened,
    /// Of an update what the changed columns held; of a deletion the whole row.
    pub(crate) before: Option<Record>,
    /// The changed columns; of a creation the whole row.
    pub(crate) delta: Option<Record>,
    /// The whole row after.
    pub(crate) data: Option<Record>,
    /// Columns among them whose values are not kept.
    pub(crate) secrets: Vec<String>,
    /// The database wrote it on its own.
    pub(crate) cascaded: bool,
}

impl Entry {
    /// What became of a definition; the whole of it, before and after.
    pub(crate) fn of(difference: Difference) -> Option<Self> {
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
            cascaded: false,
        })
    }
}

/// Whole rows, with their secrets: to be compared, not to be shown.
#[must_use]
pub fn look(collection: &Arc<Collection>, filter: Filter) -> ReadPlan {
    whole(collection, filter, |field| {
        if field.is_secret() {
            Source::Secret(field)
        } else {
            Source::Field(field)
        }
    })
}

/// Every column of rows.
pub(crate) fn whole(
    collection: &Arc<Collection>,
    filter: Filter,
    source: impl Fn(Arc<Field>) -> Source,
) -> ReadPlan {
    let columns = collection.fields.values().filter(|field| !field.is_alias());
    ReadPlan {
        collection: collection.clone(),
        select: columns
            .map(|field| Selected::new(field.name.as_str(), source(field.clone())))
            .collect(),
        filter,
        sort: Vec::new(),
        limit: None,
        offset: 0,
    }
}

/// Any reading of the journal's own.
pub(crate) fn read(plan: ReadPlan) -> Permit<Plan> {
    allowed(Plan::Read(plan))
}

/// Anything that the journal does on its own.
pub(crate) fn allowed(plan: Plan) -> Permit<Plan> {
    Permit::system(
        "the record of changes is the system's own: who may see or take back what is decided where that is asked for",
        plan,
    )
}

/// Rows by their keys, whole.
#[must_use]
pub fn look_at(collection: &Arc<Collection>, primary: &Arc<Field>, keys: Vec<Scalar>) -> ReadPlan {
    look(collection, Filter::field(primary, Test::In(keys)))
}

/// The value as it is stored; NULL for what cannot be stored.
#[must_use]
pub fn scalar(field: &Field, value: &Value) -> Option<Scalar> {
    if value.is_null() {
        return Some(Scalar::Null);
    }
    field.ty.parse(value, field.column.as_ref()?).ok()
}

/// A key as text.
#[must_use]
pub fn text(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Rows of one collection, by the text of their keys.
pub(crate) struct Touched {
    /// As it was when the first of its rows was written.
    pub(crate) collection: Arc<Collection>,
    pub(crate) rows: IndexMap<String, Row>,
}

/// A row that was written.
pub(crate) struct Row {
    pub(crate) key: Scalar,
    /// What it was like before the request; `None`: it was not there.
    pub(crate) before: Option<Record>,
    /// The database wrote it on its own.
    pub(crate) cascaded: bool,
}

/// What became of a row; `None`: nothing.
pub(crate) fn entry(
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
        cascaded: false,
    })
}

/// Puts the mask over secrets and names them.
fn mask(collection: &Collection, row: &mut Record, secrets: &mut Vec<String>) {
    for (name, value) in row.iter_mut() {
        if !value.is_null() && collection.field(name).is_some_and(|field| field.is_secret()) {
            *value = MASK.into();
            if !secrets.contains(name) {
                secrets.push(name.clone());
            }
        }
    }
}
