//! What a caller gets to see of the tools.

use std::sync::Arc;

use loggia_access::{Action, Grants};
use loggia_model::Schema;
use serde_json::Value;

use crate::catalogue::Annotations;
use crate::writable::{self, Writable};

/// What a caller gets to see of the tools; everything that their schemas depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// Whether the caller may change the schema.
    pub schema_rights: bool,
    /// What is switched on for this connection.
    pub switches: Switches,
    /// The names of the collections that the caller may know of, in order.
    pub known: Vec<Arc<str>>,
    /// The collections of the project whose items may be created, read, updated and deleted somewhere.
    pub reach: [Vec<Arc<str>>; 4],
    /// The fields that items of these may be written with, where they are few enough to be listed.
    pub writable: Vec<Writable>,
}

/// What can be done with items, in the order in which tools list it.
pub(crate) const ITEM_ACTIONS: [Action; 4] = [Action::Create, Action::Read, Action::Update, Action::Delete];

/// What is switched on for a connection, whoever calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, each asked for on its own"
)]
pub struct Switches {
    /// Whether the address of the connection lets writes through.
    pub address_writes: bool,
    /// Whether the token lets writes through, rather than only proposing them.
    pub token_writes: bool,
    /// Whether assistants may delete.
    pub deletes: bool,
    /// Whether guidance is offered.
    pub guidance: bool,
}

impl Switches {
    /// Whether anything may be written.
    #[must_use]
    pub fn writes(self) -> bool {
        self.address_writes && self.token_writes
    }

    /// Whether an action may be done at all.
    #[must_use]
    pub fn lets(self, action: Action) -> bool {
        match action {
            Action::Read => true,
            Action::Delete => self.writes() && self.deletes,
            _ => self.writes(),
        }
    }
}

impl Surface {
    /// What these grants let a caller see.
    #[must_use]
    pub fn of(grants: &Grants, schema: &Schema, schema_rights: bool, switches: Switches) -> Self {
        let seen = schema.collections.values().filter(|one| grants.sees(one));
        let seen: Vec<_> = seen
            .map(|one| (Arc::<str>::from(one.name.as_str()), one))
            .collect();
        let reach = ITEM_ACTIONS.map(|action| {
            let own = seen.iter().filter(|(_, one)| !one.system && one.table.is_some());
            let may = own.filter(|(_, one)| grants.may(action, one));
            may.map(|(name, _)| name.clone()).collect()
        });
        Self {
            schema_rights,
            switches,
            // Who makes fields writes them at once, and clients keep lists.
            writable: match schema_rights {
                true => Vec::new(),
                false => writable::of(grants, schema, &reach),
            },
            known: seen.into_iter().map(|(name, _)| name).collect(),
            reach,
        }
    }

    /// The actions on items that can succeed somewhere. Who makes collections has them before there are any.
    pub(crate) fn item_actions(&self) -> Vec<Action> {
        let reached = ITEM_ACTIONS.into_iter().zip(&self.reach);
        reached
            .filter(|(action, reach)| {
                self.switches.lets(*action) && (self.schema_rights || !reach.is_empty())
            })
            .map(|(action, _)| action)
            .collect()
    }

    /// The collections of the project whose items an action may touch somewhere.
    pub(crate) fn reach(&self, action: Action) -> &[Arc<str>] {
        let place = ITEM_ACTIONS.iter().position(|known| *known == action);
        place.map_or(&[], |place| &self.reach[place])
    }

    /// The actions of a tool that reads, creates, updates and deletes definitions.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let all = ITEM_ACTIONS.into_iter();
        all.filter(|action| self.switches.lets(*action)).collect()
    }

    /// How careful to be with a tool of [`Surface::actions`].
    pub(crate) fn annotations(&self) -> Annotations {
        careful(&self.actions())
    }
}

/// How careful to be with a tool that has these actions. An update overwrites, so it counts as destructive.
pub(crate) fn careful(actions: &[Action]) -> Annotations {
    let read_only = actions.iter().all(|action| *action == Action::Read);
    Annotations {
        read_only,
        destructive: actions.contains(&Action::Update) || actions.contains(&Action::Delete),
        idempotent: read_only,
        open_world: false,
    }
}

/// The names of actions, as a schema lists them.
pub(crate) fn action_names(actions: &[Action]) -> Value {
    actions.iter().map(|action| action.name()).collect()
}

/// What a tool only reads, wherever it is called.
pub(crate) const READS: Annotations = Annotations {
    read_only: true,
    destructive: false,
    idempotent: true,
    open_world: false,
};

/// More names of collections than this are not listed in a schema.
const NAMES: usize = 60;

/// Longer lists of names, in bytes, are not either.
const NAMES_BYTES: usize = 2_400;

/// Lists names where they are few.
pub(crate) fn enumerate(input: &mut Value, place: &str, names: &[Arc<str>]) {
    let bytes: usize = names.iter().map(|name| name.len() + 3).sum();
    if (1..=NAMES).contains(&names.len())
        && bytes <= NAMES_BYTES
        && let Some(node) = input.pointer_mut(place)
    {
        node["enum"] = names.iter().map(|name| Value::from(&**name)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_or_long_names_are_not_listed() {
        let listed = |count: usize, length: usize| {
            let names: Vec<Arc<str>> = (0..count).map(|i| format!("{i:0length$}").into()).collect();
            let mut input = serde_json::json!({"properties": {"collection": {"type": "string"}}});
            enumerate(&mut input, "/properties/collection", &names);
            input["properties"]["collection"].get("enum").is_some()
        };
        assert!(listed(1, 5) && listed(60, 30));
        assert!(!listed(61, 5) && !listed(40, 60) && !listed(0, 5));
    }
}
