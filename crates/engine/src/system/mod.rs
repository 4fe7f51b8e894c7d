//! What is special about writing system collections.
//!
//! - [`writable`]: which of them are written elsewhere, or only by the system.
//! - [`deletable`]: what must stay.
//! - [`check`]: rules on what is sent, before anything is written; [`check_changed`]: on what an item will be then.
//! - [`after`]: rules on what the database would then hold, before the commit; [`Engine::conclude`] asks them of every
//!   transaction.
//!
//! To add a rule on one collection: its file here, and its line in [`check`] or [`after`].

use indexmap::IndexMap;
use loggia_access::Grants;
use loggia_model::error::{FORBIDDEN, UNPROCESSABLE_CONTENT};
use loggia_model::system::{PUBLIC_POLICY, RULES};
use loggia_model::{Collection, Problem, Problems, Record, Scalar};
use serde_json::Value;

use crate::changes::{Recorded, Recorder};
use crate::engine::to_the_end;
use crate::items::draft::Draft;
use crate::query::Resolver;
use crate::{Engine, Error};

mod administrators;
mod granting;
mod permissions;
mod policies;
mod settings;
mod users;

/// Collections that are not written as items, and where they are written instead.
const ELSEWHERE: [(&str, &str); 10] = [
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
    ("loggia_changes", "Changes are kept by the system alone."),
    ("loggia_prunings", "Changes are kept by the system alone."),
    ("loggia_tokens", "Tokens are managed through /tokens."),
    (
        "loggia_sign_ins",
        "What is remembered of signing in is kept by the system alone.",
    ),
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
        "directus_users" => users::check(draft),
        "directus_permissions" => permissions::check(on, draft),
        "directus_policies" => policies::check(draft),
        "directus_settings" => settings::check(on, draft),
        _ => Problems::default(),
    }
}

/// What is wrong with an item that exists, as it will be: what stays of it is in `stored`.
pub(crate) fn check_changed(on: &Resolver<'_>, draft: &Draft, stored: &Record) -> Problems {
    match draft.collection.name.as_str() {
        "directus_permissions" => permissions::check_changed(on, draft, stored),
        _ => Problems::default(),
    }
}

/// Whether all of an item that exists must be known to change it: what [`check_changed`] looks at.
pub(crate) fn changes_whole(collection: &Collection) -> bool {
    collection.name == "directus_permissions"
}

/// What a transaction has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Rows, by whoever asked for it.
    Rows,
    /// Tables, with what was in them.
    Tables,
}

/// What is to be told of a transaction once it is committed: rows of system collections by their keys.
pub(crate) type News = IndexMap<String, Vec<Value>>;

/// What would be wrong with the database after the write, cascades included; and what follows from it.
///
/// # Errors
/// The rule that would be broken; the transaction must not be committed then.
pub(crate) async fn after(tx: &mut Recorder, written: Written) -> Result<News, Error> {
    let ended = users::end_sessions(tx).await?;
    administrators::remain(tx, written).await?;
    let mut news = News::new();
    for noted in tx.noted().filter(|noted| noted.collection.system) {
        let keys = news.entry(noted.collection.name.clone()).or_default();
        let primary = noted.collection.primary.as_ref();
        keys.extend(primary.map(|primary| primary.ty.print(noted.key.clone())));
    }
    if ended {
        news.entry("directus_sessions".to_owned()).or_default();
    }
    Ok(news)
}

impl Engine {
    /// How every transaction ends: the system's own rules, the commit, and the news of it.
    ///
    /// # Errors
    /// The rule that would be broken, or why there is no record; then nothing was changed.
    pub(crate) async fn conclude(&self, mut tx: Recorder) -> Result<Recorded, Error> {
        let news = after(&mut tx, Written::Rows).await?;
        let engine = self.clone();
        tx.will_commit();
        to_the_end(async move {
            let recorded = tx.commit().await?;
            engine.tell(&news).await;
            Ok(recorded)
        })
        .await
    }

    /// After the commit and before the answer: tells of rows of system collections that changed, and reads again what is
    /// kept of them.
    pub(crate) async fn tell(&self, news: &News) {
        for (collection, keys) in news {
            self.announce(collection, keys);
        }
        if news.keys().any(|name| RULES.contains(&name.as_str()))
            && let Err(error) = self.catch_up().await
        {
            // It is committed all the same, and whoever asks next catches up first.
            tracing::warn!(%error, "what was changed cannot be read again yet");
        }
    }
}
