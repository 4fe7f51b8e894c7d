//! Rules that the system's own collections have besides those of their fields.
//!
//! [`prepare`] sees each row before a transaction begins; [`verify`] looks at the tables before it is committed.
//!
//! To add a rule: in the file named after its collection, reached from [`prepare`] or [`verify`].

use loggia_model::{Problem, Problems, Record, error};
use loggia_store::Tx;
use serde_json::Value;

use crate::{Engine, Error};

mod administrators;
mod permissions;
mod users;

/// A write to one row, as it was asked for.
pub(crate) enum Change<'a> {
    /// A new row.
    Create(&'a mut Record),
    /// New values for the rows with these keys.
    Update {
        /// The primary keys.
        keys: &'a [Value],
        /// The values.
        data: &'a mut Record,
    },
    /// The rows with these keys go.
    Delete {
        /// The primary keys.
        keys: &'a [Value],
    },
}

/// Collections that are written through use cases of their own: the schema's metadata, and what the server records.
const NOT_WRITTEN_HERE: [(&str, &str); 6] = [
    ("directus_collections", "Use /collections or the tool `collections`."),
    ("directus_fields", "Use /fields or the tool `fields`."),
    ("directus_relations", "Use /relations or the tool `relations`."),
    ("directus_sessions", "Sessions come and go by signing in and out."),
    ("directus_activity", "The server writes it; it cannot be changed."),
    ("directus_revisions", "The server writes it; it cannot be changed."),
];

/// Before a transaction begins: puts secrets and addresses into the form that is stored, or refuses. Hashing a
/// password takes its time, off the async threads.
///
/// # Errors
/// Everything that is wrong with the row, with paths inside it.
pub(crate) async fn prepare(engine: &Engine, collection: &str, change: Change<'_>) -> Result<(), Problems> {
    if let Some((_, instead)) = NOT_WRITTEN_HERE.iter().find(|(name, _)| *name == collection) {
        let message = format!("Items of \"{collection}\" are not written directly.");
        return Err(Problem::new(&error::INVALID_PAYLOAD, message).hint(*instead).into());
    }
    match (collection, change) {
        ("directus_users", Change::Create(data) | Change::Update { data, .. }) => users::prepare(engine, data).await,
        ("directus_permissions", Change::Create(data) | Change::Update { data, .. }) => {
            permissions::prepare(&engine.schema(), data)
        }
        ("directus_settings", Change::Delete { .. }) => {
            let message = "The settings cannot be deleted.";
            Err(Problem::new(&error::INVALID_PAYLOAD, message).hint("Set single settings to null instead.").into())
        }
        ("directus_policies", Change::Delete { keys }) if names_public_policy(keys) => {
            let message = "The public policy cannot be deleted.";
            Err(Problem::new(&error::INVALID_PAYLOAD, message).hint("Remove its permissions instead.").into())
        }
        _ => Ok(()),
    }
}

fn names_public_policy(keys: &[Value]) -> bool {
    keys.iter().filter_map(Value::as_str).any(|key| key == loggia_model::system::PUBLIC_POLICY)
}

/// Inside a transaction, before it is committed: what must hold over the tables after writes to the collections
/// `touched`.
///
/// # Errors
/// When an active administrator would not remain, or the roles' tree would have a cycle.
pub(crate) async fn verify(tx: &mut Tx, touched: &[&str]) -> Result<(), Error> {
    const DECIDING: [&str; 4] = ["directus_users", "directus_roles", "directus_policies", "directus_access"];
    if touched.iter().any(|name| DECIDING.contains(name)) {
        administrators::verify(tx).await?;
    }
    Ok(())
}
