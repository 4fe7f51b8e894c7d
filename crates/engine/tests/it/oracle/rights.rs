//! Who may write what, read plainly: each layer has to grant it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions::Evaluation;
use super::copy::{Copy, Item};
use super::validation::{Proposed, passes};
use super::world::{Permission, Row, Who};

/// Somebody's permissions.
#[derive(Clone, Copy)]
pub(super) struct Rights<'w> {
    pub(super) permissions: &'w [Permission],
    pub(super) who: &'w Who,
}

/// Of each of these sets, one permission has to let the item.
pub(super) type Needed<'w> = Vec<Vec<&'w Permission>>;

impl<'w> Rights<'w> {
    /// What each layer says of an action on a collection.
    fn layers(self, action: &str, collection: &str) -> Vec<Vec<&'w Permission>> {
        let layers = self.who.layers.iter().flatten();
        layers
            .map(|policies| {
                let of = |policy: &usize| {
                    let mine = [*policy];
                    let permissions = self.permissions.iter();
                    let some =
                        permissions.filter(move |permission| permission.is_for(action, collection, &mine));
                    some.collect::<Vec<_>>()
                };
                policies.iter().flat_map(of).collect()
            })
            .collect()
    }

    pub(super) fn may(self, action: &str, collection: &str) -> bool {
        let layers = self.layers(action, collection);
        layers.iter().all(|permissions| !permissions.is_empty())
    }

    /// Whether somebody may know of a collection.
    pub(super) fn sees(self, collection: &str) -> bool {
        let mut actions = ["create", "read", "update", "delete"].into_iter();
        actions.any(|action| self.may(action, collection))
    }

    pub(super) fn touches(self, action: &str, collection: &str, field: &str) -> bool {
        let layers = self.layers(action, collection);
        let mut layers = layers.iter();
        layers.all(|permissions| permissions.iter().any(|permission| permission.grants(field)))
    }

    /// What is filled in; the first permission wins.
    pub(super) fn presets(self, action: &str, collection: &str) -> Row {
        let mut presets = Row::new();
        for permission in self.layers(action, collection).into_iter().flatten() {
            for (name, value) in permission.presets.as_object().into_iter().flatten() {
                presets.entry(name.clone()).or_insert_with(|| value.clone());
            }
            for (field, values) in permission.limits() {
                if let (true, [only]) = (action == "create", values.as_slice()) {
                    presets.entry(field).or_insert_with(|| only.clone().into());
                }
            }
        }
        presets
    }

    /// What it takes to write an item so; `None`: it must not be.
    pub(super) fn needed(
        self,
        action: &str,
        item: &Proposed,
        given: &BTreeSet<String>,
        now: &Copy,
    ) -> Option<Needed<'w>> {
        let mut needed = Vec::new();
        for permissions in self.layers(action, &item.collection) {
            let part = |permission: &&Permission| {
                passes(&permission.validation, item, now, self.who) && within(permission, item)
            };
            let mut fields = given.iter().filter(|field| *field != "id").peekable();
            if fields.peek().is_none() {
                needed.push(permissions.iter().copied().filter(part).collect());
            }
            for field in fields {
                let granting = permissions.iter().copied();
                let granting = granting
                    .filter(|permission| permission.grants(field))
                    .filter(part);
                needed.push(granting.collect::<Vec<_>>());
            }
        }
        needed.iter().all(|set| !set.is_empty()).then_some(needed)
    }

    /// What it takes to touch an item at all.
    pub(super) fn any(self, action: &str, collection: &str) -> Option<Needed<'w>> {
        let layers = self.layers(action, collection);
        layers
            .iter()
            .all(|permissions| !permissions.is_empty())
            .then_some(layers)
    }

    /// Whether an item is such as is needed.
    pub(super) fn hold(
        self,
        needed: &Needed<'_>,
        action: &str,
        copy: &Copy,
        collection: &str,
        key: &Value,
    ) -> bool {
        let Some(table) = copy.table(collection) else {
            return false;
        };
        let Some(row) = table.rows.iter().find(|row| row.values["id"] == *key) else {
            return false;
        };
        let on = Evaluation::new(copy, self.who);
        let lets = |permission: &&Permission, row: &Item| {
            (action == "create" || permission.limits_let(&row.values))
                && (permission.items.is_null() || on.matches(table, Some(row), &permission.items))
        };
        needed
            .iter()
            .all(|set| set.iter().any(|permission| lets(permission, row)))
    }
}

/// Whether the values that are written are within the limits of a permission.
fn within(permission: &Permission, item: &Proposed) -> bool {
    permission.limits().all(|(field, values)| {
        match item.values.get(field).filter(|_| item.chosen.contains(field)) {
            None => !item.whole,
            Some(value) => values.iter().any(|allowed| value == allowed.as_str()),
        }
    })
}
