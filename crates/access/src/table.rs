//! One layer's permissions for one action on one collection, compiled together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use loggia_model::error::INVALID_PAYLOAD;
use loggia_model::filter::Test;
use loggia_model::validation::{self, Candidate, Examined, Extent};
use loggia_model::{Collection, Filter, Problem, Problems, Record};
use serde_json::Value;

use crate::variables::left_over;
use crate::{Action, Conditions, Permission};

/// Where a field that is granted is shown; `None`: on every row that is.
pub(crate) type Case = Option<Arc<Filter>>;

/// What is compiled together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) action: Action,
    pub(crate) collection: Arc<Collection>,
    pub(crate) permissions: Vec<Arc<Permission>>,
}

/// What a layer grants of one action on one collection; there is none where it grants nothing.
#[derive(Debug)]
pub(crate) struct Table {
    /// On which rows.
    pub(crate) rows: Filter,
    /// What is filled in.
    pub(crate) presets: Record,
    /// What must be known of an item that is written, to say what of it may be.
    pub(crate) examined: Examined,
    rules: Vec<Rule>,
    /// What the conditions of the rules are, each once.
    conditions: Vec<Filter>,
    /// The fields that some rule names.
    named: HashMap<String, Case>,
    /// All others, where some rule grants all there are.
    others: Option<Case>,
    primary: Option<String>,
}

/// One permission.
#[derive(Debug)]
struct Rule {
    permission: Arc<Permission>,
    /// Its condition: a position in [`Table::conditions`].
    condition: usize,
    /// With every variable replaced.
    validation: Value,
}

/// What `locales` and `statuses` limit: a field, and the values that it may have.
fn limits(permission: &Permission) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
    let limits = [("locale", &permission.locales), ("status", &permission.statuses)];
    let limits = limits.into_iter();
    limits.filter_map(|(field, values)| Some((field, values.as_ref()?)))
}

