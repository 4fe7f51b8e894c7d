//! What taking back came to, as it is answered: the same through every door.

use loggia_model::error::ITEM_CHANGED;
use loggia_model::{Problem, Record};
use serde_json::{Value, json};

use super::load::Done;
use super::{Conflict, NotRestored, Reverted};

impl Conflict {
    /// As it is answered.
    #[must_use]
    pub fn shown(&self) -> Value {
        json!({
            "change": self.change,
            "collection": self.collection,
            "item": self.item,
            "fields": self.fields,
            "what": self.what,
            "now": self.now,
        })
    }

    /// As what is wrong with a request.
    pub(super) fn problem(&self) -> Problem {
        let hint =
            "Nothing was taken back. Look at what is there now, and skip what is in conflict or force it.";
        let problem = Problem::new(&ITEM_CHANGED, &self.what)
            .with("collection", self.collection.as_str())
            .with("item", self.item.as_str())
            .with("change", self.change.as_str())
            .with("fields", self.fields.clone());
        let now = self.now.clone().map_or(Value::Null, Value::Object);
        problem.with("now", now).hint(hint)
    }
}

impl NotRestored {
    /// Fields of one item.
    pub(super) fn of(done: &Done, fields: Vec<String>, what: &str) -> Self {
        Self {
            change: done.change.clone(),
            collection: Some(done.collection.clone()),
            item: Some(done.item.clone()),
            fields,
            items: 1,
            what: what.to_owned(),
        }
    }

    /// Items of which nothing is on record but that something happened to them.
    pub(super) fn unrecorded(change: &str, collection: &str, item: Option<&str>, items: u64) -> Self {
        let what =
            format!("\"{collection}\" kept no revisions then: what was there before is not on record.");
        Self {
            change: change.to_owned(),
            collection: Some(collection.to_owned()),
            item: item.map(str::to_owned),
            fields: Vec::new(),
            items,
            what,
        }
    }

    /// Says that it was on record once.
    pub(super) fn pruned(&mut self) {
        let what = "Its revisions were older than they are kept (`revisions_retention` in the settings): what was there \
                    before is not on record any more.";
        what.clone_into(&mut self.what);
    }

    /// As it is answered.
    #[must_use]
    pub fn shown(&self) -> Value {
        json!({
            "change": self.change,
            "collection": self.collection,
            "item": self.item,
            "fields": self.fields,
            "items": self.items,
            "what": self.what,
        })
    }
}

impl Reverted {
    /// As it is answered.
    #[must_use]
    pub fn shown(&self) -> Value {
        let changed = self.changed.iter().map(|(collection, changed)| {
            let counts =
                json!({"created": changed.created, "updated": changed.updated, "deleted": changed.deleted});
            (collection.clone(), counts)
        });
        json!({
            "change": self.change,
            "reverted": self.reverted,
            "changed": changed.collect::<Record>(),
            "conflicts": self.conflicts.iter().map(Conflict::shown).collect::<Vec<_>>(),
            "not_restored": self.not_restored.iter().map(NotRestored::shown).collect::<Vec<_>>(),
        })
    }
}
