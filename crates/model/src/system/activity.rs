//! `directus_activity`: who did what, when.

use super::{SystemCollection, SystemField as F, SystemRelation as R};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    accountability: None,
    fields: FIELDS,
    relations: &[R::new("user", "directus_users")],
    ..SystemCollection::new(
        "directus_activity",
        "Who did what, when; written by the system alone",
    )
};

const FIELDS: &[F] = &[
    F::serial("id"),
    F::string("action", 45).not_null().display("labels"),
    F::uuid("user").display("user"),
    F::timestamp("timestamp")
        .not_null()
        .default_now()
        .special(&["date-created", "cast-timestamp"]),
    F::string("ip", 50),
    F::text("user_agent").interface("input"),
    F::string("collection", 64).not_null().display("collection"),
    F::string("item", 255).not_null(),
    F::string("origin", 255),
    F::uuid("change").since(2).indexed(),
    F::o2m("revisions"),
];