impl Table {
    /// Compiles a group; notes the permissions that cannot be: they grant nothing.
    pub(crate) fn compile(
        group: &Group,
        conditions: &dyn Conditions,
        broken: &mut Vec<(Arc<Permission>, Problems)>,
    ) -> Option<Self> {
        let mut table = Self {
            rows: Filter::Nothing,
            presets: Record::new(),
            examined: Examined::default(),
            rules: Vec::with_capacity(group.permissions.len()),
            conditions: Vec::new(),
            named: HashMap::new(),
            others: None,
            primary: group.collection.primary.as_ref().map(|key| key.name.clone()),
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        for permission in &group.permissions {
            if let Err(problems) = table.add(group, permission, conditions, &mut known) {
                broken.push((permission.clone(), problems));
            }
        }
        if table.rules.is_empty() {
            return None;
        }
        table.rows = Filter::or_all(table.conditions.clone()).shared();
        table.cases(&group.collection);
        Some(table)
    }

    fn add(
        &mut self,
        group: &Group,
        permission: &Arc<Permission>,
        conditions: &dyn Conditions,
        known: &mut HashMap<String, usize>,
    ) -> Result<(), Problems> {
        let validation = replaced(conditions.substituted_rule(&permission.validation), "validation")?;
        let presets = Value::Object(permission.presets.clone());
        let presets = replaced(conditions.substituted(&presets), "presets")?;
        for (field, values) in limits(permission) {
            stored(&group.collection, field)?;
            if values.is_empty() {
                return Err(none_named(field).into());
            }
        }
        // Permissions with the same condition differ by fields alone.
        let same = if group.action.has_items() {
            format!(
                "{} {:?} {:?}",
                permission.items, permission.locales, permission.statuses
            )
        } else {
            permission.items.to_string()
        };
        let condition = match known.get(&same) {
            Some(condition) => *condition,
            None => {
                let condition = condition(group, permission, conditions)?;
                self.conditions.push(condition.shared());
                known.insert(same, self.conditions.len() - 1);
                self.conditions.len() - 1
            }
        };
        self.fill(group, permission, presets);
        if matches!(group.action, Action::Create | Action::Update) {
            self.examined.add(&validation);
            for (field, _) in limits(permission) {
                self.examined.0.entry(field.to_owned()).or_default();
            }
        }
        self.rules.push(Rule {
            permission: permission.clone(),
            condition,
            validation,
        });
        Ok(())
    }

    /// Of several permissions, the first one wins.
    fn fill(&mut self, group: &Group, permission: &Permission, presets: Value) {
        if let Value::Object(presets) = presets {
            for (name, value) in presets {
                if group.collection.field(&name).is_some() {
                    self.presets.entry(name).or_insert(value);
                }
            }
        }
        if group.action == Action::Create {
            for (field, values) in limits(permission) {
                if let [only] = values.as_slice() {
                    self.presets.entry(field).or_insert_with(|| only.as_str().into());
                }
            }
        }
    }

    /// Says for each field where it is shown. Fields granted by the same conditions share one.
    fn cases(&mut self, collection: &Collection) {
        let mut everything: BTreeSet<usize> = BTreeSet::new();
        let mut by_name: HashMap<&str, BTreeSet<usize>> = HashMap::new();
        for rule in &self.rules {
            for field in &rule.permission.fields {
                if field == "*" {
                    everything.insert(rule.condition);
                } else if collection.field(field).is_some() {
                    by_name.entry(field).or_default().insert(rule.condition);
                }
            }
        }
        let mut shared: BTreeMap<BTreeSet<usize>, Case> = BTreeMap::new();
        let mut case = |granting: BTreeSet<usize>| {
            let conditions = &self.conditions;
            let make = |granting: &BTreeSet<usize>| {
                let filter = any(conditions, granting);
                let everywhere = granting.len() == conditions.len() || matches!(filter, Filter::All);
                (!everywhere).then(|| Arc::new(filter))
            };
            match shared.get(&granting) {
                Some(case) => case.clone(),
                None => {
                    let case = make(&granting);
                    shared.insert(granting, case.clone());
                    case
                }
            }
        };
        let mut named = HashMap::with_capacity(by_name.len());
        for (field, mut granting) in by_name {
            granting.extend(&everything);
            named.insert(field.to_owned(), case(granting));
        }
        let others = (!everything.is_empty()).then(|| case(everything));
        self.named = named;
        self.others = others;
    }

    /// Where a field is shown; `None`: it is not granted. The key of a row that is shown is, too.
    pub(crate) fn case(&self, field: &str) -> Option<Case> {
        if self.primary.as_deref() == Some(field) {
            return Some(None);
        }
        self.named.get(field).cloned().or_else(|| self.others.clone())
    }

    /// Whether a field is granted on some row.
    pub(crate) fn grants(&self, field: &str) -> bool {
        self.others.is_some() || self.primary.as_deref() == Some(field) || self.named.contains_key(field)
    }

    /// The fields granted on some row; `None`: all there are.
    pub(crate) fn fields(&self) -> Option<BTreeSet<String>> {
        let named = self.named.keys().chain(&self.primary);
        self.others.is_none().then(|| named.cloned().collect())
    }

    /// Whether every rule holds for all items.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.conditions
            .iter()
            .all(|condition| matches!(condition, Filter::All))
    }

    /// The rows on which an item may be written: [`crate::Grants::check_item`] for one layer.
    pub(crate) fn check(
        &self,
        action: Action,
        collection: &Collection,
        item: &Candidate,
        given: &BTreeSet<String>,
    ) -> Result<Filter, Problems> {
        let rules = self.rules.iter();
        let failures = rules.map(|rule| rule.failures(action, collection, item));
        let failures: Vec<Vec<Problem>> = failures.collect();
        let mut problems = Problems::default();
        let mut needed: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
        let mut need = |problems: &mut Problems, granting: &mut dyn Iterator<Item = usize>| {
            let (mut conditions, mut reasons) = (BTreeSet::new(), Vec::new());
            for rule in granting {
                if failures[rule].is_empty() {
                    conditions.insert(self.rules[rule].condition);
                } else {
                    reasons.extend(&failures[rule]);
                }
            }
            if conditions.is_empty() {
                note(problems, reasons);
            } else {
                needed.insert(conditions);
            }
        };
        let primary = self.primary.as_deref();
        let mut fields = given
            .iter()
            .filter(|field| Some(field.as_str()) != primary)
            .peekable();
        if fields.peek().is_none() {
            need(&mut problems, &mut (0..self.rules.len()));
        }
        for field in fields {
            if !self.grants(field) {
                problems.push(Problem::forbidden().at(field));
                continue;
            }
            let rules = self.rules.iter().enumerate();
            let mut granting = rules.filter(|(_, rule)| rule.grants(field)).map(|(i, _)| i);
            need(&mut problems, &mut granting);
        }
        let filters = needed.iter().map(|granting| any(&self.conditions, granting));
        problems.or(Filter::and_all(filters.collect()))
    }
}

