//! What one caller may do under one snapshot of the schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_model::validation::Extent;
use loggia_model::{Collection, Field, Filter, Problems, Record, Schema};

use crate::{Action, Caller, Conditions, Rulebook};

/// What one caller may do under one snapshot of the schema: every permission compiled, every variable replaced. Made by
/// `engine` for each request out of cached parts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Grants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    caller: Caller,
}

/// Which fields an action may touch, on some item at least.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fields {
    /// All there are.
    All,
    /// These, the primary key among them where the action has one.
    Some(BTreeSet<String>),
}

impl Fields {
    /// Whether a field is among them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.contains(name),
        }
    }
}

impl Grants {
    /// Compiles what the rulebook says for a caller.
    #[must_use]
    pub fn compile(
        caller: &Caller,
        schema: &Schema,
        rulebook: &Rulebook,
        conditions: &dyn Conditions,
    ) -> Self {
        let _ = (schema, rulebook, conditions);
        Self(Arc::new(Inner {
            caller: caller.clone(),
        }))
    }

    /// Whose they are.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Whether everything is allowed.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0.caller.is_admin()
    }

    /// Whether the caller may know that a collection exists: the one place that says so, for errors, suggestions,
    /// schemas and tool lists alike. True where any action is granted on it.
    #[must_use]
    pub fn sees(&self, collection: &Collection) -> bool {
        let _ = collection;
        self.is_admin()
    }

    /// Whether an action is granted on some item of a collection.
    #[must_use]
    pub fn may(&self, action: Action, collection: &Collection) -> bool {
        let _ = (action, collection);
        self.is_admin()
    }

    /// The fields that an action may touch on some item; none where the action is not granted.
    #[must_use]
    pub fn fields(&self, action: Action, collection: &Collection) -> Fields {
        let _ = (action, collection);
        if self.is_admin() {
            Fields::All
        } else {
            Fields::Some(BTreeSet::new())
        }
    }

    /// Whether an action may touch a field on some item: [`Grants::fields`] without making the set.
    #[must_use]
    pub fn may_touch(&self, action: Action, collection: &Collection, field: &Field) -> bool {
        self.fields(action, collection).has(&field.name)
    }

    /// What is filled into an item that is created or updated and does not name the field; of several permissions, the
    /// first one wins.
    #[must_use]
    pub fn presets(&self, action: Action, collection: &Collection) -> Record {
        let _ = (action, collection);
        Record::new()
    }

    /// The items on which these values may be written: `sent` (presets included), of which the caller gave `given`;
    /// presets need no grant. A permission takes part when the values pass its validation, and every field given needs
    /// one that grants it on that very item. Of new items nothing is asked: `Filter::All`.
    ///
    /// # Errors
    /// A field that no permission grants, and what the validation of those says that would grant it. Paths are field
    /// names.
    pub fn check(
        &self,
        action: Action,
        collection: &Collection,
        sent: &Record,
        given: &BTreeSet<String>,
        extent: Extent,
    ) -> Result<Filter, Problems> {
        let _ = (action, collection, sent, given, extent);
        Ok(Filter::All)
    }

    /// The same for callers with the same rights: what lists of tools and schemas may be kept under. Item filters do
    /// not count, only actions, collections and fields.
    #[must_use]
    pub fn outline(&self) -> u64 {
        u64::from(self.is_admin())
    }
}

/// The collections that the caller may read anything of.
pub fn may_read<'a>(grants: &'a Grants, schema: &'a Schema) -> impl Iterator<Item = &'a Arc<Collection>> {
    schema
        .collections
        .values()
        .filter(move |collection| grants.may(Action::Read, collection))
}
