//! Taking changes back: every entry in reverse, the last first, in one transaction that is a change itself.
//!
//! 1. [`load`]: the changes that are meant and their entries.
//! 2. [`rewind`]: in memory, what every row would be like; where something else happened since, there is a conflict.
//! 3. [`apply`]: the rows that differ are written, in an order that keys allow, within the caller's rights.

mod apply;
pub(crate) mod load;
mod rewind;

use indexmap::IndexMap;
use jiff::Timestamp;
use loggia_access::Caller;
use loggia_model::Record;
use loggia_model::error::{DELETES_DISABLED, ITEM_CHANGED, SERVICE_UNAVAILABLE, UNPROCESSABLE_CONTENT};
use loggia_model::{Problem, Problems};
use serde_json::Value;

use super::Recorder;
use super::reading::Seen;
use crate::items::{Changed, Deletes};
use crate::{Engine, Error, system};
use load::Loaded;
use rewind::Rewound;

/// What is to be taken back.
#[derive(Clone, Debug)]
pub enum RevertTarget {
    /// These changes.
    Changes(Vec<String>),
    /// Every change that matches: of a user, a token, a client, a request, since a time, until a time.
    Matching(Box<super::ChangeFilter>),
}

/// What to do where something else happened since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// Nothing is taken back; every conflict is named.
    #[default]
    Refuse,
    /// What is in conflict stays as it is.
    Skip,
    /// It is taken back all the same, and what happened since is lost.
    Force,
}

/// How to take back.
#[derive(Clone, Debug, Default)]
pub struct RevertOptions {
    /// Where something else happened since.
    pub conflicts: Conflicts,
    /// Whether items that were created may go.
    pub deletes: Deletes,
    /// What it is for.
    pub title: Option<String>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// Something else happened to an item since.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The change that is to be taken back.
    pub change: String,
    /// The collection of the item.
    pub collection: String,
    /// Its key, as text.
    pub item: String,
    /// Its fields that are in conflict; none: the item itself.
    pub fields: Vec<String>,
    /// What is the matter, in words for people.
    pub what: String,
    /// What is in those fields now; `None`: the item is not there.
    pub now: Option<Record>,
}

/// What was taken back.
#[derive(Clone, Debug, Default)]
pub struct Reverted {
    /// The key of the change that took it back; `None`: there was nothing to do.
    pub change: Option<String>,
    /// The changes that were taken back.
    pub reverted: Vec<String>,
    /// How many items changed, by collection.
    pub changed: IndexMap<String, Changed>,
    /// What was left as it is, or overwritten.
    pub conflicts: Vec<Conflict>,
    /// Secrets that are not as they were, because they are never kept: collection, key, fields.
    pub not_restored: Vec<(String, String, Vec<String>)>,
}

/// A schema that keeps changing under a request is changed by hand in a loop; nobody waits for that.
const ATTEMPTS: usize = 5;
/// An answer with more conflicts than this helps nobody.
const MOST_CONFLICTS: usize = 1_000;

impl Engine {
    /// Takes changes back.
    ///
    /// # Errors
    /// The one answer for changes that the caller may not know of; everything that is in conflict; what the caller may
    /// not do; what the database refuses. Then nothing was changed.
    pub async fn revert(
        &self,
        caller: &Caller,
        target: RevertTarget,
        options: &RevertOptions,
    ) -> Result<Reverted, Error> {
        loggia_journal::writes_directly(caller)?;
        for _ in 0..ATTEMPTS {
            if let Some(reverted) = self.try_revert(caller, &target, options).await? {
                return Ok(reverted);
            }
            self.refresh_schema().await?;
        }
        let problem = Problem::new(&SERVICE_UNAVAILABLE, "The schema keeps changing.");
        Err(problem.hint("Retry when it has settled.").into())
    }

