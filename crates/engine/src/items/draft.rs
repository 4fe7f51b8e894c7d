//! What is to be written, read from what was sent: items, with the items nested in them.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use loggia_model::error::UNPROCESSABLE_CONTENT;
use loggia_model::{Collection, Field, Filter, Link, Problem, Record, Relation, Scalar};
use serde_json::Value;

use super::keys;
use crate::query::Resolver;

use super::judging::Pending;

/// Whether an item is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It must not exist yet.
    Create,
    /// It must exist.
    Update,
    /// Whichever its key says: nested items may be either.
    Either,
}

/// One item to be written.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) collection: Arc<Collection>,
    /// Where it stands in the request.
    pub(crate) path: String,
    pub(crate) intent: Intent,
    /// Whether it stands inside another item.
    pub(super) nested: bool,
    /// The primary key, if it was given.
    pub(crate) key: Option<Scalar>,
    /// Columns but the primary key, by name.
    pub(crate) values: IndexMap<String, Assigned>,
    /// Items that its columns will point to.
    pub(super) ones: Vec<One>,
    /// Items that will point to it.
    pub(super) lists: Vec<List>,
    /// The column that the item above fills in.
    pub(super) filled_from_above: Option<String>,
    /// Columns that will point to items which are written beside it, once for several drafts.
    pub(super) filled_from_beside: Vec<String>,
    /// What was sent, for rules; and what permissions fill in.
    pub(crate) sent: Record,
    /// The fields that the caller gave: what their permissions must grant.
    pub(crate) given: BTreeSet<String>,
    /// Whether what permissions fill in is there.
    pub(super) preset: bool,
    /// What must hold of the item once it is made.
    pub(super) made_if: Filter,
    /// What rules can say only once more is known.
    pub(super) pending: Option<Box<Pending>>,
}

/// The value of a column.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    pub(crate) field: Arc<Field>,
    pub(crate) scalar: Scalar,
    /// Where it was sent; empty: it was filled in.
    pub(crate) path: String,
    /// The collection that it is a key of.
    pub(super) points_to: Option<Arc<Collection>>,
}

/// An item that a column will point to.
#[derive(Clone, Debug)]
pub(super) struct One {
    pub(super) field: Arc<Field>,
    pub(super) draft: Draft,
}

/// Items that will point to the item above.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) relation: Arc<Relation>,
    pub(super) target: Arc<Collection>,
    pub(super) path: String,
    pub(super) edit: Edit,
}

/// What becomes of a list.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// It holds these and no others.
    Replace(Vec<Entry>),
    /// These are added, changed, taken off.
    Change {
        create: Vec<Draft>,
        update: Vec<Entry>,
        delete: Vec<(Scalar, String)>,
    },
}

/// An item of a list.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lists are short-lived, and most entries are items"
)]
pub(super) enum Entry {
    /// One that exists.
    Key(Scalar, String),
    /// One to be written.
    Item(Draft),
}

impl Draft {
    /// An item that is to be as it was: `row` holds its columns, and of these the caller answers for `given`; the rest
    /// is filled in.
    ///
    /// # Errors
    /// A value that its field cannot hold any more.
    pub(crate) fn again(
        on: &Resolver<'_>,
        collection: &Arc<Collection>,
        intent: Intent,
        key: Scalar,
        row: Record,
        given: BTreeSet<String>,
    ) -> Result<Self, Problem> {
        let mut values = IndexMap::with_capacity(row.len());
        for (name, value) in &row {
            let Some((field, column)) = collection
                .field(name)
                .and_then(|field| Some((field, field.column.as_ref()?)))
            else {
                continue;
            };
            if column.generated || column.primary_key {
                continue;
            }
            let scalar = match value {
                Value::Null => Scalar::Null,
                value => field
                    .ty
                    .parse(value, column)
                    .map_err(|_| cannot_hold(collection, name, value))?,
            };
            let points_to = match on.schema.link(&collection.name, name) {
                Some(Link::ToOne { target, .. }) => Some(target),
                _ => None,
            };
            let path = if given.contains(name) {
                name.clone()
            } else {
                String::new()
            };
            let assigned = Assigned {
                field: field.clone(),
                scalar,
                path,
                points_to,
            };
            values.insert(name.clone(), assigned);
        }
        Ok(Self {
            collection: collection.clone(),
            path: String::new(),
            intent,
            nested: false,
            key: Some(key),
            values,
            ones: Vec::new(),
            lists: Vec::new(),
            filled_from_above: None,
            filled_from_beside: Vec::new(),
            sent: row,
            given,
            preset: true,
            made_if: Filter::All,
            pending: None,
        })
    }

    /// The same item with nothing in it but a pointer: to ask whether it points rightly.
    pub(crate) fn pointing(&self, field: &Arc<Field>, key: Scalar, target: Arc<Collection>) -> Self {
        let assigned = Assigned {
            field: field.clone(),
            scalar: key,
            path: field.name.clone(),
            points_to: Some(target),
        };
        let mut pointing = self.bare();
        pointing.values.insert(field.name.clone(), assigned);
        pointing
    }

