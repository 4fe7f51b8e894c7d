//! `loggia_changes`: one row for each request that changed something, chained by hashes.

use super::{SystemCollection, SystemField as F};

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("history"),
    accountability: None,
    since: 2,
    fields: FIELDS,
    ..SystemCollection::new(
        "loggia_changes",
        "Who changed what in one request; written by the system alone",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::big_integer("number")
        .not_null()
        .unique()
        .note("Its place in the chain, from 1"),
    F::timestamp("timestamp").not_null().indexed(),
    F::uuid("user").indexed().display("user"),
    F::uuid("role"),
    F::uuid("token")
        .indexed()
        .note("The access token, where one was used"),
    F::string("origin", 32).not_null().note("rest, mcp, cli, …"),
    F::string("client_name", 255),
    F::string("client_version", 255),
    F::string("tool", 64).note("The tool that an assistant called"),
    F::string("request_id", 64),
    F::string("ip", 50),
    F::text("user_agent"),
    F::string("title", 255),
    F::json("counts").note("{collection: {created, updated, deleted}}"),
    F::json("written").note("The same without what the database did on its own; null where that is all"),
    F::integer("rows")
        .not_null()
        .default_number(0)
        .note("Rows changed in all"),
    F::uuid("reverts")
        .indexed()
        .note("The change that this one takes back"),
    F::boolean("reversible", true),
    F::string("content_hash", 64).not_null(),
    F::string("previous_hash", 64).not_null(),
    F::string("hash", 64).not_null(),
];
