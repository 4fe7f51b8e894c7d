//! `loggia_tokens`: access tokens with rights of their own, within their owner's.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("key"),
    display_template: Some("{{ name }}"),
    since: 2,
    fields: FIELDS,
    relations: &[R::new("user", "directus_users").on_delete(Action::Cascade)],
    ..SystemCollection::new(
        "loggia_tokens",
        "Access tokens: each may do at most what its owner may, and less where it says so",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("name", 100).not_null().required(),
    F::reference("user").not_null().indexed().note("The owner"),
    F::string("hash", 64).not_null().unique().special(&["conceal"]).readonly(),
    F::string("prefix", 16)
        .not_null()
        .readonly()
        .note("The first characters of the token, to tell it by"),
    F::json("policies").note("Keys of policies that narrow it: null for all that the owner may"),
    F::timestamp("expires"),
    F::csv("ip_access").note("Addresses and ranges that it counts from; empty: from everywhere"),
    F::integer("requests_per_minute").note("At most so many requests; empty: any number"),
    F::integer("changed_rows_per_hour").note("At most so many rows changed; empty: any number"),
    F::string("mode", 16).not_null().default("direct").options(
        r#"{"choices":[{"text":"Writes directly","value":"direct"},{"text":"Only proposes","value":"propose"}]}"#,
    ),
    F::timestamp("created_on").not_null().default_now().readonly(),
    F::timestamp("rotated_on").readonly(),
    F::timestamp("last_used_on").readonly(),
    F::string("last_used_ip", 50).readonly(),
];