impl Rule {
    fn grants(&self, field: &str) -> bool {
        let mut fields = self.permission.fields.iter();
        fields.any(|granted| granted == "*" || granted == field)
    }

    /// Why an item does not pass; none: the rule takes part.
    fn failures(&self, action: Action, collection: &Collection, item: &Candidate) -> Vec<Problem> {
        let mut failures = validation::strict_failures(&self.validation, collection, item);
        if matches!(action, Action::Create | Action::Update) {
            for (field, values) in limits(&self.permission) {
                failures.extend(outside(field, values, collection, item));
            }
        }
        failures
    }
}

/// Why a value is not among those allowed. It has to be chosen: what the column gets of itself is no choice.
fn outside(field: &str, values: &[String], collection: &Collection, item: &Candidate) -> Option<Problem> {
    let required = || {
        let shown: Vec<_> = values.iter().map(|value| format!("\"{value}\"")).collect();
        let text = format!("Value has to be one of {}.", shown.join(", "));
        let valid = Some(("valid", Value::from(values.to_vec())));
        validation::failure(field, "required", &text, valid)
    };
    if item.unknown.contains(field) {
        return None;
    }
    match item.values.get(field).filter(|_| !item.filled.contains(field)) {
        None => (item.extent == Extent::Whole).then(required),
        Some(_) => {
            let limit = serde_json::json!({ field: {"_in": values} });
            validation::strict_failures(&limit, collection, item).pop()
        }
    }
}

/// Notes each reason once.
fn note(problems: &mut Problems, reasons: Vec<&Problem>) {
    for reason in reasons {
        if !problems.0.contains(reason) {
            problems.push(reason.clone());
        }
    }
}

/// Any of some conditions.
fn any(conditions: &[Filter], which: &BTreeSet<usize>) -> Filter {
    let some = which
        .iter()
        .filter_map(|condition| conditions.get(*condition).cloned());
    Filter::or_all(some.collect())
}

/// What variables were replaced in.
///
/// # Errors
/// When something else stands there that looks like one: it would be taken for a value.
fn replaced(replaced: Value, what: &str) -> Result<Value, Problems> {
    match left_over(&replaced) {
        None => Ok(replaced),
        Some(variable) => {
            let message = format!("The variable `{variable}` stands for nothing that is known.");
            Err(Problem::new(&INVALID_PAYLOAD, message).at(what).into())
        }
    }
}

/// The items of a permission.
fn condition(
    group: &Group,
    permission: &Permission,
    conditions: &dyn Conditions,
) -> Result<Filter, Problems> {
    let mut filter = match &permission.items {
        Value::Null => Filter::All,
        Value::Object(members) if members.is_empty() => Filter::All,
        items => conditions.condition(&group.collection, items)?,
    };
    if group.action.has_items() {
        for (name, values) in limits(permission) {
            let (field, column) = stored(&group.collection, name)?;
            let mut scalars = Vec::with_capacity(values.len());
            for value in values {
                let scalar = field.ty.parse(&Value::from(value.as_str()), column);
                scalars.push(scalar.map_err(|problem| problem.at(name))?);
            }
            filter = filter.and(Filter::field(field, Test::In(scalars)));
        }
    }
    Ok(filter)
}

/// A limit that names nothing leaves nothing: only one that is left out is no limit.
fn none_named(field: &str) -> Problem {
    let message = "The list is empty, so the permission grants nothing.";
    let hint = "Name at least one value, or leave the list out (null) for no limit.";
    Problem::new(&INVALID_PAYLOAD, message).at(field).hint(hint)
}

/// A field that has a column, for a limit on its values.
fn stored<'c>(
    collection: &'c Collection,
    name: &str,
) -> Result<(&'c Arc<loggia_model::Field>, &'c loggia_model::schema::Column), Problem> {
    let field = collection.field(name);
    field
        .and_then(|field| Some((field, field.column.as_ref()?)))
        .ok_or_else(|| {
            let message = format!(
                "Collection \"{}\" has no field `{name}` to limit.",
                collection.name
            );
            Problem::new(&INVALID_PAYLOAD, message).at(name)
        })
}
