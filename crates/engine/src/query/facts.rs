//! What is known of the caller's user: what `$CURRENT_USER.department.head` and `$CURRENT_ROLE.name` stand for in
//! permissions.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use loggia_model::plan::{ReadPlan, Source};
use loggia_model::{Collection, Link, Query, Record, Schema};
use serde_json::Value;

use super::{Resolver, is_secret};

/// Steps of one path.
const MOST_STEPS: usize = 10;

/// What paths from the caller's user lead to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    values: HashMap<String, Known>,
}

/// One path.
#[derive(Clone, Debug)]
struct Known {
    /// What is read for it: of an item that it leads to, the key.
    read: String,
    fact: Fact,
}

/// What one path leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// One value; null: none.
    One(Value),
    /// As many as there are.
    Many(Vec<Value>),
    /// It cannot be told: what names it cannot be applied.
    Unreadable,
}

impl Facts {
    /// What is known while nothing was read: of each path only whether it leads to one value or to many.
    pub(crate) fn unread(schema: &Schema, paths: &BTreeSet<String>) -> Self {
        let values = paths.iter().filter_map(|path| {
            let (read, shape) = shape(schema, path)?;
            let fact = match shape {
                Shape::One => Fact::One(Value::Null),
                Shape::Many => Fact::Many(Vec::new()),
            };
            Some((path.clone(), Known { read, fact }))
        });
        Self {
            values: values.collect(),
        }
    }

    /// The same paths of somebody who did not sign in: there is no user to start from.
    pub(crate) fn of_nobody(&self) -> Self {
        self.all(&Fact::One(Value::Null))
    }

    /// The same paths where the caller's user cannot be read.
    pub(crate) fn unreadable(&self) -> Self {
        self.all(&Fact::Unreadable)
    }

    fn all(&self, fact: &Fact) -> Self {
        let mut all = self.clone();
        for known in all.values.values_mut() {
            known.fact = fact.clone();
        }
        all
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What `$CURRENT_USER.path` stands for, by the text of the variable; `None`: nothing that is known.
    pub(super) fn of_variable(&self, text: &str) -> Option<&Fact> {
        let known = match text.strip_prefix("$CURRENT_USER.") {
            Some(path) => self.values.get(path),
            None => {
                let path = text.strip_prefix("$CURRENT_ROLE.")?;
                self.values.get(&format!("role.{path}"))
            }
        };
        known.map(|known| &known.fact)
    }

    /// The same paths, with what a row of the user says of them.
    pub(crate) fn read(&self, row: &Record) -> Self {
        let row = Value::Object(row.clone());
        let mut facts = self.clone();
        for known in facts.values.values_mut() {
            let mut found = Vec::new();
            let steps: Vec<_> = known.read.split('.').map(bare).collect();
            collect(&row, &steps, &mut found);
            // Nothing can be compared with an object, and to leave it out would be to compare with less than there is.
            known.fact = match &known.fact {
                _ if found.iter().any(Value::is_object) => Fact::Unreadable,
                Fact::Many(_) => Fact::Many(found),
                Fact::One(_) => Fact::One(found.into_iter().next().unwrap_or_default()),
                Fact::Unreadable => Fact::Unreadable,
            };
        }
        facts
    }
}

impl Resolver<'_> {
    /// The read of the caller's user that says what these paths lead to; `None`: they cannot be read.
    pub(crate) fn facts_plan(&self, unread: &Facts, user: &str) -> Option<ReadPlan> {
        let users = self.schema.collection("directus_users")?;
        let primary = users.primary.as_ref()?;
        let query = Query {
            fields: Some(unread.values.values().map(|known| known.read.clone()).collect()),
            ..Query::default()
        };
        // Of an image, which is an object, no fact is made.
        let (mut plan, _) = self.read(users, &query).ok()?;
        all_of(&mut plan);
        let column = primary.column.as_ref()?;
        let key = primary.ty.parse(&Value::from(user), column).ok()?;
        plan.filter = loggia_model::Filter::field(primary, loggia_model::filter::Test::Equal(key));
        plan.sort = Vec::new();
        Some(plan)
    }
}

/// Lists are read whole: a permission that knew only the first of one's teams would be wrong.
fn all_of(plan: &mut ReadPlan) {
    plan.limit = None;
    for selected in &mut plan.select {
        if let Source::Related(related) = &mut selected.source {
            related.plans.iter_mut().for_each(all_of);
        }
    }
}

/// What a path can lead to.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    One,
    Many,
}

/// What has to be read for a path from a user, and where it leads; `None`: nowhere, or to a secret.
fn shape(schema: &Schema, path: &str) -> Option<(String, Shape)> {
    let mut here: Option<Arc<Collection>> = schema.collection("directus_users").cloned();
    let mut shape = Shape::One;
    let steps: Vec<_> = path.split('.').collect();
    if steps.len() > MOST_STEPS {
        return None;
    }
    for (i, step) in steps.iter().enumerate() {
        let collection = here.take()?;
        let field = collection.field(bare(step))?;
        let last = i + 1 == steps.len();
        let target = step.split_once(':').map(|(_, target)| target);
        match schema.link(&collection.name, &field.name) {
            Some(Link::ToMany { target, .. }) => {
                shape = Shape::Many;
                here = Some(target);
            }
            Some(Link::ToOne { target, .. }) => here = Some(target),
            Some(Link::ToAny { targets, .. }) if !last => {
                here = targets
                    .into_iter()
                    .find(|known| Some(known.name.as_str()) == target);
            }
            Some(Link::ToAny { .. }) => {}
            None if !last || field.is_alias() || is_secret(field) => return None,
            None if matches!(field.ty.name(), "csv" | "json") => shape = Shape::Many,
            None => {}
        }
    }
    // An item is compared by its key, also where another path leads further.
    let key = here.and_then(|target| Some(format!("{path}.{}", target.primary.as_ref()?.name)));
    Some((key.unwrap_or_else(|| path.to_owned()), shape))
}

/// A step without the collection that it names.
fn bare(step: &str) -> &str {
    step.split(':').next().unwrap_or(step)
}

/// Everything at the end of a path.
fn collect(value: &Value, steps: &[&str], found: &mut Vec<Value>) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| collect(entry, steps, found)),
        Value::Null => {}
        Value::Object(members) => {
            if let Some((first, rest)) = steps.split_first() {
                // The resolver keeps the collection in the member's name where the path names one.
                let member = members.get(*first);
                member.into_iter().for_each(|member| collect(member, rest, found));
            } else {
                found.push(value.clone());
            }
        }
        value if steps.is_empty() => found.push(value.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_one_value_or_to_many_and_never_to_secrets() {
        let schema = loggia_model::system::schema();
        let check = |path: &str, expect: Option<Shape>| {
            let shape = shape(&schema, path).map(|(_, shape)| shape);
            assert!(shape == expect, "{path}");
        };
        check("email", Some(Shape::One));
        check("role.name", Some(Shape::One));
        check("role.parent.name", Some(Shape::One));
        check("tags", Some(Shape::Many));
        check("policies.policy.name", Some(Shape::Many));
        check("password", None);
        check("token", None);
        check("nothing", None);
        check("role.nothing", None);
        check("email.nothing", None);
        check("", None);
    }
}
