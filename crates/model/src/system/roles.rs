//! `directus_roles`: groups of users, in a tree.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("supervised_user_circle"),
    display_template: Some("{{ name }}"),
    fields: FIELDS,
    relations: &[R::new("parent", "directus_roles")
        .on_delete(Action::NoAction)
        .alias("children")],
    ..SystemCollection::new(
        "directus_roles",
        "Groups of users; what they may do is said by the policies attached",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("name", 100).not_null().required(),
    F::string("icon", 64)
        .not_null()
        .default("supervised_user_circle")
        .interface("select-icon")
        .display("icon"),
    F::text("description").interface("input"),
    F::reference("parent").options(r#"{"template":"{{ name }}"}"#),
    F::o2m("children").interface("list-o2m-tree-view").hidden(),
    F::m2m("policies"),
    F::o2m("users"),
];