    /// `None`: the schema changed before the transaction began.
    async fn try_revert(
        &self,
        caller: &Caller,
        target: &RevertTarget,
        options: &RevertOptions,
    ) -> Result<Option<Reverted>, Error> {
        let grants = self.grants(caller).await?;
        let Some(ids) = load::which(self, &grants, target).await? else {
            return Err(Problem::forbidden().into());
        };
        if load::definitions(self, &ids).await? {
            return crate::schema::restore::revert(self, caller, ids, options)
                .await
                .map(Some);
        }
        let schema = self.schema();
        let mut tx = self.begin(&schema, caller).await?;
        if tx.schema_version().await? != schema.version {
            return Ok(None);
        }
        let loaded = load::entries(&mut tx, ids).await?;
        complete(&loaded, options)?;
        let mut reverted = Reverted::default();
        let tx = self
            .revert_rows(tx, caller, loaded, options, &mut reverted)
            .await?;
        if options.dry_run {
            return Ok(Some(reverted));
        }
        let recorded = self.conclude(tx).await?;
        reverted.change = recorded.change;
        Ok(Some(reverted))
    }

    /// Takes the entries of items back, and leaves the transaction open.
    pub(crate) async fn revert_rows(
        &self,
        mut tx: Recorder,
        caller: &Caller,
        mut loaded: Loaded,
        options: &RevertOptions,
        reverted: &mut Reverted,
    ) -> Result<Recorder, Error> {
        reverted.not_restored = tokens_left_out(&mut loaded, options.conflicts)?;
        let schema = tx.schema().clone();
        let grants = self.grants_under(&schema, caller).await?;
        if let [one] = loaded.changes.as_slice() {
            tx.reverts = Some(one.id.clone());
        }
        tx.title = options.title.clone().or_else(|| Some(title(&loaded)));
        reverted.reverted = loaded.changes.iter().map(|change| change.id.clone()).collect();
        let mut rewound = rewind::rewind(&mut tx, &loaded, options.conflicts).await?;
        rewind::pointing(&mut tx, &mut rewound, options.conflicts).await?;
        self.told(&grants, &mut rewound, options).await?;
        reverted.conflicts = std::mem::take(&mut rewound.conflicts);
        reverted
            .not_restored
            .append(&mut std::mem::take(&mut rewound.not_restored));
        if options.deletes == Deletes::Refused && rewound.deletes() {
            let message = "Taking this back would delete items, and deleting is switched off here.";
            let problem = Problem::new(&DELETES_DISABLED, message);
            return Err(problem
                .hint("Ask somebody who may delete, or switch deleting on in the settings.")
                .into());
        }
        apply::apply(&mut tx, &grants, &rewound, &self.parts().generator).await?;
        reverted.changed = rewound.counts();
        system::after(&mut tx, system::Written::Rows).await?;
        Ok(tx)
    }

    /// Narrows what conflicts say to what the caller may read; refuses unless they are to be passed over.
    async fn told(
        &self,
        grants: &loggia_access::Grants,
        rewound: &mut Rewound,
        options: &RevertOptions,
    ) -> Result<(), Error> {
        if !grants.is_admin() && !rewound.conflicts.is_empty() {
            let schema = self.schema();
            let mut seen = Seen::default();
            let mut keys: IndexMap<&str, Vec<&str>> = IndexMap::new();
            for conflict in &rewound.conflicts {
                keys.entry(&conflict.collection).or_default().push(&conflict.item);
            }
            for (collection, keys) in keys {
                seen.look(self, &schema, grants, collection, &keys).await?;
            }
            for conflict in &mut rewound.conflicts {
                let fields = seen.fields(&conflict.collection, &conflict.item);
                // The words were written for who may read everything.
                conflict.what = match fields {
                    Some(_) => format!(
                        "{} of \"{}\" was changed again since, or is needed by now.",
                        conflict.item, conflict.collection
                    ),
                    None => {
                        conflict.collection.clear();
                        conflict.item.clear();
                        conflict.now = None;
                        "Something that you do not see stands against taking this back.".to_owned()
                    }
                };
                let sees = |name: &String| fields.is_some_and(|fields| fields.contains(name));
                conflict.fields.retain(&sees);
                if let Some(now) = &mut conflict.now {
                    now.retain(|name, _| sees(name));
                }
            }
        }
        if options.conflicts != Conflicts::Refuse || rewound.conflicts.is_empty() || options.dry_run {
            return Ok(());
        }
        let more = rewound.conflicts.len().saturating_sub(MOST_CONFLICTS);
        let mut problems = Problems::default();
        for conflict in rewound.conflicts.iter().take(MOST_CONFLICTS) {
            problems.push(conflict.problem());
        }
        if more > 0 {
            let message = format!("There are {more} more conflicts like these.");
            problems.push(Problem::new(&ITEM_CHANGED, message));
        }
        Err(problems.into())
    }
}

