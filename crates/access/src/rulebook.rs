//! The permissions as they are stored, by policy.

use std::collections::HashMap;
use std::sync::Arc;

use loggia_model::{Collection, Filter, Problems, Record};
use serde_json::Value;

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
    /// Which fields; `*` among them: all. The primary key always belongs to them.
    pub fields: Vec<String>,
    /// Only items whose `locale` is one of these.
    pub locales: Option<Vec<String>>,
    /// Only items whose `status` is one of these.
    pub statuses: Option<Vec<String>>,
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
}
