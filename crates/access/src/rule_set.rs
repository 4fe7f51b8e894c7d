//! The permissions of one layer, compiled under one snapshot of the schema.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::{Collection, Problem, Problems, Schema};

use crate::outline;
use crate::soundness::sound;
use crate::table::{Group, Table};
use crate::{Action, Conditions, Permission, Rulebook, Varies, builtin};

/// What the policies of one layer allow, compiled under one snapshot of the schema. Immutable and cheap to clone: made
/// to be kept, and [renewed](RuleSet::renewed) where its permissions have variables.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// By how often they change.
    parts: [Arc<Part>; 3],
    /// What was broken from the start.
    unsound: Arc<Vec<Broken>>,
}

/// A permission that cannot be compiled, and so grants nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The policy that it belongs to.
    pub policy: String,
    /// The collection as the permission names it.
    pub collection: String,
    /// The action.
    pub action: Action,
    /// Why.
    pub problems: Problems,
}

/// Groups that change equally often.
#[derive(Debug, Default)]
struct Part {
    groups: Arc<Vec<Group>>,
    tables: HashMap<String, Actions>,
    broken: Vec<(Arc<Permission>, Problems)>,
    outline: OnceLock<u64>,
}

/// What is granted of one collection, by action.
#[derive(Debug, Default)]
struct Actions([Option<Box<Table>>; Action::ALL.len()]);

impl RuleSet {
    /// Compiles the policies of one layer. `app`: of somebody who may use the Studio, and so sees who they are.
    #[must_use]
    pub fn compile(
        policies: &[String],
        app: bool,
        schema: &Schema,
        rulebook: &Rulebook,
        conditions: &dyn Conditions,
    ) -> Self {
        let mut grouping = Grouping::new(schema);
        if app {
            builtin::permissions()
                .iter()
                .for_each(|permission| grouping.add(permission));
        }
        for permission in policies.iter().flat_map(|policy| rulebook.of(policy)) {
            grouping.add(permission);
        }
        let Grouping { groups, unsound, .. } = grouping;
        let mut parts: [Vec<Group>; 3] = Default::default();
        for group in groups.into_values() {
            let varies = group
                .permissions
                .iter()
                .map(|permission| permission.varies())
                .max();
            parts[varies.unwrap_or_default() as usize].push(group);
        }
        Self {
            parts: parts.map(|groups| Arc::new(Part::compile(Arc::new(groups), conditions))),
            unsound: Arc::new(unsound),
        }
    }

    /// How often it has to be renewed.
    #[must_use]
    pub fn varies(&self) -> Varies {
        [Varies::ByMoment, Varies::ByCaller]
            .into_iter()
            .find(|varies| !self.parts[*varies as usize].groups.is_empty())
            .unwrap_or_default()
    }

    /// The same policies with the variables of now: what changes as often as `from` says, or more often, is compiled
    /// again, the rest is kept.
    #[must_use]
    pub fn renewed(&self, from: Varies, conditions: &dyn Conditions) -> Self {
        let mut renewed = self.clone();
        for part in renewed.parts.iter_mut().skip(from as usize) {
            if !part.groups.is_empty() {
                *part = Arc::new(Part::compile(part.groups.clone(), conditions));
            }
        }
        renewed
    }

    /// The permissions that cannot be compiled.
    pub fn broken(&self) -> impl Iterator<Item = Broken> {
        let groups = || self.parts.iter().flat_map(|part| part.groups.iter());
        let failed = || self.parts.iter().flat_map(|part| &part.broken);
        let mut seen = HashSet::new();
        let broken: Vec<_> = failed()
            .filter(|(permission, _)| {
                let same = |other: &&Arc<Permission>| Arc::ptr_eq(permission, other);
                let tried = groups().flat_map(|group| &group.permissions).filter(same).count();
                let failures = failed().map(|(other, _)| other).filter(same).count();
                // A permission for every collection may well suit only some of them.
                (permission.collection != "*" || failures == tried) && seen.insert(Arc::as_ptr(permission))
            })
            .map(|(permission, problems)| Broken::new(permission, problems.clone()))
            .collect();
        self.unsound.iter().cloned().chain(broken)
    }

