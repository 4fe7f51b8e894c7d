//! `directus_sessions`: who is signed in where.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    accountability: None,
    fields: FIELDS,
    relations: &[R::new("user", "directus_users").on_delete(Action::Cascade)],
    ..SystemCollection::new(
        "directus_sessions",
        "Who is signed in where; tokens are kept as fingerprints",
    )
};

const FIELDS: &[F] = &[
    F::string("token", 64).given_key().special(&["conceal"]),
    F::uuid("user").indexed(),
    F::timestamp("expires").not_null().indexed(),
    F::string("ip", 255),
    F::text("user_agent"),
    F::uuid("share"),
    F::string("origin", 255),
    F::string("next_token", 64).special(&["conceal"]),
    F::string("oauth_client", 255),
    F::string("line", 32)
        .since(3)
        .indexed()
        .special(&["conceal"])
        .note("The same for all sessions that were made from one sign-in"),
];
