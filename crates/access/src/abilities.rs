//! What a caller may do with one item: decided by the item's own values, in one question to the database.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::{Collection, Filter, Record};

use crate::table::Case;
use crate::{Action, Fields, Grants, Permit};

/// The actions that are asked about.
const ASKED: [Action; 4] = [Action::Update, Action::Delete, Action::Share, Action::Publish];

/// What may be done with one item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// The fields that may be changed, and what is filled in then; `None`: it may not be changed.
    pub update: Option<Changeable>,
    /// Whether it may be deleted.
    pub delete: bool,
    /// Whether it may be handed out by link.
    pub share: bool,
    /// Whether its drafts may be published.
    pub publish: bool,
}

/// What of an item may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changeable {
    /// These fields.
    pub fields: Fields,
    /// What is filled in where it is not given.
    pub presets: Record,
}

/// The question what may be done with one item.
#[derive(Debug)]
pub struct AbilitiesQuestion<'g> {
    grants: &'g Grants,
    collection: &'g Arc<Collection>,
    /// Conditions under which fields may be changed, each once.
    cases: Vec<Arc<Filter>>,
    /// Each field that may be changed, and on which of the conditions.
    fields: Vec<(&'g str, Option<usize>)>,
}

impl<'g> AbilitiesQuestion<'g> {
    /// About items of a collection.
    #[must_use]
    pub fn new(grants: &'g Grants, collection: &'g Arc<Collection>) -> Self {
        let mut question = Self {
            grants,
            collection,
            cases: Vec::new(),
            fields: Vec::new(),
        };
        for name in collection.fields.keys() {
            if let Some(case) = question.case(name) {
                let case = case.map(|case| question.position(case));
                question.fields.push((name, case));
            }
        }
        question
    }

    /// Where a field may be changed; `None`: nowhere.
    fn case(&self, field: &str) -> Option<Case> {
        let mut both: Case = None;
        for table in self.grants.each(Action::Update, self.collection) {
            both = match (both, table?.case(field)?) {
                (case, None) | (None, case) => case,
                (Some(left), Some(right)) => Some(Arc::new(Filter::clone(&left).and(Filter::clone(&right)))),
            };
        }
        Some(both)
    }

    fn position(&mut self, case: Arc<Filter>) -> usize {
        let known = self.cases.iter().position(|known| Arc::ptr_eq(known, &case));
        known.unwrap_or_else(|| {
            self.cases.push(case);
            self.cases.len() - 1
        })
    }

    /// Where an action is granted; `None`: nowhere.
    fn rows(&self, action: Action) -> Option<Filter> {
        let mut tables = self.grants.each(action, self.collection);
        tables.try_fold(Filter::All, |rows, table| Some(rows.and(table?.rows.clone())))
    }

    /// The read that answers it for one item. It shows nothing of the item but its key, where a condition holds; whether
    /// the caller sees the item does not matter: what may be done with it may be done blindly.
    #[must_use]
    pub fn permit(&self, item: Filter) -> Permit<Plan> {
        let mut select = Vec::new();
        if let Some(key) = &self.collection.primary {
            let mut when = |alias: String, filter: Filter| {
                let when = (!matches!(filter, Filter::All)).then(|| Arc::new(filter));
                let source = Source::Field(key.clone());
                select.push(Selected {
                    when,
                    ..Selected::new(alias, source)
                });
            };
            for action in ASKED {
                if let Some(rows) = self.rows(action) {
                    when(action.name().to_owned(), rows);
                }
            }
            for (i, case) in self.cases.iter().enumerate() {
                when(case_name(i), Filter::clone(case));
            }
        }
        Permit::granted(Plan::Read(ReadPlan {
            collection: self.collection.clone(),
            select,
            filter: item,
            sort: Vec::new(),
            limit: Some(1),
            offset: 0,
        }))
    }

    /// What the read says; `None`: there is no such item, with which nothing may be done.
    #[must_use]
    pub fn answer(&self, row: Option<&Record>) -> Abilities {
        let holds = |name: &str| row.is_some_and(|row| row.get(name).is_some_and(|key| !key.is_null()));
        Abilities {
            update: holds(Action::Update.name()).then(|| {
                let on_it = |case: &Option<usize>| case.is_none_or(|case| holds(&case_name(case)));
                let fields = self.fields.iter().filter(|(_, case)| on_it(case));
                self.changeable(
                    Action::Update,
                    fields.map(|(name, _)| (*name).to_owned()).collect(),
                )
            }),
            delete: holds(Action::Delete.name()),
            share: holds(Action::Share.name()),
            publish: holds(Action::Publish.name()),
        }
    }

    /// Of a singleton that was never written: changing it makes it.
    #[must_use]
    pub fn unwritten(&self) -> Abilities {
        let fields = || match self.grants.fields(Action::Create, self.collection) {
            Fields::All => self.collection.fields.keys().cloned().collect(),
            Fields::Some(names) => names,
        };
        let may = self.grants.may(Action::Create, self.collection);
        Abilities {
            update: may.then(|| self.changeable(Action::Create, fields())),
            ..Abilities::default()
        }
    }

    fn changeable(&self, action: Action, fields: BTreeSet<String>) -> Changeable {
        let all = fields.len() == self.collection.fields.len();
        Changeable {
            fields: if all { Fields::All } else { Fields::Some(fields) },
            presets: self.grants.presets(action, self.collection),
        }
    }
}

fn case_name(i: usize) -> String {
    format!("case {i}")
}