    /// What is granted of an action on a collection.
    pub(crate) fn table(&self, action: Action, collection: &str) -> Option<&Table> {
        self.parts
            .iter()
            .find_map(|part| part.tables.get(collection)?.0[action as usize].as_deref())
    }

    /// The same for sets that grant the same, items apart.
    pub(crate) fn outline(&self) -> u64 {
        self.parts
            .iter()
            .fold(0, |sum, part| sum.wrapping_add(part.outline()))
    }
}

impl Part {
    fn compile(groups: Arc<Vec<Group>>, conditions: &dyn Conditions) -> Self {
        let (mut tables, mut broken) = (HashMap::<String, Actions>::new(), Vec::new());
        for group in groups.iter() {
            if let Some(table) = Table::compile(group, conditions, &mut broken) {
                let name = &group.collection.name;
                if !tables.contains_key(name) {
                    tables.insert(name.clone(), Actions::default());
                }
                if let Some(actions) = tables.get_mut(name) {
                    actions.0[group.action as usize] = Some(Box::new(table));
                }
            }
        }
        Self {
            groups,
            tables,
            broken,
            outline: OnceLock::new(),
        }
    }

    fn outline(&self) -> u64 {
        *self.outline.get_or_init(|| {
            let tables = self.tables.iter().flat_map(|(collection, actions)| {
                let granted = Action::ALL.into_iter().zip(&actions.0);
                granted.filter_map(move |((_, action), table)| Some((collection, action, table.as_deref()?)))
            });
            tables.fold(0, |sum, (collection, action, table)| {
                sum.wrapping_add(outline::of_table(collection, action, table))
            })
        })
    }
}

impl Broken {
    fn new(permission: &Permission, problems: impl Into<Problems>) -> Self {
        Self {
            policy: permission.policy.clone(),
            collection: permission.collection.clone(),
            action: permission.action,
            problems: problems.into(),
        }
    }
}

/// Permissions on their way to what is compiled together.
struct Grouping<'s> {
    schema: &'s Schema,
    groups: HashMap<(Action, &'s str), Group>,
    unsound: Vec<Broken>,
}

impl<'s> Grouping<'s> {
    fn new(schema: &'s Schema) -> Self {
        Self {
            schema,
            groups: HashMap::new(),
            unsound: Vec::new(),
        }
    }

    fn add(&mut self, permission: &Arc<Permission>) {
        if permission.collection == "*" {
            let all = self.schema.collections.values();
            let mut fits = false;
            for collection in all.filter(|collection| !collection.system && collection.table.is_some()) {
                // A permission for every collection may well suit only some of them.
                if sound(self.schema, collection, &permission.validation).is_ok() {
                    fits = true;
                    self.put(collection, permission);
                }
            }
            if !fits
                && !self
                    .schema
                    .collections
                    .values()
                    .all(|collection| collection.system)
            {
                let message = "It suits none of the collections.";
                self.unsound
                    .push(Broken::new(permission, Problem::new(&INVALID_PAYLOAD, message)));
            }
            return;
        }
        let Some(collection) = self.schema.collection(&permission.collection) else {
            let message = format!("There is no collection \"{}\".", permission.collection);
            let problem = Problem::new(&INVALID_PAYLOAD, message).at("collection");
            self.unsound.push(Broken::new(permission, problem));
            return;
        };
        match sound(self.schema, collection, &permission.validation) {
            Ok(()) => self.put(collection, permission),
            Err(problems) => self.unsound.push(Broken::new(permission, problems)),
        }
    }

    fn put(&mut self, collection: &'s Arc<Collection>, permission: &Arc<Permission>) {
        if collection.table.is_none() || builtin::is_kept(permission.action, &collection.name) {
            return;
        }
        let group = self
            .groups
            .entry((permission.action, &collection.name))
            .or_insert_with(|| Group {
                action: permission.action,
                collection: collection.clone(),
                permissions: Vec::new(),
            });
        group.permissions.push(permission.clone());
    }
}
