//! The permissions as they are stored, by policy.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use loggia_model::{Collection, Filter, Problems, Record};
use serde_json::Value;

use crate::variables::{self, Varies};

/// What can be done with items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Make new ones.
    Create,
    /// See them.
    Read,
    /// Change them.
    Update,
    /// Remove them.
    Delete,
    /// Hand them out by link.
    Share,
    /// Publish their drafts.
    Publish,
}

impl Action {
    /// All of them, by the names that permissions use.
    pub const ALL: [(&'static str, Self); 6] = [
        ("create", Self::Create),
        ("read", Self::Read),
        ("update", Self::Update),
        ("delete", Self::Delete),
        ("share", Self::Share),
        ("publish", Self::Publish),
    ];

    /// By name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, action)| action)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, action)| *action == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether items that are there already are looked at: all but the making of new ones.
    pub(crate) fn has_items(self) -> bool {
        self != Self::Create
    }
}

/// A row of `directus_permissions`: one thing that a policy allows.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The policy.
    pub policy: String,
    /// The collection's name; `*`: every collection but the system's own.
    pub collection: String,
    /// What is allowed.
    pub action: Action,
    /// On which items, as a filter; null: on all.
    pub items: Value,
    /// What written values must match, as a filter; null: anything.
    pub validation: Value,
    /// Values that are filled in when they are not given.
    pub presets: Record,
    /// Which fields; `*` among them: all; none: none but the primary key, which always belongs to them.
    pub fields: Vec<String>,
    /// Only items whose `locale` is one of these; `None`: of all. One of none: nothing is granted.
    pub locales: Option<Vec<String>>,
    /// Only items whose `status` is one of these, in the same way.
    pub statuses: Option<Vec<String>>,
}

impl Permission {
    /// How often what it says changes, because of the variables in it.
    #[must_use]
    pub fn varies(&self) -> Varies {
        let presets = self.presets.values().map(variables::varies).max();
        let filters = variables::varies(&self.items).max(variables::varies(&self.validation));
        filters.max(presets.unwrap_or(Varies::Never))
    }

    /// What must be known of the caller's user, as paths from their row of `directus_users`:
    /// `$CURRENT_USER.department.head` is `department.head`, `$CURRENT_ROLE.name` is `role.name`.
    #[must_use]
    pub fn user_paths(&self) -> BTreeSet<String> {
        let mut paths = BTreeSet::new();
        let values = [&self.items, &self.validation].into_iter();
        for value in values.chain(self.presets.values()) {
            variables::user_paths(value, &mut paths);
        }
        paths
    }
}

/// Every permission there is, as it was read at one moment. Immutable, swapped whole.
#[derive(Debug, Default)]
pub struct Rulebook {
    by_policy: HashMap<String, Vec<Arc<Permission>>>,
}

/// Turns the filters of permissions into conditions: `engine` knows how names are looked up.
pub trait Conditions {
    /// The condition that a filter makes on items of `collection`, with every variable replaced by what it stands for.
    ///
    /// # Errors
    /// When it names what does not exist; the permission then grants nothing.
    fn condition(&self, collection: &Arc<Collection>, filter: &Value) -> Result<Filter, Problems>;

    /// A value with every variable in it replaced by what it stands for.
    fn substituted(&self, value: &Value) -> Value;

    /// A rule on written values, in the same way: nothing passes a test against a variable that stands for nothing.
    fn substituted_rule(&self, rule: &Value) -> Value {
        self.substituted(rule)
    }
}

impl Rulebook {
    /// Puts rows together.
    #[must_use]
    pub fn new(permissions: impl IntoIterator<Item = Permission>) -> Self {
        let mut by_policy: HashMap<String, Vec<Arc<Permission>>> = HashMap::new();
        for permission in permissions {
            let rows = by_policy.entry(permission.policy.clone()).or_default();
            rows.push(Arc::new(permission));
        }
        Self { by_policy }
    }

    /// What a policy allows.
    pub fn of(&self, policy: &str) -> impl Iterator<Item = &Arc<Permission>> {
        self.by_policy.get(policy).into_iter().flatten()
    }

    /// What must be known of a caller's user to say what these policies allow: [`Permission::user_paths`] of all of them.
    #[must_use]
    pub fn user_paths<'a>(&self, policies: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let permissions = policies.into_iter().flat_map(|policy| self.of(policy));
        permissions
            .flat_map(|permission| permission.user_paths())
            .collect()
    }
}