    /// The same item with nothing in it.
    pub(crate) fn bare(&self) -> Self {
        Self {
            values: IndexMap::new(),
            sent: Record::new(),
            given: BTreeSet::new(),
            ..self.clone()
        }
    }

    /// Columns and values as they are stored; of a new item the key among them.
    pub(crate) fn assigns(&self) -> Vec<(Arc<Field>, Scalar)> {
        let key = self.collection.primary.iter().zip(&self.key);
        let key = key.filter(|_| self.intent == Intent::Create);
        let values = self.values.values();
        key.map(|(field, key)| (field.clone(), key.clone()))
            .chain(values.map(|assigned| (assigned.field.clone(), assigned.scalar.clone())))
            .collect()
    }

    /// Its key, as text.
    pub(crate) fn key_text(&self) -> String {
        let key = self.collection.primary.as_ref().zip(self.key.as_ref());
        key.map(|(primary, key)| keys::text(primary, key))
            .unwrap_or_default()
    }

    /// The path of one of its members.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// These columns will point to items that are written once for several drafts.
    pub(super) fn ones_elsewhere<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        self.filled_from_beside = names.map(str::to_owned).collect();
    }

    /// Whether it does nothing but name an item that something else points to.
    pub(super) fn is_bare_link(&self) -> bool {
        self.nested
            && self.key.is_some()
            && self.intent != Intent::Create
            && self.sent.len() == 1
            && self.given.is_empty()
            && self.values.is_empty()
            && self.ones.is_empty()
            && self.lists.is_empty()
    }

    /// Calls `visit` for it and for everything nested in it, outermost first.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Draft)) {
        visit(self);
        for one in &self.ones {
            one.draft.visit(visit);
        }
        for list in &self.lists {
            for draft in list.edit.items() {
                draft.visit(visit);
            }
        }
    }

    /// Every value in it and nested in it, with the name of its collection.
    pub(super) fn every_value(&mut self) -> Vec<&mut Assigned> {
        let mut values: Vec<_> = self.values.values_mut().collect();
        for one in &mut self.ones {
            values.extend(one.draft.every_value());
        }
        for list in &mut self.lists {
            for draft in list.edit.items_mut() {
                values.extend(draft.every_value());
            }
        }
        values
    }
}

impl Entry {
    fn item(&self) -> Option<&Draft> {
        match self {
            Self::Item(draft) => Some(draft),
            Self::Key(..) => None,
        }
    }

    fn item_mut(&mut self) -> Option<&mut Draft> {
        match self {
            Self::Item(draft) => Some(draft),
            Self::Key(..) => None,
        }
    }
}

impl Edit {
    /// The items to be written.
    pub(super) fn items(&self) -> Vec<&Draft> {
        match self {
            Self::Replace(entries) => entries.iter().filter_map(Entry::item).collect(),
            Self::Change { create, update, .. } => create
                .iter()
                .chain(update.iter().filter_map(Entry::item))
                .collect(),
        }
    }

    /// The items to be written.
    pub(super) fn items_mut(&mut self) -> Vec<&mut Draft> {
        match self {
            Self::Replace(entries) => entries.iter_mut().filter_map(Entry::item_mut).collect(),
            Self::Change { create, update, .. } => create
                .iter_mut()
                .chain(update.iter_mut().filter_map(Entry::item_mut))
                .collect(),
        }
    }

    /// The keys of items that exist and are put on the list, and of those that are taken off.
    pub(super) fn linked_and_off(&self) -> (Vec<&Scalar>, Vec<&Scalar>) {
        let (entries, off) = match self {
            Self::Replace(entries) => (entries, Vec::new()),
            Self::Change { update, delete, .. } => (update, delete.iter().map(|(key, _)| key).collect()),
        };
        let linked = entries.iter().filter_map(|entry| match entry {
            Entry::Key(key, _) => Some(key),
            Entry::Item(_) => None,
        });
        (linked.collect(), off)
    }

    /// The keys of items that must exist, and where they stand.
    pub(super) fn keys(&self) -> Vec<(&Scalar, &str)> {
        let (entries, deleted) = match self {
            Self::Replace(entries) => (entries, None),
            Self::Change { update, delete, .. } => (update, Some(delete)),
        };
        let linked = entries.iter().filter_map(|entry| match entry {
            Entry::Key(key, path) => Some((key, path.as_str())),
            Entry::Item(_) => None,
        });
        let deleted = deleted.into_iter().flatten();
        linked
            .chain(deleted.map(|(key, path)| (key, path.as_str())))
            .collect()
    }
}

fn cannot_hold(collection: &Collection, name: &str, value: &Value) -> Problem {
    let message = format!(
        "\"{name}\" of \"{}\" cannot hold {value} any more: the field was changed since.",
        collection.name
    );
    Problem::new(&UNPROCESSABLE_CONTENT, message)
        .with("collection", collection.name.as_str())
        .with("field", name)
        .hint("Change the field back first, or skip what is in conflict.")
}