impl Conflict {
    fn problem(&self) -> Problem {
        let hint =
            "Nothing was taken back. Look at what is there now, and skip what is in conflict or force it.";
        let problem = Problem::new(&ITEM_CHANGED, &self.what)
            .with("collection", self.collection.as_str())
            .with("item", self.item.as_str())
            .with("change", self.change.as_str())
            .with("fields", self.fields.clone());
        let now = self.now.clone().map_or(Value::Null, Value::Object);
        problem.with("now", now).hint(hint)
    }
}

/// Changes that were not recorded whole cannot be taken back whole.
pub(crate) fn complete(loaded: &Loaded, options: &RevertOptions) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for change in loaded.changes.iter().filter(|change| !change.complete) {
        let message = format!(
            "Change {} ({}) cannot be taken back: not all that it did is on record.",
            change.number, change.id
        );
        let hint = "A collection that keeps no revisions was changed. \
                    What is on record can still be taken back by skipping the rest.";
        problems.push(Problem::new(&UNPROCESSABLE_CONTENT, message).hint(hint));
    }
    if options.conflicts == Conflicts::Refuse {
        problems.or(())
    } else {
        Ok(())
    }
}

fn title(loaded: &Loaded) -> String {
    match loaded.changes.as_slice() {
        [one] => match &one.title {
            Some(title) => format!("Takes back change {}: {title}", one.number),
            None => format!("Takes back change {}", one.number),
        },
        several => format!("Takes back {} changes", several.len()),
    }
}

/// Whether it is said which changes are meant: by whom or through what, or since when.
pub(crate) fn bounded(filter: &super::ChangeFilter) -> bool {
    let named = [&filter.user, &filter.token, &filter.client, &filter.request];
    named.iter().any(|name| name.is_some())
        || !filter.ids.is_empty()
        || filter.since.is_some_and(|since| since > Timestamp::UNIX_EPOCH)
}

/// Access tokens are not taken back: what limits a token is decided where tokens are managed, and nobody gets an old
/// token back.
///
/// # Errors
/// That there are some, unless what stands in the way is to be passed over.
fn tokens_left_out(
    loaded: &mut Loaded,
    conflicts: Conflicts,
) -> Result<Vec<(String, String, Vec<String>)>, Problem> {
    let of_tokens = |done: &load::Done| done.collection == "loggia_tokens";
    let tokens: Vec<_> = loaded.entries.iter().filter(|done| of_tokens(done)).collect();
    if !tokens.is_empty() && conflicts == Conflicts::Refuse {
        let message = "Changes of access tokens are not taken back. Nothing was changed.";
        let problem = Problem::new(&UNPROCESSABLE_CONTENT, message);
        return Err(problem.hint("Change tokens through /tokens; take the rest back with conflicts `skip`."));
    }
    let left = tokens.into_iter().map(|done| {
        let fields: std::collections::BTreeSet<_> = done.before.keys().chain(done.after.keys()).collect();
        let fields = fields.into_iter().cloned().collect();
        (done.collection.clone(), done.item.clone(), fields)
    });
    let left = left.collect();
    loaded.entries.retain(|done| !of_tokens(done));
    Ok(left)
}
