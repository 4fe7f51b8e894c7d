//! Items: reading them, and writing them with everything that is nested in them.
//!
//! Invariants
//! - A read issues one statement for each nested list or object, however many items there are.
//! - A write is checked whole before anything is written: types, lengths, choices, rules, required values, keys that
//!   must exist. Everything that is wrong is reported at once, with its path.
//! - A write is one transaction. What is answered was read again inside it.
//! - Nothing that was sent is dropped: an unknown field is a problem, and a value that is stored differently from how
//!   it was sent is in the [`Receipt`].
//!
//! System collections are read and written by the same functions; what is special about them is in
//! [`crate::system`].

use indexmap::IndexMap;
pub use loggia_journal::Changed;
use loggia_model::{Query, Record};
use serde_json::Value;

mod abilities;
mod allowing;
mod choices;
pub(crate) mod draft;
mod judging;
mod keys;
pub(crate) mod payload;
mod reading;
mod secrets;
mod settling;
pub(crate) mod writer;
mod writing;

pub(crate) use allowing::seen_among_them;
pub(crate) use secrets::conceal;
pub(crate) use settling::{is_stamped, pointing_rightly, stamp};

/// A page of items, or of figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The items, in the order asked for.
    pub rows: Vec<Record>,
    /// How many items there are, if that was asked for.
    pub total_count: Option<u64>,
    /// How many of them match the filter and the search, if that was asked for.
    pub filter_count: Option<u64>,
}

/// Whether a write may delete items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletes {
    /// Wherever the data says so.
    #[default]
    Allowed,
    /// Not at any depth: neither by a nested `delete`, nor by taking items off a list whose relation deletes them.
    /// Taking items off a list whose relation only lets go of them is allowed.
    Refused,
}

/// Which items to change, and how.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each request")]
pub enum Target {
    /// These items, all in the same way.
    Keys {
        /// Their primary keys.
        keys: Vec<Value>,
        /// The change.
        data: Record,
    },
    /// Every item that matches, all in the same way.
    Query {
        /// Its filter and search say which; a limit is kept if it names one.
        query: Query,
        /// The change.
        data: Record,
    },
    /// Each in its own way; every record holds its primary key.
    Each(Vec<Record>),
}

/// Which items to delete.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each request")]
pub enum Selection {
    /// These, by their primary keys.
    Keys(Vec<Value>),
    /// Every item that matches; a limit is kept if it names one.
    Query(Query),
}

/// How to write.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Whether items may go.
    pub deletes: Deletes,
    /// What to answer of the written items, read again before the commit: `fields`, `alias`, `deep`, and `limit` if
    /// only so many are needed. `None`: nothing but their keys.
    pub returning: Option<Query>,
    /// A new item that names nothing but its primary key reserves the key: required values may follow later, and then
    /// all of them must.
    pub reserve_keys: bool,
    /// The tag (`_rev`) that items must still have for the caller, by the text of their keys.
    pub expect: std::collections::HashMap<String, String>,
    /// The same of the one item of a singleton; [`loggia_model::tag::ABSENT`] where it was never written.
    pub expect_one: Option<String>,
}

/// What a write did.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The primary keys of the items written, in the order of the request.
    pub keys: Vec<Value>,
    /// The items as they are now, in the same order, if [`WriteOptions::returning`] asked for them.
    pub rows: Vec<Record>,
    /// What became of what was sent.
    pub receipt: Receipt,
    /// The key of the record of the change; `None`: nothing changed.
    pub change: Option<String>,
}

/// What became of what was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Receipt {
    /// The paths of the values that were written.
    pub applied: Vec<String>,
    /// What was filled in: path and value.
    pub defaulted: Vec<(String, Value)>,
    /// What is stored differently from how it was sent.
    pub coerced: Vec<Coerced>,
    /// How many items changed, by collection.
    pub changed: IndexMap<String, Changed>,
}

impl Receipt {
    /// Counts what the database changed on its own.
    fn add(&mut self, cascaded: IndexMap<String, Changed>) {
        for (collection, more) in cascaded {
            let changed = self.changed.entry(collection).or_default();
            changed.created += more.created;
            changed.updated += more.updated;
            changed.deleted += more.deleted;
        }
    }
}

/// A value that is stored differently from how it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Coerced {
    /// Where.
    pub path: String,
    /// What was sent.
    pub from: Value,
    /// What is stored.
    pub to: Value,
}
