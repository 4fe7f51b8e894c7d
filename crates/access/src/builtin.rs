//! What nobody has to be granted, and what nobody can be granted. Administrators are not asked.

use std::sync::{Arc, LazyLock};

use loggia_model::Record;
use serde_json::{Value, json};

use crate::{Action, Permission};

/// A permission of everybody who may use the Studio.
struct Builtin {
    collection: &'static str,
    action: Action,
    /// The items whose key passes this operator.
    operator: &'static str,
    /// With this variable.
    variable: &'static str,
    fields: &'static [&'static str],
}

/// One's own row, and one's own roles by name.
const BUILTINS: &[Builtin] = &[
    Builtin {
        collection: "directus_users",
        action: Action::Read,
        operator: "_eq",
        variable: "$CURRENT_USER",
        fields: &[
            "id",
            "first_name",
            "last_name",
            "email",
            "avatar",
            "language",
            "appearance",
            "theme_light",
            "theme_dark",
            "theme_light_overrides",
            "theme_dark_overrides",
            "text_direction",
            "role",
            "status",
            "last_access",
            "title",
            "description",
            "location",
            "tags",
            "email_notifications",
        ],
    },
    Builtin {
        collection: "directus_users",
        action: Action::Update,
        operator: "_eq",
        variable: "$CURRENT_USER",
        fields: &[
            "first_name",
            "last_name",
            "avatar",
            "language",
            "appearance",
            "theme_light",
            "theme_dark",
            "theme_light_overrides",
            "theme_dark_overrides",
            "text_direction",
            "password",
            "email_notifications",
            "title",
            "description",
            "location",
            "tags",
        ],
    },
    Builtin {
        collection: "directus_roles",
        action: Action::Read,
        operator: "_in",
        variable: "$CURRENT_ROLES",
        fields: &["id", "name", "icon", "description", "parent"],
    },
];

/// Written by administrators and by the system alone: rights, the data model, and the record of what happened. So is
/// everything whose name starts with [`OURS`].
const UNWRITABLE: &[&str] = &[
    "directus_policies",
    "directus_permissions",
    "directus_access",
    "directus_collections",
    "directus_fields",
    "directus_relations",
    "directus_sessions",
    "directus_activity",
    "directus_revisions",
];

/// Read by administrators alone; everybody else through use cases that show them what is theirs.
const UNREADABLE: &[&str] = &[
    "directus_revisions",
    "directus_activity",
    "directus_sessions",
    "loggia_changes",
    "loggia_prunings",
    "loggia_tokens",
];

const OURS: &str = "loggia_";

static PERMISSIONS: LazyLock<Vec<Arc<Permission>>> = LazyLock::new(|| {
    BUILTINS
        .iter()
        .map(|builtin| Arc::new(builtin.permission()))
        .collect()
});

/// The permissions of everybody who may use the Studio.
pub(crate) fn permissions() -> &'static [Arc<Permission>] {
    &PERMISSIONS
}

/// Whether an action is kept from everybody but administrators, whatever permissions say.
pub(crate) fn is_kept(action: Action, collection: &str) -> bool {
    match action {
        Action::Read => UNREADABLE.contains(&collection),
        Action::Create | Action::Update | Action::Delete | Action::Share | Action::Publish => {
            UNWRITABLE.contains(&collection) || collection.starts_with(OURS)
        }
    }
}

impl Builtin {
    fn permission(&self) -> Permission {
        Permission {
            policy: String::new(),
            collection: self.collection.to_owned(),
            action: self.action,
            items: json!({"id": {self.operator: self.variable}}),
            validation: Value::Null,
            presets: Record::new(),
            fields: self.fields.iter().map(|field| (*field).to_owned()).collect(),
            locales: None,
            statuses: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_of_the_systems_own() {
        let schema = loggia_model::system::schema();
        for builtin in BUILTINS {
            let collection = schema.collection(builtin.collection).unwrap();
            for field in builtin.fields {
                assert!(collection.field(field).is_some(), "{}.{field}", collection.name);
            }
            assert!(!is_kept(builtin.action, builtin.collection));
        }
        for name in UNWRITABLE.iter().chain(UNREADABLE) {
            assert!(schema.collection(name).is_some(), "{name}");
        }
    }
}
