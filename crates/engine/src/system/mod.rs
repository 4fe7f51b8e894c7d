//! What is special about writing system collections.
//!
//! - [`writable`]: which of them are written elsewhere, or only by the system.
//! - [`deletable`]: what must stay.
//! - [`check`]: rules on what is sent, before anything is written.
//! - [`after`]: rules on what the database would then hold, before the commit.
//!
//! To add a rule on one collection: its file here, and its line in [`check`] or [`after`].

use loggia_access::Grants;
use loggia_model::error::{FORBIDDEN, UNPROCESSABLE_CONTENT};
use loggia_model::system::PUBLIC_POLICY;
use loggia_model::{Collection, Problem, Problems, Scalar};

use crate::Error;
use crate::items::draft::Draft;
use crate::items::writer::Writer;
use crate::query::Resolver;

mod administrators;
mod permissions;
mod policies;
mod settings;
mod users;

pub(crate) use administrators::{Standing, standing};

/// Collections that are not written as items, and where they are written instead.
const ELSEWHERE: [(&str, &str); 7] = [
    (
        "directus_collections",
        "Change collections through /collections or the collections tool.",
    ),
    (
        "directus_fields",
        "Change fields through /fields or the fields tool.",
    ),
    (
        "directus_relations",
        "Change relations through /relations or the relations tool.",
    ),
    (
        "directus_sessions",
        "Sessions begin and end by signing in and out.",
    ),
    (
        "directus_activity",
        "The record of activity is kept by the system alone.",
    ),
    ("directus_revisions", "Revisions are kept by the system alone."),
    ("loggia_tokens", "Tokens are managed through /tokens."),
];

/// Whether items of the collection may be written at all.
///
/// # Errors
/// Where it is written instead.
pub(crate) fn writable(grants: &Grants, collection: &Collection) -> Result<(), Problem> {
    match ELSEWHERE.iter().find(|(name, _)| *name == collection.name) {
        Some((name, hint)) if grants.sees(collection) => {
            let message = format!("Items of \"{name}\" are not written directly.");
            Err(Problem::new(&FORBIDDEN, message).hint(*hint))
        }
        Some(_) => Err(Problem::forbidden()),
        None => Ok(()),
    }
}

/// Whether these items may be deleted at all.
///
/// # Errors
/// Why not, and what to do instead.
pub(crate) fn deletable(collection: &Collection, keys: &[Scalar]) -> Result<(), Problem> {
    let refuse = |message: &str, hint: &str| Err(Problem::new(&UNPROCESSABLE_CONTENT, message).hint(hint));
    match collection.name.as_str() {
        "directus_settings" => refuse(
            "The settings cannot be deleted.",
            "Set single settings to null instead.",
        ),
        "directus_policies" if keys.iter().any(|key| key.as_text() == Some(PUBLIC_POLICY)) => refuse(
            "The public policy cannot be deleted.",
            "Remove its permissions instead.",
        ),
        _ => Ok(()),
    }
}

/// What is wrong with one item that is to be written, beyond its fields' own rules.
pub(crate) fn check(on: &Resolver<'_>, draft: &mut Draft) -> Problems {
    match draft.collection.name.as_str() {
        "directus_users" => users::check(on, draft),
        "directus_permissions" => permissions::check(on, draft),
        "directus_policies" => policies::check(draft),
        "directus_settings" => settings::check(on, draft),
        _ => Problems::default(),
    }
}

/// What would be wrong with the database after the write.
///
/// # Errors
/// The rule that would be broken; the transaction must not be committed then.
pub(crate) async fn after(on: &Resolver<'_>, writer: &mut Writer<'_>) -> Result<(), Error> {
    users::end_sessions(on, writer).await?;
    administrators::remain(on, writer).await
}
