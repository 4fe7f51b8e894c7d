//! What one caller may do under one snapshot of the schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_model::validation::{Candidate, Examined, Extent};
use loggia_model::{Collection, Field, Filter, Problem, Problems, Record, Schema};

use crate::table::Table;
use crate::{Action, Broken, Caller, Conditions, RuleSet, Rulebook, outline};

/// What one caller may do under one snapshot of the schema: every permission compiled, every variable replaced. Made by
/// `engine` for each request out of cached parts; cheap to clone.
#[derive(Clone, Debug)]
pub struct Grants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    caller: Caller,
    /// What each layer grants that does not grant everything; `None`: there is no such layer.
    layers: Option<Vec<RuleSet>>,
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
        let claims = caller.claims();
        let app = claims.app_access && claims.user.is_some();
        let narrow = claims.layers.iter().filter(|layer| !layer.admin);
        let sets = narrow.map(|layer| RuleSet::compile(&layer.policies, app, schema, rulebook, conditions));
        Self::assemble(caller, sets)
    }

    /// Puts together what was compiled for each layer of the caller that does not allow everything, in their order.
    /// Where one is missing, nothing is granted.
    #[must_use]
    pub fn assemble(caller: &Caller, sets: impl IntoIterator<Item = RuleSet>) -> Self {
        let layers = (!caller.is_admin()).then(|| {
            let narrow = caller.claims().layers.iter().filter(|layer| !layer.admin).count();
            let mut sets: Vec<_> = sets.into_iter().collect();
            if sets.len() < narrow || sets.is_empty() {
                sets.push(RuleSet::default());
            }
            sets
        });
        Self(Arc::new(Inner {
            caller: caller.clone(),
            layers,
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
        self.0.layers.is_none()
    }

    /// The permissions that cannot be compiled and so grant nothing.
    pub fn broken(&self) -> impl Iterator<Item = Broken> {
        self.layers().iter().flat_map(RuleSet::broken)
    }

    /// Whether the caller may know that a collection exists: the one place that says so, for errors, suggestions,
    /// schemas and tool lists alike. True where any action is granted on it.
    #[must_use]
    pub fn sees(&self, collection: &Collection) -> bool {
        Action::ALL
            .into_iter()
            .any(|(_, action)| self.may(action, collection))
    }

    /// Whether an action is granted on some item of a collection.
    #[must_use]
    pub fn may(&self, action: Action, collection: &Collection) -> bool {
        !is_closed(action, collection) && self.each(action, collection).all(|table| table.is_some())
    }

    /// Whether an action is granted on every item, whatever it holds.
    #[must_use]
    pub fn everywhere(&self, action: Action, collection: &Collection) -> bool {
        if is_closed(action, collection) {
            return false;
        }
        let mut each = self.each(action, collection);
        each.all(|table| table.is_some_and(|table| matches!(table.rows, Filter::All)))
    }

    /// Whether every item of a collection is read whole: nothing that happens to them is hidden.
    #[must_use]
    pub fn reads_whole(&self, collection: &Collection) -> bool {
        let shown = |table: &Table, field: &str| matches!(table.case(field), Some(None));
        let mut each = self.each(Action::Read, collection);
        each.all(|table| {
            table.is_some_and(|table| {
                matches!(table.rows, Filter::All) && collection.fields.keys().all(|field| shown(table, field))
            })
        })
    }

    /// The fields that an action may touch on some item; none where the action is not granted.
    #[must_use]
    pub fn fields(&self, action: Action, collection: &Collection) -> Fields {
        let mut fields = Fields::All;
        for table in self.each(action, collection) {
            let granted = table.map_or_else(|| Some(BTreeSet::new()), Table::fields);
            fields = match (fields, granted) {
                (fields, None) => fields,
                (Fields::All, Some(granted)) => Fields::Some(granted),
                (Fields::Some(fields), Some(granted)) => {
                    Fields::Some(fields.intersection(&granted).cloned().collect())
                }
            };
        }
        fields
    }

    /// Whether an action may touch a field on some item: [`Grants::fields`] without making the set.
    #[must_use]
    pub fn may_touch(&self, action: Action, collection: &Collection, field: &Field) -> bool {
        self.each(action, collection)
            .all(|table| table.is_some_and(|table| table.grants(&field.name)))
    }

    /// What is filled into an item that is created or updated and does not name the field; of several permissions, the
    /// first one wins.
    #[must_use]
    pub fn presets(&self, action: Action, collection: &Collection) -> Record {
        let mut presets = Record::new();
        for (name, value) in self
            .each(action, collection)
            .flatten()
            .flat_map(|table| &table.presets)
        {
            presets.entry(name).or_insert_with(|| value.clone());
        }
        presets
    }

    /// What must be known of an item, to say whether it may be written: [`Grants::check_item`] looks at no more.
    #[must_use]
    pub fn examined(&self, action: Action, collection: &Collection) -> Examined {
        let mut examined = Examined::default();
        for table in self.each(action, collection).flatten() {
            examined.extend(&table.examined);
        }
        examined
    }

    /// The items on which an item may be written as it is going to be, of which the caller gave `given`; presets need no
    /// grant. A permission takes part when the item passes its validation, and every field given needs one that grants it
    /// on that very item. Of a new item the condition must hold once it exists: [`decide_created`]. Where something of
    /// the item is not known yet, ask again once it is.
    ///
    /// [`decide_created`]: crate::decide_created
    ///
    /// # Errors
    /// A field that no permission grants, and what the validation of those says that would grant it. Paths are field
    /// names.
    pub fn check_item(
        &self,
        action: Action,
        collection: &Collection,
        item: &Candidate,
        given: &BTreeSet<String>,
    ) -> Result<Filter, Problems> {
        let (mut filter, mut problems) = (Filter::All, Problems::default());
        for table in self.each(action, collection) {
            let table = table.ok_or_else(Problem::forbidden)?;
            match table.check(action, collection, item, given) {
                Ok(on) => filter = filter.and(on),
                Err(more) => {
                    let new = more.0.into_iter().filter(|problem| !problems.0.contains(problem));
                    let new: Vec<_> = new.collect();
                    problems.0.extend(new);
                }
            }
        }
        problems.or(filter)
    }

    /// [`Grants::check_item`] of values as they are stored: all that is written of an item, constants of columns apart.
    ///
    /// # Errors
    /// As [`Grants::check_item`].
    pub fn check(
        &self,
        action: Action,
        collection: &Collection,
        values: &Record,
        given: &BTreeSet<String>,
        extent: Extent,
    ) -> Result<Filter, Problems> {
        let examined = self.examined(action, collection);
        let known = |name: &str| examined.0.contains_key(name);
        let values = values.iter().filter(|(name, _)| known(name));
        let mut item = Candidate {
            extent,
            values: values
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            ..Candidate::default()
        };
        if extent == Extent::Whole {
            item.fill(collection, known);
        }
        self.check_item(action, collection, &item, given)
    }

    /// The same for callers with the same rights: what lists of tools and schemas may be kept under. Item filters do
    /// not count, only actions, collections and fields, and which fields are filled in.
    #[must_use]
    pub fn outline(&self) -> u64 {
        outline::of_layers(self.layers().iter().map(RuleSet::outline))
    }

    /// What each layer grants that does not grant everything.
    pub(crate) fn each(
        &self,
        action: Action,
        collection: &Collection,
    ) -> impl Iterator<Item = Option<&Table>> {
        let layers = self.layers().iter();
        layers.map(move |set| set.table(action, &collection.name))
    }

    fn layers(&self) -> &[RuleSet] {
        self.0.layers.as_deref().unwrap_or_default()
    }
}

/// Whether nobody at all can do this, administrators included.
pub(crate) fn is_closed(action: Action, collection: &Collection) -> bool {
    action != Action::Read && collection.read_only().is_some()
}

/// The collections that the caller may read anything of.
pub fn may_read<'a>(grants: &'a Grants, schema: &'a Schema) -> impl Iterator<Item = &'a Arc<Collection>> {
    schema
        .collections
        .values()
        .filter(move |collection| grants.may(Action::Read, collection))
}
